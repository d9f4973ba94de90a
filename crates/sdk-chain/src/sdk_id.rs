//! The SDKs, each with its id. To add an SDK, add its row here and the table of its rules in [`crate::sdks`].

macro_rules! sdk_ids {
    ($($name:ident = $id:literal;)*) => {
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
        }
    };
}

sdk_ids! {
    Boto = "boto";
    CliV2 = "cliv2";
    JsV3 = "jsv3";
    JsV2 = "jsv2";
    JsV2LoadConfig = "jsv2lc";
    GoV2 = "gov2";
    GoV1 = "gov1";
    GoV1LoadConfig = "gov1lc";
    GoV1Old = "gov1old";
    Rust = "rust";
    Ruby = "ruby";
    Cpp = "cpp-tls";
    JavaV1 = "jv1";
    JavaV2 = "jv2";
    DotNet3 = "dotnet3";
    DotNet4 = "dotnet4";
    Php = "php";
    Kotlin = "kotlin";
    Swift = "swift";
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
