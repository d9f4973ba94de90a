//! The answer to `chain`: what each SDK picks and why, as text and as JSON.

use sdk_chain::ChainContext;
use std::fmt::Write;

use super::json;
use super::style::{ANOTHER_NETWORK, Color, WIDTH};
use super::text::of;
use crate::diagnosis::Diagnosis;
use crate::host::Pod;
use crate::probes::imds::NodeRole;
use crate::sdk_scan::{FoundSdk, Scan};
use crate::text::sanitize;
use crate::wire;
use sdk_chain::{CredentialSource, Resolution, SdkId};

/// What is known of the credential chains in a pod.
#[derive(Debug)]
pub(crate) struct ChainReport {
    /// What the SDKs find, and which the application has.
    pub(crate) outlook: ChainContext,
    /// What an SDK uses if it takes the pod's role.
    pub(crate) expected: CredentialSource,
    /// What was seen of the application, if it was looked at.
    pub(crate) scan: Option<Scan>,
    pub(crate) node_role: NodeRole,
}

impl ChainReport {
    /// The SDKs that were found.
    pub(crate) fn found(&self) -> &[FoundSdk] {
        self.scan.as_ref().map_or(&[], |scan| scan.found.as_slice())
    }
}

/// The public form where nothing is known of the chains, for this reason.
pub(crate) fn failure(diagnosis: &Diagnosis) -> wire::NoChain {
    wire::NoChain {
        schema: wire::CHAIN_SCHEMA.to_owned(),
        sdks: Vec::new(),
        diagnosis: json::diagnosis(diagnosis, diagnosis.remedy()),
    }
}

/// The public form of the chains in the pod, or in another process of it.
pub(crate) fn form(chains: &ChainReport, pod: &Pod) -> wire::ChainReport {
    wire::ChainReport {
        schema: wire::CHAIN_SCHEMA.to_owned(),
        target: pod.target().map(|process| json::target(process, pod.has_another_network())),
        sdks: chains.outlook.resolutions().iter().map(choice).collect(),
        found: chains.found().iter().map(found).collect(),
        search_stopped_by: chains.scan.as_ref().and_then(Scan::stopped_by).map(|by| by.as_str().to_owned()),
        node_role: node_role_form(&chains.node_role),
    }
}

fn choice(answer: &Resolution) -> wire::SdkChoice {
    let rules = answer.sdk.rules();
    wire::SdkChoice {
        sdk: answer.sdk.as_str().to_owned(),
        name: rules.name.to_owned(),
        picks: answer.source.as_str().to_owned(),
        because: answer.reason.clone(),
        rules_of: rules.version.to_owned(),
        was_run: rules.was_run,
    }
}

fn found(found: &FoundSdk) -> wire::FoundSdk {
    wire::FoundSdk {
        sdk: found.sdk.as_str().to_owned(),
        version: found.version.as_deref().map(sanitize),
        place: sanitize(&found.place),
        sts_module: found.sts_module,
    }
}

fn node_role_form(node_role: &NodeRole) -> wire::NodeRole {
    match node_role {
        NodeRole::Reachable { role, endpoint, only_v1 } => wire::NodeRole {
            reachable: true,
            by: Some(protocol(*only_v1).to_owned()),
            role: Some(sanitize(role)),
            endpoint: Some(sanitize(endpoint)),
            why_not: None,
        },
        NodeRole::None { endpoint } => wire::NodeRole {
            endpoint: Some(sanitize(endpoint)),
            why_not: Some("the node has no role".to_owned()),
            ..wire::NodeRole::default()
        },
        NodeRole::Unreachable(why) => {
            wire::NodeRole { why_not: Some(sanitize(why)), ..wire::NodeRole::default() }
        }
    }
}

pub(crate) fn page(chains: &ChainReport, world: &Pod, colour: Color) -> String {
    let place = world.target().map_or_else(|| "here".to_owned(), |process| format!("in {}", of(process)));
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!("irsa-probe {version}: the credentials that each AWS SDK takes {place}\n");
    if world.has_another_network() {
        let _ = writeln!(page, "{}", colour.warning(ANOTHER_NETWORK));
    }
    page.push('\n');
    let width = SdkId::ALL.iter().map(|id| id.as_str().len()).max().unwrap_or_default();
    let picks_width = "web-id(profile)".len();
    let indent = " ".repeat(width + picks_width + 6);
    let _ =
        writeln!(page, "  {}", colour.faint(&format!("{:width$}  {:picks_width$}  because", "sdk", "picks")));
    let found = chains.outlook.application.sdks();
    for answer in &chains.outlook.resolutions() {
        let is_found = found.contains(&answer.sdk);
        let sdk = format!("{:width$}", answer.sdk.as_str());
        let sdk = if is_found { colour.strong(&sdk) } else { sdk };
        let picks = format!("{:picks_width$}", answer.source.as_str());
        let picks = match answer.source {
            source if source == chains.expected => colour.good(&picks),
            CredentialSource::Error | CredentialSource::Crash | CredentialSource::Nothing => {
                colour.bad(&picks)
            }
            _ => colour.warning(&picks),
        };
        let options = textwrap::Options::new(WIDTH.saturating_sub(indent.len()))
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        let because = textwrap::wrap(&answer.reason, options).join(&format!("\n{indent}"));
        let _ = writeln!(page, "  {sdk}  {picks}  {because}");
    }
    let _ = writeln!(page, "\n{}", node_role(&chains.node_role));
    if let Some(scan) = &chains.scan {
        page.push_str(&searched(scan));
    }
    page
}

fn searched(scan: &Scan) -> String {
    let mut lines = String::new();
    for found in &scan.found {
        let _ = writeln!(lines, "Found: {}", found.describe());
    }
    if scan.found.is_empty() {
        lines.push_str("Found: no AWS SDK in the application's files.\n");
    }
    if let Some(by) = scan.stopped_by() {
        let _ = writeln!(lines, "Not everything was seen: {}.", by.as_str());
    }
    lines
}

fn protocol(only_v1: bool) -> &'static str {
    if only_v1 { "IMDSv1" } else { "IMDSv2" }
}

fn node_role(node_role: &NodeRole) -> String {
    match node_role {
        NodeRole::Reachable { role, endpoint, only_v1 } => {
            let by = protocol(*only_v1);
            let (role, endpoint) = (sanitize(role), sanitize(endpoint));
            format!("IMDS: the node's role {role} can be reached from this pod by {by}, at {endpoint}.")
        }
        NodeRole::None { endpoint } => {
            format!("IMDS: {} answers, and the node has no role.", sanitize(endpoint))
        }
        NodeRole::Unreachable(why) => {
            format!("IMDS: not reachable from this pod: {}. Who picks IMDS gets nothing.", sanitize(why))
        }
    }
}
