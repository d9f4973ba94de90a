//! The token is a service account token for STS.

use crate::checks::token_file::TokenFile;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::token::{
    ApiTokenSource, TokenAudienceUnexpected, TokenAudienceUnusual, TokenFromAnotherPod, TokenIsApiToken,
};
use crate::evidence::{Evidence, HasEvidence};
use crate::run::Verdict;
use crate::text::format_utc;
use crate::token::{Claims, Token, TokenFault, is_for_the_api};

impl HasEvidence for Token {
    fn evidence(&self) -> Evidence {
        let claims = &self.claims;
        let account = claims.service_account();
        Evidence::new()
            .text("issuer", &claims.issuer)
            .text("subject", &claims.subject)
            .text_if("namespace", account.as_ref().map(|account| account.namespace.as_str()))
            .text_if("service_account", account.as_ref().map(|account| account.name.as_str()))
            .texts("audience", &claims.audience)
            .text_if("key_id", claims.key_id.as_deref())
            .text("algorithm", &claims.algorithm)
            .text_if("pod", claims.bound.pod.as_deref())
            .text_if("node", claims.bound.node.as_deref())
            .value("issued_at", format_utc(claims.issued_at))
            .value("expires_at", format_utc(claims.expires_at))
    }
}

/// Decodes the token.
///
/// # Errors
/// STS could not accept such a token.
pub(crate) fn observe(file: &TokenFile) -> Result<Token, TokenFault> {
    Token::decode(file.text.expose())
}

/// Judges the claims. Unless the user expects an audience, the usual one is expected.
pub(crate) fn judge(
    decoded: Result<Token, TokenFault>,
    api_claims: Option<&Claims>,
    usual_audience: &str,
    expect_audience: Option<&str>,
) -> Verdict<Token> {
    let token = match decoded {
        Ok(token) => token,
        Err(fault) => return Verdict::fail(fault),
    };
    let audience = &token.claims.audience;
    if let Some(expected) = expect_audience
        && !audience.iter().any(|found| found == expected)
    {
        let (found, expected) = (audience.clone(), expected.to_owned());
        return Verdict::fail(TokenAudienceUnexpected { found, expected });
    }
    let mut warnings: Vec<Diagnosis> = Vec::new();
    if is_for_the_api(&token.claims.audience) {
        warnings.push(TokenIsApiToken { audience: audience.clone(), source: ApiTokenSource::InFile }.into());
    } else if expect_audience.is_none()
        && let Some(hint) = audience_hint(audience, usual_audience)
    {
        warnings.push(TokenAudienceUnusual { audience: audience.clone(), hint }.into());
    }
    if let Some((token_pod, this_pod)) = differing_pods(&token.claims, api_claims) {
        warnings.push(TokenFromAnotherPod { token_pod, this_pod }.into());
    }
    Verdict::holds(token, warnings)
}

/// Judges the audience of another pod's token. A token for the Kubernetes API is meant for STS only if a provider
/// `lists` its audience.
///
/// # Errors
/// The token is not meant for STS.
pub(crate) fn judge_audience(audience: &[String], lists: bool) -> Result<(), Diagnosis> {
    if is_for_the_api(audience) && !lists {
        let (audience, seen) = (audience.to_vec(), ApiTokenSource::GivenToAudit);
        return Err(TokenIsApiToken { audience, source: seen }.into());
    }
    Ok(())
}

/// What an audience other than the usual one probably means.
fn audience_hint(audience: &[String], usual: &str) -> Option<&'static str> {
    if audience.iter().any(|found| found == usual) {
        return None;
    }
    let first = audience.first().map(String::as_str).unwrap_or_default();
    let bare = first.trim().trim_start_matches("https://").trim_end_matches('/').to_ascii_lowercase();
    Some(match bare.as_str() {
        "sts.amazon.com" | "sts.amazonaws" | "amazonaws.com" | "sts.aws.com" | "sts.amazonaws.co" => {
            "It looks like a slip for sts.amazonaws.com."
        }
        "sts.amazonaws.com.cn" => "In China, too, the usual audience is sts.amazonaws.com.",
        "pods.eks.amazonaws.com" => "That is the audience of EKS Pod Identity's tokens, not of IRSA's.",
        "sts.amazonaws.com" => {
            "It is sts.amazonaws.com with something around it, and IAM compares letter by letter."
        }
        bare if bare.starts_with("sts.") && bare.contains("amazonaws.com") => {
            "It is a region's STS host; the usual audience is sts.amazonaws.com in every region."
        }
        _ => "The usual audience is sts.amazonaws.com.",
    })
}

/// The pods that the two tokens name, if they differ.
fn differing_pods(
    claims: &Claims,
    api_claims: Option<&Claims>,
) -> Option<((String, String), (String, String))> {
    let pod = |claims: &Claims| Some((claims.bound.pod.clone()?, claims.bound.pod_uid.clone()?));
    let (token_pod, this_pod) = (pod(claims)?, pod(api_claims?)?);
    (token_pod.1 != this_pod.1).then_some((token_pod, this_pod))
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::run::Verdict;
    use crate::token::{Claims, Token, decode};
    use iam_trust::USUAL_AUDIENCE;

    const PROJECTED: &str = include_str!("../../tests/recorded/projected-token.jwt");
    const API: &str = include_str!("../../tests/recorded/default-api-token.jwt");
    const POD_IDENTITY: &str = include_str!("../../tests/recorded/tokenrequest-pod-identity.jwt");
    const SLIP: &str = include_str!("../../tests/recorded/tokenrequest-wrong-audience.jwt");
    const TWO: &str = include_str!("../../tests/recorded/tokenrequest-two-audiences.jwt");
    const LEGACY: &str = include_str!("../../tests/recorded/legacy-secret-token.jwt");

    fn names(text: &str, api: Option<&Claims>, expect: Option<&str>) -> Vec<&'static str> {
        match judge(Token::decode(text), api, USUAL_AUDIENCE, expect) {
            Verdict::Pass(_) => vec![],
            Verdict::Warn(_, warnings) => warnings.iter().map(|warning| warning.name().as_str()).collect(),
            Verdict::Fail(diagnosis) => vec!["fails", diagnosis.name().as_str()],
        }
    }

    #[test]
    fn recorded_tokens() {
        let api = decode(API).unwrap();
        let mut other = api.clone();
        other.bound.pod_uid = Some("another".to_owned());
        for (token, api, expect, expected) in [
            (PROJECTED, Some(&api), None, vec![]),
            (PROJECTED, Some(&other), None, vec!["TokenFromAnotherPod"]),
            (PROJECTED, None, Some("sts.amazonaws.com"), vec![]),
            (PROJECTED, None, Some("vault"), vec!["fails", "TokenAudienceUnexpected"]),
            (TWO, Some(&api), None, vec![]),
            (TWO, Some(&api), Some("vault"), vec![]),
            (API, Some(&api), None, vec!["TokenIsApiToken"]),
            (POD_IDENTITY, None, None, vec!["TokenAudienceUnusual"]),
            (SLIP, None, None, vec!["TokenAudienceUnusual"]),
            (SLIP, None, Some("sts.amazon.com"), vec![]),
            (LEGACY, None, None, vec!["fails", "TokenIsLegacySecret"]),
        ] {
            assert_eq!(names(token, api, expect), expected);
        }
    }
}
