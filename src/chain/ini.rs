//! The shared files as each SDK reads them: no two parsers agree on what a line means, which file is
//! malformed, and which header names a profile.
//!
//! Secrets do not get beyond this file: of a key's value only that there is one is kept.

use std::collections::BTreeMap;

/// The settings of one profile: lower-case names where the SDK folds them.
pub type Section = BTreeMap<String, String>;
/// The profiles of a file by name.
pub type Sections = BTreeMap<String, Section>;

/// The settings whose values are secrets: kept as [`PRESENT`].
const SECRET: [&str; 4] =
    ["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token"];

/// What is kept of a secret.
pub const PRESENT: &str = "set";

/// How an SDK reads a shared file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Whether `:` separates a name from its value, too.
    pub colon: bool,
    /// Whether a comment may follow a value, after white space.
    pub inline_comments: bool,
    /// Whether names are folded to lower case.
    pub folds_names: bool,
    /// Whether a name without a value counts as not there.
    pub drops_empty: bool,
    /// What an indented line is.
    pub indented: Indented,
    /// Which lines make the whole file unusable.
    pub faults: Faults,
    /// Which headers of the config file name a profile.
    pub config: Names,
    /// Which headers of the credentials file name a profile.
    pub credentials: Names,
}

/// What an indented line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indented {
    /// A part of the value before it.
    Continues,
    /// A line like any other.
    Line,
}

/// Which lines make the whole file unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    /// None does: what is not understood is passed over.
    None,
    /// A setting before the first header, a line that is neither header nor setting, a header or a
    /// setting that comes twice, and what is not UTF-8: Python's `configparser`.
    Strict,
    /// The same without the rule of coming twice: AWS's specification of the format.
    Specification,
    /// A header without its closing bracket.
    Brackets,
}

/// Which headers name a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Every header, as it is.
    AsWritten,
    /// `profile NAME` and `default`.
    Prefixed,
    /// Every header; `profile NAME` is NAME.
    Either,
    /// Every header but `profile NAME`.
    Unprefixed,
}

impl Names {
    /// The profile that a header names.
    fn profile(self, header: &str) -> Option<String> {
        let header = header.trim();
        let prefixed = header.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t']));
        let prefixed = prefixed.map(|rest| rest.trim().trim_matches(['"', '\'']));
        match (self, prefixed) {
            (Self::AsWritten, _) | (Self::Either | Self::Unprefixed, None) => Some(header.to_owned()),
            (Self::Either | Self::Prefixed, Some(name)) => Some(name.to_owned()),
            (Self::Prefixed, None) => (header == "default").then(|| header.to_owned()),
            (Self::Unprefixed, Some(_)) => None,
        }
    }
}

/// Which of the two files it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `~/.aws/config`.
    Config,
    /// `~/.aws/credentials`.
    Credentials,
}

/// Why a file is unusable for an SDK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The line, from 1 on.
    pub line: usize,
    /// What is wrong with it.
    pub fault: &'static str,
}

impl Dialect {
    /// Reads a file's content.
    ///
    /// # Errors
    /// The line that makes the file unusable for this SDK.
    pub fn parse(&self, kind: Kind, bytes: &[u8]) -> Result<Sections, Malformed> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(error) if self.faults == Faults::Strict => {
                let line = 1 + bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count();
                return Err(Malformed { line, fault: "it is not UTF-8 text" });
            }
            Err(_) => String::from_utf8_lossy(bytes),
        };
        let mut reading =
            Reading { dialect: self, kind, sections: Sections::new(), at: At::Start, seen: Vec::new() };
        for (number, line) in text.lines().enumerate() {
            let wrong = |fault| Malformed { line: number + 1, fault };
            reading.line(line.trim_end_matches('\r')).map_err(wrong)?;
        }
        Ok(reading.sections)
    }

    fn is_strict(&self) -> bool {
        matches!(self.faults, Faults::Strict | Faults::Specification)
    }
}

/// A file as far as it was read.
struct Reading<'a> {
    dialect: &'a Dialect,
    kind: Kind,
    sections: Sections,
    at: At,
    seen: Vec<String>,
}

/// Where the reading is.
enum At {
    /// Before the first header.
    Start,
    /// Below a header that names no profile, perhaps below a setting.
    Elsewhere { below: bool },
    /// In this profile, perhaps below a setting.
    Profile { name: String, below: bool },
}

impl Reading<'_> {
    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        let dialect = *self.dialect;
        let text = without_comment(line, dialect.inline_comments).trim();
        if text.is_empty() {
            return Ok(());
        }
        let indented = line.starts_with([' ', '\t']);
        if indented && dialect.indented == Indented::Continues {
            match &self.at {
                At::Profile { below: true, .. } | At::Elsewhere { below: true } => return Ok(()),
                _ if dialect.faults == Faults::Specification => {
                    return Err("an indented line has no setting above it");
                }
                _ => {}
            }
        }
        if text.starts_with('[') {
            return self.header(text);
        }
        let separator: &[char] = if dialect.colon { &['=', ':'] } else { &['='] };
        match text.split_once(separator) {
            Some((name, value)) if !name.trim().is_empty() => self.setting(name.trim(), value.trim()),
            _ if dialect.is_strict() => Err("a line is neither a header nor a setting"),
            _ => Ok(()),
        }
    }

    fn header(&mut self, text: &str) -> Result<(), &'static str> {
        let inner = text.strip_prefix('[').unwrap_or_default();
        // The last bracket ends the name, as in the Python and JavaScript parsers.
        let name = inner.rfind(']').and_then(|end| inner.get(..end)).filter(|name| !name.is_empty());
        let Some(name) = name else {
            return if self.dialect.faults == Faults::None { Ok(()) } else { Err("a header is not closed") };
        };
        if self.dialect.faults == Faults::Strict {
            if self.seen.iter().any(|seen| seen == name) {
                return Err("a header comes twice");
            }
            self.seen.push(name.to_owned());
        }
        let names = match self.kind {
            Kind::Config => self.dialect.config,
            Kind::Credentials => self.dialect.credentials,
        };
        self.at = match names.profile(name) {
            Some(name) => {
                self.sections.entry(name.clone()).or_default();
                At::Profile { name, below: false }
            }
            None => At::Elsewhere { below: false },
        };
        Ok(())
    }

    fn setting(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        let name = if self.dialect.folds_names { name.to_ascii_lowercase() } else { name.to_owned() };
        match &mut self.at {
            At::Start if self.dialect.is_strict() => Err("a setting comes before the first header"),
            At::Start => Ok(()),
            At::Elsewhere { below } => {
                *below = true;
                Ok(())
            }
            At::Profile { name: profile, below } => {
                *below = true;
                if value.is_empty() && self.dialect.drops_empty {
                    return Ok(());
                }
                let kept = if SECRET.contains(&name.as_str()) && !value.is_empty() { PRESENT } else { value };
                let section = self.sections.entry(profile.clone()).or_default();
                let before = section.insert(name, kept.to_owned());
                if before.is_some() && self.dialect.faults == Faults::Strict {
                    return Err("a setting comes twice");
                }
                Ok(())
            }
        }
    }
}

/// The line up to its comment: one that begins the line, or that follows white space.
fn without_comment(line: &str, inline: bool) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    if !inline {
        return line;
    }
    let comment = line
        .char_indices()
        .zip(line.chars().skip(1))
        .find(|((_, before), c)| before.is_whitespace() && matches!(c, '#' | ';'));
    comment.and_then(|((at, _), _)| line.get(..at)).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::{Dialect, Faults, Indented, Kind, Names, PRESENT, Sections};

    const SPECIFIED: Dialect = Dialect {
        colon: false,
        inline_comments: true,
        folds_names: true,
        drops_empty: false,
        indented: Indented::Continues,
        faults: Faults::Specification,
        config: Names::Prefixed,
        credentials: Names::Unprefixed,
    };

    fn names(sections: &Sections) -> Vec<&str> {
        sections.keys().map(String::as_str).collect()
    }

    #[test]
    fn headers_name_profiles_by_file_and_sdk() {
        let text = b"[default]\na=1\n[profile foo]\na=1\n[bar]\na=1\n[profile \"a b\"]\na=1\n";
        for (rule, expected) in [
            (Names::AsWritten, vec!["bar", "default", "profile \"a b\"", "profile foo"]),
            (Names::Prefixed, vec!["a b", "default", "foo"]),
            (Names::Either, vec!["a b", "bar", "default", "foo"]),
            (Names::Unprefixed, vec!["bar", "default"]),
        ] {
            let dialect = Dialect { config: rule, ..SPECIFIED };
            let sections = dialect.parse(Kind::Config, text).unwrap();
            assert_eq!(names(&sections), expected, "{rule:?}");
        }
    }

    #[test]
    fn what_makes_a_file_unusable() {
        for (text, strict, specification, brackets) in [
            (&b"this is = not\n[[[\n garbage"[..], true, true, true),
            (b"[default]\ngarbage\n", true, true, false),
            (b"[default\na=1\n", true, true, true),
            (b"a=1\n[default]\n", true, true, false),
            (b"[default]\na=1\na=2\n", true, false, false),
            (b"[default]\n[default]\n", true, false, false),
            (b"[default]\n  a=1\n", false, true, false),
            (b"[default]\na=\xff\n", true, false, false),
            (b"[default] # x\na = 1 # y\n\n; z\ns3 =\n  a = b\n", false, false, false),
        ] {
            for (faults, expected) in [
                (Faults::None, false),
                (Faults::Strict, strict),
                (Faults::Specification, specification),
                (Faults::Brackets, brackets),
            ] {
                let dialect = Dialect { faults, ..SPECIFIED };
                let found = dialect.parse(Kind::Credentials, text);
                assert_eq!(found.is_err(), expected, "{faults:?} {}", String::from_utf8_lossy(text));
            }
        }
    }

    #[test]
    fn of_a_secret_only_its_presence_is_kept() {
        let text =
            b"[default]\nAWS_Access_Key_Id = AKIA\naws_secret_access_key: x=y\nregion = eu-west-1 # here\n";
        let dialect = Dialect { colon: true, ..SPECIFIED };
        let sections = dialect.parse(Kind::Credentials, text).unwrap();
        let default = &sections["default"];
        assert_eq!(default["aws_access_key_id"], PRESENT);
        assert_eq!(default["aws_secret_access_key"], PRESENT);
        assert_eq!(default["region"], "eu-west-1");
    }
}
