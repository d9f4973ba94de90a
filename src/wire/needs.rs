//! The answer to `trust-policy`.

use serde_json::Value;

use super::report::Diagnosis;
use super::{TRUST_POLICY_SCHEMA, wire};

wire! {
    /// What AWS must have so that a pod's token gets the role.
    pub struct Needs {
        /// The name and version of this form.
        #[schemars(extend("const" = TRUST_POLICY_SCHEMA))]
        pub schema: String,
        /// The role.
        pub role_arn: String,
        /// The role's trust policy: exactly what this token needs, and no more.
        pub trust_policy: Value,
        /// The OIDC provider in the role's account.
        pub oidc_provider: OidcProvider,
        /// The commands that show and create them.
        pub commands: Commands,
        /// What is unusual about the token.
        pub warnings: Vec<Diagnosis>,
    }

    /// The OIDC provider that a token needs.
    pub struct OidcProvider {
        /// The ARN.
        pub arn: String,
        /// The URL that it is registered for: the token's issuer.
        pub url: String,
        /// The client id that it must list: the token's audience.
        pub client_id: String,
    }

    /// Commands that show what exists, and one that creates what does not. None overwrites anything.
    pub struct Commands {
        /// Shows the role's trust policy.
        pub show_trust_policy: String,
        /// Shows the provider and its client ids.
        pub show_oidc_provider: String,
        /// Creates the provider.
        pub create_oidc_provider: String,
        /// Adds the audience to a provider that lacks it.
        pub add_client_id_to_oidc_provider: String,
    }

    /// Why the needs of a token are not known.
    pub struct NeedsFailure {
        /// The name and version of this form.
        #[schemars(extend("const" = TRUST_POLICY_SCHEMA))]
        pub schema: String,
        /// The reason.
        pub diagnosis: Diagnosis,
    }
}
