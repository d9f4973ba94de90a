//! Arguments in, an exit code out.

use std::process::ExitCode;

use irsa_probe::commands;
use irsa_probe::commands::last_words;
use irsa_probe::commands::output::Console;

fn main() -> ExitCode {
    last_words::exit_on_panic();
    if let Err(error) = last_words::ensure_open_files() {
        return ExitCode::from(last_words::cannot_start(&error));
    }
    let console = Console::new();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return ExitCode::from(last_words::cannot_start(&error)),
    };
    let code = runtime.block_on(commands::run(&console));
    console.drain();
    ExitCode::from(code)
}
