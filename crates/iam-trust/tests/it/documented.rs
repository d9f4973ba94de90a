//! The evaluator and the naming of mismatches, held against what AWS documents and what people met: the cases
//! are data, each with its reason and source.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use iam_trust::document;
use iam_trust::evaluate::{Decision, ElementKind, Evaluation, evaluate};
use iam_trust::mismatch::{self, Mismatch};
use iam_trust::reach;
use iam_trust::request::Request;
use serde::Deserialize;
use serde_json::Value;

use crate::generated::{AUDIENCE, ISSUER, ROLE, SUBJECT, role};

/// A file of cases about one subject.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    /// What the file is about, for readers.
    about: String,
    cases: Vec<Case>,
}

/// What a policy says of a call, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// The policy, or its text where JSON cannot hold it.
    #[serde(default)]
    policy: Value,
    text: Option<String>,
    /// What is otherwise than in the usual call.
    #[serde(default)]
    call: Call,
    expect: Expected,
    /// For `allows` and `denies` by another statement than the first one.
    #[serde(default)]
    statement: usize,
    /// For `refuses`: the first near miss; `none` where there is nothing to mend.
    miss: Option<String>,
    /// For `undecidable`: the elements that cannot be decided, by name or key.
    by: Option<Vec<String>>,
    /// For `allows`: who else is let in, `namespace`, `namespaces`, `cluster` or `providers`.
    reach: Option<String>,
    /// For `malformed`: what is said.
    says: Option<String>,
    why: String,
    source: String,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Allows,
    Refuses,
    Denies,
    Undecidable,
    Malformed,
}

/// What is otherwise than in the call of the pod `default/my-service-account`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Call {
    role: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    audience: Option<Vec<String>>,
    session_name: Option<String>,
    /// In seconds since 1970.
    at: Option<u64>,
    #[serde(default)]
    others: BTreeMap<String, Vec<String>>,
}

impl Call {
    fn request(&self) -> Request {
        let or = |given: &Option<String>, usual: &str| given.clone().unwrap_or_else(|| usual.to_owned());
        Request {
            role: role(self.role.as_deref().unwrap_or(ROLE)),
            issuer: or(&self.issuer, ISSUER),
            subject: or(&self.subject, SUBJECT),
            audience: self.audience.clone().unwrap_or_else(|| vec![AUDIENCE.to_owned()]),
            session_name: self.session_name.clone(),
            time: self.at.map(|at| UNIX_EPOCH + Duration::from_secs(at)),
            extra_keys: self.others.clone(),
        }
    }
}

fn files() -> Vec<(String, Cases)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policies");
    let mut files: Vec<(String, Cases)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let cases: Result<Cases, _> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap());
            assert!(cases.is_ok(), "{name}: {:?}", cases.err());
            (name, cases.unwrap())
        })
        .collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files
}

/// A near miss as the cases write it: `Subject(Namespace)`, `KeySwapped(aud, sub)`.
fn name_of(miss: &Mismatch) -> String {
    match miss {
        Mismatch::Subject(gap) => format!("Subject({gap:?})"),
        Mismatch::SubjectWildcard { operator } => format!("SubjectWildcard({operator})"),
        Mismatch::Audience => "Audience".to_owned(),
        Mismatch::Issuer(gap) => format!("Issuer({gap:?})"),
        Mismatch::Account(account) => format!("Account({account})"),
        Mismatch::Partition(partition) => format!("Partition({partition})"),
        Mismatch::Principal(kind) => format!("Principal({})", kind.as_str()),
        Mismatch::Action => "Action".to_owned(),
        Mismatch::KeySwapped { of, meant } => format!("KeySwapped({of}, {meant})"),
        Mismatch::Other => "Other".to_owned(),
    }
}

/// The elements of these statements that cannot be decided.
fn undecided(evaluation: &Evaluation, statements: &[usize]) -> Vec<String> {
    let elements = statements.iter().flat_map(|index| evaluation.statements[*index].undecided());
    let names: BTreeSet<String> = elements
        .map(|element| match &element.kind {
            ElementKind::Principal => "Principal".to_owned(),
            ElementKind::Action(name) => (*name).to_owned(),
            ElementKind::Condition { key, .. } => key.clone(),
        })
        .collect();
    names.into_iter().collect()
}

/// What is wrong with a case's outcome; nothing if it is as expected.
fn judge(case: &Case) -> Result<(), String> {
    let document = match &case.text {
        Some(text) => document::parse(text),
        None => document::parse(&case.policy.to_string()),
    };
    let document = match (document, case.expect) {
        (Err(malformed), Expected::Malformed) => {
            let says = malformed.to_string();
            let expected = case.says.as_deref().ok_or("the case has no \"says\"")?;
            return if says == expected { Ok(()) } else { Err(format!("it says: {says}")) };
        }
        (Err(malformed), _) => return Err(format!("malformed: {malformed}")),
        (Ok(_), Expected::Malformed) => return Err("it was read".to_owned()),
        (Ok(document), _) => document,
    };
    let request = case.call.request();
    let evaluation = evaluate(&document, &request);
    let wrong = || Err(format!("{evaluation:#?}"));
    match (case.expect, &evaluation.decision) {
        (Expected::Allows, Decision::Allows(statement)) if *statement == case.statement => {
            let reach = reach::reach(&document, &request).map(|reach| format!("{reach:?}").to_lowercase());
            if reach == case.reach { Ok(()) } else { Err(format!("it also lets in: {reach:?}")) }
        }
        (Expected::Denies, Decision::Denies(statement)) if *statement == case.statement => Ok(()),
        (Expected::Refuses, Decision::Refuses) => {
            let named = mismatch::explain_refusal(&document, &evaluation, &request);
            let first = named.first().map_or_else(|| "none".to_owned(), |named| name_of(&named.mismatch));
            let expected = case.miss.as_deref().ok_or("the case has no \"miss\"")?;
            if first == expected { Ok(()) } else { Err(format!("the first near miss is {first}")) }
        }
        (Expected::Undecidable, Decision::Undecidable(statements)) => {
            let by = undecided(&evaluation, statements);
            let expected = case.by.as_ref().ok_or("the case has no \"by\"")?;
            if by == *expected { Ok(()) } else { Err(format!("it is undecidable by {by:?}")) }
        }
        _ => wrong(),
    }
}

#[test]
fn every_case_is_as_documented() {
    let mut wrong = Vec::new();
    for (file, cases) in files() {
        for case in &cases.cases {
            if let Err(outcome) = judge(case) {
                wrong.push(format!("{file}: {}\n  {}\n  {outcome}", case.name, case.why));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_kind_has_cases_with_sources() {
    let mut kinds: BTreeMap<Expected, usize> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for (file, cases) in files() {
        assert!(!cases.about.is_empty(), "{file}");
        for case in cases.cases {
            *kinds.entry(case.expect).or_default() += 1;
            assert!(case.why.ends_with('.') && case.source.len() > 10, "{file}: {}", case.name);
            let has_both = case.text.is_some() && !case.policy.is_null();
            assert!(!has_both, "{file}: {} has a policy and a text", case.name);
            assert!(names.insert(case.name.clone()), "{file}: {} is there twice", case.name);
        }
    }
    assert!(kinds.values().sum::<usize>() >= 120, "{kinds:?}");
    assert!(kinds.len() == 5 && kinds.values().all(|count| *count >= 8), "{kinds:?}");
}
