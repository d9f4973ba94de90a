//! The diagnosis of an error that STS returns.

use crate::aws::sts::Refusal;
use crate::aws::sts_errors::{Meaning, missing_claim};
use crate::checks::token_fresh::{CLOCK_LEEWAY, is_skewed};
use crate::diagnosis::Diagnosis;
use crate::diagnosis::oidc_provider::{OidcProviderAudienceMissing, OidcProviderMissing};
use crate::diagnosis::sts::{
    AssumeRoleNotAuthorized, CredentialsRejected, IdentityTokenRejected, IdpUnreachable,
    OrganizationPolicyDenied, RegionNotActivated, RequestRefused, RoleArnRejected, RoleRequest,
    SessionParametersRejected, StsFault, Throttled, ThumbprintMismatch, Unclassified,
    VerificationKeyUnavailable, VpcEndpointPolicyDenied,
};
use crate::diagnosis::token::{
    ApiTokenSource, ClockSkewed, ExpiryWitness, JwtFault, TokenClaimMissing, TokenExpired, TokenIsApiToken,
    TokenNotAJwt, TokenNotYetValid,
};
use crate::token::is_for_the_api;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StsCall {
    /// AssumeRoleWithWebIdentity.
    Assume,
    /// GetCallerIdentity.
    Identity,
}

pub fn diagnose(call: StsCall, request: &RoleRequest, refusal: &Refusal) -> Diagnosis {
    let refused = || RequestRefused { request: Box::new(request.clone()), refusal: refusal.clone() };
    let Some(meaning) = refusal.meaning() else {
        return if is_server_fault(refusal) {
            StsFault(refused()).into()
        } else {
            Unclassified(refused()).into()
        };
    };
    match (call, meaning) {
        (_, Meaning::Throttled) => Throttled(refused()).into(),
        (_, Meaning::RegionNotActivated) => RegionNotActivated(refused()).into(),
        (_, _) if is_server_fault(refusal) => StsFault(refused()).into(),
        (_, Meaning::DeniedByVpcEndpoint) => VpcEndpointPolicyDenied(refused()).into(),
        (_, Meaning::DeniedByOrganization) => OrganizationPolicyDenied(refused()).into(),
        (StsCall::Assume, meaning) => diagnose_assume_role(meaning, request, refusal),
        (StsCall::Identity, Meaning::SignatureTime) => match refusal.server_time {
            Some(server) => clock_skew(refusal, server),
            None => CredentialsRejected(refused()).into(),
        },
        (StsCall::Identity, Meaning::CredentialsRejected | Meaning::Expired | Meaning::AccessDenied) => {
            CredentialsRejected(refused()).into()
        }
        (StsCall::Identity, _) => Unclassified(refused()).into(),
    }
}

fn is_server_fault(refusal: &Refusal) -> bool {
    refusal.status >= 500 || refusal.status == 429
}

/// The diagnosis of a refused AssumeRoleWithWebIdentity.
fn diagnose_assume_role(meaning: Meaning, request: &RoleRequest, refusal: &Refusal) -> Diagnosis {
    let refused = || RequestRefused { request: Box::new(request.clone()), refusal: refusal.clone() };
    let audience = &request.claims.audience;
    match meaning {
        Meaning::AccessDenied => AssumeRoleNotAuthorized(refused()).into(),
        Meaning::Expired => diagnose_expired_token(request, refusal),
        Meaning::IssuerUnreachable => IdpUnreachable(refused()).into(),
        meaning if meaning.is_about_token() && is_for_the_api(audience) => {
            TokenIsApiToken { audience: audience.clone(), source: ApiTokenSource::RefusedBySts }.into()
        }
        Meaning::NoProvider => OidcProviderMissing::RefusedBySts(refused()).into(),
        Meaning::VerificationKey => VerificationKeyUnavailable(refused()).into(),
        Meaning::Thumbprint => ThumbprintMismatch(refused()).into(),
        Meaning::NotAJwt | Meaning::TokenParameter => {
            let (algorithm, issuer) = (request.claims.algorithm.clone(), request.claims.issuer.clone());
            let message = refusal.message.clone();
            TokenNotAJwt { fault: JwtFault::RejectedBySts { message, algorithm, issuer } }.into()
        }
        Meaning::ClaimMissing => {
            let claim = missing_claim(&refusal.message).to_owned();
            TokenClaimMissing { claim, expected_type: None }.into()
        }
        Meaning::Audience => OidcProviderAudienceMissing::RefusedBySts(refused()).into(),
        Meaning::TokenRejected => {
            diagnose_invalid_time(request, refusal).unwrap_or_else(|| IdentityTokenRejected(refused()).into())
        }
        Meaning::RoleArn => RoleArnRejected(refused()).into(),
        Meaning::SessionParameters => SessionParametersRejected(refused()).into(),
        _ => Unclassified(refused()).into(),
    }
}

/// STS says that the token has expired. If the node's clock differs, and does not say so, the clock is the cause:
/// it keeps the kubelet from rotating in time.
fn diagnose_expired_token(request: &RoleRequest, refusal: &Refusal) -> Diagnosis {
    let claims = &request.claims;
    match refusal.server_time {
        Some(server) if claims.expires_at > refusal.at && is_skewed(refusal.at, server) => {
            clock_skew(refusal, server)
        }
        server => TokenExpired {
            expired_at: claims.expires_at,
            issued_at: claims.issued_at,
            now: server.unwrap_or(refusal.at),
            witness: ExpiryWitness::Sts(refusal.message.clone()),
        }
        .into(),
    }
}

/// What the clock of STS shows about a token that STS rejects without a reason.
fn diagnose_invalid_time(request: &RoleRequest, refusal: &Refusal) -> Option<Diagnosis> {
    let (claims, server) = (&request.claims, refusal.server_time?);
    let valid_from = claims.not_before.unwrap_or(claims.issued_at);
    if claims.expires_at <= server {
        Some(diagnose_expired_token(request, refusal))
    } else if valid_from > server + CLOCK_LEEWAY {
        Some(TokenNotYetValid { valid_from, now: server, is_sts_clock: true }.into())
    } else {
        None
    }
}

fn clock_skew(refusal: &Refusal, server: std::time::SystemTime) -> Diagnosis {
    ClockSkewed { local: refusal.at, server, refusal: Some(refusal.message.clone()) }.into()
}

#[cfg(test)]
mod tests {
    use super::{StsCall, diagnose};
    use crate::aws::sts::Refusal;
    use crate::diagnosis::sts::RoleRequest;
    use crate::token::decode;
    use iam_trust::arn;
    use std::time::Duration;

    const PROJECTED: &str = include_str!("../../tests/recorded/projected-token.jwt");
    const API: &str = include_str!("../../tests/recorded/default-api-token.jwt");

    fn named(
        call: StsCall,
        token: &str,
        code: &str,
        status: u16,
        message: &str,
        server_ahead: u64,
    ) -> &'static str {
        let claims = decode(token).unwrap();
        let at = claims.issued_at + Duration::from_secs(60);
        let request = RoleRequest {
            role: arn::parse("arn:aws:iam::111122223333:role/a").unwrap(),
            claims,
            session_name: "irsa-probe".to_owned(),
            region: None,
            endpoint_source: None,
        };
        let refusal = Refusal {
            code: code.to_owned(),
            message: message.to_owned(),
            status,
            request_id: None,
            at,
            server_time: Some(at + Duration::from_secs(server_ahead)),
        };
        diagnose(call, &request, &refusal).name().as_str()
    }

    #[test]
    fn what_sts_is_known_to_answer() {
        let assume = |code, status, message| named(StsCall::Assume, PROJECTED, code, status, message, 0);
        for (code, status, message, expected) in [
            (
                "AccessDenied",
                403,
                "Not authorized to perform sts:AssumeRoleWithWebIdentity",
                "AssumeRoleNotAuthorized",
            ),
            (
                "AccessDenied",
                403,
                "User: x is not authorized to perform: sts:AssumeRoleWithWebIdentity with an explicit deny in a resource control policy",
                "OrganizationPolicyDenied",
            ),
            (
                "AccessDenied",
                403,
                "x with an explicit deny in a service control policy",
                "OrganizationPolicyDenied",
            ),
            (
                "AccessDenied",
                403,
                "x because no VPC endpoint policy allows the sts:AssumeRoleWithWebIdentity action",
                "VpcEndpointPolicyDenied",
            ),
            (
                "InvalidIdentityToken",
                400,
                "No OpenIDConnect provider found in your account for https://oidc.eks.eu-west-1.amazonaws.com/id/5D",
                "OidcProviderMissing",
            ),
            (
                "InvalidIdentityToken",
                400,
                "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements.",
                "IdentityTokenRejected",
            ),
            ("InvalidIdentityToken", 400, "Incorrect token audience", "OidcProviderAudienceMissing"),
            (
                "InvalidIdentityToken",
                400,
                "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
                "VerificationKeyUnavailable",
            ),
            (
                "InvalidIdentityToken",
                400,
                "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
                "ThumbprintMismatch",
            ),
            (
                "InvalidIdentityToken",
                400,
                "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
                "TokenNotAJwt",
            ),
            ("InvalidIdentityToken", 400, "Missing a required claim: aud", "TokenClaimMissing"),
            ("InvalidIdentityToken", 400, "words of a later year", "IdentityTokenRejected"),
            (
                "ExpiredTokenException",
                400,
                "Token expired: current date/time 1624482533 must be before the expiration date/time1624482335",
                "TokenExpired",
            ),
            ("ExpiredTokenException", 400, "Token too old: 441398", "TokenExpired"),
            (
                "IDPRejectedClaim",
                403,
                "graph.facebook.com: graph.facebook.com responded with HTTP/1.1 400 Bad Request",
                "Unclassified",
            ),
            ("IDPCommunicationError", 400, "", "IdpUnreachable"),
            (
                "RegionDisabledException",
                403,
                "STS is not activated in this region for account:123456789012. Your account administrator can activate STS in this region using the IAM Console.",
                "RegionNotActivated",
            ),
            ("ValidationError", 400, "Request ARN is invalid", "RoleArnRejected"),
            (
                "ValidationError",
                400,
                "1 validation error detected: Value at 'webIdentityToken' failed to satisfy constraint: Member must have length greater than or equal to 4",
                "TokenNotAJwt",
            ),
            (
                "ValidationError",
                400,
                "1 validation error detected: Value at 'roleArn' failed to satisfy constraint: Member must not be null",
                "RoleArnRejected",
            ),
            (
                "ValidationError",
                400,
                "Value 'X' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*",
                "SessionParametersRejected",
            ),
            (
                "ValidationError",
                400,
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
                "SessionParametersRejected",
            ),
            ("ValidationError", 400, "something else", "Unclassified"),
            ("MalformedPolicyDocument", 400, "", "SessionParametersRejected"),
            ("PackedPolicyTooLarge", 400, "", "SessionParametersRejected"),
            ("Throttling", 400, "Rate exceeded", "Throttled"),
            ("InternalFailure", 500, "", "StsFault"),
            ("ServiceUnavailable", 503, "", "StsFault"),
            ("HTTP 503", 503, "", "StsFault"),
            ("HTTP 429", 429, "", "StsFault"),
            ("Throttling", 429, "", "Throttled"),
            ("NoSuchThing", 418, "", "Unclassified"),
        ] {
            assert_eq!(assume(code, status, message), expected, "{code} {message}");
        }
    }

    #[test]
    fn what_is_known_of_token_and_clock_counts() {
        let audience = "Incorrect token audience";
        assert_eq!(named(StsCall::Assume, API, "InvalidIdentityToken", 400, audience, 0), "TokenIsApiToken");
        assert_eq!(
            named(StsCall::Assume, PROJECTED, "ExpiredTokenException", 400, "", 200_000),
            "ClockSkewed"
        );
        let merged = "The web identity token provided could not be validated.";
        assert_eq!(
            named(StsCall::Assume, PROJECTED, "InvalidIdentityToken", 400, merged, 200_000),
            "ClockSkewed"
        );
        let missing = "No OpenIDConnect provider found in your account";
        assert_eq!(named(StsCall::Assume, API, "InvalidIdentityToken", 400, missing, 0), "TokenIsApiToken");
    }

    #[test]
    fn refusals_of_the_second_call() {
        for (code, message, expected) in [
            (
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
                "CredentialsRejected",
            ),
            ("ExpiredToken", "The security token included in the request is expired", "CredentialsRejected"),
            (
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match",
                "CredentialsRejected",
            ),
            (
                "SignatureDoesNotMatch",
                "Signature expired: 20210502T144040Z is now earlier than 20210502T152540Z (20210502T154040Z - 15 min.)",
                "ClockSkewed",
            ),
            (
                "SignatureDoesNotMatch",
                "Signature not yet current: 20210502T144040Z is still later than 20210502T135540Z (20210502T134040Z + 15 min.)",
                "ClockSkewed",
            ),
            ("Throttling", "Rate exceeded", "Throttled"),
        ] {
            assert_eq!(named(StsCall::Identity, PROJECTED, code, 403, message, 3600), expected, "{message}");
        }
    }
}
