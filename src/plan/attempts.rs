//! The plan, tried again while that may help, and what is known whenever it is stopped.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::checks::application_sdk::Application;
use crate::checks::node_role::NodeRoleProbe;
use crate::diagnosis::Diagnosis;
use crate::host::Pod;
use crate::host::deadline::Budget;
use crate::plan;
use crate::probes::target;
use crate::report::model::PodFacts;
use crate::report::model::{FailurePolicy, Report};
use crate::run::CheckRun;
use crate::run::options::CheckOptions;
use sdk_chain::ChainContext;

/// How long it may take to ask the kernel whether a process lives.
const LOCAL: Duration = Duration::from_secs(1);

/// One attempt.
#[derive(Debug, Default)]
struct Attempt {
    run: CheckRun,
    facts: PodFacts,
    outlook: ChainContext,
}

/// All attempts of one run. Whoever drops [`Attempts::run`] half-way can still ask for the report.
#[derive(Debug)]
pub struct Attempts {
    started: (SystemTime, Instant),
    count: u32,
    ended: Option<Attempt>,
    current: Option<Attempt>,
}

impl Attempts {
    /// None yet.
    #[must_use]
    pub fn new(pod: &Pod) -> Self {
        Self { started: (pod.now(), Instant::now()), count: 0, ended: None, current: None }
    }

    /// Runs the plan until it passes, fails for good, or the budget is spent; or `once`.
    pub async fn run(
        &mut self,
        pod: &Pod,
        wanted: &CheckOptions,
        budget: &Budget,
        wait_for_access: bool,
        once: bool,
    ) {
        let application = Application::of(pod, wanted);
        let application = application.as_ref();
        loop {
            self.count += 1;
            let attempt = self.current.insert(Attempt::default());
            let (run, facts) = (&mut attempt.run, &mut attempt.facts);
            attempt.outlook = plan::check(pod, wanted, None, application, *budget, run, facts).await;
            let ended = self.current.take();
            // The process that was looked through may be gone, and its files with it; and an attempt that the
            // deadline cut short may blame whatever it was just waiting for. Unless such a one got the role,
            // what the one before it found stands.
            let gone = target::still(pod, Instant::now() + LOCAL).await.err();
            let is_sound = gone.is_none() && (self.ended.is_none() || !budget.is_spent());
            if is_sound || ended.as_ref().is_some_and(|ended| !ended.run.role_fails()) {
                self.ended = ended;
            }
            let is_last = gone.is_some() || once;
            if let (Some(gone), None) = (gone, &self.ended) {
                self.end(gone);
            }
            let worth = self.ended.as_ref().is_some_and(|ended| ended.run.is_worth_another(wait_for_access));
            let Some(pause) = budget.pause(self.count).filter(|_| worth && !is_last) else {
                if let Some(Attempt { run, outlook, .. }) = &mut self.ended {
                    plan::hidden(pod, outlook, &mut NodeRoleProbe::new(wanted.network.dns_server), run).await;
                }
                return;
            };
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            tracing::info!(attempts = self.count, pause_ms, "trying again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Ends them before the first, where there is nothing to check.
    pub fn end(&mut self, diagnosis: Diagnosis) {
        let mut ended = Attempt::default();
        plan::nothing(diagnosis, &mut ended.run);
        self.ended = Some(ended);
    }

    /// What is known: the last attempt that ended, else the one that was interrupted.
    #[must_use]
    pub fn into_report(
        self,
        pod: &Pod,
        container: Option<String>,
        leniency: FailurePolicy,
        interrupted: bool,
    ) -> Report {
        let known = self.ended.or(self.current).unwrap_or_default();
        Report {
            started: self.started.0,
            took: self.started.1.elapsed(),
            attempts: self.count,
            interrupted,
            container,
            who: pod.own_user(),
            target: pod.target().cloned(),
            another_network: pod.has_another_network(),
            facts: known.facts,
            steps: known.run.into_steps(),
            leniency,
            audit: None,
        }
    }
}
