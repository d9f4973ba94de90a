//! The answer of a chain: the source that an SDK takes, and why.

use crate::situation::ChainInput;
use crate::{SdkId, walk};

/// The source that an SDK takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialSource {
    /// The pod's role, by the web identity in its variables.
    WebIdentity,
    /// A profile's role, by a web identity.
    ProfileWebIdentity,
    /// Keys in the environment.
    Keys,
    /// Keys in variables of an older spelling.
    LegacyKeys,
    /// Keys in a profile.
    Profile,
    /// The output of the program that a profile names (`credential_process`).
    Process,
    /// A profile's role, assumed with the credentials of another source.
    AssumedRole,
    /// Container credentials, as EKS Pod Identity gives them.
    Container,
    /// The node's role.
    NodeRole,
    /// None: it goes on without credentials and without an error.
    Nothing,
    /// None: it stops with an error.
    Error,
    /// None: the process ends.
    Crash,
}

impl CredentialSource {
    /// The sources that a profile gives.
    pub const OF_PROFILE: &[Self] =
        &[Self::Profile, Self::Process, Self::AssumedRole, Self::ProfileWebIdentity];
    /// The outcomes without credentials.
    pub const FAILURES: &[Self] = &[Self::Nothing, Self::Error, Self::Crash];

    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebIdentity => "web-id",
            Self::ProfileWebIdentity => "web-id(profile)",
            Self::Keys => "env",
            Self::LegacyKeys => "env-legacy",
            Self::Profile => "profile",
            Self::Process => "process",
            Self::AssumedRole => "assume-role",
            Self::Container => "container",
            Self::NodeRole => "IMDS",
            Self::Nothing => "none",
            Self::Error => "error",
            Self::Crash => "crash",
        }
    }
}

/// What an SDK takes, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The SDK.
    pub sdk: SdkId,
    /// The source it takes.
    pub source: CredentialSource,
    /// Why, in full sentences.
    pub reason: String,
}

/// The names of the SDKs that take one of these sources.
#[must_use]
pub fn names_of(resolutions: &[Resolution], sources: &[CredentialSource]) -> Vec<&'static str> {
    let taking = resolutions.iter().filter(|resolution| sources.contains(&resolution.source));
    taking.map(|resolution| resolution.sdk.rules().name).collect()
}

/// Walks the chain of one SDK.
#[must_use]
pub fn resolve(id: SdkId, input: &ChainInput) -> Resolution {
    let rules = id.rules().for_input(input);
    let (source, reason) = walk::walk(rules, input.limitations.get(&id), input);
    Resolution { sdk: id, source, reason }
}

/// Walks the chain of every SDK. The SDKs in `found` come first.
#[must_use]
pub fn resolve_all(input: &ChainInput, found: &[SdkId]) -> Vec<Resolution> {
    let (first, rest): (Vec<SdkId>, Vec<SdkId>) = SdkId::ALL.iter().partition(|id| found.contains(id));
    first.into_iter().chain(rest).map(|id| resolve(id, input)).collect()
}
