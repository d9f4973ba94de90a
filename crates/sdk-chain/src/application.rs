//! Which SDKs an application uses, and what they take.

use crate::situation::ChainInput;
use crate::{Resolution, SdkId, resolve, resolve_all};

/// The SDKs of an application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ApplicationSdks {
    /// Nobody looked.
    #[default]
    Unknown,
    /// The user states it.
    Stated(SdkId),
    /// A search found them.
    Found {
        /// The SDKs that it found.
        sdks: Vec<SdkId>,
        /// Whether the search saw everything.
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

    /// Whether the application can use no other.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::Stated(_) => true,
            Self::Found { sdks, complete } => *complete && !sdks.is_empty(),
        }
    }
}

/// What the SDKs find in a pod, and which of them its application uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainContext {
    /// What the SDKs find.
    pub input: ChainInput,
    /// The SDKs of the application.
    pub application: ApplicationSdks,
}

impl ChainContext {
    /// What every SDK takes. Those of the application come first.
    #[must_use]
    pub fn resolutions(&self) -> Vec<Resolution> {
        resolve_all(&self.input, self.application.sdks())
    }

    /// What the SDKs take that the application can use, in their default modes.
    #[must_use]
    pub fn likely_resolutions(&self) -> Vec<Resolution> {
        match self.application {
            ApplicationSdks::Stated(sdk) => vec![resolve(sdk, &self.input)],
            ApplicationSdks::Unknown | ApplicationSdks::Found { .. } => {
                let mut resolutions = self.resolutions();
                resolutions.retain(|resolution| resolution.sdk.is_default());
                resolutions
            }
        }
    }
}
