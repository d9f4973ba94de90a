//! Judges a refusal that the report tells of, where the role's trust policy and its OIDC provider allow the
//! call: what else there is.

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use super::report::{Refused, Reported};
use crate::aws::arn::RoleArn;
use crate::diagnosis::audit::{AuditIncomplete, Clue, Layer, NotSeen, RefusedOutsideTrust};
use crate::evidence::Evidence;
use crate::run::{Observed, Verdict};
use crate::trust_policy::request::Request;

/// What the OIDC provider is called where it is not known.
pub const PROVIDER: &str = "the OIDC provider for the token's issuer";

/// What of a report's refusal is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// IAM refused the role: its trust policy, or another policy.
    Access,
    /// IAM refused the token: its provider, or its key.
    Token,
    /// Something else, that no policy and no provider explains.
    Other,
}

impl Kind {
    /// Of which kind a refusal is.
    #[must_use]
    pub fn of(refusal: &Refused) -> Self {
        match refusal.code.as_str() {
            "AccessDenied" | "AccessDeniedException" => Self::Access,
            "InvalidIdentityToken" | "InvalidIdentityTokenException" => Self::Token,
            _ => Self::Other,
        }
    }
}

/// STS accepted the identity, by the report.
#[derive(Debug, Clone)]
pub struct Accepted {
    account: Option<String>,
}

impl Observed for Accepted {
    fn evidence(&self) -> Evidence {
        Evidence::new().text_if("account", self.account.as_deref())
    }
}

/// What else is known, that speaks for a cause.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// When the role was made.
    pub role_created: Option<SystemTime>,
    /// When the role was last used.
    pub role_used: Option<SystemTime>,
    /// When the provider was made.
    pub provider_created: Option<SystemTime>,
    /// Whether the policy was handed in as a file.
    pub is_of_file: bool,
    /// Why the provider is not known, if it is not.
    pub provider_unknown: Option<NotSeen>,
    /// Whether it was looked at whether the issuer publishes the token's key.
    pub key_was_seen: bool,
}

/// What a report says of STS's answer, where the policy and, as far as it is known, the provider allow.
/// Nothing, if it says nothing of that kind.
#[must_use]
pub fn judge(
    role: &RoleArn,
    request: &Request,
    report: &Reported,
    known: &Known,
) -> Option<Verdict<Accepted>> {
    let Some(refusal) = &report.refusal else {
        // Only who has an identity was accepted.
        let account = report.account.clone()?;
        return Some(Verdict::Pass(Accepted { account: Some(account) }));
    };
    match (Kind::of(refusal), &known.provider_unknown) {
        (Kind::Other, _) => None,
        (Kind::Token, Some(why)) => Some(Verdict::fail(AuditIncomplete {
            what: PROVIDER,
            role: role.clone(),
            why: why.clone(),
        })),
        (kind, _) => Some(Verdict::fail(RefusedOutsideTrust {
            request: request.clone(),
            code: refusal.code.clone(),
            message: refusal.message.clone(),
            request_id: refusal.request_id.clone(),
            at: refusal.at,
            region: report.region.clone(),
            clues: clues(kind, refusal, report, known),
        })),
    }
}

fn clues(kind: Kind, refusal: &Refused, report: &Reported, known: &Known) -> Vec<Clue> {
    let after = |time: Option<SystemTime>| time.filter(|time| refusal.at.is_some_and(|at| *time > at));
    let words = refusal.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    let layer = if words.contains("vpc endpoint policy") {
        Some(Layer::VpcEndpoint)
    } else if words.contains("service control policy") || words.contains("resource control policy") {
        Some(Layer::Organization)
    } else {
        None
    };
    let address = report.connected_to.as_deref().filter(|_| kind == Kind::Access);
    let address = address.and_then(private_address).map(|address| Clue::PrivateAddress(address.to_string()));
    [
        after(known.role_created).map(Clue::RoleNewer),
        after(known.provider_created).map(Clue::ProviderNewer),
        after(known.role_used).map(Clue::UsedSince),
        layer.map(Clue::Named),
        address,
        known.is_of_file.then_some(Clue::OfFile),
        (kind == Kind::Token && !known.key_was_seen).then_some(Clue::KeyNotSeen),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The address, if it is one of a private network, as those of VPC endpoints are.
fn private_address(text: &str) -> Option<IpAddr> {
    let address = text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| text.parse()).ok()?;
    let is_private = match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    };
    is_private.then_some(address)
}
