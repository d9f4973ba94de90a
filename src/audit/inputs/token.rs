//! A token as the kubelet's file has it, or as `kubectl create token` prints it, with or without `-o json`.

use serde_json::Value;

use super::fault::InputFault;
use super::printed;
use crate::token::Token;

/// Reads a token.
pub(crate) fn read(bytes: &[u8]) -> Result<Token, InputFault> {
    let text = printed::text(bytes)?;
    let requested = if text.starts_with('{') { serde_json::from_str::<Value>(&text).ok() } else { None };
    let requested = requested.as_ref().and_then(|request| request.pointer("/status/token")?.as_str());
    Token::decode(requested.unwrap_or(&text)).map_err(InputFault::NoToken)
}
