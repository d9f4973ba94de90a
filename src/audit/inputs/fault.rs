//! Why an input could not be read.

use super::log::NoReport;
use crate::audit::options::Input;
use crate::diagnosis::Diagnosis;
use crate::host::ReadError;
use crate::host::stdin::StdinFault;
use crate::text::{join, sanitize};
use crate::token::TokenFault;

const MAX_NAMED_CONTAINERS: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{flag} {from}: {why}")]
pub(crate) struct BadInput {
    pub(crate) flag: &'static str,
    pub(crate) from: Input,
    pub(crate) why: InputFault,
}

/// Why an input cannot be used, in words that follow its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputFault {
    #[error("{0}{then}", then = match .0 {
        ReadError::NotRegular(_) => "; save it to a file, or give - and pipe it in",
        _ => "",
    })]
    File(ReadError),
    /// Standard input could not be read.
    #[error("{0}")]
    Stdin(StdinFault),
    #[error("{0} reads it already: only one can")]
    StdinTaken(&'static str),
    #[error("{0}")]
    NoReport(NoReport),
    #[error("{}", Diagnosis::from(.0.clone()).cause())]
    NoToken(TokenFault),
    #[error("it is empty: most likely the command that should have filled it failed")]
    Empty,
    /// It is neither UTF-8 nor UTF-16 with a byte order mark.
    #[error("it is not text")]
    NotText,
    /// With the words of the parser.
    #[error("it is not JSON ({0}): let the command print JSON, with --output json")]
    NotJson(String),
    #[error("it has more than {0} values in its JSON; give one object, by its name")]
    TooManyValues(usize),
    /// A list is longer than AWS or Kubernetes store.
    #[error("it has {count} {what}, and can have at most {max}")]
    TooMany { what: &'static str, count: usize, max: usize },
    /// It is the output of another command.
    #[error("it is {0}")]
    Another(&'static str),
    #[error("it has no {0}")]
    Without(&'static str),
    /// Where one object of this kind is needed.
    #[error("it has {count} {what}: give one")]
    Several { what: &'static str, count: usize },
    /// The pod has no container of the requested name.
    #[error(
        "it has no container {} (--container), but {}",
        sanitize(name),
        join(&names.iter().take(MAX_NAMED_CONTAINERS).map(|name| sanitize(name)).collect::<Vec<_>>())
    )]
    NoContainer { name: String, names: Vec<String> },
}
