//! What commands print into a file or a pipe: text in any encoding that a shell writes, and JSON.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::fault::InputFault;

/// The most bytes that are read. A role with its tags has some thousand, and a pod up to the 1.5 MB that etcd stores,
/// to which `kubectl` adds white space.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// The most values in JSON. Each takes some hundred bytes of memory, and a pod with as many as etcd stores has fewer.
const MAX_VALUES: usize = 100_000;

/// Decodes text and trims it. `>` of PowerShell 5 writes UTF-16, and editors on Windows put a byte order mark before
/// UTF-8.
pub(super) fn text(bytes: &[u8]) -> Result<String, InputFault> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().copied().map(unit).collect();
        String::from_utf16(&units).ok().filter(|_| rest.is_empty())
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => String::from_utf8(rest.to_vec()).ok(),
    };
    match text.ok_or(InputFault::NotText)?.trim() {
        "" => Err(InputFault::Empty),
        text => Ok(text.to_owned()),
    }
}

/// Members that show an object to be the output of another command, and what to call that output.
pub(super) type OtherOutput = (&'static [&'static str], &'static str);

/// What an object is, if it is a known output of another command.
pub(super) fn other_output(object: &Map<String, Value>, known: &[OtherOutput]) -> Option<&'static str> {
    let mut known = known.iter();
    known.find(|(members, _)| members.iter().any(|name| object.contains_key(*name))).map(|(_, what)| *what)
}

pub(super) fn json(text: &str) -> Result<Value, InputFault> {
    // Every value but the first of all comes after one of these. In a text they count, too.
    if text.bytes().filter(|byte| b"[{,".contains(byte)).count() > MAX_VALUES {
        return Err(InputFault::TooManyValues(MAX_VALUES));
    }
    serde_json::from_str(text).map_err(|error| InputFault::NotJson(error.to_string()))
}

/// Decodes a document that the IAM API returned URL-encoded (RFC 3986). The AWS CLI decodes documents itself, other
/// tools do not.
pub(crate) fn url_decoded(text: &str) -> String {
    let text = text.trim();
    if text.starts_with('{') {
        return text.to_owned();
    }
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{InputFault, text, url_decoded};

    #[test]
    fn text_in_any_encoding_of_a_shell() {
        let utf16 = |mark: &[u8], unit: fn(u16) -> [u8; 2]| {
            mark.iter().copied().chain("{\r\n}ü".encode_utf16().flat_map(unit)).collect::<Vec<u8>>()
        };
        for (bytes, expected) in [
            (b"".to_vec(), Err(InputFault::Empty)),
            (b"\xef\xbb\xbf \r\n".to_vec(), Err(InputFault::Empty)),
            (b"\xff\xfe".to_vec(), Err(InputFault::Empty)),
            (b"\xef\xbb\xbf{}\r\n".to_vec(), Ok("{}".to_owned())),
            (utf16(b"\xff\xfe", u16::to_le_bytes), Ok("{\r\n}ü".to_owned())),
            (utf16(b"\xfe\xff", u16::to_be_bytes), Ok("{\r\n}ü".to_owned())),
            (b"\xff\xfe{".to_vec(), Err(InputFault::NotText)),
            (b"\xff\xfe\x00\xd8".to_vec(), Err(InputFault::NotText)),
            (b"\x80".to_vec(), Err(InputFault::NotText)),
        ] {
            assert_eq!(text(&bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn only_encoded_documents_are_decoded() {
        for (encoded, expected) in [
            ("%7B%22a%22%3A%20%22b+c%22%7D%0A", r#"{"a": "b+c"}"#),
            ("%7b%22a%22%3a%22%c3%bc%22%7d", r#"{"a":"ü"}"#),
            (r#" {"a": "100%25"} "#, r#"{"a": "100%25"}"#),
            ("%7B%ff", "%7B%ff"),
            ("%7B%", "{%"),
        ] {
            assert_eq!(url_decoded(encoded), expected);
        }
    }
}
