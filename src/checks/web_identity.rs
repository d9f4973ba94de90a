//! The pod carries a web identity: both variables are there.

use std::path::PathBuf;

use crate::diagnosis::identity::{
    NotInjected, PodIdentityOnly, RoleArnUnexpected, RoleArnVarEmpty, RoleArnVarMissing, TokenFileVarEmpty,
    TokenFileVarMissing,
};
use crate::evidence::Evidence;
use crate::plan::Wanted;
use crate::pod::Pod;
use crate::run::{Observed, Verdict};
use crate::token::Claims;

/// The variable that names the role.
pub const ROLE_ARN: &str = "AWS_ROLE_ARN";
/// The variable that names the token's file.
pub const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
/// The variables that name container credentials instead, as EKS Pod Identity sets them.
pub const CONTAINER_CREDENTIALS: [&str; 2] =
    ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];

/// What makes an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebIdentity {
    /// The role, as it is written.
    pub role_arn: String,
    /// The token's file.
    pub token_file: PathBuf,
}

impl Observed for WebIdentity {
    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("role_arn", &self.role_arn)
            .text("token_file", &self.token_file.to_string_lossy())
    }
}

/// Judges the two variables, or what the flags say in their place.
#[must_use]
pub fn judge(pod: &Pod, wanted: &Wanted, api_claims: Option<&Claims>) -> Verdict<WebIdentity> {
    let role_arn = wanted.role_arn.clone().or_else(|| pod.variable(ROLE_ARN));
    let token_file = wanted.token_file.clone().or_else(|| pod.raw_variable(TOKEN_FILE).map(PathBuf::from));
    let (role_arn, token_file) = match (role_arn, token_file) {
        (None, None) => return absent(pod, api_claims),
        (None, Some(_)) => return Verdict::fail(RoleArnVarMissing),
        (Some(_), None) => return Verdict::fail(TokenFileVarMissing),
        (Some(role_arn), _) if role_arn.is_empty() => return Verdict::fail(RoleArnVarEmpty),
        (_, Some(token_file)) if token_file.as_os_str().is_empty() => {
            return Verdict::fail(TokenFileVarEmpty);
        }
        (Some(role_arn), Some(token_file)) => (role_arn, token_file),
    };
    match &wanted.expect_role_arn {
        Some(expected) if *expected != role_arn => {
            Verdict::fail(RoleArnUnexpected { found: role_arn, expected: expected.clone() })
        }
        _ => Verdict::Pass(WebIdentity { role_arn, token_file }),
    }
}

fn absent(pod: &Pod, api_claims: Option<&Claims>) -> Verdict<WebIdentity> {
    if let Some(uri) = CONTAINER_CREDENTIALS.iter().find_map(|name| pod.filled(name)) {
        return Verdict::fail(PodIdentityOnly { uri });
    }
    Verdict::fail(NotInjected {
        service_account: api_claims.and_then(Claims::service_account),
        pod: api_claims.and_then(|claims| claims.bound.pod.clone()).or_else(|| pod.filled("HOSTNAME")),
    })
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::plan::Wanted;
    use crate::pod::{Clock, Pod};
    use crate::run::Verdict;
    use std::time::SystemTime;

    #[test]
    fn each_combination_of_variables() {
        let expect = |arn: &str| Wanted { expect_role_arn: Some(arn.to_owned()), ..Wanted::default() };
        let flags =
            Wanted { role_arn: Some("a".to_owned()), token_file: Some("/t".into()), ..Wanted::default() };
        let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials");
        for (variables, wanted, expected) in [
            (&[][..], Wanted::default(), Some("NotInjected")),
            (&[], flags.clone(), None),
            (&[uri], Wanted::default(), Some("PodIdentityOnly")),
            (&[("AWS_ROLE_ARN", "a")], Wanted::default(), Some("TokenFileVarMissing")),
            (&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")], Wanted::default(), Some("RoleArnVarMissing")),
            (
                &[("AWS_ROLE_ARN", ""), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")],
                Wanted::default(),
                Some("RoleArnVarEmpty"),
            ),
            (
                &[("AWS_ROLE_ARN", "a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "")],
                Wanted::default(),
                Some("TokenFileVarEmpty"),
            ),
            (&[("AWS_ROLE_ARN", "a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), uri], Wanted::default(), None),
            (&[("AWS_ROLE_ARN", "a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")], expect("a"), None),
            (
                &[("AWS_ROLE_ARN", "a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")],
                expect("b"),
                Some("RoleArnUnexpected"),
            ),
        ] {
            let pod = Pod::recorded(variables.iter().copied(), Clock::Fixed(SystemTime::UNIX_EPOCH));
            let found = match judge(&pod, &wanted, None) {
                Verdict::Fail(diagnosis) => Some(diagnosis.name().as_str()),
                _ => None,
            };
            assert_eq!(found, expected, "{variables:?}");
        }
    }
}
