//! Where a setting was made, so that a remedy can name the variable, or the file and its line.

use std::fmt;

use crate::text::sanitize;

/// Where a setting was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SettingSource {
    Flag(&'static str),
    Variable(&'static str),
    /// A key of the profile in use, in this file.
    File {
        key: &'static str,
        path: String,
        /// Counted from 1, if the line was found.
        line: Option<usize>,
    },
    /// What takes the place of a setting that was not made.
    Fallback(&'static str),
}

impl SettingSource {
    /// Whether this sets an endpoint, which goes before each setting of a region.
    pub(crate) fn is_endpoint(&self) -> bool {
        match self {
            Self::Variable(name) => name.starts_with("AWS_ENDPOINT_URL"),
            Self::File { key, .. } => key.contains("endpoint_url"),
            Self::Flag(_) | Self::Fallback(_) => false,
        }
    }
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) | Self::Fallback(name) => f.write_str(name),
            Self::File { key, path, line: Some(line) } => {
                write!(f, "{key} in line {line} of {}", sanitize(path))
            }
            Self::File { key, path, line: None } => write!(f, "{key} in {}", sanitize(path)),
        }
    }
}
