//! The cases of the evaluator told as diagnoses: each near miss has its name, each its own cause, and what is
//! printed to mend it mends it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, JSON is indexed, and the folder of cases is read"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use irsa_probe::aws::arn;
use irsa_probe::diagnosis::trust::{self, Findings};
use irsa_probe::diagnosis::{Class, Diagnosis, Name, Owner};
use irsa_probe::token::{Bound, Claims};
use irsa_probe::trust_policy::correct::correct;
use irsa_probe::trust_policy::document;
use irsa_probe::trust_policy::evaluate::{Decision, evaluate};
use irsa_probe::trust_policy::marked::{diff, marked};
use irsa_probe::trust_policy::near_miss::named;
use irsa_probe::trust_policy::needed;
use irsa_probe::trust_policy::request::Request;
use serde_json::Value;

const ROLE: &str = "arn:aws:iam::111122223333:role/my-role";
const ISSUER: &str = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE";
const SUBJECT: &str = "system:serviceaccount:default:my-service-account";

/// A case of the evaluator's tables, and where it stands.
struct Case {
    name: String,
    case: Value,
}

impl Case {
    fn text(&self) -> String {
        let text = self.case["text"].as_str().map(str::to_owned);
        text.unwrap_or_else(|| self.case["policy"].to_string())
    }

    fn expect(&self) -> &str {
        self.case["expect"].as_str().unwrap()
    }

    fn request(&self) -> (Request, Claims) {
        let call = &self.case["call"];
        let or = |name: &str, usual: &str| call[name].as_str().unwrap_or(usual).to_owned();
        let texts = |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap() };
        let audience = &call["audience"];
        let claims = Claims {
            algorithm: "RS256".to_owned(),
            key_id: None,
            issuer: or("issuer", ISSUER),
            subject: or("subject", SUBJECT),
            audience: if audience.is_null() { vec!["sts.amazonaws.com".to_owned()] } else { texts(audience) },
            issued_at: UNIX_EPOCH,
            not_before: None,
            expires_at: UNIX_EPOCH,
            bound: Bound::default(),
        };
        let role = arn::parse(call["role"].as_str().unwrap_or(ROLE)).unwrap();
        let mut request = Request::of(&role, &claims);
        request.session_name = call["session_name"].as_str().map(str::to_owned);
        request.at = call["at"].as_u64().map(|at| UNIX_EPOCH + Duration::from_secs(at));
        let others = call["others"].as_object().into_iter().flatten();
        request.others = others.map(|(key, values)| (key.clone(), texts(values))).collect();
        (request, claims)
    }

    fn findings(&self) -> Findings {
        let (request, claims) = self.request();
        let text = self.text();
        let document = match document::parse(&text) {
            Ok(document) => document,
            Err(malformed) => {
                let diagnosis = Some(trust::malformed(malformed, &request.role));
                return Findings { diagnosis, further: Vec::new() };
            }
        };
        let evaluation = evaluate(&document, &request);
        let named = named(&document, &evaluation, &request);
        let policy = serde_json::from_str(&text).unwrap();
        let corrected = correct(&policy, &needed(&claims, &request.role).trust_policy, &request);
        trust::judge(&document, &evaluation, named, &request, corrected)
    }
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trust_policy");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let content: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let file = file.file_name().unwrap().to_str().unwrap().to_owned();
        cases.extend(content["cases"].as_array().unwrap().iter().map(|case| Case {
            name: format!("{file}: {}", case["name"].as_str().unwrap()),
            case: case.clone(),
        }));
    }
    cases
}

/// The diagnosis that a near miss of the tables is told as.
fn name_of(miss: &str) -> Name {
    match miss.split('(').next().unwrap() {
        "Subject" => Name::TrustSubjectMismatch,
        "SubjectWildcard" => Name::TrustSubjectWildcard,
        "Audience" => Name::TrustAudienceMismatch,
        "Issuer" => Name::TrustIssuerMismatch,
        "Account" => Name::TrustAccountMismatch,
        "Partition" => Name::TrustPartitionMismatch,
        "Principal" => Name::TrustPrincipalWrong,
        "Action" | "none" => Name::TrustActionMissing,
        "KeySwapped" => Name::TrustKeySwapped,
        "Other" => Name::TrustConditionUnmet,
        unknown => panic!("{unknown}"),
    }
}

#[test]
fn dump() {
    for case in cases() {
        let f = case.findings();
        for d in f.diagnosis.iter().chain(&f.further) {
            println!("## {} [{}]\n{}: {}\n   {}", case.name, case.expect(), d.name().as_str(), d.cause(), serde_json::to_string(&d.evidence()).unwrap());
            for s in d.remedy() { println!("   * {}", s.lines().next().unwrap()); }
        }
    }
}
