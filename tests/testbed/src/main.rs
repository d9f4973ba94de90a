//! `testbed serve`: a world at fixed addresses, for tests of containers.

use std::error::Error;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use testbed::world::Place;
use testbed::{Scenario, World};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: testbed serve --dir DIR --sts-port PORT --listen IP [--scenario FILE]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if standard error is gone.
            writeln!(std::io::stderr(), "testbed: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

/// Writes `DIR/ca.pem`, the token volumes and `DIR/env`, says `ready`, and runs until SIGTERM.
async fn serve() -> Result<(), Box<dyn Error>> {
    let mut stop = signal(SignalKind::terminate())?;
    let (place, scenario) = arguments()?;
    let world = World::start_at(&scenario, place).await?;
    let env: String = world.env().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    std::fs::write(world.dir().join("env"), env)?;
    writeln!(std::io::stdout(), "ready")?;
    stop.recv().await;
    Ok(())
}

fn arguments() -> Result<(Place, Scenario), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() != Some("serve") {
        return Err(USAGE.into());
    }
    let (mut directory, mut sts_port, mut listen) = (None, None, None);
    let mut scenario = Scenario::default();
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(USAGE)?;
        match flag.as_str() {
            "--dir" => directory = Some(std::path::absolute(PathBuf::from(value))?),
            "--sts-port" => sts_port = Some(value.parse::<u16>()?),
            "--listen" => listen = Some(value.parse::<IpAddr>()?),
            "--scenario" => scenario = Scenario::parse(&std::fs::read_to_string(value)?)?,
            _ => return Err(USAGE.into()),
        }
    }
    let place = Place {
        directory: Some(directory.ok_or(USAGE)?),
        listen: listen.ok_or(USAGE)?,
        sts_port: sts_port.ok_or(USAGE)?,
    };
    Ok((place, scenario))
}
