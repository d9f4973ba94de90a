//! The last report of ours in the lines of a log.
//!
//! `kubectl logs` gives the report among what the same container logged, with a time (`--timestamps`) or the
//! pod's name (`--prefix`) before each line; collectors put the line as text into JSON of their own; `jq`
//! spreads it over many lines. What was written last is what the pod is like now. Logs may be huge and are
//! foreign: they are read piece by piece, and of each line only so much is kept.

use std::fmt;
use std::time::SystemTime;

use memchr::{memchr, memmem, memrchr};
use serde::Deserialize;
use serde_json::{Deserializer, Value};

use crate::text::{parse_timestamp, sanitize};
use crate::wire::{self, SCHEMA};

/// The most bytes of a log that are read.
pub const LONGEST_LOG: usize = 64 << 20;

/// The most bytes of a line that are kept: a report is a few thousand.
const LONGEST_LINE: usize = 1 << 20;

/// What every version's schema begins with.
const FAMILY: &str = "irsa-probe.report/";

/// How many places of one line are tried, from its end.
const MOST_TRIES: usize = 4;

/// How many times a report may be text within a text: a collector does it once, a second one once more.
const MOST_WRAPPINGS: usize = 2;

/// What a report says, as far as it is of use here. A report cuts texts that are too long; those are left
/// out, and their names are in `cut`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParsedReport {
    /// When the run began.
    pub at: Option<SystemTime>,
    /// How it ended: `pass`, `warn` or `fail`.
    pub outcome: Option<String>,
    /// The diagnosis, if there was one.
    pub diagnosis: Option<String>,
    /// The token's issuer.
    pub issuer: Option<String>,
    /// The token's subject.
    pub subject: Option<String>,
    /// The token's audiences.
    pub audience: Vec<String>,
    /// The id of the key that signed the token.
    pub key_id: Option<String>,
    /// The role, as the pod has it.
    pub role_arn: Option<String>,
    /// The session's name.
    pub session_name: Option<String>,
    /// The account of the identity that STS gave, if it gave one.
    pub account: Option<String>,
    /// The region of the STS that was asked.
    pub region: Option<String>,
    /// The endpoint that was asked.
    pub endpoint: Option<String>,
    /// The address and port of the STS that was asked; not where a proxy stood between.
    pub connected_to: Option<String>,
    /// What STS refused with, if it did.
    pub refusal: Option<StsRefusal>,
    /// Which pod it was.
    pub pod: PodRef,
    /// What the report itself cut.
    pub cut: Vec<&'static str>,
}

/// A refusal of STS's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StsRefusal {
    /// The error's code.
    pub code: String,
    /// Its message.
    pub message: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// When it was answered, by STS's clock.
    pub at: Option<SystemTime>,
}

/// Where a report was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodRef {
    /// The namespace.
    pub namespace: Option<String>,
    /// The service account.
    pub service_account: Option<String>,
    /// The pod's name.
    pub pod: Option<String>,
    /// The container's name.
    pub container: Option<String>,
}

/// The last report of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundReport {
    /// What it says.
    pub report: ParsedReport,
    /// The line on which it ends, counted from 1.
    pub line: usize,
    /// How many reports there were.
    pub reports: usize,
    /// Whether some of them are of another pod, or another role.
    pub is_one_of_several: bool,
    /// The line of a later report that is cut off, or of another version.
    pub later: Option<usize>,
    /// Why there may be later ones that were not read.
    pub ended: LogEnd,
}

/// How a log ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogEnd {
    /// At its end.
    AtItsEnd,
    /// It went on after [`LONGEST_LOG`].
    TooLong,
    /// It went on when the time was over, as it does with `kubectl logs --follow`.
    Late,
}

/// Why there is no report in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoReport {
    /// There is nothing in it at all.
    Empty,
    /// Nothing came before the time was over, and more may come.
    Silent,
    /// There is one of another version of the form.
    OtherVersion {
        /// Its line.
        line: usize,
        /// Its schema.
        schema: String,
    },
    /// There is one that is cut off or mangled.
    Cut {
        /// Its line.
        line: usize,
    },
    /// There is one as text for people, on this line.
    AsText {
        /// Its line.
        line: usize,
    },
    /// It is in UTF-16, as PowerShell writes files.
    Utf16,
    /// Nothing in it is a report.
    None {
        /// How many lines it has.
        lines: usize,
        /// How it ended.
        ended: LogEnd,
    },
}

/// In words that follow the name of the log.
impl fmt::Display for NoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "it is empty: the command before it failed, or the container has logged nothing (after a \
                 restart, kubectl logs --previous has the log of the one before)",
            ),
            Self::Silent => f.write_str(
                "nothing came before the time was over: the command before it may wait, for a login for instance, \
                 or follow a log to which nothing is written",
            ),
            Self::OtherVersion { line, schema } => write!(
                f,
                "the report on line {line} is {}, and this program reads {SCHEMA}: take the program of the \
                 version that wrote it",
                sanitize(schema)
            ),
            Self::Cut { line } => write!(f, "the report on line {line} is cut off or was changed"),
            Self::AsText { line } => write!(
                f,
                "the report on line {line} is text for people: let irsa-probe print JSON (--output json), which \
                 it does by itself where nobody looks on"
            ),
            Self::Utf16 => f.write_str("it is in UTF-16; save it as UTF-8, or pipe it in"),
            Self::None { lines, ended } => {
                write!(f, "none of its {lines} lines is a report of irsa-probe ({SCHEMA})")?;
                match ended {
                    LogEnd::AtItsEnd => {
                        f.write_str("; name the probe's container with kubectl logs POD -c CONTAINER")
                    }
                    LogEnd::TooLong => write!(f, "; more than {} MiB of it are not read", LONGEST_LOG >> 20),
                    LogEnd::Late => f.write_str("; it had not ended when the time was over"),
                }
            }
        }
    }
}

impl std::error::Error for NoReport {}

/// Reads a log as it comes.
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
    opens: bool,
    is_utf16: bool,
    last: Option<(usize, ParsedReport)>,
    reports: usize,
    has_several: bool,
    /// What followed the last report, or stands in place of one.
    later: Option<(usize, Odd)>,
    as_text: Option<usize>,
}

/// Something that looks like a report.
enum Odd {
    Cut,
    OtherVersion(String),
}

impl Log {
    /// Takes the next piece. `false` if no more is taken.
    pub fn push(&mut self, piece: &[u8]) -> bool {
        let room = LONGEST_LOG - self.bytes.min(LONGEST_LOG);
        let mut rest = piece.get(..room).unwrap_or(piece);
        if self.bytes == 0 {
            self.is_utf16 = rest.starts_with(&[0xff, 0xfe]) || rest.starts_with(&[0xfe, 0xff]);
        }
        self.bytes += rest.len();
        while let Some(end) = memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            self.keep(line);
            self.end_line();
            rest = after.get(1..).unwrap_or_default();
        }
        self.keep(rest);
        piece.len() <= room
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LONGEST_LINE - self.line.len().min(LONGEST_LINE);
        self.line.extend_from_slice(part.get(..room).unwrap_or(part));
    }

    /// What the log says.
    ///
    /// # Errors
    /// Why there is no report in it.
    pub fn finish(mut self, ended: LogEnd) -> Result<FoundReport, NoReport> {
        if !self.line.is_empty() {
            self.end_line();
        }
        if !self.spread.is_empty() {
            self.later = Some((self.lines, Odd::Cut));
        }
        let later = self.later.as_ref().map(|(line, _)| *line);
        if let Some((line, report)) = self.last {
            let (reports, is_one_of_several) = (self.reports, self.has_several);
            return Ok(FoundReport { report, line, reports, is_one_of_several, later, ended });
        }
        Err(match (self.later, self.as_text) {
            (Some((line, Odd::OtherVersion(schema))), _) => NoReport::OtherVersion { line, schema },
            (Some((line, Odd::Cut)), _) => NoReport::Cut { line },
            _ if self.is_utf16 => NoReport::Utf16,
            (None, Some(line)) => NoReport::AsText { line },
            _ if !self.has_text && ended == LogEnd::Late => NoReport::Silent,
            _ if !self.has_text => NoReport::Empty,
            _ => NoReport::None { lines: self.lines, ended },
        })
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.lines += 1;
        self.has_text |= !line.trim_ascii().is_empty();
        if self.spread.is_empty() {
            self.take(&line);
        } else {
            self.continue_with(&line);
        }
        self.opens = line.trim_ascii_end().ends_with(b"{");
        // The next line takes the same memory, unless this one was out of the ordinary.
        if line.capacity() <= LONGEST_LINE / 16 {
            self.line = line;
            self.line.clear();
        }
    }

    fn take(&mut self, line: &[u8]) {
        let Some(at) = memmem::find(line, FAMILY.as_bytes()) else {
            let is_head = line.starts_with(b"irsa-probe ") && memmem::find(line, b"seen from ").is_some();
            if is_head {
                self.as_text = Some(self.lines);
            }
            return;
        };
        let before = line.get(..at).unwrap_or_default();
        if self.opens && memchr(b'{', before).is_none() {
            self.spread.extend_from_slice(b"{");
            self.spread.extend_from_slice(line);
        } else {
            let found = of_line(line, MOST_WRAPPINGS);
            self.note(found);
        }
    }

    fn continue_with(&mut self, line: &[u8]) {
        if memmem::find(line, FAMILY.as_bytes()).is_some() {
            self.spread.clear();
            self.note(Some(Err(Odd::Cut)));
            self.take(line);
            return;
        }
        self.spread.extend_from_slice(line);
        let is_end = line.starts_with(b"}");
        if is_end || self.spread.len() > LONGEST_LINE {
            let spread = std::mem::take(&mut self.spread);
            let found = is_end.then(|| whole(&spread)).flatten().map_or(Some(Err(Odd::Cut)), Some);
            self.note(found);
        }
    }

    fn note(&mut self, found: Option<Result<ParsedReport, Odd>>) {
        match found {
            Some(Ok(report)) => {
                self.reports += 1;
                let is_other = |(_, last): &(usize, ParsedReport)| {
                    (&last.pod.namespace, &last.pod.pod, &last.role_arn)
                        != (&report.pod.namespace, &report.pod.pod, &report.role_arn)
                };
                self.has_several |= self.last.as_ref().is_some_and(is_other);
                self.last = Some((self.lines, report));
                self.later = None;
            }
            Some(Err(odd)) => self.later = Some((self.lines, odd)),
            None => {}
        }
    }
}

/// The last report in a line, which holds the name of the form somewhere; `None` if that is all it holds.
fn of_line(line: &[u8], wrappings: usize) -> Option<Result<ParsedReport, Odd>> {
    let places = memmem::rfind_iter(line, FAMILY.as_bytes()).take(MOST_TRIES);
    let mut looks_like_one = false;
    for at in places {
        let before = line.get(..at).unwrap_or_default();
        // Its schema is what a report begins with, unless somebody has sorted it or put it into an object.
        let starts = [memrchr(b'{', before), memchr(b'{', before)];
        for start in starts.into_iter().flatten() {
            let text = line.get(start..).unwrap_or_default();
            match first_value(text) {
                Some(value) => {
                    if let Some(found) = of_value(&value, wrappings) {
                        return Some(found);
                    }
                }
                None => looks_like_one |= is_of_schema(before),
            }
        }
    }
    looks_like_one.then_some(Err(Odd::Cut))
}

/// Whether what follows this is the value of a member called schema, in a text or in a text within a text.
fn is_of_schema(before: &[u8]) -> bool {
    let name = before.trim_ascii_end().rsplitn(3, |byte| *byte == b'"').nth(2).unwrap_or_default();
    name.ends_with(b"schema") || name.ends_with(br"schema\")
}

/// The report that is spread over these lines.
fn whole(text: &[u8]) -> Option<Result<ParsedReport, Odd>> {
    of_value(&first_value(text)?, 0)
}

/// The JSON value that a text begins with.
fn first_value(text: &[u8]) -> Option<Value> {
    Deserializer::from_slice(text).into_iter().next()?.ok()
}

/// The report that a value is, or that it holds as text.
fn of_value(value: &Value, wrappings: usize) -> Option<Result<ParsedReport, Odd>> {
    match value.get("schema").and_then(Value::as_str) {
        // What an audit said is no word of the pod.
        Some(SCHEMA) if value.get("audit").is_some() => return None,
        Some(SCHEMA) => {
            let report = wire::Report::deserialize(value).unwrap_or_default();
            return Some(Ok(report.into()));
        }
        Some(other) if other.starts_with(FAMILY) => return Some(Err(Odd::OtherVersion(other.to_owned()))),
        _ => {}
    }
    let within = |value: &Value| match value {
        Value::String(text) if wrappings > 0 && text.contains(FAMILY) => {
            of_line(text.as_bytes(), wrappings - 1)
        }
        Value::Object(_) if wrappings > 0 => of_value(value, wrappings - 1),
        _ => None,
    };
    value.as_object()?.values().find_map(within)
}

impl From<wire::Report> for ParsedReport {
    fn from(report: wire::Report) -> Self {
        let refusal = refusal(&report.checks);
        let token = report.token.unwrap_or_default();
        let sts = report.sts.unwrap_or_default();
        let pod = report.pod;
        let mut cut = Vec::new();
        let mut whole = |name: &'static str, text: Option<String>| {
            let text = text.filter(|text| !text.is_empty())?;
            if is_cut(&text) {
                cut.push(name);
                return None;
            }
            Some(text)
        };
        let mut parsed = Self {
            at: whole("time", Some(report.time)).as_deref().and_then(parse_timestamp),
            outcome: whole("outcome", Some(report.outcome)),
            diagnosis: whole("diagnosis", report.diagnosis.map(|diagnosis| diagnosis.name)),
            issuer: whole("issuer", token.issuer),
            subject: whole("subject", token.subject),
            // An empty id is an id, too.
            key_id: whole("key id", token.key_id.clone()).or(token.key_id.filter(String::is_empty)),
            role_arn: whole("role ARN", report.role_arn),
            session_name: whole("session name", sts.session_name),
            account: whole("account", report.identity.map(|identity| identity.account)),
            region: whole("region", Some(sts.region)),
            endpoint: whole("endpoint", Some(sts.endpoint)),
            connected_to: whole("address", sts.connected_to).filter(|_| sts.proxy.is_none()),
            refusal,
            pod: PodRef {
                namespace: whole("namespace", pod.namespace),
                service_account: whole("service account", pod.service_account),
                pod: whole("pod", pod.pod),
                container: whole("container", pod.container),
            },
            audience: token.audience,
            cut: Vec::new(),
        };
        if parsed.audience.iter().any(|audience| is_cut(audience)) {
            cut.push("audience");
            parsed.audience.clear();
        }
        parsed.cut = cut;
        parsed
    }
}

/// What STS refused the role with.
fn refusal(checks: &[wire::Check]) -> Option<StsRefusal> {
    let check = checks.iter().find(|check| check.name == "assume-role" && check.outcome == "fail")?;
    let text = |name| check.evidence.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(StsRefusal {
        code: text("code")?,
        message: text("message"),
        request_id: text("request_id"),
        at: text("answered_at").as_deref().and_then(parse_timestamp),
    })
}

/// Whether `shown` cut a text: it then says how long it was.
fn is_cut(text: &str) -> bool {
    let length = text.strip_suffix(" characters)").and_then(|text| text.rsplit_once("… ("));
    length.is_some_and(|(_, length)| !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{FoundReport, LONGEST_LINE, LONGEST_LOG, Log, LogEnd, NoReport};
    use crate::text::format_utc;
    use serde_json::{Value, json};

    const REFUSED: &str = include_str!("../../../examples/AssumeRoleNotAuthorized.json");
    const PASSED: &str = include_str!("../../../examples/pass.json");

    fn read(log: &str) -> Result<FoundReport, NoReport> {
        let whole = {
            let mut one = Log::default();
            assert!(one.push(log.as_bytes()));
            one.finish(LogEnd::AtItsEnd)
        };
        let mut pieces = Log::default();
        assert!(log.as_bytes().chunks(7).all(|piece| pieces.push(piece)));
        assert_eq!(pieces.finish(LogEnd::AtItsEnd), whole, "however it comes in pieces");
        whole
    }

    fn with(pointer: &str, value: Value) -> String {
        let mut report: Value = serde_json::from_str(REFUSED).unwrap();
        *report.pointer_mut(pointer).unwrap() = value;
        report.to_string()
    }

    #[test]
    fn an_empty_key_id_of_a_report_is_not_an_absent_one() {
        let id =
            |text: &str| read(&REFUSED.replace(r#""jESOUbH6vUhmX2DwG_rN_IsUKxxp-1Adl_Adg6-c4as""#, text));
        assert_eq!(id(r#""""#).unwrap().report.key_id.as_deref(), Some(""));
        assert_eq!(id("null").unwrap().report.key_id, None);
    }

    #[test]
    fn what_a_refused_report_says() {
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
    fn a_passed_report_has_an_account_and_no_refusal() {
        let said = read(PASSED).unwrap().report;
        assert_eq!((said.account.as_deref(), said.refusal), (Some("111122223333"), None));
        assert_eq!(said.outcome.as_deref(), Some("pass"));
    }

    #[test]
    fn a_report_is_found_whatever_is_around_it() {
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
    fn the_last_report_wins_and_a_later_one_that_is_cut_off_is_told() {
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
            let seen = (found.report.outcome.as_deref(), found.line, found.reports, found.later);
            assert_eq!(seen, (Some(outcome), line, reports, later), "{}", &text[..80]);
        }
    }

    #[test]
    fn why_there_is_no_report() {
        let refused = REFUSED.trim();
        let other = || "irsa-probe.report/v2".to_owned();
        for (text, expected) in [
            (String::new(), NoReport::Empty),
            (" \r\n\n".to_owned(), NoReport::Empty),
            ("a\nb".to_owned(), NoReport::None { lines: 2, ended: LogEnd::AtItsEnd }),
            ("irsa-probe.report/v1".to_owned(), NoReport::None { lines: 1, ended: LogEnd::AtItsEnd }),
            (format!("a\n{}", &refused[..500]), NoReport::Cut { line: 2 }),
            (refused[..500].replacen(':', " : ", 1), NoReport::Cut { line: 1 }),
            (json!({"log": &refused[..500]}).to_string(), NoReport::Cut { line: 1 }),
            (json!({"log": refused}).to_string()[..500].to_owned(), NoReport::Cut { line: 1 }),
            (refused.replace("\"attempts\":1", "\"attempts\":"), NoReport::Cut { line: 1 }),
            (refused.replacen("/v1", "/v2", 1), NoReport::OtherVersion { line: 1, schema: other() }),
            ("{\n  \"schema\": \"irsa-probe.report/v1\",\n".to_owned(), NoReport::Cut { line: 2 }),
            (include_str!("../../../examples/pass.txt").to_owned(), NoReport::AsText { line: 1 }),
            (
                r#"{"schema":"irsa-probe.chain/v1"}"#.to_owned(),
                NoReport::None { lines: 1, ended: LogEnd::AtItsEnd },
            ),
        ] {
            let error = read(&text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().is_empty());
        }
        let mut log = Log::default();
        log.push(b"\xff\xfea\0");
        assert_eq!(log.finish(LogEnd::AtItsEnd), Err(NoReport::Utf16));
    }

    #[test]
    fn what_the_report_cut_is_not_taken_for_the_whole() {
        let cut = format!("{}… (300 characters)", "x".repeat(256));
        let said = read(&with("/role_arn", json!(cut))).unwrap().report;
        assert_eq!((said.role_arn, said.cut), (None, vec!["role ARN"]));
        let said = read(&with("/token/audience/0", json!(cut))).unwrap().report;
        assert_eq!((said.audience, said.cut), (Vec::new(), vec!["audience"]));
    }

    #[test]
    fn odd_types_are_left_out() {
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
        let long = "x".repeat(2 * LONGEST_LINE);
        let found = read(&format!("{long}\n{refused}\n{long}")).unwrap();
        assert_eq!(found.line, 2);
        assert_eq!(
            read(&format!("{long}{refused}")).unwrap_err(),
            NoReport::None { lines: 1, ended: LogEnd::AtItsEnd }
        );

        let begun = r#"{"schema":"irsa-probe.report/v1","a":["#.repeat(LONGEST_LINE / 40);
        assert_eq!(read(&begun).unwrap_err(), NoReport::Cut { line: 1 });
        let deep = format!("{}\"irsa-probe.report/v1\"", "{\"a\":".repeat(100_000));
        assert!(read(&deep).is_err());
        let spread =
            format!("{{\n\"schema\": \"irsa-probe.report/v1\",\n{}", "\"a\": 1,\n".repeat(LONGEST_LINE / 4));
        assert!(matches!(read(&spread), Err(NoReport::Cut { .. })));

        let mut log = Log::default();
        let piece = [vec![b'x'; (1 << 20) - 1], vec![b'\n']].concat();
        let taken = (0..100).take_while(|_| log.push(&piece)).count();
        assert_eq!(taken, LONGEST_LOG >> 20);
        assert!(matches!(
            log.finish(LogEnd::TooLong),
            Err(NoReport::None { lines: 64, ended: LogEnd::TooLong })
        ));
    }
}
