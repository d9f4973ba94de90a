//! What is still said where the process cannot go on: it cannot start, or it fails by a fault of its own or a library's.
//! Only this file ends the process.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use tokio::time::Instant;

use super::output::{Console, OutputArgs};
use crate::diagnosis::Class;
use crate::host::Pod;
use crate::report::model::{Circumstances, FailurePolicy, Report};
use crate::report::termination;

/// How many files a run has open at once, with some to spare.
const OPEN_FILES: usize = 32;

/// What the report of a failed run is made from, and where it goes.
pub(super) struct LastWords {
    pub(super) console: Console,
    pub(super) pod: Pod,
    pub(super) output: OutputArgs,
    pub(super) termination_log: PathBuf,
    pub(super) container: Option<String>,
    pub(super) failure_policy: FailurePolicy,
    pub(super) started: (SystemTime, Instant),
}

/// Those of the command that runs.
static LAST_WORDS: Mutex<Option<LastWords>> = Mutex::new(None);

impl LastWords {
    /// Keeps them for a fault that comes later.
    pub(super) fn keep(self) {
        *LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner) = Some(self);
    }

    /// Prints the report of a fault at this place, and returns the exit code.
    fn say(self, place: &str) -> u8 {
        let circumstances = Circumstances {
            started: self.started,
            attempts: 1,
            interrupted: false,
            container: self.container,
            failure_policy: self.failure_policy,
        };
        let report = Report::of_fault(&self.pod, circumstances, place.to_owned());
        // Outside of a pod there is no such file.
        let _ = self.pod.overwrite_now(&self.termination_log, &termination::message(&report));
        self.output.print_report(&self.console, &self.pod, &report);
        self.console.drain();
        report.exit_code()
    }
}

/// Whether the system lets this process open the files that a run needs.
///
/// # Errors
/// Its words, if not.
pub fn ensure_open_files() -> io::Result<()> {
    let stdin = io::stdin();
    let files = (0..OPEN_FILES).map(|_| stdin.as_fd().try_clone_to_owned());
    files.collect::<io::Result<Vec<_>>>().map(drop)
}

/// Says why the process cannot start, and returns the exit code.
pub fn cannot_start(error: &io::Error) -> u8 {
    let _ = writeln!(io::stderr(), "irsa-probe cannot start: {error}");
    Class::NotJudged.exit_code()
}

/// Makes a panic, of ours or of a library's, print one line and a report, and exit as what was not judged.
#[expect(clippy::disallowed_methods, clippy::exit, reason = "only here can the process be ended")]
pub fn exit_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(
            || "an unknown place".to_owned(),
            |location| {
                let file = Path::new(location.file()).file_name().unwrap_or_default();
                format!("{}:{}", file.to_string_lossy(), location.line())
            },
        );
        let _ = io::stderr().write_all(termination::fault_line(&place).as_bytes());
        // They are taken, so that a fault of theirs ends the process, too.
        let words = LAST_WORDS.lock().unwrap_or_else(PoisonError::into_inner).take();
        let code = words.map_or(Class::NotJudged.exit_code(), |words| words.say(&place));
        std::process::exit(code.into());
    }));
}

#[cfg(test)]
mod tests {
    use super::{LastWords, exit_on_panic};
    use crate::commands::output::{Console, OutputArgs};
    use crate::host::Pod;
    use crate::report::model::FailurePolicy;
    use std::path::PathBuf;
    use std::process::{Command, Output};
    use std::time::SystemTime;
    use tokio::time::Instant;

    /// Not a test: a process that fails, as which a test runs it.
    #[test]
    #[ignore = "the test of a fault runs it in a process of its own"]
    fn fails() {
        exit_on_panic();
        let pod = Pod::of_this_process();
        LastWords {
            console: Console::new(),
            pod: pod.clone(),
            output: OutputArgs::default(),
            termination_log: PathBuf::from(pod.variable("LOG").unwrap()),
            container: None,
            failure_policy: FailurePolicy {
                observe: pod.variable("OBSERVE").is_some(),
                ..Default::default()
            },
            started: (SystemTime::UNIX_EPOCH, Instant::now()),
        }
        .keep();
        panic!("AKIAIOSFODNN7EXAMPLE");
    }

    #[expect(clippy::disallowed_methods, reason = "the test makes the file that is written")]
    fn run(log: &std::path::Path, variables: &[(&str, &str)]) -> (Output, String) {
        std::fs::write(log, "").unwrap();
        let name = "commands::last_words::tests::fails";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", name])
            .env("LOG", log)
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        (output, std::fs::read_to_string(log).unwrap())
    }

    #[test]
    fn a_fault_still_has_a_report_and_a_termination_message() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("termination-log");
        let (output, message) = run(&log, &[]);
        assert_eq!(output.status.code(), Some(14));
        assert!(message.starts_with("irsa-probe failed by a fault of its own (last_words.rs:"), "{message}");
        let printed = String::from_utf8(output.stdout).unwrap();
        let line = printed.lines().find(|line| line.starts_with('{')).unwrap();
        let report: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&report["outcome"], &report["exit_code"]), (&"fail".into(), &14.into()), "{report}");
        assert!(
            report["fault"].as_str().is_some_and(|place| place.starts_with("last_words.rs:")),
            "{report}"
        );
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("fault of its own") && !format!("{said}{line}").contains("AKIA"), "{said}");

        assert_eq!(run(&log, &[("OBSERVE", "1")]).0.status.code(), Some(0));
    }
}
