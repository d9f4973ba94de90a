//! What the report of `audit` has beside the checks.

use serde_json::Value;

use super::wire;

wire! {
    /// What an audit found beside its checks.
    pub struct Audit {
        /// The source of each value that the audit is about: a flag, the token, the report, the pod, the
        /// service account or the role. Null if it is not known which role is requested for whom.
        pub sources: Option<Sources>,
        /// The role's trust policy. Null if it is not known or is not JSON.
        pub trust_policy: Option<TrustPolicy>,
        /// The result of IAM's simulator for each --action. It does not know resource-based policies and
        /// resource control policies.
        pub simulation: Vec<SimulatedAction>,
        /// What could not be read. The rest was judged.
        pub not_known: Vec<Unknown>,
        /// What to know about the input.
        pub notes: Vec<String>,
    }

    /// The source of each value that the audit is about.
    pub struct Sources {
        /// The source of the role's ARN.
        pub role_arn: String,
        /// The source of the token's issuer.
        pub issuer: String,
        /// The source of the token's subject.
        pub subject: String,
        /// The source of the token's audience.
        pub audience: String,
    }

    /// The role's trust policy.
    pub struct TrustPolicy {
        /// The policy as it is.
        pub document: Value,
        /// The policy line by line, with > before what decides against the token.
        #[schemars(inner(regex(pattern = r"^[> ] ")))]
        pub marked: Vec<String>,
        /// The whole policy with the least change that gives the role to the token, if there is one.
        #[schemars(with = "Option<serde_json::Map<String, Value>>")]
        pub corrected: Option<Value>,
        /// What the correction changes, line by line, with + and -.
        pub diff: Option<String>,
    }

    /// The result of IAM's simulator for one action on one resource.
    pub struct SimulatedAction {
        /// The action.
        pub action: String,
        /// The resource.
        pub resource: String,
        /// IAM's decision: allowed, implicitDeny or explicitDeny.
        pub decision: String,
        /// The policies that decided.
        pub policies: Vec<MatchedPolicy>,
        /// Condition keys that a policy reads and that the simulator had no value for.
        pub missing_context: Vec<String>,
        /// Whether the role's permissions boundary allows the action. Null if there is no boundary.
        pub boundary_allows: Option<bool>,
        /// Whether the organization's service control policies allow the action, on all resources. Null if the
        /// account is in no organization.
        pub organization_allows: Option<bool>,
    }

    /// A policy that decided a simulation.
    pub struct MatchedPolicy {
        /// The policy's id.
        pub policy: String,
        /// The policy's kind, as IAM names it.
        pub kind: Option<String>,
    }

    /// Something that could not be read.
    pub struct Unknown {
        /// What is not known.
        pub what: String,
        /// Why it is not known.
        pub because: String,
        /// The permission that is missing, if that is the reason.
        #[schemars(regex(pattern = r"^(iam|sts):[A-Za-z]+$"))]
        pub permission: Option<String>,
    }
}
