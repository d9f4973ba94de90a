//! What one pass through the plan records, and what later passes need not find out again.

use crate::checks::application_sdk::Application;
use crate::checks::caller_identity::CallerIdentity;
use crate::checks::node_role::{NodeRoleFindings, NodeRoleProbe};
use crate::diagnosis::Diagnosis;
use crate::host::Pod;
use crate::report::facts::PodFacts;
use crate::report::model::{Circumstances, Report};
use crate::run::CheckRun;
use crate::run::check::RunKind;
use crate::run::identity::Identity;
use crate::run::options::CheckOptions;
use crate::sdk_scan::Scan;
use sdk_chain::ChainContext;

/// One pass through the plan. An interrupted pass still has a report, of what it recorded until then.
#[derive(Debug)]
pub(crate) struct Pass {
    /// How the pod gets its role.
    pub(crate) identity: Identity,
    pub(crate) run: CheckRun,
    /// What they learned about the pod.
    pub(crate) facts: PodFacts,
    /// What SDKs find in the pod.
    pub(crate) chain: ChainContext,
    pub(crate) node_role: NodeRoleFindings,
}

impl Pass {
    pub(crate) fn new(pod: &Pod, options: &CheckOptions, memory: Option<&Memory>) -> Self {
        let identity = Identity::of(pod, options);
        let has_application = memory.is_some_and(|memory| memory.application.is_some());
        let of_application = RunKind::Application.checks().filter(|_| has_application);
        let run = CheckRun::of(identity.checks().chain(of_application));
        Self::of(identity, run, PodFacts::default())
    }

    /// A pass that never begins, because of this diagnosis.
    pub(crate) fn failed(pod: &Pod, options: &CheckOptions, diagnosis: Diagnosis) -> Self {
        let pass = Self::new(pod, options, None);
        pass.run.fail_all(pass.identity.first_check(), diagnosis);
        pass
    }

    /// A pass for what can be judged without STS. What STS said, and the checks that are not made again,
    /// are those of the last report.
    pub(crate) fn after(pod: &Pod, options: &CheckOptions, last: &Report) -> Self {
        let PodFacts { sts, credentials_call, caller, .. } = last.facts.clone();
        let facts = PodFacts { sts, credentials_call, caller, ..PodFacts::default() };
        Self::of(Identity::of(pod, options), CheckRun::after(&last.checks), facts)
    }

    fn of(identity: Identity, run: CheckRun, facts: PodFacts) -> Self {
        Self { identity, run, facts, chain: ChainContext::default(), node_role: NodeRoleFindings::default() }
    }

    pub(crate) fn into_report(self, pod: &Pod, circumstances: Circumstances) -> Report {
        Report::new(pod, circumstances, self.facts, self.node_role.join(self.run.into_results()))
    }
}

/// What later passes need not find out again.
#[derive(Debug)]
pub(crate) struct Memory {
    /// The application, whose files are searched once.
    pub(super) application: Option<Application>,
    /// The node's role, which is asked for once while a failure lasts.
    pub(super) node_role: NodeRoleProbe,
    /// Whose credentials STS gave. While the session is of the same role, this is not asked again.
    pub(super) caller: Option<CallerIdentity>,
}

impl Memory {
    /// Before the first pass.
    pub(crate) fn new(pod: &Pod, options: &CheckOptions) -> Self {
        Self {
            application: Application::of(pod, options),
            node_role: NodeRoleProbe::new(options.network.dns_server),
            caller: None,
        }
    }

    /// What the search of the application's files found, if they were searched.
    pub(super) fn into_scan(self) -> Option<Scan> {
        self.application.and_then(Application::into_scan)
    }
}
