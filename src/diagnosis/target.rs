//! Looking at a pod through another of its processes.
//!
//! When the kernel allows that: `ptrace_may_access` with `PTRACE_MODE_READ_FSCREDS`, see ptrace(2),
//! "Ptrace access mode checking". Which profile of `kubectl debug` brings what was tried on a cluster.

use super::identity::{IMAGE, NotInjected};
use super::{Class, Entry, Owner};
use crate::evidence::Evidence;
use crate::pod::process::{Process, Unlisted};
use crate::pod::{Blocked, Fault, LONGEST_ENVIRONMENT, Who};
use crate::shown::{sh, shown};

/// The capability to look at every process, and those to read every file. Source: linux/capability.h.
const SYS_PTRACE: u64 = 1 << 19;
const DAC_OVERRIDE: u64 = 1 << 1;
const DAC_READ_SEARCH: u64 = 1 << 2;

/// The capabilities that containerd and CRI-O give a container of root that asks for none.
/// Source: containerd, `defaultUnixCaps`.
const DEFAULT_CAPABILITIES: u64 = 0xa804_25fb;

/// The most processes that are listed.
const MOST_LISTED: usize = 8;

/// A process for a reader.
fn named(process: &Process) -> String {
    format!("process {} ({}), user {}", process.pid, shown(&process.name), process.who.uid)
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
        let Recipe { profile, custom } = Recipe::of(first, false);
        format!(
            "The same with kubectl debug, for the first of them:\n{} --env=IRSA_PROBE_PID={}",
            debug(pod, profile, &custom),
            first.pid
        )
    }));
    steps.push("To judge this container itself:\nirsa-probe check --pid none".to_owned());
    steps
}

/// How `kubectl debug` makes a container that may look at a process.
struct Recipe {
    profile: &'static str,
    custom: String,
}

impl Recipe {
    /// With the least rights that do; some processes are only shown to root and its capabilities.
    fn of(process: &Process, needs_root: bool) -> Self {
        let uid = process.who.uid;
        let is_plain = process.permitted == 0 && process.uids.iter().all(|id| *id == uid);
        let root = || r#"{"securityContext":{"runAsNonRoot":false,"runAsUser":0}}"#.to_owned();
        if uid != 0 && is_plain && !needs_root {
            Self { profile: "restricted", custom: as_user(uid, process.who.gid) }
        } else if uid == 0 && process.permitted & !DEFAULT_CAPABILITIES == 0 && !needs_root {
            Self { profile: "baseline", custom: root() }
        } else {
            Self { profile: "general", custom: root() }
        }
    }
}

fn as_user(uid: u32, gid: u32) -> String {
    format!(r#"{{"securityContext":{{"runAsNonRoot":true,"runAsUser":{uid},"runAsGroup":{gid}}}}}"#)
}

/// `kubectl debug` into the PID namespace of a container.
fn debug(pod: Option<&str>, profile: &str, custom: &str) -> String {
    let pod = pod.map_or_else(|| "POD".to_owned(), sh);
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
    pub search: Search,
    /// The pod's name, if known.
    pub pod: Option<String>,
}

/// What came of looking for a process.
#[derive(Debug, Clone)]
pub enum Search {
    /// The processes of our PID namespace cannot be listed.
    Unlisted(Unlisted),
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
    const CLASS: Class = Class::NotJudged;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        let found = match &self.search {
            Search::Unlisted(Unlisted::NoProc) => {
                "this container has no /proc that shows the processes of its PID namespace".to_owned()
            }
            Search::Unlisted(Unlisted::Slow) => {
                "the processes of this PID namespace could not be listed in time".to_owned()
            }
            Search::Nothing => {
                "in this PID namespace there is no process of another container that may be the \
                 application's: none at all, or an init that has no child. It is shared with kubectl debug \
                 --target, or where the pod spec sets shareProcessNamespace"
                    .to_owned()
            }
            Search::Several(candidates) => format!(
                "{} processes may be the application's, and nothing says which: {}",
                candidates.len(),
                list(candidates)
            ),
            Search::NoSuch { pid, .. } => {
                format!("in this PID namespace there is no process {pid} that this container may see")
            }
            Search::Ended(process) => format!(
                "{} ended while it was looked at, and its files went with it. If its container restarts all \
                 the time, see why in its own log",
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
            Search::Unlisted(_) | Search::Nothing => {
                vec![share(), "To judge this container itself:\nirsa-probe check --pid none".to_owned()]
            }
            Search::NoSuch { candidates, .. } if candidates.is_empty() => vec![share()],
            Search::Several(candidates) | Search::NoSuch { candidates, .. } => {
                choose(candidates, self.pod.as_deref())
            }
            Search::Ended(_) => {
                vec!["Look again, at whatever runs in its place:\nirsa-probe check --pid auto".to_owned()]
            }
        }
    }

    fn evidence(&self) -> Evidence {
        match &self.search {
            Search::Unlisted(_) | Search::Nothing => Evidence::new(),
            Search::Several(candidates) => with_candidates(Evidence::new(), candidates),
            Search::NoSuch { pid, candidates } => {
                with_candidates(Evidence::new().value("target_pid", *pid), candidates)
            }
            Search::Ended(process) => evidence(process),
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
    pub blocked: Blocked,
    /// The pod's name, if known.
    pub pod: Option<String>,
}

/// What we lack for the kernel to let us look at a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    User,
    Group,
    Capabilities,
}

fn lacks(own: &Process, process: &Process) -> Vec<Lack> {
    let traces = own.effective & SYS_PTRACE != 0;
    // The files in /proc belong to the process's user, whoever may trace it.
    let overrides = own.effective & (DAC_OVERRIDE | DAC_READ_SEARCH) != 0;
    let [.., uid] = own.uids;
    let [.., gid] = own.gids;
    // The file system ids of the other process do not matter.
    let differs = |ours: u32, theirs: &[u32; 4]| theirs.iter().take(3).any(|id| *id != ours);
    [
        (!(traces && overrides) && differs(uid, &process.uids), Lack::User),
        (!traces && differs(gid, &process.gids), Lack::Group),
        (!traces && process.permitted & !own.effective != 0, Lack::Capabilities),
    ]
    .into_iter()
    .filter_map(|(is_lacking, lack)| is_lacking.then_some(lack))
    .collect()
}

impl TargetNotReadable {
    /// The command that gives what is missing, with the least rights that do.
    fn debug(&self) -> String {
        let Blocked { own, process, fault } = &self.blocked;
        let needs_root = *fault != Fault::Denied || lacks(own, process).is_empty();
        let Recipe { profile, custom } = Recipe::of(process, needs_root);
        let Who { uid, gid, .. } = process.who;
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
        format!("{say}\n{}", debug(self.pod.as_deref(), profile, &custom))
    }

    fn denied(&self) -> String {
        let Blocked { own, process, .. } = &self.blocked;
        let lacks: Vec<String> = lacks(own, process)
            .into_iter()
            .map(|lack| match lack {
                Lack::User => format!(
                    "the user (this container runs as {}, the process as {})",
                    own.who.uid, process.who.uid
                ),
                Lack::Group => format!(
                    "the group (this container runs with {}, the process with {})",
                    own.who.gid, process.who.gid
                ),
                Lack::Capabilities => format!(
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
    const CLASS: Class = Class::NotJudged;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        let named = named(&self.blocked.process);
        let why = match self.blocked.fault {
            Fault::Denied => format!(
                "The kernel does not let this container look at the variables and files of {named}: {}.",
                self.denied()
            ),
            Fault::NotAsThatUser => format!(
                "This container may look at {named}, but not read a file that this one may be able to read: \
                 it runs as user {}, group {}, and lacks the capabilities SETUID and SETGID to read as that \
                 user with that one's groups.",
                self.blocked.own.who.uid, self.blocked.own.who.gid
            ),
            Fault::EnvironmentTooLarge => format!(
                "The environment of {named} has more than {LONGEST_ENVIRONMENT} bytes, and no program is \
                 started with that many: the process made it so itself."
            ),
            Fault::NoOpenat2 => format!(
                "The files of {named} are only looked at where the kernel keeps every path within its root, and \
                 here the system call openat2 is missing: the kernel is older than 5.6, or this container's \
                 seccomp profile forbids it."
            ),
            Fault::Slow => format!("The memory or the files of {named} could not be read in time."),
            Fault::Gone => format!("{named} has ended."),
            Fault::Io(errno) => {
                format!("Looking at {named} failed: {}.", std::io::Error::from_raw_os_error(errno))
            }
        };
        format!("{why} Nothing was judged of it.")
    }

    fn remedy(&self) -> Vec<String> {
        match self.blocked.fault {
            Fault::Denied | Fault::NotAsThatUser => vec![
                self.debug(),
                "Where that cannot be had, give a debugging container the variables, the volume and the user by \
                 hand (manifests/debug/env-and-volume.yaml), or let a copy of the pod be made, which has what \
                 this one was given, or is injected if this one was not (manifests/debug/copy.yaml)."
                    .to_owned(),
            ],
            _ => vec![
                "Look through another process of the same container, or give a debugging container the \
                 variables, the volume and the user by hand (manifests/debug/env-and-volume.yaml)."
                    .to_owned(),
            ],
        }
    }

    fn evidence(&self) -> Evidence {
        let Blocked { own, process, .. } = &self.blocked;
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
    pub has_volume: bool,
    /// What is known of the pod.
    pub pod: NotInjected,
}

impl Entry for TargetHasNoIdentity {
    const CLASS: Class = Class::NotInjected;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        let named = named(&self.process);
        let start = format!(
            "The pod was looked at through {named}, and that one was started with neither AWS_ROLE_ARN nor \
             AWS_WEB_IDENTITY_TOKEN_FILE."
        );
        if self.has_volume {
            format!(
                "{start} The token is mounted in its container all the same: the container was injected, and \
                 whatever started the process left the variables out (env -i, su, sudo, a supervisor, a \
                 script), or the process wrote over them (a changed process title does that)."
            )
        } else {
            let whose = self.pod.service_account.as_ref().map_or_else(String::new, |account| {
                format!(" for service account {}/{}", shown(&account.namespace), shown(&account.name))
            });
            format!(
                "{start} Nor is the token where the webhook mounts it: when the pod was admitted, no identity was \
                 injected into that container{whose}. Either the service account had no role annotation at that \
                 moment, or the container is left out (the pod's annotation eks.amazonaws.com/skip-containers), \
                 or the webhook did not see the pod or the annotation. Injection happens only when a pod is \
                 created, so restarting the container never helps."
            )
        }
    }

    fn remedy(&self) -> Vec<String> {
        if self.has_volume {
            let pod = self.pod.pod.as_deref().map_or_else(|| "POD".to_owned(), sh);
            return vec![
                format!(
                    "See which variables the container is given, and which the process has:\n\
                     kubectl -n NAMESPACE get pod {pod} -o jsonpath='{{range .spec.containers[*]}}{{.name}} {{.env[*].name}}{{\"\\n\"}}{{end}}'\n\
                     kubectl -n NAMESPACE exec {pod} -c CONTAINER -- sh -c \"tr '\\\\0' '\\\\n' < /proc/{}/environ | cut -d= -f1\"",
                    self.process.pid
                ),
                "Let what starts the process pass AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE and AWS_REGION on."
                    .to_owned(),
                "If another process is the application, look through that one:\nirsa-probe check --pid PID"
                    .to_owned(),
            ];
        }
        let of_pod = self.pod.remedy();
        // The last step is for who is looked at by mistake, which the next one is about.
        let before = of_pod.len().saturating_sub(1);
        let mut steps: Vec<String> = of_pod.into_iter().take(before).collect();
        steps.push(
            "If another process is the application, look through that one:\nirsa-probe check --pid PID"
                .to_owned(),
        );
        steps
    }

    fn evidence(&self) -> Evidence {
        evidence(&self.process).value("token_mounted", self.has_volume).and(self.pod.evidence())
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Lack, SYS_PTRACE, TargetNotReadable, lacks};
    use crate::pod::process::Process;
    use crate::pod::{Blocked, Fault, Who};

    fn process(uid: u32, gid: u32, capabilities: u64) -> Process {
        Process {
            pid: 1,
            parent: 0,
            name: "java".to_owned(),
            has_ended: false,
            who: Who { uid, gid, groups: Vec::new() },
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
        use Lack::{Capabilities, Group, User};
        let general = USUAL | SYS_PTRACE;
        for (own, target, missing, profile, user) in [
            (process(0, 0, USUAL), process(1000, 1000, 0), &[User, Group][..], "restricted", 1000),
            (process(65532, 65532, 0), process(1000, 1000, 0), &[User, Group], "restricted", 1000),
            (process(1000, 0, 0), process(1000, 1000, 0), &[Group], "restricted", 1000),
            (process(65532, 65532, 0), process(0, 0, USUAL), &[User, Group, Capabilities], "baseline", 0),
            (process(65532, 65532, 0), process(0, 0, 0), &[User, Group], "baseline", 0),
            (process(0, 0, USUAL), process(0, 0, general), &[Capabilities], "general", 0),
            (process(1000, 1000, 0), process(1000, 1000, 1 << 10), &[Capabilities], "general", 0),
            // Without the right to read files of others, to trace them is not enough.
            (process(1000, 1000, SYS_PTRACE), process(2000, 2000, 0), &[User], "restricted", 2000),
            // Nothing of this is missing, so that it is the process or a policy.
            (process(1000, 1000, 0), process(1000, 1000, 0), &[], "general", 0),
            (process(0, 0, general), process(1000, 1000, 0), &[], "general", 0),
        ] {
            assert_eq!(lacks(&own, &target), missing, "{own:?}");
            let found = TargetNotReadable {
                blocked: Blocked { own, process: target, fault: Fault::Denied },
                pod: Some("checkout-1".to_owned()),
            };
            let step = found.remedy().remove(0);
            assert!(step.contains("debug checkout-1 -it"), "{step}");
            assert!(step.contains(&format!("--profile={profile} ")), "{step}");
            assert!(step.contains(&format!("\"runAsUser\":{user}")), "{step}");
            let json = step.split(['\'', '\n']).find(|word| word.starts_with('{')).unwrap();
            assert!(serde_json::from_str::<serde_json::Value>(json).is_ok(), "{json}");
            let cause = found.cause();
            assert_eq!(cause.contains("SYS_PTRACE"), !missing.is_empty(), "{cause}");
        }
    }
}
