//! A program that is left running: its lines as they come, its signal, and its end in each way.

use std::fs;
use std::path::Path;
use std::time::Duration;

use testbed::world::{Exit, RunError};
use testbed::{Running, Scenario, World};

use crate::client::assume;
use crate::world::{program, text};

/// A shell script that runs, in a world of its own.
async fn start(toml: &str, script: &str) -> (World, Running) {
    let (_directory, program) = program(script);
    let world = World::start(&Scenario::parse(toml).unwrap()).await;
    let running = world.spawn(&program, &["--last"]).await.unwrap();
    (world, running)
}

/// Waits in a script until the test has made this file in the world's directory.
fn until(file: &str) -> String {
    format!("while [ ! -e {file} ]; do sleep 0.02; done\n")
}

fn make(world: &World, file: &str) {
    fs::write(world.dir().join(file), "").unwrap();
}

#[tokio::test]
async fn lines_are_seen_as_they_come() {
    let script = format!("echo \"$@\"; echo same; echo same; echo why >&2\n{}printf 'the end'", until("go"));
    let (world, mut running) = start("", &script).await;
    assert_eq!(running.line(|line| line == "same").await.unwrap(), "same");
    assert_eq!(running.line(|line| line == "same").await.unwrap(), "same");
    assert_eq!(running.stderr_line(|line| line.starts_with('w')).await.unwrap(), "why");
    assert_eq!(running.stdout_lines(), ["check --last", "same", "same"]);
    assert_eq!(running.stderr_lines(), ["why"]);
    assert!(Path::new(&format!("/proc/{}", running.pid())).exists());

    make(&world, "go");
    assert_eq!(running.line(|_| true).await.unwrap(), "the end", "though no line break follows");
    let error = running.line(|_| true).await.unwrap_err();
    assert!(matches!(error, RunError::Ended(_)), "{error}");
    assert!(error.to_string().contains("same\nthe end") && error.to_string().contains("why\n"), "{error}");
    let finished = running.end().await.unwrap();
    assert_eq!(text(&finished.stdout), "check --last\nsame\nsame\nthe end");
    assert_eq!((finished.status, text(&finished.stderr)), (Exit::Code(0), "why\n".to_owned()));
}

#[tokio::test]
async fn half_a_line_is_none_yet() {
    let script = format!("printf 'half a '; echo half >&2\n{}echo line\n{}", until("second"), until("over"));
    let (world, mut running) = start("", &script).await;
    running.stderr_line(|line| line == "half").await.unwrap();
    assert_eq!(running.stdout_lines(), Vec::<String>::new());
    make(&world, "second");
    assert_eq!(running.line(|line| line.contains("half")).await.unwrap(), "half a line");
    make(&world, "over");
    running.end().await.unwrap();
}

#[tokio::test]
async fn a_line_that_does_not_come_is_not_waited_for_forever() {
    let (_world, mut running) = start("", "echo shown; echo why >&2\nwhile :; do sleep 0.02; done").await;
    running.line(|line| line == "shown").await.unwrap();
    running.stderr_line(|line| line == "why").await.unwrap();
    // From here on an idle test is one whose clock runs ahead.
    tokio::time::pause();
    for error in [
        running.line(|line| line == "never").await.unwrap_err(),
        running.stderr_line(|line| line == "never").await.unwrap_err(),
        running.end().await.unwrap_err(),
    ] {
        assert!(matches!(error, RunError::Hung(_)), "{error}");
        assert!(error.to_string().contains("shown") && error.to_string().contains("why"), "{error}");
    }
}

#[tokio::test]
async fn it_is_terminated_and_leaves_its_message() {
    let script = "trap 'echo last >\"$IRSA_PROBE_TERMINATION_LOG\"; exit 7' TERM\n\
        echo first >\"$IRSA_PROBE_TERMINATION_LOG\"; echo written\nwhile :; do sleep 0.02; done";
    let (_world, mut running) = start("", script).await;
    running.line(|line| line == "written").await.unwrap();
    assert_eq!(running.termination_log().unwrap(), "first\n");
    running.terminate();
    let finished = running.end().await.unwrap();
    assert_eq!((finished.status, text(&finished.termination_log)), (Exit::Code(7), "last\n".to_owned()));
}

#[tokio::test]
async fn the_records_are_those_since_its_start() {
    let (_directory, program) = program(&until("go"));
    let world = World::start(&Scenario::default()).await;
    assert_eq!(assume(&world, &[]).await.status, 200);
    let running = world.spawn(&program, &[]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(assume(&world, &[]).await.status, 200);
    }
    make(&world, "go");
    let finished = running.end().await.unwrap();
    assert_eq!((finished.requests.len(), finished.connections, finished.handshakes), (2, 2, 2));
}

/// Whether the process still does anything: one that nobody has buried yet does not.
fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[tokio::test]
async fn who_drops_it_kills_it() {
    let (_world, mut running) = start("", "trap '' TERM\necho up\nwhile :; do sleep 0.02; done").await;
    running.line(|line| line == "up").await.unwrap();
    let pid = running.pid();
    assert!(lives(pid));
    drop(running);
    while lives(pid) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn its_world_stays_as_long_as_it_runs() {
    let (world, running) = start("", &until("go")).await;
    let (directory, address) = (world.dir().to_owned(), world.sts().address());
    drop(world);
    tokio::net::TcpStream::connect(address).await.unwrap();
    fs::write(directory.join("go"), "").unwrap();
    assert_eq!(running.end().await.unwrap().status, Exit::Code(0));
    assert!(!directory.exists());
}
