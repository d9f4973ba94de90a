//! Makes text from outside safe to print: bounded, on one line, and without secrets.
//!
//! Variables, claims, file names and replies can be huge, binary or hostile. A terminal obeys their control
//! characters, an invisible character makes two different names look equal, and a token in an error message ends
//! up in a log.
//!
//! | Where the text goes | Function |
//! | --- | --- |
//! | A sentence for a reader | [`sanitize`] |
//! | A command that a reader pastes | [`shell_quote`], [`single_quote`] |
//! | A JSON document that a reader pastes | [`escape_json`] |
//! | Unbounded output, such as a log | [`redact`], [`redact_secret`] |
//!
//! ```
//! use foreign_text::{Secret, redact_secret, sanitize, shell_quote};
//!
//! assert_eq!(sanitize("cart\u{200b}\u{1b}[2J"), r"cart\u{200b}\u{1b}[2J");
//! assert_eq!(sanitize("http://me:secret@proxy:3128"), "http://[credentials not shown]@proxy:3128");
//! assert_eq!(shell_quote("x; rm -rf /"), "'x; rm -rf /'");
//!
//! let secret = Secret::new("c2lnbmF0dXJl".to_owned());
//! assert_eq!(redact_secret("bad signature: c2lnbmF0dXJl", &secret), "bad signature: [not shown]");
//! assert_eq!(format!("{secret:?}"), "[not shown]");
//! ```

#![deny(missing_docs)]

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// The most characters of a text that [`sanitize`] keeps.
pub const MAX_CHARS: usize = 256;

/// The most characters of a text in a command. The longest role ARN fits.
const MAX_COMMAND_CHARS: usize = 2048;

/// The text as it can be printed. Characters that a terminal could act on or hide are escaped, the text is cut
/// after [`MAX_CHARS`] characters, and secrets are removed as by [`redact`].
#[must_use]
pub fn sanitize(raw: &str) -> String {
    sanitize_to(MAX_CHARS, raw)
}

fn sanitize_to(limit: usize, raw: &str) -> String {
    let safe = redact(raw);
    let mut text = String::new();
    for (kept, c) in safe.chars().enumerate() {
        if kept == limit {
            let all = safe.chars().count();
            text.push_str(&format!("… ({all} characters)"));
            return text;
        }
        if is_unsafe_to_print(c) {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}

/// The text without JSON Web Tokens and without the user name and password of URLs.
#[must_use]
pub fn redact(raw: &str) -> String {
    without_url_credentials(&without_tokens(raw)).into_owned()
}

/// The length in bytes of a part of a secret that is recognized, wherever the part is from.
const SECRET_PART: usize = 16;

/// The text without the secret and without any part of it of 16 bytes or more, also if it is escaped as in XML, JSON or
/// a URL, or broken by white space. A secret of fewer than 8 bytes is not searched for.
#[must_use]
pub fn redact_secret(text: &str, secret: &Secret) -> String {
    let secret = secret.expose().trim().as_bytes();
    let length = SECRET_PART.min(secret.len());
    if length < 8 {
        return text.to_owned();
    }
    let parts: HashSet<&[u8]> = secret.windows(length).collect();
    let (bytes, places) = unescaped(text);
    let mut clean = String::with_capacity(text.len());
    // Up to where the text is copied or left out.
    let mut done = 0;
    let mut is_hidden = vec![false; bytes.len()];
    for (start, _) in bytes.windows(length).enumerate().filter(|(_, part)| parts.contains(part)) {
        is_hidden.iter_mut().skip(start).take(length).for_each(|hidden| *hidden = true);
    }
    let mut was_hidden = false;
    for ((start, end), hidden) in places.into_iter().zip(is_hidden) {
        if hidden {
            if !was_hidden {
                clean.push_str(text.get(done..start).unwrap_or_default());
                clean.push_str("[not shown]");
            }
            done = end.max(done);
        }
        was_hidden = hidden;
    }
    clean.push_str(text.get(done..).unwrap_or_default());
    clean
}

/// The text with its escapes decoded and without white space, and where each of its bytes is from.
fn unescaped(text: &str) -> (Vec<u8>, Vec<(usize, usize)>) {
    let (mut bytes, mut places) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (decoded, length) = escape(rest).unwrap_or_else(|| {
            let plain = rest.chars().next().unwrap_or_default();
            (plain, plain.len_utf8())
        });
        if !decoded.is_whitespace() {
            let encoded = decoded.encode_utf8(&mut [0; 4]).as_bytes().to_vec();
            places.extend(encoded.iter().map(|_| (at, at + length)));
            bytes.extend(encoded);
        }
        at += length;
    }
    (bytes, places)
}

/// The character that an escape at the start of the text stands for, and the length of the escape in bytes.
fn escape(text: &str) -> Option<(char, usize)> {
    let digits = |text: &str, radix| u32::from_str_radix(text, radix).ok().and_then(char::from_u32);
    match text.as_bytes() {
        [b'%', ..] => Some((digits(text.get(1..3)?, 16)?, 3)),
        [b'\\', b'u', ..] => Some((digits(text.get(2..6)?, 16)?, 6)),
        [b'\\', b'/' | b'\\' | b'"', ..] => Some((text.chars().nth(1)?, 2)),
        // The longest is &#x10ffff;
        [b'&', ..] => {
            let end = text.bytes().take(10).position(|byte| byte == b';')?;
            let decoded = match text.get(1..end)? {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                name => match name.strip_prefix('#')? {
                    hex if hex.starts_with(['x', 'X']) => digits(hex.get(1..)?, 16)?,
                    decimal => digits(decimal, 10)?,
                },
            };
            Some((decoded, end + 1))
        }
        _ => None,
    }
}

/// The JSON document with every character escaped that a terminal could act on or hide. Its value stays the same.
#[must_use]
pub fn escape_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_unsafe_to_print(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            text.push(c);
        }
    }
    text
}

/// Whether a terminal or a log viewer could act on the character or hide it.
fn is_unsafe_to_print(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(
            c,
            '\u{feff}' | '\u{ad}' | '\u{a0}' | '\u{34f}' | '\u{61c}' | '\u{3000}' | '\u{3164}' | '\u{ffa0}'
        )
        || matches!(c, '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}')
        || matches!(c, '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{fe00}'..='\u{fe0f}')
        || matches!(c, '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Replaces whatever looks like a JSON Web Token.
fn without_tokens(raw: &str) -> Cow<'_, str> {
    if !raw.contains("eyJ") {
        return Cow::Borrowed(raw);
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find("eyJ") {
        let (before, token) = rest.split_at(at);
        let end = token.find(|c| !is_word(c)).unwrap_or(token.len());
        let (word, after) = token.split_at(end);
        text.push_str(before);
        text.push_str(if word.contains('.') || word.len() > 40 { "[token not shown]" } else { word });
        rest = after;
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// Replaces user names and passwords in URLs. A password can have the characters that end the host of a URL, so
/// everything up to the last `@` is replaced: of the whole text if it is a URL, otherwise of the word.
fn without_url_credentials(raw: &str) -> Cow<'_, str> {
    if !raw.contains('@') {
        return Cow::Borrowed(raw);
    }
    let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let is_url = raw.split_once("://").is_some_and(|(scheme, _)| scheme.chars().all(is_of_scheme));
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        text.push_str(before);
        let word_end = after.find(char::is_whitespace).filter(|_| !is_url);
        let (word, tail) = after.split_at(word_end.unwrap_or(after.len()));
        match word.rsplit_once('@') {
            Some((_, host)) => {
                text.push_str("[credentials not shown]@");
                text.push_str(host);
            }
            None => text.push_str(word),
        }
        rest = tail;
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The text as one word of a shell, for a command that a reader pastes. bash, dash, zsh, mksh, BusyBox and fish read
/// it alike.
///
/// A text with characters that a terminal or a copy could change is written in bytes, which `printf` prints. No shell
/// keeps line breaks at the end of that, and no argument can hold a zero byte, so a text with those is shown escaped
/// and cannot be used as it is.
#[must_use]
pub fn shell_quote(raw: &str) -> String {
    let text = redact(raw);
    if text.chars().nth(MAX_COMMAND_CHARS).is_some() || text.ends_with('\n') || text.contains('\0') {
        return single_quote(&sanitize_to(MAX_COMMAND_CHARS, &text));
    }
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | ':' | '@' | '=' | '+' | '-' | ',')
    };
    if text.chars().any(|c| c.is_control() || !c.is_ascii()) {
        printf_quote(&text)
    } else if !text.is_empty() && text.chars().all(plain) && !text.starts_with('=') {
        text
    } else {
        single_quote(&text)
    }
}

/// The text in single quotes, as it is. A backslash has no meaning there but in fish, so each is outside of them.
#[must_use]
pub fn single_quote(text: &str) -> String {
    let mut word = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => word.extend(['\'', '\\', c, '\'']),
            c => word.push(c),
        }
    }
    word + "'"
}

/// The output of a `printf` with the text in octal. Letters stay as they are, and digits where no octal number is
/// before them: all else could mean something to the format, or to a shell that looks for its history.
fn printf_quote(text: &str) -> String {
    let mut word = String::from("\"$(printf '");
    let mut follows_octal = false;
    for (place, byte) in text.bytes().enumerate() {
        let is_plain = byte.is_ascii_alphabetic()
            || byte == b'-' && place > 0
            || byte.is_ascii_digit() && !follows_octal
            || matches!(byte, b'.' | b':' | b'/' | b'_' | b' ');
        if is_plain {
            word.push(char::from(byte));
        } else if byte == b'%' {
            word.push_str("%%");
        } else {
            word.push_str(&format!("\\{byte:03o}"));
        }
        follows_octal = !is_plain && byte != b'%';
    }
    word + "')\""
}

/// A text that must not be printed. It has no `Display`, and its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[not shown]")
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_CHARS, Secret, escape_json, redact_secret, sanitize, shell_quote, single_quote};
    use std::io::ErrorKind;
    use std::process::Command;

    #[test]
    fn foreign_text_is_bounded_escaped_and_without_secrets() {
        let long = "x".repeat(MAX_CHARS + 10);
        for (raw, expected) in [
            ("plain", "plain".to_owned()),
            ("a\u{1b}[31mred\n", "a\\u{1b}[31mred\\n".to_owned()),
            ("sts\u{200b}.amazonaws.com", "sts\\u{200b}.amazonaws.com".to_owned()),
            ("http://user:pa@ss@proxy:3128/x", "http://[credentials not shown]@proxy:3128/x".to_owned()),
            ("https://user:pa/ss@host/x", "https://[credentials not shown]@host/x".to_owned()),
            ("https://user:pa?ss@host", "https://[credentials not shown]@host".to_owned()),
            ("https://user:pa#ss@host", "https://[credentials not shown]@host".to_owned()),
            ("https://us er:pa\n\"ss'@host", "https://[credentials not shown]@host".to_owned()),
            (
                "arn:http://u:1/p@h x@y http://v:/2@i",
                "arn:http://[credentials not shown]@h x@y http://[credentials not shown]@i".to_owned(),
            ),
            ("see https://host/path for a@b", "see https://host/path for a@b".to_owned()),
            ("say eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl now", "say [token not shown] now".to_owned()),
            (&long, format!("{}… (266 characters)", "x".repeat(MAX_CHARS))),
        ] {
            assert_eq!(sanitize(raw), expected);
        }
    }

    #[test]
    fn json_keeps_its_meaning_without_what_a_terminal_could_take() {
        let hostile = "{\n \"a\": \"x\u{9b}2J\u{202e}\"\n}";
        let shown = escape_json(hostile);
        assert_eq!(shown, "{\n \"a\": \"x\\u009b2J\\u202e\"\n}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&shown), value(hostile));
    }

    #[test]
    fn a_pasted_word_cannot_run_anything() {
        for (raw, expected) in [
            ("arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:role/a"),
            ("x; rm -rf /", "'x; rm -rf /'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("=ls", "'=ls'"),
            (r"\'; rm -rf /; #", r"''\\''\''; rm -rf /; #'"),
            ("sts.amazonaws.com\u{200b}", r#""$(printf 'sts.amazonaws.com\342\200\213')""#),
            ("a\u{1b}[2J\n1'\\", r#""$(printf 'a\033\133\062J\012\061\047\134')""#),
            ("\u{fc}'; rm -rf /", r#""$(printf '\303\274\047\073 rm -rf /')""#),
            ("-\u{e9}%s!", r#""$(printf '\055\303\251%%s\041')""#),
            ("sts.amazonaws.com\n", r"'sts.amazonaws.com'\\'n'"),
            ("a\0b", r"'a'\\'u{0}b'"),
        ] {
            assert_eq!(shell_quote(raw), expected);
        }
        let long = shell_quote(&"\u{200b}'".repeat(2000));
        assert!(long.ends_with("… (4000 characters)'") && long.len() < 40_000, "{long}");
    }

    /// The shells that read quotes in ways of their own, as far as they are installed.
    #[test]
    fn shells_read_a_pasted_word_as_it_was() {
        const SHELLS: [(&str, &[&str]); 9] = [
            ("bash", &["-c"]),
            ("dash", &["-c"]),
            ("zsh", &["-f", "-c"]),
            ("mksh", &["-c"]),
            ("busybox", &["sh", "-c"]),
            ("fish", &["--no-config", "-c"]),
            ("ksh", &["-c"]),
            ("yash", &["-c"]),
            ("sh", &["-c"]),
        ];
        let mut asked = 0;
        for (shell, args) in SHELLS {
            for (raw, word) in
                WORDS.into_iter().flat_map(|raw| [(raw, shell_quote(raw)), (raw, single_quote(raw))])
            {
                // Another word follows, in which what got out of the quotes would end.
                let command = format!("printf '%s|' {word} end");
                let output = match Command::new(shell).args(args).arg(&command).output() {
                    Err(error) if error.kind() == ErrorKind::NotFound => break,
                    output => output.unwrap(),
                };
                let read = String::from_utf8_lossy(&output.stdout).into_owned();
                assert_eq!(read, format!("{raw}|end|"), "{shell}: {command}");
                asked += 1;
            }
        }
        assert!(asked >= WORDS.len(), "there is a shell");
    }

    const WORDS: [&str; 19] = [
        "plain",
        "",
        "it's $HOME `id` \\",
        "=ls",
        "-n",
        "~/x {a,b} *?[x] !! #",
        "a\u{200b}b\u{feff}\u{a0}\u{fe0f}",
        "\u{1}7\r\n\t'\u{fc}8 ",
        "\\\u{e9}",
        "\u{e9}'; touch PWNED; #",
        "\\'; touch PWNED; #",
        "\\\\'; touch PWNED; #",
        "\u{e9}\\'; touch PWNED; #",
        "\u{e9}\"; touch PWNED; #",
        "\u{e9}$(touch PWNED)`touch PWNED`",
        "-\u{e9}%s%d%%\\n100%!x",
        "\n\n \u{e9} 0",
        "{\n  \"a\": \"it's \\\\n\"\n}",
        "\u{1f600}1\u{7f}\u{85}9",
    ];

    #[test]
    fn any_part_of_a_secret_in_any_escape_is_taken_out() {
        let text = "c2VjcmV0/a+b=IsThisOne<\"&>/0123456789abcdef";
        let secret = Secret::new(text.to_owned());
        let escaped = |each: fn(char) -> String| text.chars().map(each).collect::<String>();
        let (head, tail, middle) = (&text[..16], &text[text.len() - 16..], &text[7..29]);
        let percent = escaped(|c| format!("%{:02X}", u32::from(c)));
        let json = escaped(|c| format!("\\u{:04x}", u32::from(c)));
        let decimal = escaped(|c| format!("&#{};", u32::from(c)));
        let hex = escaped(|c| format!("&#x{:X};", u32::from(c)));
        let wrapped = escaped(|c| format!("{c}\n  "));
        let slashed = text.replace('"', "\\\"").replace('/', "\\/");
        let named =
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        for form in [text, head, tail, middle, &percent, &json, &decimal, &hex, &slashed, &named] {
            assert_eq!(redact_secret(&format!("it is é {form}!"), &secret), "it is é [not shown]!", "{form}");
        }
        assert_eq!(redact_secret(&wrapped, &secret).trim_end(), "[not shown]");
        let plain = "100%, &nbsp; \\ &#xfffffff; %zz and &";
        assert_eq!(redact_secret(plain, &secret), plain);
        assert_eq!(redact_secret(&text[..15], &secret), text[..15]);
    }

    #[test]
    fn an_echoed_secret_is_taken_out() {
        let secret = Secret::new("c2lnbmF0dXJlLW9mLXRoZS10b2tlbg".to_owned());
        for (text, expected) in [
            ("nothing", "nothing"),
            ("bad c2lnbmF0dXJlLW9mLXRoZS10b2tlbg!", "bad [not shown]!"),
            ("cut c2lnbmF0dXJlLW9mLX", "cut [not shown]"),
            ("c2lnbmF0dXJlLW9mLXRoZS10b2tlbg c2lnbmF0dXJlLW9mLXR", "[not shown]"),
            ("c2lnbmF0", "c2lnbmF0"),
        ] {
            assert_eq!(redact_secret(text, &secret), expected);
        }
        assert_eq!(
            redact_secret("a ab", &Secret::new("ab".to_owned())),
            "a ab",
            "what is too short to be a secret is left"
        );
    }
}
