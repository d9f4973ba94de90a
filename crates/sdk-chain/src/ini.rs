//! The shared files as each SDK reads them: no two parsers agree on what a line means, which file is
//! malformed, and which header names a profile.
//!
//! Secrets do not get beyond this file: of a key's value only that there is one is kept.

use std::collections::{BTreeMap, BTreeSet};

/// The settings of one profile: lower-case names where the SDK folds them.
pub type Section = BTreeMap<String, String>;
/// The profiles of a file by name.
pub type Sections = BTreeMap<String, Section>;

/// The settings whose values are secrets: kept as [`PRESENT`].
const SECRET: [&str; 4] =
    ["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token"];

/// What some editors put at the beginning of a file.
const BYTE_ORDER_MARK: char = '\u{feff}';

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
    /// Whether a byte order mark at the beginning is passed over.
    pub skips_mark: bool,
    /// What bytes are that are no text.
    pub bytes: Bytes,
    /// How a header is spelled.
    pub headers: Headers,
    /// Which headers of the config file name a profile.
    pub config: HeaderStyle,
    /// Which headers of the credentials file name a profile.
    pub credentials: HeaderStyle,
}

/// What an indented line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indented {
    /// A part of the value above it: AWS's specification of the format.
    Continues,
    /// The same, but only if it is indented deeper than the setting above it: Python's `configparser`.
    Deeper,
    /// A part of the setting above it if that has no value; else a line like any other.
    BelowEmpty,
    /// A part of something else, wherever it is.
    Nested,
    /// A line like any other.
    Line,
}

/// Which lines make the whole file unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    /// None does: what is not understood is passed over.
    None,
    /// A setting before the first header, a line that is neither header nor setting, a header or a
    /// setting that comes twice: Python's `configparser`.
    Strict,
    /// The same without the rule of coming twice: AWS's specification of the format.
    Specification,
    /// A header without its closing bracket, and a byte order mark.
    Brackets,
}

/// What bytes are that are no UTF-8 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    /// Characters that nobody knows.
    Replaced,
    /// What makes the whole file unusable.
    Fault,
    /// What makes the whole file as good as empty.
    Empty,
}

/// How a header is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headers {
    /// Whether white space around a name is no part of it.
    pub trims: bool,
    /// Whether a header without a name makes the whole file unusable.
    pub must_name: bool,
    /// What stands between `profile` and a name.
    pub gap: KeyGap,
    /// Whether quotes around a name are no part of it.
    pub quotes: bool,
    /// Which names may have white space in them.
    pub spaces: InlineSpaces,
    /// What a header is that other text follows.
    pub trailing: Trailing,
    /// What both `NAME` and `profile NAME` in one file are.
    pub both: DuplicateHeaders,
}

/// What stands between `profile` and a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyGap {
    /// One space.
    Space,
    /// One space or tab.
    Blank,
    /// Any of them.
    Blanks,
}

/// Which names may have white space in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InlineSpaces {
    /// None.
    Never,
    /// After `profile`, those in quotes.
    Quoted,
    /// Every one.
    Always,
}

/// What a header is that other text follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trailing {
    /// A header.
    Ignored,
    /// None.
    NoHeader,
    /// What makes the whole file unusable.
    Fault,
}

/// What both `NAME` and `profile NAME` in one file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateHeaders {
    /// One profile.
    Merged,
    /// The profile is `profile NAME`.
    Prefixed,
    /// The profile is `NAME`.
    Plain,
    /// What makes the whole file as good as empty.
    Spoils,
}

/// Which headers name a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderStyle {
    /// Every header, as it is.
    AsWritten,
    /// `profile NAME` and `default`.
    Prefixed,
    /// Every header; `profile NAME` is NAME.
    Either,
    /// Every header but `profile NAME`.
    Unprefixed,
}

impl HeaderStyle {
    /// The profile that a header names, and whether `profile` is before it.
    fn profile(self, header: &str, headers: Headers) -> Option<(String, bool)> {
        let header = if headers.trims { header.trim() } else { header };
        if self == Self::AsWritten {
            return Some((header.to_owned(), false));
        }
        let rest = header.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t']));
        let Some(rest) = rest else {
            let known = self != Self::Prefixed || header == "default";
            let spaced = headers.spaces == InlineSpaces::Never && header.trim().contains([' ', '\t']);
            return (known && !spaced).then(|| (header.to_owned(), false));
        };
        let name = match headers.gap {
            KeyGap::Space => rest.strip_prefix(' ')?,
            KeyGap::Blank => rest.strip_prefix([' ', '\t'])?,
            KeyGap::Blanks => rest.trim(),
        };
        let in_quotes = headers.quotes.then(|| unquoted(name)).flatten();
        let may_have_spaces = match headers.spaces {
            InlineSpaces::Never => false,
            InlineSpaces::Quoted => in_quotes.is_some(),
            InlineSpaces::Always => true,
        };
        let name = in_quotes.unwrap_or(name);
        let fits = may_have_spaces || !name.contains([' ', '\t']);
        (fits && self != Self::Unprefixed).then(|| (name.to_owned(), true))
    }
}

/// What is between quotes.
fn unquoted(text: &str) -> Option<&str> {
    ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
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
        let text = match (std::str::from_utf8(bytes), self.bytes) {
            (Ok(text), _) => text.into(),
            (Err(_), Bytes::Replaced) => String::from_utf8_lossy(bytes),
            (Err(_), Bytes::Empty) => return Ok(Sections::new()),
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
        let mut reading = Reading::of(self, kind);
        for (number, line) in text.lines().enumerate() {
            let wrong = |fault| Malformed { line: number + 1, fault };
            reading.line(line.trim_end_matches('\r')).map_err(wrong)?;
        }
        Ok(if reading.is_spoilt { Sections::new() } else { reading.sections })
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
    at: ReadPosition,
    /// The setting above, if there is one below the header.
    above: Option<OpenProperty>,
    /// The headers that were there.
    seen: BTreeSet<String>,
    /// The profiles, each with whether its header has `profile` before its name.
    spelled: BTreeMap<String, bool>,
    /// Whether the file is as good as empty.
    is_spoilt: bool,
}

/// Where the reading is.
enum ReadPosition {
    /// Before the first header.
    Start,
    /// Below a header that names no profile.
    Elsewhere,
    /// In this profile.
    Profile(String),
}

/// A setting, for the lines that follow it.
struct OpenProperty {
    /// How far it is indented, in characters.
    indent: usize,
    /// Whether it has no value.
    is_empty: bool,
}

impl<'a> Reading<'a> {
    fn of(dialect: &'a Dialect, kind: Kind) -> Self {
        Self {
            dialect,
            kind,
            sections: Sections::new(),
            at: ReadPosition::Start,
            above: None,
            seen: BTreeSet::new(),
            spelled: BTreeMap::new(),
            is_spoilt: false,
        }
    }

    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        let dialect = *self.dialect;
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
                (Indented::Line, _) => false,
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

    /// What a header leads to, if the line is one.
    fn header(&mut self, text: &str) -> Option<Result<(), &'static str>> {
        let dialect = *self.dialect;
        let inner = text.strip_prefix('[').unwrap_or_default();
        // The last bracket ends the name, as in the Python and JavaScript parsers.
        let Some((name, trailing)) = inner.rsplit_once(']') else {
            return Some(if dialect.faults == Faults::None { Ok(()) } else { Err("a header is not closed") });
        };
        if !trailing.is_empty() {
            match dialect.headers.trailing {
                Trailing::Ignored => {}
                Trailing::NoHeader => return None,
                Trailing::Fault => return Some(Err("text follows a header")),
            }
        }
        if name.is_empty() && dialect.headers.must_name {
            return Some(Err("a header is empty"));
        }
        if dialect.faults == Faults::Strict && !self.seen.insert(name.to_owned()) {
            return Some(Err("a header comes twice"));
        }
        let names = match self.kind {
            Kind::Config => dialect.config,
            Kind::Credentials => dialect.credentials,
        };
        self.above = None;
        self.at = match names.profile(name, dialect.headers) {
            Some((name, prefixed)) if self.counts(&name, prefixed) => {
                self.sections.entry(name.clone()).or_default();
                ReadPosition::Profile(name)
            }
            _ => ReadPosition::Elsewhere,
        };
        Some(Ok(()))
    }

    /// Whether the profile is what comes below this header, if there is one of the other spelling, too.
    fn counts(&mut self, name: &str, prefixed: bool) -> bool {
        let before = self.spelled.get(name).copied();
        if before.is_none_or(|before| before == prefixed) {
            self.spelled.insert(name.to_owned(), prefixed);
            return true;
        }
        let counts = match self.dialect.headers.both {
            DuplicateHeaders::Merged => return true,
            DuplicateHeaders::Prefixed => prefixed,
            DuplicateHeaders::Plain => !prefixed,
            DuplicateHeaders::Spoils => {
                self.is_spoilt = true;
                false
            }
        };
        if counts {
            self.spelled.insert(name.to_owned(), prefixed);
            self.sections.remove(name);
        }
        counts
    }

    fn setting(&mut self, name: &str, value: &str, indent: usize) -> Result<(), &'static str> {
        let name = if self.dialect.folds_names { name.to_ascii_lowercase() } else { name.to_owned() };
        if !matches!(self.at, ReadPosition::Start) {
            self.above = Some(OpenProperty { indent, is_empty: value.is_empty() });
        }
        match &self.at {
            ReadPosition::Start if self.dialect.is_strict() => Err("a setting comes before the first header"),
            ReadPosition::Start | ReadPosition::Elsewhere => Ok(()),
            ReadPosition::Profile(_) if value.is_empty() && self.dialect.drops_empty => Ok(()),
            ReadPosition::Profile(profile) => {
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
    use super::{Bytes, DuplicateHeaders, Headers, InlineSpaces, KeyGap, Trailing};
    use super::{Dialect, Faults, HeaderStyle, Indented, Kind, PRESENT, Sections};

    const SPECIFIED: Dialect = Dialect {
        colon: false,
        inline_comments: true,
        folds_names: true,
        drops_empty: false,
        indented: Indented::Continues,
        faults: Faults::Specification,
        skips_mark: false,
        bytes: Bytes::Replaced,
        headers: HEADERS,
        config: HeaderStyle::Prefixed,
        credentials: HeaderStyle::Unprefixed,
    };

    const HEADERS: Headers = Headers {
        trims: true,
        must_name: true,
        gap: KeyGap::Blanks,
        quotes: true,
        spaces: InlineSpaces::Quoted,
        trailing: Trailing::Fault,
        both: DuplicateHeaders::Merged,
    };

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
            let sections = dialect.parse(Kind::Config, text).unwrap();
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
                let sections = dialect.parse(Kind::Config, text.as_bytes()).unwrap();
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
            let headers = Headers { both, ..HEADERS };
            let dialect = Dialect { headers, ..SPECIFIED };
            for (text, expected) in [
                ("[default]\na = 1\n[profile default]\nb = 2\n", plain_first),
                ("[profile default]\nb = 2\n[default]\na = 1\n", prefixed_first),
            ] {
                let sections = dialect.parse(Kind::Config, text.as_bytes()).unwrap();
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
            let found = dialect.parse(Kind::Config, text.as_bytes()).map_or(9, |sections| sections.len());
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
