//! How an SDK finds the region for STS, and what it does without one.

use super::files::{ProfileFile, ProfileName};

/// How the region for STS is found, and what happens without one.
#[derive(Debug, Clone, Copy)]
pub struct Region {
    /// The variables, in order.
    pub variables: &'static [&'static str],
    /// What an empty variable means.
    pub empty: EmptyRegion,
    /// The files whose profile can set the region.
    pub files: &'static [ProfileFile],
    /// How that profile is selected, if not as usual.
    pub profile_name: Option<ProfileName>,
    /// What happens without one.
    pub missing: NoRegion,
}

impl Region {
    /// The region in the first variable that is not empty, or else in the selected profile.
    #[must_use]
    pub const fn of(
        variables: &'static [&'static str],
        files: &'static [ProfileFile],
        missing: NoRegion,
    ) -> Self {
        Self { variables, empty: EmptyRegion::Unset, files, profile_name: None, missing }
    }
}

/// What an empty region variable means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyRegion {
    /// It is not set.
    Unset,
    /// It is not set, but hides the variables after it.
    Hides,
    /// It counts as a region.
    Counts,
    /// It counts as a region with which STS cannot be called.
    Fails,
}

/// What happens without a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRegion {
    /// STS is called at its global endpoint.
    Global,
    /// The call fails.
    Fails,
    /// The call fails unless an endpoint is set.
    FailsWithoutEndpoint,
    /// The call fails if an endpoint is set or a regional one is wanted. Otherwise the global one is called.
    FailsWithEndpoint,
    /// IMDS is asked for the region unless an endpoint is set. The call fails if IMDS is disabled.
    AsksImds,
}
