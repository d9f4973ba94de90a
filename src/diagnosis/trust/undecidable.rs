//! The policy alone does not decide the call.

use std::net::IpAddr;
use std::time::SystemTime;

use super::mismatch::TrustConditionUnmet;
use super::remedy::put_in_place;
use super::{MAX_NAMED, StatementId, call_evidence, element_evidence, words};
use crate::diagnosis::network::AddressKind;
use crate::diagnosis::{Diagnosis, Entry};
use crate::evidence::Evidence;
use crate::text::{format_utc, list, sanitize, shell_quote};
use iam_trust::document::Effect;
use iam_trust::evaluate::{ElementKind, ElementResult};
use iam_trust::request::{KeyValue, Request, is_time};

/// An element of a statement of which the evaluation cannot say whether it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenElement {
    pub(crate) statement: StatementId,
    /// What the statement does if it matches.
    pub(crate) effect: Effect,
    pub(crate) element: ElementResult,
}

impl OpenElement {
    pub(super) fn cause(&self) -> String {
        let place = self.statement.words();
        let what = words::element(&self.element.kind);
        let wanted = words::values(&self.element.expected);
        let does = match self.effect {
            Effect::Allow => "allows",
            Effect::Deny => "denies",
        };
        let why = match (&self.element.kind, &self.element.actual) {
            (ElementKind::Condition { .. }, KeyValue::Unknown(why)) => (*why).to_owned(),
            (ElementKind::Condition { .. }, _) if self.has_variable("${") => {
                "what its variables stand for is not known".to_owned()
            }
            (ElementKind::Condition { .. }, actual) => {
                format!(
                    "the call has {}, and what IAM makes of both is not documented",
                    words::actual(actual)
                )
            }
            (ElementKind::Principal | ElementKind::Action(_), _) => {
                "what IAM makes of that is not documented".to_owned()
            }
        };
        format!("{place} {does} the call if {what} ({wanted}) fits, and that is not known: {why}.")
    }

    /// Whether a value has a variable that begins with `start`, which is in lower case.
    fn has_variable(&self, start: &str) -> bool {
        self.element.expected.iter().any(|wanted| wanted.to_ascii_lowercase().contains(start))
    }

    /// The key whose value decides, in lower case: the session's name, if a variable stands for it.
    fn key(&self) -> Option<String> {
        let ElementKind::Condition { key, .. } = &self.element.kind else { return None };
        if self.has_variable("${sts:rolesessionname") {
            return Some("sts:rolesessionname".to_owned());
        }
        matches!(self.element.actual, KeyValue::Unknown(_)).then(|| key.to_ascii_lowercase())
    }
}

/// What STS said to the call, by a report of irsa-probe in the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StsAnswer {
    /// STS gave the role.
    Accepted,
    /// STS refused the role, and named no other policy than the trust policy.
    Refused {
        at: Option<SystemTime>,
        /// The address at which STS was reached, unless through a proxy.
        address: Option<IpAddr>,
    },
}

/// A policy that alone does not decide whether the call gets the role.
#[derive(Debug, Clone)]
pub struct OpenPolicy {
    pub(crate) request: Request,
    /// The open elements, in the order of the statements.
    pub(crate) open: Vec<OpenElement>,
    /// What STS said to the call, if a report says so.
    pub(crate) answer: Option<StsAnswer>,
}

impl OpenPolicy {
    /// The open elements with this effect, in a sentence.
    fn elements(&self, is_asked: impl Fn(Effect) -> bool) -> String {
        let those = self.open.iter().filter(|open| is_asked(open.effect));
        let mut named: Vec<String> = Vec::new();
        for open in those {
            let what = format!("{} in {}", words::element(&open.element.kind), open.statement.words());
            if !named.contains(&what) {
                named.push(what);
            }
        }
        list(&named, MAX_NAMED)
    }

    pub(super) fn cause(&self) -> String {
        let all = self.elements(|_| true);
        let known = match &self.answer {
            None => "The policy alone does not decide it.".to_owned(),
            Some(StsAnswer::Accepted) => {
                "STS gave the role to the call of the report. The policy alone does not decide the next one."
                    .to_owned()
            }
            Some(StsAnswer::Refused { at, .. }) => format!(
                "STS refused this call{}, and everything else in the policy allows it. So only {all} can be why.",
                at.map(|at| format!(" at {}", format_utc(at))).unwrap_or_default()
            ),
        };
        let causes: Vec<String> = self.open.iter().take(MAX_NAMED).map(OpenElement::cause).collect();
        let more = self.open.len().saturating_sub(MAX_NAMED);
        let more = if more > 0 { format!(" {more} more are open.") } else { String::new() };
        let route = self.route().map(|route| format!(" {route}")).unwrap_or_default();
        format!("{known} {}{more}{route}", causes.join(" "))
    }

    /// What the way to STS says about the first key that depends on it.
    ///
    /// Source: "aws:SourceVpce" and "aws:SourceIp" in "AWS global condition context keys" of the IAM User Guide: the
    /// former is in a request only if it goes through a VPC endpoint, and the latter only if it does not.
    fn route(&self) -> Option<String> {
        let key = self.open.iter().filter_map(OpenElement::key).find(|key| is_of_network(key))?;
        let endpoint = if key == SOURCE_IP {
            "A call through a VPC endpoint does not have aws:SourceIp."
        } else {
            "A call has this key only if it goes through a VPC endpoint for STS in the pod's VPC."
        };
        let seen = match &self.answer {
            Some(StsAnswer::Refused { address: Some(address), .. }) => match AddressKind::of(*address) {
                AddressKind::Private => format!(
                    " The pod called STS at {address}, a private address, so most likely through a VPC endpoint."
                ),
                AddressKind::Public => {
                    format!(
                        " The pod called STS at {address}, a public address, so not through a VPC endpoint."
                    )
                }
                AddressKind::Local => String::new(),
            },
            _ => String::new(),
        };
        Some(format!("{endpoint}{seen}"))
    }

    /// The steps that find the missing facts of the call.
    fn lookups(&self) -> Vec<String> {
        let keys: Vec<String> = self.open.iter().filter_map(OpenElement::key).collect();
        let is_reported = |key: &String| key == "sts:rolesessionname" || is_time(key);
        let report = (keys.iter().any(is_reported) && self.answer.is_none()).then(|| {
            "Give this audit the report of irsa-probe in the pod. It has the session's name, and the time of the call:\n\
             kubectl -n NAMESPACE logs POD -c CONTAINER | irsa-probe audit"
                .to_owned()
        });
        let region = self.request.extra_keys.get("aws:requestedregion").and_then(|regions| regions.first());
        let region = region.map(|region| format!(" --region {}", shell_quote(region))).unwrap_or_default();
        let is_endpoint = |key: &String| is_of_network(key) && key != SOURCE_IP;
        let trail = keys.iter().any(|key| is_of_network(key)).then(|| {
            let endpoint = match keys.iter().any(is_endpoint) {
                true => " If vpcEndpointId is missing, let the pod call STS through the VPC endpoint.",
                false => "",
            };
            format!(
                "Check sourceIPAddress and vpcEndpointId of the call in CloudTrail, in account {}.{endpoint}\n\
                 aws cloudtrail lookup-events{region} --lookup-attributes \
                 AttributeKey=EventName,AttributeValue=AssumeRoleWithWebIdentity",
                self.request.role.account
            )
        });
        report.into_iter().chain(trail).collect()
    }

    pub(super) fn remedy(&self) -> Vec<String> {
        let denying = self.elements(|effect| effect == Effect::Deny);
        let change = match denying.as_str() {
            "" => format!(
                "Ask the author of {} which callers it keeps out. If this pod is not one of them, add a statement for \
                 the pod without it.",
                self.elements(|effect| effect == Effect::Allow)
            ),
            denying => format!(
                "Ask the author of {denying} whether it denies this pod on purpose. If it does not, let it except {}. \
                 No statement that allows undoes a denial.",
                sanitize(&self.request.subject)
            ),
        };
        let mut steps = self.lookups();
        steps.push(put_in_place(&self.request.role, &change));
        steps
    }

    pub(super) fn evidence(&self) -> Evidence {
        let evidence = self
            .open
            .first()
            .map_or_else(Evidence::new, |open| element_evidence(&open.statement, &open.element));
        let others: Vec<String> =
            self.open.iter().skip(1).map(|open| words::element(&open.element.kind)).collect();
        let answer = self.answer.as_ref().map(|answer| match answer {
            StsAnswer::Accepted => "accepted",
            StsAnswer::Refused { .. } => "refused",
        });
        evidence
            .texts_if_any("also", &others)
            .value_if("sts_answer", answer)
            .merge(call_evidence(&self.request))
    }
}

const SOURCE_IP: &str = "aws:sourceip";

/// Whether a key, in lower case, says which way a call came.
fn is_of_network(key: &str) -> bool {
    ["aws:sourceip", "aws:sourcevpc", "aws:vpc"].iter().any(|start| key.starts_with(start))
}

wordings! { OpenPolicy:
    /// The policy alone does not decide whether the call gets the role.
    TrustUndecidable;
    |open| open.cause();
    |open| open.remedy();
}

impl From<OpenPolicy> for Diagnosis {
    /// A refusal that STS reported, and that only conditions explain, is no open question any more.
    fn from(open: OpenPolicy) -> Self {
        let is_condition = |open: &OpenElement| matches!(open.element.kind, ElementKind::Condition { .. });
        match open.answer {
            Some(StsAnswer::Refused { .. }) if open.open.iter().all(is_condition) => {
                TrustConditionUnmet::Reported(Box::new(open)).into()
            }
            _ => TrustUndecidable(open).into(),
        }
    }
}
