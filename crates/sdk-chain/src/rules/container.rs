//! The steps that ask the network: the endpoint for container credentials, and IMDS.

use super::OnFailure;

/// Container credentials.
#[derive(Debug, Clone, Copy)]
pub struct ContainerRule {
    /// Whether the relative variable decides, if both are set.
    pub relative_first: bool,
    /// Whether a variable that is set to nothing counts.
    pub empty_counts: bool,
    /// Which hosts may be called without TLS, beside 169.254.170.2 through the relative variable.
    pub hosts: Hosts,
    /// Another host.
    pub bad_host: OnFailure,
    /// How the token is read and sent.
    pub token: TokenRule,
    /// The endpoint refuses, or cannot be reached.
    pub on_failure: OnFailure,
}

/// Which hosts may be called without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hosts {
    /// Every loopback address, instead of 127.0.0.1 alone.
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

/// How the token for the container endpoint is read and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRule {
    /// Whether a token file is read at all; else the request has none.
    pub file: bool,
    /// Whether the token in the variable comes before the file.
    pub variable_first: bool,
    /// A file that cannot be read.
    pub unreadable: OnFailure,
    /// A token with a line break.
    pub line_break: LineBreak,
    /// Whether the file is read before it is known whether the source is wanted.
    pub read_first: bool,
}

/// What happens to a token with a line break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineBreak {
    /// It is sent.
    Sent,
    /// It is a failure.
    Fails(OnFailure),
    /// The request is made again without it at `localhost` and 127.0.0.1, and fails elsewhere.
    WithoutIt(OnFailure),
}

/// When IMDS counts as disabled by `AWS_EC2_METADATA_DISABLED`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImdsDisabled {
    /// By `true` in any case.
    True,
    /// By anything.
    Anything,
    /// By anything but `false`.
    NotFalse,
    /// By anything but `false` in any case, and also by nothing.
    NotFalseInAnyCase,
}
