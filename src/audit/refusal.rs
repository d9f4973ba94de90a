//! Judges a refusal that the report tells of, where the role's trust policy and its OIDC provider allow the
//! call: what else there is.

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use super::iam::PROVIDER;
use super::inputs::policy::RoleSaid;
use super::inputs::report::{Refused, Reported};
use super::provider::{OIDC_PROVIDER, Provision};
use crate::diagnosis::audit::{About, AuditIncomplete, Clue, Layer, NotSeen, RefusedOutsideTrust};
use crate::evidence::Evidence;
use crate::evidence::Observed;
use crate::run::{Have, Verdict};
use iam_trust::request::Request;

/// What a report's refusal is about, by STS's code and words. Source of the words: those that STS was seen to
/// use, old and new, as in [`crate::checks::refusal`].
#[must_use]
pub fn about(refusal: &Refused) -> Option<About> {
    let words = refusal.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    match refusal.code.as_str() {
        "AccessDenied" | "AccessDeniedException" => Some(About::Access),
        "InvalidIdentityToken" | "InvalidIdentityTokenException" => {
            Some(if words.contains("no openidconnect provider found") {
                About::Provider
            } else if words.contains("incorrect token audience") {
                About::Audience
            } else if words.contains("thumbprint") {
                About::Thumbprint
            } else if words.contains("retrieve verification key") {
                About::Key
            } else {
                About::Token
            })
        }
        _ => None,
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
    let about = about(refusal)?;
    Some(seen.map(|seen| match (about, unseen(seen.provider)) {
        (About::Provider | About::Audience | About::Token, Some((what, why))) => {
            Verdict::fail(AuditIncomplete { what, role: request.role.clone(), why })
        }
        (_, unseen) => Verdict::fail(RefusedOutsideTrust {
            request: request.clone(),
            about,
            code: refusal.code.clone(),
            message: refusal.message.clone(),
            request_id: refusal.request_id.clone(),
            at: refusal.at,
            region: report.region.clone(),
            not_known: unseen.map(|(what, _)| what),
            clues: clues(about, refusal, report, &seen),
        }),
    }))
}

/// What is not known of the provider, and why.
fn unseen(provider: Option<&Provision>) -> Option<(&'static str, NotSeen)> {
    match provider {
        None => Some((PROVIDER, NotSeen::NotGiven(OIDC_PROVIDER))),
        Some(provision) => provision.unseen().map(|(what, why)| (what, why.clone())),
    }
}

fn clues(about: About, refusal: &Refused, report: &Reported, seen: &Seen<'_>) -> Vec<Clue> {
    let provided = seen.provider.and_then(Provision::provided);
    let after = |time: Option<SystemTime>| time.filter(|time| refusal.at.is_some_and(|at| *time > at));
    let words = refusal.message.as_deref().unwrap_or_default().to_ascii_lowercase();
    let layer = if words.contains("vpc endpoint policy") {
        Some(Layer::VpcEndpoint)
    } else if words.contains("service control policy") || words.contains("resource control policy") {
        Some(Layer::Organization)
    } else {
        None
    };
    let address = report.connected_to.as_deref().filter(|_| about == About::Access);
    let address = address.and_then(private_address).map(|address| Clue::PrivateAddress(address.to_string()));
    [
        after(seen.role.created_at).map(Clue::RoleNewer),
        after(provided.and_then(|provided| provided.created)).map(Clue::ProviderNewer),
        after(seen.role.last_used).map(Clue::UsedSince),
        layer.map(Clue::Named),
        address,
        seen.is_of_file.then_some(Clue::OfFile),
        provided.is_some_and(|provided| provided.arn.is_none()).then_some(Clue::OfSomeAccount),
        (matches!(about, About::Key | About::Token) && !seen.key_was_seen).then_some(Clue::KeyNotSeen),
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

#[cfg(test)]
mod tests {
    use super::{Have, Provision, Reported, RoleSaid, Seen, judge};
    use crate::audit::inputs::report::Refused;
    use crate::audit::provider::Provided;
    use crate::aws::iam::{Permission, Unknown, Why};
    use crate::diagnosis::audit::NotSeen;
    use crate::diagnosis::{Diagnosis, Name};
    use crate::run::check::Check;
    use crate::run::{Missing, Verdict};
    use iam_trust::arn;
    use iam_trust::request::Request;
    use std::collections::BTreeMap;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    fn request() -> Request {
        Request {
            role: arn::parse("arn:aws:iam::111122223333:role/payments-checkout").unwrap(),
            issuer: "https://oidc.eks.eu-west-1.amazonaws.com/id/5D5A".to_owned(),
            subject: "system:serviceaccount:payments:checkout".to_owned(),
            audience: vec!["sts.amazonaws.com".to_owned()],
            session_name: None,
            at: None,
            others: BTreeMap::new(),
        }
    }

    fn at(seconds: u64) -> Option<SystemTime> {
        Some(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    fn refused(code: &str, message: &str) -> Reported {
        let refusal = Refused {
            code: code.to_owned(),
            message: Some(message.to_owned()),
            request_id: None,
            at: at(1000),
        };
        Reported { refusal: Some(refusal), ..Reported::default() }
    }

    fn provided(arn: Option<&str>) -> Provided {
        let client_ids = Some(vec!["sts.amazonaws.com".to_owned()]);
        Provided { arn: arn.map(str::to_owned), url: "u".to_owned(), client_ids, created: at(1) }
    }

    fn provision() -> Provision {
        Provision::Accepts(provided(Some("arn")))
    }

    fn said(report: &Reported, seen: Have<Seen<'_>>) -> Option<String> {
        judge(&request(), report, seen).map(|verdict| match verdict {
            Ok(Verdict::Pass(_)) => "pass".to_owned(),
            Ok(Verdict::Warn(_, _)) => "warn".to_owned(),
            Ok(Verdict::Fail(Diagnosis::RefusedOutsideTrust(it))) => {
                let clues: Vec<String> = it.clues.iter().map(|clue| format!("{clue:?}")).collect();
                let kind = |clue: &String| clue.split('(').next().unwrap_or_default().to_owned();
                format!("outside {}", clues.iter().map(kind).collect::<Vec<_>>().join(" "))
            }
            Ok(Verdict::Fail(other)) => other.name().as_str().to_owned(),
            Err(Missing(check)) => format!("needs {}", check.name()),
        })
    }

    #[test]
    fn what_a_report_means_beside_what_allows() {
        let (role, seen_provider) = (RoleSaid::default(), provision());
        let denied = || {
            let permission = Permission::GetOpenIdConnectProvider;
            NotSeen::Untold(Unknown { permission, why: Why::Denied(String::new()) })
        };
        let untold = Provision::Unknown(denied());
        let listed = Provision::Exists(provided(Some("arn")), denied());
        let of_file = Provision::Accepts(provided(None));
        let seen =
            Seen { role: &role, provider: Some(&seen_provider), is_of_file: false, key_was_seen: false };
        let plain = refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
        let of_token = refused("InvalidIdentityToken", "The web identity token could not be validated");
        let of_provider = refused("InvalidIdentityToken", "No OpenIDConnect provider found in your account");
        let of_audience = refused("InvalidIdentityToken", "Incorrect token audience");
        let of_key =
            refused("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider");
        let passed = Reported { account: Some("111122223333".to_owned()), ..Reported::default() };
        let through = |address: &str| Reported { connected_to: Some(address.to_owned()), ..plain.clone() };
        let newer = RoleSaid { created_at: at(2000), last_used: at(3000), ..RoleSaid::default() };
        let older = RoleSaid { created_at: at(10), last_used: at(999), ..RoleSaid::default() };
        for (report, seen, expected) in [
            (&plain, Ok(seen), Some("outside ")),
            (&plain, Err(Missing(Check::TrustPolicy)), Some("needs trust-policy")),
            (&plain, Ok(Seen { provider: None, ..seen }), Some("outside ")),
            (&plain, Ok(Seen { is_of_file: true, ..seen }), Some("outside OfFile")),
            (&plain, Ok(Seen { role: &newer, ..seen }), Some("outside RoleNewer UsedSince")),
            (&plain, Ok(Seen { role: &older, ..seen }), Some("outside ")),
            (&through("10.0.12.7:443"), Ok(seen), Some("outside PrivateAddress")),
            (&through("[fd00::1]:443"), Ok(seen), Some("outside PrivateAddress")),
            (&through("52.94.1.1:443"), Ok(seen), Some("outside ")),
            (
                &refused(
                    "AccessDenied",
                    "because no VPC endpoint policy allows the sts:AssumeRoleWithWebIdentity action",
                ),
                Ok(seen),
                Some("outside Named"),
            ),
            (
                &refused("AccessDenied", "with an explicit deny in a resource control policy"),
                Ok(seen),
                Some("outside Named"),
            ),
            (&plain, Ok(Seen { provider: Some(&listed), ..seen }), Some("outside ")),
            (&plain, Ok(Seen { provider: Some(&of_file), ..seen }), Some("outside OfSomeAccount")),
            (&of_provider, Ok(seen), Some("outside ")),
            (&of_provider, Ok(Seen { provider: Some(&of_file), ..seen }), Some("outside OfSomeAccount")),
            (&of_audience, Ok(seen), Some("outside ")),
            (&of_audience, Ok(Seen { provider: Some(&listed), ..seen }), Some("AuditIncomplete")),
            (&of_key, Ok(seen), Some("outside KeyNotSeen")),
            (&of_key, Ok(Seen { provider: Some(&listed), ..seen }), Some("outside KeyNotSeen")),
            (&of_token, Ok(seen), Some("outside KeyNotSeen")),
            (&of_token, Ok(Seen { key_was_seen: true, ..seen }), Some("outside ")),
            (&of_token, Ok(Seen { provider: None, ..seen }), Some("AuditIncomplete")),
            (&of_token, Ok(Seen { provider: Some(&untold), ..seen }), Some("AuditIncomplete")),
            (&refused("Throttling", "Rate exceeded"), Ok(seen), None),
            (&refused("RegionDisabledException", ""), Err(Missing(Check::Role)), None),
            (&passed, Ok(seen), Some("pass")),
            (&passed, Err(Missing(Check::TrustPolicy)), Some("pass")),
            (&Reported::default(), Ok(seen), None),
        ] {
            assert_eq!(said(report, seen).as_deref(), expected, "{report:?}");
        }
    }

    #[test]
    fn where_the_provider_was_not_looked_at_that_is_said() {
        let role = RoleSaid::default();
        let seen = Seen { role: &role, provider: None, is_of_file: true, key_was_seen: false };
        let verdict = judge(&request(), &refused("AccessDenied", "no"), Ok(seen));
        let Some(Ok(Verdict::Fail(diagnosis))) = verdict else { panic!("{verdict:?}") };
        assert_eq!(diagnosis.name(), Name::RefusedOutsideTrust);
        assert!(diagnosis.cause().contains("not known is the OIDC provider"), "{}", diagnosis.cause());
    }
}
