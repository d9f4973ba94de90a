//! What one line of a log is: of which container, and whether the whole line is a report.
//!
//! An application logs texts of strangers, such as a User-Agent, and a text can hold a report. So a report counts
//! only as a whole line, or as the whole text of the member into which collectors put a line.

use memchr::memmem;
use serde::Deserialize;
use serde_json::Value;

use crate::audit::inputs::report::ParsedReport;
use crate::wire::{self, SCHEMA};

/// What the schema of every version begins with.
const SCHEMA_FAMILY: &str = "irsa-probe.report/";

/// The members into which a collector puts a line: Docker and Fluent Bit, Vector and Filebeat, CloudWatch Logs,
/// Loki, OpenTelemetry, and Cloud Logging.
const COLLECTED: [&str; 8] =
    ["log", "log_processed", "message", "@message", "line", "body", "textPayload", "jsonPayload"];

/// What stands before the lines of a container runtime's file, after the time.
const RUNTIME_STREAMS: [&[u8]; 2] = [b"stdout F ", b"stderr F "];

/// A line, and the container that it says it is of.
pub(super) struct Line<'a> {
    pub(super) container: Option<String>,
    /// What the container wrote, or a collector of it.
    pub(super) text: &'a [u8],
}

/// A report that is a whole line.
pub(super) struct ReportLine {
    pub(super) report: ParsedReport,
    /// The member of a collector's line that is the report.
    pub(super) member: Option<&'static str>,
}

/// Something that looks like a report, and cannot be read.
pub(super) enum BadReport {
    Cut,
    OtherVersion(String),
}

impl<'a> Line<'a> {
    /// Takes off what `kubectl logs --prefix --timestamps` and container runtimes put before a line.
    pub(super) fn of(line: &'a [u8]) -> Self {
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        let (container, text) = prefix(line).unwrap_or((None, line));
        let timed = after_time(text);
        let stream = |text: &'a [u8]| RUNTIME_STREAMS.iter().find_map(|stream| text.strip_prefix(*stream));
        let text = timed.map_or(text, |text| stream(text).unwrap_or(text)).trim_ascii_end();
        Self { container: container.or_else(|| collected_container(text)), text }
    }

    /// The report that the whole line is. `None` if the line is something else.
    pub(super) fn report(&self) -> Option<Result<ReportLine, BadReport>> {
        let at = memmem::find(self.text, SCHEMA_FAMILY.as_bytes())?;
        match serde_json::from_slice::<Value>(self.text) {
            Ok(value) => whole(&value, None).or_else(|| collected(&value)),
            Err(_) => {
                let before = self.text.get(..at).unwrap_or_default();
                (before.starts_with(b"{") && ends_in_schema_key(before)).then_some(Err(BadReport::Cut))
            }
        }
    }

    /// Whether the line is the first member of a report that is spread over lines.
    pub(super) fn is_schema_member(&self) -> bool {
        let text = self.text.trim_ascii_start();
        text.starts_with(br#""schema""#) && memmem::find(text, SCHEMA_FAMILY.as_bytes()).is_some()
    }
}

/// `[pod/NAME/CONTAINER] `: the container, and what follows.
fn prefix(line: &[u8]) -> Option<(Option<String>, &[u8])> {
    let rest = line.strip_prefix(b"[pod/")?;
    let end = memmem::find(rest, b"] ")?;
    let (names, text) = rest.split_at(end);
    let (_, container) = std::str::from_utf8(names).ok()?.split_once('/')?;
    Some((Some(container.to_owned()), text.get(2..)?))
}

/// What follows a time such as `2026-11-24T06:00:00.123456789Z `.
fn after_time(text: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b' ', text)?;
    let time = text.get(..end)?;
    let is_time = |byte: &u8| byte.is_ascii_digit() || b"-:.TZ+".contains(byte);
    (time.first()?.is_ascii_digit() && time.contains(&b'T') && time.iter().all(is_time))
        .then_some(text.get(end + 1..)?)
}

/// What collectors add to a line.
#[derive(Deserialize)]
struct Collected {
    kubernetes: Option<CollectedPod>,
}

#[derive(Deserialize)]
struct CollectedPod {
    container_name: Option<String>,
}

/// The container that a collector names beside the line.
fn collected_container(text: &[u8]) -> Option<String> {
    memmem::find(text, br#""container_name""#)?;
    serde_json::from_slice::<Collected>(text).ok()?.kubernetes?.container_name
}

/// The report that a value is.
pub(super) fn whole(value: &Value, member: Option<&'static str>) -> Option<Result<ReportLine, BadReport>> {
    match value.get("schema").and_then(Value::as_str)? {
        // What an audit said is not what the pod saw.
        SCHEMA if value.get("audit").is_some() => None,
        SCHEMA => {
            let report = wire::Report::deserialize(value).unwrap_or_default().into();
            Some(Ok(ReportLine { report, member }))
        }
        other if other.starts_with(SCHEMA_FAMILY) => Some(Err(BadReport::OtherVersion(other.to_owned()))),
        _ => None,
    }
}

/// The report that a collector's line is about.
fn collected(value: &Value) -> Option<Result<ReportLine, BadReport>> {
    COLLECTED.into_iter().find_map(|name| match value.get(name)? {
        Value::String(text) => match serde_json::from_str(text) {
            Ok(inner) => whole(&inner, Some(name)),
            Err(_) => {
                let (before, _) = text.split_once(SCHEMA_FAMILY)?;
                let is_cut = before.starts_with('{') && ends_in_schema_key(before.as_bytes());
                is_cut.then_some(Err(BadReport::Cut))
            }
        },
        inner => whole(inner, Some(name)),
    })
}

/// Whether what follows is the value of a member called schema, in a text or in a text within a text.
fn ends_in_schema_key(before: &[u8]) -> bool {
    let name = before.trim_ascii_end().rsplitn(3, |byte| *byte == b'"').nth(2).unwrap_or_default();
    name.ends_with(b"schema") || name.ends_with(br"schema\")
}
