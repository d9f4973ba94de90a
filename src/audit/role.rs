//! Judges what IAM says of the role: whether the credentials are of its account, whether it exists, and what
//! it may do.

use std::time::Duration;

use super::Findings;
use super::iam::{ATTACHED, INLINE, IamSnapshot, ROLE, SIMULATION};
use super::inputs::policy::{RoleMetadata, TrustPolicyInput};
use super::inputs::printed::url_decoded;
use crate::aws::iam::{Decision, IamError, IamErrorKind, IamResult, Permission, Role, SimulatedDecision};
use crate::aws::sts::StsCaller;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::audit::{AuditIncomplete, AuditWrongAccount, Unavailable};
use crate::diagnosis::role::{
    ActionDenied, ActionNotGranted, ActionOutsideBoundary, ActionOutsideOrganization, ForbiddenActions,
    RoleHasNoPermissions, RoleNotFound, decision_name,
};
use crate::evidence::Evidence;
use crate::evidence::HasEvidence;
use crate::run::Verdict;
use crate::text::format_utc;
use crate::token::ServiceAccount;
use iam_trust::TrustPolicy;
use iam_trust::arn::{self, RoleArn};

/// The flag that names a file with the role's trust policy.
pub(crate) const TRUST_POLICY: &str = "--trust-policy";

/// The credentials are of the role's account.
#[derive(Debug, Clone)]
pub(crate) struct OperatorAccount(StsCaller);

impl HasEvidence for OperatorAccount {
    fn evidence(&self) -> Evidence {
        Evidence::new().text("account", &self.0.account).text("caller", &self.0.arn)
    }
}

/// Whether the credentials are of the role's account. Nothing, where STS did not say whose they are, and IAM's
/// own answer has to do.
pub(crate) fn judge_account(asked: &RoleArn, aws: &IamSnapshot) -> Option<Verdict<OperatorAccount>> {
    let other = |account: &str, caller: Option<&StsCaller>| {
        let (role, account, caller) = (asked.clone(), account.to_owned(), caller.cloned());
        Verdict::fail(AuditWrongAccount { role, account, caller })
    };
    Some(match (&aws.caller, &aws.role) {
        (Ok(caller), _) if caller.account != asked.account => other(&caller.account, Some(caller)),
        (Ok(caller), _) => Verdict::Pass(OperatorAccount(caller.clone())),
        (_, Err(IamError { kind: IamErrorKind::OtherAccount(account), .. })) => other(account, None),
        (Err(unknown), Err(_)) if is_credential_error(&unknown.kind) => {
            Verdict::fail(incomplete(asked, ROLE, unknown))
        }
        (Err(_), _) => return None,
    })
}

fn incomplete(role: &RoleArn, what: &'static str, error: &IamError) -> AuditIncomplete {
    AuditIncomplete { role: role.clone(), unavailable: Unavailable::by_iam(what, error) }
}

/// Whether nothing at all can be asked.
fn is_credential_error(why: &IamErrorKind) -> bool {
    matches!(why, IamErrorKind::NoCredentials(_) | IamErrorKind::CredentialsRejected { .. })
}

impl HasEvidence for TrustPolicyInput {
    fn evidence(&self) -> Evidence {
        let RoleMetadata { arn, created_at, max_session: longest_session, boundary_arn: boundary, last_used } =
            &self.role;
        let evidence = Evidence::new().text_if("found_role_arn", arn.as_deref());
        let evidence = match longest_session {
            Some(longest) => evidence.value("max_session_seconds", longest.as_secs()),
            None => evidence,
        };
        evidence
            .text_if("permissions_boundary", boundary.as_deref())
            .text_if("created", created_at.map(format_utc).as_deref())
            .text_if("last_used", last_used.map(format_utc).as_deref())
    }
}

/// Who asks for which role, and what it needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoleQuery<'a> {
    pub(crate) role: &'a RoleArn,
    /// The service account that is to have it.
    pub(crate) service_account: Option<&'a ServiceAccount>,
    /// The trust policy that it needs; unless the token is none for STS.
    pub(crate) needed: Option<&'a TrustPolicy>,
}

impl RoleQuery<'_> {
    fn not_found(&self, other: Option<&str>) -> Verdict<TrustPolicyInput> {
        Verdict::fail(RoleNotFound {
            role: self.role.clone(),
            namesake_arn: other.map(str::to_owned),
            service_account: self.service_account.cloned(),
            trust_policy: self.needed.cloned(),
        })
    }

    /// Judges the role that was handed in, which is one of that name. With another path it is another one.
    pub(crate) fn judge_given(&self, given: &TrustPolicyInput) -> Verdict<TrustPolicyInput> {
        let other = given.role.arn.as_deref().filter(|text| *text != self.role.text);
        let is_namesake = |text: &&str| arn::parse(text).is_ok_and(|arn| arn.is_namesake_of(self.role));
        match other.filter(is_namesake) {
            Some(other) => self.not_found(Some(other)),
            None => Verdict::Pass(given.clone()),
        }
    }

    pub(crate) fn judge_iam(&self, role: &IamResult<Option<Role>>) -> Verdict<TrustPolicyInput> {
        match role {
            Err(unknown) => Verdict::fail(incomplete(self.role, ROLE, unknown)),
            Ok(None) => self.not_found(None),
            Ok(Some(role)) if role.arn != self.role.text => self.not_found(Some(&role.arn)),
            Ok(Some(role)) => Verdict::Pass(TrustPolicyInput {
                document: url_decoded(&role.trust_policy),
                role: RoleMetadata {
                    arn: Some(role.arn.clone()),
                    created_at: role.created,
                    max_session: role
                        .max_session_seconds
                        .and_then(|seconds| u64::try_from(seconds).ok())
                        .map(Duration::from_secs),
                    boundary_arn: role.boundary_arn.clone(),
                    last_used: role.last_used.as_ref().map(|(at, _)| *at),
                },
            }),
        }
    }

    /// Judges that there is nothing to judge.
    pub(crate) fn judge_nothing(&self) -> Verdict<TrustPolicyInput> {
        let unavailable = Unavailable::not_given(ROLE, TRUST_POLICY);
        Verdict::fail(AuditIncomplete { role: self.role.clone(), unavailable })
    }
}

/// What the role may do, as far as it is known.
#[derive(Debug, Clone)]
pub(crate) struct Permissions {
    attached: Option<Vec<String>>,
    inline: Option<Vec<String>>,
    simulated: Vec<SimulatedDecision>,
}

impl HasEvidence for Permissions {
    fn evidence(&self) -> Evidence {
        let list = |evidence: Evidence, name, list: &Option<Vec<String>>| match list {
            Some(names) => evidence.texts(name, names),
            None => evidence,
        };
        let evidence = list(Evidence::new(), "attached_policies", &self.attached);
        let evidence = list(evidence, "inline_policies", &self.inline);
        if self.simulated.is_empty() {
            return evidence;
        }
        let told = |it: &SimulatedDecision| {
            format!("{} on {}: {}", it.action, it.resource, decision_name(&it.decision))
        };
        let simulated: Vec<String> = self.simulated.iter().map(told).collect();
        let keys: Vec<&String> = self.simulated.iter().flat_map(|it| &it.missing_context).collect();
        evidence.texts("simulated", &simulated).texts("missing_context", &keys)
    }
}

/// What the role may do: the reservations, or what it may not of what it should, the gravest first.
pub(crate) fn judge_permissions(asked: &RoleArn, aws: &IamSnapshot) -> Findings<Permissions> {
    let attached = aws.attached.as_ref().ok();
    let inline = aws.inline.as_ref().ok();
    let simulated = aws.simulation.as_ref().and_then(|it| it.as_ref().ok());
    let is_bare = attached.is_some_and(|it| it.is_complete && it.entries.is_empty())
        && inline.is_some_and(|it| it.is_complete && it.entries.is_empty());
    let boundary = aws.role.as_ref().ok().and_then(|role| role.as_ref()?.boundary_arn.clone());
    let mut found = Vec::new();
    if let Some(simulated) = simulated {
        found.extend(denials(asked, boundary, &simulated.entries));
    }
    let mut reservations: Vec<Diagnosis> = Vec::new();
    if is_bare {
        reservations.push(RoleHasNoPermissions { role: asked.clone() }.into());
    }
    let has_some = attached.is_some_and(|it| !it.entries.is_empty())
        || inline.is_some_and(|it| !it.entries.is_empty())
        || simulated.is_some_and(|it| it.entries.iter().any(|it| it.decision == Decision::Allowed));
    if !has_some {
        let unknown = aws.attached.as_ref().err().map(|unknown| (ATTACHED, unknown));
        let unknown = unknown.or_else(|| Some((INLINE, aws.inline.as_ref().err()?)));
        reservations.extend(unknown.map(|(what, unknown)| incomplete(asked, what, unknown).into()));
    }
    if let Some(Err(unknown)) = &aws.simulation {
        reservations.push(incomplete(asked, SIMULATION, unknown).into());
    }
    let unclear = simulated.and_then(|it| {
        let other = it.entries.iter().find_map(|it| match &it.decision {
            Decision::Other(code) => {
                Some(IamErrorKind::Refused { code: code.clone(), message: String::new(), status: 200 })
            }
            Decision::Allowed | Decision::ImplicitDeny | Decision::ExplicitDeny => None,
        });
        other.or((!it.is_complete).then_some(IamErrorKind::Truncated))
    });
    if let Some(why) = unclear {
        let unknown = IamError { permission: Permission::SimulatePrincipalPolicy, kind: why };
        reservations.push(incomplete(asked, SIMULATION, &unknown).into());
    }
    let permissions = Permissions {
        attached: attached.map(|it| it.entries.iter().map(|policy| policy.name.clone()).collect()),
        inline: inline.map(|it| it.entries.clone()),
        simulated: simulated.map(|it| it.entries.clone()).unwrap_or_default(),
    };
    let mut found = found.into_iter();
    match found.next() {
        Some(gravest) => {
            Findings { verdict: Verdict::Fail(gravest), others: found.chain(reservations).collect() }
        }
        None => Findings { verdict: Verdict::holds(permissions, reservations), others: Vec::new() },
    }
}

/// Why an action is forbidden.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DenialSource {
    Denied,
    Boundary,
    Organization,
    NotGranted,
}

/// A diagnosis for each reason for which actions are forbidden.
fn denials(role: &RoleArn, boundary: Option<String>, simulated: &[SimulatedDecision]) -> Vec<Diagnosis> {
    let of = |ban: DenialSource| {
        let actions: Vec<SimulatedDecision> =
            simulated.iter().filter(|it| denial_source(it) == Some(ban)).cloned().collect();
        let found = ForbiddenActions { role: role.clone(), boundary: boundary.clone(), actions };
        (!found.actions.is_empty()).then_some(found)
    };
    let all: [Option<Diagnosis>; 4] = [
        of(DenialSource::Denied).map(|it| ActionDenied(it).into()),
        of(DenialSource::Organization).map(|it| ActionOutsideOrganization(it).into()),
        of(DenialSource::Boundary).map(|it| ActionOutsideBoundary(it).into()),
        of(DenialSource::NotGranted).map(|it| ActionNotGranted(it).into()),
    ];
    all.into_iter().flatten().collect()
}

/// Why this one is forbidden, if it is. A denial of the organisation's or the boundary's has no statement of
/// the role's own policies beside it.
fn denial_source(it: &SimulatedDecision) -> Option<DenialSource> {
    let outside = match (it.organization_allows, it.boundary_allows) {
        (Some(false), _) => Some(DenialSource::Organization),
        (_, Some(false)) => Some(DenialSource::Boundary),
        _ => None,
    };
    match it.decision {
        Decision::ExplicitDeny if it.matched.is_empty() => Some(outside.unwrap_or(DenialSource::Denied)),
        Decision::ExplicitDeny => Some(DenialSource::Denied),
        Decision::ImplicitDeny => Some(outside.unwrap_or(DenialSource::NotGranted)),
        Decision::Allowed | Decision::Other(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{RoleMetadata, RoleQuery, judge_account, judge_permissions};
    use crate::audit::iam::IamSnapshot;
    use crate::audit::inputs::policy::TrustPolicyInput;
    use crate::aws::iam::{
        AttachedPolicy, Decision, IamError, IamErrorKind, MatchedPolicy, PagedList, Permission, Role,
        SimulatedDecision,
    };
    use crate::aws::operator::NoCredentials;
    use crate::aws::sts::StsCaller;
    use crate::diagnosis::Name;
    use crate::run::Verdict;
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
        Role {
            arn: arn.to_owned(),
            trust_policy: "%7B%7D".to_owned(),
            max_session_seconds: Some(3600),
            boundary_arn: None,
            created: None,
            last_used: None,
        }
    }

    fn whole<T>(entries: Vec<T>) -> PagedList<T> {
        PagedList { entries, is_complete: true }
    }

    fn unknown(permission: Permission, why: IamErrorKind) -> IamError {
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
            attached: Ok(whole(vec![AttachedPolicy { name: "read".to_owned(), arn: None }])),
            inline: Ok(whole(Vec::new())),
            simulation: None,
        }
    }

    fn name<T>(verdict: &Verdict<T>) -> Vec<Name> {
        match verdict {
            Verdict::Pass(_) => Vec::new(),
            Verdict::Warn(_, warnings) => warnings.iter().map(|it| it.name()).collect(),
            Verdict::Fail(diagnosis) => vec![diagnosis.name()],
        }
    }

    #[test]
    fn whose_the_credentials_are() {
        let asked = arn::parse(ARN).unwrap();
        let with = |edit: &dyn Fn(&mut IamSnapshot)| {
            let mut aws = healthy();
            edit(&mut aws);
            judge_account(&asked, &aws).map(|verdict| name(&verdict))
        };
        let lost = || Err(unknown(Permission::GetCallerIdentity, IamErrorKind::TimedOut));
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
                    Err(unknown(Permission::GetRole, IamErrorKind::OtherAccount("444455556666".to_owned())));
            }),
            Some(vec![Name::AuditWrongAccount])
        );
        assert_eq!(
            with(&|aws| {
                aws.caller = Err(unknown(Permission::GetCallerIdentity, none()));
                aws.role = Err(unknown(Permission::GetRole, none()));
            }),
            Some(vec![Name::AuditIncomplete])
        );
        // That IAM may not be read is told of the role.
        assert_eq!(
            with(&|aws| {
                aws.caller = lost();
                aws.role = Err(unknown(Permission::GetRole, IamErrorKind::Denied(String::new())));
            }),
            None
        );
    }

    #[test]
    fn whether_the_role_is_there() {
        let (asked, needed) = (arn::parse(ARN).unwrap(), needed_policy());
        let of = RoleQuery { role: &asked, service_account: None, needed: Some(&needed) };
        let with_path = "arn:aws:iam::111122223333:role/team/payments-checkout";
        for (told, expected) in [
            (Ok(Some(role(ARN))), vec![]),
            (Ok(Some(role(with_path))), vec![Name::RoleNotFound]),
            (Ok(None), vec![Name::RoleNotFound]),
            (
                Err(unknown(Permission::GetRole, IamErrorKind::Denied("no".to_owned()))),
                vec![Name::AuditIncomplete],
            ),
        ] {
            assert_eq!(name(&of.judge_iam(&told)), expected, "{told:?}");
        }
        assert!(
            matches!(of.judge_iam(&Ok(Some(role(ARN)))), Verdict::Pass(found) if found.document == "{}"),
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
            let role = RoleMetadata { arn: arn.map(str::to_owned), ..RoleMetadata::default() };
            let given = TrustPolicyInput { document: String::new(), role };
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
    fn a_simulation_has_one_diagnosis() {
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
    fn several_actions_are_told_by_what_forbids_them() {
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
        let further: Vec<Name> = judged.others.iter().map(|it| it.name()).collect();
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
    fn a_role_without_policies_is_only_told_where_that_is_sure() {
        let asked = arn::parse(ARN).unwrap();
        let none = || Ok(whole(Vec::new()));
        for (attached, expected) in [
            (none(), vec![Name::RoleHasNoPermissions]),
            (Ok(PagedList { entries: Vec::new(), is_complete: false }), vec![]),
            (
                Err(unknown(Permission::ListAttachedRolePolicies, IamErrorKind::TimedOut)),
                vec![Name::AuditIncomplete],
            ),
        ] {
            let aws = IamSnapshot { attached, ..healthy() };
            assert_eq!(name(&judge_permissions(&asked, &aws).verdict), expected);
        }
    }
}
