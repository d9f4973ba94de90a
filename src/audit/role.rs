//! Judges what IAM says about the role: whether the credentials are of its account, whether the role exists, and what
//! it is allowed to do.

use super::Findings;
use super::iam::{ATTACHED, INLINE, IamSnapshot, ROLE, SIMULATION};
use super::inputs::printed::url_decoded;
use crate::aws::iam::{
    Decision, IamError, IamErrorKind, IamResult, PagedList, Role, SimulatedDecision, permission,
};
use crate::aws::operator::NoCredentials;
use crate::aws::sts::StsCaller;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::audit::{AuditIncomplete, AuditWrongAccount, Unavailable};
use crate::diagnosis::role::{
    ActionDenied, ActionNotGranted, ActionOutsideBoundary, ActionOutsideOrganization, ForbiddenActions,
    RoleHasNoPermissions, RoleNotFound, decision_name,
};
use crate::diagnosis::sources::StaticKeysMalformed;
use crate::evidence::{Evidence, HasEvidence};
use crate::run::Verdict;
use crate::text::format_utc;
use crate::token::ServiceAccount;
use iam_trust::TrustPolicy;
use iam_trust::arn::{self, RoleArn};

/// The flag that names a file with the role's trust policy.
const TRUST_POLICY: &str = "--trust-policy";

/// The operator's credentials are of the role's account.
#[derive(Debug, Clone)]
pub(crate) struct OperatorAccount(StsCaller);

impl HasEvidence for OperatorAccount {
    fn evidence(&self) -> Evidence {
        Evidence::new().text("account", &self.0.account).text("caller", &self.0.arn)
    }
}

/// Judges whether the credentials are of the role's account. `None` if STS did not say whose they are: IAM's answers
/// then decide.
pub(crate) fn judge_account(role: &RoleArn, iam: &IamSnapshot) -> Option<Verdict<OperatorAccount>> {
    let wrong = |account: &str, caller: Option<&StsCaller>| {
        let (role, account, caller) = (role.clone(), account.to_owned(), caller.cloned());
        Verdict::fail(AuditWrongAccount { role, account, caller })
    };
    Some(match (&iam.caller, &iam.role) {
        (Ok(caller), _) if caller.account != role.account => wrong(&caller.account, Some(caller)),
        (Ok(caller), _) => Verdict::Pass(OperatorAccount(caller.clone())),
        (_, Err(IamError { kind: IamErrorKind::OtherAccount(account), .. })) => wrong(account, None),
        (Err(IamError { kind: IamErrorKind::NoCredentials(NoCredentials::Variables(faults)), .. }), _) => {
            Verdict::fail(StaticKeysMalformed { faults: faults.clone(), shadow: None })
        }
        (Err(error), Err(_))
            if matches!(
                error.kind,
                IamErrorKind::NoCredentials(_) | IamErrorKind::CredentialsRejected { .. }
            ) =>
        {
            Verdict::fail(incomplete(role, ROLE, error))
        }
        (Err(_), _) => return None,
    })
}

fn incomplete(role: &RoleArn, what: &'static str, error: &IamError) -> AuditIncomplete {
    AuditIncomplete { role: role.clone(), unavailable: Unavailable::by_iam(what, error) }
}

impl HasEvidence for Role {
    fn evidence(&self) -> Evidence {
        let Self { arn, created_at, max_session, boundary_arn, last_used, .. } = self;
        Evidence::new()
            .text_if("found_role_arn", arn.as_deref())
            .value_if("max_session_seconds", max_session.map(|max| max.as_secs()))
            .text_if("permissions_boundary", boundary_arn.as_deref())
            .value_if("created", created_at.map(format_utc))
            .value_if("last_used", last_used.map(format_utc))
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct RoleQuery<'a> {
    pub(crate) role: &'a RoleArn,
    pub(crate) service_account: Option<&'a ServiceAccount>,
    /// The trust policy that the call needs. `None` if the token is not meant for STS.
    pub(crate) needed: Option<&'a TrustPolicy>,
}

impl RoleQuery<'_> {
    fn not_found(&self, namesake_arn: Option<&str>) -> Verdict<Role> {
        Verdict::fail(RoleNotFound {
            role: self.role.clone(),
            namesake_arn: namesake_arn.map(str::to_owned),
            service_account: self.service_account.cloned(),
            trust_policy: self.needed.cloned(),
        })
    }

    /// Judges a role that was handed in. A role of this name with another path is another role.
    pub(crate) fn judge_given(&self, given: &Role) -> Verdict<Role> {
        let other = given.arn.as_deref().filter(|text| *text != self.role.text);
        let is_namesake = |text: &&str| arn::parse(text).is_ok_and(|arn| arn.is_namesake_of(self.role));
        match other.filter(is_namesake) {
            Some(namesake) => self.not_found(Some(namesake)),
            None => Verdict::Pass(given.clone()),
        }
    }

    pub(crate) fn judge_iam(&self, role: &IamResult<Option<Role>>) -> Verdict<Role> {
        match role {
            Err(error) => Verdict::fail(incomplete(self.role, ROLE, error)),
            Ok(None) => self.not_found(None),
            Ok(Some(role)) if role.arn.as_ref() != Some(&self.role.text) => {
                self.not_found(role.arn.as_deref())
            }
            Ok(Some(role)) => {
                Verdict::Pass(Role { trust_policy: url_decoded(&role.trust_policy), ..role.clone() })
            }
        }
    }

    /// Judges that the role is in no file, while IAM was not asked.
    pub(crate) fn judge_nothing(&self) -> Verdict<Role> {
        let unavailable = Unavailable::not_given(ROLE, TRUST_POLICY);
        Verdict::fail(AuditIncomplete { role: self.role.clone(), unavailable })
    }
}

/// What the role is allowed to do, as far as it is known.
#[derive(Debug, Clone)]
pub(crate) struct Permissions(IamSnapshot);

impl HasEvidence for Permissions {
    fn evidence(&self) -> Evidence {
        let list = |evidence: Evidence, name, list: &IamResult<PagedList<String>>| match list {
            Ok(list) => evidence.texts(name, &list.entries),
            Err(_) => evidence,
        };
        let evidence = list(Evidence::new(), "attached_policies", &self.0.attached);
        let evidence = list(evidence, "inline_policies", &self.0.inline);
        let simulated = self.0.simulated_decisions();
        if simulated.is_empty() {
            return evidence;
        }
        let sentence = |simulated: &SimulatedDecision| {
            let SimulatedDecision { action, resource, decision, .. } = simulated;
            format!("{action} on {resource}: {}", decision_name(decision))
        };
        let sentences: Vec<String> = simulated.iter().map(sentence).collect();
        let keys: Vec<&String> = simulated.iter().flat_map(|simulated| &simulated.missing_context).collect();
        evidence.texts("simulated", &sentences).texts("missing_context", &keys)
    }
}

/// Judges what the role is allowed to do: denied actions, the gravest reason first, and then reservations.
pub(crate) fn judge_permissions(role: &RoleArn, iam: &IamSnapshot) -> Findings<Permissions> {
    let boundary = iam.role.as_ref().ok().and_then(|role| role.as_ref()?.boundary_arn.clone());
    let denials = denials(role, boundary, iam.simulated_decisions());
    Findings::of(Permissions(iam.clone()), denials, reservations(role, iam))
}

/// That the role has no permissions, or that they are not known.
fn reservations(role: &RoleArn, iam: &IamSnapshot) -> Vec<Diagnosis> {
    let mut reservations: Vec<Diagnosis> = Vec::new();
    let policies = [&iam.attached, &iam.inline].map(Result::as_ref);
    let has_none = |list: &PagedList<String>| list.is_complete && list.entries.is_empty();
    if policies.iter().all(|list| list.is_ok_and(has_none)) {
        reservations.push(RoleHasNoPermissions { role: role.clone() }.into());
    }
    let simulation = iam.simulation.as_ref().and_then(|simulation| simulation.as_ref().ok());
    let has_permissions = policies.iter().any(|list| list.is_ok_and(|list| !list.entries.is_empty()))
        || simulation
            .is_some_and(|list| list.entries.iter().any(|simulated| simulated.decision == Decision::Allowed));
    if !has_permissions {
        let error = iam.attached.as_ref().err().map(|error| (ATTACHED, error));
        let error = error.or_else(|| Some((INLINE, iam.inline.as_ref().err()?)));
        reservations.extend(error.map(|(what, error)| incomplete(role, what, error).into()));
    }
    if let Some(Err(error)) = &iam.simulation {
        reservations.push(incomplete(role, SIMULATION, error).into());
    }
    let undecided = simulation.and_then(|list| {
        let other = list.entries.iter().find_map(|simulated| match &simulated.decision {
            Decision::Other(code) => {
                Some(IamErrorKind::Refused { code: code.clone(), message: String::new() })
            }
            Decision::Allowed | Decision::ImplicitDeny | Decision::ExplicitDeny => None,
        });
        other.or((!list.is_complete).then_some(IamErrorKind::Truncated))
    });
    if let Some(kind) = undecided {
        let error = IamError { permission: permission::SIMULATE, kind };
        reservations.push(incomplete(role, SIMULATION, &error).into());
    }
    reservations
}

/// What denies an action.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DenialSource {
    /// An explicit Deny in the role's own policies.
    Statement,
    Boundary,
    Organization,
    /// Nothing allows it.
    NotGranted,
}

fn denials(role: &RoleArn, boundary: Option<String>, simulated: &[SimulatedDecision]) -> Vec<Diagnosis> {
    let denied_by = |source: DenialSource| {
        let denied = simulated.iter().filter(|simulated| denial_source(simulated) == Some(source));
        let actions: Vec<SimulatedDecision> = denied.cloned().collect();
        let forbidden = ForbiddenActions { role: role.clone(), boundary: boundary.clone(), actions };
        (!forbidden.actions.is_empty()).then_some(forbidden)
    };
    let all: [Option<Diagnosis>; 4] = [
        denied_by(DenialSource::Statement).map(|forbidden| ActionDenied(forbidden).into()),
        denied_by(DenialSource::Organization).map(|forbidden| ActionOutsideOrganization(forbidden).into()),
        denied_by(DenialSource::Boundary).map(|forbidden| ActionOutsideBoundary(forbidden).into()),
        denied_by(DenialSource::NotGranted).map(|forbidden| ActionNotGranted(forbidden).into()),
    ];
    all.into_iter().flatten().collect()
}

/// What denies an action, if it is denied. No statement of the role's own policies matches a denial by the organization
/// or by the boundary.
fn denial_source(simulated: &SimulatedDecision) -> Option<DenialSource> {
    let outside = match (simulated.organization_allows, simulated.boundary_allows) {
        (Some(false), _) => Some(DenialSource::Organization),
        (_, Some(false)) => Some(DenialSource::Boundary),
        _ => None,
    };
    match simulated.decision {
        Decision::ExplicitDeny if simulated.matched.is_empty() => {
            Some(outside.unwrap_or(DenialSource::Statement))
        }
        Decision::ExplicitDeny => Some(DenialSource::Statement),
        Decision::ImplicitDeny => Some(outside.unwrap_or(DenialSource::NotGranted)),
        Decision::Allowed | Decision::Other(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{RoleQuery, judge_account, judge_permissions};
    use crate::audit::iam::IamSnapshot;
    use crate::aws::iam::{Decision, IamError, IamErrorKind, PagedList, Role, SimulatedDecision, permission};
    use crate::aws::operator::NoCredentials;
    use crate::aws::sts::StsCaller;
    use crate::diagnosis::Name;
    use crate::run::Verdict;
    use crate::wire::MatchedPolicy;
    use iam_trust::arn;
    use iam_trust::request::Request;
    use iam_trust::{TrustPolicy, needed};
    use std::collections::BTreeMap;

    const ARN: &str = "arn:aws:iam::111122223333:role/payments-checkout";

    fn needed_policy() -> TrustPolicy {
        let request = Request {
            role: arn::parse(ARN).unwrap(),
            issuer: "https://oidc.eks.eu-west-1.amazonaws.com/id/5D5A".to_owned(),
            subject: "system:serviceaccount:payments:checkout".to_owned(),
            audience: vec!["sts.amazonaws.com".to_owned()],
            session_name: None,
            time: None,
            extra_keys: BTreeMap::new(),
        };
        needed(&request).trust_policy
    }

    fn role(arn: &str) -> Role {
        Role { arn: Some(arn.to_owned()), trust_policy: "%7B%7D".to_owned(), ..Role::default() }
    }

    fn whole<T>(entries: Vec<T>) -> PagedList<T> {
        PagedList { entries, is_complete: true }
    }

    fn unknown(permission: &'static str, why: IamErrorKind) -> IamError {
        IamError { permission, kind: why }
    }

    /// An account that has the role, with one policy.
    fn healthy() -> IamSnapshot {
        IamSnapshot {
            caller: Ok(StsCaller {
                arn: "arn:aws:iam::111122223333:user/operator".to_owned(),
                account: "111122223333".to_owned(),
                request_id: None,
            }),
            role: Ok(Some(role(ARN))),
            provider: Ok(None),
            providers: Ok(Vec::new()),
            attached: Ok(whole(vec!["read".to_owned()])),
            inline: Ok(whole(Vec::new())),
            simulation: None,
        }
    }

    fn name<T>(verdict: &Verdict<T>) -> Vec<Name> {
        match verdict {
            Verdict::Pass(_) => Vec::new(),
            Verdict::Warn(_, warnings) => warnings.iter().map(|diagnosis| diagnosis.name()).collect(),
            Verdict::Fail(diagnosis) => vec![diagnosis.name()],
        }
    }

    #[test]
    fn account_of_the_credentials() {
        let asked = arn::parse(ARN).unwrap();
        let with = |edit: &dyn Fn(&mut IamSnapshot)| {
            let mut aws = healthy();
            edit(&mut aws);
            judge_account(&asked, &aws).map(|verdict| name(&verdict))
        };
        let lost = || Err(unknown(permission::GET_CALLER_IDENTITY, IamErrorKind::TimedOut));
        let none = || IamErrorKind::NoCredentials(NoCredentials::NotFound);
        assert_eq!(with(&|_| {}), Some(vec![]));
        assert_eq!(
            with(&|aws| aws.caller.as_mut().unwrap().account = "444455556666".to_owned()),
            Some(vec![Name::AuditWrongAccount])
        );
        // IAM answered, and so did not STS.
        assert_eq!(with(&|aws| aws.caller = lost()), None);
        assert_eq!(
            with(&|aws| {
                aws.caller = lost();
                aws.role =
                    Err(unknown(permission::GET_ROLE, IamErrorKind::OtherAccount("444455556666".to_owned())));
            }),
            Some(vec![Name::AuditWrongAccount])
        );
        assert_eq!(
            with(&|aws| {
                aws.caller = Err(unknown(permission::GET_CALLER_IDENTITY, none()));
                aws.role = Err(unknown(permission::GET_ROLE, none()));
            }),
            Some(vec![Name::AuditIncomplete])
        );
        // That IAM may not be read is told of the role.
        assert_eq!(
            with(&|aws| {
                aws.caller = lost();
                aws.role = Err(unknown(permission::GET_ROLE, IamErrorKind::Denied(String::new())));
            }),
            None
        );
    }

    #[test]
    fn role_is_found_or_not() {
        let (asked, needed) = (arn::parse(ARN).unwrap(), needed_policy());
        let of = RoleQuery { role: &asked, service_account: None, needed: Some(&needed) };
        let with_path = "arn:aws:iam::111122223333:role/team/payments-checkout";
        for (told, expected) in [
            (Ok(Some(role(ARN))), vec![]),
            (Ok(Some(role(with_path))), vec![Name::RoleNotFound]),
            (Ok(None), vec![Name::RoleNotFound]),
            (
                Err(unknown(permission::GET_ROLE, IamErrorKind::Denied("no".to_owned()))),
                vec![Name::AuditIncomplete],
            ),
        ] {
            assert_eq!(name(&of.judge_iam(&told)), expected, "{told:?}");
        }
        assert!(
            matches!(of.judge_iam(&Ok(Some(role(ARN)))), Verdict::Pass(found) if found.trust_policy == "{}"),
            "the document is decoded"
        );
        for (arn, expected) in [
            (None, vec![]),
            (Some(ARN), vec![]),
            (Some(with_path), vec![Name::RoleNotFound]),
            // A file of another role was handed in, which says nothing of this one.
            (Some("arn:aws:iam::111122223333:role/other"), vec![]),
            (Some("arn:aws:iam::444455556666:role/payments-checkout"), vec![]),
            (Some("no arn"), vec![]),
        ] {
            let given = Role { arn: arn.map(str::to_owned), ..Role::default() };
            assert_eq!(name(&of.judge_given(&given)), expected, "{arn:?}");
        }
        assert_eq!(name(&of.judge_nothing()), [Name::AuditIncomplete]);
    }

    /// A simulation of one action.
    fn simulated(decision: Decision) -> SimulatedDecision {
        SimulatedDecision {
            action: "s3:GetObject".to_owned(),
            resource: "*".to_owned(),
            decision,
            matched: Vec::new(),
            missing_context: Vec::new(),
            boundary_allows: None,
            organization_allows: None,
        }
    }

    /// The same, decided by a policy.
    fn matched(decision: Decision) -> SimulatedDecision {
        let policy = MatchedPolicy { policy: "p".to_owned(), kind: None };
        SimulatedDecision { matched: vec![policy], ..simulated(decision) }
    }

    fn with_boundary(allows: bool, simulated: SimulatedDecision) -> SimulatedDecision {
        SimulatedDecision { boundary_allows: Some(allows), ..simulated }
    }

    fn with_organization(allows: bool, simulated: SimulatedDecision) -> SimulatedDecision {
        SimulatedDecision { organization_allows: Some(allows), ..simulated }
    }

    #[test]
    fn simulation_has_one_diagnosis() {
        use Decision::{Allowed, ExplicitDeny, ImplicitDeny};
        let asked = arn::parse(ARN).unwrap();
        let both = |boundary: bool, organization: bool, simulated: SimulatedDecision| {
            with_boundary(boundary, with_organization(organization, simulated))
        };
        for (simulated, expected) in [
            (both(true, true, matched(Allowed)), None),
            (matched(Allowed), None),
            (simulated(ImplicitDeny), Some(Name::ActionNotGranted)),
            (both(true, true, simulated(ImplicitDeny)), Some(Name::ActionNotGranted)),
            (both(false, true, matched(ImplicitDeny)), Some(Name::ActionOutsideBoundary)),
            (both(true, false, matched(ImplicitDeny)), Some(Name::ActionOutsideOrganization)),
            (both(false, false, simulated(ImplicitDeny)), Some(Name::ActionOutsideOrganization)),
            (matched(ExplicitDeny), Some(Name::ActionDenied)),
            (both(false, false, matched(ExplicitDeny)), Some(Name::ActionDenied)),
            (with_boundary(false, simulated(ExplicitDeny)), Some(Name::ActionOutsideBoundary)),
            (both(true, false, simulated(ExplicitDeny)), Some(Name::ActionOutsideOrganization)),
            (simulated(ExplicitDeny), Some(Name::ActionDenied)),
            (simulated(Decision::Other("maybe".to_owned())), Some(Name::AuditIncomplete)),
        ] {
            let aws = IamSnapshot { simulation: Some(Ok(whole(vec![simulated.clone()]))), ..healthy() };
            let judged = judge_permissions(&asked, &aws);
            assert_eq!(name(&judged.verdict), Vec::from_iter(expected), "{simulated:?}");
            assert!(judged.others.is_empty());
        }
    }

    #[test]
    fn denied_actions_are_grouped_by_source() {
        let asked = arn::parse(ARN).unwrap();
        let entries = vec![
            simulated(Decision::ImplicitDeny),
            matched(Decision::Allowed),
            matched(Decision::ExplicitDeny),
            simulated(Decision::ImplicitDeny),
        ];
        let aws =
            IamSnapshot { simulation: Some(Ok(PagedList { entries, is_complete: false })), ..healthy() };
        let judged = judge_permissions(&asked, &aws);
        let further: Vec<Name> = judged.others.iter().map(|diagnosis| diagnosis.name()).collect();
        assert_eq!(name(&judged.verdict), [Name::ActionDenied]);
        assert_eq!(further, [Name::ActionNotGranted, Name::AuditIncomplete]);
        let not_granted = judged.others.first().unwrap();
        assert!(
            not_granted.cause().contains("s3:GetObject on *, s3:GetObject on *"),
            "{}",
            not_granted.cause()
        );
    }

    #[test]
    fn role_without_policies_needs_complete_lists() {
        let asked = arn::parse(ARN).unwrap();
        let none = || Ok(whole(Vec::new()));
        for (attached, expected) in [
            (none(), vec![Name::RoleHasNoPermissions]),
            (Ok(PagedList { entries: Vec::new(), is_complete: false }), vec![]),
            (
                Err(unknown(permission::LIST_ATTACHED_POLICIES, IamErrorKind::TimedOut)),
                vec![Name::AuditIncomplete],
            ),
        ] {
            let aws = IamSnapshot { attached, ..healthy() };
            assert_eq!(name(&judge_permissions(&asked, &aws).verdict), expected);
        }
    }
}
