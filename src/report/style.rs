//! Colors and line width of text for a terminal.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Color {
    /// With ANSI escape sequences.
    Ansi,
    /// Without color.
    None,
}

impl Color {
    pub(super) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(super) fn warning(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, sequence: &str, text: &str) -> String {
        match self {
            Self::Ansi => format!("\u{1b}[{sequence}m{text}\u{1b}[0m"),
            Self::None => text.to_owned(),
        }
    }
}

/// The width that sentences are wrapped to. What is to be pasted is not wrapped.
const WIDTH: usize = 100;

/// A paragraph, with these indents before its first line and before the others. A word is never broken, so that
/// names and ARNs can be copied.
pub(super) fn wrap(text: &str, first_indent: &str, indent: &str) -> String {
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(first_indent)
        .subsequent_indent(indent)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(text, options)
}
