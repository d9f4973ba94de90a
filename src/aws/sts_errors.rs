//! What the errors of STS mean, and those that IAM has in common with it: by the code, and by words of the message
//! where one code has several meanings.
//!
//! Source of the words: messages that STS was seen to send, of today and of earlier years.

/// What AWS says with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// There are too many requests.
    Throttled,
    RegionNotActivated,
    /// The policy of the VPC endpoint denies the call.
    DeniedByVpcEndpoint,
    /// A service or resource control policy of the organization denies the call.
    DeniedByOrganization,
    /// The call is denied; STS does not say by what.
    AccessDenied,
    Expired,
    IssuerUnreachable,
    /// The role's account has no OIDC provider for the issuer.
    NoProvider,
    /// The provider does not list the token's audience.
    Audience,
    /// The issuer's certificate does not match the provider's thumbprints.
    Thumbprint,
    /// STS could not get the key that signed the token.
    VerificationKey,
    NotAJwt,
    /// The token lacks a claim, which [`missing_claim`] names.
    ClaimMissing,
    /// The token is rejected; STS does not say why.
    TokenRejected,
    /// The role ARN is malformed.
    RoleArn,
    /// The token does not satisfy the constraints on the parameter.
    TokenParameter,
    /// The session's name, length or policy is not accepted.
    SessionParameters,
    /// The request was signed by a clock that is wrong.
    SignatureTime,
    /// The credentials that signed the request are not accepted.
    CredentialsRejected,
    /// The request has no signature, or one that is incomplete.
    SignatureMissing,
}

impl Meaning {
    /// Whether STS rejected the token, for whatever reason.
    pub(crate) fn is_about_token(self) -> bool {
        matches!(
            self,
            Self::NoProvider
                | Self::Audience
                | Self::Thumbprint
                | Self::VerificationKey
                | Self::NotAJwt
                | Self::ClaimMissing
                | Self::TokenRejected
        )
    }

    /// Whether the call is denied, by whatever policy.
    pub(crate) fn is_access_denied(self) -> bool {
        matches!(self, Self::AccessDenied | Self::DeniedByVpcEndpoint | Self::DeniedByOrganization)
    }

    /// Whether the credentials of a signed request are not accepted, whatever they would allow.
    pub(crate) fn is_about_credentials(self) -> bool {
        matches!(
            self,
            Self::CredentialsRejected | Self::Expired | Self::SignatureTime | Self::SignatureMissing
        )
    }
}

/// What stands before the name of a claim that the token lacks.
const CLAIM_MISSING: &str = "missing a required claim:";

/// Codes without the suffix `Exception`, words of the message in lower case, and the meaning. The first row that fits
/// counts. Source of the throttling codes: those that botocore and the AWS SDK for Go retry as throttling. Source of the
/// codes about signatures: the common errors of the IAM and STS API references.
const ERRORS: [(&[&str], &str, Meaning); 27] = [
    (&["Throttling", "Throttled", "RequestLimitExceeded", "TooManyRequests"], "", Meaning::Throttled),
    (&["RegionDisabled"], "", Meaning::RegionNotActivated),
    (&["AccessDenied"], "vpc endpoint policy", Meaning::DeniedByVpcEndpoint),
    (&["AccessDenied"], "service control policy", Meaning::DeniedByOrganization),
    (&["AccessDenied"], "resource control policy", Meaning::DeniedByOrganization),
    (&["AccessDenied"], "", Meaning::AccessDenied),
    (&["ExpiredToken"], "", Meaning::Expired),
    (&["IDPCommunicationError"], "", Meaning::IssuerUnreachable),
    (&["InvalidIdentityToken"], "no openidconnect provider found", Meaning::NoProvider),
    (&["InvalidIdentityToken"], "retrieve verification key", Meaning::VerificationKey),
    (&["InvalidIdentityToken"], "thumbprint", Meaning::Thumbprint),
    (&["InvalidIdentityToken"], "not a valid jwt", Meaning::NotAJwt),
    (&["InvalidIdentityToken"], CLAIM_MISSING, Meaning::ClaimMissing),
    (&["InvalidIdentityToken"], "incorrect token audience", Meaning::Audience),
    (&["InvalidIdentityToken"], "", Meaning::TokenRejected),
    (&["ValidationError", "Validation"], "request arn is invalid", Meaning::RoleArn),
    (&["ValidationError", "Validation"], "'rolearn'", Meaning::RoleArn),
    (&["ValidationError", "Validation"], "'webidentitytoken'", Meaning::TokenParameter),
    (&["ValidationError", "Validation"], "rolesessionname", Meaning::SessionParameters),
    (&["ValidationError", "Validation"], "durationseconds", Meaning::SessionParameters),
    (&["ValidationError", "Validation"], "'policy'", Meaning::SessionParameters),
    (&["MalformedPolicyDocument", "PackedPolicyTooLarge"], "", Meaning::SessionParameters),
    (&["RequestExpired", "RequestTimeTooSkewed"], "", Meaning::SignatureTime),
    (&["SignatureDoesNotMatch"], "signature expired", Meaning::SignatureTime),
    (&["SignatureDoesNotMatch"], "not yet current", Meaning::SignatureTime),
    (
        &["SignatureDoesNotMatch", "InvalidClientTokenId", "UnrecognizedClient"],
        "",
        Meaning::CredentialsRejected,
    ),
    (&["AuthFailure", "IncompleteSignature", "MissingAuthenticationToken"], "", Meaning::SignatureMissing),
];

/// The meaning of an error, if it is a known one.
pub(crate) fn meaning(code: &str, message: &str) -> Option<Meaning> {
    let code = code.strip_suffix("Exception").unwrap_or(code);
    let message = message.to_ascii_lowercase();
    let row = ERRORS.iter().find(|(codes, words, _)| codes.contains(&code) && message.contains(words));
    row.map(|(_, _, meaning)| *meaning)
}

/// The claim that a token lacks, by the message of [`Meaning::ClaimMissing`].
pub(crate) fn missing_claim(message: &str) -> &str {
    let start = message.to_ascii_lowercase().find(CLAIM_MISSING).map(|at| at + CLAIM_MISSING.len());
    start.and_then(|start| message.get(start..)).unwrap_or_default().trim()
}
