//! What is wrong with the content of the token.

mod audience;
mod lifetime;

pub(crate) use audience::{ApiTokenSource, TokenAudienceUnexpected, TokenAudienceUnusual, TokenIsApiToken};
pub(crate) use lifetime::{ClockSkewed, ExpiryWitness, TokenExpired, TokenNotRotated, TokenNotYetValid};

use super::{Diagnosis, Entry};
use crate::evidence::Evidence;
use crate::text::sanitize;
use crate::token::{ALGORITHMS, ServiceAccount, TokenFault};

const USE_THE_WEBHOOK: &str = "Remove AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN from the pod spec, and let \
    the service account's annotation inject them together with the right token.";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JwtFault {
    /// It has this number of parts; a signed JWT has three.
    Parts(usize),
    /// A part is not base64url.
    NotBase64(&'static str),
    /// A part is not a JSON object.
    NotJson(&'static str),
    RejectedBySts(String),
}

/// The content of the file is not a token.
#[derive(Debug, Clone)]
pub struct TokenNotAJwt {
    pub(crate) fault: JwtFault,
}

impl Entry for TokenNotAJwt {
    fn cause(&self) -> String {
        let fault = match &self.fault {
            JwtFault::Parts(1) => "it has no dots, where a signed JWT has three parts between two".to_owned(),
            JwtFault::Parts(parts) => format!("it has {parts} parts, and a signed JWT has three"),
            JwtFault::NotBase64(part) => format!("its {part} is not base64url"),
            JwtFault::NotJson(part) => format!("its {part} is not a JSON object"),
            JwtFault::RejectedBySts(message) => format!("STS answered \"{}\"", sanitize(message)),
        };
        format!("The token file does not hold a JSON Web Token: {fault}.")
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            USE_THE_WEBHOOK.to_owned(),
            "If something else writes the file, let it write the token and nothing more: no quotes, no \
             \"Bearer\", no second line, no path in place of the token."
        ]
    }
}

/// The token comes from a service account Secret.
#[derive(Debug, Clone)]
pub struct TokenIsLegacySecret {
    pub(crate) service_account: Option<ServiceAccount>,
}

impl Entry for TokenIsLegacySecret {
    fn cause(&self) -> String {
        "This is the token of a service-account-token Secret. It has no audience, never expires, and \
         names \"kubernetes/serviceaccount\" as its issuer, which no OIDC provider can match: STS cannot \
         accept it."
            .to_owned()
    }

    fn remedy(&self) -> Vec<String> {
        vec![USE_THE_WEBHOOK.to_owned(), super::identity::delete_pod(self.service_account.as_ref(), None)]
    }
}

/// A claim that STS requires is missing or has the wrong type.
#[derive(Debug, Clone)]
pub struct TokenClaimMissing {
    pub(crate) claim: String,
    /// The type that it should have, if it has another.
    pub(crate) expected_type: Option<&'static str>,
}

impl Entry for TokenClaimMissing {
    fn cause(&self) -> String {
        let claim = sanitize(&self.claim);
        let what = self.expected_type.map_or_else(
            || format!("has no \"{claim}\" claim"),
            |kind| format!("has a \"{claim}\" claim that is not {kind}"),
        );
        format!(
            "The token {what}, and STS accepts none without it. The API server puts iss, sub, aud, iat \
             and exp into every token it projects, so this one was made by something else."
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![USE_THE_WEBHOOK.to_owned(), "If another issuer makes the tokens, let it add the claim."]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("claim", &self.claim)
    }
}

/// The token is signed with an algorithm that IAM does not support.
#[derive(Debug, Clone)]
pub struct TokenAlgorithmUnsupported {
    /// The `alg` of the header.
    pub(crate) algorithm: String,
}

impl Entry for TokenAlgorithmUnsupported {
    fn cause(&self) -> String {
        format!(
            "The token is signed by \"{}\", and IAM takes only {} from an OIDC provider.",
            sanitize(&self.algorithm),
            ALGORITHMS.join(", ")
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "On EKS: remove what replaced the projected token; EKS signs by RS256.",
            "On a cluster of your own: give the API server an RSA or ECDSA key \
             (--service-account-signing-key-file)."
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("algorithm", &self.algorithm)
    }
}

#[derive(Debug, Clone)]
pub struct TokenFromAnotherPod {
    /// The name and uid of the pod in the token.
    pub(crate) token_pod: (String, String),
    /// The name and uid of the pod in the API token.
    pub(crate) this_pod: (String, String),
}

impl Entry for TokenFromAnotherPod {
    fn cause(&self) -> String {
        format!(
            "The token was issued to pod {} (uid {}), and this is pod {} (uid {}): the file was copied or \
             shared. It stops working when it expires, and nothing rotates it here.",
            sanitize(&self.token_pod.0),
            sanitize(&self.token_pod.1),
            sanitize(&self.this_pod.0),
            sanitize(&self.this_pod.1)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![USE_THE_WEBHOOK.to_owned()]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("token_pod", &self.token_pod.0)
            .text("token_pod_uid", &self.token_pod.1)
            .text("pod", &self.this_pod.0)
            .text("pod_uid", &self.this_pod.1)
    }
}

impl From<TokenFault> for Diagnosis {
    fn from(fault: TokenFault) -> Self {
        match fault {
            TokenFault::Parts(parts) => TokenNotAJwt { fault: JwtFault::Parts(parts) }.into(),
            TokenFault::NotBase64(part) => TokenNotAJwt { fault: JwtFault::NotBase64(part) }.into(),
            TokenFault::NotJson(part) => TokenNotAJwt { fault: JwtFault::NotJson(part) }.into(),
            TokenFault::LegacySecret { service_account } => TokenIsLegacySecret { service_account }.into(),
            TokenFault::ClaimMissing(claim) => {
                TokenClaimMissing { claim: claim.to_owned(), expected_type: None }.into()
            }
            TokenFault::ClaimMistyped(claim, kind) => {
                TokenClaimMissing { claim: claim.to_owned(), expected_type: Some(kind) }.into()
            }
            TokenFault::Algorithm(algorithm) => TokenAlgorithmUnsupported { algorithm }.into(),
        }
    }
}
