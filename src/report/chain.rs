//! The answer to `chain`: what each SDK picks and why, as text and as JSON.

use sdk_chain::{ChainContext, CredentialSource, Resolution, SdkId};
use std::fmt::Write;

use super::json;
use super::style::{Color, wrap};
use super::text::{ANOTHER_NETWORK, describe_process};
use crate::diagnosis::Diagnosis;
use crate::host::Pod;
use crate::probes::imds::NodeRole;
use crate::sdk_scan::{FoundSdk, Scan};
use crate::text::sanitize;
use crate::wire;

/// What is known about the credential chains in a pod.
#[derive(Debug)]
pub(crate) struct ChainReport {
    /// What the SDKs find, and which of them the application has.
    pub(crate) outlook: ChainContext,
    /// What an SDK uses if it takes the pod's role.
    pub(crate) expected: CredentialSource,
    /// What the search of the application's files found.
    pub(crate) scan: Option<Scan>,
    /// What IMDS offers.
    pub(crate) node_role: NodeRole,
}

impl ChainReport {
    pub(crate) fn found(&self) -> &[FoundSdk] {
        self.scan.as_ref().map_or(&[], |scan| scan.found.as_slice())
    }
}

/// The public form if nothing is known about the chains.
pub(crate) fn failure_to_wire(diagnosis: &Diagnosis) -> wire::ChainFailure {
    wire::ChainFailure {
        schema: wire::CHAIN_SCHEMA.to_owned(),
        sdks: Vec::new(),
        diagnosis: json::diagnosis(diagnosis, diagnosis.remedy()),
    }
}

/// The public form of the chains in the pod, or in another process of it.
pub(crate) fn to_wire(chains: &ChainReport, pod: &Pod) -> wire::ChainReport {
    wire::ChainReport {
        schema: wire::CHAIN_SCHEMA.to_owned(),
        target: pod.target().map(|process| json::target(process, pod.has_another_network())),
        sdks: chains.outlook.resolutions().iter().map(choice).collect(),
        found: chains.found().iter().map(found).collect(),
        search_stopped_by: chains
            .scan
            .as_ref()
            .and_then(|scan| scan.stopped_by)
            .map(|by| by.as_str().to_owned()),
        node_role: node_role(&chains.node_role),
    }
}

fn choice(resolution: &Resolution) -> wire::SdkChoice {
    let rules = resolution.sdk.rules();
    wire::SdkChoice {
        sdk: resolution.sdk.as_str().to_owned(),
        name: rules.name.to_owned(),
        picks: resolution.source.as_str().to_owned(),
        because: resolution.reason.clone(),
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

fn node_role(node_role: &NodeRole) -> wire::NodeRole {
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

pub(crate) fn render(chains: &ChainReport, pod: &Pod, color: Color) -> String {
    let place =
        pod.target().map_or_else(|| "here".to_owned(), |process| format!("in {}", describe_process(process)));
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("irsa-probe {version}: the credentials that each AWS SDK takes {place}\n");
    if pod.has_another_network() {
        let _ = writeln!(text, "{}", color.warning(ANOTHER_NETWORK));
    }
    text.push('\n');
    let width = SdkId::ALL.iter().map(|id| id.as_str().len()).max().unwrap_or_default();
    let picks_width = "web-id(profile)".len();
    let indent = " ".repeat(width + picks_width + 6);
    let header = format!("{:width$}  {:picks_width$}  because", "sdk", "picks");
    let _ = writeln!(text, "  {}", color.faint(&header));
    let found = chains.outlook.application.sdks();
    for resolution in &chains.outlook.resolutions() {
        let sdk = format!("{:width$}", resolution.sdk.as_str());
        let sdk = if found.contains(&resolution.sdk) { color.strong(&sdk) } else { sdk };
        let picks = format!("{:picks_width$}", resolution.source.as_str());
        let picks = match resolution.source {
            source if source == chains.expected => color.good(&picks),
            CredentialSource::Error | CredentialSource::Crash | CredentialSource::Nothing => {
                color.bad(&picks)
            }
            _ => color.warning(&picks),
        };
        let reason = wrap(&resolution.reason, &indent, &indent);
        let _ = writeln!(text, "  {sdk}  {picks}  {}", reason.trim_start());
    }
    let _ = writeln!(text, "\n{}", describe_node_role(&chains.node_role));
    if let Some(scan) = &chains.scan {
        text.push_str(&describe_scan(scan));
    }
    text
}

fn describe_scan(scan: &Scan) -> String {
    let mut lines = String::new();
    for found in &scan.found {
        let _ = writeln!(lines, "Found: {}", found.describe());
    }
    if scan.found.is_empty() {
        lines.push_str("Found: no AWS SDK in the application's files.\n");
    }
    if let Some(by) = scan.stopped_by {
        let _ = writeln!(lines, "Not everything was seen: {}.", by.as_str());
    }
    lines
}

fn protocol(only_v1: bool) -> &'static str {
    if only_v1 { "IMDSv1" } else { "IMDSv2" }
}

fn describe_node_role(node_role: &NodeRole) -> String {
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
