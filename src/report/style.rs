//! Colors and width of text for a terminal.

/// Whether escape sequences may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Color {
    Ansi,
    None,
}

impl Color {
    fn paint(self, sequence: &str, text: &str) -> String {
        match self {
            Self::Ansi => format!("\u{1b}[{sequence}m{text}\u{1b}[0m"),
            Self::None => text.to_owned(),
        }
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(crate) fn warning(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }
}

/// The width that text is wrapped to; what is meant to be pasted is not wrapped.
pub(crate) const WIDTH: usize = 100;

/// What to know of the network, where that process has another one.
pub(super) const ANOTHER_NETWORK: &str =
    "Its network is another than this container's, from which all was asked.";
