//! The steps that ask the network: the endpoint for container credentials, and IMDS.

use super::OnFailure;

/// Container credentials.
#[derive(Debug, Clone, Copy)]
pub struct ContainerRule {
    /// Whether the relative variable wins if both are set.
    pub relative_first: bool,
    /// Whether an empty variable counts.
    pub empty_counts: bool,
    /// The hosts that the SDK calls without TLS, besides 169.254.170.2 for the relative variable.
    pub hosts: Hosts,
    /// What another host leads to.
    pub bad_host: OnFailure,
    /// How the token is read and sent.
    pub token: TokenRule,
    /// What a refusal, or an endpoint out of reach, leads to.
    pub on_failure: OnFailure,
}

impl ContainerRule {
    /// The rule of most SDKs. Every failure leads to the same.
    #[must_use]
    pub const fn usual(on_failure: OnFailure) -> Self {
        let (hosts, token) = (Hosts::LOOPBACK_NAME_ECS_EKS, TokenRule::usual(on_failure));
        Self { relative_first: true, empty_counts: false, hosts, bad_host: on_failure, token, on_failure }
    }
}

/// The hosts that an SDK calls without TLS. 127.0.0.1 is always one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hosts {
    /// Every loopback address.
    pub loopback: bool,
    /// `localhost`.
    pub localhost: bool,
    /// 169.254.170.2.
    pub ecs: bool,
    /// 169.254.170.23.
    pub eks: bool,
    /// `[fd00:ec2::23]`.
    pub eks_ipv6: bool,
}

impl Hosts {
    /// Every loopback address and those of ECS and EKS, but not `localhost`.
    pub const LOOPBACK_ECS_EKS: Self =
        Self { loopback: true, localhost: false, ecs: true, eks: true, eks_ipv6: true };

    /// The same, and `localhost`.
    pub const LOOPBACK_NAME_ECS_EKS: Self = Self { localhost: true, ..Self::LOOPBACK_ECS_EKS };
}

/// How the token for the container endpoint is read and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRule {
    /// Whether a token file is read. Otherwise only the variable counts.
    pub file: bool,
    /// Whether the token in the variable wins over the file.
    pub variable_first: bool,
    /// What an unreadable file leads to.
    pub unreadable: OnFailure,
    /// What the SDK does with a line break in the token.
    pub line_break: LineBreak,
    /// Whether the file is read even if no endpoint is set.
    pub read_first: bool,
}

impl TokenRule {
    /// The rule of most SDKs. Every failure leads to the same.
    #[must_use]
    pub const fn usual(on_failure: OnFailure) -> Self {
        let line_break = LineBreak::Fails(on_failure);
        Self { file: true, variable_first: false, unreadable: on_failure, line_break, read_first: false }
    }
}

/// What an SDK does with a line break in the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineBreak {
    /// It sends the token.
    Sent,
    /// It fails.
    Fails(OnFailure),
    /// It sends no token to `localhost` and 127.0.0.1, and fails at other hosts.
    WithoutIt(OnFailure),
}

/// The values of `AWS_EC2_METADATA_DISABLED` that disable IMDS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImdsDisabled {
    /// `true`, in any case.
    True,
    /// Every value that is not empty.
    Anything,
    /// Every value that is not empty, except `false`.
    NotFalse,
    /// Every value except `false` in any case, and also the empty value.
    NotFalseInAnyCase,
}
