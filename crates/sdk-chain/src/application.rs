//! Which SDKs an application has, and what they take.

use crate::situation::ChainInput;
use crate::{Resolution, SdkId, resolve, resolve_all};

/// Which SDKs the application has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ApplicationSdks {
    /// It is not known.
    #[default]
    Unknown,
    /// This one: the user says so.
    Stated(SdkId),
    /// These were found.
    Found {
        /// Which.
        sdks: Vec<SdkId>,
        /// Whether everything was seen.
        complete: bool,
    },
}

impl ApplicationSdks {
    /// The SDKs that are known.
    #[must_use]
    pub fn sdks(&self) -> &[SdkId] {
        match self {
            Self::Unknown => &[],
            Self::Stated(sdk) => std::slice::from_ref(sdk),
            Self::Found { sdks, .. } => sdks,
        }
    }

    /// Whether there can be no other.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::Stated(_) => true,
            Self::Found { sdks, complete: whole } => *whole && !sdks.is_empty(),
        }
    }
}

/// What the SDKs of a pod find, and which of them the application has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainContext {
    /// What they find.
    pub input: ChainInput,
    /// Which the application has.
    pub application: ApplicationSdks,
}

impl ChainContext {
    /// What each SDK does, those that the application has first.
    #[must_use]
    pub fn resolutions(&self) -> Vec<Resolution> {
        resolve_all(&self.input, self.application.sdks())
    }

    /// The same of those SDKs that the application may have, as they are used by default.
    #[must_use]
    pub fn likely_resolutions(&self) -> Vec<Resolution> {
        match self.application {
            ApplicationSdks::Stated(sdk) => vec![resolve(sdk, &self.input)],
            ApplicationSdks::Unknown | ApplicationSdks::Found { .. } => {
                let mut answers = self.resolutions();
                answers.retain(|answer| answer.sdk.is_default());
                answers
            }
        }
    }
}
