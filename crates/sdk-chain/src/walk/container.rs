//! Container credentials: which endpoint is called, and with which token.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{ResolvedView, StepFailure, StepResult, takes};
use crate::CredentialSource;
use crate::rules::{ContainerRule, Hosts, LineBreak, OnFailure};
use crate::situation::{ContainerEndpoint as Endpoint, EndpointReply, TokenFile};
use foreign_text::sanitize;

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const CONTAINER_TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const CONTAINER_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

impl ResolvedView<'_> {
    pub(super) fn container(&self, rule: &ContainerRule) -> StepResult {
        let value = |name| {
            let value = self.input.variable(name);
            value.filter(|value| rule.empty_counts || !value.is_empty()).map(|value| (name, value))
        };
        let (relative, full) = (value(RELATIVE), value(FULL));
        let chosen = if rule.relative_first { relative.or(full) } else { full.or(relative) };
        let token = self.container_token(rule);
        if rule.token.read_first && token.is_err() {
            return token.map(|_| None);
        }
        let Some((variable, value)) = chosen else { return Ok(None) };
        let endpoint = if variable == RELATIVE { &self.input.relative } else { &self.input.full };
        let host = if variable == RELATIVE { None } else { Some(host_of(value)) };
        if value.is_empty() {
            // The relative one makes a call to ECS's address, for nothing.
            let on_failure = if variable == RELATIVE { rule.on_failure } else { rule.bad_host };
            return on_failure.because(format!("{variable} is set to nothing"));
        }
        if host.is_some_and(|host| !allowed(&rule.hosts, host)) {
            return rule.bad_host.because(format!("The host in {variable} is none that it calls"));
        }
        let with_token = match token? {
            SentToken::Sent => true,
            SentToken::None => false,
            SentToken::OnlyWithout(on_failure) => {
                if !host.is_some_and(|host| matches!(host.host, Some("localhost" | "127.0.0.1"))) {
                    return on_failure.because("The token for the container credentials has a line break");
                }
                false
            }
        };
        replied(rule, variable, endpoint, with_token)
    }

    /// The token that is sent to the endpoint.
    fn container_token(&self, rule: &ContainerRule) -> Result<SentToken, StepFailure> {
        let file = self.input.filled(CONTAINER_TOKEN_FILE).filter(|_| rule.token.file);
        let variable = self.input.filled(CONTAINER_TOKEN);
        let Some(file) = file.filter(|_| !(rule.token.variable_first && variable.is_some())) else {
            return Ok(if variable.is_some() { SentToken::Sent } else { SentToken::None });
        };
        match self.input.token(file) {
            TokenFile::Unreadable(why) => rule.token.unreadable.because(format!(
                "The token file {} for the container credentials cannot be read: {why}",
                sanitize(file)
            )),
            TokenFile::Readable { line_break: false, .. } => Ok(SentToken::Sent),
            TokenFile::Readable { .. } => match rule.token.line_break {
                LineBreak::Sent => Ok(SentToken::Sent),
                LineBreak::WithoutIt(on_failure) => Ok(SentToken::OnlyWithout(on_failure)),
                LineBreak::Fails(on_failure) => {
                    on_failure.because("The token for the container credentials has a line break")
                }
            },
        }
    }
}

/// The token that is sent to an endpoint.
enum SentToken {
    /// The token.
    Sent,
    /// None is set.
    None,
    /// None: a line break forbids it. At hosts where that fails, this is what it leads to.
    OnlyWithout(OnFailure),
}

fn replied(rule: &ContainerRule, variable: &str, endpoint: &Endpoint, with_token: bool) -> StepResult {
    let reply = if with_token { &endpoint.with_token } else { &endpoint.without_token };
    match reply {
        EndpointReply::Given => {
            takes(CredentialSource::Container, format!("The endpoint in {variable} gives credentials."))
        }
        EndpointReply::NotTried => {
            takes(CredentialSource::Container, format!("It asks the endpoint in {variable} for credentials."))
        }
        EndpointReply::Status(status) => {
            rule.on_failure.because(format!("The endpoint in {variable} answers {status}"))
        }
        EndpointReply::Unreachable(why) => {
            rule.on_failure.because(format!("The endpoint in {variable} gives no credentials: {why}"))
        }
    }
}

/// The parts of a URL that the rules look at.
#[derive(Clone, Copy)]
struct UrlHost<'a> {
    tls: bool,
    host: Option<&'a str>,
}

fn host_of(url: &str) -> UrlHost<'_> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match authority.strip_prefix('[') {
        Some(inner) => inner.split(']').next(),
        None => authority.split(':').next(),
    };
    UrlHost { tls: scheme.eq_ignore_ascii_case("https"), host: host.filter(|host| !host.is_empty()) }
}

fn allowed(hosts: &Hosts, url: UrlHost<'_>) -> bool {
    let Some(host) = url.host else { return false };
    if url.tls {
        return true;
    }
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ECS_ADDRESS)) => hosts.ecs,
        Ok(IpAddr::V4(EKS_ADDRESS)) => hosts.eks,
        Ok(IpAddr::V6(EKS_IPV6_ADDRESS)) => hosts.eks_ipv6,
        Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)) => true,
        Ok(address) => hosts.loopback && address.is_loopback(),
        Err(_) => hosts.localhost && host == "localhost",
    }
}

/// Whether the URL has no TLS and leads to this node: to a loopback address, or to one of AWS's for containers.
#[must_use]
pub fn is_node_local(url: &str) -> bool {
    let url = host_of(url);
    let all = Hosts { loopback: true, localhost: true, ecs: true, eks: true, eks_ipv6: true };
    !url.tls && allowed(&all, url)
}

/// The credentials endpoint of ECS, to which a relative URI refers.
pub const ECS_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);

/// The agent of EKS Pod Identity.
pub const EKS_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 23);

/// The agent of EKS Pod Identity, by IPv6.
pub const EKS_IPV6_ADDRESS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23);
