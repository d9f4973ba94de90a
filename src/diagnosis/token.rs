//! What the token says, and when.

use std::time::{Duration, SystemTime};

use super::{Diagnosis, Entry};
use crate::evidence::Evidence;
use crate::text::{sanitize, shell_quote, span, utc};
use crate::token::{ALGORITHMS, ServiceAccount, TokenFault};

const LET_THE_WEBHOOK: &str = "Remove AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN from the pod spec, and let \
    the service account's annotation inject them together with the right token.";

/// The command that shows the API server's clock beside the node's.
const COMPARE_CLOCKS: &str = "Compare the node's clock with a clock that is right, and mend its time service:\n\
    kubectl debug node/NODE -it --image=busybox -- date -u";

/// Why a text is no JWT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwtFault {
    /// The number of parts, where a signed JWT has three.
    Parts(usize),
    /// A part is not base64url.
    NotBase64(&'static str),
    /// A part is not a JSON object.
    NotJson(&'static str),
    /// STS said so, although it looks like one; STS's words.
    SaysSts(String),
}

/// The file's content is no token.
#[derive(Debug, Clone)]
pub struct TokenNotAJwt {
    /// Why not.
    pub fault: JwtFault,
}

impl Entry for TokenNotAJwt {
    fn cause(&self) -> String {
        let fault = match &self.fault {
            JwtFault::Parts(1) => "it has no dots, where a signed JWT has three parts between two".to_owned(),
            JwtFault::Parts(parts) => format!("it has {parts} parts, and a signed JWT has three"),
            JwtFault::NotBase64(part) => format!("its {part} is not base64url"),
            JwtFault::NotJson(part) => format!("its {part} is not a JSON object"),
            JwtFault::SaysSts(message) => format!("STS answered \"{}\"", sanitize(message)),
        };
        format!("The token file does not hold a JSON Web Token: {fault}.")
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            LET_THE_WEBHOOK.to_owned(),
            "If something else writes the file, let it write the token and nothing more: no quotes, no \
             \"Bearer\", no second line, no path in place of the token."
                .to_owned(),
        ]
    }
}

/// The token of a Secret, from before tokens were projected.
#[derive(Debug, Clone)]
pub struct TokenIsLegacySecret {
    /// Whose token it is.
    pub service_account: Option<ServiceAccount>,
}

impl Entry for TokenIsLegacySecret {
    fn cause(&self) -> String {
        "This is the token of a service-account-token Secret. It has no audience, never expires, and \
         names \"kubernetes/serviceaccount\" as its issuer, which no OIDC provider can match: STS cannot \
         accept it."
            .to_owned()
    }

    fn remedy(&self) -> Vec<String> {
        vec![LET_THE_WEBHOOK.to_owned(), super::identity::delete_pod(self.service_account.as_ref(), None)]
    }
}

/// A claim that STS requires is not there, or not usable.
#[derive(Debug, Clone)]
pub struct TokenClaimMissing {
    /// The claim.
    pub claim: String,
    /// What type it should have, if it is there with another.
    pub should_be: Option<&'static str>,
}

impl Entry for TokenClaimMissing {
    fn cause(&self) -> String {
        let claim = sanitize(&self.claim);
        let what = self.should_be.map_or_else(
            || format!("has no \"{claim}\" claim"),
            |kind| format!("has a \"{claim}\" claim that is not {kind}"),
        );
        format!(
            "The token {what}, and STS accepts none without it. The API server puts iss, sub, aud, iat \
             and exp into every token it projects, so this one was made by something else."
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            LET_THE_WEBHOOK.to_owned(),
            "If another issuer makes the tokens, let it add the claim.".to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("claim", &self.claim)
    }
}

/// Signed by a method that IAM does not take.
#[derive(Debug, Clone)]
pub struct TokenAlgorithmUnsupported {
    /// The header's `alg`.
    pub algorithm: String,
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
        vec![
            "On EKS: remove what replaced the projected token; EKS signs by RS256.".to_owned(),
            "On a cluster of your own: give the API server an RSA or ECDSA key \
             (--service-account-signing-key-file)."
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("algorithm", &self.algorithm)
    }
}

/// Not the audience that `--expect-audience` names.
#[derive(Debug, Clone)]
pub struct TokenAudienceUnexpected {
    /// The token's audience.
    pub found: Vec<String>,
    /// The expected one.
    pub expected: String,
}

fn list(texts: &[String]) -> String {
    texts.iter().take(8).map(|text| format!("\"{}\"", sanitize(text))).collect::<Vec<_>>().join(", ")
}

fn set_audience(audience: &str) -> String {
    format!(
        "Set the audience on the service account, or remove the annotation to have the usual one, \
         and delete the pod:\n\
         kubectl -n NAMESPACE annotate --overwrite serviceaccount SERVICE_ACCOUNT eks.amazonaws.com/audience={}",
        shell_quote(audience)
    )
}

impl Entry for TokenAudienceUnexpected {
    fn cause(&self) -> String {
        format!(
            "The token is meant for {}, and the audience \"{}\" was expected.",
            list(&self.found),
            sanitize(&self.expected)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![set_audience(&self.expected)]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().texts("audience", &self.found).text("expected_audience", &self.expected)
    }
}

/// How it is known that a token is one for the Kubernetes API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiTokenSeen {
    /// It lies in the file, and STS was not asked yet.
    InFile,
    /// STS refused it.
    Refused,
    /// An audit was told of it, and no provider is known to list its audience.
    Handed,
}

/// The pod's ordinary API token, where the projected one belongs.
#[derive(Debug, Clone)]
pub struct TokenIsApiToken {
    /// The token's audience.
    pub audience: Vec<String>,
    /// How that is known.
    pub seen: ApiTokenSeen,
}

impl Entry for TokenIsApiToken {
    fn cause(&self) -> String {
        let audience = list(&self.audience);
        let verdict = match self.seen {
            ApiTokenSeen::Handed => {
                return format!(
                    "The token that is audited is one for the Kubernetes API (audience {audience}), not one for STS: \
                     the ordinary token of a pod. STS can only accept it if the OIDC provider lists that audience."
                );
            }
            ApiTokenSeen::Refused => "STS refused it.",
            ApiTokenSeen::InFile => "STS can only accept it if the OIDC provider lists that audience.",
        };
        format!(
            "AWS_WEB_IDENTITY_TOKEN_FILE points at a token for the Kubernetes API (audience {audience}), not at \
             one for STS. {verdict}"
        )
    }

    fn remedy(&self) -> Vec<String> {
        if self.seen == ApiTokenSeen::Handed {
            return vec![
                "If another token was meant, audit that: the one in the file that AWS_WEB_IDENTITY_TOKEN_FILE of the \
                 pod names, usually /var/run/secrets/eks.amazonaws.com/serviceaccount/token."
                    .to_owned(),
                format!("If that file holds this token: {LET_THE_WEBHOOK}"),
            ];
        }
        vec![
            LET_THE_WEBHOOK.to_owned(),
            "The right token is usually at:\n/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().texts("audience", &self.audience)
    }
}

/// An audience that is probably a slip.
#[derive(Debug, Clone)]
pub struct TokenAudienceUnusual {
    /// The token's audience.
    pub audience: Vec<String>,
    /// What it probably should have been.
    pub hint: &'static str,
}

impl Entry for TokenAudienceUnusual {
    fn cause(&self) -> String {
        format!(
            "The token is meant for {}. {} It works only if the OIDC provider lists that audience and the \
             role's trust policy names it.",
            list(&self.audience),
            self.hint
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![set_audience("sts.amazonaws.com")]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().texts("audience", &self.audience)
    }
}

/// The token is bound to another pod than this one.
#[derive(Debug, Clone)]
pub struct TokenFromAnotherPod {
    /// The pod in the token, and its uid.
    pub token_pod: (String, String),
    /// The pod in the API token, and its uid.
    pub this_pod: (String, String),
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
        vec![LET_THE_WEBHOOK.to_owned()]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("token_pod", &self.token_pod.0)
            .text("token_pod_uid", &self.token_pod.1)
            .text("pod", &self.this_pod.0)
            .text("pod_uid", &self.this_pod.1)
    }
}

/// Whose clock shows that the token has expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpiryWitness {
    /// STS refused it for that; its words.
    Sts(String),
    /// STS's clock shows it, although STS refused the token for another reason, or accepted it.
    StsClock,
    /// Only this container's clock shows it.
    OwnClock,
}

/// The token has expired.
#[derive(Debug, Clone)]
pub struct TokenExpired {
    /// When it expired.
    pub expired_at: SystemTime,
    /// When it was issued.
    pub issued_at: SystemTime,
    /// The time by the witness's clock.
    pub now: SystemTime,
    /// Whose clock shows it.
    pub witness: ExpiryWitness,
}

impl Entry for TokenExpired {
    fn cause(&self) -> String {
        let witness = match &self.witness {
            ExpiryWitness::Sts(message) => format!("STS refused it: \"{}\".", sanitize(message)),
            ExpiryWitness::StsClock => "STS's clock shows the same.".to_owned(),
            ExpiryWitness::OwnClock => {
                "Only this container's clock says so; STS was not asked or gave no time.".to_owned()
            }
        };
        let (expires_at, issued_at) = (utc(self.expired_at), utc(self.issued_at));
        match self.now.duration_since(self.expired_at) {
            Ok(ago) => format!(
                "The token expired at {expires_at}, {} ago; it was issued at {issued_at}. {witness} The kubelet \
                 replaces a projected token at 80 % of its life, so either the kubelet of this node no longer does, \
                 or the file is a copy.",
                span(ago)
            ),
            Err(_) => format!(
                "{witness} By what the token says it is valid until {expires_at}; it was issued at {issued_at}, and \
                 STS may think that too long ago."
            ),
        }
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            "See whether the node's kubelet works and reaches the API server:\nkubectl get node NODE -o wide\n\
             kubectl -n NAMESPACE get events --field-selector involvedObject.name=POD"
                .to_owned(),
            "If AWS_WEB_IDENTITY_TOKEN_FILE names a copied file, point it at the projected one.".to_owned(),
            super::identity::delete_pod(None, None),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().value("expires_at", utc(self.expired_at)).value("now", utc(self.now))
    }
}

/// The token is not valid yet.
#[derive(Debug, Clone)]
pub struct TokenNotYetValid {
    /// From when on it is valid.
    pub valid_from: SystemTime,
    /// The time, by STS's clock or else this container's.
    pub now: SystemTime,
    /// Whether that is STS's clock.
    pub by_sts: bool,
}

impl Entry for TokenNotYetValid {
    fn cause(&self) -> String {
        format!(
            "The token is valid from {} on, and {} clock shows {}: {}.",
            utc(self.valid_from),
            if self.by_sts { "STS's" } else { "this container's" },
            utc(self.now),
            if self.by_sts {
                "the clock of the API server that issued it is ahead"
            } else {
                "either the clock of this node is behind, or that of the API server is ahead"
            }
        )
    }

    fn remedy(&self) -> Vec<String> {
        if self.by_sts {
            vec![
                "Look at the clock of the API server, in the headers of its answers, and mend it; then delete the \
                 pod:\nkubectl get --raw /version -v=8 2>&1 | grep -i 'date:'\nkubectl -n NAMESPACE delete pod POD"
                    .to_owned(),
            ]
        } else {
            vec![COMPARE_CLOCKS.to_owned()]
        }
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().value("valid_from", utc(self.valid_from)).value("now", utc(self.now))
    }
}

/// The kubelet should have replaced the token by now.
#[derive(Debug, Clone)]
pub struct TokenNotRotated {
    /// When it was issued.
    pub issued_at: SystemTime,
    /// When it should have been replaced.
    pub due_at: SystemTime,
    /// When it expires.
    pub expires_at: SystemTime,
}

impl Entry for TokenNotRotated {
    fn cause(&self) -> String {
        format!(
            "The token was issued at {}, and the kubelet should have replaced it by {}. If nothing does, it \
             stops working at {}.",
            utc(self.issued_at),
            utc(self.due_at),
            utc(self.expires_at)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            "See whether the node's kubelet works and reaches the API server:\nkubectl get node NODE -o wide\n\
             kubectl -n NAMESPACE get events --field-selector involvedObject.name=POD"
                .to_owned(),
            "If the token file is a copy or a subPath mount, mount the projected volume itself: the kubelet \
             updates nothing else."
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().value("rotation_due_at", utc(self.due_at))
    }
}

/// This container's clock and STS's differ too much.
#[derive(Debug, Clone)]
pub struct ClockSkewed {
    /// This container's clock.
    pub local: SystemTime,
    /// STS's clock at the same moment.
    pub server: SystemTime,
    /// What STS refused for it, if it did.
    pub refusal: Option<String>,
}

impl ClockSkewed {
    /// How far the clocks are apart, and whether the local one is ahead.
    #[must_use]
    pub fn skew(&self) -> (Duration, bool) {
        match self.local.duration_since(self.server) {
            Ok(ahead) => (ahead, true),
            Err(behind) => (behind.duration(), false),
        }
    }
}

impl Entry for ClockSkewed {
    fn cause(&self) -> String {
        let (skew, ahead) = self.skew();
        let refusal = self.refusal.as_ref().map_or_else(
            || "Tokens look expired or not yet valid, and AWS refuses requests signed with it.".to_owned(),
            |message| format!("STS refused the request for it: \"{}\".", sanitize(message)),
        );
        format!(
            "The clock of this node is {} {}: it shows {}, STS's shows {}. {refusal}",
            span(skew),
            if ahead { "ahead" } else { "behind" },
            utc(self.local),
            utc(self.server)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            COMPARE_CLOCKS.to_owned(),
            "On EC2, let the node use the Amazon Time Sync Service (chrony, server 169.254.169.123)."
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        let (skew, ahead) = self.skew();
        let seconds = i64::try_from(skew.as_secs()).unwrap_or(i64::MAX);
        Evidence::new()
            .value("clock_ahead_seconds", if ahead { seconds } else { -seconds })
            .value("local_time", utc(self.local))
            .value("sts_time", utc(self.server))
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
                TokenClaimMissing { claim: claim.to_owned(), should_be: None }.into()
            }
            TokenFault::ClaimMistyped(claim, kind) => {
                TokenClaimMissing { claim: claim.to_owned(), should_be: Some(kind) }.into()
            }
            TokenFault::Algorithm(algorithm) => TokenAlgorithmUnsupported { algorithm }.into(),
        }
    }
}
