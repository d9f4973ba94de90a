//! Judges what IAM says of the role: whether the credentials are of its account, whether it exists, and what
//! it may do.

use super::iam::AwsSide;
use super::printed::url_decoded;
use crate::aws::arn::RoleArn;
use crate::aws::iam::{Decision, Known, Permission, Role, Simulated, Unknown, Why};
use crate::aws::sts::Caller;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::audit::{AuditIncomplete, AuditWrongAccount};
use crate::diagnosis::role::{
    ActionDenied, ActionNotGranted, ActionOutsideBoundary, ActionOutsideOrganization, Forbidden,
    RoleHasNoPermissions, RoleNotFound, decision,
};
use crate::evidence::Evidence;
use crate::run::{Observed, Verdict};
use crate::shown::utc;
use crate::token::ServiceAccount;
use crate::trust_policy::TrustPolicy;

/// What the role and its trust policy are called where they are not known.
pub const ROLE: &str = "the role and its trust policy";
/// What the simulation is called where it is not known.
const SIMULATION: &str = "what the role may do";

/// The credentials are of the role's account, as far as that is known.
#[derive(Debug, Clone)]
pub struct OwnAccount(Option<Caller>);

impl Observed for OwnAccount {
    fn evidence(&self) -> Evidence {
        let caller = self.0.as_ref();
        Evidence::new()
            .text_if("account", caller.map(|it| it.account.as_str()))
            .text_if("caller", caller.map(|it| it.arn.as_str()))
    }
}

/// Whether the credentials are of the role's account.
#[must_use]
pub fn judge_account(asked: &RoleArn, aws: &AwsSide) -> Verdict<OwnAccount> {
    let other = |account: &str, caller: Option<&Caller>| {
        let (role, account, caller) = (asked.clone(), account.to_owned(), caller.cloned());
        Verdict::fail(AuditWrongAccount { role, account, caller })
    };
    match (&aws.caller, &aws.role) {
        (Ok(caller), _) if caller.account != asked.account => other(&caller.account, Some(caller)),
        (Ok(caller), _) => Verdict::Pass(OwnAccount(Some(caller.clone()))),
        (_, Err(Unknown { why: Why::OtherAccount(account), .. })) => other(account, None),
        (Err(unknown), Err(_)) if is_of_credentials(&unknown.why) => {
            Verdict::fail(AuditIncomplete::untold(ROLE, asked, unknown))
        }
        (Err(_), _) => Verdict::Pass(OwnAccount(None)),
    }
}

/// Whether nothing at all can be asked.
fn is_of_credentials(why: &Why) -> bool {
    matches!(why, Why::NoCredentials(_) | Why::CredentialsRejected { .. })
}

/// The role, as IAM has it.
#[derive(Debug, Clone)]
pub struct FoundRole {
    /// What IAM says of it.
    pub role: Role,
    /// Its trust policy.
    pub document: String,
}

impl Observed for FoundRole {
    fn evidence(&self) -> Evidence {
        let Role { arn, max_session, boundary, created, last_used, .. } = &self.role;
        let evidence = Evidence::new().text("found_role_arn", arn);
        let evidence = match max_session {
            Some(seconds) => evidence.value("max_session_seconds", *seconds),
            None => evidence,
        };
        evidence
            .text_if("permissions_boundary", boundary.as_deref())
            .text_if("created", created.map(utc).as_deref())
            .text_if("last_used", last_used.as_ref().map(|(at, _)| utc(*at)).as_deref())
    }
}

/// Whether the role exists, and its trust policy is known.
#[must_use]
pub fn judge_role(
    asked: &RoleArn,
    service_account: Option<&ServiceAccount>,
    needed: &TrustPolicy,
    role: &Known<Option<Role>>,
) -> Verdict<FoundRole> {
    let not_found = |other: Option<&str>| {
        Verdict::fail(RoleNotFound {
            role: asked.clone(),
            other: other.map(str::to_owned),
            service_account: service_account.cloned(),
            trust_policy: needed.clone(),
        })
    };
    match role {
        Err(unknown) => Verdict::fail(AuditIncomplete::untold(ROLE, asked, unknown)),
        Ok(None) => not_found(None),
        Ok(Some(role)) if role.arn != asked.text => not_found(Some(&role.arn)),
        Ok(Some(role)) => match &role.trust_policy {
            Some(document) => {
                Verdict::Pass(FoundRole { role: role.clone(), document: url_decoded(document) })
            }
            None => {
                let why = Why::Refused { code: "no trust policy".to_owned(), message: String::new(), status: 200 };
                let unknown = Unknown { permission: Permission::GetRole, why };
                Verdict::fail(AuditIncomplete::untold(ROLE, asked, &unknown))
            }
        },
    }
}

/// What the role may do, as far as it is known.
#[derive(Debug, Clone)]
pub struct Permissions {
    attached: Option<Vec<String>>,
    inline: Option<Vec<String>>,
    simulated: Vec<Simulated>,
}

impl Observed for Permissions {
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
        let told = |it: &Simulated| format!("{} on {}: {}", it.action, it.resource, decision(&it.decision));
        let simulated: Vec<String> = self.simulated.iter().map(told).collect();
        let keys: Vec<&String> = self.simulated.iter().flat_map(|it| &it.missing_context).collect();
        evidence.texts("simulated", &simulated).texts("missing_context", &keys)
    }
}

/// What the role may do: the reservations, or what it may not of what it should, the gravest first.
#[must_use]
pub fn judge_permissions(asked: &RoleArn, aws: &AwsSide) -> (Verdict<Permissions>, Vec<Diagnosis>) {
    let attached = aws.attached.as_ref().ok();
    let inline = aws.inline.as_ref().ok();
    let simulated = aws.simulation.as_ref().and_then(|it| it.as_ref().ok());
    let is_bare = attached.is_some_and(|it| it.is_whole && it.entries.is_empty())
        && inline.is_some_and(|it| it.is_whole && it.entries.is_empty());
    let boundary = aws.role.as_ref().ok().and_then(|role| role.as_ref()?.boundary.clone());
    let mut found = Vec::new();
    if let Some(simulated) = simulated {
        found.extend(forbidden(asked, boundary, &simulated.entries));
    }
    let mut reservations: Vec<Diagnosis> = Vec::new();
    if is_bare {
        reservations.push(RoleHasNoPermissions { role: asked.clone() }.into());
    }
    if let Some(Err(unknown)) = &aws.simulation {
        reservations.push(AuditIncomplete::untold(SIMULATION, asked, unknown).into());
    }
    let unclear = simulated.into_iter().flat_map(|it| &it.entries).find_map(|it| match &it.decision {
        Decision::Other(code) => Some(code.clone()),
        Decision::Allowed | Decision::ImplicitDeny | Decision::ExplicitDeny => None,
    });
    if let Some(code) = unclear {
        let why = Why::Refused { code, message: String::new(), status: 200 };
        let unknown = Unknown { permission: Permission::SimulatePrincipalPolicy, why };
        reservations.push(AuditIncomplete::untold(SIMULATION, asked, &unknown).into());
    }
    let permissions = Permissions {
        attached: attached.map(|it| it.entries.iter().map(|policy| policy.name.clone()).collect()),
        inline: inline.map(|it| it.entries.clone()),
        simulated: simulated.map(|it| it.entries.clone()).unwrap_or_default(),
    };
    let mut found = found.into_iter();
    match found.next() {
        Some(gravest) => (Verdict::Fail(gravest), found.chain(reservations).collect()),
        None => (Verdict::holds(permissions, reservations), Vec::new()),
    }
}

/// Why an action is forbidden.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ban {
    Denied,
    Boundary,
    Organization,
    NotGranted,
}

/// A diagnosis for each reason for which actions are forbidden.
fn forbidden(role: &RoleArn, boundary: Option<String>, simulated: &[Simulated]) -> Vec<Diagnosis> {
    let of = |ban: Ban| {
        let actions: Vec<Simulated> = simulated.iter().filter(|it| ban_of(it) == Some(ban)).cloned().collect();
        let found = Forbidden { role: role.clone(), boundary: boundary.clone(), actions };
        (!found.actions.is_empty()).then_some(found)
    };
    let all: [Option<Diagnosis>; 4] = [
        of(Ban::Denied).map(|it| ActionDenied(it).into()),
        of(Ban::Organization).map(|it| ActionOutsideOrganization(it).into()),
        of(Ban::Boundary).map(|it| ActionOutsideBoundary(it).into()),
        of(Ban::NotGranted).map(|it| ActionNotGranted(it).into()),
    ];
    all.into_iter().flatten().collect()
}

/// Why this one is forbidden, if it is. A denial of the organisation's or the boundary's has no statement of
/// the role's own policies beside it.
fn ban_of(it: &Simulated) -> Option<Ban> {
    let outside = match (it.organization_allows, it.boundary_allows) {
        (Some(false), _) => Some(Ban::Organization),
        (_, Some(false)) => Some(Ban::Boundary),
        _ => None,
    };
    match it.decision {
        Decision::ExplicitDeny if it.matched.is_empty() => Some(outside.unwrap_or(Ban::Denied)),
        Decision::ExplicitDeny => Some(Ban::Denied),
        Decision::ImplicitDeny => Some(outside.unwrap_or(Ban::NotGranted)),
        Decision::Allowed | Decision::Other(_) => None,
    }
}
