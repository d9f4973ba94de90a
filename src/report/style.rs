//! Colors and width of text for a terminal.

/// Whether escape sequences may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// They may.
    Ansi,
    /// They may not.
    None,
}

impl Color {
    fn paint(self, sequence: &str, text: &str) -> String {
        match self {
            Self::Ansi => format!("\u{1b}[{sequence}m{text}\u{1b}[0m"),
            Self::None => text.to_owned(),
        }
    }

    /// Painted so.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Painted so.
    #[must_use]
    pub fn warning(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Painted so.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// Painted so.
    #[must_use]
    pub fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Painted so.
    #[must_use]
    pub fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }
}

/// The width that text is wrapped to; what is meant to be pasted is not wrapped.
pub const WIDTH: usize = 100;

/// What to know of the network, where that process has another one.
pub(super) const ANOTHER_NETWORK: &str =
    "Its network is another than this container's, from which all was asked.";
