//! A failure of the role is not hidden: which SDKs would go on with the node's role, and whether they
//! would get it.
//!
//! IMDS is asked only here, after a failure that some SDK would hide: on a healthy start a call to it
//! would alarm who watches for that.

use std::net::SocketAddr;

use crate::checks::sdk_outcome;
use crate::diagnosis::sources::{FallsToNodeRole, NodeRoleReachable};
use crate::diagnosis::{Class, Diagnosis, Name};
use crate::host::Pod;
use crate::probes::imds::{self, NodeRole};
use crate::run::check::Check;
use sdk_chain::situation::{ChainInput, TokenExchange};
use sdk_chain::{self, ChainContext, CredentialSource, Resolution};

/// Whom to ask for the node's role, and what it said when it was last asked. It is asked once, however
/// long a failure lasts.
#[derive(Debug, Clone, Default)]
pub struct NodeRoleProbe {
    dns_server: Option<SocketAddr>,
    said: Option<NodeRole>,
}

impl NodeRoleProbe {
    /// One that was not asked yet.
    #[must_use]
    pub fn new(dns_server: Option<SocketAddr>) -> Self {
        Self { dns_server, said: None }
    }

    /// What it says, asked now or before.
    pub async fn node_role(&mut self, pod: &Pod) -> NodeRole {
        match &self.said {
            Some(said) => said.clone(),
            None => {
                let said = imds::node_role(pod, self.dns_server).await;
                self.said.insert(said).clone()
            }
        }
    }
}

/// The SDKs that would take the node's role, and those that would stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRoleFallback {
    takes: Vec<&'static str>,
    stops: Vec<&'static str>,
    /// Why they do, although the role works.
    although: Option<String>,
}

impl NodeRoleFallback {
    /// Those that hide that a check of the pod's role failed; `None` if no SDK does, or if that check
    /// says nothing of what an SDK meets.
    #[must_use]
    pub fn failure(outlook: &ChainContext, check: Check, failure: &Diagnosis) -> Option<Self> {
        let trade = met_by_sdks(check, failure)?;
        let mut outlook = outlook.clone();
        if let Some(pair) = outlook.input.injected_role_and_token() {
            outlook.input.exchanges.insert(pair, trade);
        }
        let answers = outlook.likely_resolutions();
        let takes = sdk_chain::names_of(&answers, &[CredentialSource::NodeRole]);
        let stops = sdk_chain::names_of(&answers, CredentialSource::FAILURES);
        (!takes.is_empty()).then_some(Self { takes, stops, although: None })
    }

    /// Those that cannot use a role that works, and go on to the node's.
    #[must_use]
    pub fn lack(situation: &ChainInput) -> Option<Self> {
        let answers = situation.limitations.keys().map(|sdk| sdk_chain::resolve(*sdk, situation));
        let answers: Vec<Resolution> =
            answers.filter(|answer| answer.source == CredentialSource::NodeRole).collect();
        let because = answers.first()?.reason.clone();
        let takes = sdk_chain::names_of(&answers, &[CredentialSource::NodeRole]);
        Some(Self { takes, stops: Vec::new(), although: Some(because) })
    }

    /// What there is to say, if they get the role.
    #[must_use]
    pub fn judge(self, node_role: NodeRole) -> Vec<Diagnosis> {
        let Self { takes, stops, although } = self;
        match node_role {
            NodeRole::Reachable { role, endpoint, only_v1 } => vec![
                FallsToNodeRole { takes, stops, role: Some(role.clone()), unreachable: None, although }
                    .into(),
                NodeRoleReachable { role, endpoint, only_v1 }.into(),
            ],
            // Who falls to nothing fails, and hides nothing.
            NodeRole::None { .. } | NodeRole::Unreachable(_) => Vec::new(),
        }
    }
}

/// What an SDK meets at STS where this check of the pod's role failed; `None` if that is not known, or if
/// the role is given to it all the same.
fn met_by_sdks(check: Check, failure: &Diagnosis) -> Option<TokenExchange> {
    let name = failure.name();
    match (check, name) {
        (_, Name::RoleArnUnexpected | Name::TokenAudienceUnexpected | Name::TrustRootsMissing) => None,
        _ if name.class() == Class::NotJudged => None,
        (Check::CallerIdentity | Check::CredentialSources | Check::ApplicationSdk, _) => None,
        (Check::StsEndpoint, Name::PartitionMismatch) => {
            Some(TokenExchange::Refused(name.as_str().to_owned()))
        }
        (Check::StsEndpoint, Name::EndpointMalformed) | (Check::StsReachable, _) => {
            Some(sdk_outcome::unreachable(failure))
        }
        // Whether an SDK needs a region is among its own rules.
        (Check::StsEndpoint, _) => Some(TokenExchange::NotTried),
        _ => Some(sdk_outcome::outcome(failure)),
    }
}

#[cfg(test)]
mod tests {
    use super::{ChainContext, Check, Diagnosis, NodeRole, NodeRoleFallback};
    use crate::diagnosis::endpoint::RegionMissing;
    use crate::diagnosis::identity::RoleArnUnexpected;
    use crate::diagnosis::network::{ConnectPhase, StsConnectionLost};
    use crate::diagnosis::tls::TrustRootsMissing;
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
        NodeRoleFallback::failure(
            &ChainContext { input: situation, application: ApplicationSdks::Unknown },
            check,
            &failure.into(),
        )
    }

    fn lost(variables: &[(&str, &str)]) -> Option<NodeRoleFallback> {
        let lost =
            StsConnectionLost { host: String::new(), phase: ConnectPhase::Reply, error: String::new() };
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
