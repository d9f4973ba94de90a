//! A test in a process of its own, for what belongs to a whole process: its variables, and its memory.

use std::process::Command;

/// This program, told to run only the ignored test of this name in a module, given by `module_path!()`.
pub(crate) fn of(module: &str, test: &str) -> Command {
    let (_, below_root) = module.split_once("::").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", &format!("{below_root}::{test}")]);
    command
}
