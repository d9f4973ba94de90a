//! Another process of the pod, for a program that looks at the pod through it.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::executable;
use crate::volume::{POD_USER, is_root};

/// A user that is not the pod's.
const OTHER_USER: u32 = 1000;

/// A process that waits; it ends when its time is up, or this is dropped.
pub(super) struct Application(Child);

impl Application {
    /// Starts one with these variables. What is not `readable` is another user's; a testbed that may
    /// not make it so has its program closed to all, which keeps the kernel from showing it, too.
    pub(super) fn start(
        directory: &Path,
        env: &BTreeMap<String, String>,
        readable: bool,
        lives: Duration,
    ) -> io::Result<Self> {
        let user = if readable { POD_USER } else { OTHER_USER };
        let mut command = if readable || is_root() {
            Command::new("sleep")
        } else {
            Command::new(closed_program(directory)?)
        };
        if is_root() {
            command.uid(user).gid(user);
        }
        let quiet = || Stdio::null();
        let child = command.arg(lives.as_secs_f64().to_string()).env_clear().envs(env).current_dir("/");
        child.stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn().map(Self)
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().and_then(|()| self.0.wait()).ok();
    }
}

/// A program that everybody may run and nobody may read.
fn closed_program(directory: &Path) -> io::Result<PathBuf> {
    let path = directory.join("sleep");
    executable::install(Path::new("/bin/sleep"), &path, 0o111)?;
    Ok(path)
}
