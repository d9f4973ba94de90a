//! What IAM knows in the testbed's accounts, and STS's judgement over a request, in STS's words.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::clock;
use crate::parameters::{AssumeRequest, RoleArn};
use crate::random;
use crate::sigv4::{self, Authorization, Signable};
use crate::token;

const UPPERCASE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const NOT_A_JWT: &str =
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)";
const NO_KEY: &str = "Couldn't retrieve verification key from your identity provider,  \
    please reference AssumeRoleWithWebIdentity documentation for requirements";
const NOT_VALIDATED: &str = "The web identity token provided could not be validated. \
    See the AssumeRoleWithWebIdentity documentation for requirements.";

/// The oldest token that STS was seen to refuse with `Token too old` was a little over five days old.
const OLDEST: i64 = 5 * 24 * 3600;

/// An IAM OIDC provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The account that it is registered in.
    pub account: String,
    /// The issuer URL.
    pub issuer: String,
    /// Its client ids, which AWS's consoles call audiences.
    pub client_ids: Vec<String>,
    /// The keys that the issuer publishes.
    pub jwks: Value,
}

/// A role whose trust policy names the account's provider and these conditions.
#[derive(Clone, Debug)]
pub struct Role {
    /// The ARN of the role, with its path.
    pub arn: String,
    /// What `sub` may be.
    pub subjects: Vec<String>,
    /// What `aud` may be.
    pub audiences: Vec<String>,
    /// The longest session that the role allows, in seconds.
    pub max_session: u32,
}

/// STS's answer to a request that it does not grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The error code.
    pub code: String,
    /// The message.
    pub message: String,
}

impl Refusal {
    /// A refusal with this status, code and message.
    #[must_use]
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    fn invalid_token(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidIdentityToken", message)
    }
}

/// Credentials that were issued, and for whom.
#[derive(Clone, Debug)]
pub struct Session {
    /// `ASIA…`
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: String,
    /// The session token.
    pub session_token: String,
    /// The end of the session.
    pub expires: OffsetDateTime,
    /// `arn:PARTITION:sts::ACCOUNT:assumed-role/NAME/SESSION`
    pub arn: String,
    /// `AROA…:SESSION`
    pub user_id: String,
    /// The account.
    pub account: String,
    /// The ARN of the provider.
    pub provider: String,
    /// The audience that was accepted.
    pub audience: String,
    /// The `sub` of the token.
    pub subject: String,
    /// The session policy that the caller sent.
    pub policy: Option<String>,
}

impl Session {
    /// Credentials of the caller with this ARN that hold for an hour, as an operator has them.
    #[must_use]
    pub fn of_operator(arn: &str, now: OffsetDateTime) -> Self {
        Self {
            access_key_id: format!("ASIA{}", random::text(UPPERCASE, 16)),
            secret_access_key: random::text(SECRET, 40),
            session_token: format!("IQoJb3JpZ2luX2Vj{}==", random::text(SECRET, 351)),
            expires: now + Duration::hours(1),
            arn: arn.to_owned(),
            user_id: format!("AIDA{}", random::text(UPPERCASE, 16)),
            account: arn.split(':').nth(4).unwrap_or_default().to_owned(),
            provider: String::new(),
            audience: String::new(),
            subject: String::new(),
            policy: None,
        }
    }
}

/// All that IAM knows, and the sessions that were given out.
#[derive(Debug, Default)]
pub struct Iam {
    /// The providers of all accounts.
    pub providers: Vec<Provider>,
    /// The roles of all accounts.
    pub roles: Vec<Role>,
    issued: Vec<Session>,
}

impl Iam {
    /// An IAM with these providers and roles.
    #[must_use]
    pub fn new(providers: Vec<Provider>, roles: Vec<Role>) -> Self {
        Self { providers, roles, issued: Vec::new() }
    }

    /// The sessions that were given out.
    #[must_use]
    pub fn issued(&self) -> &[Session] {
        &self.issued
    }

    /// Takes somebody else's credentials, such as an operator's, for good from now on.
    pub fn admit(&mut self, session: Session) {
        self.issued.push(session);
    }

    /// AssumeRoleWithWebIdentity.
    ///
    /// # Errors
    /// If STS would refuse.
    pub fn assume(&mut self, form: &[(String, String)], now: OffsetDateTime) -> Result<Session, Refusal> {
        let request = AssumeRequest::read(form)?;
        let verified = self.verify_token(request.token, &request.role.account, now.unix_timestamp())?;
        let not_authorized =
            || Refusal::new(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity");
        let role = self.roles.iter().find(|role| role.arn == request.role.arn).ok_or_else(not_authorized)?;
        if !role.subjects.contains(&verified.subject) || !role.audiences.contains(&verified.audience) {
            return Err(not_authorized());
        }
        if request.duration > role.max_session {
            let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
            return Err(Refusal::new(400, "ValidationError", message));
        }
        let RoleArn { partition, account, name, .. } = &request.role;
        let host = verified.issuer.trim_start_matches("https://");
        let session = Session {
            access_key_id: format!("ASIA{}", random::text(UPPERCASE, 16)),
            secret_access_key: random::text(SECRET, 40),
            session_token: format!("FwoGZXIvYXdzE{}==", random::text(SECRET, 351)),
            expires: now + Duration::seconds(i64::from(request.duration)),
            arn: format!("arn:{partition}:sts::{account}:assumed-role/{name}/{}", request.session_name),
            user_id: format!("{}:{}", role_id(&role.arn), request.session_name),
            account: account.clone(),
            provider: format!("arn:{partition}:iam::{account}:oidc-provider/{host}"),
            audience: verified.audience,
            subject: verified.subject,
            policy: request.policy.map(str::to_owned),
        };
        self.issued.push(session.clone());
        Ok(session)
    }

    fn verify_token(&self, token: &str, account: &str, now: i64) -> Result<Verified, Refusal> {
        let parts: Vec<&str> = token.split('.').collect();
        let ([_, _, signature], Some((header, claims))) = (&parts[..], token::decode(token)) else {
            return Err(Refusal::invalid_token(NOT_A_JWT));
        };
        if header["alg"] != "RS256" {
            return Err(Refusal::invalid_token(NOT_A_JWT));
        }
        let missing = |claim: &str| Refusal::invalid_token(format!("Missing a required claim: {claim}"));
        let text = |claim: &str| claims[claim].as_str().ok_or_else(|| missing(claim));
        let number = |claim: &str| claims[claim].as_i64().ok_or_else(|| missing(claim));
        let (issuer, subject) = (text("iss")?, text("sub")?);
        let audiences: Vec<&str> = match &claims["aud"] {
            Value::String(audience) => vec![audience],
            Value::Array(audiences) => audiences.iter().filter_map(Value::as_str).collect(),
            _ => return Err(missing("aud")),
        };
        let provider = self
            .providers
            .iter()
            .find(|provider| provider.account == account && provider.issuer == issuer)
            .ok_or_else(|| {
                let message = format!("No OpenIDConnect provider found in your account for {issuer}");
                Refusal::invalid_token(message)
            })?;
        let keys = provider.jwks["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
        let key = keys
            .iter()
            .find(|key| key["kid"] == header["kid"])
            .ok_or_else(|| Refusal::invalid_token(NO_KEY))?;
        let signed = &token[..token.len() - signature.len() - 1];
        if !signature_holds(key, signed, signature) {
            return Err(Refusal::invalid_token(NOT_VALIDATED));
        }
        let expires = number("exp")?;
        if expires <= now {
            let message = format!(
                "Token expired: current date/time {now} must be before the expiration date/time {expires}"
            );
            return Err(Refusal::new(400, "ExpiredTokenException", message));
        }
        let issued = number("iat")?;
        if now - issued > OLDEST {
            let message = format!("Token too old: {}", now - issued);
            return Err(Refusal::new(400, "ExpiredTokenException", message));
        }
        if issued > now || claims["nbf"].as_i64().is_some_and(|from| from > now) {
            return Err(Refusal::invalid_token(NOT_VALIDATED));
        }
        let audience = audiences
            .iter()
            .find(|audience| provider.client_ids.iter().any(|id| id == *audience))
            .ok_or_else(|| Refusal::invalid_token("Incorrect token audience"))?;
        Ok(Verified {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            audience: (*audience).to_owned(),
        })
    }

    /// The session whose signature a request to a service carries: STS's `sts`, or `iam`.
    ///
    /// # Errors
    /// If the service would refuse.
    pub fn identify(
        &self,
        request: &Signable<'_>,
        service: &str,
        now: OffsetDateTime,
    ) -> Result<Session, Refusal> {
        let header = |name: &str| {
            request.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
        };
        let unsigned =
            || Refusal::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token");
        let incomplete = |message: &str| Refusal::new(400, "IncompleteSignature", message);
        let mismatch = |message: String| Refusal::new(403, "SignatureDoesNotMatch", message);
        let authorization = Authorization::parse(header("authorization").ok_or_else(unsigned)?)
            .ok_or_else(|| incomplete("Authorization header is not an AWS4-HMAC-SHA256 one."))?;
        let session = self
            .issued
            .iter()
            .find(|session| {
                session.access_key_id == authorization.access_key_id
                    && header("x-amz-security-token") == Some(&session.session_token)
            })
            .ok_or_else(|| {
                let message = "The security token included in the request is invalid.";
                Refusal::new(403, "InvalidClientTokenId", message)
            })?;
        let date = header("x-amz-date").unwrap_or_default();
        let signed_at = clock::parse_amz_date(date)
            .filter(|_| date.starts_with(&authorization.day))
            .ok_or_else(|| incomplete("Date must be in ISO-8601 'basic format'."))?;
        let (tolerance, shown) = (Duration::minutes(15), clock::amz_date(now));
        if signed_at < now - tolerance {
            let limit = clock::amz_date(now - tolerance);
            return Err(mismatch(format!(
                "Signature expired: {date} is now earlier than {limit} ({shown} - 15 min.)"
            )));
        }
        if signed_at > now + tolerance {
            let limit = clock::amz_date(now + tolerance);
            return Err(mismatch(format!(
                "Signature not yet current: {date} is still later than {limit} ({shown} + 15 min.)"
            )));
        }
        if session.expires <= now {
            let message = "The security token included in the request is expired";
            return Err(Refusal::new(403, "ExpiredToken", message));
        }
        let host = header("host").unwrap_or_default();
        let region = if service == "iam" { home_region_of(host) } else { region_of(host) };
        if authorization.service != service {
            return Err(mismatch(format!("Credential should be scoped to correct service: '{service}'.")));
        }
        if authorization.region != region {
            return Err(mismatch("Credential should be scoped to a valid region.".to_owned()));
        }
        let canonical = ["host", "x-amz-date"]
            .iter()
            .all(|name| authorization.signed_headers.iter().any(|signed| signed == name))
            .then(|| request.canonical(&authorization.signed_headers))
            .flatten()
            .ok_or_else(|| {
                incomplete("'Host' and 'X-Amz-Date' must be signed, and what is signed be sent.")
            })?;
        let expected = sigv4::signature(&session.secret_access_key, date, region, service, &canonical);
        if authorization.signature != expected {
            return Err(mismatch(
                "The request signature we calculated does not match the signature you provided. Check \
                 your AWS Secret Access Key and signing method. Consult the service documentation for details."
                    .to_owned(),
            ));
        }
        Ok(session.clone())
    }
}

struct Verified {
    issuer: String,
    subject: String,
    audience: String,
}

fn signature_holds(key: &Value, signed: &str, signature: &str) -> bool {
    let part = |text: Option<&str>| text.and_then(|text| BASE64.decode(text).ok());
    let (Some(n), Some(e), Some(signature)) =
        (part(key["n"].as_str()), part(key["e"].as_str()), part(Some(signature)))
    else {
        return false;
    };
    RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).is_ok()
}

/// The region in `sts.REGION.SUFFIX`; the global endpoint is in us-east-1. Another name, such as a
/// VPC endpoint's, is taken to be in the testbed's region.
fn region_of(host: &str) -> &str {
    let name = host.split(':').next().unwrap_or_default();
    if name == "sts.amazonaws.com" {
        return "us-east-1";
    }
    match name.split('.').collect::<Vec<_>>()[..] {
        ["sts" | "sts-fips", region, "amazonaws" | "api", ..] => region,
        _ => "eu-west-1",
    }
}

/// The region that signs for IAM: each partition has one IAM.
fn home_region_of(host: &str) -> &str {
    let name = host.split(':').next().unwrap_or_default();
    match name.split('.').collect::<Vec<_>>()[..] {
        ["iam", "us-gov", ..] => "us-gov-west-1",
        ["iam", region, "amazonaws", "com", "cn"] => region,
        _ => "us-east-1",
    }
}

/// `AROA…`: the same for the same role.
fn role_id(arn: &str) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, arn.as_bytes());
    let letters = hash.as_ref()[..17].iter().map(|byte| char::from(UPPERCASE[usize::from(byte % 32)]));
    format!("AROA{}", letters.collect::<String>())
}

/// The account in the ARN of a role; none if STS would not take it for one.
#[must_use]
pub fn account_of(role_arn: &str) -> Option<String> {
    RoleArn::parse(role_arn).map(|role| role.account)
}
