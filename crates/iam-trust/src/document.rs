//! A role's trust policy as it is written: every element in its place, nothing judged.
//!
//! Source of the grammar: "Grammar of the IAM JSON policy language" in the IAM User Guide, and of what has no
//! place in a trust policy: "IAM Access Analyzer policy check reference" there. What they do not know is a
//! fault, since a document that IAM would not store judges nothing.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};

use foreign_text::sanitize;

/// A policy document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Which language it is in.
    pub version: Version,
    /// Its statements, in their order.
    pub statements: Vec<Statement>,
}

/// The version of the policy language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `2008-10-17`, also where none is said: policy variables are plain text.
    Of2008,
    /// `2012-10-17`.
    Of2012,
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its id, if it has one.
    pub sid: Option<String>,
    /// What it does where it matches.
    pub effect: Effect,
    /// Whom it is about.
    pub principal: Principal,
    /// Which actions.
    pub action: Action,
    /// Under which conditions: all of them.
    pub conditions: Vec<Condition>,
}

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever others allow.
    Deny,
}

/// Whom a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// `"*"`.
    Everyone,
    /// These, each of a kind such as `Federated`.
    These(Vec<(PrincipalKind, Vec<String>)>),
}

/// A kind of principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalKind {
    /// Accounts, users and roles.
    Aws,
    /// Identity providers.
    Federated,
    /// Services.
    Service,
    /// Accounts by the id that S3 gives them.
    CanonicalUser,
}

impl PrincipalKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Aws, Self::Federated, Self::Service, Self::CanonicalUser];

    /// The kind as it is written.
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

/// Which actions a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Whether it is about all others: `NotAction`.
    pub is_not: bool,
    /// The patterns.
    pub patterns: Vec<String>,
}

impl Action {
    /// The element's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        if self.is_not { "NotAction" } else { "Action" }
    }
}

/// One key under one operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The operator, as it is written.
    pub operator: String,
    /// The key, as it is written.
    pub key: String,
    /// The values, any of which is meant.
    pub values: Vec<String>,
}

/// Why a text is no trust policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Where, as `Statement[0].Effect`; empty for the whole.
    pub place: String,
    /// What is wrong there.
    pub fault: Fault,
}

/// The most bytes of a document. Source: the IAM API model, `policyDocumentType`.
pub const LONGEST: usize = 131_072;

/// What is wrong in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It has so many bytes.
    TooLong(usize),
    /// It is no JSON; the library's words.
    NotJson(String),
    /// An object has the same name twice, of which one would be lost; which and where.
    Twice(String),
    /// It has to be of this kind.
    NotA(&'static str),
    /// It has to be there.
    Missing(&'static str),
    /// It is none of what the language knows there.
    Unknown(String),
    /// It has no place in a trust policy.
    NotHere(&'static str),
    /// Of these two only one may be there.
    Both(&'static str, &'static str),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.place.is_empty() { "the document" } else { self.place.as_str() };
        match &self.fault {
            Fault::NotJson(words) => write!(f, "{place} is not JSON: {words}"),
            Fault::Twice(which) => write!(f, "{place} {which}"),
            Fault::NotA(kind) => write!(f, "{place} is not {kind}"),
            Fault::Missing(name) => write!(f, "{place} has no {name}"),
            Fault::Unknown(text) => write!(f, "{place} is \"{}\", which IAM does not know", sanitize(text)),
            Fault::NotHere(why) => write!(f, "{place} {why}"),
            Fault::TooLong(bytes) => {
                write!(f, "{place} has {bytes} bytes, and a policy at most {LONGEST}")
            }
            Fault::Both(one, other) => write!(f, "{place} has both {one} and {other}"),
        }
    }
}

impl std::error::Error for Malformed {}

fn malformed(place: impl Into<String>, fault: Fault) -> Malformed {
    Malformed { place: place.into(), fault }
}

/// Reads a document.
///
/// # Errors
/// The first thing that IAM would not store.
pub fn parse(text: &str) -> Result<Document, Malformed> {
    if text.len() > LONGEST {
        return Err(malformed("", Fault::TooLong(text.len())));
    }
    let Unique(value) = serde_json::from_str(text).map_err(|error| {
        let words = error.to_string();
        malformed(
            "",
            if error.classify() == Category::Data { Fault::Twice(words) } else { Fault::NotJson(words) },
        )
    })?;
    read(&value)
}

/// JSON in which no object has a name twice. By the grammar's notes "individual elements must not contain
/// multiple instances of the same key", and the library would keep the last one without a word.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
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
        while let Some(Unique(value)) = items.next_element()? {
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
            let Unique(value) = entries.next_value()?;
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

/// Reads a document that is JSON already.
///
/// # Errors
/// The first thing that IAM would not store.
pub fn read(value: &Value) -> Result<Document, Malformed> {
    let document = value.as_object().ok_or_else(|| malformed("", Fault::NotA("an object")))?;
    known(document, "", &["Version", "Id", "Statement"])?;
    let version = match document.get("Version") {
        None => Version::Of2008,
        Some(version) => match version.as_str() {
            Some("2012-10-17") => Version::Of2012,
            Some("2008-10-17") => Version::Of2008,
            Some(other) => return Err(malformed("Version", Fault::Unknown(other.to_owned()))),
            None => return Err(malformed("Version", Fault::NotA("a text"))),
        },
    };
    let statements = match document.get("Statement") {
        None => return Err(malformed("", Fault::Missing("Statement"))),
        Some(Value::Array(statements)) => statements.iter().enumerate().map(statement).collect(),
        Some(one) => statement((0, one)).map(|one| vec![one]),
    };
    let statements: Vec<Statement> = statements?;
    unique(&statements)?;
    Ok(Document { version, statements })
}

/// Fails if an object has a name that is none of these, which are known.
fn known(object: &Map<String, Value>, place: &str, names: &[&str]) -> Result<(), Malformed> {
    match object.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(malformed(inside(place, name), Fault::NotHere("is no element of a trust policy"))),
        None => Ok(()),
    }
}

/// Fails if two statements have the same id. "In IAM, the Sid value must be unique within a JSON policy"; whether
/// that goes for empty ones is not said.
fn unique(statements: &[Statement]) -> Result<(), Malformed> {
    let ids = || statements.iter().map(|statement| statement.sid.as_deref().filter(|sid| !sid.is_empty()));
    let twice =
        ids().enumerate().find(|(index, sid)| sid.is_some() && ids().take(*index).any(|it| it == *sid));
    match twice {
        Some((index, _)) => {
            let place = format!("Statement[{index}].Sid");
            Err(malformed(place, Fault::NotHere("is the id of an earlier statement, and has to be unique")))
        }
        None => Ok(()),
    }
}

/// The place of a name within another place.
fn inside(place: &str, name: &str) -> String {
    if place.is_empty() { sanitize(name) } else { format!("{place}.{}", sanitize(name)) }
}

fn statement((index, value): (usize, &Value)) -> Result<Statement, Malformed> {
    let place = format!("Statement[{index}]");
    let statement = value.as_object().ok_or_else(|| malformed(&place, Fault::NotA("an object")))?;
    for (name, why) in [
        ("Resource", "has no place in a trust policy, whose resource is the role itself"),
        ("NotResource", "has no place in a trust policy, whose resource is the role itself"),
        ("NotPrincipal", "has no place in a trust policy"),
    ] {
        if statement.contains_key(name) {
            return Err(malformed(inside(&place, name), Fault::NotHere(why)));
        }
    }
    known(statement, &place, &["Sid", "Effect", "Principal", "Action", "NotAction", "Condition"])?;
    let sid = match statement.get("Sid") {
        None => None,
        // "Check that your input satisfies the regular expression [0-9A-Za-z]*", IAM says of any other.
        Some(Value::String(sid)) if !sid.chars().all(|c| c.is_ascii_alphanumeric()) => {
            let why = "has other characters than letters A to Z and digits";
            return Err(malformed(inside(&place, "Sid"), Fault::NotHere(why)));
        }
        Some(Value::String(sid)) => Some(sid.clone()),
        Some(_) => return Err(malformed(inside(&place, "Sid"), Fault::NotA("a text"))),
    };
    let effect = match statement.get("Effect").map(Value::as_str) {
        None => return Err(malformed(place, Fault::Missing("Effect"))),
        Some(Some("Allow")) => Effect::Allow,
        Some(Some("Deny")) => Effect::Deny,
        Some(Some(other)) => {
            return Err(malformed(inside(&place, "Effect"), Fault::Unknown(other.to_owned())));
        }
        Some(None) => return Err(malformed(inside(&place, "Effect"), Fault::NotA("a text"))),
    };
    let principal = match statement.get("Principal") {
        None => return Err(malformed(place, Fault::Missing("Principal"))),
        Some(principal) => read_principal(principal, &inside(&place, "Principal"))?,
    };
    let action = match (statement.get("Action"), statement.get("NotAction")) {
        (None, None) => return Err(malformed(place, Fault::Missing("Action"))),
        (Some(_), Some(_)) => return Err(malformed(place, Fault::Both("Action", "NotAction"))),
        (Some(patterns), None) => {
            Action { is_not: false, patterns: texts(patterns, &inside(&place, "Action"))? }
        }
        (None, Some(patterns)) => {
            Action { is_not: true, patterns: texts(patterns, &inside(&place, "NotAction"))? }
        }
    };
    let conditions = match statement.get("Condition") {
        None => Vec::new(),
        Some(conditions) => read_conditions(conditions, &inside(&place, "Condition"))?,
    };
    Ok(Statement { sid, effect, principal, action, conditions })
}

fn read_principal(value: &Value, place: &str) -> Result<Principal, Malformed> {
    match value {
        Value::String(everyone) if everyone == "*" => Ok(Principal::Everyone),
        Value::String(other) => Err(malformed(place, Fault::Unknown(other.clone()))),
        Value::Object(kinds) => {
            let read = |(name, values): (&String, &Value)| {
                let place = inside(place, name);
                let kind = PrincipalKind::ALL.into_iter().find(|kind| kind.as_str() == name);
                let kind =
                    kind.ok_or_else(|| malformed(&place, Fault::NotHere("is no kind of principals")))?;
                Ok((kind, texts(values, &place)?))
            };
            kinds.iter().map(read).collect::<Result<_, _>>().map(Principal::These)
        }
        _ => Err(malformed(place, Fault::NotA("an object or \"*\""))),
    }
}

/// One text, or a list of them.
fn texts(value: &Value, place: &str) -> Result<Vec<String>, Malformed> {
    let text = |(index, value): (usize, &Value)| {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| malformed(format!("{place}[{index}]"), Fault::NotA("a text")))
    };
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(values) => values.iter().enumerate().map(text).collect(),
        _ => Err(malformed(place, Fault::NotA("a text or a list of texts"))),
    }
}

fn read_conditions(value: &Value, place: &str) -> Result<Vec<Condition>, Malformed> {
    let operators = value.as_object().ok_or_else(|| malformed(place, Fault::NotA("an object")))?;
    let mut conditions = Vec::new();
    for (operator, keys) in operators {
        let place = inside(place, operator);
        let keys = keys.as_object().ok_or_else(|| malformed(&place, Fault::NotA("an object")))?;
        for (key, values) in keys {
            let values = scalars(values, &inside(&place, key))?;
            conditions.push(Condition { operator: operator.clone(), key: key.clone(), values });
        }
    }
    Ok(conditions)
}

/// One value of a condition, or a list of them: IAM takes numbers and truth values for texts.
fn scalars(value: &Value, place: &str) -> Result<Vec<String>, Malformed> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let values = match value {
        Value::Array(values) => values.iter().map(scalar).collect(),
        one => scalar(one).map(|one| vec![one]),
    };
    values.ok_or_else(|| malformed(place, Fault::NotA("a text or a list of texts")))
}
