//! Copies of programs that can be executed at once.

use std::io;
use std::path::Path;
use std::process::Command;

/// Copies a program and gives the copy this mode.
///
/// Another process writes the copy. If this one did, a thread that forks meanwhile would hold the copy
/// open for writing for a moment, and Linux executes no such file.
///
/// # Errors
/// If `install` cannot be run, or fails.
pub fn install(program: &Path, to: &Path, mode: u32) -> io::Result<()> {
    let mode = format!("--mode={mode:o}");
    let status = Command::new("install").arg(mode).arg("--").args([program, to]).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("install ended with {status}"))) }
}
