//! Which process is inspected: our own, or another one of our PID namespace.
//!
//! An ephemeral container of `kubectl debug` has neither the variables nor the token of the container that it debugs,
//! but it can share its PID namespace. The kernel decides what can be inspected there. If it denies that, the
//! diagnosis says why, and which command works.

use std::str::FromStr;

use tokio::time::Instant;

use crate::diagnosis::Diagnosis;
use crate::diagnosis::target::{InaccessibleTarget, TargetNotFound, TargetSearch};
use crate::env::{CONTAINER_CREDENTIALS_VARIABLES, ROLE_ARN_VARIABLE, TOKEN_FILE_VARIABLE};
use crate::host::process::{Process, Processes};
use crate::host::{Pod, Presence};
use crate::run::options::CheckOptions;

/// Programs that start another program and wait for it. They are never the application. The last two supervise
/// services, each of which is a child of a child.
const INIT_PROGRAMS: [&str; 7] =
    ["tini", "dumb-init", "catatonit", "docker-init", "podman-init", "s6-svscan", "s6-supervise"];

/// The program that Kubernetes runs to keep a pod's namespaces, and the one that is the kernel itself.
const NAMESPACE_KEEPERS: [&str; 2] = ["pause", "kthreadd"];

/// The program that podman runs to keep a pod's namespaces. With a child it is an init program.
const PODMAN_PAUSE: &str = "catatonit";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcessSelector {
    Auto,
    None,
    Pid(u32),
}

impl FromStr for ProcessSelector {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            number => match number.parse() {
                Ok(pid) if pid > 0 => Ok(Self::Pid(pid)),
                _ => Err("auto, none or the id of a process"),
            },
        }
    }
}

/// The pod as the selected process sees it. Without a selection, that is our own process, unless this is a debug
/// container.
///
/// # Errors
/// The process to inspect is not known, or cannot be inspected.
pub(crate) async fn resolve(
    pod: &Pod,
    selector: Option<ProcessSelector>,
    options: &CheckOptions,
    until: Instant,
) -> Result<Pod, Diagnosis> {
    let has_identity =
        [ROLE_ARN_VARIABLE, TOKEN_FILE_VARIABLE].iter().any(|name| pod.raw_variable(name).is_some())
            || options.identity.role_arn.is_some()
            || options.identity.token_file.is_some();
    let is_own = selector == Some(ProcessSelector::None)
        || selector.is_none() && (has_identity || looks_ordinary(pod, options, until).await);
    if is_own {
        return Ok(pod.clone());
    }
    let not_found = |search| TargetNotFound { search, pod: pod.pod_name() };
    let found = match pod.processes(until).await {
        Ok(found) => found,
        Err(_) if selector.is_none() => return Ok(pod.clone()),
        Err(why) => return Err(not_found(TargetSearch::Unlisted(why)).into()),
    };
    if selector.is_none() && !is_debug_container(&found) {
        return Ok(pod.clone());
    }
    let candidates: Vec<Process> = candidates(&found).into_iter().cloned().collect();
    let process = match (selector, candidates.as_slice()) {
        (Some(ProcessSelector::Pid(pid)), _) => match pod.process(pid, until).await {
            Some(process) => process,
            None => return Err(not_found(TargetSearch::NoSuch { pid, candidates }).into()),
        },
        (_, [only]) => only.clone(),
        (_, []) => return Err(not_found(TargetSearch::Nothing).into()),
        (_, _) => return Err(not_found(TargetSearch::Several(candidates)).into()),
    };
    let seen = pod.open_process(&found.own, &process, until).await;
    let seen = seen.map_err(|error| InaccessibleTarget { error: *error, pod: pod.pod_name() })?;
    if seen.has_another_network() {
        tracing::warn!(
            pid = process.pid,
            "the process has another network: STS is called from this container's"
        );
    }
    Ok(seen)
}

/// Checks that the inspected process is still alive. The files of a process that has ended are gone.
///
/// # Errors
/// The process has ended.
pub(crate) async fn ensure_alive(target: &Pod, until: Instant) -> Result<(), Diagnosis> {
    match target.target() {
        Some(process) if target.has_ended(until).await => {
            Err(TargetNotFound { search: TargetSearch::Ended(process.clone()), pod: None }.into())
        }
        _ => Ok(()),
    }
}

/// Whether our own container has what an ephemeral container never has: container credentials, or an API token, which
/// ordinary containers get unless that is turned off.
async fn looks_ordinary(pod: &Pod, options: &CheckOptions, until: Instant) -> bool {
    CONTAINER_CREDENTIALS_VARIABLES.iter().any(|name| pod.raw_variable(name).is_some())
        || pod.presence(&options.identity.api_token_file, until).await != Presence::Missing
}

/// This process and its ancestors in our PID namespace.
fn own_ancestry(found: &Processes) -> Vec<u32> {
    let mut line = vec![found.own.pid];
    let mut parent = found.own.parent;
    while let Some(process) = found.all.iter().find(|process| process.pid == parent)
        && !line.contains(&parent)
    {
        line.push(parent);
        parent = process.parent;
    }
    line
}

/// What the first process of a PID namespace shows about it.
enum FirstProcess<'a> {
    /// The namespace is that of one container. These are its process, or the processes that its init waits for.
    OfContainer(Vec<&'a Process>),
    /// The process only keeps a namespace that the containers of a pod share, or it is not visible.
    Keeper,
}

/// Whether we are in the PID namespace of one other container, as `kubectl debug --target` puts us there. Its first
/// process is no ancestor of ours, runs in another container, and does more than keep a namespace. Ordinary
/// containers can share a namespace that is only kept, and we can be one of them.
fn is_debug_container(found: &Processes) -> bool {
    !own_ancestry(found).contains(&1)
        && found.first_is_in_our_container == Some(false)
        && matches!(first_process(found), FirstProcess::OfContainer(_))
}

fn can_be_application(found: &Processes) -> impl Fn(&&Process) -> bool {
    let lineage = own_ancestry(found);
    move |process| {
        !process.has_ended
            && !NAMESPACE_KEEPERS.contains(&process.name.as_str())
            && !lineage.contains(&process.pid)
    }
}

fn first_process(found: &Processes) -> FirstProcess<'_> {
    let fits = can_be_application(found);
    let Some(first) = found.all.iter().filter(&fits).find(|process| process.pid == 1) else {
        return FirstProcess::Keeper;
    };
    let roots = application_roots(found, first.pid, &fits);
    if roots.is_empty() && first.name == PODMAN_PAUSE {
        FirstProcess::Keeper
    } else {
        FirstProcess::OfContainer(roots)
    }
}

/// The processes that can be the application: the first one, or those that it waits for if it only waits. If the
/// first one keeps a shared namespace, these are all processes that were put into it. Beside an init program whose
/// child has ended, such a process is somebody's shell.
fn candidates(found: &Processes) -> Vec<&Process> {
    match first_process(found) {
        FirstProcess::OfContainer(roots) => roots,
        FirstProcess::Keeper => {
            let fits = can_be_application(found);
            let guests = found.all.iter().filter(&fits).filter(|process| process.parent == 0);
            guests.flat_map(|process| application_roots(found, process.pid, &fits)).collect()
        }
    }
}

/// A process, or the processes that it waits for if it is an init program.
fn application_roots<'a>(
    found: &'a Processes,
    pid: u32,
    fits: &dyn Fn(&&Process) -> bool,
) -> Vec<&'a Process> {
    let mut open = vec![pid];
    let mut known = Vec::new();
    let mut roots = Vec::new();
    while let Some(pid) = open.pop() {
        let Some(process) = found.all.iter().find(|process| process.pid == pid) else { continue };
        if known.contains(&pid) {
            continue;
        }
        known.push(pid);
        if INIT_PROGRAMS.contains(&process.name.as_str()) {
            let children = found.all.iter().filter(fits).filter(|child| child.parent == pid);
            open.extend(children.map(|child| child.pid));
        } else {
            roots.push(process);
        }
    }
    roots.sort_by_key(|process| process.pid);
    roots
}

#[cfg(test)]
mod tests {
    use super::{ProcessSelector, candidates, is_debug_container};
    use crate::host::ProcessUser;
    use crate::host::process::{Process, Processes};

    /// What the probe sees of a PID namespace.
    struct Namespace(Processes);

    /// A namespace in which the probe is this process, whose parent is not in it.
    fn probe_is(pid: u32) -> Namespace {
        probe_started_by(0, pid)
    }

    fn probe_started_by(parent: u32, pid: u32) -> Namespace {
        let own = process(pid, parent, "irsa-probe");
        Namespace(Processes { all: vec![own.clone()], own, first_is_in_our_container: Some(false) })
    }

    impl Namespace {
        /// The first process of the namespace.
        fn first(self, name: &str) -> Self {
            self.beside(1, name)
        }

        /// A process that was put into the namespace from outside.
        fn beside(self, pid: u32, name: &str) -> Self {
            self.with(process(pid, 0, name))
        }

        /// A child of the first process.
        fn child(self, pid: u32, name: &str) -> Self {
            self.child_of(1, pid, name)
        }

        fn child_of(self, parent: u32, pid: u32, name: &str) -> Self {
            self.with(process(pid, parent, name))
        }

        /// A child of the first process that has ended, and that nothing has waited for.
        fn ended_child(self, pid: u32, name: &str) -> Self {
            self.with(Process { has_ended: true, ..process(pid, 1, name) })
        }

        fn with(mut self, process: Process) -> Self {
            self.0.all.push(process);
            self
        }

        /// The probe was put beside another container, and the pod can be about these processes.
        #[track_caller]
        fn debugs(self, candidates: &[u32]) {
            assert!(is_debug_container(&self.0));
            self.leaves(candidates);
        }

        /// The probe's container is an ordinary one, and the pod can be about these processes.
        #[track_caller]
        fn shares(self, candidates: &[u32]) {
            assert!(!is_debug_container(&self.0));
            self.leaves(candidates);
        }

        #[track_caller]
        fn leaves(mut self, pids: &[u32]) {
            let found: Vec<u32> = candidates(&self.0).iter().map(|process| process.pid).collect();
            assert_eq!(found, pids);
            // kubectl exec puts the probe beside the first process of its own container.
            for first_is_in_our_container in [Some(true), None] {
                self.0.first_is_in_our_container = first_is_in_our_container;
                assert!(!is_debug_container(&self.0));
            }
        }
    }

    fn process(pid: u32, parent: u32, name: &str) -> Process {
        Process {
            pid,
            parent,
            name: name.to_owned(),
            has_ended: false,
            user: ProcessUser { uid: 0, gid: 0, groups: Vec::new() },
            uids: [0; 4],
            gids: [0; 4],
            permitted: 0,
            effective: 0,
        }
    }

    #[test]
    fn debugger_is_about_the_first_process() {
        probe_is(20).first("java").debugs(&[1]);
        // In a shell, and where another debugger is.
        probe_started_by(20, 21).first("java").beside(20, "sh").debugs(&[1]);
        probe_is(30).first("java").beside(20, "sh").debugs(&[1]);
    }

    #[test]
    fn debugger_is_about_the_children_of_an_init() {
        probe_is(20).first("tini").child(7, "java").debugs(&[7]);
        probe_is(20).first("tini").child(7, "dumb-init").child_of(7, 8, "x").debugs(&[8]);
        probe_is(20).first("tini").child(7, "sh").child_of(7, 8, "x").debugs(&[7]);
        probe_is(20).first("tini").child(7, "java").child(9, "x").debugs(&[7, 9]);
        probe_is(20).first("tini").child(7, "java").ended_child(9, "x").debugs(&[7]);
        probe_is(20).first("s6-svscan").child(2, "s6-supervise").child_of(2, 3, "x").debugs(&[3]);
        // Podman's init.
        probe_is(20).first("catatonit").child(7, "java").beside(9, "sh").debugs(&[7]);
    }

    #[test]
    fn guest_does_not_stand_in_for_an_ended_child() {
        probe_is(20).first("tini").beside(9, "sh").debugs(&[]);
        probe_is(20).first("tini").ended_child(7, "java").beside(9, "sh").debugs(&[]);
    }

    #[test]
    fn shared_namespace_is_about_its_guests() {
        probe_is(20).first("pause").beside(7, "java").shares(&[7]);
        probe_is(20).first("pause").beside(7, "java").beside(9, "tini").child_of(9, 10, "x").shares(&[7, 10]);
        // Podman's pause, and one that is not shown.
        probe_is(20).first("catatonit").beside(7, "java").shares(&[7]);
        probe_is(20).beside(7, "java").shares(&[7]);
        probe_is(20).first("pause").shares(&[]);
    }

    #[test]
    fn own_namespace_is_about_nothing_else() {
        let node = probe_started_by(9, 20).first("systemd").beside(2, "kthreadd").child(9, "sh");
        node.shares(&[]);
        probe_is(1).shares(&[]);
        probe_is(1).beside(7, "sh").shares(&[7]);
        // The application, or its init, starts the probe.
        probe_started_by(1, 9).first("java").shares(&[]);
        probe_started_by(1, 9).first("tini").child(7, "java").shares(&[]);
    }

    #[test]
    fn parents_in_a_circle_are_followed_once() {
        probe_started_by(21, 20).child_of(20, 21, "sh").first("java").leaves(&[1]);
    }

    #[test]
    fn selector_is_a_word_or_a_process() {
        assert_eq!("auto".parse(), Ok(ProcessSelector::Auto));
        assert_eq!("none".parse(), Ok(ProcessSelector::None));
        assert_eq!("7".parse(), Ok(ProcessSelector::Pid(7)));
        for text in ["", "0", "-1", "self", "7x", "99999999999"] {
            assert!(text.parse::<ProcessSelector>().is_err(), "{text}");
        }
    }
}
