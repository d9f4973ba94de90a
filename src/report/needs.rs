//! The answer to `trust-policy` in its public form.

use iam_trust::arn::RoleArn;
use iam_trust::{Needed, needed};

use super::json;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::aws_cli::commands;
use crate::text::sanitize;
use crate::token::Claims;
use crate::wire;

/// What AWS must have so that a token with these claims gets the role.
pub(crate) fn to_wire<'a>(
    role: &RoleArn,
    claims: &Claims,
    warnings: impl Iterator<Item = &'a Diagnosis>,
) -> wire::Needs {
    let request = claims.request(role);
    let Needed { trust_policy, oidc_provider } = needed(&request);
    wire::Needs {
        schema: wire::TRUST_POLICY_SCHEMA.to_owned(),
        role_arn: sanitize(&role.text),
        trust_policy: serde_json::to_value(trust_policy).unwrap_or_default(),
        oidc_provider: wire::OidcProvider {
            arn: oidc_provider.arn,
            url: oidc_provider.url,
            client_id: oidc_provider.client_id,
        },
        commands: commands(&request),
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
