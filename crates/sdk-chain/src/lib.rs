//! The credential chain of each AWS SDK: which source an SDK takes in a situation, and why.
//!
//! [`sdks`] declares the rules, one SDK on a screen, each with its source; [`rules`] has the words
//! they are declared in; [`walk`] says what those mean. [`situation`] is what they are applied to, and
//! [`gather`] reads it from a pod. [`answer`] is a pure function: it gives the same answer to the
//! same situation, in a test as in a pod.

pub mod dialect;
pub mod ini;
pub mod rules;
pub mod sdks;
pub mod situation;
pub mod walk;

use situation::ChainInput;

macro_rules! sdk_ids {
    ($($name:ident = $id:literal),* $(,)?) => {
        /// An SDK, in as many ways as it may be used.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum SdkId {
            $(#[doc = concat!("`", $id, "`.")] $name,)*
        }

        impl SdkId {
            /// Every SDK, in the order in which they are listed.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The id in reports and on the command line.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }
        }
    };
}

sdk_ids! {
    Boto = "boto",
    CliV2 = "cliv2",
    JsV3 = "jsv3",
    JsV2 = "jsv2",
    JsV2LoadConfig = "jsv2lc",
    GoV2 = "gov2",
    GoV1 = "gov1",
    GoV1LoadConfig = "gov1lc",
    GoV1Old = "gov1old",
    Rust = "rust",
    Ruby = "ruby",
    Cpp = "cpp-tls",
    JavaV1 = "jv1",
    JavaV2 = "jv2",
    DotNet3 = "dotnet3",
    DotNet4 = "dotnet4",
    Php = "php",
    Kotlin = "kotlin",
    Swift = "swift",
}

impl SdkId {
    /// The SDK with this id, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|id| id.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether the SDK is used so unless the application, or a variable that is looked at, says otherwise.
    #[must_use]
    pub fn is_default(self) -> bool {
        self != Self::JsV2LoadConfig
    }

    /// Its rules.
    #[must_use]
    pub fn rules(self) -> &'static rules::Sdk {
        sdks::of(self)
    }
}

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
    pub picks: CredentialSource,
    /// Why, in full sentences.
    pub because: String,
}

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

/// The names of the SDKs whose pick is among these.
#[must_use]
pub fn names(answers: &[Resolution], picks: &[CredentialSource]) -> Vec<&'static str> {
    let among = answers.iter().filter(|answer| picks.contains(&answer.picks));
    among.map(|answer| answer.sdk.rules().name).collect()
}

/// What an SDK does in a situation.
#[must_use]
pub fn answer(id: SdkId, situation: &ChainInput) -> Resolution {
    let rules = id.rules().for_situation(situation);
    let (picks, because) = walk::walk(rules, situation.lacks.get(&id), situation);
    Resolution { sdk: id, picks, because }
}

/// What every SDK does in a situation: those that were found first.
#[must_use]
pub fn answers(situation: &ChainInput, found: &[SdkId]) -> Vec<Resolution> {
    let (first, rest): (Vec<SdkId>, Vec<SdkId>) = SdkId::ALL.iter().partition(|id| found.contains(id));
    first.into_iter().chain(rest).map(|id| answer(id, situation)).collect()
}
