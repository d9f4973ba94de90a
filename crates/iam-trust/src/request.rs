//! The request context: which condition keys an `AssumeRoleWithWebIdentity` call has, and their values.
//!
//! Source of the keys: "Keys available for AWS web identity federation" and "AWS global condition context
//! keys" in the IAM User Guide.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{issuer_without_scheme, provider_arn};
use crate::arn::RoleArn;

/// The action of the call.
pub const ACTION: &str = "sts:AssumeRoleWithWebIdentity";

/// An `AssumeRoleWithWebIdentity` call, as far as it is known.
#[derive(Debug, Clone)]
pub struct Request {
    /// The requested role.
    pub role: RoleArn,
    /// The token's issuer.
    pub issuer: String,
    /// The token's subject.
    pub subject: String,
    /// The token's audiences.
    pub audience: Vec<String>,
    /// The session name, if known.
    pub session_name: Option<String>,
    /// The time of the call, if known.
    pub time: Option<SystemTime>,
    /// Further known keys in lower case, with their values. An empty list means that the key is absent.
    pub extra_keys: BTreeMap<String, Vec<String>>,
}

/// The value of a condition key in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyValue {
    /// The values of the key.
    Values(Vec<String>),
    /// The call does not have the key.
    Absent,
    /// The value is unknown; the reason.
    Unknown(&'static str),
}

/// Keys that the call does not have, by their availability in the User Guide. They describe callers with an AWS
/// identity, calls by a service, or parameters of other actions. `aws:PrincipalAccount`, `aws:PrincipalArn`,
/// `aws:PrincipalType` and `aws:userid` are missing here: their values in this call are not documented.
const NOT_THERE: [&str; 19] = [
    "aws:calledvia",
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalisawsservice",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:referer",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:tagkeys",
    "aws:tokenissuetime",
    "aws:username",
    "sts:awsservicename",
    "sts:durationseconds",
    "sts:externalid",
    "sts:sourceidentity",
    "sts:transitivetagkeys",
];

/// The name of the session, which each call has.
pub(crate) const ROLE_SESSION_NAME: &str = "sts:RoleSessionName";

/// Whether each call has a key, by its availability in the User Guide.
pub(crate) fn is_always_there(key: &str) -> bool {
    [ROLE_SESSION_NAME, "aws:RequestedRegion", "aws:UserAgent", "aws:userid", "aws:PrincipalAccount"]
        .into_iter()
        .chain(["aws:CurrentTime", "aws:EpochTime"])
        .any(|there| there.eq_ignore_ascii_case(key))
}

/// Claims of a Kubernetes token of which it is not documented whether IAM has a key for them. IAM has none for `iss`,
/// and tokens of Kubernetes have no others.
const CLAIMS_OF_KUBERNETES: [&str; 6] = ["exp", "iat", "nbf", "jti", "kubernetes.io", "oaud"];

impl Request {
    /// A call with a token of this issuer, subject and audience, without a session name.
    #[must_use]
    pub fn new(role: &RoleArn, issuer: &str, subject: &str, audience: &[String]) -> Self {
        Self {
            role: role.clone(),
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            audience: audience.to_vec(),
            session_name: None,
            time: None,
            extra_keys: BTreeMap::new(),
        }
    }

    /// The issuer as IAM writes it in condition keys and ARNs.
    #[must_use]
    pub fn provider(&self) -> &str {
        issuer_without_scheme(&self.issuer)
    }

    /// The ARN of the issuer's OIDC provider in the role's account.
    #[must_use]
    pub fn provider_arn(&self) -> String {
        provider_arn(&self.role, &self.issuer)
    }

    /// The value of a condition key. Keys are case-insensitive.
    #[must_use]
    pub fn value_of(&self, key: &str) -> KeyValue {
        let key = key.to_ascii_lowercase();
        if let Some(values) = self.extra_keys.get(&key) {
            return if values.is_empty() { KeyValue::Absent } else { KeyValue::Values(values.clone()) };
        }
        if let Some(claim) = self.claim_of(&key) {
            return match claim {
                "sub" => KeyValue::Values(vec![self.subject.clone()]),
                "aud" => match self.audience.as_slice() {
                    [] => KeyValue::Absent,
                    audience => KeyValue::Values(audience.to_vec()),
                },
                claim if CLAIMS_OF_KUBERNETES.contains(&claim) => {
                    KeyValue::Unknown("whether IAM passes on this claim is not documented")
                }
                _ => KeyValue::Absent,
            };
        }
        match key.as_str() {
            "sts:rolesessionname" => self
                .session_name
                .clone()
                .map_or(KeyValue::Unknown("the session's name is not known"), |name| {
                    KeyValue::Values(vec![name])
                }),
            "aws:currenttime" | "aws:epochtime" => {
                let since = self.time.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
                since.map_or(KeyValue::Unknown("when the call is made is not known"), |since: Duration| {
                    KeyValue::Values(vec![since.as_secs().to_string()])
                })
            }
            "aws:securetransport" => KeyValue::Values(vec!["true".to_owned()]),
            // "This key is always included in the request context", and is false "when the principal makes the
            // call directly".
            "aws:viaawsservice" => KeyValue::Values(vec!["false".to_owned()]),
            // STS's table of keys has them for AssumeRoleWithSAML only.
            key if key.starts_with("saml:") => KeyValue::Absent,
            // A token's tags and source identity are claims below https://aws.amazonaws.com/, which tokens of
            // Kubernetes do not have.
            key if ["aws:principaltag/", "aws:requesttag/"].iter().any(|tags| key.starts_with(tags)) => {
                KeyValue::Absent
            }
            key if NOT_THERE.contains(&key) => KeyValue::Absent,
            key if is_claim_of_another_provider(key) => KeyValue::Absent,
            _ => KeyValue::Unknown("nothing here says what the call has there"),
        }
    }

    /// The claim of this token that a key names.
    fn claim_of<'k>(&self, key: &'k str) -> Option<&'k str> {
        let (provider, claim) = key.rsplit_once(':')?;
        provider.eq_ignore_ascii_case(self.provider()).then_some(claim)
    }
}

/// Whether a key names a claim of another provider. A key with a whole URL or ARN counts: no call has it.
fn is_claim_of_another_provider(key: &str) -> bool {
    let Some((provider, _)) = key.rsplit_once(':') else { return false };
    let has_scheme = ["https://", "http://"].iter().any(|scheme| provider.starts_with(scheme));
    let host = provider.split('/').next().unwrap_or_default();
    has_scheme || provider.starts_with("arn:") || host.contains('.') && !host.contains(':')
}

/// Whether a key is the time of the call.
#[must_use]
pub fn is_time(key: &str) -> bool {
    ["aws:currenttime", "aws:epochtime"].iter().any(|time| time.eq_ignore_ascii_case(key))
}

/// The call of the service account `checkout` in the tests of this crate.
#[cfg(test)]
pub(crate) fn sample(role: &str) -> Request {
    Request::new(
        &crate::arn::parse(role).unwrap(),
        "https://oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C",
        "system:serviceaccount:payments:checkout",
        &["sts.amazonaws.com".to_owned()],
    )
}

#[cfg(test)]
mod tests {
    use super::{KeyValue, sample};

    #[test]
    fn what_is_known_of_a_key() {
        let request = sample("arn:aws:iam::111122223333:role/a");
        let provider = request.provider().to_owned();
        let key = |key: &str| request.value_of(key);
        let values = |value: &str| KeyValue::Values(vec![value.to_owned()]);
        assert_eq!(key(&format!("{provider}:sub")), values("system:serviceaccount:payments:checkout"));
        assert_eq!(key(&format!("{}:AUD", provider.to_lowercase())), values("sts.amazonaws.com"));
        assert_eq!(key("AWS:SecureTransport"), values("true"));
        assert_eq!(key("aws:ViaAWSService"), values("false"));
        for absent in [
            "aws:PrincipalOrgID",
            "aws:PrincipalTag/team",
            "sts:ExternalId",
            "aws:RequestTag/a.b",
            &format!("{provider}:iss"),
            &format!("{provider}:amr"),
            "SAML:aud",
            "token.actions.githubusercontent.com:sub",
            "accounts.google.com:email",
            &format!("https://{provider}:sub"),
            &format!("arn:aws:iam::111122223333:oidc-provider/{provider}:sub"),
            &format!("{provider}/:sub"),
        ] {
            assert_eq!(key(absent), KeyValue::Absent, "{absent}");
        }
        for unknown in [
            "",
            "sub",
            "aws:SourceIp",
            "aws:PrincipalAccount",
            "iam:ResourceTag/a.b:c",
            "sts:RoleSessionName",
            "aws:CurrentTime",
            "localhost:sub",
            &format!("{provider}:exp"),
        ] {
            assert!(matches!(key(unknown), KeyValue::Unknown(_)), "{unknown}");
        }
        let mut told = request.clone();
        told.extra_keys.insert("aws:sourceip".to_owned(), vec!["10.0.0.1".to_owned()]);
        told.extra_keys.insert("aws:sourcevpc".to_owned(), Vec::new());
        assert_eq!(told.value_of("aws:SourceIp"), values("10.0.0.1"));
        assert_eq!(told.value_of("aws:SourceVpc"), KeyValue::Absent);
    }
}
