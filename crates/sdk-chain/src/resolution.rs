//! The answer of a chain: the source that an SDK takes, and why.

use crate::rules::{RuleOverride, Sdk};
use crate::situation::ChainInput;
use crate::{CredentialSource, SdkId, walk};

/// What an SDK takes, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The SDK.
    pub sdk: SdkId,
    /// The source it takes.
    pub source: CredentialSource,
    /// Why, in full sentences.
    pub reason: String,
}

/// The names of the SDKs that take one of these sources.
#[must_use]
pub fn names_of(resolutions: &[Resolution], sources: &[CredentialSource]) -> Vec<&'static str> {
    let taking = resolutions.iter().filter(|resolution| sources.contains(&resolution.source));
    taking.map(|resolution| resolution.sdk.rules().name).collect()
}

/// Walks the chain of one SDK.
#[must_use]
pub fn resolve(id: SdkId, input: &ChainInput) -> Resolution {
    let rules = applicable(id.rules(), input);
    let (source, reason) = walk::walk(rules, input.limitations.get(&id), input);
    Resolution { sdk: id, source, reason }
}

/// The rules that apply in this environment in place of these.
fn applicable(sdk: &'static Sdk, input: &ChainInput) -> &'static Sdk {
    let load_config = input.filled("AWS_SDK_LOAD_CONFIG");
    match (sdk.overridden_by, load_config) {
        (Some(RuleOverride::ByAnything(rules)), Some(_))
        | (Some(RuleOverride::ByTrue(rules)), Some("1" | "t" | "T" | "true" | "TRUE" | "True")) => rules,
        (Some(RuleOverride::ByOptOut(rules)), _) if input.variable("AWS_SDK_CONFIG_OPT_OUT").is_some() => {
            rules
        }
        _ => sdk,
    }
}

/// Walks the chain of every SDK. The SDKs in `found` come first.
#[must_use]
pub fn resolve_all(input: &ChainInput, found: &[SdkId]) -> Vec<Resolution> {
    let (first, rest): (Vec<SdkId>, Vec<SdkId>) = SdkId::ALL.iter().partition(|id| found.contains(id));
    first.into_iter().chain(rest).map(|id| resolve(id, input)).collect()
}
