//! Judges a refusal in the report that the trust policy and the OIDC provider do not explain: what else can refuse.

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use super::iam::PROVIDER;
use super::inputs::report::{ParsedReport, StsRefusal};
use super::provider::{OIDC_PROVIDER, ProviderStatus};
use crate::aws::iam::Role;
use crate::aws::sts_errors::{self, Meaning};
use crate::diagnosis::audit::{
    AuditIncomplete, Hint, PolicyLayer, RefusalKind, RefusedOutsideTrust, Unavailable,
};
use crate::diagnosis::network::AddressKind;
use crate::diagnosis::trust::StsAnswer;
use crate::evidence::{Evidence, HasEvidence};
use crate::run::{BlockedBy, Verdict};
use iam_trust::request::Request;

/// What a refusal is about. `None` if it is not about the role or the token.
pub(crate) fn refusal_kind(refusal: &StsRefusal) -> Option<RefusalKind> {
    match meaning(refusal)? {
        meaning if meaning.is_access_denied() => Some(RefusalKind::Access),
        Meaning::NoProvider => Some(RefusalKind::Provider),
        Meaning::Audience => Some(RefusalKind::Audience),
        Meaning::Thumbprint => Some(RefusalKind::Thumbprint),
        Meaning::VerificationKey => Some(RefusalKind::Key),
        meaning => meaning.is_about_token().then_some(RefusalKind::Token),
    }
}

fn meaning(refusal: &StsRefusal) -> Option<Meaning> {
    sts_errors::meaning(&refusal.code, refusal.message.as_deref().unwrap_or_default())
}

/// STS accepted the token, according to the report.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    account: String,
}

impl HasEvidence for Accepted {
    fn evidence(&self) -> Evidence {
        Evidence::new().text("account", &self.account)
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct AllowingFacts<'a> {
    pub(crate) role: &'a Role,
    /// The OIDC provider, if it was looked up.
    pub(crate) provider: Option<&'a ProviderStatus>,
    /// Whether the trust policy was handed in as a file.
    pub(crate) policy_is_from_file: bool,
    /// Whether the issuer was asked for the token's key.
    pub(crate) key_was_checked: bool,
}

/// Judges the answer of STS in a report. `None` if the answer is not about the role or the token. If a fact is blocked,
/// that check explains the refusal.
pub(crate) fn judge(
    request: &Request,
    report: &ParsedReport,
    facts: Result<AllowingFacts<'_>, BlockedBy>,
) -> Option<Result<Verdict<Accepted>, BlockedBy>> {
    let Some(refusal) = &report.refusal else {
        // STS gives an identity only to a token that it accepts.
        let account = report.account.clone()?;
        return Some(Ok(Verdict::Pass(Accepted { account })));
    };
    let kind = refusal_kind(refusal)?;
    let unavailable = |provider: Option<&ProviderStatus>| match provider {
        None => Some(Unavailable::not_given(PROVIDER, OIDC_PROVIDER)),
        Some(status) => status.unavailable().cloned(),
    };
    Some(facts.map(|facts| match (kind, unavailable(facts.provider)) {
        (RefusalKind::Provider | RefusalKind::Audience | RefusalKind::Token, Some(unavailable)) => {
            Verdict::fail(AuditIncomplete { role: request.role.clone(), unavailable })
        }
        (_, unavailable) => Verdict::fail(RefusedOutsideTrust {
            request: request.clone(),
            kind,
            code: refusal.code.clone(),
            message: refusal.message.clone(),
            request_id: refusal.request_id.clone(),
            refused_at: refusal.at,
            region: report.region.clone(),
            unavailable: unavailable.map(|unavailable| unavailable.what),
            hints: hints(kind, refusal, report, &facts),
        }),
    }))
}

fn hints(
    kind: RefusalKind,
    refusal: &StsRefusal,
    report: &ParsedReport,
    facts: &AllowingFacts<'_>,
) -> Vec<Hint> {
    let provider = facts.provider.and_then(ProviderStatus::accepting);
    let after = |time: Option<SystemTime>| time.filter(|time| refusal.at.is_some_and(|at| *time > at));
    let layer = match meaning(refusal) {
        Some(Meaning::DeniedByVpcEndpoint) => Some(PolicyLayer::VpcEndpoint),
        Some(Meaning::DeniedByOrganization) => Some(PolicyLayer::Organization),
        _ => None,
    };
    let address = sts_address(report)
        .filter(|address| kind == RefusalKind::Access && AddressKind::of(*address) == AddressKind::Private);
    [
        after(facts.role.created_at).map(Hint::RoleCreatedLater),
        after(provider.and_then(|provider| provider.created_at)).map(Hint::ProviderCreatedLater),
        after(facts.role.last_used).map(Hint::RoleUsedLater),
        layer.map(Hint::PolicyNamed),
        address.map(|address| Hint::PrivateAddress(address.to_string())),
        facts.policy_is_from_file.then_some(Hint::PolicyFromFile),
        provider.is_some_and(|provider| provider.arn.is_none()).then_some(Hint::ProviderAccountUnknown),
        (matches!(kind, RefusalKind::Key | RefusalKind::Token) && !facts.key_was_checked)
            .then_some(Hint::SigningKeyNotChecked),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The address at which STS was reached, unless through a proxy.
fn sts_address(report: &ParsedReport) -> Option<IpAddr> {
    let text = report.connected_to.as_deref()?;
    text.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| text.parse()).ok()
}

/// What STS said to the call, if that decides what the trust policy leaves open: it gave the role, or it refused
/// access to a role that was there then, and named no other policy.
pub(crate) fn sts_answer(report: &ParsedReport, role: &Role) -> Option<StsAnswer> {
    let Some(refusal) = &report.refusal else {
        return report.account.is_some().then_some(StsAnswer::Accepted);
    };
    let was_there = role.created_at.zip(refusal.at).is_none_or(|(created, refused)| created < refused);
    let is_plain = matches!(meaning(refusal), Some(Meaning::AccessDenied));
    (was_there && is_plain).then(|| StsAnswer::Refused { at: refusal.at, address: sts_address(report) })
}

#[cfg(test)]
mod tests {
    use super::{AllowingFacts, ParsedReport, ProviderStatus, Role, judge};
    use crate::audit::inputs::report::StsRefusal;
    use crate::aws::iam::{IamError, IamErrorKind, OidcProvider, permission};
    use crate::diagnosis::audit::Unavailable;
    use crate::diagnosis::{Diagnosis, Name};
    use crate::run::check::Check;
    use crate::run::{BlockedBy, Verdict};
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
            time: None,
            extra_keys: BTreeMap::new(),
        }
    }

    fn at(seconds: u64) -> Option<SystemTime> {
        Some(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    fn refused(code: &str, message: &str) -> ParsedReport {
        let refusal = StsRefusal {
            code: code.to_owned(),
            message: Some(message.to_owned()),
            request_id: None,
            at: at(1000),
        };
        ParsedReport { refusal: Some(refusal), ..ParsedReport::default() }
    }

    fn accepts(arn: Option<&str>) -> ProviderStatus {
        ProviderStatus::Accepts(OidcProvider {
            arn: arn.map(str::to_owned),
            url: "u".to_owned(),
            client_ids: vec!["sts.amazonaws.com".to_owned()],
            created_at: at(1),
        })
    }

    fn said(report: &ParsedReport, seen: Result<AllowingFacts<'_>, BlockedBy>) -> Option<String> {
        judge(&request(), report, seen).map(|verdict| match verdict {
            Ok(Verdict::Pass(_)) => "pass".to_owned(),
            Ok(Verdict::Warn(_, _)) => "warn".to_owned(),
            Ok(Verdict::Fail(Diagnosis::RefusedOutsideTrust(it))) => {
                let clues: Vec<String> = it.hints.iter().map(|clue| format!("{clue:?}")).collect();
                let kind = |clue: &String| clue.split('(').next().unwrap_or_default().to_owned();
                format!("outside {}", clues.iter().map(kind).collect::<Vec<_>>().join(" "))
            }
            Ok(Verdict::Fail(other)) => other.name().as_str().to_owned(),
            Err(BlockedBy(check)) => format!("needs {}", check.name()),
        })
    }

    #[test]
    fn refusal_beside_facts_that_allow() {
        let (role, seen_provider) = (Role::default(), accepts(Some("arn")));
        let denied = || {
            let permission = permission::GET_OIDC_PROVIDER;
            let error = IamError { permission, kind: IamErrorKind::Denied(String::new()) };
            Unavailable::by_iam("the provider", &error)
        };
        let untold = ProviderStatus::Unknown(denied());
        let listed = ProviderStatus::Exists("arn".to_owned(), denied());
        let of_file = accepts(None);
        let seen = AllowingFacts {
            role: &role,
            provider: Some(&seen_provider),
            policy_is_from_file: false,
            key_was_checked: false,
        };
        let plain = refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
        let of_token = refused("InvalidIdentityToken", "The web identity token could not be validated");
        let of_provider = refused("InvalidIdentityToken", "No OpenIDConnect provider found in your account");
        let of_audience = refused("InvalidIdentityToken", "Incorrect token audience");
        let of_key =
            refused("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider");
        let passed = ParsedReport { account: Some("111122223333".to_owned()), ..ParsedReport::default() };
        let through =
            |address: &str| ParsedReport { connected_to: Some(address.to_owned()), ..plain.clone() };
        let newer = Role { created_at: at(2000), last_used: at(3000), ..Role::default() };
        let older = Role { created_at: at(10), last_used: at(999), ..Role::default() };
        for (report, seen, expected) in [
            (&plain, Ok(seen), Some("outside ")),
            (&plain, Err(BlockedBy(Check::TrustPolicy)), Some("needs trust-policy")),
            (&plain, Ok(AllowingFacts { provider: None, ..seen }), Some("outside ")),
            (&plain, Ok(AllowingFacts { policy_is_from_file: true, ..seen }), Some("outside PolicyFromFile")),
            (
                &plain,
                Ok(AllowingFacts { role: &newer, ..seen }),
                Some("outside RoleCreatedLater RoleUsedLater"),
            ),
            (&plain, Ok(AllowingFacts { role: &older, ..seen }), Some("outside ")),
            (&through("10.0.12.7:443"), Ok(seen), Some("outside PrivateAddress")),
            (&through("[fd00::1]:443"), Ok(seen), Some("outside PrivateAddress")),
            (&through("52.94.1.1:443"), Ok(seen), Some("outside ")),
            (
                &refused(
                    "AccessDenied",
                    "because no VPC endpoint policy allows the sts:AssumeRoleWithWebIdentity action",
                ),
                Ok(seen),
                Some("outside PolicyNamed"),
            ),
            (
                &refused("AccessDenied", "with an explicit deny in a resource control policy"),
                Ok(seen),
                Some("outside PolicyNamed"),
            ),
            (&plain, Ok(AllowingFacts { provider: Some(&listed), ..seen }), Some("outside ")),
            (
                &plain,
                Ok(AllowingFacts { provider: Some(&of_file), ..seen }),
                Some("outside ProviderAccountUnknown"),
            ),
            (&of_provider, Ok(seen), Some("outside ")),
            (
                &of_provider,
                Ok(AllowingFacts { provider: Some(&of_file), ..seen }),
                Some("outside ProviderAccountUnknown"),
            ),
            (&of_audience, Ok(seen), Some("outside ")),
            (&of_audience, Ok(AllowingFacts { provider: Some(&listed), ..seen }), Some("AuditIncomplete")),
            (&of_key, Ok(seen), Some("outside SigningKeyNotChecked")),
            (
                &of_key,
                Ok(AllowingFacts { provider: Some(&listed), ..seen }),
                Some("outside SigningKeyNotChecked"),
            ),
            (&of_token, Ok(seen), Some("outside SigningKeyNotChecked")),
            (&of_token, Ok(AllowingFacts { key_was_checked: true, ..seen }), Some("outside ")),
            (&of_token, Ok(AllowingFacts { provider: None, ..seen }), Some("AuditIncomplete")),
            (&of_token, Ok(AllowingFacts { provider: Some(&untold), ..seen }), Some("AuditIncomplete")),
            (&refused("Throttling", "Rate exceeded"), Ok(seen), None),
            (&refused("RegionDisabledException", ""), Err(BlockedBy(Check::Role)), None),
            (&passed, Ok(seen), Some("pass")),
            (&passed, Err(BlockedBy(Check::TrustPolicy)), Some("pass")),
            (&ParsedReport::default(), Ok(seen), None),
        ] {
            assert_eq!(said(report, seen).as_deref(), expected, "{report:?}");
        }
    }

    #[test]
    fn issuer_check_is_advised_only_if_it_was_not_made() {
        let role = Role::default();
        let words = "Couldn't retrieve verification key from your identity provider";
        for key_was_seen in [true, false] {
            let seen = AllowingFacts {
                role: &role,
                provider: None,
                policy_is_from_file: false,
                key_was_checked: key_was_seen,
            };
            let verdict = judge(&request(), &refused("InvalidIdentityToken", words), Ok(seen));
            let Some(Ok(Verdict::Fail(diagnosis))) = verdict else { panic!("{verdict:?}") };
            let is_advised = diagnosis.remedy().iter().any(|step| step.contains("--issuer-check"));
            assert_eq!(is_advised, !key_was_seen);
        }
    }

    #[test]
    fn cause_names_the_unknown_provider() {
        let role = Role::default();
        let seen =
            AllowingFacts { role: &role, provider: None, policy_is_from_file: true, key_was_checked: false };
        let verdict = judge(&request(), &refused("AccessDenied", "no"), Ok(seen));
        let Some(Ok(Verdict::Fail(diagnosis))) = verdict else { panic!("{verdict:?}") };
        assert_eq!(diagnosis.name(), Name::RefusedOutsideTrust);
        assert!(diagnosis.cause().contains("not known is the OIDC provider"), "{}", diagnosis.cause());
    }
}
