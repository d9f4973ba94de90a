//! Judges a refusal that the report tells of, where the role's trust policy and its OIDC provider allow the
//! call: what else there is.

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use super::iam::PROVIDER;
use super::policy::RoleSaid;
use super::provider::{OIDC_PROVIDER, Provision};
use super::report::{Refused, Reported};
use crate::diagnosis::audit::{AuditIncomplete, Clue, Layer, NotSeen, RefusedOutsideTrust};
use crate::evidence::Evidence;
use crate::run::{Have, Observed, Verdict};
use crate::trust_policy::request::Request;

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
    account: String,
}

impl Observed for Accepted {
    fn evidence(&self) -> Evidence {
        Evidence::new().text("account", &self.account)
    }
}

/// What was seen, all of which allows the call.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The role.
    pub role: &'a RoleSaid,
    /// The provider, if it was looked at.
    pub provider: Option<&'a Provision>,
    /// Whether the policy was handed in as a file.
    pub is_of_file: bool,
    /// Whether it was looked at whether the issuer publishes the token's key.
    pub key_was_seen: bool,
}

/// What a report says of STS's answer; nothing, if that has nothing to do with what was looked at. Where what
/// was seen does not allow the call, the refusal is explained.
#[must_use]
pub fn judge(request: &Request, report: &Reported, seen: Have<Seen<'_>>) -> Option<Have<Verdict<Accepted>>> {
    let Some(refusal) = &report.refusal else {
        // Only who has an identity was accepted.
        let account = report.account.clone()?;
        return Some(Ok(Verdict::Pass(Accepted { account })));
    };
    let kind = Kind::of(refusal);
    if kind == Kind::Other {
        return None;
    }
    Some(seen.map(|seen| match (kind, unknown(seen.provider)) {
        (Kind::Token, Some(why)) => {
            Verdict::fail(AuditIncomplete { what: PROVIDER, role: request.role.clone(), why })
        }
        (_, unknown) => Verdict::fail(RefusedOutsideTrust {
            request: request.clone(),
            code: refusal.code.clone(),
            message: refusal.message.clone(),
            request_id: refusal.request_id.clone(),
            at: refusal.at,
            region: report.region.clone(),
            provider_was_seen: unknown.is_none(),
            clues: clues(kind, refusal, report, &seen),
        }),
    }))
}

/// Why the provider is not known, if it is not.
fn unknown(provider: Option<&Provision>) -> Option<NotSeen> {
    match provider {
        None => Some(NotSeen::NotGiven(OIDC_PROVIDER)),
        Some(Provision(Err(unknown))) => Some(NotSeen::Untold(unknown.clone())),
        Some(Provision(Ok(_))) => None,
    }
}

fn clues(kind: Kind, refusal: &Refused, report: &Reported, seen: &Seen<'_>) -> Vec<Clue> {
    let provider = seen.provider.and_then(|Provision(provided)| provided.as_ref().ok()?.created);
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
        after(seen.role.created_at).map(Clue::RoleNewer),
        after(provider).map(Clue::ProviderNewer),
        after(seen.role.last_used).map(Clue::UsedSince),
        layer.map(Clue::Named),
        address,
        seen.is_of_file.then_some(Clue::OfFile),
        (kind == Kind::Token && !seen.key_was_seen).then_some(Clue::KeyNotSeen),
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
