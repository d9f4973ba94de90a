//! The ways in which SDKs read the shared files, as data. No two of their readers agree on what a line
//! means, which file is malformed, and which header names a profile. [`crate::ini`] reads by them.

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

    /// The same to the letter, with all that the lines say. Source: `aws-runtime`,
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

/// What an indented line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indented {
    /// A part of the value above it, which is passed over: AWS's specification of the format.
    Continues,
    /// The same, and its text is kept in the value.
    Kept,
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
    pub duplicate: DuplicateHeaders,
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
    /// None, and no other character either that the specification does not list for a name.
    Identifier,
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
    /// The same, unless it is a comment, even without a space before it.
    FaultUnlessComment,
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
