//! A failure of the role is not hidden: which SDKs would go on with the node's role, and whether they
//! would get it.
//!
//! IMDS is asked only here, after a failure that some SDK would hide: on a healthy start a call to it
//! would alarm who watches for that.

use crate::chain::imds::{self, NodeRole};
use crate::chain::situation::Situation;
use crate::chain::{self, Answer, Outlook, Picks, ask};
use crate::diagnosis::Diagnosis;
use crate::diagnosis::sources::{FallsToNodeRole, NodeRoleReachable};
use crate::pod::Pod;

/// What is hidden of a failure of the pod's role, if anything is.
pub async fn observe(pod: &Pod, outlook: Outlook, failure: &Diagnosis) -> Vec<Diagnosis> {
    ask(pod, hides(outlook, failure)).await
}

/// What is hidden where the role works, and the application's SDK cannot use it.
pub async fn observe_lack(pod: &Pod, outlook: &Outlook) -> Vec<Diagnosis> {
    ask(pod, hides_lack(&outlook.situation)).await
}

async fn ask(pod: &Pod, hides: Hides) -> Vec<Diagnosis> {
    if hides.takes.is_empty() {
        return Vec::new();
    }
    judge(hides, imds::node_role(pod).await)
}

/// The SDKs that would take the node's role, and those that would stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hides {
    takes: Vec<&'static str>,
    stops: Vec<&'static str>,
    /// Why they do, although the role works.
    although: Option<String>,
}

fn hides(mut outlook: Outlook, failure: &Diagnosis) -> Hides {
    if let Some(pair) = outlook.situation.own_pair() {
        outlook.situation.trades.insert(pair, ask::outcome(failure));
    }
    let answers = outlook.answers();
    Hides {
        takes: chain::names(&answers, &[Picks::NodeRole]),
        stops: chain::names(&answers, Picks::FAILURES),
        although: None,
    }
}

fn hides_lack(situation: &Situation) -> Hides {
    let answers: Vec<Answer> = situation.lacks.keys().map(|sdk| chain::answer(*sdk, situation)).collect();
    let takes = |answer: &&Answer| answer.picks == Picks::NodeRole;
    Hides {
        takes: chain::names(&answers, &[Picks::NodeRole]),
        stops: Vec::new(),
        although: answers.iter().find(takes).map(|answer| answer.because.clone()),
    }
}

fn judge(hides: Hides, node_role: NodeRole) -> Vec<Diagnosis> {
    let Hides { takes, stops, although } = hides;
    match node_role {
        NodeRole::Reachable { role, endpoint } => vec![
            FallsToNodeRole { takes, stops, role: Some(role.clone()), although }.into(),
            NodeRoleReachable { role, endpoint }.into(),
        ],
        // Who falls to nothing fails, and hides nothing.
        NodeRole::None { .. } | NodeRole::Unreachable(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Hides, NodeRole, Outlook, hides, judge};
    use crate::chain::Used;
    use crate::chain::situation::{Situation, TokenFile};
    use crate::diagnosis::tls::TrustRootsMissing;

    fn pod(variables: &[(&str, &str)]) -> Hides {
        let mut situation = Situation::default();
        for (name, value) in variables {
            situation.set(name, value);
        }
        let readable = TokenFile::Readable { length: 1200, line_break: false };
        situation.tokens.insert("/token".to_owned(), readable);
        hides(Outlook { situation, used: Used::Unknown }, &TrustRootsMissing { tried: Vec::new() }.into())
    }

    const IDENTITY: [(&str, &str); 3] = [
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/a"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ("AWS_REGION", "eu-west-1"),
    ];

    #[test]
    fn java_goes_on_and_python_stops() {
        let hides = pod(&IDENTITY);
        assert!(hides.takes.contains(&"Java v2") && hides.stops.contains(&"Python (boto3)"), "{hides:?}");
        let disabled = [IDENTITY.as_slice(), &[("AWS_EC2_METADATA_DISABLED", "true")]].concat();
        assert_eq!(pod(&disabled).takes, Vec::<&str>::new());
        assert!(pod(&[]).takes.contains(&"Python (boto3)"), "without an identity everybody asks IMDS");
    }

    #[test]
    fn nothing_is_hidden_where_imds_does_not_answer() {
        let names = |node_role| {
            let found = judge(pod(&IDENTITY), node_role);
            found.iter().map(|found| found.name().as_str()).collect::<Vec<_>>()
        };
        let endpoint = || "http://169.254.169.254".to_owned();
        let reachable = NodeRole::Reachable { role: "node".to_owned(), endpoint: endpoint() };
        assert_eq!(names(reachable), ["FallsToNodeRole", "NodeRoleReachable"]);
        assert_eq!(names(NodeRole::None { endpoint: endpoint() }), [""; 0]);
        assert_eq!(names(NodeRole::Unreachable("it does not answer".to_owned())), [""; 0]);
    }
}
