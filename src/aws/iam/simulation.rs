//! What IAM's simulation says a role is allowed.

use aws_sdk_iam::types;

use crate::wire::MatchedPolicy;

/// What a simulation says of one action on one resource.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedDecision {
    pub action: String,
    /// The resource, `*` if any.
    pub(crate) resource: String,
    pub decision: Decision,
    /// The policies whose statements decided. With an explicit deny only those that deny.
    pub matched: Vec<MatchedPolicy>,
    /// The context keys that the policies read, and of which the simulation knows nothing.
    pub missing_context: Vec<String>,
    /// Whether the permissions boundary allows it, if the role has one.
    pub boundary_allows: Option<bool>,
    /// Whether the organization's policies allow it, if the account is in one. Where several resources
    /// were asked about at once, whether they allow it for all.
    pub organization_allows: Option<bool>,
}

/// What a simulation comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    ImplicitDeny,
    ExplicitDeny,
    /// Another one, that this version does not know.
    Other(String),
}

/// One result for each resource. IAM used to give each a result of its own, and now gives one for all with
/// theirs in it. (Source: the IAM API reference, `EvaluationResult`.)
pub(super) fn simulated(result: types::EvaluationResult) -> Vec<SimulatedDecision> {
    let boundary = |detail: Option<types::PermissionsBoundaryDecisionDetail>| {
        detail.map(|detail| detail.allowed_by_permissions_boundary)
    };
    let action = result.eval_action_name;
    let organization_allows =
        result.organizations_decision_detail.map(|detail| detail.allowed_by_organizations);
    let boundary_allows = boundary(result.permissions_boundary_decision_detail);
    match result.resource_specific_results.filter(|results| !results.is_empty()) {
        None => vec![SimulatedDecision {
            action,
            resource: result.eval_resource_name.unwrap_or_else(|| "*".to_owned()),
            decision: decision(&result.eval_decision),
            matched: matched(result.matched_statements),
            missing_context: result.missing_context_values.unwrap_or_default(),
            boundary_allows,
            organization_allows,
        }],
        Some(results) => {
            let of_resource = |result: types::ResourceSpecificResult| SimulatedDecision {
                action: action.clone(),
                resource: result.eval_resource_name,
                decision: decision(&result.eval_resource_decision),
                matched: matched(result.matched_statements),
                missing_context: result.missing_context_values.unwrap_or_default(),
                boundary_allows: boundary(result.permissions_boundary_decision_detail).or(boundary_allows),
                organization_allows,
            };
            results.into_iter().map(of_resource).collect()
        }
    }
}

fn decision(decision: &types::PolicyEvaluationDecisionType) -> Decision {
    match decision.as_str() {
        "allowed" => Decision::Allowed,
        "implicitDeny" => Decision::ImplicitDeny,
        "explicitDeny" => Decision::ExplicitDeny,
        other => Decision::Other(other.to_owned()),
    }
}

fn matched(statements: Option<Vec<types::Statement>>) -> Vec<MatchedPolicy> {
    let mut policies: Vec<MatchedPolicy> = Vec::new();
    for statement in statements.unwrap_or_default() {
        let kind = statement.source_policy_type.map(|kind| kind.as_str().to_owned());
        let found = MatchedPolicy { policy: statement.source_policy_id.unwrap_or_default(), kind };
        if !policies.contains(&found) {
            policies.push(found);
        }
    }
    policies
}
