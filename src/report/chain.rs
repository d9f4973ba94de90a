//! The answer to `chain`: what each SDK picks and why, as text and as JSON.

use std::fmt::Write;

use serde::Serialize;

use super::text::{Colour, WIDTH};
use crate::chain::imds::NodeRole;
use crate::chain::{Answer, FoundSdk, Picks, SdkId};
use crate::shown::shown;

/// The schema's name.
pub const SCHEMA: &str = "irsa-probe.chain/v1";

/// What is known of the chains in this pod.
#[derive(Debug)]
pub struct Chains {
    /// What each SDK does; those that were found first.
    pub answers: Vec<Answer>,
    /// The SDKs that were found.
    pub found: Vec<FoundSdk>,
    /// What IMDS says.
    pub node_role: NodeRole,
}

/// The public form. It changes only by additions.
#[derive(Serialize)]
pub struct Wire {
    schema: &'static str,
    sdks: Vec<WireSdk>,
    found: Vec<WireFound>,
    node_role: WireNodeRole,
}

#[derive(Serialize)]
struct WireSdk {
    sdk: &'static str,
    name: &'static str,
    picks: &'static str,
    because: String,
    rules_of: &'static str,
    was_run: bool,
}

#[derive(Serialize)]
struct WireFound {
    sdk: &'static str,
    version: Option<String>,
    place: String,
}

#[derive(Serialize)]
struct WireNodeRole {
    reachable: bool,
    role: Option<String>,
    endpoint: Option<String>,
    why_not: Option<String>,
}

impl From<&Chains> for Wire {
    fn from(chains: &Chains) -> Self {
        let sdk = |answer: &Answer| {
            let rules = answer.sdk.rules();
            WireSdk {
                sdk: answer.sdk.as_str(),
                name: rules.name,
                picks: answer.picks.as_str(),
                because: answer.because.clone(),
                rules_of: rules.version,
                was_run: rules.was_run,
            }
        };
        let found = |found: &FoundSdk| WireFound {
            sdk: found.sdk.as_str(),
            version: found.version.as_deref().map(shown),
            place: shown(&found.place),
        };
        let node_role = match &chains.node_role {
            NodeRole::Reachable { role, endpoint } => WireNodeRole {
                reachable: true,
                role: Some(shown(role)),
                endpoint: Some(shown(endpoint)),
                why_not: None,
            },
            NodeRole::None { endpoint } => WireNodeRole {
                reachable: false,
                role: None,
                endpoint: Some(shown(endpoint)),
                why_not: Some("the node has no role".to_owned()),
            },
            NodeRole::Unreachable(why) => {
                WireNodeRole { reachable: false, role: None, endpoint: None, why_not: Some(shown(why)) }
            }
        };
        Self {
            schema: SCHEMA,
            sdks: chains.answers.iter().map(sdk).collect(),
            found: chains.found.iter().map(found).collect(),
            node_role,
        }
    }
}

/// The table for people.
#[must_use]
pub fn page(chains: &Chains, colour: Colour) -> String {
    let mut page =
        format!("irsa-probe {}: the credentials that each AWS SDK takes here\n\n", env!("CARGO_PKG_VERSION"));
    let width = SdkId::ALL.iter().map(|id| id.as_str().len()).max().unwrap_or_default();
    let picks_width = "web-id(profile)".len();
    let indent = " ".repeat(width + picks_width + 6);
    let _ =
        writeln!(page, "  {}", colour.faint(&format!("{:width$}  {:picks_width$}  because", "sdk", "picks")));
    for answer in &chains.answers {
        let is_found = chains.found.iter().any(|found| found.sdk == answer.sdk);
        let sdk = format!("{:width$}", answer.sdk.as_str());
        let sdk = if is_found { colour.strong(&sdk) } else { sdk };
        let picks = format!("{:picks_width$}", answer.picks.as_str());
        let picks = match answer.picks {
            Picks::WebIdentity => colour.good(&picks),
            Picks::Error | Picks::Crash | Picks::Nothing => colour.bad(&picks),
            _ => colour.warning(&picks),
        };
        let options = textwrap::Options::new(WIDTH.saturating_sub(indent.len()))
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let because = textwrap::wrap(&answer.because, options).join(&format!("\n{indent}"));
        let _ = writeln!(page, "  {sdk}  {picks}  {because}");
    }
    let _ = writeln!(page, "\n{}", node_role(&chains.node_role));
    for found in &chains.found {
        let version =
            found.version.as_deref().map_or_else(String::new, |version| format!(" {}", shown(version)));
        let name = found.sdk.rules().name;
        let _ = writeln!(page, "Found: {name}{version}, in {}.", shown(&found.place));
    }
    page
}

fn node_role(node_role: &NodeRole) -> String {
    match node_role {
        NodeRole::Reachable { role, endpoint } => {
            format!(
                "IMDS: the node's role {} can be reached from this pod, at {}.",
                shown(role),
                shown(endpoint)
            )
        }
        NodeRole::None { endpoint } => {
            format!("IMDS: {} answers, and the node has no role.", shown(endpoint))
        }
        NodeRole::Unreachable(why) => {
            format!("IMDS: not reachable from this pod: {}. Who picks IMDS gets nothing.", shown(why))
        }
    }
}
