//! Where the credentials come from that an SDK takes.

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
