//! Random identifiers, so that two calls never share a secret or a request id by accident.

use std::fmt::Write as _;

use ring::rand::{SecureRandom as _, SystemRandom};

pub(crate) fn bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    SystemRandom::new().fill(&mut bytes).expect("the system has random numbers");
    bytes
}

/// Characters of `alphabet`, which must divide 256 nearly evenly to look random; nobody relies on more.
pub(crate) fn text(alphabet: &[u8], count: usize) -> String {
    bytes(count).into_iter().map(|byte| char::from(alphabet[usize::from(byte) % alphabet.len()])).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes everything");
        hex
    })
}

/// A version 4 UUID.
pub(crate) fn uuid() -> String {
    let mut bytes = bytes(16);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
