//! Prints what each AWS SDK takes where these variables are set, and nothing else is there.
//!
//! ```sh
//! cargo run --package sdk-chain --example resolve -- AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b
//! ```
//!
//! No file is read: a token file that a variable names counts as missing.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example of a command")]

use std::error::Error;

use sdk_chain::situation::ChainInput;
use sdk_chain::{SdkId, resolve_all};

fn main() -> Result<(), Box<dyn Error>> {
    let mut input = ChainInput::default();
    for argument in std::env::args().skip(1) {
        let (name, value) = argument.split_once('=').ok_or("usage: resolve [NAME=VALUE]...")?;
        input.set_variable(name, value);
    }
    let width = SdkId::ALL.iter().map(|sdk| sdk.as_str().len()).max().unwrap_or_default();
    for resolution in resolve_all(&input, &[]) {
        let (sdk, source) = (resolution.sdk.as_str(), resolution.source.as_str());
        println!("{sdk:width$}  {source:15}  {}", resolution.reason);
    }
    Ok(())
}
