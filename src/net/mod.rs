//! The way to a server: its name, TCP, a proxy's tunnel and TLS, each step with its own failure.

pub(crate) mod connect;
pub(crate) mod dns;
pub mod endpoint;
pub mod http;
pub(crate) mod http_call;
pub mod options;
pub mod proxy;
mod resolv_conf;
pub mod tls;
