//! What surrounds a program: the directory and the servers of its world, and what it must not print.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Mutex;

use tempfile::TempDir;

use crate::dns::Dns;
use crate::faults::RefusedPort;
use crate::kubernetes::Kubernetes;
use crate::node::Node;
use crate::proxy::{Connect, Proxy};
use crate::secrets::Secret;
use crate::sts::Sts;

use super::application::Application;

/// A port with a server behind it, or with none.
pub(super) enum Port<Server> {
    Serving(Server),
    Refused(RefusedPort),
}

impl<Server> Port<Server> {
    pub(super) fn server(&self) -> Option<&Server> {
        match self {
            Self::Serving(server) => Some(server),
            Self::Refused(_) => None,
        }
    }
}

/// The directory and the servers of a world. They end when the world and all that runs in it is dropped.
pub(super) struct Surroundings {
    pub(super) directory: PathBuf,
    pub(super) sts: Sts,
    pub(super) issuer: Option<Sts>,
    pub(super) dns: Dns,
    pub(super) proxy: Option<Port<Proxy>>,
    pub(super) kubernetes: Option<Port<Kubernetes>>,
    pub(super) node: Port<Node>,
    /// Those besides what STS gives out.
    pub(super) secrets: Mutex<Vec<Secret>>,
    pub(super) application: Mutex<Option<Application>>,
    pub(super) _temporary: Option<TempDir>,
}

impl Surroundings {
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let issued = self.sts.issued().into_iter().flat_map(|session| {
            [
                Secret::new("issued access key id", session.access_key_id),
                Secret::new("issued secret access key", session.secret_access_key),
                Secret::new("issued session token", session.session_token),
            ]
        });
        self.secrets.lock().unwrap().iter().cloned().chain(issued).collect()
    }

    pub(super) fn keep_secret(&self, secrets: Vec<Secret>) {
        self.secrets.lock().unwrap().extend(secrets);
    }

    pub(super) fn proxy_connects(&self) -> Vec<Connect> {
        self.proxy.as_ref().and_then(Port::server).map(Proxy::connects).unwrap_or_default()
    }

    pub(super) fn termination_log(&self) -> PathBuf {
        self.directory.join("termination-log")
    }

    /// An empty termination log that the pod user may write.
    pub(super) fn empty_termination_log(&self) -> io::Result<()> {
        let path = self.termination_log();
        fs::write(&path, "")?;
        fs::set_permissions(&path, Permissions::from_mode(0o666))
    }
}

/// How much had happened when a program was started.
pub(super) struct Counts {
    pub(super) requests: usize,
    pub(super) dns_queries: usize,
    pub(super) proxy_connects: usize,
    pub(super) connections: u64,
    pub(super) handshakes: u64,
}

impl Counts {
    pub(super) fn of(surroundings: &Surroundings) -> Self {
        Self {
            requests: surroundings.sts.requests().len(),
            dns_queries: surroundings.dns.queries().len(),
            proxy_connects: surroundings.proxy_connects().len(),
            connections: surroundings.sts.connections(),
            handshakes: surroundings.sts.handshakes(),
        }
    }
}
