//! The parameters of AssumeRoleWithWebIdentity, checked as STS checks them and in its words.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::iam::Refusal;

pub(crate) struct RoleArn {
    pub(crate) arn: String,
    pub(crate) partition: String,
    pub(crate) account: String,
    /// Without the path.
    pub(crate) name: String,
}

impl RoleArn {
    pub(crate) fn parse(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "iam", "", account, resource] = parts[..] else {
            return None;
        };
        let path = resource.strip_prefix("role/")?;
        let name = path.rsplit('/').next().filter(|name| !name.is_empty())?;
        let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let legal = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c);
        (digits && partition.starts_with("aws") && path.chars().all(legal)).then(|| Self {
            arn: arn.to_owned(),
            partition: partition.to_owned(),
            account: account.to_owned(),
            name: name.to_owned(),
        })
    }
}

pub(crate) struct AssumeRequest<'a> {
    pub(crate) role: RoleArn,
    pub(crate) session_name: &'a str,
    pub(crate) token: &'a str,
    pub(crate) duration: u32,
    pub(crate) policy: Option<&'a str>,
}

impl<'a> AssumeRequest<'a> {
    /// Checks the parameters in the order and in the words of STS: first the constraints, all at once.
    pub(crate) fn read(form: &'a [(String, String)]) -> Result<Self, Refusal> {
        let field =
            |name: &str| form.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
        let mut broken = Vec::new();
        let arn = length(field("RoleArn"), "roleArn", Shown::Value, 20..=2048, &mut broken);
        let session_name =
            length(field("RoleSessionName"), "roleSessionName", Shown::Value, 2..=64, &mut broken);
        if !session_name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)) {
            broken.push(format!(
                "Value '{session_name}' at 'roleSessionName' failed to satisfy constraint: \
                 Member must satisfy regular expression pattern: [\\w+=,.@-]*"
            ));
        }
        let token =
            length(field("WebIdentityToken"), "webIdentityToken", Shown::Nothing, 4..=20_000, &mut broken);
        let policy = field("Policy");
        if policy.is_some() {
            length(policy, "policy", Shown::Value, 1..=2048, &mut broken);
        }
        let duration = field("DurationSeconds").unwrap_or("3600");
        let seconds = duration.parse().unwrap_or(0);
        let bound = match seconds {
            0..900 => Some("greater than or equal to 900"),
            43_201.. => Some("less than or equal to 43200"),
            _ => None,
        };
        if let Some(bound) = bound {
            broken.push(format!(
                "Value '{duration}' at 'durationSeconds' failed to satisfy constraint: Member must have value {bound}"
            ));
        }
        let invalid = |message: String| Refusal::new(400, "ValidationError", message);
        if !broken.is_empty() {
            let errors = if broken.len() == 1 { "error" } else { "errors" };
            return Err(invalid(format!(
                "{} validation {errors} detected: {}",
                broken.len(),
                broken.join("; ")
            )));
        }
        let role = RoleArn::parse(arn).ok_or_else(|| invalid("Request ARN is invalid".to_owned()))?;
        if policy
            .is_some_and(|policy| !serde_json::from_str(policy).is_ok_and(|json: Value| json.is_object()))
        {
            let message = "The policy is not in the valid JSON format.";
            return Err(Refusal::new(400, "MalformedPolicyDocument", message));
        }
        Ok(Self { role, session_name, token, duration: seconds, policy })
    }
}

/// Whether STS repeats a value in its complaint; it does not for a token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Value,
    Nothing,
}

/// Notes what is wrong with the length of a parameter, and hands the parameter back.
fn length<'a>(
    value: Option<&'a str>,
    name: &str,
    shown: Shown,
    allowed: RangeInclusive<usize>,
    broken: &mut Vec<String>,
) -> &'a str {
    let Some(value) = value else {
        broken.push(format!("Value at '{name}' failed to satisfy constraint: Member must not be null"));
        return "";
    };
    let count = value.chars().count();
    if !allowed.contains(&count) {
        let quoted =
            if shown == Shown::Value { format!("Value '{value}' at") } else { "Value at".to_owned() };
        let bound = if count < *allowed.start() {
            format!("greater than or equal to {}", allowed.start())
        } else {
            format!("less than or equal to {}", allowed.end())
        };
        broken
            .push(format!("{quoted} '{name}' failed to satisfy constraint: Member must have length {bound}"));
    }
    value
}
