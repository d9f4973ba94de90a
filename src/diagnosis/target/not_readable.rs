//! The process cannot be inspected.

use super::debug::{
    DAC_OVERRIDE, DebugContainer, MissingPrivilege, SETGID, SETUID, SYS_PTRACE, missing_privileges,
};
use super::{evidence, words};
use crate::diagnosis::Entry;
use crate::evidence::Evidence;
use crate::host::{MAX_ENVIRONMENT_BYTES, ProcAccessError, ProcFault, ProcessUser};

/// The kernel does not let us inspect the process, or the inspection failed.
#[derive(Debug, Clone)]
pub struct TargetNotReadable {
    pub(crate) error: ProcAccessError,
    /// The pod's name, if known.
    pub(crate) pod: Option<String>,
}

impl TargetNotReadable {
    /// Whether this container has all that the strongest of the commands would give.
    fn is_strongest(&self) -> bool {
        let all = SYS_PTRACE | DAC_OVERRIDE | SETUID | SETGID;
        self.error.own.user.uid == 0 && self.error.own.effective & all == all
    }

    /// The step that adds the missing privileges and no more. `None` if this container already has all of them.
    fn debug(&self) -> Option<String> {
        let ProcAccessError { own, process, fault } = &self.error;
        let needs_root = *fault != ProcFault::Denied || missing_privileges(own, process).is_empty();
        let container = DebugContainer::for_process(process, needs_root);
        if container.profile == "general" && self.is_strongest() {
            return None;
        }
        let ProcessUser { uid, gid, .. } = process.user;
        let say = match container.profile {
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
        Some(format!("{say}\n{}", container.command(self.pod.as_deref())))
    }

    fn denied(&self) -> String {
        let ProcAccessError { own, process, .. } = &self.error;
        let missing: Vec<String> = missing_privileges(own, process)
            .into_iter()
            .map(|privilege| match privilege {
                MissingPrivilege::User => format!(
                    "the user (this container runs as {}, the process as {})",
                    own.user.uid, process.user.uid
                ),
                MissingPrivilege::Group => format!(
                    "the group (this container runs with {}, the process with {})",
                    own.user.gid, process.user.gid
                ),
                MissingPrivilege::Capabilities => format!(
                    "the capabilities (the process may have {:#x}, this container has {:#x})",
                    process.permitted, own.effective
                ),
            })
            .collect();
        if missing.is_empty() {
            "neither the user nor a capability is what is missing, so the process itself is closed (it changed \
             its user after the start, or its program may not be read), it is in another user namespace, or an \
             AppArmor or SELinux policy forbids it"
                .to_owned()
        } else {
            format!(
                "what is missing is {}, or else the capabilities SYS_PTRACE and DAC_OVERRIDE, effective in this \
                 container, which root has with the profile general",
                missing.join(" and ")
            )
        }
    }
}

impl Entry for TargetNotReadable {
    fn cause(&self) -> String {
        let named = words(&self.error.process);
        let why = match self.error.fault {
            ProcFault::Denied => format!(
                "The kernel does not let this container look at the variables and files of {named}: {}.",
                self.denied()
            ),
            ProcFault::UserNotAssumable => format!(
                "This container may look at {named}, but not read a file that this one may be able to read: \
                 it runs as user {}, group {}, and lacks the capabilities SETUID and SETGID to read as that \
                 user with that one's groups.",
                self.error.own.user.uid, self.error.own.user.gid
            ),
            ProcFault::EnvironmentTooLarge => format!(
                "The environment of {named} has more than {MAX_ENVIRONMENT_BYTES} bytes, and no program is \
                 started with that many: the process made it so itself."
            ),
            ProcFault::NoOpenat2 => format!(
                "The files of {named} are only looked at where the kernel keeps every path within its root, and \
                 here the system call openat2 is missing: the kernel is older than 5.6, or this container's \
                 seccomp profile forbids it."
            ),
            ProcFault::ProcLink => format!(
                "A file that {named} names lies behind a link of /proc, such as /dev/fd/3 or /proc/self/root, \
                 which leads elsewhere for every process. It was not followed."
            ),
            ProcFault::RelativePath => format!(
                "{named} names a file by a relative path, and its working directory is outside of its root."
            ),
            ProcFault::TimedOut => format!("The memory or the files of {named} could not be read in time."),
            ProcFault::Exited => format!("{named} has ended."),
            ProcFault::Io(errno) => {
                format!("Looking at {named} failed: {}.", std::io::Error::from_raw_os_error(errno))
            }
        };
        format!("{why} Nothing was judged of it.")
    }

    fn remedy(&self) -> Vec<String> {
        match self.error.fault {
            ProcFault::Denied | ProcFault::UserNotAssumable => self.debug().into_iter().chain([
                "Where that cannot be had, give a debugging container the variables, the volume and the user by \
                 hand (manifests/debug/env-and-volume.yaml), or let a copy of the pod be made, which has what \
                 this one was given, or is injected if this one was not (manifests/debug/copy.yaml)."
                    .to_owned(),
            ])
            .collect(),
            _ => steps!["Look through another process of the same container, or give a debugging container the \
                 variables, the volume and the user by hand (manifests/debug/env-and-volume.yaml)."],
        }
    }

    fn evidence(&self) -> Evidence {
        let ProcAccessError { own, process, .. } = &self.error;
        evidence(process)
            .value("target_permitted_capabilities", format!("{:#x}", process.permitted))
            .value("own_uid", own.user.uid)
            .value("own_gid", own.user.gid)
            .value("own_effective_capabilities", format!("{:#x}", own.effective))
    }
}

#[cfg(test)]
mod tests {
    use super::super::debug::{DEFAULT_CAPABILITIES, MissingPrivilege, SYS_PTRACE, missing_privileges};
    use super::{Entry, TargetNotReadable};
    use crate::host::process::Process;
    use crate::host::{ProcAccessError, ProcFault, ProcessUser};

    fn process(uid: u32, gid: u32, capabilities: u64) -> Process {
        Process {
            pid: 1,
            parent: 0,
            name: "java".to_owned(),
            has_ended: false,
            user: ProcessUser { uid, gid, groups: Vec::new() },
            uids: [uid; 4],
            gids: [gid; 4],
            permitted: capabilities,
            effective: capabilities,
        }
    }

    /// The capabilities of a container of root that asks for none.
    const USUAL: u64 = DEFAULT_CAPABILITIES;

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
            assert_eq!(missing_privileges(&own, &target), missing, "{own:?}");
            let group = (profile != "general" && target.user.gid != 0).then_some(target.user.gid);
            let found = TargetNotReadable {
                error: ProcAccessError { own, process: target, fault: ProcFault::Denied },
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
        for fault in [ProcFault::Denied, ProcFault::UserNotAssumable] {
            let error = ProcAccessError { own: own.clone(), process: process(1000, 1000, 0), fault };
            let steps = TargetNotReadable { error, pod: None }.remedy();
            assert!(!steps.is_empty() && !steps.concat().contains("--profile"), "{steps:?}");
        }
    }
}
