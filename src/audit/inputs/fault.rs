//! Why an input could not be read.

use std::fmt;

use super::log::NoReport;
use super::printed::BadDocument;
use crate::audit::options::Input;
use crate::diagnosis::Diagnosis;
use crate::host::ReadError;
use crate::host::stdin::StdinFault;
use crate::text::sanitize;
use crate::token::TokenFault;

/// The most containers that a message names.
const MAX_NAMED_CONTAINERS: usize = 16;

/// An input that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadInput {
    /// The flag that names it.
    pub(crate) flag: &'static str,
    /// Where it was to be read from.
    pub(crate) from: Input,
    /// Why.
    pub(crate) why: InputFault,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InputFault {
    /// The file could not be read.
    File(ReadError),
    /// Standard input could not be read.
    Stdin(StdinFault),
    /// This flag reads standard input, too.
    StdinTaken(&'static str),
    /// The log has no report.
    NoReport(NoReport),
    /// The text is not a token.
    NoToken(TokenFault),
    /// The document is not of the expected kind.
    Unusable(BadDocument),
    /// The pod has no container of the requested name.
    NoContainer {
        /// The requested name.
        name: String,
        /// The names of the containers that it has.
        names: Vec<String>,
    },
}

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.flag, self.from)?;
        match &self.why {
            InputFault::File(error @ ReadError::NotRegular(_)) => {
                write!(f, "{error}; save it to a file, or give - and pipe it in")
            }
            InputFault::File(error) => error.fmt(f),
            InputFault::Stdin(fault) => fault.fmt(f),
            InputFault::StdinTaken(flag) => write!(f, "{flag} reads it already: only one can"),
            InputFault::NoReport(none) => none.fmt(f),
            InputFault::NoToken(fault) => f.write_str(&Diagnosis::from(fault.clone()).cause()),
            InputFault::Unusable(fault) => fault.fmt(f),
            InputFault::NoContainer { name, names } => {
                let names: Vec<String> =
                    names.iter().take(MAX_NAMED_CONTAINERS).map(|name| sanitize(name)).collect();
                write!(f, "it has no container {} (--container), but {}", sanitize(name), names.join(", "))
            }
        }
    }
}

impl std::error::Error for BadInput {}

impl From<BadDocument> for InputFault {
    fn from(fault: BadDocument) -> Self {
        Self::Unusable(fault)
    }
}
