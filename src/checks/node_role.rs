//! Which SDKs would go on with the node's role, and whether they would get it.
//!
//! This is no check of its own: what it finds is added to `credential-sources`. IMDS is asked only after
//! a failure that some SDK would hide, because security tools watch for calls to it.

use std::net::SocketAddr;

use crate::checks::sdk_outcome;
use crate::diagnosis::sources::{FallsToNodeRole, NodeRoleReachable};
use crate::diagnosis::{Class, Diagnosis, Name};
use crate::host::Pod;
use crate::probes::imds::{self, NodeRole};
use crate::run::check::Check;
use crate::run::identity::Identity;
use crate::run::{CheckOutcome, CheckResult, CheckRun};
use sdk_chain::situation::{ChainInput, TokenExchange};
use sdk_chain::{self, ChainContext, CredentialSource, Resolution};

/// IMDS, and its last answer. However long a failure lasts, IMDS is asked once.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeRoleProbe {
    dns_server: Option<SocketAddr>,
    answer: Option<NodeRole>,
}

impl NodeRoleProbe {
    /// An IMDS that was not asked yet.
    pub(crate) fn new(dns_server: Option<SocketAddr>) -> Self {
        Self { dns_server, answer: None }
    }

    /// The answer, now or before.
    pub(crate) async fn node_role(&mut self, pod: &Pod) -> NodeRole {
        match &self.answer {
            Some(answer) => answer.clone(),
            None => {
                let answer = imds::ask_node_role(pod, self.dns_server).await;
                self.answer.insert(answer).clone()
            }
        }
    }

    /// Forgets the answer: the failure is over.
    pub(crate) fn forget(&mut self) {
        self.answer = None;
    }
}

/// Why the answer of IMDS matters after a run.
#[derive(Debug, Clone)]
pub(crate) enum NodeRoleQuestion {
    /// SDKs would go on to the node's role.
    Fallback(NodeRoleFallback),
    /// `credential-sources` failed because of the node's role; the role is not known yet.
    Role(Box<FallsToNodeRole>),
}

/// What the answer of IMDS adds to `credential-sources`.
#[derive(Debug, Default)]
pub(crate) enum NodeRoleFindings {
    #[default]
    None,
    Warnings(Vec<Diagnosis>),
    Failure(Diagnosis),
}

impl NodeRoleQuestion {
    /// The question that a run leaves, if it leaves one.
    pub(crate) fn after(run: &CheckRun, identity: &Identity, chain: &ChainContext) -> Option<Self> {
        let sources = run.first_failure(|check| check == Check::CredentialSources);
        if let Some((_, Diagnosis::FallsToNodeRole(falls))) = sources {
            return Some(Self::Role(falls));
        }
        if !run.passes(Check::CredentialSources) {
            return None;
        }
        let fallback = match run.first_failure(|check| !check.is_of_application()) {
            Some((check, failure)) => NodeRoleFallback::of_failure(identity, chain, check, &failure),
            None => run
                .first_failure(|check| check == Check::ApplicationSdk)
                .and_then(|_| NodeRoleFallback::of_limitations(&chain.input)),
        };
        fallback.map(Self::Fallback)
    }

    /// What the answer of IMDS means.
    pub(crate) fn judge(self, answer: NodeRole) -> NodeRoleFindings {
        match self {
            Self::Fallback(fallback) => match fallback.judge(answer) {
                warnings if warnings.is_empty() => NodeRoleFindings::None,
                warnings => NodeRoleFindings::Warnings(warnings),
            },
            Self::Role(mut falls) => {
                match answer {
                    NodeRole::Reachable { role, .. } => falls.node_role = Some(role),
                    NodeRole::None { .. } => falls.imds_error = Some("the node has no role".to_owned()),
                    NodeRole::Unreachable(why) => falls.imds_error = Some(why),
                }
                NodeRoleFindings::Failure((*falls).into())
            }
        }
    }
}

impl NodeRoleFindings {
    /// The results of a run, with these findings in that of `credential-sources`.
    pub(crate) fn join(mut self, results: Vec<CheckResult>) -> Vec<CheckResult> {
        let join = |result: CheckResult| match result.check {
            Check::CredentialSources => std::mem::take(&mut self).join_sources(result),
            _ => result,
        };
        results.into_iter().map(join).collect()
    }

    fn join_sources(self, sources: CheckResult) -> CheckResult {
        let outcome = match (self, sources.outcome) {
            (Self::Failure(diagnosis), CheckOutcome::Fail(_)) => CheckOutcome::Fail(diagnosis),
            (Self::Warnings(more), CheckOutcome::Pass) => CheckOutcome::Warn(more),
            (Self::Warnings(more), CheckOutcome::Warn(mut warnings)) => {
                warnings.extend(more);
                CheckOutcome::Warn(warnings)
            }
            (_, outcome) => outcome,
        };
        CheckResult { outcome, ..sources }
    }
}

/// The SDKs that would take the node's role, and those that would stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeRoleFallback {
    takes: Vec<&'static str>,
    stops: Vec<&'static str>,
    /// Why they take it, although the pod's role works.
    although: Option<String>,
}

impl NodeRoleFallback {
    /// The SDKs that hide this failure of the pod's role; `None` if no SDK does, or if SDKs do not meet
    /// the failure.
    fn of_failure(
        identity: &Identity,
        chain: &ChainContext,
        check: Check,
        failure: &Diagnosis,
    ) -> Option<Self> {
        let input = identity.ends_in(&chain.input, exchange_of_failure(check, failure)?);
        let answers = ChainContext { input, application: chain.application.clone() }.likely_resolutions();
        let takes = sdk_chain::names_of(&answers, &[CredentialSource::NodeRole]);
        let stops = sdk_chain::names_of(&answers, CredentialSource::FAILURES);
        (!takes.is_empty()).then_some(Self { takes, stops, although: None })
    }

    /// The SDKs that cannot use a role that works, and go on to the node's.
    fn of_limitations(input: &ChainInput) -> Option<Self> {
        let answers = input.limitations.keys().map(|sdk| sdk_chain::resolve(*sdk, input));
        let answers: Vec<Resolution> =
            answers.filter(|answer| answer.source == CredentialSource::NodeRole).collect();
        let because = answers.first()?.reason.clone();
        let takes = sdk_chain::names_of(&answers, &[CredentialSource::NodeRole]);
        Some(Self { takes, stops: Vec::new(), although: Some(because) })
    }

    fn judge(self, answer: NodeRole) -> Vec<Diagnosis> {
        let Self { takes, stops, although } = self;
        match answer {
            NodeRole::Reachable { role, endpoint, only_v1 } => vec![
                FallsToNodeRole {
                    falling: takes,
                    stopped: stops,
                    node_role: Some(role.clone()),
                    imds_error: None,
                    application_reason: although,
                }
                .into(),
                NodeRoleReachable { node_role: role, endpoint, only_v1 }.into(),
            ],
            // SDKs that find no node role fail visibly.
            NodeRole::None { .. } | NodeRole::Unreachable(_) => Vec::new(),
        }
    }
}

/// What an SDK meets at STS where this check of the pod's role failed; `None` if that is not known, or if
/// the role is given to it all the same.
fn exchange_of_failure(check: Check, failure: &Diagnosis) -> Option<TokenExchange> {
    let name = failure.name();
    match (check, name) {
        (_, Name::RoleArnUnexpected | Name::TokenAudienceUnexpected | Name::TrustRootsMissing) => None,
        _ if name.class() == Class::NotJudged => None,
        (Check::CallerIdentity | Check::CredentialSources | Check::ApplicationSdk, _) => None,
        (Check::StsEndpoint, Name::PartitionMismatch) => {
            Some(TokenExchange::Refused(name.as_str().to_owned()))
        }
        (Check::StsEndpoint, Name::EndpointMalformed) | (Check::StsReachable, _) => {
            Some(sdk_outcome::exchange_without_sts(failure))
        }
        // Whether an SDK needs a region is among its own rules.
        (Check::StsEndpoint, _) => Some(TokenExchange::NotTried),
        _ => Some(sdk_outcome::exchange_after_refusal(failure)),
    }
}

#[cfg(test)]
mod tests {
    use super::{ChainContext, Check, Diagnosis, NodeRole, NodeRoleFallback};
    use crate::aws::setting::SettingSource;
    use crate::diagnosis::endpoint::RegionMissing;
    use crate::diagnosis::endpoint::StsServer;
    use crate::diagnosis::identity::RoleArnUnexpected;
    use crate::diagnosis::network::{ConnectPhase, StsConnectionLost};
    use crate::diagnosis::tls::TrustRootsMissing;
    use crate::run::identity::{Identity, WebIdentitySettings};
    use sdk_chain::ApplicationSdks;
    use sdk_chain::situation::{ChainInput, TokenFile};

    fn pod(
        variables: &[(&str, &str)],
        check: Check,
        failure: impl Into<Diagnosis>,
    ) -> Option<NodeRoleFallback> {
        let mut situation = ChainInput::default();
        for (name, value) in variables {
            situation.set_variable(name, value);
        }
        let readable = TokenFile::Readable { length: 1200, line_break: false };
        situation.tokens.insert("/token".to_owned(), readable);
        let identity = Identity::Irsa(WebIdentitySettings::default());
        let chain = ChainContext { input: situation, application: ApplicationSdks::Unknown };
        NodeRoleFallback::of_failure(&identity, &chain, check, &failure.into())
    }

    fn lost(variables: &[(&str, &str)]) -> Option<NodeRoleFallback> {
        let region = ("eu-west-1".to_owned(), SettingSource::Variable("AWS_REGION"));
        let server = StsServer { host: String::new(), url: None, region };
        let lost = StsConnectionLost { server, phase: ConnectPhase::Reply, error: String::new() };
        pod(variables, Check::AssumeRole, lost)
    }

    const IDENTITY: [(&str, &str); 3] = [
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/a"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ("AWS_REGION", "eu-west-1"),
    ];

    #[test]
    fn java_goes_on_and_python_stops() {
        let hides = lost(&IDENTITY).unwrap();
        assert!(hides.takes.contains(&"Java v2") && hides.stops.contains(&"Python (boto3)"), "{hides:?}");
        let disabled = [IDENTITY.as_slice(), &[("AWS_EC2_METADATA_DISABLED", "true")]].concat();
        assert_eq!(lost(&disabled), None);
        let bare = lost(&[]).unwrap();
        assert!(bare.takes.contains(&"Python (boto3)"), "without an identity everybody asks IMDS");
    }

    #[test]
    fn a_failure_that_no_sdk_meets_hides_nothing() {
        let unexpected = || RoleArnUnexpected { found: String::new(), expected: String::new() };
        assert_eq!(pod(&IDENTITY, Check::RoleArn, unexpected()), None);
        assert_eq!(pod(&IDENTITY, Check::StsReachable, TrustRootsMissing { tried: Vec::new() }), None);
        let hides = pod(&IDENTITY[..2], Check::StsEndpoint, RegionMissing { of_issuer: None }).unwrap();
        assert!(!hides.takes.contains(&"Java v2") && hides.takes.contains(&"Java v1"), "{hides:?}");
    }

    #[test]
    fn nothing_is_hidden_where_imds_does_not_answer() {
        let names = |node_role| {
            let found = lost(&IDENTITY).unwrap().judge(node_role);
            found.iter().map(|found| found.name().as_str()).collect::<Vec<_>>()
        };
        let endpoint = || "http://169.254.169.254".to_owned();
        let reachable = NodeRole::Reachable { role: "node".to_owned(), endpoint: endpoint(), only_v1: false };
        assert_eq!(names(reachable), ["FallsToNodeRole", "NodeRoleReachable"]);
        assert_eq!(names(NodeRole::None { endpoint: endpoint() }), [""; 0]);
        assert_eq!(names(NodeRole::Unreachable("it does not answer".to_owned())), [""; 0]);
    }
}
