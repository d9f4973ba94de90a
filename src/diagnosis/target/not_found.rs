//! There is no process to inspect.

use super::debug::DebugContainer;
use super::{evidence, words};
use crate::diagnosis::Entry;
use crate::evidence::Evidence;
use crate::host::process::{Process, ProcessListError};

/// The most processes that are listed.
const MAX_LISTED: usize = 8;

/// There is no process to inspect, or it is unclear which one.
#[derive(Debug, Clone)]
pub struct TargetNotFound {
    pub(crate) search: TargetSearch,
    /// The pod's name, if known.
    pub(crate) pod: Option<String>,
}

/// What the search for a process found.
#[derive(Debug, Clone)]
pub(crate) enum TargetSearch {
    /// The processes of this PID namespace cannot be listed.
    Unlisted(ProcessListError),
    /// There are only our own processes, and inits without a child.
    Nothing,
    Several(Vec<Process>),
    /// No process has this id.
    NoSuch {
        pid: u32,
        /// The processes that could be meant.
        candidates: Vec<Process>,
    },
    /// The process ended during the inspection.
    Ended(Process),
}

impl Entry for TargetNotFound {
    fn cause(&self) -> String {
        let found = match &self.search {
            TargetSearch::Unlisted(ProcessListError::NoProc) => {
                "this container has no /proc that shows the processes of its PID namespace".to_owned()
            }
            TargetSearch::Unlisted(ProcessListError::TimedOut) => {
                "the processes of this PID namespace could not be listed in time".to_owned()
            }
            TargetSearch::Nothing => {
                "in this PID namespace there is no process of another container that may be the \
                 application's: none at all, or an init that has no child. It is shared with kubectl debug \
                 --target, or where the pod spec sets shareProcessNamespace"
                    .to_owned()
            }
            TargetSearch::Several(candidates) => format!(
                "{} processes may be the application's, and nothing says which: {}",
                candidates.len(),
                list(candidates)
            ),
            TargetSearch::NoSuch { pid, .. } => {
                format!("in this PID namespace there is no process {pid} that this container may see")
            }
            TargetSearch::Ended(process) => format!(
                "{} ended while it was looked at, or its first thread did while others go on, and its files \
                 went with it. If its container restarts all the time, see why in its own log",
                words(process)
            ),
        };
        format!("The pod was to be looked at through another process, but {found}. Nothing was judged.")
    }

    fn remedy(&self) -> Vec<String> {
        let share = || {
            format!(
                "Share the PID namespace of the application's container, as its own user \
                 (kubectl -n NAMESPACE exec POD -c CONTAINER -- id says which; here 1000):\n{}",
                DebugContainer::of_user(1000, 1000).command(self.pod.as_deref())
            )
        };
        match &self.search {
            TargetSearch::Unlisted(_) | TargetSearch::Nothing => {
                steps![share(), "To judge this container itself:\nirsa-probe check --pid none"]
            }
            TargetSearch::NoSuch { candidates, .. } if candidates.is_empty() => vec![share()],
            TargetSearch::Several(candidates) | TargetSearch::NoSuch { candidates, .. } => {
                choose(candidates, self.pod.as_deref())
            }
            TargetSearch::Ended(process) => {
                vec![format!(
                    "Look again, at whatever runs in its place:\n{} --env=IRSA_PROBE_PID=auto",
                    DebugContainer::for_process(process, false).command(self.pod.as_deref())
                )]
            }
        }
    }

    fn evidence(&self) -> Evidence {
        match &self.search {
            TargetSearch::Unlisted(_) | TargetSearch::Nothing => Evidence::new(),
            TargetSearch::Several(candidates) => {
                Evidence::new().texts_if_any("candidates", &named(candidates))
            }
            TargetSearch::NoSuch { pid, candidates } => {
                Evidence::new().value("target_pid", *pid).texts_if_any("candidates", &named(candidates))
            }
            TargetSearch::Ended(process) => evidence(process),
        }
    }
}

fn named(candidates: &[Process]) -> Vec<String> {
    candidates.iter().map(words).collect()
}

fn list(candidates: &[Process]) -> String {
    let mut all = named(candidates);
    if candidates.len() > MAX_LISTED {
        all.truncate(MAX_LISTED);
        all.push(format!("and {} more", candidates.len() - MAX_LISTED));
    }
    all.join("; ")
}

/// The steps that choose one of several processes.
fn choose(candidates: &[Process], pod: Option<&str>) -> Vec<String> {
    // The command has no name of a process: a process chooses its own name.
    let lines =
        candidates.iter().take(MAX_LISTED).map(|process| format!("\nirsa-probe check --pid {}", process.pid));
    let all = list(candidates);
    let mut steps =
        vec![format!("Look through the process of the application ({all}):{}", lines.collect::<String>())];
    steps.extend(candidates.first().map(|first| {
        format!(
            "The same from a new container of kubectl debug, for the first of them; for another, with its \
             number and its own user and group:\n{} --env=IRSA_PROBE_PID={}",
            DebugContainer::for_process(first, false).command(pod),
            first.pid
        )
    }));
    steps.push("To judge this container itself:\nirsa-probe check --pid none".to_owned());
    steps
}
