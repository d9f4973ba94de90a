//! How each SDK reads the shared files, as data. The readers of the SDKs differ in what a line means, which file
//! is malformed, and which header names a profile. [`crate::ini`] reads a file by one of these.

/// How an SDK reads a shared file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Whether `:` also separates a name from its value.
    pub colon: bool,
    /// Whether a comment can follow a value, after white space.
    pub inline_comments: bool,
    /// Whether names are folded to lower case.
    pub folds_names: bool,
    /// Whether a setting without a value counts as not set.
    pub drops_empty: bool,
    /// What an indented line means.
    pub indented: Indented,
    /// Which lines make the whole file malformed.
    pub faults: Faults,
    /// Whether a byte order mark at the beginning is skipped.
    pub skips_mark: bool,
    /// What bytes that are not UTF-8 mean.
    pub bytes: Bytes,
    /// How a header is spelled.
    pub headers: Headers,
    /// Which headers of the config file name a profile.
    pub config: HeaderStyle,
    /// Which headers of the credentials file name a profile.
    pub credentials: HeaderStyle,
}

impl Dialect {
    /// The format as AWS specifies it. Source: the AWS SDKs and Tools reference guide, "Format of the config
    /// and credentials files".
    pub const SPECIFIED: Self = Self {
        colon: false,
        inline_comments: true,
        folds_names: true,
        drops_empty: false,
        indented: Indented::Continues,
        faults: Faults::Specification,
        skips_mark: false,
        bytes: Bytes::Replaced,
        headers: Headers {
            trims: true,
            must_name: false,
            gap: KeyGap::Blanks,
            quotes: false,
            spaces: InlineSpaces::Never,
            trailing: Trailing::Fault,
            duplicate: DuplicateHeaders::Prefixed,
        },
        config: HeaderStyle::Prefixed,
        credentials: HeaderStyle::Unprefixed,
    };

    /// The same format, read to the letter, with nested settings. Source: `aws-runtime`,
    /// `src/env_config/parse.rs` and `normalize.rs`.
    pub const WHOLE: Self = Self {
        indented: Indented::Kept,
        bytes: Bytes::Fault,
        headers: Headers {
            spaces: InlineSpaces::Identifier,
            trailing: Trailing::FaultUnlessComment,
            ..Self::SPECIFIED.headers
        },
        ..Self::SPECIFIED
    };
}

/// What an indented line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indented {
    /// It continues the value above and is ignored: AWS's specification of the format.
    Continues,
    /// It continues the value above, and is kept in it.
    Kept,
    /// It continues the value above if it is indented deeper than that setting: Python's `configparser`.
    Deeper,
    /// It belongs to the setting above if that has no value. Otherwise it is an ordinary line.
    BelowEmpty,
    /// It belongs to something else, wherever it is.
    Nested,
    /// It is an ordinary line.
    Line,
}

/// Which lines make the whole file malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    /// None: what is not understood is skipped.
    None,
    /// A setting before the first header, a line that is neither header nor setting, and a repeated header or
    /// setting: Python's `configparser`.
    Strict,
    /// The same, except for repetitions: AWS's specification of the format.
    Specification,
    /// A header without its closing bracket, and a byte order mark.
    Brackets,
}

/// What bytes that are not UTF-8 mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    /// They become replacement characters.
    Replaced,
    /// The file is malformed.
    Fault,
    /// The file counts as empty.
    Empty,
}

/// How a header is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headers {
    /// Whether white space around a name is removed.
    pub trims: bool,
    /// Whether a header without a name makes the file malformed.
    pub must_name: bool,
    /// What separates `profile` from a name.
    pub gap: KeyGap,
    /// Whether quotes around a name are removed.
    pub quotes: bool,
    /// Which names can contain white space.
    pub spaces: InlineSpaces,
    /// What text after a header means.
    pub trailing: Trailing,
    /// What `NAME` and `profile NAME` in one file mean.
    pub duplicate: DuplicateHeaders,
}

/// What separates `profile` from a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyGap {
    /// One space.
    Space,
    /// One space or tab.
    Blank,
    /// Any number of them.
    Blanks,
}

/// Which names can contain white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InlineSpaces {
    /// None.
    Never,
    /// None. A name has only characters that the specification allows in one.
    Identifier,
    /// Those in quotes after `profile`.
    Quoted,
    /// Every name.
    Always,
}

/// What text after a header means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trailing {
    /// It is ignored.
    Ignored,
    /// The line is not a header.
    NoHeader,
    /// The file is malformed.
    Fault,
    /// The same, unless the text is a comment, even without a space before it.
    FaultUnlessComment,
}

/// What `NAME` and `profile NAME` in one file mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateHeaders {
    /// They are one profile.
    Merged,
    /// `profile NAME` replaces `NAME`.
    Prefixed,
    /// `NAME` replaces `profile NAME`.
    Plain,
    /// The file counts as empty.
    Spoils,
}

/// Which headers name a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderStyle {
    /// Every header, as written.
    AsWritten,
    /// `profile NAME` and `default`.
    Prefixed,
    /// Every header. `profile NAME` names NAME.
    Either,
    /// Every header except `profile NAME`.
    Unprefixed,
}

impl HeaderStyle {
    /// The profile that a header names, and whether `profile` is before it.
    pub(crate) fn profile(self, header: &str, headers: Headers) -> Option<(String, bool)> {
        let header = if headers.trims { header.trim() } else { header };
        if self == Self::AsWritten {
            return Some((header.to_owned(), false));
        }
        let rest = header.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t']));
        let Some(rest) = rest else {
            let is_profile = self != Self::Prefixed || header == "default";
            let fits = match headers.spaces {
                InlineSpaces::Never => !header.trim().contains([' ', '\t']),
                InlineSpaces::Identifier => is_identifier(header),
                InlineSpaces::Quoted | InlineSpaces::Always => true,
            };
            return (is_profile && fits).then(|| (header.to_owned(), false));
        };
        let name = match headers.gap {
            KeyGap::Space => rest.strip_prefix(' ')?,
            KeyGap::Blank => rest.strip_prefix([' ', '\t'])?,
            KeyGap::Blanks => rest.trim(),
        };
        let in_quotes = headers.quotes.then(|| unquoted(name)).flatten();
        let is_quoted = in_quotes.is_some();
        let name = in_quotes.unwrap_or(name);
        let fits = match headers.spaces {
            InlineSpaces::Never => !name.contains([' ', '\t']),
            InlineSpaces::Identifier => is_identifier(name),
            InlineSpaces::Quoted => is_quoted || !name.contains([' ', '\t']),
            InlineSpaces::Always => true,
        };
        (fits && self != Self::Unprefixed).then(|| (name.to_owned(), true))
    }
}

/// What is between quotes.
fn unquoted(text: &str) -> Option<&str> {
    ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
}

/// Whether the specification allows every character in a name.
pub(crate) fn is_identifier(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | '%' | '@' | ':' | '+'))
}
