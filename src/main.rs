//! Arguments in, an exit code out.

use std::process::ExitCode;

use irsa_probe::commands;
use irsa_probe::commands::output::{self, Console};

fn main() -> ExitCode {
    output::exit_on_panic();
    let console = Console::new();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return ExitCode::from(output::cannot_start(&error)),
    };
    let code = runtime.block_on(commands::run(&console));
    console.drain();
    ExitCode::from(code)
}
