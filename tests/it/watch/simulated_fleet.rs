//! A fleet of sidecars and one STS, in simulation: the schedule is the real one, time and STS are
//! not. One second of this is many hours of theirs.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::Range;
use std::time::Duration;

use irsa_probe::watch::schedule::{CheckEnd, Schedule};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// How long STS takes to answer.
const ANSWER: Duration = Duration::from_millis(50);

/// When a sidecar gives up on an STS that is not there.
const GIVEN_UP: Duration = Duration::from_secs(5);

/// An STS that allows so many requests a second, saved up for at most a second, and that is not there
/// at all for a while.
struct Sts {
    a_second: f64,
    down: Range<Duration>,
    saved: f64,
    at: Duration,
}

impl Sts {
    fn allows(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.saved = (self.saved + passed * self.a_second).min(self.a_second);
        self.at = now;
        if self.saved < 1.0 {
            return false;
        }
        self.saved -= 1.0;
        true
    }
}

/// What a fleet is to live through.
pub(crate) struct Plan {
    /// How many sidecars, all started within the first minute.
    pub(crate) sidecars: u64,
    /// How many requests a second STS allows.
    pub(crate) a_second: f64,
    /// While this lasts, STS does not answer.
    pub(crate) down: Range<Duration>,
    /// When it is over.
    pub(crate) end: Duration,
}

/// Ten thousand started within a minute, an STS that allows 50 requests a second, and half an hour
/// without it later in the day.
pub(crate) fn usual() -> Plan {
    Plan { sidecars: 10_000, a_second: 50.0, down: HOUR * 10..HOUR * 10 + MINUTE * 30, end: HOUR * 24 }
}

/// What it lived through.
#[derive(Default)]
pub(crate) struct Life {
    /// When each sidecar first got its role.
    pub(crate) first_pass: Vec<Duration>,
    /// When each sidecar first got its role after STS was back.
    pub(crate) back: Vec<Duration>,
    /// How many requests arrived in each second, throttled ones with the others.
    requests: BTreeMap<u64, u64>,
}

impl Life {
    /// How many requests arrived in this time.
    pub(crate) fn requests(&self, range: Range<Duration>) -> u64 {
        self.requests.range(range.start.as_secs()..range.end.as_secs()).map(|(_, count)| count).sum()
    }

    /// The most requests that arrived in one second, and in one minute, of this time.
    pub(crate) fn peaks(&self, range: Range<Duration>) -> (u64, u64) {
        let of = |width: u64| {
            let starts =
                (range.start.as_secs()..range.end.as_secs()).step_by(usize::try_from(width).unwrap());
            starts.map(|start| self.requests.range(start..start + width).map(|(_, count)| count).sum()).max()
        };
        (of(1).unwrap_or(0), of(60).unwrap_or(0))
    }
}

/// The time by which so many of a hundred had it.
pub(crate) fn percentile(times: &[Duration], of_hundred: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[(sorted.len() * of_hundred).div_ceil(100).max(1) - 1]
}

/// A sidecar, and where it is in its check.
struct Sidecar {
    schedule: Schedule,
    knows_whose: bool,
    asks_whose: bool,
    has_worked: bool,
    has_failed: bool,
}

/// Lives through a plan. The same plan ends the same way each time.
pub(crate) fn live(plan: &Plan) -> Life {
    let (a_second, down) = (plan.a_second, plan.down.clone());
    let mut sts = Sts { a_second, down, saved: a_second, at: Duration::ZERO };
    let mut life = Life::default();
    let mut starts = fastrand::Rng::with_seed(plan.sidecars);
    let mut fleet: Vec<Sidecar> = (0..plan.sidecars)
        .map(|seed| {
            let schedule = Schedule::new(HOUR, fastrand::Rng::with_seed(seed));
            Sidecar { schedule, knows_whose: false, asks_whose: false, has_worked: false, has_failed: false }
        })
        .collect();
    let mut due: BinaryHeap<Reverse<(Duration, usize)>> =
        (0..fleet.len()).map(|which| Reverse((MINUTE.mul_f64(starts.f64()), which))).collect();
    while let Some(Reverse((now, which))) = due.pop().filter(|Reverse((now, _))| *now < plan.end) {
        *life.requests.entry(now.as_secs()).or_default() += 1;
        let sidecar = &mut fleet[which];
        let (ended, at) = if sts.down.contains(&now) {
            (CheckEnd::Fails, now + GIVEN_UP)
        } else if sts.allows(now) {
            (CheckEnd::Works, now + ANSWER)
        } else {
            (CheckEnd::Throttled, now + ANSWER)
        };
        // Until STS has said so once, it is also asked whose the credentials are. The role works whatever
        // comes of it.
        let answers_whose = std::mem::take(&mut sidecar.asks_whose);
        sidecar.knows_whose |= answers_whose && ended == CheckEnd::Works;
        if ended == CheckEnd::Works && !answers_whose && !sidecar.knows_whose {
            sidecar.asks_whose = true;
            due.push(Reverse((at, which)));
            continue;
        }
        let ended = if answers_whose { CheckEnd::Works } else { ended };
        if ended == CheckEnd::Works {
            if !std::mem::replace(&mut sidecar.has_worked, true) {
                life.first_pass.push(at);
            } else if sidecar.has_failed {
                life.back.push(at.saturating_sub(plan.down.end));
            }
            sidecar.has_failed = false;
        } else {
            sidecar.has_failed = sidecar.has_worked;
        }
        due.push(Reverse((at + sidecar.schedule.pause_after(ended), which)));
    }
    life
}
