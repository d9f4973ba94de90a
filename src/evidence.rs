//! What was seen, as names and values in the order in which they are shown.

use serde_json::{Map, Value};

use crate::text::sanitize;

/// Named facts that a check saw, kept in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence(Vec<(&'static str, Value)>);

impl Evidence {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a fact that comes from outside: it is bounded and cleaned by [`shown`].
    pub(crate) fn text(self, name: &'static str, value: &str) -> Self {
        self.value(name, sanitize(value))
    }

    /// Adds a fact of our own making.
    pub(crate) fn value(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// Adds a fact of our own making, if there is one.
    pub(crate) fn value_if(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.value(name, value),
            None => self,
        }
    }

    /// Adds a fact that comes from outside, if there is one.
    pub(crate) fn text_if(self, name: &'static str, value: Option<&str>) -> Self {
        self.value_if(name, value.map(sanitize))
    }

    /// Adds a list of texts from outside.
    pub(crate) fn texts(self, name: &'static str, values: &[impl ToString]) -> Self {
        let values: Vec<String> = values.iter().take(16).map(|value| sanitize(&value.to_string())).collect();
        self.value(name, values)
    }

    /// Adds a list of texts from outside, unless it is empty.
    pub(crate) fn texts_if_any(self, name: &'static str, values: &[impl ToString]) -> Self {
        if values.is_empty() { self } else { self.texts(name, values) }
    }

    /// These facts and then the others.
    pub(crate) fn merge(mut self, others: Self) -> Self {
        for (name, value) in others.0 {
            if !self.0.iter().any(|(known, _)| *known == name) {
                self.0.push((name, value));
            }
        }
        self
    }

    /// The facts in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Evidence> for Map<String, Value> {
    fn from(evidence: Evidence) -> Self {
        evidence.0.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// A fact that says what was seen of it.
pub(crate) trait HasEvidence {
    fn evidence(&self) -> Evidence;
}

/// Nothing beyond the fact that the check passed.
impl HasEvidence for () {
    fn evidence(&self) -> Evidence {
        Evidence::new()
    }
}
