//! Patterns of the policy language: `*` matches any text, `?` any one character.

/// A piece of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// This character.
    Plain(char),
    /// `*` or `?`, where the operator knows patterns.
    Wild(char),
    /// Any name of a session.
    SessionName,
}

/// Whether a character can be part of a session's name: `[\w+=,.@-]`. Source: the STS API model,
/// `roleSessionNameType`.
pub(crate) fn is_of_session_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

/// The least and the most characters of a session's name. Source: the STS API model, `roleSessionNameType`.
const SESSION_NAME_CHARACTERS: (usize, usize) = (2, 64);

/// A policy value, which some operators read as a pattern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

impl Pattern {
    /// A value as it is written.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut pattern = Self::default();
        pattern.push(text);
        pattern
    }

    /// Adds what is written.
    pub fn push(&mut self, text: &str) {
        self.0.extend(
            text.chars().map(|c| if matches!(c, '*' | '?') { Piece::Wild(c) } else { Piece::Plain(c) }),
        );
    }

    /// Adds what stands for itself.
    pub fn push_literal(&mut self, text: &str) {
        self.0.extend(text.chars().map(Piece::Plain));
    }

    /// Adds a place for any name of a session.
    pub(crate) fn push_session_name(&mut self) {
        self.0.push(Piece::SessionName);
    }

    /// Whether every text fits.
    pub(crate) fn is_anything(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|piece| *piece == Piece::Wild('*'))
    }

    /// Which names of sessions fit, where `*` and `?` are read as a pattern or not: all, none, or some (`None`).
    pub(crate) fn fits_session_names(&self, is_pattern: bool) -> Option<bool> {
        let (least, most) = SESSION_NAME_CHARACTERS;
        let is_wild = |piece: &Piece| is_pattern && matches!(piece, Piece::Wild(_));
        let stars = self.0.iter().filter(|piece| is_wild(piece) && **piece == Piece::Wild('*')).count();
        let single = self.0.len() - stars;
        let can_fit = single <= most
            && (stars > 0 || single >= least)
            && self.0.iter().all(|piece| match piece {
                Piece::Plain(c) => is_of_session_name(*c),
                wild @ Piece::Wild(_) => is_wild(wild),
                Piece::SessionName => true,
            });
        let fits_all = stars > 0 && single <= least && self.0.iter().all(is_wild);
        match (can_fit, fits_all) {
            (false, _) => Some(false),
            (true, true) => Some(true),
            (true, false) => None,
        }
    }

    /// The value as a text, where the operator knows no patterns.
    #[must_use]
    pub fn text(&self) -> String {
        let plain = |piece: &Piece| match piece {
            Piece::Plain(c) | Piece::Wild(c) => Some(*c),
            Piece::SessionName => None,
        };
        self.0.iter().filter_map(plain).collect()
    }

    /// Whether there is a `*` or a `?` in it.
    #[must_use]
    pub fn is_wild(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Wild(_)))
    }

    /// A text that fits: with one text for the first `*`, another for each that follows, and a letter for `?`.
    #[must_use]
    pub fn filled(&self, first: &str, others: &str) -> String {
        let mut stars = std::iter::once(first).chain(std::iter::repeat(others));
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Plain(c) => text.push(*c),
                Piece::Wild('*') => text.push_str(stars.next().unwrap_or_default()),
                Piece::Wild(_) => text.push('z'),
                Piece::SessionName => text.push_str(others),
            }
        }
        text
    }

    /// Whether the text fits. Takes time in proportion to the product of both lengths at most.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        fits(&self.0, &text)
    }

    /// Whether the text fits with some name of a session in its place, as far as that can be told.
    pub(crate) fn can_match(&self, text: &str) -> bool {
        let is_name = |text: &str| {
            let (least, most) = SESSION_NAME_CHARACTERS;
            (least..=most).contains(&text.len()) && text.chars().all(is_of_session_name)
        };
        let parts: Vec<&[Piece]> = self.0.split(|piece| *piece == Piece::SessionName).collect();
        match parts.as_slice() {
            [before, after] if !self.is_wild() => {
                let (before, after) = (Self(before.to_vec()).text(), Self(after.to_vec()).text());
                let name =
                    text.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(after.as_str()));
                name.is_some_and(is_name)
            }
            _ => self.matches(text),
        }
    }

    /// Whether an ARN fits, part by part: a star does not reach beyond a colon, but in the last part.
    /// `None` where either is not made of six parts, since only for ARNs it is documented.
    /// Source: "Amazon Resource Name (ARN) condition operators" in the IAM User Guide.
    #[must_use]
    pub fn matches_arn(&self, arn: &str) -> Option<bool> {
        let wanted: Vec<&[Piece]> = self.0.splitn(6, |piece| *piece == Piece::Plain(':')).collect();
        let found: Vec<&str> = arn.splitn(6, ':').collect();
        let fits = |(wanted, found): (&&[Piece], &&str)| fits(wanted, &found.chars().collect::<Vec<_>>());
        let are_arns = wanted.len() == 6 && found.len() == 6 && arn.starts_with("arn:");
        are_arns.then(|| wanted.iter().zip(&found).all(fits))
    }
}

fn fits(pattern: &[Piece], text: &[char]) -> bool {
    let (mut at, mut place) = (0, 0);
    // Where to go on when the rest does not fit: after the last star, with one more character for it.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(c) = text.get(place) {
        match pattern.get(at) {
            Some(Piece::Wild('*') | Piece::SessionName) => {
                at += 1;
                retry = Some((at, place));
            }
            Some(Piece::Wild(_)) => (at, place) = (at + 1, place + 1),
            Some(Piece::Plain(plain)) if plain == c => (at, place) = (at + 1, place + 1),
            _ => match retry {
                Some((after_star, taken)) => {
                    (at, place) = (after_star, taken + 1);
                    retry = Some((after_star, place));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|piece| matches!(piece, Piece::Wild('*') | Piece::SessionName))
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything at all", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbbcd", false),
            ("a*b*c", "aXbYbZc", true),
            ("?", "", false),
            ("?", "ä", true),
            ("sts:*", "sts:AssumeRoleWithWebIdentity", true),
            ("system:serviceaccount:*:app", "system:serviceaccount:a:b:app", true),
            ("system:serviceaccount:ns:*", "system:serviceaccount:ns2:app", false),
        ] {
            assert_eq!(Pattern::parse(pattern).matches(text), expected, "{pattern} {text}");
        }
        let stars = "*a".repeat(500);
        assert!(!Pattern::parse(&stars).matches(&"b".repeat(2000)), "and it ends soon");
        let mut plain = Pattern::parse("a");
        plain.push_literal("*");
        assert!(plain.matches("a*") && !plain.matches("ab"));
    }

    #[test]
    fn a_filled_pattern_fits_itself() {
        for (pattern, filled) in [("a", "a"), ("p*:?*", "p1:z2"), ("*", "1"), ("??", "zz")] {
            let pattern = Pattern::parse(pattern);
            assert_eq!(pattern.filled("1", "2"), filled);
            assert!(pattern.matches(filled) && pattern.is_wild() == (filled != "a"));
        }
    }

    #[test]
    fn an_arn_is_compared_part_by_part() {
        let arn = "arn:aws:iam::111122223333:role/a";
        let fits = |pattern: &str| Pattern::parse(pattern).matches_arn(arn);
        assert_eq!(fits("arn:aws:iam::*:role/*"), Some(true));
        assert_eq!(fits("arn:*:iam::111122223333:*"), Some(true));
        assert_eq!(fits("arn:aws:iam::*:user/*"), Some(false));
        assert_eq!(fits("arn:aws:*:111122223333:role/a"), None, "five parts");
        assert_eq!(fits("*"), None);
        assert_eq!(Pattern::parse("a:b:c:d:e:f").matches_arn("a:b:c:d:e:f"), None, "no ARN");
    }
}
