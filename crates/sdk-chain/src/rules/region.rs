//! Which region there is for STS, and what an SDK does without one.

use super::files::{ProfileFile, ProfileName};

/// Which region there is for STS, and what happens without one.
#[derive(Debug, Clone, Copy)]
pub struct Region {
    /// The variables, in order.
    pub variables: &'static [&'static str],
    /// What a variable is that is set to nothing.
    pub empty: EmptyRegion,
    /// The files whose profile may name it.
    pub files: &'static [ProfileFile],
    /// Which profile that is, if it is another than the one in use.
    pub profile_name: Option<ProfileName>,
    /// What happens without one.
    pub missing: NoRegion,
}

impl Region {
    /// That of the first variable with a value, or of the profile in use.
    #[must_use]
    pub const fn of(
        variables: &'static [&'static str],
        files: &'static [ProfileFile],
        missing: NoRegion,
    ) -> Self {
        Self { variables, empty: EmptyRegion::Unset, files, profile_name: None, missing }
    }
}

/// What a variable for the region is that is set to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyRegion {
    /// Not set.
    Unset,
    /// Not set, and yet it hides the variables after it.
    Hides,
    /// As good as a region.
    Counts,
    /// A region with which STS cannot be called.
    Fails,
}

/// What happens without a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRegion {
    /// STS is called all the same, at its global endpoint.
    Global,
    /// The call fails.
    Fails,
    /// The call fails unless an endpoint is set.
    FailsWithoutEndpoint,
    /// The call fails if an endpoint is set, or a regional one is wanted; else it is the global one.
    FailsWithEndpoint,
    /// IMDS is asked for it unless an endpoint is set; the call fails where IMDS is disabled.
    AsksImds,
}
