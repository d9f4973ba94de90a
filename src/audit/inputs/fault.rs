//! Why an input could not be read.

use std::fmt;

use super::log::NoReport;
use crate::audit::options::Input;
use crate::diagnosis::Diagnosis;
use crate::host::ReadError;
use crate::host::stdin::StdinFault;
use crate::text::sanitize;
use crate::token::TokenFault;

const MAX_NAMED_CONTAINERS: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadInput {
    pub(crate) flag: &'static str,
    pub(crate) from: Input,
    pub(crate) why: InputFault,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputFault {
    File(ReadError),
    /// Standard input could not be read.
    Stdin(StdinFault),
    /// This flag reads standard input, too.
    StdinTaken(&'static str),
    NoReport(NoReport),
    NoToken(TokenFault),
    Empty,
    /// It is neither UTF-8 nor UTF-16 with a byte order mark.
    NotText,
    /// It is not JSON, in the words of the parser.
    NotJson(String),
    /// It is the output of another command.
    Another(&'static str),
    /// It has no member of this name.
    Without(&'static str),
    /// It has several objects, where one is needed.
    Several {
        /// The kind of the objects.
        what: &'static str,
        count: usize,
    },
    /// The pod has no container of the requested name.
    NoContainer {
        name: String,
        names: Vec<String>,
    },
}

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.flag, self.from, self.why)
    }
}

/// In words that follow the name of the file.
impl fmt::Display for InputFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error @ ReadError::NotRegular(_)) => {
                write!(f, "{error}; save it to a file, or give - and pipe it in")
            }
            Self::File(error) => error.fmt(f),
            Self::Stdin(fault) => fault.fmt(f),
            Self::StdinTaken(flag) => write!(f, "{flag} reads it already: only one can"),
            Self::NoReport(none) => none.fmt(f),
            Self::NoToken(fault) => f.write_str(&Diagnosis::from(fault.clone()).cause()),
            Self::Empty => {
                f.write_str("it is empty: most likely the command that should have filled it failed")
            }
            Self::NotText => f.write_str("it is not text"),
            Self::NotJson(words) => {
                write!(f, "it is not JSON ({words}): let the command print JSON, with --output json")
            }
            Self::Another(what) => write!(f, "it is {what}"),
            Self::Without(what) => write!(f, "it has no {what}"),
            Self::Several { what, count } => write!(f, "it has {count} {what}: give one"),
            Self::NoContainer { name, names } => {
                let names: Vec<String> =
                    names.iter().take(MAX_NAMED_CONTAINERS).map(|name| sanitize(name)).collect();
                write!(f, "it has no container {} (--container), but {}", sanitize(name), names.join(", "))
            }
        }
    }
}
