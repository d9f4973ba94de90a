//! What is wrong with the content of the token.

mod audience;
mod lifetime;

pub(crate) use audience::{
    ApiTokenSource, TokenAudienceUnexpected, TokenAudienceUnusual, TokenIsApiToken, is_near_usual,
};
pub(crate) use lifetime::{ClockSkewed, ExpiryWitness, TokenExpired, TokenNotRotated, TokenNotYetValid};

use super::{Catalogued, Diagnosis, Entry, Owner};
use crate::evidence::Evidence;
use crate::text::sanitize;
use crate::token::{ALGORITHMS, ServiceAccount, TokenFault};
use iam_trust::issuer::eks_region;

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
    /// STS says so, though the token is well formed.
    RejectedBySts { message: String, algorithm: String, issuer: String },
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
            JwtFault::RejectedBySts { message, algorithm, issuer } => {
                let suspect = if algorithm == EKS_ALGORITHM {
                    format!(" It is signed with {EKS_ALGORITHM}, as the tokens of EKS are.")
                } else {
                    format!(
                        " Suspect first the algorithm of its signature, {}. AWS documents it as supported, but there \
                         are reports that STS refuses such tokens. Tokens of EKS are signed with {EKS_ALGORITHM}.",
                        sanitize(algorithm)
                    )
                };
                return format!(
                    "STS answered \"{}\", although the token is a well-formed JWT of the issuer {}.{suspect}",
                    sanitize(message),
                    sanitize(issuer)
                );
            }
        };
        format!("The token file does not hold a JSON Web Token: {fault}.")
    }

    fn remedy(&self) -> Vec<String> {
        match &self.fault {
            JwtFault::RejectedBySts { algorithm, .. } if algorithm == EKS_ALGORITHM => steps![
                "Check what issues the token. STS accepts only an ID token, such as the token that the API server \
                 projects for a service account, and no access token.",
                USE_THE_WEBHOOK
            ],
            JwtFault::RejectedBySts { issuer, .. } => sign_with_rsa(Some(issuer)),
            _ => steps![
                USE_THE_WEBHOOK.to_owned(),
                "If something else writes the file, let it write the token and nothing more: no quotes, no \
                 \"Bearer\", no second line, no path in place of the token."
            ],
        }
    }

    fn evidence(&self) -> Evidence {
        match &self.fault {
            JwtFault::RejectedBySts { algorithm, issuer, .. } => {
                Evidence::new().text("algorithm", algorithm).text("issuer", issuer)
            }
            _ => Evidence::new(),
        }
    }

    fn owner(&self) -> Owner {
        match &self.fault {
            JwtFault::RejectedBySts { .. } => Owner::Cluster,
            _ => self.name().owner(),
        }
    }
}

/// The algorithm of the tokens of EKS.
const EKS_ALGORITHM: &str = "RS256";

/// The steps that make an issuer sign with RSA. A token of EKS has RSA already, so another token took its place.
fn sign_with_rsa(issuer: Option<&str>) -> Vec<String> {
    if issuer.is_some_and(|issuer| eks_region(issuer).is_some()) {
        return steps![
            format!(
                "Find what replaced the token that the API server projects, and remove it. EKS signs with {EKS_ALGORITHM}:\n\
                 kubectl -n NAMESPACE get pod POD -o jsonpath='{{range .spec.initContainers[*]}}{{.name}} {{.env}} {{.envFrom}}{{\"\\n\"}}{{end}}{{range .spec.containers[*]}}{{.name}} {{.env}} {{.envFrom}}{{\"\\n\"}}{{end}}'"
            ),
            super::identity::delete_pod(None, None)
        ];
    }
    steps![
        "Set an RSA key to sign service account tokens: --service-account-signing-key-file of the API server. If another \
         issuer makes the tokens, such as Nomad, rotate its keys to RS256.",
        "Publish the public key of the new key in the issuer's key set (jwks_uri), beside the old one. The API server shows \
         its keys:\n\
         kubectl get --raw /openid/v1/jwks",
        super::identity::delete_pod(None, None).replacen("Delete the pod", "Then delete the pod", 1)
    ]
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
        steps![USE_THE_WEBHOOK, super::identity::delete_pod(self.service_account.as_ref(), None)]
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
        steps![USE_THE_WEBHOOK, "If another issuer makes the tokens, let it add the claim."]
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
    pub(crate) issuer: Option<String>,
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
        sign_with_rsa(self.issuer.as_deref())
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("algorithm", &self.algorithm).text_if("issuer", self.issuer.as_deref())
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
            TokenFault::Algorithm { algorithm, issuer } => {
                TokenAlgorithmUnsupported { algorithm, issuer }.into()
            }
        }
    }
}
