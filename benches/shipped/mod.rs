//! The binary that ships, which both benchmarks measure.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The binary that `IRSA_PROBE_BIN` names, or else one that is built now.
///
/// # Errors
/// If there is none of that name, or it cannot be built.
pub(crate) fn binary() -> Result<PathBuf, Box<dyn Error>> {
    match std::env::var_os("IRSA_PROBE_BIN") {
        Some(path) => Ok(fs::canonicalize(path)?),
        None => build(),
    }
}

/// Builds the binary that ships, in the target directory of this very `cargo bench`.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--release", "--locked", "--bin", "irsa-probe"])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err("the binary could not be built".into());
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .ok_or_else(|| "cargo does not say where the binary is".into())
}
