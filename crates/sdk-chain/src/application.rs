//! Which SDKs an application has, and what they take.

use crate::situation::ChainInput;
use crate::{Resolution, SdkId, answer, answers};

/// Which SDKs the application has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ApplicationSdks {
    /// It is not known.
    #[default]
    Unknown,
    /// This one: the user says so.
    Said(SdkId),
    /// These were found.
    Found {
        /// Which.
        sdks: Vec<SdkId>,
        /// Whether everything was seen.
        whole: bool,
    },
}

impl ApplicationSdks {
    /// The SDKs that are known.
    #[must_use]
    pub fn sdks(&self) -> &[SdkId] {
        match self {
            Self::Unknown => &[],
            Self::Said(sdk) => std::slice::from_ref(sdk),
            Self::Found { sdks, .. } => sdks,
        }
    }

    /// Whether there can be no other.
    #[must_use]
    pub fn is_all(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::Said(_) => true,
            Self::Found { sdks, whole } => *whole && !sdks.is_empty(),
        }
    }
}

/// What the SDKs of a pod find, and which of them the application has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainContext {
    /// What they find.
    pub situation: ChainInput,
    /// Which the application has.
    pub used: ApplicationSdks,
}

impl ChainContext {
    /// What each SDK does, those that the application has first.
    #[must_use]
    pub fn answers(&self) -> Vec<Resolution> {
        answers(&self.situation, self.used.sdks())
    }

    /// The same of those SDKs that the application may have, as they are used by default.
    #[must_use]
    pub fn likely_answers(&self) -> Vec<Resolution> {
        match self.used {
            ApplicationSdks::Said(sdk) => vec![answer(sdk, &self.situation)],
            ApplicationSdks::Unknown | ApplicationSdks::Found { .. } => {
                let mut answers = self.answers();
                answers.retain(|answer| answer.sdk.is_default());
                answers
            }
        }
    }
}
