//! What goes wrong in the hours of a sidecar's life is named, and noticed to be over.

use std::time::Duration;

use super::simulated_life::{ASSUME, HOUR, IDENTITY, Life, MINUTE, SECOND, live};
use irsa_probe::diagnosis::Name;
use testbed::iam::Refusal;
use testbed::sts::{Accept, Answer, Fault, Step};

#[tokio::test(start_paused = true)]
async fn quiet_day_costs_one_request_an_hour() {
    live("token.lifetime = \"48h\"", HOUR, async |life| {
        life.pass_by(5 * SECOND, 20 * HOUR).await;
        assert_eq!(*life.told.borrow(), ["works"]);
        assert!((19..=23).contains(&life.requests(ASSUME)), "{}", life.requests(ASSUME));
        assert!((19..=20).contains(&life.steady.get()), "{} signs of life", life.steady.get());
        assert_eq!(life.requests(IDENTITY), 1);
    })
    .await;
}

fn throttling() -> Answer {
    Answer::Error(Refusal::new(400, "Throttling", "Rate exceeded"))
}

#[tokio::test(start_paused = true)]
async fn sts_failures_are_named_and_their_end_is_noticed() {
    let denied = Refusal::new(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    let troubles = [
        ("AssumeRoleNotAuthorized", Answer::Error(denied), 6 * MINUTE),
        ("Throttled", throttling(), 21 * MINUTE),
        ("StsTimedOut", Answer::Fault(Fault::Hang), 6 * MINUTE),
        ("StsConnectionLost", Answer::Fault(Fault::Reset), 6 * MINUTE),
        ("NotStsReply", Answer::Fault(Fault::Html), 6 * MINUTE),
    ];
    live("token.lifetime = \"48h\"", 10 * MINUTE, async |life| {
        for (name, answer, until_noticed) in troubles {
            life.world.sts().answer(Some(answer.into()));
            life.until_told(name, 16 * MINUTE).await;
            life.pass(20 * MINUTE).await;
            assert_eq!(life.diagnosis().map(Name::as_str), Some(name));
            let before = life.requests(ASSUME);
            life.pass(HOUR).await;
            let an_hour = life.requests(ASSUME) - before;
            assert!((4..60).contains(&an_hour), "{an_hour} requests in an hour of {name}");
            life.world.sts().answer(None);
            life.until_told("works", until_noticed).await;
        }
        // Nothing at all behind the port, and nothing that answers there.
        for (name, accept) in [("StsTimedOut", Accept::Hang), ("StsConnectionLost", Accept::Reset)] {
            life.world.sts().accept(accept);
            life.until_told(name, 16 * MINUTE).await;
            life.world.sts().accept(Accept::Serve);
            life.until_told("works", 6 * MINUTE).await;
        }
        // One that is slow, but within the time, is no news.
        life.world.sts().answer(Some(Step { delay: Duration::from_millis(30), ..Step::default() }));
        let told = life.told.borrow().len();
        life.pass(HOUR).await;
        assert_eq!(life.told.borrow().len(), told);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn caller_identity_is_asked_once() {
    live("token.lifetime = \"48h\"", 10 * MINUTE, async |life| {
        for _ in 0..3 {
            life.world.sts().answer(Some(throttling().into()));
            life.until_told("Throttled", 16 * MINUTE).await;
            life.world.sts().answer(None);
            life.until_told("works", 21 * MINUTE).await;
        }
        assert_eq!(life.requests(IDENTITY), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn imds_is_asked_once_per_failure() {
    let denied = Refusal::new(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    let denied = Answer::Error(denied);
    let asked = |life: &Life<'_>| life.world.node().unwrap().requests().len();
    live("token.lifetime = \"48h\"\n[node]\nrole = \"eks-node\"", 10 * MINUTE, async |life| {
        life.pass(2 * HOUR).await;
        assert_eq!(asked(life), 0);
        for outage in 1..=2 {
            life.world.sts().answer(Some(denied.clone().into()));
            let verdict = "AssumeRoleNotAuthorized+FallsToNodeRole+NodeRoleReachable";
            life.until_told(verdict, 16 * MINUTE).await;
            life.pass(2 * HOUR).await;
            assert_eq!(asked(life), outage * 2);
            life.world.sts().answer(None);
            life.until_told("works", 6 * MINUTE).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn touched_or_restored_file_is_no_rotation() {
    live("token.lifetime = \"48h\"", HOUR, async |life| {
        let file = life.world.volume().unwrap().token_file();
        let target = std::fs::canonicalize(&file).unwrap();
        for mode in [0o644, 0o640, 0o644] {
            std::fs::set_permissions(&target, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            life.pass(3 * SECOND).await;
        }
        let data = file.with_file_name("..data");
        let aside = data.with_file_name("..aside");
        std::fs::rename(&data, &aside).unwrap();
        life.until_told("TokenFileMissing", 10 * SECOND).await;
        std::fs::rename(&aside, &data).unwrap();
        life.until_told("works", 10 * SECOND).await;
        assert_eq!(life.status.snapshot().rotations, 0);
        life.rotate(24 * HOUR);
        life.pass(2 * SECOND).await;
        assert_eq!(life.status.snapshot().rotations, 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn broken_token_is_named_while_sts_throttles() {
    live("token.lifetime = \"48h\"", 10 * MINUTE, async |life| {
        life.world.sts().answer(Some(throttling().into()));
        life.until_told("Throttled", 16 * MINUTE).await;
        life.pass(10 * MINUTE).await;
        life.world.rotate("no token").unwrap();
        life.until_told("TokenNotAJwt", 10 * SECOND).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn flapping_sts_causes_no_storm() {
    live("token.lifetime = \"48h\"", 10 * MINUTE, async |life| {
        let before = life.requests(ASSUME);
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..60 {
            life.world.sts().answer(Some(throttling().into()));
            life.pass(SECOND * random.u32(1..240)).await;
            life.world.sts().answer(None);
            life.pass(SECOND * random.u32(1..240)).await;
        }
        let (requests, passed) = (life.requests(ASSUME) - before, life.age());
        assert!(requests < 200, "{requests} requests in {passed:?}");
        life.pass(21 * MINUTE).await;
        assert_eq!(life.diagnosis(), None);
        assert_eq!(life.told.borrow().last().map(String::as_str), Some("works"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn overdue_and_expired_tokens_are_noticed() {
    live("token.lifetime = \"1h\"", 12 * HOUR, async |life| {
        life.rotate(HOUR);
        // 80 % of an hour, and what the kubelet may take beyond that.
        life.pass(50 * MINUTE).await;
        assert_eq!(*life.told.borrow(), ["works"]);
        life.until_told("TokenNotRotated", 2 * MINUTE).await;
        life.until_told("TokenExpired", 10 * MINUTE).await;
        assert_eq!(life.diagnosis(), Some(Name::TokenExpired));
        life.pass(HOUR).await;
        life.rotate(HOUR);
        life.until_told("works", 10 * SECOND).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn flapping_token_file_is_followed_at_once() {
    live("token.lifetime = \"48h\"", HOUR, async |life| {
        let data = life.world.volume().unwrap().token_file().with_file_name("..data");
        let aside = data.with_file_name("..aside");
        for _ in 0..20 {
            std::fs::rename(&data, &aside).unwrap();
            life.until_told("TokenFileMissing", 10 * SECOND).await;
            life.pass(MINUTE).await;
            std::fs::rename(&aside, &data).unwrap();
            life.until_told("works", 10 * SECOND).await;
        }
        let before = life.requests(ASSUME);
        for _ in 0..100 {
            std::fs::rename(&data, &aside).unwrap();
            life.pass(SECOND).await;
            std::fs::rename(&aside, &data).unwrap();
            life.pass(SECOND).await;
        }
        let requests = life.requests(ASSUME) - before;
        assert!(requests <= 41, "{requests} requests in 200 seconds of flapping");
        life.pass(10 * SECOND).await;
        assert_eq!(life.diagnosis(), None);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn set_clock_is_noticed_and_harmless() {
    live("token.lifetime = \"48h\"", HOUR, async |life| {
        for seconds in [86_400, -86_400, 600, -600, 7 * 86_400] {
            life.set_clock(seconds);
            life.until_told("ClockSkewed", 10 * SECOND).await;
            let told = life.told.borrow().len();
            life.rotate(48 * HOUR);
            life.pass(10 * MINUTE).await;
            assert_eq!(life.told.borrow().len(), told, "another token does not set the clock right");
            life.set_clock(0);
            life.until_told("works", 10 * SECOND).await;
        }
        // These are within what clocks may differ, also for a token that is new.
        let told = life.told.borrow().len();
        for seconds in [30, -120, 120] {
            life.set_clock(seconds);
            life.rotate(48 * HOUR);
            life.pass(2 * HOUR).await;
        }
        assert_eq!(life.told.borrow().len(), told);
    })
    .await;
}
