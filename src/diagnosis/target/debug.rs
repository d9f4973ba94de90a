//! The container that `kubectl debug` must make so that it can inspect a process.

use crate::diagnosis::identity::IMAGE;
use crate::host::ProcessUser;
use crate::host::process::Process;
use crate::text::shell_quote;

/// The capability to inspect every process. Source: linux/capability.h.
pub(super) const SYS_PTRACE: u64 = 1 << 19;
/// The capabilities to read every file.
pub(super) const DAC_OVERRIDE: u64 = 1 << 1;
const DAC_READ_SEARCH: u64 = 1 << 2;
/// The capabilities to become another user.
pub(super) const SETGID: u64 = 1 << 6;
pub(super) const SETUID: u64 = 1 << 7;

/// The capabilities that containerd gives to a container of root that asks for none.
/// Source: containerd, `defaultUnixCaps`.
pub(super) const DEFAULT_CAPABILITIES: u64 = 0xa804_25fb;

/// A profile of `kubectl debug`, and the file for its `--custom`.
pub(super) struct DebugContainer {
    pub(super) profile: &'static str,
    custom: String,
}

impl DebugContainer {
    /// The container with the least rights that can inspect a process. Some processes are visible only to root.
    pub(super) fn for_process(process: &Process, needs_root: bool) -> Self {
        let ProcessUser { uid, gid, .. } = process.user;
        // The kernel compares all ids but the last, the file system id, with ours.
        let is_plain = process.uids.iter().take(3).all(|id| *id == uid)
            && process.gids.iter().take(3).all(|id| *id == gid);
        if needs_root || !is_plain {
            Self::of_root("general", 0)
        } else if uid != 0 && process.permitted == 0 {
            Self::of_user(uid, gid)
        } else if uid == 0 && process.permitted & !DEFAULT_CAPABILITIES == 0 {
            Self::of_root("baseline", gid)
        } else {
            Self::of_root("general", 0)
        }
    }

    fn of_root(profile: &'static str, gid: u32) -> Self {
        let group = if gid == 0 { String::new() } else { format!(r#","runAsGroup":{gid}"#) };
        let custom = format!(r#"{{"securityContext":{{"runAsNonRoot":false,"runAsUser":0{group}}}}}"#);
        Self { profile, custom }
    }

    /// The container that runs as this user, without capabilities.
    pub(super) fn of_user(uid: u32, gid: u32) -> Self {
        let custom =
            format!(r#"{{"securityContext":{{"runAsNonRoot":true,"runAsUser":{uid},"runAsGroup":{gid}}}}}"#);
        Self { profile: "restricted", custom }
    }

    /// The command that makes it in the PID namespace of the application's container.
    pub(super) fn command(&self, pod: Option<&str>) -> String {
        let pod = pod.map_or_else(|| "POD".to_owned(), shell_quote);
        let Self { profile, custom } = self;
        format!(
            "printf '%s' '{custom}' > irsa-probe-debug.json\n\
             kubectl -n NAMESPACE debug {pod} -it --image={IMAGE} --target=CONTAINER --profile={profile} \
             --custom=irsa-probe-debug.json"
        )
    }
}

/// What this process lacks to be allowed to inspect another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingPrivilege {
    User,
    Group,
    Capabilities,
}

pub(super) fn missing_privileges(own: &Process, process: &Process) -> Vec<MissingPrivilege> {
    let traces = own.effective & SYS_PTRACE != 0;
    // The files in /proc belong to the process's user, even if we are allowed to trace it.
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
    .filter_map(|(is_missing, privilege)| is_missing.then_some(privilege))
    .collect()
}
