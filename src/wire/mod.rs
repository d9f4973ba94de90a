//! The public JSON forms: what `report` writes, what `audit` reads, and what the schemas in `examples/` describe.
//!
//! They change only by additions. The doc comments are the descriptions in the schemas.

mod audit;
mod chain;
mod explain;
mod needs;
mod report;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use audit::{Audit, MatchedPolicy, SimulatedAction, Sources, TrustPolicy, Unknown};
pub use chain::{ChainFailure, ChainReport, FoundSdk, NodeRole, SdkChoice};
pub use explain::{Catalogue, CatalogueEntry, CataloguePage};
pub use needs::{Commands, Needs, NeedsFailure, OidcProvider};
pub use report::{Check, Diagnosis, Identity, Pod, Report, Sts, Target, Token};

/// The name of the report's schema.
pub const SCHEMA: &str = "irsa-probe.report/v1";
/// The name of the schema of `chain`.
pub const CHAIN_SCHEMA: &str = "irsa-probe.chain/v1";
/// The name of the schema of `explain`.
pub const EXPLAIN_SCHEMA: &str = "irsa-probe.explain/v1";
/// The name of the schema of `trust-policy`.
pub const TRUST_POLICY_SCHEMA: &str = "irsa-probe.trust-policy/v1";

/// A time in UTC, to the second.
const TIME: &str = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$";

/// Defines structs that are written whole and read tolerantly: a report that comes back can be of an older or
/// a newer version, or changed by what collected it. A field that is missing or of another type is read as its
/// default, and an unknown field is ignored.
macro_rules! wire {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)+ }
    )+) => {$(
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        $(#[$meta])*
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)+ }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let mut object = serde_json::Value::deserialize(deserializer)?;
                Ok(Self { $($field: super::take(&mut object, stringify!($field)),)+ })
            }
        }
    )+};
}
use wire;

/// Takes a member out of an object, or the default where there is none of this type.
fn take<T: DeserializeOwned + Default>(object: &mut Value, name: &str) -> T {
    let value = object.get_mut(name).map(Value::take);
    value.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
}
