//! Looking at a pod through another of its processes.
//!
//! When the kernel allows that: `ptrace_may_access` with `PTRACE_MODE_READ_FSCREDS`, see ptrace(2),
//! "Ptrace access mode checking". Which profile of `kubectl debug` brings what was tried on a cluster.

use super::identity::{IMAGE, NotInjected};
use super::{Diagnosis, Entry};
use crate::evidence::Evidence;
use crate::host::process::{Process, ProcessListError};
use crate::host::{LONGEST_ENVIRONMENT, Presence, ProcAccessError, ProcFault, ProcessUser};
use crate::text::{sanitize, shell_quote};

/// The capability to look at every process, and those to read every file. Source: linux/capability.h.
const SYS_PTRACE: u64 = 1 << 19;
const DAC_OVERRIDE: u64 = 1 << 1;
const DAC_READ_SEARCH: u64 = 1 << 2;
/// Those to take another user's place.
const SETGID: u64 = 1 << 6;
const SETUID: u64 = 1 << 7;

/// The capabilities that containerd gives a container of root that asks for none.
/// Source: containerd, `defaultUnixCaps`.
const DEFAULT_CAPABILITIES: u64 = 0xa804_25fb;

/// The most processes that are listed.
const MOST_LISTED: usize = 8;

/// A process for a reader.
fn named(process: &Process) -> String {
    format!("process {} ({}), user {}", process.pid, sanitize(&process.name), process.who.uid)
}

fn evidence(process: &Process) -> Evidence {
    Evidence::new()
        .value("target_pid", process.pid)
        .text("target_name", &process.name)
        .value("target_uid", process.who.uid)
        .value("target_gid", process.who.gid)
}

fn list(candidates: &[Process]) -> String {
    let all: Vec<String> = candidates.iter().take(MOST_LISTED).map(named).collect();
    let more = candidates.len().saturating_sub(MOST_LISTED);
    if more == 0 { all.join("; ") } else { format!("{}; and {more} more", all.join("; ")) }
}

fn choose(candidates: &[Process], pod: Option<&str>) -> Vec<String> {
    // Nothing of a name is pasted: it is the process's own to choose.
    let lines = candidates
        .iter()
        .take(MOST_LISTED)
        .map(|process| format!("\nirsa-probe check --pid {}", process.pid));
    let all = list(candidates);
    let mut steps =
        vec![format!("Look through the process of the application ({all}):{}", lines.collect::<String>())];
    steps.extend(candidates.first().map(|first| {
        let DebugCommand { profile, custom } = DebugCommand::of(first, false);
        format!(
            "The same from a new container of kubectl debug, for the first of them; for another, with its \
             number and its own user and group:\n{} --env=IRSA_PROBE_PID={}",
            debug(pod, profile, &custom),
            first.pid
        )
    }));
    steps.push("To judge this container itself:\nirsa-probe check --pid none".to_owned());
    steps
}

/// How `kubectl debug` makes a container that may look at a process.
struct DebugCommand {
    profile: &'static str,
    custom: String,
}

impl DebugCommand {
    /// With the least rights that do; some processes are only shown to root and its capabilities.
    fn of(process: &Process, needs_root: bool) -> Self {
        let ProcessUser { uid, gid, .. } = process.who;
        // The kernel compares all of them but the last with ours.
        let is_plain = process.uids.iter().take(3).all(|id| *id == uid)
            && process.gids.iter().take(3).all(|id| *id == gid);
        if needs_root || !is_plain {
            Self { profile: "general", custom: as_root(0) }
        } else if uid != 0 && process.permitted == 0 {
            Self { profile: "restricted", custom: as_user(uid, gid) }
        } else if uid == 0 && process.permitted & !DEFAULT_CAPABILITIES == 0 {
            Self { profile: "baseline", custom: as_root(gid) }
        } else {
            Self { profile: "general", custom: as_root(0) }
        }
    }
}

fn as_root(gid: u32) -> String {
    let group = if gid == 0 { String::new() } else { format!(r#","runAsGroup":{gid}"#) };
    format!(r#"{{"securityContext":{{"runAsNonRoot":false,"runAsUser":0{group}}}}}"#)
}

fn as_user(uid: u32, gid: u32) -> String {
    format!(r#"{{"securityContext":{{"runAsNonRoot":true,"runAsUser":{uid},"runAsGroup":{gid}}}}}"#)
}

/// `kubectl debug` into the PID namespace of a container.
fn debug(pod: Option<&str>, profile: &str, custom: &str) -> String {
    let pod = pod.map_or_else(|| "POD".to_owned(), shell_quote);
    format!(
        "printf '%s' '{custom}' > irsa-probe-debug.json\n\
         kubectl -n NAMESPACE debug {pod} -it --image={IMAGE} --target=CONTAINER --profile={profile} \
         --custom=irsa-probe-debug.json"
    )
}

/// No process to look through.
#[derive(Debug, Clone)]
pub struct TargetNotFound {
    /// What was looked for, and found.
    pub search: TargetSearch,
    /// The pod's name, if known.
    pub pod: Option<String>,
}

/// What came of looking for a process.
#[derive(Debug, Clone)]
pub enum TargetSearch {
    /// The processes of our PID namespace cannot be listed.
    Unlisted(ProcessListError),
    /// There is none but ours and inits that wait for nothing.
    Nothing,
    /// There are several, and nothing says which.
    Several(Vec<Process>),
    /// There is none with this id.
    NoSuch {
        /// The id.
        pid: u32,
        /// The processes that may have been meant.
        candidates: Vec<Process>,
    },
    /// It ended while it was looked at.
    Ended(Process),
}

impl Entry for TargetNotFound {
    fn cause(&self) -> String {
        let found = match &self.search {
            TargetSearch::Unlisted(ProcessListError::NoProc) => {
                "this container has no /proc that shows the processes of its PID namespace".to_owned()
            }
            TargetSearch::Unlisted(ProcessListError::Slow) => {
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
                named(process)
            ),
        };
        format!("The pod was to be looked at through another process, but {found}. Nothing was judged.")
    }

    fn remedy(&self) -> Vec<String> {
        let share = || {
            format!(
                "Share the PID namespace of the application's container, as its own user \
                 (kubectl -n NAMESPACE exec POD -c CONTAINER -- id says which; here 1000):\n{}",
                debug(self.pod.as_deref(), "restricted", &as_user(1000, 1000))
            )
        };
        match &self.search {
            TargetSearch::Unlisted(_) | TargetSearch::Nothing => {
                vec![share(), "To judge this container itself:\nirsa-probe check --pid none".to_owned()]
            }
            TargetSearch::NoSuch { candidates, .. } if candidates.is_empty() => vec![share()],
            TargetSearch::Several(candidates) | TargetSearch::NoSuch { candidates, .. } => {
                choose(candidates, self.pod.as_deref())
            }
            TargetSearch::Ended(process) => {
                let DebugCommand { profile, custom } = DebugCommand::of(process, false);
                vec![format!(
                    "Look again, at whatever runs in its place:\n{} --env=IRSA_PROBE_PID=auto",
                    debug(self.pod.as_deref(), profile, &custom)
                )]
            }
        }
    }

    fn evidence(&self) -> Evidence {
        match &self.search {
            TargetSearch::Unlisted(_) | TargetSearch::Nothing => Evidence::new(),
            TargetSearch::Several(candidates) => with_candidates(Evidence::new(), candidates),
            TargetSearch::NoSuch { pid, candidates } => {
                with_candidates(Evidence::new().value("target_pid", *pid), candidates)
            }
            TargetSearch::Ended(process) => evidence(process),
        }
    }
}

fn with_candidates(evidence: Evidence, candidates: &[Process]) -> Evidence {
    let names: Vec<String> = candidates.iter().map(named).collect();
    if names.is_empty() { evidence } else { evidence.texts("candidates", &names) }
}

/// The kernel does not let us look at the process, or it cannot be looked at.
#[derive(Debug, Clone)]
pub struct TargetNotReadable {
    /// The process, we, and what stands between.
    pub blocked: ProcAccessError,
    /// The pod's name, if known.
    pub pod: Option<String>,
}

/// What we lack for the kernel to let us look at a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MissingPrivilege {
    User,
    Group,
    Capabilities,
}

fn lacks(own: &Process, process: &Process) -> Vec<MissingPrivilege> {
    let traces = own.effective & SYS_PTRACE != 0;
    // The files in /proc belong to the process's user, whoever may trace it.
    let overrides = own.effective & (DAC_OVERRIDE | DAC_READ_SEARCH) != 0;
    let [.., uid] = own.uids;
    let [.., gid] = own.gids;
    // The file system ids of the other process do not matter.
    let differs = |ours: u32, theirs: &[u32; 4]| theirs.iter().take(3).any(|id| *id != ours);
    [
        (!(traces && overrides) && differs(uid, &process.uids), MissingPrivilege::User),
        (!traces && differs(gid, &process.gids), MissingPrivilege::Group),
        (!traces && process.permitted & !own.effective != 0, MissingPrivilege::Capabilities),
    ]
    .into_iter()
    .filter_map(|(is_lacking, lack)| is_lacking.then_some(lack))
    .collect()
}

impl TargetNotReadable {
    /// Whether we have all that the strongest of the commands would give.
    fn is_strongest(&self) -> bool {
        let all = SYS_PTRACE | DAC_OVERRIDE | SETUID | SETGID;
        self.blocked.own.who.uid == 0 && self.blocked.own.effective & all == all
    }

    /// The command that gives what is missing, with the least rights that do; `None` if none gives more
    /// than we have.
    fn debug(&self) -> Option<String> {
        let ProcAccessError { own, process, fault } = &self.blocked;
        let needs_root = *fault != ProcFault::Denied || lacks(own, process).is_empty();
        let DebugCommand { profile, custom } = DebugCommand::of(process, needs_root);
        if profile == "general" && self.is_strongest() {
            return None;
        }
        let ProcessUser { uid, gid, .. } = process.who;
        let say = match profile {
            "restricted" => format!(
                "Look as the process's own user, {uid}, and group, {gid}, which needs no capability and which \
                 every Pod Security level admits:"
            ),
            "baseline" => {
                "Look as root, as the process is; Pod Security restricted does not admit that:".to_owned()
            }
            _ => "Look as root with the capability SYS_PTRACE, which the profile general adds; Pod Security \
                  baseline and restricted do not admit it:"
                .to_owned(),
        };
        Some(format!("{say}\n{}", debug(self.pod.as_deref(), profile, &custom)))
    }

    fn denied(&self) -> String {
        let ProcAccessError { own, process, .. } = &self.blocked;
        let lacks: Vec<String> = lacks(own, process)
            .into_iter()
            .map(|lack| match lack {
                MissingPrivilege::User => format!(
                    "the user (this container runs as {}, the process as {})",
                    own.who.uid, process.who.uid
                ),
                MissingPrivilege::Group => format!(
                    "the group (this container runs with {}, the process with {})",
                    own.who.gid, process.who.gid
                ),
                MissingPrivilege::Capabilities => format!(
                    "the capabilities (the process may have {:#x}, this container has {:#x})",
                    process.permitted, own.effective
                ),
            })
            .collect();
        if lacks.is_empty() {
            "neither the user nor a capability is what is missing, so the process itself is closed (it changed \
             its user after the start, or its program may not be read), it is in another user namespace, or an \
             AppArmor or SELinux policy forbids it"
                .to_owned()
        } else {
            format!(
                "what is missing is {}, or else the capabilities SYS_PTRACE and DAC_OVERRIDE, effective in this \
                 container, which root has with the profile general",
                lacks.join(" and ")
            )
        }
    }
}

impl Entry for TargetNotReadable {
    fn cause(&self) -> String {
        let named = named(&self.blocked.process);
        let why = match self.blocked.fault {
            ProcFault::Denied => format!(
                "The kernel does not let this container look at the variables and files of {named}: {}.",
                self.denied()
            ),
            ProcFault::NotAsThatUser => format!(
                "This container may look at {named}, but not read a file that this one may be able to read: \
                 it runs as user {}, group {}, and lacks the capabilities SETUID and SETGID to read as that \
                 user with that one's groups.",
                self.blocked.own.who.uid, self.blocked.own.who.gid
            ),
            ProcFault::EnvironmentTooLarge => format!(
                "The environment of {named} has more than {LONGEST_ENVIRONMENT} bytes, and no program is \
                 started with that many: the process made it so itself."
            ),
            ProcFault::NoOpenat2 => format!(
                "The files of {named} are only looked at where the kernel keeps every path within its root, and \
                 here the system call openat2 is missing: the kernel is older than 5.6, or this container's \
                 seccomp profile forbids it."
            ),
            ProcFault::LinkOfProc => format!(
                "A file that {named} names lies behind a link of /proc, such as /dev/fd/3 or /proc/self/root, \
                 which leads elsewhere for every process. It was not followed."
            ),
            ProcFault::RelativePath => format!(
                "{named} names a file by a relative path, and its working directory is outside of its root."
            ),
            ProcFault::Slow => format!("The memory or the files of {named} could not be read in time."),
            ProcFault::Gone => format!("{named} has ended."),
            ProcFault::Io(errno) => {
                format!("Looking at {named} failed: {}.", std::io::Error::from_raw_os_error(errno))
            }
        };
        format!("{why} Nothing was judged of it.")
    }

    fn remedy(&self) -> Vec<String> {
        match self.blocked.fault {
            ProcFault::Denied | ProcFault::NotAsThatUser => self.debug().into_iter().chain([
                "Where that cannot be had, give a debugging container the variables, the volume and the user by \
                 hand (manifests/debug/env-and-volume.yaml), or let a copy of the pod be made, which has what \
                 this one was given, or is injected if this one was not (manifests/debug/copy.yaml)."
                    .to_owned(),
            ])
            .collect(),
            _ => vec![
                "Look through another process of the same container, or give a debugging container the \
                 variables, the volume and the user by hand (manifests/debug/env-and-volume.yaml)."
                    .to_owned(),
            ],
        }
    }

    fn evidence(&self) -> Evidence {
        let ProcAccessError { own, process, .. } = &self.blocked;
        evidence(process)
            .value("target_permitted_capabilities", format!("{:#x}", process.permitted))
            .value("own_uid", own.who.uid)
            .value("own_gid", own.who.gid)
            .value("own_effective_capabilities", format!("{:#x}", own.effective))
    }
}

/// The process was started with neither variable.
#[derive(Debug, Clone)]
pub struct TargetHasNoIdentity {
    /// The process.
    pub process: Process,
    /// Whether the token lies where the webhook mounts it, so that its container was injected.
    pub token: Presence,
    /// What is known of the pod.
    pub pod: NotInjected,
}

/// What is to be known of a container that was injected and a process that was not.
const LOST: &str = "whatever started the process left the variables out (env -i, su, sudo, a supervisor, a \
    script), or the process wrote over them (a changed process title does that)";
/// Why no identity was injected.
const NOT_INJECTED: &str = "Either the service account had no role annotation at that moment, or the container \
    is left out (the pod's annotation eks.amazonaws.com/skip-containers), or the webhook did not see the pod or \
    the annotation. Injection happens only when a pod is created, so restarting the container never helps.";

impl Entry for TargetHasNoIdentity {
    fn cause(&self) -> String {
        let named = named(&self.process);
        let start = format!(
            "The pod was looked at through {named}, and that one was started with neither AWS_ROLE_ARN nor \
             AWS_WEB_IDENTITY_TOKEN_FILE."
        );
        let whose = self.pod.service_account.as_ref().map_or_else(String::new, |account| {
            format!(" for service account {}/{}", sanitize(&account.namespace), sanitize(&account.name))
        });
        match self.token {
            Presence::There => format!(
                "{start} The token is mounted in its container all the same: the container was injected, and \
                 {LOST}."
            ),
            Presence::NotThere => format!(
                "{start} Nor is the token where the webhook mounts it: when the pod was admitted, no identity was \
                 injected into that container{whose}. {NOT_INJECTED}"
            ),
            Presence::Unknown => format!(
                "{start} Whether the token is where the webhook mounts it could not be seen. So the container was \
                 injected and {LOST}; or, when the pod was admitted, no identity was injected into that \
                 container{whose}. {NOT_INJECTED}"
            ),
        }
    }

    fn remedy(&self) -> Vec<String> {
        let pod = self.pod.pod.as_deref();
        let name = pod.map_or_else(|| "POD".to_owned(), shell_quote);
        let mut steps = Vec::new();
        if self.token != Presence::NotThere {
            steps.push(format!(
                "See which variables the container is given, and which the process has:\n\
                 kubectl -n NAMESPACE get pod {name} -o jsonpath='{{range .spec.containers[*]}}{{.name}} {{.env[*].name}}{{\"\\n\"}}{{end}}'\n\
                 kubectl -n NAMESPACE exec {name} -c CONTAINER -- sh -c \"tr '\\\\0' '\\\\n' < /proc/{}/environ | cut -d= -f1\"",
                self.process.pid
            ));
            steps.push(
                "If the container is given them, let what starts the process pass AWS_ROLE_ARN, \
                 AWS_WEB_IDENTITY_TOKEN_FILE and AWS_REGION on."
                    .to_owned(),
            );
        }
        if self.token != Presence::There {
            let of_pod = self.pod.remedy();
            // The last step is for who is looked at by mistake, which the next one is about.
            let before = of_pod.len().saturating_sub(1);
            steps.extend(of_pod.into_iter().take(before));
        }
        steps.push(format!(
            "If another process is the application, look through that one, with its own user (here 1000):\n\
             {} --env=IRSA_PROBE_PID=PID",
            debug(pod, "restricted", &as_user(1000, 1000))
        ));
        steps
    }

    fn evidence(&self) -> Evidence {
        let evidence = evidence(&self.process);
        let evidence = match self.token {
            Presence::Unknown => evidence,
            known => evidence.value("token_mounted", known == Presence::There),
        };
        evidence.and(self.pod.evidence())
    }
}

/// What is wrong where a world cannot be looked at, or not to the end; `pod` is the pod's name.
#[must_use]
pub fn diagnosis(blocked: ProcAccessError, pod: Option<String>) -> Diagnosis {
    match blocked.fault {
        ProcFault::Gone => TargetNotFound { search: TargetSearch::Ended(blocked.process), pod }.into(),
        _ => TargetNotReadable { blocked, pod }.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Entry, MissingPrivilege, NotInjected, SYS_PTRACE, TargetHasNoIdentity, TargetNotReadable, lacks,
    };
    use crate::host::process::Process;
    use crate::host::{Presence, ProcAccessError, ProcFault, ProcessUser};

    fn process(uid: u32, gid: u32, capabilities: u64) -> Process {
        Process {
            pid: 1,
            parent: 0,
            name: "java".to_owned(),
            has_ended: false,
            who: ProcessUser { uid, gid, groups: Vec::new() },
            uids: [uid; 4],
            gids: [gid; 4],
            permitted: capabilities,
            effective: capabilities,
        }
    }

    /// The capabilities of a container of root that asks for none.
    const USUAL: u64 = super::DEFAULT_CAPABILITIES;

    /// The table of the profiles that were tried on a cluster, and what the command asks for instead.
    #[test]
    fn what_is_missing_and_the_least_that_would_do() {
        use MissingPrivilege::{Capabilities, Group, User};
        let general = USUAL | SYS_PTRACE;
        for (own, target, missing, profile, user) in [
            (process(0, 0, USUAL), process(1000, 1000, 0), &[User, Group][..], "restricted", 1000),
            (process(65532, 65532, 0), process(1000, 1000, 0), &[User, Group], "restricted", 1000),
            (process(1000, 0, 0), process(1000, 1000, 0), &[Group], "restricted", 1000),
            (process(65532, 65532, 0), process(0, 0, USUAL), &[User, Group, Capabilities], "baseline", 0),
            (process(65532, 65532, 0), process(0, 0, 0), &[User, Group], "baseline", 0),
            (process(0, 0, USUAL), process(0, 1000, USUAL), &[Group], "baseline", 0),
            (
                process(1000, 0, 0),
                Process { gids: [1, 2, 3, 3], ..process(1000, 2, 0) },
                &[Group],
                "general",
                0,
            ),
            (process(0, 0, USUAL), process(0, 0, general), &[Capabilities], "general", 0),
            (process(1000, 1000, 0), process(1000, 1000, 1 << 10), &[Capabilities], "general", 0),
            // Without the right to read files of others, to trace them is not enough.
            (process(1000, 1000, SYS_PTRACE), process(2000, 2000, 0), &[User], "restricted", 2000),
            // Nothing of this is missing, so that it is the process or a policy.
            (process(1000, 1000, 0), process(1000, 1000, 0), &[], "general", 0),
        ] {
            assert_eq!(lacks(&own, &target), missing, "{own:?}");
            let group = (profile != "general" && target.who.gid != 0).then_some(target.who.gid);
            let found = TargetNotReadable {
                blocked: ProcAccessError { own, process: target, fault: ProcFault::Denied },
                pod: Some("checkout-1".to_owned()),
            };
            let step = found.remedy().remove(0);
            assert!(step.contains("debug checkout-1 -it"), "{step}");
            assert!(step.contains(&format!("--profile={profile} ")), "{step}");
            assert!(step.contains(&format!("\"runAsUser\":{user}")), "{step}");
            let json = step.split(['\'', '\n']).find(|word| word.starts_with('{')).unwrap();
            let json: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(json["securityContext"]["runAsGroup"].as_u64(), group.map(u64::from), "{json}");
            let cause = found.cause();
            assert_eq!(cause.contains("SYS_PTRACE"), !missing.is_empty(), "{cause}");
        }
    }

    #[test]
    fn a_command_that_gives_no_more_than_we_have_is_not_proposed() {
        let own = process(0, 0, USUAL | SYS_PTRACE);
        for fault in [ProcFault::Denied, ProcFault::NotAsThatUser] {
            let blocked = ProcAccessError { own: own.clone(), process: process(1000, 1000, 0), fault };
            let steps = TargetNotReadable { blocked, pod: None }.remedy();
            assert!(!steps.is_empty() && !steps.concat().contains("--profile"), "{steps:?}");
        }
    }

    #[test]
    fn what_was_not_seen_of_the_token_is_not_claimed() {
        let pod = || NotInjected { service_account: None, pod: None, unread: None };
        for (token, mounted, injected, lost) in [
            (Presence::There, Some("true"), false, true),
            (Presence::NotThere, Some("false"), true, false),
            (Presence::Unknown, None, true, true),
        ] {
            let found = TargetHasNoIdentity { process: process(1000, 1000, 0), token, pod: pod() };
            let (cause, steps) = (found.cause(), found.remedy().concat());
            assert_eq!(cause.contains("no identity was injected"), injected, "{cause}");
            assert_eq!(cause.contains("left the variables out"), lost, "{cause}");
            assert_eq!(cause.contains("could not be seen"), token == Presence::Unknown, "{cause}");
            assert_eq!(steps.contains("annotate serviceaccount"), injected, "{steps}");
            assert_eq!(steps.contains("/environ"), lost, "{steps}");
            let evidence = found.evidence();
            let value = evidence.iter().find(|(name, _)| *name == "token_mounted");
            assert_eq!(value.map(|(_, value)| value.to_string()).as_deref(), mounted);
        }
    }
}
