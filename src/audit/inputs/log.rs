//! The last report in a log.
//!
//! `kubectl logs` prints the report among what the same container logged, with a time (`--timestamps`) or the pod's
//! name (`--prefix`) before each line. Collectors put the line as text into JSON of their own. `jq` spreads it over
//! many lines. The last report shows what the pod is like now. A log can be huge and comes from elsewhere, so it is
//! read piece by piece, and only a bounded part of each line is kept.

use memchr::{memchr, memmem, memrchr};
use serde::Deserialize;
use serde_json::{Deserializer, Value};

use super::report::ParsedReport;
use crate::text::sanitize;
use crate::wire::{self, SCHEMA};

pub(super) const MAX_LOG_BYTES: usize = 64 << 20;

/// The most bytes of a line that are kept. A report has a few thousand.
const MAX_LINE_BYTES: usize = 1 << 20;

/// What the schema of every version begins with.
const SCHEMA_FAMILY: &str = "irsa-probe.report/";

/// The most places of one line that are tried, from its end.
const MAX_PLACES: usize = 4;

/// The most times that a report is wrapped: a collector does it once, a second collector once more.
const MAX_WRAPPINGS: usize = 2;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundReport {
    pub report: ParsedReport,
    /// The line on which it ends, counted from 1.
    pub(crate) line: usize,
    pub(crate) reports: usize,
    /// Whether some of them are of another pod, or another role.
    pub(crate) is_one_of_several: bool,
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
    bytes: usize,
    /// The line that has not ended, as much of it as is kept.
    line: Vec<u8>,
    lines: usize,
    has_text: bool,
    /// A report that is spread over lines, up to here.
    spread: Vec<u8>,
    /// Whether the line before opened an object.
    opens_object: bool,
    is_utf16: bool,
    last: Option<(usize, ParsedReport)>,
    reports: usize,
    has_several: bool,
    /// A bad report after the last good one, and its line.
    later: Option<(usize, BadReport)>,
    /// The line of a report for people.
    text_report: Option<usize>,
}

/// Something that looks like a report, and cannot be read.
enum BadReport {
    Cut,
    OtherVersion(String),
}

impl Log {
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
    pub fn finish(mut self, end: LogEnd) -> Result<FoundReport, NoReport> {
        if !self.line.is_empty() {
            self.end_line();
        }
        if !self.spread.is_empty() {
            self.later = Some((self.lines, BadReport::Cut));
        }
        if let Some((line, report)) = self.last {
            return Ok(FoundReport {
                report,
                line,
                reports: self.reports,
                is_one_of_several: self.has_several,
                later: self.later.map(|(line, _)| line),
                end,
            });
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

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.lines += 1;
        self.has_text |= !line.trim_ascii().is_empty();
        if self.spread.is_empty() {
            self.start_with(&line);
        } else {
            self.continue_with(&line);
        }
        self.opens_object = line.trim_ascii_end().ends_with(b"{");
        // The next line takes the same memory, unless this one was out of the ordinary.
        if line.capacity() <= MAX_LINE_BYTES / 16 {
            self.line = line;
            self.line.clear();
        }
    }

    fn start_with(&mut self, line: &[u8]) {
        let Some(at) = memmem::find(line, SCHEMA_FAMILY.as_bytes()) else {
            // The first line of a report for people.
            if line.starts_with(b"irsa-probe ") && memmem::find(line, b"seen from ").is_some() {
                self.text_report = Some(self.lines);
            }
            return;
        };
        let before = line.get(..at).unwrap_or_default();
        if self.opens_object && memchr(b'{', before).is_none() {
            self.spread.extend_from_slice(b"{");
            self.spread.extend_from_slice(line);
        } else if let Some(found) = in_line(line, MAX_WRAPPINGS) {
            self.add(found);
        }
    }

    /// Takes the next line of a report that is spread over lines.
    fn continue_with(&mut self, line: &[u8]) {
        if memmem::find(line, SCHEMA_FAMILY.as_bytes()).is_some() {
            self.spread.clear();
            self.add(Err(BadReport::Cut));
            self.start_with(line);
            return;
        }
        self.spread.extend_from_slice(line);
        let is_end = line.starts_with(b"}");
        if is_end || self.spread.len() > MAX_LINE_BYTES {
            let spread = std::mem::take(&mut self.spread);
            let value = first_value(&spread).filter(|_| is_end);
            let found = value.and_then(|value| in_value(&value, 0));
            self.add(found.unwrap_or(Err(BadReport::Cut)));
        }
    }

    fn add(&mut self, found: Result<ParsedReport, BadReport>) {
        match found {
            Ok(report) => {
                self.reports += 1;
                let is_other = |(_, last): &(usize, ParsedReport)| {
                    (&last.pod.namespace, &last.pod.pod, &last.role_arn)
                        != (&report.pod.namespace, &report.pod.pod, &report.role_arn)
                };
                self.has_several |= self.last.as_ref().is_some_and(is_other);
                self.last = Some((self.lines, report));
                self.later = None;
            }
            Err(bad) => self.later = Some((self.lines, bad)),
        }
    }
}

/// The last report in a line that has the name of the schema somewhere. `None` if the name is all it has.
fn in_line(line: &[u8], wrappings: usize) -> Option<Result<ParsedReport, BadReport>> {
    let mut looks_like_report = false;
    for at in memmem::rfind_iter(line, SCHEMA_FAMILY.as_bytes()).take(MAX_PLACES) {
        let before = line.get(..at).unwrap_or_default();
        // A report begins with its schema, unless someone sorted it or put it into an object.
        let starts = [memrchr(b'{', before), memchr(b'{', before)];
        for start in starts.into_iter().flatten() {
            match first_value(line.get(start..).unwrap_or_default()) {
                Some(value) => {
                    if let Some(found) = in_value(&value, wrappings) {
                        return Some(found);
                    }
                }
                None => looks_like_report |= ends_in_schema_key(before),
            }
        }
    }
    looks_like_report.then_some(Err(BadReport::Cut))
}

/// Whether what follows is the value of a member called schema, in a text or in a text within a text.
fn ends_in_schema_key(before: &[u8]) -> bool {
    let name = before.trim_ascii_end().rsplitn(3, |byte| *byte == b'"').nth(2).unwrap_or_default();
    name.ends_with(b"schema") || name.ends_with(br"schema\")
}

fn first_value(text: &[u8]) -> Option<Value> {
    Deserializer::from_slice(text).into_iter().next()?.ok()
}

/// The report that a value is, or has as a member or as text.
fn in_value(value: &Value, wrappings: usize) -> Option<Result<ParsedReport, BadReport>> {
    match value.get("schema").and_then(Value::as_str) {
        // What an audit said is not what the pod saw.
        Some(SCHEMA) if value.get("audit").is_some() => return None,
        Some(SCHEMA) => return Some(Ok(wire::Report::deserialize(value).unwrap_or_default().into())),
        Some(other) if other.starts_with(SCHEMA_FAMILY) => {
            return Some(Err(BadReport::OtherVersion(other.to_owned())));
        }
        _ => {}
    }
    let wrappings = wrappings.checked_sub(1)?;
    value.as_object()?.values().find_map(|member| match member {
        Value::String(text) if text.contains(SCHEMA_FAMILY) => in_line(text.as_bytes(), wrappings),
        Value::Object(_) => in_value(member, wrappings),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{FoundReport, Log, LogEnd, MAX_LINE_BYTES, MAX_LOG_BYTES, NoReport};
    use crate::text::format_utc;
    use serde_json::{Value, json};

    const REFUSED: &str = include_str!("../../../examples/AssumeRoleNotAuthorized.json");
    const PASSED: &str = include_str!("../../../examples/pass.json");

    fn read(log: &str) -> Result<FoundReport, NoReport> {
        let whole = {
            let mut one = Log::default();
            assert!(one.push(log.as_bytes()));
            one.finish(LogEnd::Complete)
        };
        let mut pieces = Log::default();
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
    fn report_is_found_in_any_surroundings() {
        let refused = REFUSED.trim();
        let log =
            r#"{"timestamp":"2026-11-24T06:00:00Z","level":"INFO","fields":{"message":"next attempt"}}"#;
        let as_text = json!({"log": format!("{refused}\n"), "stream": "stdout"}).to_string();
        let twice = json!({"message": as_text, "kubernetes": {"labels": {"a": "{"}}}).to_string();
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
            ("text around", format!("before {{not: json}} {refused} after }}{{\n\nlast line")),
            ("a BOM", format!("\u{feff}{refused}")),
            ("stderr in between", format!("{log}\n{refused}\n{log}\n{log}\n")),
            ("as text", as_text),
            ("as text in a text", twice),
            ("in an object", json!({"time": 1, "log_processed": parsed}).to_string()),
            ("sorted", sorted),
            ("with spaces", refused.replacen(r#"{"schema":"#, r#"{ "schema" : "#, 1)),
            ("spread", format!("{log}\n{pretty}\n{log}\n")),
            ("spread, CRLF", pretty.replace('\n', "\r\n")),
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
            (format!("{refused}{passed}"), "pass", 1, 1, None),
            (format!("{passed}\n{}", &refused[..2000]), "pass", 1, 1, Some(2)),
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
            (json!({"log": &refused[..500]}).to_string(), NoReport::Cut(1)),
            (json!({"log": refused}).to_string()[..500].to_owned(), NoReport::Cut(1)),
            (refused.replace("\"attempts\":1", "\"attempts\":"), NoReport::Cut(1)),
            (refused.replacen("/v1", "/v2", 1), NoReport::OtherVersion { line: 1, schema: other() }),
            ("{\n  \"schema\": \"irsa-probe.report/v1\",\n".to_owned(), NoReport::Cut(2)),
            (include_str!("../../../examples/pass.txt").to_owned(), NoReport::AsText(1)),
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

        let begun = r#"{"schema":"irsa-probe.report/v1","a":["#.repeat(MAX_LINE_BYTES / 40);
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
