//! Edits one statement so that it matches a token.

use serde_json::{Map, Value, json};

use super::check::is_about_token;
use crate::document::{self, Document, Version};
use crate::evaluate::{ElementKind, evaluate};
use crate::literal;
use crate::mismatch::{
    ExplainedRefusal, Mismatch, PREFIX, SubjectDifference, explain_refusal, subject_difference,
};
use crate::pattern::Pattern;
use crate::request::{ACTION, Request};

/// How a statement is edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// In its place: what another token can need stays.
    InPlace,
    /// As a copy for the token's provider: the author's patterns stay.
    Copy,
    /// As a copy for the token's subject alone.
    ExactCopy,
}

/// The number of times that a statement is edited: one error can hide another.
const MAX_ROUNDS: usize = 4;

/// A statement under edit.
pub(super) struct StatementEdit<'a> {
    statement: Map<String, Value>,
    version: Version,
    request: &'a Request,
    manner: Manner,
}

impl<'a> StatementEdit<'a> {
    pub(super) fn new(
        statement: &Map<String, Value>,
        version: Version,
        request: &'a Request,
        manner: Manner,
    ) -> Self {
        Self { statement: statement.clone(), version, request, manner }
    }

    /// The statement without its errors; `None` if one of them cannot be corrected in this manner.
    pub(super) fn apply(mut self) -> Option<Map<String, Value>> {
        if self.manner != Manner::InPlace {
            self.narrow_to_token();
        }
        for _ in 0..MAX_ROUNDS {
            let refusals = self.refusals()?;
            if refusals.is_empty() {
                return Some(self.statement);
            }
            let are_swapped = self.swap_claim_keys(&refusals);
            for refusal in &refusals {
                let is_done = are_swapped && matches!(refusal.mismatch, Mismatch::KeySwapped { .. });
                if !is_done {
                    self.correct(refusal)?;
                }
            }
        }
        None
    }

    /// One statement for each provider, with the conditions on its own tokens, if the statement lists several
    /// providers and wants the claims of more than one, which no token has.
    pub(super) fn split(&self) -> Option<Vec<Map<String, Value>>> {
        let providers = self.federated();
        let of = |key: &str| providers.iter().position(|arn| is_key_of(key, arn));
        let mut wanted: Vec<usize> = self.token_conditions().iter().filter_map(|(_, key)| of(key)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.len() < 2 || wanted.len() < providers.len() {
            return None;
        }
        let part = |(index, arn): (usize, &String)| {
            let mut part = Self { statement: self.statement.clone(), ..*self };
            part.statement.insert("Principal".to_owned(), json!({ "Federated": arn }));
            for (operator, key) in self.token_conditions() {
                if of(&key).is_some_and(|owner| owner != index) {
                    part.remove_condition(&operator, &key);
                }
            }
            if index > 0 {
                part.statement.shift_remove("Sid");
            }
            if *arn == self.request.provider_arn() { part.apply() } else { Some(part.statement) }
        };
        providers.iter().enumerate().map(part).collect()
    }

    /// How the statement differs from the call; `None` if IAM would not store it.
    fn refusals(&self) -> Option<Vec<ExplainedRefusal>> {
        let statements = vec![document::read_statement((0, &Value::Object(self.statement.clone()))).ok()?];
        let document = Document { version: self.version, statements };
        Some(explain_refusal(&document, &evaluate(&document, self.request), self.request))
    }

    /// Limits a copy to the token's provider and call. The claims of another provider become those of the token's.
    fn narrow_to_token(&mut self) {
        let (provider, arn) = (self.request.provider().to_owned(), self.request.provider_arn());
        self.statement.shift_remove("Sid");
        self.statement.insert("Principal".to_owned(), json!({ "Federated": arn }));
        self.statement.insert("Action".to_owned(), json!(ACTION));
        let is_own =
            |key: &str| key_provider(key).is_some_and(|theirs| theirs.eq_ignore_ascii_case(&provider));
        for (operator, key) in self.token_conditions() {
            let claim = key.rsplit_once(':').map_or("", |(_, claim)| claim).to_ascii_lowercase();
            let is_subject = claim == "sub";
            if !is_own(&key) && !self.rename_key(&operator, &key, &claim)
                || is_subject && self.manner == Manner::ExactCopy
            {
                self.remove_condition(&operator, &key);
                self.remove_condition(&operator, &format!("{provider}:{claim}"));
            }
        }
        if self.manner == Manner::ExactCopy {
            self.add_condition("StringEquals", "sub", literal(&self.request.subject));
        }
    }

    /// The conditions on subject or audience of a token: operator and key.
    fn token_conditions(&self) -> Vec<(String, String)> {
        let operators = self.statement.get("Condition").and_then(Value::as_object).into_iter().flatten();
        let each = operators.flat_map(|(operator, keys)| {
            let keys = keys.as_object().into_iter().flat_map(Map::keys);
            keys.map(|key| (operator.clone(), key.clone()))
        });
        each.filter(|(operator, key)| is_about_token(operator, key)).collect()
    }

    /// The ARNs under `Federated`.
    fn federated(&self) -> Vec<String> {
        let names = self.statement.get("Principal").and_then(|principal| principal.get("Federated"));
        let names = names.map(|names| match names {
            Value::Array(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            one => one.as_str().map(str::to_owned).into_iter().collect(),
        });
        names.unwrap_or_default()
    }

    fn correct(&mut self, refusal: &ExplainedRefusal) -> Option<()> {
        match (&refusal.element.kind, &refusal.mismatch) {
            (ElementKind::Principal, Mismatch::Account(_) | Mismatch::Partition(_)) => {
                self.replace_provider()
            }
            (ElementKind::Principal, Mismatch::Issuer(difference)) if difference.is_spelling() => {
                self.replace_provider()
            }
            (ElementKind::Action("Action"), Mismatch::Action) => {
                add_value(self.statement.get_mut("Action")?, ACTION);
                Some(())
            }
            (ElementKind::Condition { operator, key }, mismatch) => {
                self.correct_condition(operator, key, &refusal.element.expected, mismatch)
            }
            _ => None,
        }
    }

    /// Replaces each provider that only misspells the token's, or puts it in another account or partition: a role
    /// trusts only the providers of its own account.
    fn replace_provider(&mut self) -> Option<()> {
        let request = self.request;
        let arn = request.provider_arn();
        let means_token = |name: &Value| {
            name.as_str().is_some_and(|name| match crate::mismatch::provider_mismatch(name, request) {
                Mismatch::Account(_) | Mismatch::Partition(_) => true,
                Mismatch::Issuer(difference) => difference.is_spelling(),
                _ => false,
            })
        };
        let federated = self.statement.get_mut("Principal")?.as_object_mut()?.get_mut("Federated")?;
        match federated {
            Value::Array(names) => {
                names.iter_mut().filter(|name| means_token(name)).for_each(|name| *name = json!(arn));
                let mut is_first = true;
                names.retain(|name| *name != json!(arn) || std::mem::take(&mut is_first));
            }
            one => *one = json!(arn),
        }
        Some(())
    }

    fn correct_condition(
        &mut self,
        operator: &str,
        key: &str,
        expected: &[String],
        mismatch: &Mismatch,
    ) -> Option<()> {
        let claim = key.rsplit_once(':')?.1.to_ascii_lowercase();
        match mismatch {
            Mismatch::Issuer(difference) if difference.is_spelling() || self.is_of_no_provider(key) => {
                self.rename_key(operator, key, &claim).then_some(())
            }
            Mismatch::KeySwapped { meant, .. } => self.rename_key(operator, key, meant).then_some(()),
            Mismatch::Audience => {
                let [audience] = self.request.audience.as_slice() else { return None };
                let audience = literal(audience);
                self.edit_values(operator, key, |values, is_copy| {
                    if is_copy { *values = json!(audience) } else { add_value(values, &audience) }
                })
            }
            Mismatch::Subject(SubjectDifference::Excluded) => None,
            Mismatch::Subject(_) => {
                let (subject, wanted) = (self.request.subject.clone(), literal(&self.request.subject));
                let corrected = |value: &Value| {
                    value.as_str().and_then(|value| intended_subject(value, &subject)).map(Value::from)
                };
                self.edit_values(operator, key, |values, is_copy| match values {
                    Value::Array(list) if list.iter().any(|value| corrected(value).is_some()) => {
                        for value in list {
                            *value = corrected(value).unwrap_or_else(|| value.take());
                        }
                    }
                    one => match corrected(one) {
                        Some(right) => *one = right,
                        None if is_copy => *one = json!(wanted),
                        None => add_value(one, &wanted),
                    },
                })
            }
            Mismatch::SubjectWildcard { operator: pattern } => {
                let subject = &self.request.subject;
                let fits = |value: &&String| Pattern::parse(value).matches(subject);
                // Under the other operator, text without a star or a question mark means the same, and the other
                // patterns are as much their author's.
                if !operator.contains("IgnoreCase") {
                    let condition = self.statement.get_mut("Condition")?.as_object_mut()?;
                    return move_to_operator(condition, operator, key, pattern);
                }
                if self.manner == Manner::InPlace {
                    return None;
                }
                let patterns: Vec<String> = expected.iter().filter(fits).cloned().collect();
                self.remove_condition(operator, key);
                self.add_condition(pattern, &claim, json!(patterns));
                Some(())
            }
            _ => None,
        }
    }

    /// Whether a key is about the tokens of a provider that the statement does not list: nothing can meet it.
    fn is_of_no_provider(&self, key: &str) -> bool {
        !self.federated().iter().any(|arn| is_key_of(key, arn))
    }

    fn edit_values(&mut self, operator: &str, key: &str, edit: impl FnOnce(&mut Value, bool)) -> Option<()> {
        let values = self.statement.get_mut("Condition")?.get_mut(operator)?.get_mut(key)?;
        edit(values, self.manner != Manner::InPlace);
        Some(())
    }

    fn remove_condition(&mut self, operator: &str, key: &str) {
        let Some(condition) = self.statement.get_mut("Condition").and_then(Value::as_object_mut) else {
            return;
        };
        if let Some(keys) = condition.get_mut(operator).and_then(Value::as_object_mut) {
            keys.shift_remove(key);
            if keys.is_empty() {
                condition.shift_remove(operator);
            }
        }
    }

    fn add_condition(&mut self, operator: &str, claim: &str, value: impl Into<Value>) {
        let key = format!("{}:{claim}", self.request.provider());
        let condition = self.statement.entry("Condition").or_insert_with(|| json!({}));
        if let Some(condition) = condition.as_object_mut() {
            let keys = condition.entry(operator).or_insert_with(|| json!({}));
            if let Some(keys) = keys.as_object_mut() {
                keys.insert(key, value.into());
            }
        }
    }

    /// Renames a key to a claim of the token's provider. Returns whether it did: not if that key exists already.
    fn rename_key(&mut self, operator: &str, from: &str, claim: &str) -> bool {
        let to = format!("{}:{claim}", self.request.provider());
        let keys = self.statement.get_mut("Condition").and_then(|condition| condition.get_mut(operator));
        let Some(Value::Object(keys)) = keys else { return false };
        if keys.keys().any(|name| name.eq_ignore_ascii_case(&to) && name != from) {
            return false;
        }
        let entries = std::mem::take(keys).into_iter();
        *keys = entries.map(|(name, value)| (if name == from { to.clone() } else { name }, value)).collect();
        true
    }

    /// Swaps the keys for subject and audience where each has the other's value under one operator. Returns
    /// whether it did.
    fn swap_claim_keys(&mut self, refusals: &[ExplainedRefusal]) -> bool {
        let swapped: Vec<(&str, &str)> = refusals
            .iter()
            .filter(|refusal| matches!(refusal.mismatch, Mismatch::KeySwapped { .. }))
            .filter_map(|refusal| match &refusal.element.kind {
                ElementKind::Condition { operator, key } => Some((operator.as_str(), key.as_str())),
                ElementKind::Principal | ElementKind::Action(_) => None,
            })
            .collect();
        let [(operator, one), (other_operator, other)] = swapped.as_slice() else { return false };
        let keys = self.statement.get_mut("Condition").and_then(|condition| condition.get_mut(*operator));
        let (Some(Value::Object(keys)), true) = (keys, operator == other_operator) else { return false };
        let provider = self.request.provider();
        let right = |name: String| match name.rsplit_once(':') {
            Some((_, claim)) if name == *one || name == *other => {
                let meant = if claim.eq_ignore_ascii_case("sub") { "aud" } else { "sub" };
                format!("{provider}:{meant}")
            }
            _ => name,
        };
        *keys = std::mem::take(keys).into_iter().map(|(name, value)| (right(name), value)).collect();
        true
    }
}

/// Adds the conditions of another statement that are not about a token; `None` if they do not fit.
pub(super) fn add_guards(statement: &mut Map<String, Value>, other: &Map<String, Value>) -> Option<()> {
    let Some(operators) = other.get("Condition") else { return Some(()) };
    let condition = statement.get_mut("Condition")?.as_object_mut()?;
    for (operator, keys) in operators.as_object()? {
        for (key, value) in keys.as_object()? {
            if !is_about_token(operator, key) {
                let keys = condition.entry(operator).or_insert_with(|| json!({})).as_object_mut()?;
                keys.insert(key.clone(), value.clone());
            }
        }
    }
    Some(())
}

/// The subject that a text means which no service account has: it lacks the prefix, or has capital letters or
/// invisible characters. A pattern stays a pattern.
fn intended_subject(text: &str, subject: &str) -> Option<String> {
    let plain = text.split(['*', '?']).next().unwrap_or_default();
    let is_prefixed = plain.starts_with(PREFIX) || PREFIX.starts_with(plain);
    let fits = |pattern: String| Pattern::parse(&pattern).matches(subject).then_some(pattern);
    match subject_difference(text, subject) {
        SubjectDifference::Case => Some(fits(text.to_ascii_lowercase()).unwrap_or_else(|| literal(subject))),
        SubjectDifference::Invisible => Some(literal(subject)),
        SubjectDifference::Prefix if !is_prefixed || !text.contains(['*', '?']) => {
            Some(fits(format!("{PREFIX}{text}")).unwrap_or_else(|| literal(subject)))
        }
        _ => None,
    }
}

/// The provider of a key such as `oidc.example.com/id/A:sub`.
fn key_provider(key: &str) -> Option<&str> {
    key.rsplit_once(':').map(|(provider, _)| provider)
}

/// Whether a key is about the tokens of the provider with this ARN.
fn is_key_of(key: &str, arn: &str) -> bool {
    let provider = arn.split_once(":oidc-provider/").map(|(_, provider)| provider);
    provider
        .is_some_and(|provider| key_provider(key).is_some_and(|theirs| theirs.eq_ignore_ascii_case(provider)))
}

/// Adds a text to a single value or a list.
fn add_value(value: &mut Value, text: &str) {
    let more = Value::String(text.to_owned());
    match value {
        Value::Array(list) if !list.contains(&more) => list.push(more),
        Value::Array(_) => {}
        one => *one = Value::Array(vec![one.take(), more]),
    }
}

/// Moves a key to another operator. The new operator comes before the old one if the key was first there, else
/// after it, so that the difference shows only this key moving.
fn move_to_operator(operators: &mut Map<String, Value>, from: &str, key: &str, to: &str) -> Option<()> {
    let keys = operators.get_mut(from)?.as_object_mut()?;
    let is_first = keys.keys().next().is_some_and(|first| first == key);
    let value = keys.shift_remove(key)?;
    let is_empty = keys.is_empty();
    match operators.get_mut(to) {
        Some(others) => {
            let others = others.as_object_mut()?;
            if others.contains_key(key) {
                return None;
            }
            others.insert(key.to_owned(), value);
        }
        None => {
            let entries = std::mem::take(operators);
            let moved = Value::Object([(key.to_owned(), value)].into_iter().collect());
            for (name, keys) in entries {
                let is_it = name == from;
                if is_it && is_first {
                    operators.insert(to.to_owned(), moved.clone());
                }
                operators.insert(name, keys);
                if is_it && !is_first {
                    operators.insert(to.to_owned(), moved.clone());
                }
            }
        }
    }
    if is_empty {
        operators.shift_remove(from);
    }
    Some(())
}
