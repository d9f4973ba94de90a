//! Whose world is looked at: our own, or that of another process of our PID namespace.
//!
//! An ephemeral container of `kubectl debug` gets neither the variables nor the token of the container
//! that it is to debug, but it can share that one's PID namespace. What may be looked at there is the
//! kernel's to say; where it says no, it is worked out why, and which command would do.

use std::str::FromStr;

use tokio::time::Instant;

use crate::diagnosis::Diagnosis;
use crate::diagnosis::target::{InaccessibleTarget, TargetNotFound, TargetSearch};
use crate::env::{CONTAINER_CREDENTIALS_VARIABLES, ROLE_ARN_VARIABLE, TOKEN_FILE_VARIABLE};
use crate::host::process::{Process, Processes};
use crate::host::{Pod, Presence};
use crate::run::options::CheckOptions;

/// The programs that start one other program and wait for it. Those are never what a pod is about.
/// The last two watch over services, each of which is a child of a child.
const INITS: [&str; 7] =
    ["tini", "dumb-init", "catatonit", "docker-init", "podman-init", "s6-svscan", "s6-supervise"];

/// The program that Kubernetes runs to keep a pod's namespaces, and the one that is the kernel itself.
const NEVER: [&str; 2] = ["pause", "kthreadd"];

/// What podman runs to keep a pod's namespaces. With a child it is an init like others.
const PODMAN_PAUSE: &str = "catatonit";

/// Through which process to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessSelector {
    /// The application's, if it can be told.
    Auto,
    /// None: our own world.
    None,
    /// This one.
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

/// The world that is wanted, by `until` at the latest. Without a choice it is our own, unless that shows
/// nothing that an ordinary container has and we were put into the PID namespace of another one.
///
/// # Errors
/// Why another process's world is wanted and cannot be looked at.
pub async fn world(
    pod: &Pod,
    choice: Option<ProcessSelector>,
    wanted: &CheckOptions,
    until: Instant,
) -> Result<Pod, Diagnosis> {
    let has_identity =
        [ROLE_ARN_VARIABLE, TOKEN_FILE_VARIABLE].iter().any(|name| pod.raw_variable(name).is_some())
            || wanted.identity.role_arn.is_some()
            || wanted.identity.token_file.is_some();
    let is_own = choice == Some(ProcessSelector::None)
        || choice.is_none() && (has_identity || may_be_ordinary(pod, wanted, until).await);
    if is_own {
        return Ok(pod.clone());
    }
    let not_found = |search| TargetNotFound { search, pod: pod.pod_name() };
    let found = match pod.processes(until).await {
        Ok(found) => found,
        Err(_) if choice.is_none() => return Ok(pod.clone()),
        Err(why) => return Err(not_found(TargetSearch::Unlisted(why)).into()),
    };
    if choice.is_none() && !is_put_beside_another(&found) {
        return Ok(pod.clone());
    }
    let candidates: Vec<Process> = candidates(&found).into_iter().cloned().collect();
    let process = match (choice, candidates.as_slice()) {
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

/// Whether the world that was looked at is still there: of a process that has ended nothing is found.
///
/// # Errors
/// That its process has ended.
pub async fn still(world: &Pod, until: Instant) -> Result<(), Diagnosis> {
    match world.target() {
        Some(process) if world.has_ended(until).await => {
            Err(TargetNotFound { search: TargetSearch::Ended(process.clone()), pod: None }.into())
        }
        _ => Ok(()),
    }
}

/// Whether our own world shows what an ephemeral container never has: an API token, which ordinary
/// containers are given unless that is turned off, or container credentials.
async fn may_be_ordinary(pod: &Pod, wanted: &CheckOptions, until: Instant) -> bool {
    CONTAINER_CREDENTIALS_VARIABLES.iter().any(|name| pod.raw_variable(name).is_some())
        || pod.presence(&wanted.identity.api_token_file, until).await != Presence::Missing
}

/// This process and those that it descends from, as far as they are in our PID namespace.
fn lineage(found: &Processes) -> Vec<u32> {
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

/// What the first process of the PID namespace says of it.
enum FirstProcess<'a> {
    /// It is one container's: these are its process, or those that its init waits for, if there are any.
    OfContainer(Vec<&'a Process>),
    /// It only keeps the PID namespace that the containers of a pod share, or cannot be seen.
    Keeper,
}

/// Whether we were put into the PID namespace of one other container, as `kubectl debug --target` does
/// it. Its first process is not one that we descend from, runs in another container than we, and is no
/// mere keeper of a namespace that the ordinary containers of a pod share: we may be one of them.
fn is_put_beside_another(found: &Processes) -> bool {
    !lineage(found).contains(&1)
        && found.first_is_in_our_container == Some(false)
        && matches!(first(found), FirstProcess::OfContainer(_))
}

/// Whether a process may be what the pod is about.
fn fits(found: &Processes) -> impl Fn(&&Process) -> bool {
    let lineage = lineage(found);
    move |process| {
        !process.has_ended && !NEVER.contains(&process.name.as_str()) && !lineage.contains(&process.pid)
    }
}

fn first(found: &Processes) -> FirstProcess<'_> {
    let fits = fits(found);
    let Some(first) = found.all.iter().filter(&fits).find(|process| process.pid == 1) else {
        return FirstProcess::Keeper;
    };
    let roots = roots(found, first.pid, &fits);
    if roots.is_empty() && first.name == PODMAN_PAUSE {
        FirstProcess::Keeper
    } else {
        FirstProcess::OfContainer(roots)
    }
}

/// The processes that the pod may be about: the first one, or what it waits for if that is all that it
/// does. Only where the first one keeps a shared namespace, all that were put into that: a guest beside
/// an init whose own child has ended is somebody's shell.
fn candidates(found: &Processes) -> Vec<&Process> {
    match first(found) {
        FirstProcess::OfContainer(roots) => roots,
        FirstProcess::Keeper => {
            let fits = fits(found);
            let guests = found.all.iter().filter(&fits).filter(|process| process.parent == 0);
            guests.flat_map(|process| roots(found, process.pid, &fits)).collect()
        }
    }
}

/// A process, or in place of an init the processes that it waits for.
fn roots<'a>(found: &'a Processes, pid: u32, fits: &dyn Fn(&&Process) -> bool) -> Vec<&'a Process> {
    let mut open = vec![pid];
    let mut known = Vec::new();
    let mut roots = Vec::new();
    while let Some(pid) = open.pop() {
        let Some(process) = found.all.iter().find(|process| process.pid == pid) else { continue };
        if known.contains(&pid) {
            continue;
        }
        known.push(pid);
        if INITS.contains(&process.name.as_str()) {
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
    use super::{ProcessSelector, candidates, is_put_beside_another};
    use crate::host::ProcessUser;
    use crate::host::process::{Process, Processes};

    fn process(pid: u32, parent: u32, name: &str) -> Process {
        Process {
            pid,
            parent,
            name: name.trim_start_matches('+').to_owned(),
            has_ended: name.starts_with('+'),
            user: ProcessUser { uid: 0, gid: 0, groups: Vec::new() },
            uids: [0; 4],
            gids: [0; 4],
            permitted: 0,
            effective: 0,
        }
    }

    /// Us with our parent, the others, whether the first of them is of another container that we were put
    /// beside, and which the pod may be about.
    type Case = (&'static str, (u32, u32), &'static [(u32, u32, &'static str)], bool, &'static [u32]);

    const CASES: [Case; 22] = [
        ("kubectl debug", (20, 0), &[(1, 0, "java")], true, &[1]),
        ("a shell in it", (21, 20), &[(1, 0, "java"), (20, 0, "sh")], true, &[1]),
        ("another debugger is there", (30, 0), &[(1, 0, "java"), (20, 0, "sh")], true, &[1]),
        ("an init", (20, 0), &[(1, 0, "tini"), (7, 1, "java")], true, &[7]),
        ("an init in an init", (20, 0), &[(1, 0, "tini"), (7, 1, "dumb-init"), (8, 7, "x")], true, &[8]),
        ("the child has children", (20, 0), &[(1, 0, "tini"), (7, 1, "sh"), (8, 7, "x")], true, &[7]),
        ("two children", (20, 0), &[(1, 0, "tini"), (7, 1, "java"), (9, 1, "x")], true, &[7, 9]),
        ("one of them has ended", (20, 0), &[(1, 0, "tini"), (7, 1, "java"), (9, 1, "+x")], true, &[7]),
        ("services", (20, 0), &[(1, 0, "s6-svscan"), (2, 1, "s6-supervise"), (3, 2, "x")], true, &[3]),
        ("an init whose child is gone", (20, 0), &[(1, 0, "tini"), (9, 0, "sh")], true, &[]),
        ("a child that only waits", (20, 0), &[(1, 0, "tini"), (7, 1, "+java"), (9, 0, "sh")], true, &[]),
        ("podman's init", (20, 0), &[(1, 0, "catatonit"), (7, 1, "java"), (9, 0, "sh")], true, &[7]),
        // A namespace that containers share: we may be an ordinary one of them.
        ("a shared namespace", (20, 0), &[(1, 0, "pause"), (7, 0, "java")], false, &[7]),
        (
            "with two",
            (20, 0),
            &[(1, 0, "pause"), (7, 0, "java"), (9, 0, "tini"), (10, 9, "x")],
            false,
            &[7, 10],
        ),
        ("podman's pause", (20, 0), &[(1, 0, "catatonit"), (7, 0, "java")], false, &[7]),
        ("only a pause", (20, 0), &[(1, 0, "pause")], false, &[]),
        ("the first is not shown", (20, 0), &[(7, 0, "java")], false, &[7]),
        ("the node's own", (20, 9), &[(1, 0, "systemd"), (2, 0, "kthreadd"), (9, 1, "sh")], false, &[]),
        ("we are alone", (1, 0), &[], false, &[]),
        ("others are our guests", (1, 0), &[(7, 0, "sh")], false, &[7]),
        ("the application starts us", (9, 1), &[(1, 0, "java")], false, &[]),
        ("our own init", (9, 1), &[(1, 0, "tini"), (7, 1, "java")], false, &[]),
    ];

    fn found(
        own: (u32, u32),
        others: &[(u32, u32, &str)],
        first_is_in_our_container: Option<bool>,
    ) -> Processes {
        let own = process(own.0, own.1, "irsa-probe");
        let others = others.iter().map(|(pid, parent, name)| process(*pid, *parent, name));
        Processes {
            own: own.clone(),
            all: std::iter::once(own).chain(others).collect(),
            first_is_in_our_container,
        }
    }

    #[test]
    fn which_processes_a_pod_may_be_about() {
        for (what, own, others, is_put, expected) in CASES {
            let found = |beside| found(own, others, beside);
            let of_another = found(Some(false));
            let pids: Vec<u32> = candidates(&of_another).iter().map(|process| process.pid).collect();
            assert_eq!((is_put_beside_another(&of_another), pids.as_slice()), (is_put, expected), "{what}");
            // kubectl exec puts us beside the first process of our own container.
            for beside in [Some(true), None] {
                assert!(!is_put_beside_another(&found(beside)), "{what}");
            }
        }
    }

    #[test]
    fn parents_in_a_circle_are_followed_once() {
        let found = found((20, 21), &[(21, 20, "sh"), (1, 0, "java")], Some(false));
        assert_eq!(candidates(&found).iter().map(|process| process.pid).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_choice_is_a_word_or_a_process() {
        assert_eq!("auto".parse(), Ok(ProcessSelector::Auto));
        assert_eq!("none".parse(), Ok(ProcessSelector::None));
        assert_eq!("7".parse(), Ok(ProcessSelector::Pid(7)));
        for text in ["", "0", "-1", "self", "7x", "99999999999"] {
            assert!(text.parse::<ProcessSelector>().is_err(), "{text}");
        }
    }
}
