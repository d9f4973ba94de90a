//! Hours and days of a sidecar's life, in minutes. The loop, the plan, the files and the sockets are
//! real; only the clock of the sidecar is driven, and STS's with it.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use irsa_probe::diagnosis::Name;
use irsa_probe::host::{Clock, Pod};
use irsa_probe::net::options::NetworkOptions;
use irsa_probe::report::model::FailurePolicy;
use irsa_probe::run::options::{CheckOptions, IdentityOptions};
use irsa_probe::watch::schedule::Schedule;
use irsa_probe::watch::status::WatchStatus;
use irsa_probe::watch::{Notice, Watch, WatchSettings};
use testbed::{Scenario, World};
use tokio::runtime::Runtime;
use tokio::time::{Instant, advance};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// The actions of STS that are counted.
pub(crate) const ASSUME: &str = "AssumeRoleWithWebIdentity";
pub(crate) const IDENTITY: &str = "GetCallerIdentity";

/// The wall clock that the sidecar sees: it goes with the driven time, and can be set.
#[derive(Clone)]
struct Wall {
    base: SystemTime,
    began: Instant,
    set_by: Arc<AtomicI64>,
}

impl Wall {
    fn now(&self) -> SystemTime {
        let now = self.base + self.began.elapsed();
        let set_by = self.set_by.load(Ordering::Relaxed);
        let by = Duration::from_secs(set_by.unsigned_abs());
        if set_by < 0 { now - by } else { now + by }
    }

    /// The time that has really passed, whatever the clock was set to.
    fn true_now(&self) -> SystemTime {
        self.base + self.began.elapsed()
    }
}

/// A sidecar's life, as somebody with all the time in the world looks at it.
pub(crate) struct Life<'a> {
    pub(crate) world: &'a World,
    pub(crate) status: &'a WatchStatus,
    pub(crate) told: &'a RefCell<Vec<String>>,
    /// How often it was said that there is nothing to say.
    pub(crate) steady: &'a Cell<u32>,
    wall: Wall,
}

impl Life<'_> {
    /// Lets a time pass, a second at a time.
    pub(crate) async fn pass(&self, time: Duration) {
        self.pass_by(SECOND, time).await;
    }

    /// Lets a time pass in steps, as it passes for a sidecar that gets no CPU in between.
    pub(crate) async fn pass_by(&self, step: Duration, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            let before = self.status.snapshot().heartbeat_deadline;
            advance(step).await;
            self.settle(before).await;
        }
    }

    /// Waits until the loop has done what was to do and sleeps again. Only when it has long waited for
    /// something that does not come, the clock goes on.
    async fn settle(&self, before: Instant) {
        let mut patience = Duration::from_millis(400);
        loop {
            self.world.clock().set_ahead(self.sts_ahead());
            let until = std::time::Instant::now() + patience;
            while std::time::Instant::now() < until {
                tokio::task::yield_now().await;
                let next = self.status.snapshot().heartbeat_deadline;
                if next != before && next <= Instant::now() + 3 * SECOND {
                    return;
                }
                std::thread::sleep(Duration::from_micros(20));
            }
            advance(Duration::from_millis(500)).await;
            patience = Duration::from_millis(20);
        }
    }

    /// How long the sidecar has lived.
    pub(crate) fn age(&self) -> Duration {
        self.wall.began.elapsed()
    }

    fn sts_ahead(&self) -> time::Duration {
        let real = SystemTime::now();
        let ahead = self.wall.true_now().duration_since(real).map_err(|error| error.duration());
        let of = |duration: Duration| time::Duration::try_from(duration).unwrap();
        ahead.map_or_else(|behind| -of(behind), of)
    }

    /// Waits for a verdict that is told, at most for this time; says how long it took.
    pub(crate) async fn until_told(&self, verdict: &str, most: Duration) -> Duration {
        let (began, seen) = (Instant::now(), self.told.borrow().len());
        while !self.told.borrow()[seen..].iter().any(|told| told == verdict) {
            assert!(
                began.elapsed() <= most,
                "{verdict} was not told within {most:?}: {:?}",
                self.told.borrow()
            );
            self.pass(SECOND).await;
        }
        began.elapsed()
    }

    /// Puts another token in the file, issued now.
    pub(crate) fn rotate(&self, lifetime: Duration) {
        self.world.rotate(&self.mint(lifetime)).unwrap();
    }

    /// A token, issued now.
    pub(crate) fn mint(&self, lifetime: Duration) -> String {
        let now = self.wall.true_now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.world.mint(now.try_into().unwrap(), lifetime.as_secs().try_into().unwrap())
    }

    pub(crate) fn requests(&self, action: &str) -> usize {
        self.world.sts().requests().iter().filter(|request| request.action == action).count()
    }

    pub(crate) fn diagnosis(&self) -> Option<Name> {
        self.status.snapshot().last_check.and_then(|found| found.diagnosis)
    }

    pub(crate) fn set_clock(&self, seconds: i64) {
        self.wall.set_by.store(seconds, Ordering::Relaxed);
    }
}

/// Lives a life in a world, with the sidecar's interval.
pub(crate) async fn live(scenario: &str, interval: Duration, script: impl AsyncFnOnce(&Life<'_>)) {
    // The servers live in real time, in a runtime of their own.
    let servers = Runtime::new().unwrap();
    let scenario = Scenario::parse(scenario).unwrap();
    let world =
        std::thread::scope(|scope| scope.spawn(|| servers.block_on(World::start(&scenario))).join().unwrap());
    // While something blocks, the driven clock stands still unless it is driven.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let hold = tokio::task::spawn_blocking(move || held.recv().is_err());

    let wall = Wall { base: SystemTime::now(), began: Instant::now(), set_by: Arc::default() };
    let clock = wall.clone();
    let pod = Pod::recorded(world.env().clone(), Clock::Driven(Arc::new(move || clock.now())));
    let wanted = CheckOptions {
        identity: IdentityOptions {
            api_token_file: world.env()["IRSA_PROBE_API_TOKEN_FILE"].clone().into(),
            ..IdentityOptions::default()
        },
        network: NetworkOptions {
            dns_server: world.env()["IRSA_PROBE_DNS_SERVER"].parse().ok(),
            ..NetworkOptions::default()
        },
        ..CheckOptions::default()
    };
    let settings =
        WatchSettings { timeout: 5 * SECOND, failure_policy: FailurePolicy::default(), container: None };
    let status = WatchStatus::new(HOUR);
    let (told, steady) = (RefCell::new(Vec::new()), Cell::new(0));
    let mut watch = Watch::new(
        &pod,
        &wanted,
        &settings,
        &status,
        Schedule::new(interval, fastrand::Rng::with_seed(interval.as_secs())),
    );
    let tell = async |news: Notice<'_>| match news {
        Notice::Verdict(report) => {
            let names = report.diagnosis().into_iter().chain(report.warnings());
            let names: Vec<_> = names.map(|diagnosis| diagnosis.name().as_str()).collect();
            told.borrow_mut().push(if names.is_empty() { "works".to_owned() } else { names.join("+") });
        }
        Notice::Steady(_) => steady.set(steady.get() + 1),
        Notice::Rotation { .. } => {}
    };
    let life = Life { world: &world, status: &status, wall, told: &told, steady: &steady };
    let script = async {
        life.until_told("works", MINUTE).await;
        script(&life).await;
    };
    tokio::select! {
        biased;
        never = Box::pin(watch.run(tell)) => { let never: Infallible = never; match never {} }
        () = Box::pin(script) => {}
    }
    drop(release);
    assert!(hold.await.unwrap());
    std::thread::scope(|scope| scope.spawn(|| servers.block_on(async { drop(world) })).join().unwrap());
    servers.shutdown_background();
}
