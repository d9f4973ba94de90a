//! The main job on any machine with cargo: AWS as a pod sees it on loopback, a token projected as
//! the kubelet does it, and the real binary's report.
//!
//! `cargo run --example demo` shows a pod that gets its role, `-- --scenario NAME` shows what the
//! page of a diagnosis describes, `-- --list` lists the names.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a demonstration reads its arguments and prints"
)]

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use irsa_probe::commands::explain;
use irsa_probe::diagnosis::Name;
use serde_json::Value;
use testbed::scenario::{self, Scenario};
use testbed::world::World;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let toml = match args.as_slice() {
        [] => "",
        ["--list"] => {
            print!("{}", explain::list());
            return Ok(());
        }
        ["--scenario", text] => {
            let name = Name::parse(text).ok_or_else(|| {
                format!(
                    "no page is called {text}; --list shows all. {}",
                    explain::did_you_mean(text).join(", ")
                )
            })?;
            scenario::of_page(name.page()).ok_or("the page has no scenario")?
        }
        _ => return Err("usage: demo [--list | --scenario NAME]".into()),
    };
    let program = build()?;
    let scenario = Scenario::parse(toml)?;
    let world = World::start(&scenario).await;
    println!("$ irsa-probe {} {} --output text\n", scenario.command, scenario.args.join(" "));
    let finished = world.run(&program, &["--output", "text"]).await?;
    print!("{}", String::from_utf8_lossy(&finished.stdout));
    println!("\nkubectl describe pod would show this as the container's message:\n");
    print!("{}", String::from_utf8_lossy(&finished.termination_log));
    Ok(())
}

/// Builds the binary and says where it is.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--bin", "irsa-probe", "--message-format", "json"])
        .stderr(Stdio::inherit())
        .output()?;
    let path = String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message.get("executable")?.as_str().map(PathBuf::from));
    path.ok_or_else(|| "cargo did not build irsa-probe".into())
}
