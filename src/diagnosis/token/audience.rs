//! The token's audience is not the one that STS accepts.

use super::USE_THE_WEBHOOK;
use crate::diagnosis::Entry;
use crate::evidence::Evidence;
use crate::text::{sanitize, shell_quote};
use iam_trust::USUAL_AUDIENCE;

/// Whether an audience looks like the usual one with an error, or like another one of AWS.
pub(crate) fn is_near_usual(audience: &str) -> bool {
    let audience = audience.to_ascii_lowercase();
    audience.contains("amazon") || audience.starts_with("sts.")
}

/// The token has another audience than `--expect-audience` names.
#[derive(Debug, Clone)]
pub struct TokenAudienceUnexpected {
    pub(crate) found: Vec<String>,
    pub(crate) expected: String,
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
        vec![
            set_audience(&self.expected),
            "If the token's audience is meant, correct --expect-audience or IRSA_PROBE_EXPECT_AUDIENCE of irsa-probe."
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().texts("audience", &self.found).text("expected_audience", &self.expected)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiTokenSource {
    /// It is in the token file, and STS was not called yet.
    InFile,
    RefusedBySts,
    /// It was given to an audit, and no known provider lists its audience.
    GivenToAudit,
}

/// The token is the pod's token for the Kubernetes API.
#[derive(Debug, Clone)]
pub struct TokenIsApiToken {
    pub(crate) audience: Vec<String>,
    pub(crate) source: ApiTokenSource,
}

impl Entry for TokenIsApiToken {
    fn cause(&self) -> String {
        let audience = list(&self.audience);
        let verdict = match self.source {
            ApiTokenSource::GivenToAudit => {
                return format!(
                    "The token that is audited is one for the Kubernetes API (audience {audience}), not one for STS: \
                     the ordinary token of a pod. STS can only accept it if the OIDC provider lists that audience."
                );
            }
            ApiTokenSource::RefusedBySts => "STS refused it.",
            ApiTokenSource::InFile => "STS can only accept it if the OIDC provider lists that audience.",
        };
        format!(
            "AWS_WEB_IDENTITY_TOKEN_FILE points at a token for the Kubernetes API (audience {audience}), not at \
             one for STS. {verdict}"
        )
    }

    fn remedy(&self) -> Vec<String> {
        if self.source == ApiTokenSource::GivenToAudit {
            return steps![
                "If another token was meant, audit that: the one in the file that AWS_WEB_IDENTITY_TOKEN_FILE of the \
                 pod names, usually /var/run/secrets/eks.amazonaws.com/serviceaccount/token.",
                format!("If that file holds this token: {USE_THE_WEBHOOK}")
            ];
        }
        steps![
            USE_THE_WEBHOOK,
            "If the variable is set on purpose, let it name the token for STS, usually \
             /var/run/secrets/eks.amazonaws.com/serviceaccount/token."
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().texts("audience", &self.audience)
    }
}

/// The audience is probably a mistake.
#[derive(Debug, Clone)]
pub struct TokenAudienceUnusual {
    pub(crate) audience: Vec<String>,
    /// A sentence about the audience that was probably meant.
    pub(crate) hint: &'static str,
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
        if self.audience.iter().any(|audience| is_near_usual(audience)) {
            return vec![set_audience(USUAL_AUDIENCE)];
        }
        let audience = self.audience.first().map(String::as_str).unwrap_or_default();
        vec![
            format!(
                "If the audience is meant, and assume-role passes, add --expect-audience {} to the check. Nothing else \
                 must change.",
                shell_quote(audience)
            ),
            format!("If it is not meant: {}", set_audience(USUAL_AUDIENCE)),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().texts("audience", &self.audience)
    }
}
