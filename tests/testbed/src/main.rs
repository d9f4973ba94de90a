//! `testbed serve`: a world at fixed addresses, for tests of containers.

use std::error::Error;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use testbed::world::Place;
use testbed::{Scenario, World};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: testbed serve --dir DIR --sts-port PORT --listen IP [--scenario FILE]
SIGHUP: what can change is taken from FILE again; SIGUSR1: the token is rotated; SIGTERM: the end";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&*error);
            ExitCode::FAILURE
        }
    }
}

fn complain(error: &dyn Error) {
    // Nobody is left to tell if standard error is gone.
    writeln!(std::io::stderr(), "testbed: {error}").ok();
}

/// Writes `DIR/ca.pem`, the token volumes and `DIR/env`, says `ready`, and runs until SIGTERM. After a
/// SIGHUP it says `reloaded`, after a SIGUSR1 `rotated`; what fails then changes nothing.
async fn serve() -> Result<(), Box<dyn Error>> {
    let mut stop = signal(SignalKind::terminate())?;
    let mut reload = signal(SignalKind::hangup())?;
    let mut rotate = signal(SignalKind::user_defined1())?;
    let (place, file) = arguments()?;
    let world = World::start_at(&file.as_ref().map_or(Ok(Scenario::default()), read)?, place).await?;
    let env: String = world.env().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    std::fs::write(world.dir().join("env"), env)?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "ready")?;
    loop {
        let (outcome, done) = tokio::select! {
            _ = stop.recv() => return Ok(()),
            _ = reload.recv() => {
                let scenario = file.as_ref().ok_or_else(|| "no scenario file to read again".into()).and_then(read);
                (scenario.map(|scenario| world.apply(&scenario)), "reloaded")
            }
            _ = rotate.recv() => (world.renew().map(drop).map_err(Into::into), "rotated"),
        };
        match outcome {
            Ok(()) => writeln!(stdout, "{done}")?,
            Err(error) => complain(&*error),
        }
    }
}

fn read(file: &PathBuf) -> Result<Scenario, Box<dyn Error>> {
    Ok(Scenario::parse(&std::fs::read_to_string(file)?)?)
}

fn arguments() -> Result<(Place, Option<PathBuf>), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() != Some("serve") {
        return Err(USAGE.into());
    }
    let (mut directory, mut sts_port, mut listen, mut scenario) = (None, None, None, None);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(USAGE)?;
        match flag.as_str() {
            "--dir" => directory = Some(std::path::absolute(PathBuf::from(value))?),
            "--sts-port" => sts_port = Some(value.parse::<u16>()?),
            "--listen" => listen = Some(value.parse::<IpAddr>()?),
            "--scenario" => scenario = Some(PathBuf::from(value)),
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
