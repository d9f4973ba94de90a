//! The answer to `chain`.

use super::report::{Diagnosis, Target};
use super::{CHAIN_SCHEMA, wire};

wire! {
    /// The credentials that each AWS SDK takes in a pod.
    pub struct ChainReport {
        /// The name and version of this form.
        #[schemars(extend("const" = CHAIN_SCHEMA))]
        pub schema: String,
        /// The process whose variables and files were read instead of this container's own; see --pid.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Target")]
        pub target: Option<Target>,
        /// The choice of each SDK.
        pub sdks: Vec<SdkChoice>,
        /// The SDKs that the application has.
        pub found: Vec<FoundSdk>,
        /// What ended the search for SDKs early.
        pub search_stopped_by: Option<String>,
        /// What IMDS offers to the pod.
        pub node_role: NodeRole,
    }

    /// The choice of one SDK.
    pub struct SdkChoice {
        /// The SDK's id.
        pub sdk: String,
        /// The SDK's name.
        pub name: String,
        /// The source of the credentials that it takes.
        pub picks: String,
        /// Why it takes them.
        pub because: String,
        /// The version whose rules were applied.
        pub rules_of: String,
        /// Whether the rules were recorded from the running SDK.
        pub was_run: bool,
    }

    /// An SDK that the application has.
    pub struct FoundSdk {
        /// The SDK's id.
        pub sdk: String,
        /// The SDK's version.
        pub version: Option<String>,
        /// Where it was found.
        pub place: String,
        /// Whether its module for STS is there, where that is a separate one.
        pub sts_module: Option<bool>,
    }

    /// What IMDS offers to the pod.
    pub struct NodeRole {
        /// Whether the pod can get the credentials of the node's role.
        pub reachable: bool,
        /// IMDSv2, or IMDSv1 if only calls without a session token are answered.
        pub by: Option<String>,
        /// The node's role.
        pub role: Option<String>,
        /// The endpoint of IMDS.
        pub endpoint: Option<String>,
        /// Why the role cannot be reached.
        pub why_not: Option<String>,
    }

    /// Why the choices of the SDKs are not known.
    pub struct ChainFailure {
        /// The name and version of this form.
        #[schemars(extend("const" = CHAIN_SCHEMA))]
        pub schema: String,
        /// Always empty.
        #[schemars(length(max = 0))]
        pub sdks: Vec<SdkChoice>,
        /// The reason.
        pub diagnosis: Diagnosis,
    }
}
