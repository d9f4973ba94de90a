//! Ten thousand rotations of the token: none is missed, and nothing grows. A process of its own, since
//! its memory is measured.

use super::simulated_life::{ASSUME, HOUR, IDENTITY, SECOND, live};
use crate::own_process;

/// What this process holds: memory in KiB, open files, and threads.
fn held() -> (u64, usize, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let of = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let memory = of("RssAnon:").trim_end_matches(" kB").parse().unwrap();
    (memory, std::fs::read_dir("/proc/self/fd").unwrap().count(), of("Threads:").parse().unwrap())
}

#[test]
fn ten_thousand_rotations_cost_no_memory_and_no_requests() {
    let output = own_process::of(module_path!(), "ten_thousand_rotations").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test(start_paused = true)]
#[ignore = "it measures its process, and is run in one of its own"]
async fn ten_thousand_rotations() {
    live("", HOUR, async |life| {
        let tokens: Vec<String> = (0..10).map(|place| life.mint(24 * HOUR + SECOND * place)).collect();
        let mut before = held();
        for (token, rotation) in tokens.iter().cycle().zip(1..=10_000) {
            life.world.rotate(token).unwrap();
            life.pass(SECOND).await;
            assert_eq!(life.status.snapshot().rotations, rotation);
            if rotation == 1_000 {
                before = held();
            }
        }
        let after = held();
        assert_eq!(*life.told.borrow(), ["works"]);
        let hours = usize::try_from(life.age().as_secs() / 3600).unwrap();
        assert!((hours - 1..=hours + 2).contains(&life.requests(ASSUME)), "{}", life.requests(ASSUME));
        assert_eq!(life.requests(IDENTITY), 1);
        // The testbed's servers, and what they remember, are in it.
        assert!(after.0 < before.0 + 1024, "memory grew from {} to {} KiB", before.0, after.0);
        assert!(after.1 <= before.1 + 4 && after.2 <= before.2 + 4, "{before:?} {after:?}");
    })
    .await;
}
