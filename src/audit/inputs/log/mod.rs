//! The last report in a log.
//!
//! `kubectl logs` prints the report among what the same container logged, with a time (`--timestamps`) or the pod's
//! name (`--prefix`) before each line. A collector puts the line as text into JSON of its own. `jq` spreads it over
//! many lines. The last report shows what the pod is like now. A log can be huge, and strangers write into it: it is
//! read piece by piece, only a bounded part of each line is kept, and reports that disagree are refused.

mod line;

use std::collections::BTreeSet;

use memchr::{memchr, memmem};

use super::report::{Difference, ParsedReport};
use crate::text::{join, list, sanitize};
use crate::wire::SCHEMA;
use line::{BadReport, Line, ReportLine};

/// The most bytes of a log that is piped in, of which a piece at a time is in memory.
const MAX_LOG_BYTES: usize = 64 << 20;

/// The most bytes of a log in a file, which is in memory as a whole.
pub(super) const MAX_FILE_BYTES: usize = 16 << 20;

/// The bytes of a file's log that are read between two looks at the time.
pub(super) const PIECE_BYTES: usize = 64 << 10;

/// The most bytes of a line that are kept. A report has a few thousand, and a collector escapes some of them.
const MAX_LINE_BYTES: usize = 256 << 10;

/// The most containers of a log that are kept, to be named.
const MAX_CONTAINERS: usize = 16;

/// A report, and how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundReport {
    pub report: ParsedReport,
    /// The line on which it ends, counted from 1.
    pub(crate) line: usize,
    pub(crate) reports: usize,
    /// The member of a collector's line that is the report.
    pub(crate) member: Option<&'static str>,
    /// The line of a later report that is cut off, or of another version.
    pub later: Option<usize>,
    pub(crate) end: LogEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogEnd {
    Complete,
    /// The log went on after the most that is read.
    TooLong,
    /// The log went on when the time was over, as it does with `kubectl logs --follow`.
    TimedOut,
}

/// Why a log has no report, in words that follow its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoReport {
    #[error(
        "it is empty: the command before it failed, or the container has logged nothing (after a restart, kubectl logs \
         --previous has the log of the one before)"
    )]
    Empty,
    #[error(
        "nothing came before the time was over: the command before it may wait, for a login for instance, or follow a \
         log to which nothing is written"
    )]
    Silent,
    #[error(
        "the report on line {line} is {}, and this program reads {SCHEMA}: take the program of the version that wrote \
         it",
        sanitize(schema)
    )]
    OtherVersion { line: usize, schema: String },
    #[error("the report on line {0} is cut off or was changed")]
    Cut(usize),
    #[error(
        "the report on line {0} is text for people: let irsa-probe print JSON (--output json), which it does by itself \
         where nobody looks on"
    )]
    AsText(usize),
    /// As PowerShell writes files.
    #[error("it is in UTF-16; save it as UTF-8, or pipe it in")]
    Utf16,
    /// Any of them can write what looks like a report.
    #[error(
        "it has lines of several containers ({}): name the probe's container with --container, or with kubectl logs \
         POD -c CONTAINER",
        list(&.0.iter().map(|name| sanitize(name)).collect::<Vec<_>>(), MAX_CONTAINERS)
    )]
    SeveralContainers(Vec<String>),
    /// The log has lines of these containers, and not of the requested one.
    #[error(
        "it has no line of container {} (--container), but lines of {}",
        sanitize(name),
        list(&names.iter().map(|name| sanitize(name)).collect::<Vec<_>>(), MAX_CONTAINERS)
    )]
    NoContainer { name: String, names: Vec<String> },
    /// Reports on two lines are of different pods or roles, or one of them is forged.
    #[error(
        "the reports on lines {} and {} differ: {}; give the log of one pod and one container, or only its last report",
        lines.0,
        lines.1,
        join(differences)
    )]
    Differing { lines: (usize, usize), differences: Vec<Difference> },
    #[error("none of its {lines} lines is a report of irsa-probe ({SCHEMA}); {}", match end {
        LogEnd::Complete => "name the probe's container with kubectl logs POD -c CONTAINER".to_owned(),
        LogEnd::TooLong => format!("more than {} MiB of it are not read", MAX_LOG_BYTES >> 20),
        LogEnd::TimedOut => "it had not ended when the time was over".to_owned(),
    })]
    None { lines: usize, end: LogEnd },
}

/// A log, read piece by piece.
#[derive(Default)]
pub struct Log {
    /// The container whose lines count, in place of all.
    container: Option<String>,
    bytes: usize,
    /// The line that has not ended, as much of it as is kept.
    line: Vec<u8>,
    lines: usize,
    has_text: bool,
    /// A report that is spread over lines, up to here.
    spread: Vec<u8>,
    /// Whether the line before is the start of an object, and nothing else.
    opens_object: bool,
    is_utf16: bool,
    /// The containers that lines are of, where the log says it.
    containers: BTreeSet<String>,
    reports: usize,
    last: Option<LastReport>,
    /// Two reports that differ, with their lines.
    differing: Option<NoReport>,
    /// A bad report after the last good one, and its line.
    later: Option<(usize, BadReport)>,
    /// The line of a report for people.
    text_report: Option<usize>,
}

struct LastReport {
    line: usize,
    report: ParsedReport,
    member: Option<&'static str>,
}

impl Log {
    /// Starts a log, of which the lines of one container count, or all.
    pub(super) fn of_container(container: Option<&str>) -> Self {
        Self { container: container.map(str::to_owned), ..Self::default() }
    }

    /// Takes the next piece. `false` if no more is taken.
    pub fn push(&mut self, piece: &[u8]) -> bool {
        let room = MAX_LOG_BYTES - self.bytes.min(MAX_LOG_BYTES);
        let mut rest = piece.get(..room).unwrap_or(piece);
        if self.bytes == 0 {
            self.is_utf16 = rest.starts_with(&[0xff, 0xfe]) || rest.starts_with(&[0xfe, 0xff]);
        }
        self.bytes += rest.len();
        while let Some(end) = memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            self.extend_line(line);
            self.end_line();
            rest = after.get(1..).unwrap_or_default();
        }
        self.extend_line(rest);
        piece.len() <= room
    }

    fn extend_line(&mut self, part: &[u8]) {
        let room = MAX_LINE_BYTES - self.line.len().min(MAX_LINE_BYTES);
        self.line.extend_from_slice(part.get(..room).unwrap_or(part));
    }

    /// The last report.
    ///
    /// # Errors
    /// If there is none, or it is not clear which one counts.
    pub fn finish(mut self, end: LogEnd) -> Result<FoundReport, NoReport> {
        if !self.line.is_empty() {
            self.end_line();
        }
        if !self.spread.is_empty() {
            self.later = Some((self.lines, BadReport::Cut));
        }
        if let Some(unclear) = self.unclear() {
            return Err(unclear);
        }
        if let Some(LastReport { line, report, member }) = self.last {
            let later = self.later.map(|(line, _)| line);
            return Ok(FoundReport { report, line, reports: self.reports, member, later, end });
        }
        Err(match (self.later, self.text_report) {
            (Some((line, BadReport::OtherVersion(schema))), _) => NoReport::OtherVersion { line, schema },
            (Some((line, BadReport::Cut)), _) => NoReport::Cut(line),
            _ if self.is_utf16 => NoReport::Utf16,
            (None, Some(line)) => NoReport::AsText(line),
            _ if !self.has_text && end == LogEnd::TimedOut => NoReport::Silent,
            _ if !self.has_text => NoReport::Empty,
            _ => NoReport::None { lines: self.lines, end },
        })
    }

    /// Why it is not clear which report counts.
    fn unclear(&mut self) -> Option<NoReport> {
        let names = || self.containers.iter().cloned().collect();
        match &self.container {
            Some(name) if !self.containers.is_empty() && !self.containers.contains(name) => {
                Some(NoReport::NoContainer { name: name.clone(), names: names() })
            }
            None if self.containers.len() > 1 => Some(NoReport::SeveralContainers(names())),
            Some(_) | None => self.differing.take(),
        }
    }

    fn end_line(&mut self) {
        let bytes = std::mem::take(&mut self.line);
        self.lines += 1;
        self.has_text |= !bytes.trim_ascii().is_empty();
        let line = Line::of(&bytes);
        if self.counts(&line) {
            if self.spread.is_empty() {
                self.start_with(&line);
            } else {
                self.continue_with(&line);
            }
            self.opens_object = line.text == b"{";
        }
        // The next line takes the same memory, unless this one was out of the ordinary.
        if bytes.capacity() <= MAX_LINE_BYTES / 4 {
            self.line = bytes;
            self.line.clear();
        }
    }

    /// Whether a line is of the container that is meant. Keeps the names of all containers.
    fn counts(&mut self, line: &Line<'_>) -> bool {
        let Some(container) = &line.container else { return true };
        let is_meant = self.container.as_ref().is_none_or(|name| name == container);
        if self.containers.len() < MAX_CONTAINERS || is_meant {
            self.containers.insert(container.clone());
        }
        is_meant
    }

    fn start_with(&mut self, line: &Line<'_>) {
        if self.opens_object && line.is_schema_member() {
            self.spread.extend_from_slice(b"{");
            self.spread.extend_from_slice(line.text);
        } else if let Some(found) = line.report() {
            self.add(found);
        } else if line.text.starts_with(b"irsa-probe ") && memmem::find(line.text, b"seen from ").is_some() {
            // The first line of a report for people.
            self.text_report = Some(self.lines);
        }
    }

    /// Takes the next line of a report that is spread over lines.
    fn continue_with(&mut self, line: &Line<'_>) {
        if line.is_schema_member() || line.report().is_some() {
            self.spread.clear();
            self.add(Err(BadReport::Cut));
            self.start_with(line);
            return;
        }
        self.spread.extend_from_slice(line.text);
        let is_end = line.text == b"}";
        if is_end || self.spread.len() > MAX_LINE_BYTES {
            let spread = std::mem::take(&mut self.spread);
            let found = Line { container: None, text: &spread }.report().filter(|_| is_end);
            self.add(found.unwrap_or(Err(BadReport::Cut)));
        }
    }

    fn add(&mut self, found: Result<ReportLine, BadReport>) {
        let ReportLine { report, member } = match found {
            Ok(found) => found,
            Err(bad) => {
                self.later = Some((self.lines, bad));
                return;
            }
        };
        if let Some(last) = &self.last {
            match (last.member, member) {
                // A log that has the probe's own lines comes from no collector: an application wrote this one.
                (None, Some(_)) => return,
                (Some(_), None) => (self.reports, self.differing) = (0, None),
                (None, None) | (Some(_), Some(_)) => {
                    let differences = last.report.differences(&report);
                    if !differences.is_empty() {
                        let lines = (last.line, self.lines);
                        self.differing = Some(NoReport::Differing { lines, differences });
                    }
                }
            }
        }
        self.reports += 1;
        self.last = Some(LastReport { line: self.lines, report, member });
        self.later = None;
    }
}

#[cfg(test)]
mod tests {
    use super::{FoundReport, Log, LogEnd, MAX_LINE_BYTES, MAX_LOG_BYTES, NoReport};
    use crate::text::format_utc;
    use serde_json::{Value, json};

    const REFUSED: &str = include_str!("../../../../examples/AssumeRoleNotAuthorized.json");
    const PASSED: &str = include_str!("../../../../examples/pass.json");

    fn read(log: &str) -> Result<FoundReport, NoReport> {
        read_of(None, log)
    }

    fn read_of(container: Option<&str>, log: &str) -> Result<FoundReport, NoReport> {
        let whole = {
            let mut one = Log::of_container(container);
            assert!(one.push(log.as_bytes()));
            one.finish(LogEnd::Complete)
        };
        let mut pieces = Log::of_container(container);
        assert!(log.as_bytes().chunks(7).all(|piece| pieces.push(piece)));
        assert_eq!(pieces.finish(LogEnd::Complete), whole, "however it comes in pieces");
        whole
    }

    fn with(pointer: &str, value: Value) -> String {
        let mut report: Value = serde_json::from_str(REFUSED).unwrap();
        *report.pointer_mut(pointer).unwrap() = value;
        report.to_string()
    }

    #[test]
    fn empty_key_id_is_not_an_absent_one() {
        let id =
            |text: &str| read(&REFUSED.replace(r#""jESOUbH6vUhmX2DwG_rN_IsUKxxp-1Adl_Adg6-c4as""#, text));
        assert_eq!(id(r#""""#).unwrap().report.key_id.as_deref(), Some(""));
        assert_eq!(id("null").unwrap().report.key_id, None);
    }

    #[test]
    fn refused_report_is_read() {
        let found = read(REFUSED).unwrap();
        assert_eq!((found.line, found.reports, found.later), (1, 1, None));
        let said = found.report;
        let provider = "https://oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";
        assert_eq!(said.issuer.as_deref(), Some(provider));
        assert_eq!(said.subject.as_deref(), Some("system:serviceaccount:payments:checkout"));
        assert_eq!(said.audience, ["sts.amazonaws.com"]);
        assert_eq!(said.key_id.as_deref(), Some("jESOUbH6vUhmX2DwG_rN_IsUKxxp-1Adl_Adg6-c4as"));
        assert_eq!(said.role_arn.as_deref(), Some("arn:aws:iam::111122223333:role/payments-checkout"));
        assert_eq!(said.session_name.as_deref(), Some("irsa-probe-checkout-6d5f9c7b8-abcde"));
        assert_eq!(said.region.as_deref(), Some("eu-west-1"));
        assert_eq!(said.diagnosis.as_deref(), Some("AssumeRoleNotAuthorized"));
        assert_eq!(said.at.map(format_utc).as_deref(), Some("2026-11-24T06:00:00Z"));
        assert_eq!(said.pod.pod.as_deref(), Some("checkout-6d5f9c7b8-abcde"));
        assert_eq!(said.pod.container.as_deref(), Some("irsa-probe"));
        assert_eq!((said.account, said.cut), (None, Vec::new()));
        let refusal = said.refusal.unwrap();
        assert_eq!(refusal.code, "AccessDenied");
        assert_eq!(refusal.request_id.as_deref(), Some("0f5e8f2c-0000-4000-8000-7b1d6c9e2a41"));
        assert_eq!(refusal.at.map(format_utc).as_deref(), Some("2026-11-24T06:00:00Z"));
    }

    #[test]
    fn passed_report_has_an_account_and_no_refusal() {
        let said = read(PASSED).unwrap().report;
        assert_eq!((said.account.as_deref(), said.refusal), (Some("111122223333"), None));
        assert_eq!(said.diagnosis, None);
    }

    #[test]
    fn report_is_found_in_each_form_of_a_line() {
        let refused = REFUSED.trim();
        let log =
            r#"{"timestamp":"2026-11-24T06:00:00Z","level":"INFO","fields":{"message":"next attempt"}}"#;
        let as_text = json!({"log": format!("{refused}\n"), "stream": "stdout"}).to_string();
        let collected =
            json!({"message": refused, "kubernetes": {"container_name": "irsa-probe"}}).to_string();
        let parsed: Value = serde_json::from_str(refused).unwrap();
        let pretty = serde_json::to_string_pretty(&parsed).unwrap();
        let mut sorted: Vec<(String, Value)> = parsed.as_object().unwrap().clone().into_iter().collect();
        sorted.sort_by(|(one, _), (other, _)| one.cmp(other));
        let sorted = Value::from_iter(sorted).to_string();
        for (form, text) in [
            (
                "--timestamps",
                format!("2026-11-24T06:00:00.123456789Z {log}\n2026-11-24T06:00:00.2Z {refused}\n"),
            ),
            ("--prefix", format!("[pod/checkout-6d5f9c7b8-abcde/irsa-probe] {refused}\r\n")),
            (
                "both",
                format!(
                    "[pod/checkout-6d5f9c7b8-abcde/irsa-probe] 2026-11-24T06:00:00Z {refused}\n[pod/a/irsa-probe] x"
                ),
            ),
            ("of a runtime's file", format!("2026-11-24T06:00:00.2+01:00 stdout F {refused}\n")),
            ("a BOM", format!("\u{feff}{refused}")),
            ("stderr in between", format!("{log}\n{refused}\n{log}\n{log}\n")),
            ("as text", as_text),
            ("of a collector", collected),
            ("in an object", json!({"time": 1, "log_processed": parsed}).to_string()),
            ("sorted", sorted),
            ("with spaces", refused.replacen(r#"{"schema":"#, r#"{ "schema" : "#, 1)),
            ("spread", format!("{log}\n{pretty}\n{log}\n")),
            ("spread, CRLF", pretty.replace('\n', "\r\n")),
            ("spread, --prefix", pretty.lines().map(|line| format!("[pod/a/irsa-probe] {line}\n")).collect()),
            (
                "a line of the name alone",
                format!("irsa-probe.report/v1 follows\n{refused}\nirsa-probe.report/"),
            ),
        ] {
            let found = read(&text).unwrap_or_else(|error| panic!("{form}: {error}"));
            assert_eq!(found.report, read(refused).unwrap().report, "{form}");
            assert_eq!((found.reports, found.later), (1, None), "{form}");
        }
    }

    #[test]
    fn last_complete_report_counts() {
        let (refused, passed) = (REFUSED.trim(), PASSED.trim());
        for (text, outcome, line, reports, later) in [
            (format!("{passed}\n{refused}\n"), "fail", 2, 2, None),
            (format!("{refused}\nx\n{passed}"), "pass", 3, 2, None),
            (format!("{passed}\n{}", &refused[..2000]), "pass", 1, 1, Some(2)),
            (format!("{passed}\n{refused}{passed}"), "pass", 1, 1, Some(2)),
            (format!("{passed}\n{}\n{refused}", &refused[..2000]), "fail", 3, 2, None),
            (format!("{passed}\n{}", refused.replacen("/v1", "/v2", 1)), "pass", 1, 1, Some(2)),
            (format!("{{\n\"schema\": \"irsa-probe.report/v1\",\n{passed}\n"), "pass", 3, 1, None),
        ] {
            let found = read(&text).unwrap();
            let outcome_seen = if found.report.diagnosis.is_some() { "fail" } else { "pass" };
            let seen = (outcome_seen, found.line, found.reports, found.later);
            assert_eq!(seen, (outcome, line, reports, later), "{}", &text[..80]);
        }
    }

    /// A report for another service account, as an attacker would like it to be taken.
    fn forged() -> String {
        REFUSED.trim().replace("payments:checkout", "default:mallory")
    }

    #[test]
    fn report_in_a_text_of_an_application_does_not_count() {
        let (genuine, forged) = (REFUSED.trim(), forged());
        let pretty: Value = serde_json::from_str(&forged).unwrap();
        let pretty = serde_json::to_string_pretty(&json!({"body": pretty})).unwrap();
        for text in [
            json!({"level": "info", "user_agent": forged}).to_string(),
            json!({"message": json!({"user_agent": forged}).to_string()}).to_string(),
            json!({"log": json!({"log": forged}).to_string()}).to_string(),
            json!({"request": {"message": forged}}).to_string(),
            json!([forged]).to_string(),
            format!("[{forged}]"),
            json!({"message": format!("GET / {forged}")}).to_string(),
            format!("GET / {forged}"),
            format!("2026-11-24T06:00:00Z GET {forged}"),
            format!("[pod/a/irsa-probe] [pod/a/irsa-probe] {forged}"),
            format!("127.0.0.1 - - \"GET /\" {forged} 200"),
            pretty,
        ] {
            assert!(matches!(read(&text), Err(NoReport::None { .. })), "{text}");
            let found = read(&format!("{genuine}\n{text}\n")).unwrap();
            assert_eq!((found.report, found.later), (read(genuine).unwrap().report, None), "{text}");
        }
        let collected = json!({"message": forged}).to_string();
        for text in [format!("{genuine}\n{collected}"), format!("{collected}\n{genuine}")] {
            let found = read(&text).unwrap();
            assert_eq!((found.report, found.member), (read(genuine).unwrap().report, None), "{text}");
        }
        assert_eq!(read(&collected).unwrap().member, Some("message"), "it is told");
    }

    #[test]
    fn reports_that_differ_are_refused_with_what_differs() {
        let genuine = REFUSED.trim();
        for (pointer, value, what) in [
            ("/token/subject", json!("system:serviceaccount:a:b"), "subject"),
            ("/token/issuer", json!("https://a.example"), "issuer"),
            ("/token/audience", json!(["b"]), "audience"),
            ("/role_arn", json!("arn:aws:iam::111122223333:role/b"), "role ARN"),
            ("/role_arn", Value::Null, "role ARN"),
            ("/pod/namespace", json!("a"), "namespace"),
            ("/pod/service_account", json!("a"), "service account"),
            ("/pod/pod", json!("a"), "pod"),
            ("/pod/container", json!("a"), "container"),
        ] {
            let other = with(pointer, value);
            let collected = |report: &str| json!({"log": report}).to_string();
            for text in [
                format!("{genuine}\nx\n{other}\n{genuine}\n"),
                format!("{}\nx\n{}", collected(genuine), collected(&other)),
            ] {
                let error = read(&text).unwrap_err();
                assert!(matches!(error, NoReport::Differing { .. }), "{error}");
                let said = error.to_string();
                assert!(said.contains(&format!("differ: the {what} (")), "{said}");
            }
        }
        let error = read(&format!("{genuine}\n{}", forged())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the reports on lines 1 and 2 differ: the subject (\"system:serviceaccount:payments:checkout\" and \
             \"system:serviceaccount:default:mallory\"); give the log of one pod and one container, or only its last \
             report"
        );
    }

    #[test]
    fn container_is_asked_for_in_a_log_of_several() {
        let (genuine, forged) = (REFUSED.trim(), forged());
        let prefixed = format!("[pod/a/irsa-probe] {genuine}\n[pod/a/app] {forged}\n");
        let of = |container: &str, line: &str| {
            json!({"log": line, "kubernetes": {"container_name": container}}).to_string()
        };
        let collected = format!("{}\n{}\n", of("irsa-probe", genuine), of("app", &forged));
        let only_forged = format!("[pod/a/irsa-probe] started\n[pod/a/app] {forged}\n");
        let names = vec!["app".to_owned(), "irsa-probe".to_owned()];
        for text in [&prefixed, &collected, &only_forged] {
            assert_eq!(read(text), Err(NoReport::SeveralContainers(names.clone())), "{text}");
            let other = NoReport::NoContainer { name: "b".to_owned(), names: names.clone() };
            assert_eq!(read_of(Some("b"), text), Err(other));
        }
        for text in [&prefixed, &collected] {
            let found = read_of(Some("irsa-probe"), text).unwrap();
            assert_eq!((found.report, found.line), (read(genuine).unwrap().report, 1), "{text}");
        }
        assert!(matches!(read_of(Some("irsa-probe"), &only_forged), Err(NoReport::None { .. })));
        assert!(
            read_of(Some("app"), genuine).is_ok(),
            "a log that names no container is of the one that was meant"
        );
    }

    #[test]
    fn reasons_for_no_report() {
        let refused = REFUSED.trim();
        let other = || "irsa-probe.report/v2".to_owned();
        for (text, expected) in [
            (String::new(), NoReport::Empty),
            (" \r\n\n".to_owned(), NoReport::Empty),
            ("a\nb".to_owned(), NoReport::None { lines: 2, end: LogEnd::Complete }),
            ("irsa-probe.report/v1".to_owned(), NoReport::None { lines: 1, end: LogEnd::Complete }),
            (format!("a\n{}", &refused[..500]), NoReport::Cut(2)),
            (refused[..500].replacen(':', " : ", 1), NoReport::Cut(1)),
            (format!("{refused}{refused}"), NoReport::Cut(1)),
            (json!({"log": &refused[..500]}).to_string(), NoReport::Cut(1)),
            (json!({"log": refused}).to_string()[..500].to_owned(), NoReport::Cut(1)),
            (refused.replace("\"attempts\":1", "\"attempts\":"), NoReport::Cut(1)),
            (refused.replacen("/v1", "/v2", 1), NoReport::OtherVersion { line: 1, schema: other() }),
            ("{\n  \"schema\": \"irsa-probe.report/v1\",\n".to_owned(), NoReport::Cut(2)),
            (include_str!("../../../../examples/pass.txt").to_owned(), NoReport::AsText(1)),
            (
                r#"{"schema":"irsa-probe.chain/v1"}"#.to_owned(),
                NoReport::None { lines: 1, end: LogEnd::Complete },
            ),
        ] {
            let error = read(&text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().is_empty());
        }
        let mut log = Log::default();
        log.push(b"\xff\xfea\0");
        assert_eq!(log.finish(LogEnd::Complete), Err(NoReport::Utf16));
    }

    #[test]
    fn cut_texts_are_left_out() {
        let cut = format!("{}… (300 characters)", "x".repeat(256));
        let said = read(&with("/role_arn", json!(cut))).unwrap().report;
        assert_eq!((said.role_arn, said.cut), (None, vec!["role ARN"]));
        let said = read(&with("/token/audience/0", json!(cut))).unwrap().report;
        assert_eq!((said.audience, said.cut), (Vec::new(), vec!["audience"]));
    }

    #[test]
    fn members_of_odd_types_are_ignored() {
        for pointer in
            ["/token", "/sts", "/pod", "/checks", "/diagnosis", "/token/audience", "/role_arn", "/time"]
        {
            for value in [json!(null), json!(1), json!([{}, 1, []]), json!({"a": "b"}), json!("x")] {
                assert!(read(&with(pointer, value)).is_ok(), "{pointer}");
            }
        }
    }

    #[test]
    fn huge_and_hostile_logs_are_bounded() {
        let refused = REFUSED.trim();
        let long = "x".repeat(2 * MAX_LINE_BYTES);
        let found = read(&format!("{long}\n{refused}\n{long}")).unwrap();
        assert_eq!(found.line, 2);
        assert_eq!(
            read(&format!("{long}{refused}")).unwrap_err(),
            NoReport::None { lines: 1, end: LogEnd::Complete }
        );
        let many: String = (0..1_000).map(|at| format!("[pod/a/c{at}] x\n")).collect();
        let error = read(&many).unwrap_err().to_string();
        assert!(error.len() < 400 && error.contains("c0, c1"), "{error}");

        let begun = r#"{"schema":"irsa-probe.report/v1","a":["#.repeat(MAX_LINE_BYTES / 40);
        let collected = json!({"log": begun}).to_string();
        assert_eq!(read(&collected[..collected.len().min(MAX_LINE_BYTES)]).unwrap_err(), NoReport::Cut(1));
        assert_eq!(read(&begun).unwrap_err(), NoReport::Cut(1));
        let deep = format!("{}\"irsa-probe.report/v1\"", "{\"a\":".repeat(100_000));
        assert!(read(&deep).is_err());
        let spread = format!(
            "{{\n\"schema\": \"irsa-probe.report/v1\",\n{}",
            "\"a\": 1,\n".repeat(MAX_LINE_BYTES / 4)
        );
        assert!(matches!(read(&spread), Err(NoReport::Cut(_))));

        let mut log = Log::default();
        let piece = [vec![b'x'; (1 << 20) - 1], vec![b'\n']].concat();
        let taken = (0..100).take_while(|_| log.push(&piece)).count();
        assert_eq!(taken, MAX_LOG_BYTES >> 20);
        assert!(matches!(
            log.finish(LogEnd::TooLong),
            Err(NoReport::None { lines: 64, end: LogEnd::TooLong })
        ));
    }
}
