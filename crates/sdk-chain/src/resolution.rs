//! The answer of a chain: the source that an SDK takes, and why.

use crate::situation::ChainInput;
use crate::{SdkId, walk};

/// The source that an SDK takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CredentialSource {
    /// The pod's role, through the web identity that its variables name.
    WebIdentity,
    /// A profile's role, through a web identity.
    ProfileWebIdentity,
    /// Keys in the environment.
    Keys,
    /// Keys in variables of an old kind.
    LegacyKeys,
    /// Keys in a profile.
    Profile,
    /// What a program gives that a profile names.
    Process,
    /// A profile's role, with the credentials of another source.
    AssumedRole,
    /// Container credentials, as EKS Pod Identity gives them.
    Container,
    /// The node's role.
    NodeRole,
    /// No credentials, and no error.
    Nothing,
    /// None: it stops with an error.
    Error,
    /// None: the process ends.
    Crash,
}

impl CredentialSource {
    /// What a profile gives.
    pub const OF_PROFILE: &[Self] =
        &[Self::Profile, Self::Process, Self::AssumedRole, Self::ProfileWebIdentity];
    /// What is no credentials at all.
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

/// What an SDK does in a situation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The SDK.
    pub sdk: SdkId,
    /// The source that it takes.
    pub source: CredentialSource,
    /// Why, in full sentences.
    pub reason: String,
}

/// The names of the SDKs whose pick is among these.
#[must_use]
pub fn names_of(answers: &[Resolution], sources: &[CredentialSource]) -> Vec<&'static str> {
    let among = answers.iter().filter(|answer| sources.contains(&answer.source));
    among.map(|answer| answer.sdk.rules().name).collect()
}

/// What an SDK does in a situation.
#[must_use]
pub fn resolve(id: SdkId, situation: &ChainInput) -> Resolution {
    let rules = id.rules().for_situation(situation);
    let (source, reason) = walk::walk(rules, situation.limitations.get(&id), situation);
    Resolution { sdk: id, source, reason }
}

/// What every SDK does in a situation: those that were found first.
#[must_use]
pub fn resolve_all(situation: &ChainInput, found: &[SdkId]) -> Vec<Resolution> {
    let (first, rest): (Vec<SdkId>, Vec<SdkId>) = SdkId::ALL.iter().partition(|id| found.contains(id));
    first.into_iter().chain(rest).map(|id| resolve(id, situation)).collect()
}
