//! Parses a trust policy strictly: what IAM would not store is an error with its place.
//!
//! Sources: "Grammar of the IAM JSON policy language" and, for elements that a trust policy cannot have, "IAM
//! Access Analyzer policy check reference", both in the IAM User Guide.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};

use foreign_text::sanitize;

/// A parsed trust policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The version of the policy language.
    pub version: Version,
    /// The statements in their order.
    pub statements: Vec<Statement>,
}

/// The version of the policy language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `2008-10-17`, the default. Policy variables are plain text.
    V2008,
    /// `2012-10-17`. Policy variables are replaced.
    V2012,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The optional id.
    pub sid: Option<String>,
    /// Allow or deny.
    pub effect: Effect,
    /// Who can call.
    pub principal: Principal,
    /// The actions.
    pub action: Action,
    /// The conditions, all of which must hold.
    pub conditions: Vec<Condition>,
}

/// The effect of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The statement allows the call.
    Allow,
    /// The statement denies the call, whatever other statements allow.
    Deny,
}

/// The principals of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// `"*"`.
    Everyone,
    /// The listed principals by kind.
    Listed(Vec<(PrincipalKind, Vec<String>)>),
}

/// A kind of principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// AWS accounts, users and roles.
    Aws,
    /// Identity providers.
    Federated,
    /// Services.
    Service,
    /// Accounts by their canonical id in S3.
    CanonicalUser,
}

impl PrincipalKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Aws, Self::Federated, Self::Service, Self::CanonicalUser];

    /// The kind as a policy spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Federated => "Federated",
            Self::Service => "Service",
            Self::CanonicalUser => "CanonicalUser",
        }
    }
}

/// The actions of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Whether the element is `NotAction`: every action but these.
    pub is_not: bool,
    /// The action patterns.
    pub patterns: Vec<String>,
}

impl Action {
    /// `Action` or `NotAction`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        if self.is_not { "NotAction" } else { "Action" }
    }
}

/// One condition: a key under an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The operator as written.
    pub operator: String,
    /// The key as written.
    pub key: String,
    /// The values, one of which must match.
    pub values: Vec<String>,
}

/// Why a document is not a trust policy that IAM would store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {fault}", if place.is_empty() { "the document" } else { place })]
pub struct PolicyError {
    /// The place, for example `Statement[0].Effect`. Empty for the whole document.
    pub place: String,
    /// The fault.
    pub fault: PolicyFault,
}

/// The maximum length of a document in bytes. Source: the IAM API model, `policyDocumentType`.
pub const MAX_DOCUMENT_BYTES: usize = 131_072;

/// The most characters that a role's trust policy can have, whitespace not counted, where its account has the
/// highest quota. Source: "IAM and AWS STS quotas" in the IAM User Guide.
pub const MAX_TRUST_POLICY_CHARACTERS: usize = 8_192;

/// A fault in a document: what follows its place in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyFault {
    /// The document is too long; its length in bytes.
    #[error("has {0} bytes, and a policy at most {MAX_DOCUMENT_BYTES}")]
    TooLong(usize),
    /// The document has too many characters, whitespace not counted.
    #[error(
        "has {0} characters without white space, and a trust policy at most {MAX_TRUST_POLICY_CHARACTERS}"
    )]
    TooManyCharacters(usize),
    /// The text is not JSON; the parser's message.
    #[error("is not JSON: {0}")]
    NotJson(String),
    /// An object has a key twice; which one and where.
    #[error("{0}")]
    DuplicateKey(String),
    /// The value must be of this type.
    #[error("is not {0}")]
    WrongType(&'static str),
    /// A required element is missing.
    #[error("has no {0}")]
    Missing(&'static str),
    /// The value is not one that the language knows.
    #[error("is \"{}\", which IAM does not know", sanitize(.0))]
    Unknown(String),
    /// The element or value is not allowed here; the reason.
    #[error("{0}")]
    NotAllowed(&'static str),
    /// Only one of the two elements is allowed.
    #[error("has both {0} and {1}")]
    MutuallyExclusive(&'static str, &'static str),
}

fn malformed(place: impl Into<String>, fault: PolicyFault) -> PolicyError {
    PolicyError { place: place.into(), fault }
}

/// Parses a policy.
///
/// # Errors
/// The first thing that IAM would not store.
pub fn parse(text: &str) -> Result<Document, PolicyError> {
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(malformed("", PolicyFault::TooLong(text.len())));
    }
    let characters = text.chars().filter(|c| !c.is_whitespace()).count();
    if characters > MAX_TRUST_POLICY_CHARACTERS {
        return Err(malformed("", PolicyFault::TooManyCharacters(characters)));
    }
    let UniqueKeys(value) = serde_json::from_str(text).map_err(|error| {
        let words = error.to_string();
        malformed(
            "",
            if error.classify() == Category::Data {
                PolicyFault::DuplicateKey(words)
            } else {
                PolicyFault::NotJson(words)
            },
        )
    })?;
    read(&value)
}

/// JSON without duplicate keys, which serde_json would drop silently. The grammar says: "individual elements must
/// not contain multiple instances of the same key".
struct UniqueKeys(Value);

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueKeysVisitor).map(Self)
    }
}

struct UniqueKeysVisitor;

impl<'de> Visitor<'de> for UniqueKeysVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(UniqueKeys(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(Error::custom(format_args!("has \"{}\" twice", sanitize(&name))));
            }
            let UniqueKeys(value) = entries.next_value()?;
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

/// Reads a policy from parsed JSON.
///
/// # Errors
/// The first thing that IAM would not store.
pub fn read(value: &Value) -> Result<Document, PolicyError> {
    let document = value.as_object().ok_or_else(|| malformed("", PolicyFault::WrongType("an object")))?;
    reject_unknown_keys(document, "", &["Version", "Id", "Statement"])?;
    let version = match document.get("Version") {
        None => Version::V2008,
        Some(version) => match version.as_str() {
            Some("2012-10-17") => Version::V2012,
            Some("2008-10-17") => Version::V2008,
            Some(other) => return Err(malformed("Version", PolicyFault::Unknown(other.to_owned()))),
            None => return Err(malformed("Version", PolicyFault::WrongType("a text"))),
        },
    };
    let statements = match document.get("Statement") {
        None => return Err(malformed("", PolicyFault::Missing("Statement"))),
        Some(Value::Array(statements)) => statements.iter().enumerate().map(read_statement).collect(),
        Some(one) => read_statement((0, one)).map(|one| vec![one]),
    };
    let statements: Vec<Statement> = statements?;
    reject_duplicate_sids(&statements)?;
    Ok(Document { version, statements })
}

/// Fails on a key outside of `names`.
fn reject_unknown_keys(object: &Map<String, Value>, place: &str, names: &[&str]) -> Result<(), PolicyError> {
    match object.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(malformed(
            join_place(place, name),
            PolicyFault::NotAllowed("is no element of a trust policy"),
        )),
        None => Ok(()),
    }
}

/// Fails if two statements have the same id. "In IAM, the Sid value must be unique within a JSON policy". The
/// guide does not say whether empty ids count; they pass here.
fn reject_duplicate_sids(statements: &[Statement]) -> Result<(), PolicyError> {
    let ids = || statements.iter().map(|statement| statement.sid.as_deref().filter(|sid| !sid.is_empty()));
    let twice =
        ids().enumerate().find(|(index, sid)| sid.is_some() && ids().take(*index).any(|it| it == *sid));
    match twice {
        Some((index, _)) => {
            let place = format!("Statement[{index}].Sid");
            Err(malformed(
                place,
                PolicyFault::NotAllowed("is the id of an earlier statement, and has to be unique"),
            ))
        }
        None => Ok(()),
    }
}

/// Appends a key to a place.
fn join_place(place: &str, name: &str) -> String {
    if place.is_empty() { sanitize(name) } else { format!("{place}.{}", sanitize(name)) }
}

pub(crate) fn read_statement((index, value): (usize, &Value)) -> Result<Statement, PolicyError> {
    let place = format!("Statement[{index}]");
    let statement =
        value.as_object().ok_or_else(|| malformed(&place, PolicyFault::WrongType("an object")))?;
    for (name, why) in [
        ("Resource", "has no place in a trust policy, whose resource is the role itself"),
        ("NotResource", "has no place in a trust policy, whose resource is the role itself"),
        ("NotPrincipal", "has no place in a trust policy"),
    ] {
        if statement.contains_key(name) {
            return Err(malformed(join_place(&place, name), PolicyFault::NotAllowed(why)));
        }
    }
    reject_unknown_keys(
        statement,
        &place,
        &["Sid", "Effect", "Principal", "Action", "NotAction", "Condition"],
    )?;
    let sid = match statement.get("Sid") {
        None => None,
        // "Check that your input satisfies the regular expression [0-9A-Za-z]*", IAM says of any other.
        Some(Value::String(sid)) if !sid.chars().all(|c| c.is_ascii_alphanumeric()) => {
            let why = "has other characters than letters A to Z and digits";
            return Err(malformed(join_place(&place, "Sid"), PolicyFault::NotAllowed(why)));
        }
        Some(Value::String(sid)) => Some(sid.clone()),
        Some(_) => return Err(malformed(join_place(&place, "Sid"), PolicyFault::WrongType("a text"))),
    };
    let effect = match statement.get("Effect").map(Value::as_str) {
        None => return Err(malformed(place, PolicyFault::Missing("Effect"))),
        Some(Some("Allow")) => Effect::Allow,
        Some(Some("Deny")) => Effect::Deny,
        Some(Some(other)) => {
            return Err(malformed(join_place(&place, "Effect"), PolicyFault::Unknown(other.to_owned())));
        }
        Some(None) => return Err(malformed(join_place(&place, "Effect"), PolicyFault::WrongType("a text"))),
    };
    let principal = match statement.get("Principal") {
        None => return Err(malformed(place, PolicyFault::Missing("Principal"))),
        Some(principal) => read_principal(principal, &join_place(&place, "Principal"))?,
    };
    let action = match (statement.get("Action"), statement.get("NotAction")) {
        (None, None) => return Err(malformed(place, PolicyFault::Missing("Action"))),
        (Some(_), Some(_)) => {
            return Err(malformed(place, PolicyFault::MutuallyExclusive("Action", "NotAction")));
        }
        (Some(patterns), None) => {
            Action { is_not: false, patterns: read_actions(patterns, &join_place(&place, "Action"))? }
        }
        (None, Some(patterns)) => {
            Action { is_not: true, patterns: read_actions(patterns, &join_place(&place, "NotAction"))? }
        }
    };
    let conditions = match statement.get("Condition") {
        None => Vec::new(),
        Some(conditions) => read_conditions(conditions, &join_place(&place, "Condition"))?,
    };
    Ok(Statement { sid, effect, principal, action, conditions })
}

/// Reads actions: `*`, or a service and an action. IAM refuses others: "Action vendors … must not contain
/// wildcards", "Actions/Conditions can contain only one colon".
fn read_actions(value: &Value, place: &str) -> Result<Vec<String>, PolicyError> {
    let actions = string_or_list(value, place)?;
    for action in actions.iter().filter(|action| *action != "*") {
        let why = match action.split_once(':') {
            None => "has no service before the action, such as sts:",
            Some((service, _)) if service.contains(['*', '?']) => {
                "has a wildcard in the service before the colon"
            }
            Some((_, rest)) if rest.contains(':') => "has more than one colon",
            Some(_) => continue,
        };
        return Err(malformed(place, PolicyFault::NotAllowed(why)));
    }
    Ok(actions)
}

fn read_principal(value: &Value, place: &str) -> Result<Principal, PolicyError> {
    match value {
        Value::String(everyone) if everyone == "*" => Ok(Principal::Everyone),
        Value::String(other) => Err(malformed(place, PolicyFault::Unknown(other.clone()))),
        Value::Object(kinds) => {
            let read = |(name, values): (&String, &Value)| {
                let place = join_place(place, name);
                let kind = PrincipalKind::ALL.into_iter().find(|kind| kind.as_str() == name);
                let kind = kind
                    .ok_or_else(|| malformed(&place, PolicyFault::NotAllowed("is no kind of principals")))?;
                Ok((kind, string_or_list(values, &place)?))
            };
            kinds.iter().map(read).collect::<Result<_, _>>().map(Principal::Listed)
        }
        _ => Err(malformed(place, PolicyFault::WrongType("an object or \"*\""))),
    }
}

/// Reads one string or a list of strings.
fn string_or_list(value: &Value, place: &str) -> Result<Vec<String>, PolicyError> {
    let text = |(index, value): (usize, &Value)| {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| malformed(format!("{place}[{index}]"), PolicyFault::WrongType("a text")))
    };
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(values) => values.iter().enumerate().map(text).collect(),
        _ => Err(malformed(place, PolicyFault::WrongType("a text or a list of texts"))),
    }
}

fn read_conditions(value: &Value, place: &str) -> Result<Vec<Condition>, PolicyError> {
    let operators = value.as_object().ok_or_else(|| malformed(place, PolicyFault::WrongType("an object")))?;
    let mut conditions = Vec::new();
    for (operator, keys) in operators {
        let place = join_place(place, operator);
        let keys = keys.as_object().ok_or_else(|| malformed(&place, PolicyFault::WrongType("an object")))?;
        for (key, values) in keys {
            let values = scalar_or_list(values, &join_place(&place, key))?;
            conditions.push(Condition { operator: operator.clone(), key: key.clone(), values });
        }
    }
    Ok(conditions)
}

/// Reads one condition value or a list. IAM accepts numbers and booleans as strings.
fn scalar_or_list(value: &Value, place: &str) -> Result<Vec<String>, PolicyError> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let values = match value {
        Value::Array(values) => values.iter().map(scalar).collect(),
        one => scalar(one).map(|one| vec![one]),
    };
    values.ok_or_else(|| malformed(place, PolicyFault::WrongType("a text or a list of texts")))
}
