//! What the schedule makes of ten thousand sidecars that are started together and share one STS.

use std::time::Duration;

use super::simulated_fleet::{HOUR, MINUTE, live, percentile, usual};

#[test]
fn fleet_gets_its_roles_from_a_throttling_sts() {
    let plan = usual();
    let life = live(&plan);
    let last = life.first_pass.iter().max().unwrap();
    assert_eq!(life.first_pass.len(), 10_000);
    assert!(*last < MINUTE * 10, "{last:?}");
    assert!(percentile(&life.first_pass, 50) < MINUTE * 3);
    // Two requests each are needed; the rest are those that STS did not allow.
    let requests = life.requests(Duration::ZERO..HOUR);
    assert!((20_000..50_000).contains(&requests), "{requests}");
}

#[test]
fn steady_fleet_stays_out_of_step() {
    let plan = usual();
    let life = live(&plan);
    // Whoever was throttled when it asked whose the role is asks that once more.
    assert!(life.requests(HOUR..HOUR * 2) < 15_000);
    for hour in (2..9).chain(11..24) {
        let range = HOUR * hour..HOUR * (hour + 1);
        let requests = life.requests(range.clone());
        assert!((9_500..10_500).contains(&requests), "{requests} in hour {hour}");
        let (second, minute) = life.peaks(range);
        assert!(
            second < 25 && minute < 2 * 10_000 / 60,
            "{second} a second, {minute} a minute in hour {hour}"
        );
    }
}

#[test]
fn outage_causes_no_storm_and_its_end_is_noticed() {
    let plan = usual();
    let life = live(&plan);
    let requests = life.requests(plan.down.clone());
    assert!(requests < 50 * plan.down.end.saturating_sub(plan.down.start).as_secs(), "{requests}");
    assert!(life.back.len() > 4_000);
    let last = life.back.iter().max().unwrap();
    assert!(*last < MINUTE * 6, "{last:?}");
    let (second, _) = life.peaks(plan.down.end..plan.end);
    assert!(second < 60, "{second} in a second");
}
