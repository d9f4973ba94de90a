//! The plan, again while a failure can pass without a change.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::diagnosis::Diagnosis;
use crate::host::Pod;
use crate::plan;
use crate::plan::pass::{Memory, Pass};
use crate::probes::target;
use crate::report::model::{Circumstances, FailurePolicy, Report};
use crate::run::options::CheckOptions;
use crate::run::probe::Probe;

/// How long it can take to ask the kernel whether a process is alive.
const LOCAL: Duration = Duration::from_secs(1);

/// When to stop, besides after success.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryLimits {
    /// One attempt, whatever it finds.
    pub(crate) once: bool,
    /// A refusal can pass too: somebody is about to grant the access.
    pub(crate) wait_for_access: bool,
}

/// The attempts of one run. If [`Attempts::run`] is dropped half-way, there still is a report.
#[derive(Debug)]
pub(crate) struct Attempts<'a> {
    options: &'a CheckOptions,
    started: (SystemTime, Instant),
    count: u32,
    ended: Option<Pass>,
    current: Option<Pass>,
}

impl<'a> Attempts<'a> {
    pub(crate) fn new(pod: &Pod, options: &'a CheckOptions) -> Self {
        Self { options, started: (pod.now(), Instant::now()), count: 0, ended: None, current: None }
    }

    /// Runs the plan until it passes, fails for good, or its time is spent.
    pub(crate) async fn run(&mut self, probe: &Probe<'_>, limits: RetryLimits) {
        let Probe { pod, options, budget } = *probe;
        let mut memory = Memory::new(pod, options);
        loop {
            self.count += 1;
            let pass = self.current.insert(Pass::new(pod, options, Some(&memory)));
            plan::check(probe, &mut memory, pass).await;
            let pass = self.current.take();
            // An attempt is not sound if the inspected process has ended, because its files are gone too.
            // Neither is one that the deadline cut short: its last step can fail for lack of time alone.
            // Unless such an attempt got the role, the findings of the one before it stay.
            let gone = target::ensure_alive(pod, Instant::now() + LOCAL).await.err();
            let is_sound = gone.is_none() && (self.ended.is_none() || !budget.is_spent());
            if is_sound || pass.as_ref().is_some_and(|pass| !pass.run.role_fails()) {
                self.ended = pass;
            }
            let is_last = gone.is_some() || limits.once;
            if let (Some(gone), None) = (gone, &self.ended) {
                self.end(pod, gone);
            }
            let Some(ended) = &mut self.ended else { return };
            let is_worth_it = ended.run.is_worth_another(limits.wait_for_access) && !is_last;
            let Some(pause) = budget.pause(self.count).filter(|_| is_worth_it) else {
                plan::node_role(probe, &mut memory, ended).await;
                return;
            };
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(attempts = self.count, pause_ms, "trying again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Ends them before the first, because there is nothing to check.
    pub(crate) fn end(&mut self, pod: &Pod, diagnosis: Diagnosis) {
        self.ended = Some(Pass::failed(pod, self.options, diagnosis));
    }

    /// The report of the last attempt that ended, else of the one that was interrupted.
    pub(crate) fn into_report(
        self,
        pod: &Pod,
        container: Option<String>,
        failure_policy: FailurePolicy,
        interrupted: bool,
    ) -> Report {
        let Self { options, started, count: attempts, ended, current } = self;
        let pass = ended.or(current).unwrap_or_else(|| Pass::new(pod, options, None));
        pass.into_report(pod, Circumstances { started, attempts, interrupted, container, failure_policy })
    }
}
