//! Keys that no request can carry. The SDK puts them into headers and signatures as they are, and fails over some.

use crate::host::Pod;

/// The variables of a pair of keys, and of the session token beside it.
pub(crate) const KEY_VARIABLES: [&str; 3] =
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// What is wrong with a key, in words that follow its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    #[error("ends with a line break")]
    LineBreakAtEnd,
    #[error("contains a control character")]
    ControlCharacter,
    #[error("contains a space or a character that is not ASCII")]
    ForeignCharacter,
}

impl KeyFault {
    /// What is wrong with a key, if anything.
    pub fn of(key: &str) -> Option<Self> {
        let is_sendable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_sendable(key) {
            None
        } else if is_sendable(key.trim_end_matches(['\r', '\n'])) {
            Some(Self::LineBreakAtEnd)
        } else if key.contains(char::is_control) {
            Some(Self::ControlCharacter)
        } else {
            Some(Self::ForeignCharacter)
        }
    }
}

/// Those of the variables that hold such a key.
pub(crate) fn faulty_variables(
    pod: &Pod,
    names: impl IntoIterator<Item = &'static str>,
) -> Vec<(&'static str, KeyFault)> {
    let fault = |name| Some((name, KeyFault::of(&pod.nonempty_variable(name)?)?));
    names.into_iter().filter_map(fault).collect()
}

/// The variables and what is wrong with them, in a clause.
pub(crate) fn describe_faults(faults: &[(&'static str, KeyFault)]) -> String {
    faults.iter().map(|(name, fault)| format!("{name} {fault}")).collect::<Vec<_>>().join(", and ")
}

#[cfg(test)]
mod tests {
    use super::KeyFault;

    #[test]
    fn a_key_is_of_visible_ascii() {
        for (key, expected) in [
            ("AKIAIOSFODNN7EXAMPLE", None),
            ("wJalrXUtnFEMI/K7MDENG+bPxRfiCY=", None),
            ("", None),
            ("AK\n", Some(KeyFault::LineBreakAtEnd)),
            ("AK\r\n", Some(KeyFault::LineBreakAtEnd)),
            ("AK\r", Some(KeyFault::LineBreakAtEnd)),
            ("A\nK", Some(KeyFault::ControlCharacter)),
            ("A\0K", Some(KeyFault::ControlCharacter)),
            ("\u{1}AK", Some(KeyFault::ControlCharacter)),
            ("AK\u{7f}", Some(KeyFault::ControlCharacter)),
            ("A K", Some(KeyFault::ForeignCharacter)),
            ("AK\u{e9}", Some(KeyFault::ForeignCharacter)),
        ] {
            assert_eq!(KeyFault::of(key), expected, "{key:?}");
        }
    }
}
