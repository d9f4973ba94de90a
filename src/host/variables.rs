//! The environment variables of a process.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

#[derive(Clone)]
pub(super) enum Variables {
    /// Those of this process, or recorded ones.
    Ours(Arc<BTreeMap<OsString, OsString>>),
    /// Those of another process, as `/proc/PID/environ` has them. A map of them could need many times the memory.
    Theirs(Arc<Vec<u8>>),
}

impl Variables {
    /// A variable's value. Of two with the same name the first counts, as in the C library.
    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        match self {
            Self::Ours(all) => all.get(OsStr::new(name)).map(OsString::as_os_str),
            Self::Theirs(environment) => {
                let mut entries = environment.split(|byte| *byte == 0);
                let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
                value.map(OsStr::from_bytes)
            }
        }
    }
}
