//! The SDKs, each with its id and the table of its rules in [`sdks`].

use crate::rules::Sdk;
use crate::sdks;

macro_rules! sdk_ids {
    ($($name:ident = $id:literal, $table:ident::$rules:ident;)*) => {
        /// An SDK. One that reads other files in another mode counts once per mode.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum SdkId {
            $(#[doc = concat!("`", $id, "`.")] $name,)*
        }

        impl SdkId {
            /// Every SDK, in the order of reports.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The id in reports and on the command line.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// The rules of the SDK.
            #[must_use]
            pub fn rules(self) -> &'static Sdk {
                match self { $(Self::$name => &sdks::$table::$rules,)* }
            }
        }
    };
}

sdk_ids! {
    Boto = "boto", python::BOTO;
    CliV2 = "cliv2", python::CLI_V2;
    JsV3 = "jsv3", javascript::V3;
    JsV2 = "jsv2", javascript::V2;
    JsV2LoadConfig = "jsv2lc", javascript::V2_LOAD_CONFIG;
    GoV2 = "gov2", go::V2;
    GoV1 = "gov1", go::V1;
    GoV1LoadConfig = "gov1lc", go::V1_LOAD_CONFIG;
    GoV1Old = "gov1old", go::V1_OLD;
    Rust = "rust", rust::RUST;
    Ruby = "ruby", ruby::RUBY;
    Cpp = "cpp-tls", cpp::CPP;
    JavaV1 = "jv1", java::V1;
    JavaV2 = "jv2", java::V2;
    DotNet3 = "dotnet3", dotnet::V3;
    DotNet4 = "dotnet4", dotnet::V4;
    Php = "php", php::PHP;
    Kotlin = "kotlin", kotlin::KOTLIN;
    Swift = "swift", swift::SWIFT;
}

impl SdkId {
    /// The SDK with this id, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|id| id.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether an application uses the SDK in this mode unless its code, or a variable, selects another.
    #[must_use]
    pub fn is_default(self) -> bool {
        self != Self::JsV2LoadConfig
    }
}
