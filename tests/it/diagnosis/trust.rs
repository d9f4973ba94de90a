//! The cases of the evaluator told as diagnoses: each near miss has its name, each its own cause, and what is
//! printed to mend it mends it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use iam_trust::arn;
use iam_trust::correct::{CorrectedPolicy, CorrectionKind, correct};
use iam_trust::document;
use iam_trust::evaluate::{Decision, evaluate};
use iam_trust::mismatch::explain_refusal;
use iam_trust::reach::{Reach, reach};
use iam_trust::render::{diff, mark_elements};
use iam_trust::request::Request;
use irsa_probe::audit::Findings;
use irsa_probe::audit::trust::{self, AllowingStatement};
use irsa_probe::diagnosis::{Class, Diagnosis, Name, Owner};
use irsa_probe::run::Verdict;
use irsa_probe::token::{Bound, Claims};
use serde_json::{Value, json};
use testbed::issuer::DEFAULT_ISSUER;
use testbed::scenario::{self, Scenario};

use super::commands::missing_in_page;

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

    fn request(&self) -> Request {
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
        let mut request = claims.request(&role);
        request.session_name = call["session_name"].as_str().map(str::to_owned);
        request.time = call["at"].as_u64().map(|at| UNIX_EPOCH + Duration::from_secs(at));
        let others = call["others"].as_object().into_iter().flatten();
        request.extra_keys = others.map(|(key, values)| (key.clone(), texts(values))).collect();
        request
    }

    fn findings(&self) -> Findings<AllowingStatement> {
        self.findings_for(self)
    }

    /// What is found in this case's policy for another's call.
    fn findings_for(&self, call: &Self) -> Findings<AllowingStatement> {
        let request = call.request();
        trust::judge(&self.text(), &request, false, None).0
    }
}

fn diagnosis(findings: &Findings<AllowingStatement>) -> Option<&Diagnosis> {
    match &findings.verdict {
        Verdict::Fail(diagnosis) => Some(diagnosis),
        Verdict::Pass(_) | Verdict::Warn(..) => None,
    }
}

fn further(findings: &Findings<AllowingStatement>) -> &[Diagnosis] {
    match &findings.verdict {
        Verdict::Warn(_, warnings) => warnings,
        Verdict::Pass(_) | Verdict::Fail(_) => &findings.others,
    }
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/iam-trust/tests/policies");
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

/// What each element of the nearest statement wants and has, which the cause is about.
fn slips(case: &Case) -> String {
    let request = case.request();
    let document = document::parse(&case.text()).unwrap();
    let evaluation = evaluate(&document, &request);
    format!("{:?} {}", explain_refusal(&document, &evaluation, &request), request.role.text)
}

#[test]
fn every_mismatch_has_its_diagnosis_and_its_own_cause() {
    let mut causes: BTreeMap<String, String> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for case in cases().iter().filter(|case| case.expect() == "refuses") {
        let diagnosis = diagnosis(&case.findings()).unwrap().clone();
        let miss = case.case["miss"].as_str().unwrap();
        assert_eq!(diagnosis.name(), name_of(miss), "{}", case.name);
        let cause = diagnosis.cause();
        assert!(cause.ends_with('.') && cause.len() > 40, "{}: {cause}", case.name);
        // The same cause may only be told of what is the same.
        let slips = slips(case);
        if let Some(other) = causes.insert(cause.clone(), slips.clone()) {
            assert!(other == slips, "{}: {cause}\n{slips}\n{other}", case.name);
        }
        names.insert(diagnosis.name());
    }
    let of_misses = [
        "Subject",
        "SubjectWildcard",
        "Audience",
        "Issuer",
        "Account",
        "Partition",
        "Principal",
        "Action",
        "KeySwapped",
        "Other",
    ];
    assert_eq!(names, of_misses.map(name_of).into());
}

#[test]
fn every_other_outcome_has_its_diagnosis() {
    for case in cases() {
        let findings = case.findings();
        let name = diagnosis(&findings).map(|found| found.name());
        let expected = match case.expect() {
            "refuses" => continue,
            "allows" => None,
            "denies" => Some(Name::TrustDenied),
            "undecidable" => Some(Name::TrustUndecidable),
            "malformed" => Some(Name::TrustPolicyMalformed),
            unknown => panic!("{unknown}"),
        };
        assert_eq!(name, expected, "{}", case.name);
        let is_wide = further(&findings).iter().any(|further| further.name() == Name::TrustTooWide);
        if case.expect() == "allows" {
            let reach = case.case["reach"].as_str().unwrap_or("namespace");
            assert_eq!(is_wide, reach != "namespace", "{}", case.name);
            assert!(further(&findings).len() <= 1, "{}", case.name);
        }
    }
}

#[test]
fn every_command_is_in_the_page() {
    // The pages show the commands of the usual partition.
    let is_usual = |case: &&Case| {
        let call = &case.case["call"];
        let is_there =
            |name: &str, usual: &str| call[name].as_str().is_none_or(|text| text.starts_with(usual));
        is_there("role", "arn:aws:") && is_there("issuer", "https://") && call["audience"].is_null()
    };
    for case in cases().iter().filter(is_usual) {
        let findings = case.findings();
        for found in diagnosis(&findings).into_iter().chain(further(&findings)) {
            assert_eq!(missing_in_page(found.name(), &found.remedy()), Vec::<String>::new(), "{}", case.name);
        }
    }
}

/// Fails unless all that is said of a policy can be printed and acted upon.
fn is_whole(name: &str, findings: &Findings<AllowingStatement>) {
    let all: Vec<&Diagnosis> = diagnosis(findings).into_iter().chain(further(findings)).collect();
    let names: BTreeSet<Name> = all.iter().map(|diagnosis| diagnosis.name()).collect();
    assert_eq!(names.len(), all.len(), "{name}: a diagnosis is there twice");
    for diagnosis in all {
        let class = match diagnosis.name() {
            Name::TrustTooWide => Class::Misconfigured,
            Name::TrustUndecidable => Class::NotJudged,
            _ => Class::Refused,
        };
        assert_eq!(diagnosis.name().owner(), Owner::Iam);
        assert_eq!(diagnosis.name().class(), class);
        let steps = diagnosis.remedy();
        assert!((1..=3).contains(&steps.len()) && !diagnosis.evidence().is_empty(), "{name}: {steps:#?}");
        assert!(diagnosis.cause().chars().count() < 9_000, "{name}: {}", diagnosis.cause());
        let words = [vec![diagnosis.cause()], steps].concat().join("\n");
        let is_bad = |c: char| c != '\n' && c.is_control() || matches!(c, '\u{200b}' | '\u{202e}');
        assert!(!words.contains(is_bad), "{name}: {words}");
    }
}

#[test]
fn words_are_complete_and_printable() {
    let cases = cases();
    for (index, case) in cases.iter().enumerate() {
        is_whole(&case.name, &case.findings());
        // Other calls than those that the policy is meant to show something about.
        for other in cases.iter().cycle().skip(index + 1).step_by(71).take(4) {
            is_whole(&format!("{}, {}", case.name, other.name), &case.findings_for(other));
        }
    }
}

#[test]
fn hostile_text_is_escaped() {
    let hostile = "x\u{1b}[31m\n\u{202e}'; rm -rf / #".repeat(40);
    for case in cases().iter().filter(|case| case.expect() == "refuses") {
        let mut case = Case { name: case.name.clone(), case: case.case.clone() };
        case.case["call"]["subject"] = json!(hostile);
        case.case["call"]["audience"] = json!([hostile]);
        let text = case.text().replace("my-service-account", &hostile.escape_default().to_string());
        let statement = json!({"Sid": hostile, "Effect": "Allow", "Principal": {"AWS": hostile}, "Action": hostile, "Condition": {hostile.as_str(): {hostile.as_str(): hostile}}});
        is_whole(&case.name, &case.findings());
        case.case["text"] = json!(text);
        is_whole(&case.name, &case.findings());
        case.case["text"] = json!(json!({"Statement": statement}).to_string());
        is_whole(&case.name, &case.findings());
    }
}

const PROVIDER: &str = "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE";

/// The usual call on a policy of these statements, each with what is otherwise than in one that fits.
fn on(statements: &[Value]) -> Case {
    let arn = format!("arn:aws:iam::111122223333:oidc-provider/{PROVIDER}");
    let whole = |given: &Value| {
        let mut statement = json!({
            "Effect": "Allow",
            "Principal": {"Federated": arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
        });
        for (name, value) in given.as_object().unwrap() {
            statement[name] = value.clone();
        }
        if given.get("NotAction").is_some() {
            statement.as_object_mut().unwrap().remove("Action");
        }
        // `sub` and `aud` alone are the claims of the token's issuer.
        let text = statement.to_string();
        let key = |claim: &str| format!("\"{PROVIDER}:{claim}\":");
        let text = text.replace("\"sub\":", &key("sub")).replace("\"aud\":", &key("aud"));
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let statements: Vec<Value> = statements.iter().map(whole).collect();
    let case = json!({"policy": {"Version": "2012-10-17", "Statement": statements}});
    Case { name: case.to_string(), case }
}

impl Case {
    fn corrected(&self) -> Option<CorrectedPolicy> {
        let request = self.request();
        correct(&self.case["policy"], &request).ok()
    }

    /// All that is said to do first.
    fn remedy(&self) -> String {
        diagnosis(&self.findings()).unwrap().remedy().join("\n")
    }

    fn warning(&self) -> Diagnosis {
        let findings = self.findings();
        assert!(diagnosis(&findings).is_none(), "{}", self.name);
        further(&findings)[0].clone()
    }
}

fn reached(policy: &Value, request: &Request) -> Option<Reach> {
    reach(&document::read(policy).unwrap(), request)
}

#[test]
fn correction_lets_in_nobody_else() {
    for statement in [
        json!({"Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}),
        json!({"Action": "sts:AssumeRole"}),
        json!({"Condition": {"StringEquals": {"aud": "another"}}}),
        json!({
            "Principal": {"Federated": format!("arn:aws:iam::111122223333:oidc-provider/https://{PROVIDER}")},
            "Condition": {"StringEquals": {format!("https://{PROVIDER}:aud"): "sts.amazonaws.com"}},
        }),
    ] {
        let case = on(&[statement]);
        let corrected = case.corrected().unwrap();
        assert_eq!(corrected.kind, CorrectionKind::Copied(0), "{}", case.name);
        assert_eq!(reached(&corrected.document, &case.request()), None, "{}", case.name);
    }
    for case in cases().iter().filter(|case| case.expect() == "refuses" && case.case["policy"].is_object()) {
        let Some(corrected) = case.corrected() else { continue };
        let request = case.request();
        let (before, after) =
            (reached(&case.case["policy"], &request), reached(&corrected.document, &request));
        assert_eq!(after > before, case.remedy().contains("Beside this pod it lets in "), "{}", case.name);
    }
}

#[test]
fn guards_are_left_to_their_author() {
    let equals = |conditions: &Value| json!({"Condition": {"StringEquals": conditions}});
    let typo = equals(&json!({"sub": "system:serviceaccount:default:my-servce-account"}));
    let guarded = equals(&json!({"sub": SUBJECT, "sts:ExternalId": "e"}));
    let all_but = json!({"Condition": {"StringNotLike": {"sub": "system:serviceaccount:default:*"}}});
    for (statements, name, asks) in [
        (vec![guarded.clone()], Name::TrustConditionUnmet, "StringEquals on sts:ExternalId in Statement[0]"),
        (
            vec![typo.clone(), guarded],
            Name::TrustConditionUnmet,
            "StringEquals on sts:ExternalId in Statement[1]",
        ),
        (vec![all_but.clone()], Name::TrustSubjectMismatch, "StringNotLike on "),
        (vec![typo, all_but], Name::TrustSubjectMismatch, "Statement[1] would give the role but for"),
        (
            vec![
                json!({"Condition": {"StringNotEquals": {"aud": "sts.amazonaws.com"}, "StringEquals": {"sub": SUBJECT}}}),
            ],
            Name::TrustAudienceMismatch,
            "StringNotEquals on ",
        ),
        (
            vec![json!({"NotAction": "sts:AssumeRoleWithWebIdentity"})],
            Name::TrustActionMissing,
            "wrote NotAction in Statement[0]",
        ),
    ] {
        let case = on(&statements);
        let findings = case.findings();
        assert_eq!(diagnosis(&findings).unwrap().name(), name, "{}", case.name);
        assert_eq!(case.corrected(), None, "{}", case.name);
        let remedy = case.remedy();
        assert!(remedy.contains("sk whoever wrote ") && remedy.contains(asks), "{remedy}");
        let is_alone = statements.len() == 1;
        assert!(!is_alone || !remedy.contains("spec.serviceAccountName"), "{remedy}");
        assert!(!is_alone || !remedy.contains("annotation"), "{remedy}");
    }
}

#[test]
fn open_denial_is_not_bypassed() {
    let source = json!({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}});
    let denial = json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Condition": source});
    let good = json!({"Condition": {"StringEquals": {"sub": SUBJECT}}});
    let typo = json!({"Condition": {"StringEquals": {"sub": "system:serviceaccount:default:other"}}});
    let guarded = json!({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}});
    let undecided = on(&[good, denial.clone()]);
    assert_eq!(diagnosis(&undecided.findings()).unwrap().name(), Name::TrustUndecidable);
    let remedy = undecided.remedy();
    assert!(
        remedy.contains("NotIpAddress on aws:SourceIp in Statement[1] whether it denies this pod"),
        "{remedy}"
    );
    assert!(remedy.contains("undoes a denial") && !remedy.contains("add a statement"), "{remedy}");
    let refused = on(&[typo, denial]);
    assert_eq!(diagnosis(&refused.findings()).unwrap().name(), Name::TrustSubjectMismatch);
    let corrected = refused.corrected().unwrap();
    assert_eq!(corrected.document["Statement"][1], refused.case["policy"]["Statement"][1]);
    let remedy = refused.remedy();
    assert!(
        remedy.contains("Statement[1] denies the call if ") && remedy.contains("can still refuse"),
        "{remedy}"
    );
    let allowing = on(&[guarded]).remedy();
    assert!(allowing.contains("Ask the author of IpAddress on aws:SourceIp in Statement[0]"), "{allowing}");
}

#[test]
fn denial_by_misspelt_key_is_named() {
    let good = json!({"Condition": {"StringEquals": {"sub": SUBJECT}}});
    let denial = |key: &str, subject: &str| {
        on(&[good.clone(), json!({"Effect": "Deny", "Condition": {"StringNotEquals": {key: subject}}})])
    };
    let is_denied = |case: &Case, causes: &str, says: &str| {
        let findings = case.findings();
        let found = diagnosis(&findings).unwrap();
        assert_eq!(found.name(), Name::TrustDenied);
        assert!(found.cause().contains(causes), "{}", found.cause());
        assert!(case.remedy().contains(says), "{}", case.remedy());
        assert_eq!(case.corrected(), None);
    };
    let with_scheme = format!("https://{PROVIDER}:sub");
    let corrected =
        format!("write the key {PROVIDER}:sub in place of https://{PROVIDER}:sub. It then denies whom");
    is_denied(&denial(&with_scheme, SUBJECT), "its key is misspelt", &corrected);
    let of_other = denial(&with_scheme, "system:serviceaccount:default:other");
    is_denied(&of_other, "its key is misspelt", "it then still denies this call");
    is_denied(&denial(&format!("{PROVIDER}\u{200b}:sub"), SUBJECT), "U+200B", "write the key ");
    let another = "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE1111111111111111111EXAMPLE:sub";
    is_denied(&denial(another, SUBJECT), "its key is not this cluster's", "is not this cluster's denies");
}

#[test]
fn pattern_moves_alone_or_not_at_all() {
    let under = |operator: &str, values: &Value| on(&[json!({"Condition": {operator: {"sub": values}}})]);
    let of = |name: &str| format!("system:serviceaccount:{name}");
    let moves = |values: Value, said: &str| {
        let case = under("StringEquals", &values);
        assert_eq!(case.corrected().unwrap().kind, CorrectionKind::InPlace(0), "{}", case.name);
        assert!(case.remedy().contains(said), "{}", case.remedy());
    };
    let my_accounts = "every service account whose name fits \"my-*\" in the namespace \"default\"";
    moves(json!(of("default:my-*")), my_accounts);
    moves(
        json!([of("*:my-service-account"), of("d*:*")]),
        "the service account \"my-service-account\" in any namespace; every service account in any namespace that \
         fits \"d*\"",
    );
    moves(json!(of("*:*")), "every service account of the cluster");
    moves(json!([of("default:*"), of("billing:*")]), "in the namespace \"billing\"");
    moves(json!([of("default:*"), of("billing:api")]), "every service account in the namespace \"default\"");

    let stays = |operator: &str, values: Value| {
        let case = under(operator, &values);
        let corrected = case.corrected().unwrap();
        assert_eq!(corrected.kind, CorrectionKind::Copied(0), "{}", case.name);
        assert!(case.remedy().contains("stays as it was"), "{}", case.remedy());
        assert_eq!(corrected.document["Statement"][0], case.case["policy"]["Statement"][0]);
        assert_eq!(reached(&corrected.document, &case.request()), Some(Reach::Namespace));
    };
    stays("StringEqualsIgnoreCase", json!(of("default:*")));
}

#[test]
fn only_the_pattern_changes() {
    let pattern = "system:serviceaccount:default:*";
    for keys in [
        format!("{{\"sub\":\"{pattern}\",\"aud\":\"sts.amazonaws.com\"}}"),
        format!("{{\"aud\":\"sts.amazonaws.com\",\"sub\":\"{pattern}\"}}"),
    ] {
        let keys: Value = serde_json::from_str(&keys).unwrap();
        let case = on(&[json!({"Condition": {"StringEquals": keys}})]);
        let change = diff(&case.case["policy"], &case.corrected().unwrap().document);
        let changed = change.lines().filter(|line| !line.starts_with(' ')).collect::<String>();
        assert!(changed.contains("StringLike") && !changed.contains(":aud"), "{change}");
    }
}

#[test]
fn too_wide_policy_is_described() {
    let like = |pattern: &str| json!({"Condition": {"StringLike": {"sub": format!("system:serviceaccount:{pattern}")}}});
    let key = format!("https://{PROVIDER}:sub");
    for (statement, said) in [
        (like("*:my-service-account"), "to the service account \"my-service-account\" in any namespace:"),
        (
            like("d*:my-*"),
            "to every service account whose name fits \"my-*\" in any namespace that fits \"d*\":",
        ),
        (like("d*:*"), "to every service account in any namespace that fits \"d*\":"),
        (like("*:*"), "to every service account of the cluster:"),
        (like("default*"), "to every service account whose subject fits \"system:serviceaccount:default*\":"),
        (
            json!({"Principal": {"AWS": "*"}}),
            "A token of any OIDC provider of account 111122223333 may have it, and one of the public ones (Google,",
        ),
        (
            json!({"Condition": {"StringEqualsIfExists": {key.as_str(): "system:serviceaccount:a:b"}}}),
            "its key is misspelt: it is \"«https://»oidc.eks",
        ),
        (
            json!({"Condition": {"ForAllValues:StringEquals": {key.as_str(): "system:serviceaccount:a:b"}}}),
            "Without the key the condition holds, and so it holds for every token of this cluster.",
        ),
    ] {
        let warning = on(&[statement]).warning();
        assert_eq!(warning.name(), Name::TrustTooWide);
        assert!(warning.cause().contains(said), "{}", warning.cause());
    }
}

/// The document in a step that is to be pasted, as the shell would write it into the file.
fn pasted(step: &str) -> Option<Value> {
    let (_, rest) = step.split_once("\nprintf '%s\\n' '")?;
    let (document, command) = rest.split_once("' > trust-policy.json &&\n")?;
    let document = document.replace(r"'\''", "'").replace(r"'\\'", r"\");
    assert!(command.starts_with("aws iam update-assume-role-policy "), "{step}");
    assert!(command.ends_with(" --policy-document file://trust-policy.json"), "{step}");
    Some(serde_json::from_str(&document).unwrap())
}

#[test]
fn corrected_policy_allows_the_token_and_is_shown() {
    let (mut mended, mut by_hand) = (0, 0);
    for case in cases().iter().filter(|case| case.expect() == "refuses") {
        let request = case.request();
        let findings = case.findings();
        let diagnosis = diagnosis(&findings).unwrap();
        let steps = diagnosis.remedy();
        let Some(corrected) = steps.iter().find_map(|step| pasted(step)) else {
            by_hand += 1;
            assert!(
                steps.iter().any(|step| step.contains("\naws iam get-role ")),
                "{}: {steps:?}",
                case.name
            );
            continue;
        };
        mended += 1;
        let decision = evaluate(&document::read(&corrected).unwrap(), &request).decision;
        let has_guards = steps.iter().any(|step| step.contains(" The call must also meet "));
        let may_deny = steps.iter().any(|step| step.contains(" denies the call if "));
        match decision {
            Decision::Allows(_) => {}
            Decision::Undecidable(_) if has_guards || may_deny => {}
            other => panic!("{}: {other:?}", case.name),
        }
        let before: Value = serde_json::from_str(&case.text()).unwrap();
        let change = diff(&before, &corrected);
        assert!(change.lines().any(|line| line.starts_with('+')), "{}: {change}", case.name);
        // Besides, the same document is not printed twice.
        assert!(
            further(&findings)
                .iter()
                .all(|further| further.remedy().iter().all(|step| pasted(step).is_none()))
        );
    }
    assert!(mended >= 80 && by_hand >= 20, "{mended} {by_hand}");
}

#[test]
fn refusing_lines_are_marked() {
    for case in cases().iter().filter(|case| case.expect() == "refuses") {
        let request = case.request();
        let document = document::parse(&case.text()).unwrap();
        let misses = explain_refusal(&document, &evaluate(&document, &request), &request);
        let policy: Value = serde_json::from_str(&case.text()).unwrap();
        let lines = mark_elements(&policy, misses.iter().map(|miss| (miss.statement, &miss.element.kind)));
        assert_eq!(lines.iter().any(|line| line.is_marked), !misses.is_empty(), "{}", case.name);
        let whole: String = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(serde_json::from_str::<Value>(&whole).unwrap(), policy, "{}", case.name);
    }
}

/// The policy and the call of a page's scenario.
fn of_page(name: Name) -> Case {
    let scenario = Scenario::parse(scenario::of_page(name.page()).unwrap()).unwrap();
    assert_eq!(scenario.command, "audit", "{}", name.as_str());
    let argument = |flag: &str| {
        let place = scenario.args.iter().position(|arg| arg == flag).unwrap();
        let value = scenario.args[place + 1].replace("${issuer}", DEFAULT_ISSUER);
        value.replace("${role_arn}", &scenario.role.arn)
    };
    let case = json!({
        "text": scenario.files[&argument("--trust-policy")],
        "call": {
            "role": argument("--role-arn"),
            "issuer": argument("--issuer"),
            "subject": argument("--subject"),
            "audience": [argument("--audience")],
        },
    });
    Case { name: name.as_str().to_owned(), case }
}

#[test]
fn every_trust_page_policy_has_its_own_name() {
    let pages: Vec<Name> = Name::ALL
        .iter()
        .copied()
        .filter(|name| name.as_str().starts_with("Trust") && *name != Name::TrustRootsMissing)
        .collect();
    assert_eq!(pages.len(), 14);
    for name in pages {
        let findings = of_page(name).findings();
        let all: Vec<&Diagnosis> = diagnosis(&findings).into_iter().chain(further(&findings)).collect();
        let first = all.first().map(|diagnosis| diagnosis.name());
        assert_eq!(first, Some(name));
        assert_eq!(diagnosis(&findings).is_none(), name == Name::TrustTooWide);
        let besides: Vec<Name> = all.iter().skip(1).map(|diagnosis| diagnosis.name()).collect();
        let expected =
            if name == Name::TrustPrincipalWrong { vec![Name::TrustActionMissing] } else { Vec::new() };
        assert_eq!(besides, expected, "{}", name.as_str());
    }
}
