//! Reads the shared config and credentials files as a [`Dialect`] says.
//!
//! No secret leaves this file: the value of a key is replaced by [`PRESENT`].

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::{Bytes, Dialect, DuplicateHeaders, Faults, Indented, Trailing, is_identifier};

/// The settings of one section. Their names are in lower case where the SDK folds them.
pub type Section = BTreeMap<String, String>;
/// The sections of a file by name.
pub type Sections = BTreeMap<String, Section>;

/// The content of a shared file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SharedFile {
    /// The profiles.
    pub profiles: Sections,
    /// The `services NAME` sections by NAME, if the dialect keeps indented lines. [`nested_setting`] reads their
    /// values.
    pub services: Sections,
}

/// The settings whose values are secrets.
const SECRET: [&str; 4] =
    ["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token"];

/// A character that some editors put at the beginning of a file.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The characters that begin a comment.
const COMMENT: [char; 2] = ['#', ';'];

/// The value that replaces a secret.
pub const PRESENT: &str = "set";

/// One of the two shared files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedFileKind {
    /// `~/.aws/config`.
    Config,
    /// `~/.aws/credentials`.
    Credentials,
}

/// Why an SDK cannot use a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: &'static str,
}

/// The value of a setting among the indented lines of `value`. The last one of this name counts.
#[must_use]
pub fn nested_setting<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let mut settings = value.lines().rev().filter_map(|line| line.split_once('='));
    settings.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

impl Dialect {
    /// Reads the profiles of a file.
    ///
    /// # Errors
    /// Returns the line that makes the file malformed for this SDK.
    pub fn parse(&self, kind: SharedFileKind, bytes: &[u8]) -> Result<Sections, Malformed> {
        self.read(kind, bytes).map(|file| file.profiles)
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// As for [`Dialect::parse`].
    pub fn read(&self, kind: SharedFileKind, bytes: &[u8]) -> Result<SharedFile, Malformed> {
        let text = match (std::str::from_utf8(bytes), self.bytes) {
            (Ok(text), _) => text.into(),
            (Err(_), Bytes::Replaced) => String::from_utf8_lossy(bytes),
            (Err(_), Bytes::Empty) => return Ok(SharedFile::default()),
            (Err(error), Bytes::Fault) => {
                let line = 1 + bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count();
                return Err(Malformed { line, fault: "it is not UTF-8 text" });
            }
        };
        let text = match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) if self.skips_mark => rest,
            Some(_) if self.faults == Faults::Brackets => {
                return Err(Malformed { line: 1, fault: "it begins with a byte order mark" });
            }
            _ => &text,
        };
        let mut reading = Reading::new(self, kind);
        for (number, line) in text.lines().enumerate() {
            let wrong = |fault| Malformed { line: number + 1, fault };
            reading.line(line.trim_end_matches('\r')).map_err(wrong)?;
        }
        Ok(if reading.counts_as_empty { SharedFile::default() } else { reading.file })
    }

    fn is_strict(&self) -> bool {
        matches!(self.faults, Faults::Strict | Faults::Specification)
    }
}

/// A file while it is read.
struct Reading<'a> {
    dialect: &'a Dialect,
    kind: SharedFileKind,
    file: SharedFile,
    at: ReadPosition,
    /// The setting above in this section.
    above: Option<OpenProperty>,
    /// The headers so far.
    headers: BTreeSet<String>,
    /// The profiles, and whether the header of each begins with `profile`.
    prefixed: BTreeMap<String, bool>,
    /// Whether the file counts as empty.
    counts_as_empty: bool,
}

/// The section that is read.
enum ReadPosition {
    /// None: no header was read yet.
    Start,
    /// One that no rule looks at.
    Elsewhere,
    /// This profile.
    Profile(String),
    /// This `services` section.
    Services(String),
}

/// A setting to which the following lines can belong.
struct OpenProperty {
    name: String,
    /// Its indentation, in characters.
    indent: usize,
    /// Whether it has no value.
    is_empty: bool,
}

impl<'a> Reading<'a> {
    fn new(dialect: &'a Dialect, kind: SharedFileKind) -> Self {
        Self {
            dialect,
            kind,
            file: SharedFile::default(),
            at: ReadPosition::Start,
            above: None,
            headers: BTreeSet::new(),
            prefixed: BTreeMap::new(),
            counts_as_empty: false,
        }
    }

    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        let dialect = *self.dialect;
        if dialect.indented == Indented::Kept && line.starts_with([' ', '\t']) {
            return self.continuation(line);
        }
        let text = without_comment(line, dialect.inline_comments).trim();
        if text.is_empty() {
            return Ok(());
        }
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        let is_part = indent > 0
            && match (dialect.indented, &self.above) {
                (Indented::Continues, above) => above.is_some(),
                (Indented::Deeper, above) => above.as_ref().is_some_and(|above| indent > above.indent),
                (Indented::BelowEmpty, above) => above.as_ref().is_some_and(|above| above.is_empty),
                (Indented::Nested, _) => true,
                (Indented::Kept | Indented::Line, _) => false,
            };
        if is_part {
            return Ok(());
        }
        if indent > 0 && dialect.indented == Indented::Continues && dialect.faults == Faults::Specification {
            return Err("an indented line has no setting above it");
        }
        if text.starts_with('[')
            && let Some(done) = self.header(text)
        {
            return done;
        }
        let separator: &[char] = if dialect.colon { &['=', ':'] } else { &['='] };
        match text.split_once(separator) {
            Some((name, value)) if !name.trim().is_empty() => self.setting(name.trim(), value.trim(), indent),
            _ if dialect.is_strict() => Err("a line is neither a header nor a setting"),
            _ => Ok(()),
        }
    }

    /// Reads a header. None if the line is not one.
    fn header(&mut self, text: &str) -> Option<Result<(), &'static str>> {
        let dialect = *self.dialect;
        let text = match dialect.headers.trailing {
            Trailing::FaultUnlessComment => text.split(COMMENT).next().unwrap_or_default().trim_end(),
            Trailing::Ignored | Trailing::NoHeader | Trailing::Fault => text,
        };
        let inner = text.strip_prefix('[').unwrap_or_default();
        // The last bracket ends the name, as in the Python and JavaScript parsers.
        let Some((name, trailing)) = inner.rsplit_once(']') else {
            return Some(if dialect.faults == Faults::None { Ok(()) } else { Err("a header is not closed") });
        };
        if !trailing.is_empty() {
            match dialect.headers.trailing {
                Trailing::Ignored => {}
                Trailing::NoHeader => return None,
                Trailing::Fault | Trailing::FaultUnlessComment => {
                    return Some(Err("text follows a header"));
                }
            }
        }
        if name.is_empty() && dialect.headers.must_name {
            return Some(Err("a header is empty"));
        }
        if dialect.faults == Faults::Strict && !self.headers.insert(name.to_owned()) {
            return Some(Err("a header comes twice"));
        }
        let names = match self.kind {
            SharedFileKind::Config => dialect.config,
            SharedFileKind::Credentials => dialect.credentials,
        };
        self.above = None;
        self.at = match names.profile(name, dialect.headers) {
            Some((name, prefixed)) if self.is_effective(&name, prefixed) => {
                self.file.profiles.entry(name.clone()).or_default();
                ReadPosition::Profile(name)
            }
            Some(_) => ReadPosition::Elsewhere,
            None => self.services(name).map_or(ReadPosition::Elsewhere, ReadPosition::Services),
        };
        Some(Ok(()))
    }

    /// Whether the section below this header counts, if the file has the profile in the other spelling as well.
    fn is_effective(&mut self, name: &str, prefixed: bool) -> bool {
        let before = self.prefixed.get(name).copied();
        if before.is_none_or(|before| before == prefixed) {
            self.prefixed.insert(name.to_owned(), prefixed);
            return true;
        }
        let counts = match self.dialect.headers.duplicate {
            DuplicateHeaders::Merged => return true,
            DuplicateHeaders::Prefixed => prefixed,
            DuplicateHeaders::Plain => !prefixed,
            DuplicateHeaders::Spoils => {
                self.counts_as_empty = true;
                false
            }
        };
        if counts {
            self.prefixed.insert(name.to_owned(), prefixed);
            self.file.profiles.remove(name);
        }
        counts
    }

    /// The name of the `services` section that a header begins.
    fn services(&self, header: &str) -> Option<String> {
        let keeps = self.dialect.indented == Indented::Kept && self.kind == SharedFileKind::Config;
        let (word, name) = header.trim().split_once([' ', '\t']).filter(|_| keeps)?;
        (word == "services" && is_identifier(name.trim())).then(|| name.trim().to_owned())
    }

    fn section(&mut self) -> Option<&mut Section> {
        match &self.at {
            ReadPosition::Start | ReadPosition::Elsewhere => None,
            ReadPosition::Profile(name) => Some(self.file.profiles.entry(name.clone()).or_default()),
            ReadPosition::Services(name) => Some(self.file.services.entry(name.clone()).or_default()),
        }
    }

    fn setting(&mut self, name: &str, value: &str, indent: usize) -> Result<(), &'static str> {
        let name = if self.dialect.folds_names { name.to_ascii_lowercase() } else { name.to_owned() };
        let is_at_start = matches!(self.at, ReadPosition::Start);
        if is_at_start && self.dialect.is_strict() {
            return Err("a setting comes before the first header");
        }
        if !is_at_start {
            self.above = Some(OpenProperty { name: name.clone(), indent, is_empty: value.is_empty() });
        }
        if value.is_empty() && self.dialect.drops_empty {
            return Ok(());
        }
        let faults = self.dialect.faults;
        let Some(section) = self.section() else { return Ok(()) };
        let kept = if SECRET.contains(&name.as_str()) && !value.is_empty() { PRESENT } else { value };
        match section.insert(name, kept.to_owned()) {
            Some(_) if faults == Faults::Strict => Err("a setting comes twice"),
            _ => Ok(()),
        }
    }

    /// Adds an indented line to the value above, without the white space around it.
    fn continuation(&mut self, line: &str) -> Result<(), &'static str> {
        let text = line.trim_matches([' ', '\t']);
        if text.is_empty() {
            return Ok(());
        }
        let Some(above) = &self.above else { return Err("an indented line has no setting above it") };
        let is_setting =
            without_comment(text, true).split_once('=').is_some_and(|(name, _)| !name.trim().is_empty());
        if above.is_empty && !is_setting {
            return Err("an indented line is no setting");
        }
        let name = above.name.clone();
        let is_secret = SECRET.contains(&name.as_str());
        if let Some(value) = self.section().and_then(|section| section.get_mut(&name)) {
            if is_secret {
                PRESENT.clone_into(value);
            } else {
                value.push('\n');
                value.push_str(text);
            }
        }
        Ok(())
    }
}

/// The line without its comment. A comment begins the line or follows white space.
fn without_comment(line: &str, inline: bool) -> &str {
    if line.trim_start().starts_with(COMMENT) {
        return "";
    }
    if !inline {
        return line;
    }
    let comment = line
        .char_indices()
        .zip(line.chars().skip(1))
        .find(|((_, before), c)| before.is_whitespace() && COMMENT.contains(c));
    comment.and_then(|((at, _), _)| line.get(..at)).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::{PRESENT, Sections, SharedFileKind, nested_setting};
    use crate::dialect::{
        Bytes, Dialect, DuplicateHeaders, Faults, HeaderStyle, Headers, Indented, InlineSpaces,
    };

    const HEADERS: Headers = Headers {
        must_name: true,
        quotes: true,
        spaces: InlineSpaces::Quoted,
        duplicate: DuplicateHeaders::Merged,
        ..Dialect::SPECIFIED.headers
    };

    const SPECIFIED: Dialect = Dialect { headers: HEADERS, ..Dialect::SPECIFIED };

    fn names(sections: &Sections) -> Vec<&str> {
        sections.keys().map(String::as_str).collect()
    }

    #[test]
    fn headers_name_profiles_by_file_and_sdk() {
        let text = b"[default]\na=1\n[profile foo]\na=1\n[bar]\na=1\n[profile \"a b\"]\na=1\n";
        for (rule, expected) in [
            (HeaderStyle::AsWritten, vec!["bar", "default", "profile \"a b\"", "profile foo"]),
            (HeaderStyle::Prefixed, vec!["a b", "default", "foo"]),
            (HeaderStyle::Either, vec!["a b", "bar", "default", "foo"]),
            (HeaderStyle::Unprefixed, vec!["bar", "default"]),
        ] {
            let dialect = Dialect { config: rule, ..SPECIFIED };
            let sections = dialect.parse(SharedFileKind::Config, text).unwrap();
            assert_eq!(names(&sections), expected, "{rule:?}");
        }
    }

    #[test]
    fn an_indented_line_is_what_each_parser_takes_it_for() {
        let all = "[default]\n  a = 1\n  b = 2\n";
        let one = "[default]\na = 1\n\n  b = 2\n";
        let nested = "[default]\ns3 =\n  a = 1\nb = 2\n";
        for (indented, of_all, of_one, of_nested) in [
            (Indented::Continues, "a", "a", "b s3"),
            (Indented::Deeper, "a b", "a", "b s3"),
            (Indented::BelowEmpty, "a b", "a b", "b s3"),
            (Indented::Nested, "", "a", "b s3"),
            (Indented::Line, "a b", "a b", "a b s3"),
        ] {
            let dialect = Dialect { indented, faults: Faults::None, ..SPECIFIED };
            for (text, expected) in [(all, of_all), (one, of_one), (nested, of_nested)] {
                let sections = dialect.parse(SharedFileKind::Config, text.as_bytes()).unwrap();
                let found: Vec<&str> = sections["default"].keys().map(String::as_str).collect();
                assert_eq!(found.join(" "), expected, "{indented:?} {text}");
            }
        }
    }

    #[test]
    fn a_profile_of_two_spellings_is_what_each_parser_takes_it_for() {
        for (both, plain_first, prefixed_first) in [
            (DuplicateHeaders::Merged, "a b", "a b"),
            (DuplicateHeaders::Prefixed, "b", "b"),
            (DuplicateHeaders::Plain, "a", "a"),
            (DuplicateHeaders::Spoils, "", ""),
        ] {
            let headers = Headers { duplicate: both, ..HEADERS };
            let dialect = Dialect { headers, ..SPECIFIED };
            for (text, expected) in [
                ("[default]\na = 1\n[profile default]\nb = 2\n", plain_first),
                ("[profile default]\nb = 2\n[default]\na = 1\n", prefixed_first),
            ] {
                let sections = dialect.parse(SharedFileKind::Config, text.as_bytes()).unwrap();
                let found: Vec<&str> =
                    sections.values().flat_map(|section| section.keys()).map(String::as_str).collect();
                assert_eq!(found.join(" "), expected, "{both:?} {text}");
            }
        }
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_or_spoils_the_file() {
        let text = "\u{feff}[default]\na = 1\n";
        for (skips_mark, faults, expected) in [
            (true, Faults::None, 1),
            (false, Faults::None, 0),
            (false, Faults::Brackets, 9),
            (false, Faults::Strict, 9),
        ] {
            let dialect = Dialect { skips_mark, faults, ..SPECIFIED };
            let found =
                dialect.parse(SharedFileKind::Config, text.as_bytes()).map_or(9, |sections| sections.len());
            assert_eq!(found, expected, "{skips_mark} {faults:?}");
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
                let bytes = if faults == Faults::Strict { Bytes::Fault } else { Bytes::Replaced };
                let dialect = Dialect { faults, bytes, ..SPECIFIED };
                let found = dialect.parse(SharedFileKind::Credentials, text);
                assert_eq!(found.is_err(), expected, "{faults:?} {}", String::from_utf8_lossy(text));
            }
        }
    }

    #[test]
    fn services_sections_keep_their_nested_settings() {
        let text = b"[services s]\nSTS =\n  endpoint_url = http://a # b\n[default]\nservices = s\n";
        let file = Dialect::WHOLE.read(SharedFileKind::Config, text).unwrap();
        assert_eq!(names(&file.profiles), ["default"]);
        let sts = &file.services["s"]["sts"];
        assert_eq!(nested_setting(sts, "endpoint_url"), Some("http://a # b"));
        assert_eq!(nested_setting(sts, "region"), None);
        assert!(SPECIFIED.read(SharedFileKind::Config, text).unwrap().services.is_empty());
        let secret = b"[default]\naws_secret_access_key = a\n  b = c\n";
        assert_eq!(
            Dialect::WHOLE.parse(SharedFileKind::Config, secret).unwrap()["default"]["aws_secret_access_key"],
            PRESENT
        );
    }

    #[test]
    fn of_a_secret_only_its_presence_is_kept() {
        let text =
            b"[default]\nAWS_Access_Key_Id = AKIA\naws_secret_access_key: x=y\nregion = eu-west-1 # here\n";
        let dialect = Dialect { colon: true, ..SPECIFIED };
        let sections = dialect.parse(SharedFileKind::Credentials, text).unwrap();
        let default = &sections["default"];
        assert_eq!(default["aws_access_key_id"], PRESENT);
        assert_eq!(default["aws_secret_access_key"], PRESENT);
        assert_eq!(default["region"], "eu-west-1");
    }
}
