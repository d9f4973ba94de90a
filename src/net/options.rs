//! How servers are found and trusted: the flags of every command that calls one.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::tls::SYSTEM_ROOTS;

/// How servers are found and trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct NetworkOptions {
    /// A name server, in place of those in /etc/resolv.conf
    #[arg(long, value_name = "ADDRESS:PORT", env = "IRSA_PROBE_DNS_SERVER")]
    pub dns_server: Option<SocketAddr>,
    /// Where the system's CA certificates are looked for, separated by commas
    #[arg(long, value_name = "FILE,...", value_delimiter = ',', env = "IRSA_PROBE_SYSTEM_ROOTS", default_values = SYSTEM_ROOTS)]
    pub system_roots: Vec<PathBuf>,
}
