//! The pod carries a web identity: both variables are there.

use std::path::PathBuf;

use crate::diagnosis::identity::{
    NotInjected, PodIdentityOnly, RoleArnVarEmpty, RoleArnVarMissing, TokenFileVarEmpty, TokenFileVarMissing,
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
    let of_pod = (pod.variable(ROLE_ARN), pod.raw_variable(TOKEN_FILE).map(PathBuf::from));
    let role_arn = wanted.role_arn.clone().or_else(|| of_pod.0.clone());
    let token_file = wanted.token_file.clone().or_else(|| of_pod.1.clone());
    if role_arn.as_ref().is_some_and(String::is_empty) {
        return Verdict::fail(RoleArnVarEmpty);
    }
    if token_file.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
        return Verdict::fail(TokenFileVarEmpty);
    }
    match (role_arn, token_file) {
        (Some(role_arn), Some(token_file)) => Verdict::Pass(WebIdentity { role_arn, token_file }),
        // One half by a flag alone says nothing of what the pod was given.
        (Some(_), None) if of_pod.0.is_some() => Verdict::fail(TokenFileVarMissing),
        (None, Some(_)) if of_pod.1.is_some() => Verdict::fail(RoleArnVarMissing),
        _ => absent(pod, api_claims),
    }
}

fn absent(pod: &Pod, api_claims: Option<&Claims>) -> Verdict<WebIdentity> {
    if let Some(variable) = CONTAINER_CREDENTIALS.into_iter().find(|name| pod.filled(name).is_some()) {
        return Verdict::fail(PodIdentityOnly { variable });
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
        let role = || Wanted { role_arn: Some("a".to_owned()), ..Wanted::default() };
        let flags = || Wanted { token_file: Some("/t".into()), ..role() };
        let none = Wanted::default;
        let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials");
        let (arn, file) = (("AWS_ROLE_ARN", "a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"));
        let (no_arn, no_file) = (("AWS_ROLE_ARN", ""), ("AWS_WEB_IDENTITY_TOKEN_FILE", ""));
        for (variables, wanted, expected) in [
            (&[][..], none(), Some("NotInjected")),
            (&[], role(), Some("NotInjected")),
            (&[], flags(), None),
            (&[uri], none(), Some("PodIdentityOnly")),
            (&[arn], none(), Some("TokenFileVarMissing")),
            (&[file], none(), Some("RoleArnVarMissing")),
            (&[file], role(), None),
            (&[no_arn], none(), Some("RoleArnVarEmpty")),
            (&[no_file], none(), Some("TokenFileVarEmpty")),
            (&[no_arn, file], none(), Some("RoleArnVarEmpty")),
            (&[arn, no_file], none(), Some("TokenFileVarEmpty")),
            (&[arn, file, uri], none(), None),
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
