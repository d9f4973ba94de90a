//! The answer to `trust-policy` in its public form.

use iam_trust::arn::RoleArn;

use super::json;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::aws_cli::{NeededWithCommands, needed_with_commands};
use crate::text::sanitize;
use crate::token::Claims;
use crate::wire;

/// What AWS must have so that a token with these claims gets the role.
pub(crate) fn to_wire<'a>(
    role: &RoleArn,
    claims: &Claims,
    warnings: impl Iterator<Item = &'a Diagnosis>,
) -> wire::Needs {
    let NeededWithCommands { trust_policy, oidc_provider, commands } =
        needed_with_commands(&claims.request(role));
    wire::Needs {
        schema: wire::TRUST_POLICY_SCHEMA.to_owned(),
        role_arn: sanitize(&role.text),
        trust_policy: serde_json::to_value(trust_policy).unwrap_or_default(),
        oidc_provider: wire::OidcProvider {
            arn: oidc_provider.arn,
            url: oidc_provider.url,
            client_id: oidc_provider.client_id,
        },
        commands: wire::Commands {
            show_trust_policy: commands.show_trust_policy,
            show_oidc_provider: commands.show_oidc_provider,
            create_oidc_provider: commands.create_oidc_provider,
            add_client_id_to_oidc_provider: commands.add_client_id_to_oidc_provider,
        },
        warnings: warnings.map(|found| json::diagnosis(found, found.remedy())).collect(),
    }
}

/// Why the needs of a token are not known.
pub(crate) fn failure_to_wire(diagnosis: &Diagnosis) -> wire::NeedsFailure {
    wire::NeedsFailure {
        schema: wire::TRUST_POLICY_SCHEMA.to_owned(),
        diagnosis: json::diagnosis(diagnosis, diagnosis.remedy()),
    }
}
