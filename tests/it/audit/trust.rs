//! The evaluator of trust policies and the naming of near misses, held against what AWS documents and what
//! people met: the cases are data, each with its reason and source.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use iam_trust::arn::{self, RoleArn};
use iam_trust::condition::Operator;
use iam_trust::document::{self, Document};
use iam_trust::evaluate::{Decision, ElementKind, Evaluation, evaluate};
use iam_trust::mismatch::{self, Mismatch};
use iam_trust::pattern::Pattern;
use iam_trust::reach;
use iam_trust::request::{KeyValue, Request};
use iam_trust::{issuer_without_scheme, needed};
use irsa_probe::audit;
use irsa_probe::run::Verdict;
use irsa_probe::token::{Bound, Claims};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

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

const ROLE: &str = "arn:aws:iam::111122223333:role/my-role";
const ISSUER: &str = "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE";
const SUBJECT: &str = "system:serviceaccount:default:my-service-account";
const AUDIENCE: &str = "sts.amazonaws.com";

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

fn role(text: &str) -> RoleArn {
    arn::parse(text).unwrap()
}

fn request() -> Request {
    Call::default().request()
}

fn files() -> Vec<(String, Cases)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/iam-trust/tests/policies");
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
fn there_are_enough_cases_of_every_kind_each_with_its_source() {
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

/// A text that could mean something to a policy.
fn text() -> impl Strategy<Value = String> {
    let telling = prop::sample::select(vec![
        "*",
        "?",
        "${aws:username}",
        "${*}",
        "${$}",
        "${",
        "system:serviceaccount:default:my-service-account",
        "sts.amazonaws.com",
        "arn:aws:iam::111122223333:role/a",
    ]);
    prop_oneof![2 => telling.prop_map(str::to_owned), 2 => "[a-zA-Z0-9:/.*?${}-]{1,24}", 1 => "\\PC{1,24}"]
}

prop_compose! {
    fn claims()(
        issuer in text(),
        subject in text(),
        audience in prop::collection::vec(text(), 1..4),
    ) -> Claims {
        Claims {
            algorithm: "RS256".to_owned(),
            key_id: None,
            issuer: format!("https://{issuer}"),
            subject,
            audience,
            issued_at: UNIX_EPOCH,
            not_before: None,
            expires_at: UNIX_EPOCH,
            bound: Bound::default(),
        }
    }
}

/// The policy that we print for a token and a role.
fn printed(claims: &Claims, role: &RoleArn) -> Document {
    document::parse(&serde_json::to_string(&needed(&claims.request(role)).trust_policy).unwrap()).unwrap()
}

fn roles() -> impl Strategy<Value = RoleArn> {
    let partition = prop::sample::select(vec!["aws", "aws-cn", "aws-us-gov"]);
    (partition, "[0-9]{12}")
        .prop_map(|(partition, account)| role(&format!("arn:{partition}:iam::{account}:role/a")))
}

/// Operators that exist, and others.
fn operator() -> impl Strategy<Value = String> {
    let set = prop::sample::select(vec!["", "", "", "ForAnyValue:", "ForAllValues:", "ForSomeValues:"]);
    let base = prop::sample::select(vec![
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
        "ArnEquals",
        "ArnLike",
        "ArnNotEquals",
        "ArnNotLike",
        "IpAddress",
        "NotIpAddress",
        "NumericEquals",
        "NumericNotEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
        "DateEquals",
        "DateNotEquals",
        "DateLessThan",
        "DateLessThanEquals",
        "DateGreaterThan",
        "DateGreaterThanEquals",
        "Bool",
        "Null",
        "BinaryEquals",
    ]);
    let if_exists = prop::sample::select(vec!["", "", "IfExists"]);
    (set, base, if_exists).prop_map(|(set, base, if_exists)| format!("{set}{base}{if_exists}"))
}

fn key() -> impl Strategy<Value = String> {
    let provider = issuer_without_scheme(ISSUER);
    let known = vec![
        format!("{provider}:sub"),
        format!("{provider}:aud"),
        format!("{provider}:iss"),
        format!("https://{provider}:sub"),
        "token.actions.githubusercontent.com:sub".to_owned(),
        "sts:RoleSessionName".to_owned(),
        "sts:ExternalId".to_owned(),
        "aws:SourceIp".to_owned(),
        "aws:CurrentTime".to_owned(),
        "aws:EpochTime".to_owned(),
        "aws:SecureTransport".to_owned(),
        "aws:PrincipalOrgID".to_owned(),
    ];
    prop_oneof![9 => prop::sample::select(known), 1 => text()]
}

fn value() -> impl Strategy<Value = Value> {
    let telling = prop::sample::select(vec![
        json!(SUBJECT),
        json!(AUDIENCE),
        json!("system:serviceaccount:default:*"),
        json!("system:serviceaccount:default:${sts:RoleSessionName}"),
        json!("${aws:SourceIp, '10.0.0.1'}"),
        json!("${aws:username}"),
        json!("10.0.0.0/8"),
        json!("2026-01-01T00:00:00Z"),
        json!(1_795_460_000),
        json!("true"),
        json!(false),
        json!("arn:aws:iam::*:role/*"),
    ]);
    let one = prop_oneof![4 => telling, 1 => text().prop_map(Value::from)];
    prop_oneof![3 => one.clone(), 1 => prop::collection::vec(one, 0..4).prop_map(Value::from)]
}

/// Policies that IAM would store, of what can be said in one.
fn policy() -> impl Strategy<Value = Value> {
    let provider = format!("arn:aws:iam::111122223333:oidc-provider/{}", issuer_without_scheme(ISSUER));
    let principal = prop::sample::select(vec![
        json!({"Federated": provider}),
        json!({"Federated": provider}),
        json!({"AWS": "*"}),
        json!({"Federated": ["*", provider]}),
        json!({"Service": "ec2.amazonaws.com"}),
        json!("*"),
    ]);
    let action = prop::sample::select(vec!["sts:AssumeRoleWithWebIdentity", "sts:*", "sts:AssumeRole", "*"]);
    let effect = prop::sample::select(vec!["Allow", "Allow", "Deny"]);
    let conditions = prop::collection::vec((operator(), key(), value()), 0..3);
    let statement = (effect, principal, action, any::<bool>(), conditions).prop_map(
        |(effect, principal, action, is_not, conditions)| {
            let mut condition = json!({});
            for (operator, key, value) in conditions {
                condition[operator][key] = value;
            }
            let action_name = if is_not && action == "sts:AssumeRole" { "NotAction" } else { "Action" };
            json!({"Effect": effect, "Principal": principal, action_name: action, "Condition": condition})
        },
    );
    let version = prop::sample::select(vec!["2012-10-17", "2008-10-17"]);
    (version, prop::collection::vec(statement, 1..4))
        .prop_map(|(version, statements)| json!({"Version": version, "Statement": statements}))
}

/// Any JSON, most of it in the shape of a policy.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "Version",
        "Statement",
        "Sid",
        "Effect",
        "Principal",
        "Federated",
        "AWS",
        "Action",
        "NotAction",
        "Condition",
        "StringLike",
        "Null",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec!["2012-10-17", "Allow", "*"]).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let name = prop_oneof![4 => name.clone().prop_map(str::to_owned), 1 => text()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6).prop_map(Value::from_iter),
        ]
    })
}

/// Everything that is ever said of a policy.
fn say(document: &Document, request: &Request) -> Evaluation {
    let evaluation = evaluate(document, request);
    let named = mismatch::explain_refusal(document, &evaluation, request);
    let has_allow = document.statements.iter().any(|it| it.effect == document::Effect::Allow);
    if evaluation.decision == Decision::Refuses {
        assert_eq!(named.is_empty(), !has_allow, "a refusal has its reason: {evaluation:#?}");
    }
    let _ = reach::reach(document, request);
    evaluation
}

/// Judges a text as the audit does: it passes if the policy allows, and whatever it says can be printed.
fn audited(text: &str) {
    let request = request();
    let needed = needed(&request).trust_policy;
    let (judged, policy) = audit::trust::judge(text, &request, &needed, false);
    let allows = document::parse(text)
        .is_ok_and(|document| matches!(evaluate(&document, &request).decision, Decision::Allows(_)));
    assert_eq!(!matches!(judged.verdict, Verdict::Fail(_)), allows, "{text}");
    let failure = match judged.verdict {
        Verdict::Fail(diagnosis) => Some(diagnosis),
        Verdict::Pass(_) | Verdict::Warn(..) => None,
    };
    let said = failure.iter().chain(&judged.further);
    let said = said.flat_map(|it| [vec![it.cause()], it.remedy()].concat());
    let shown = policy.iter().flat_map(|policy| policy.lines.iter().map(|line| line.text.clone()));
    let changed = policy.iter().filter_map(|policy| policy.corrected.as_ref().map(|(_, diff)| diff.clone()));
    for words in said.chain(shown).chain(changed) {
        assert!(!words.contains(['\u{1b}', '\r', '\u{202e}', '\u{200b}']), "{words}");
    }
    if let Some((corrected, _)) = policy.and_then(|policy| policy.corrected) {
        audited_allows(&corrected.to_string());
    }
}

fn audited_allows(text: &str) {
    let allows = document::parse(text)
        .is_ok_and(|document| matches!(evaluate(&document, &request()).decision, Decision::Allows(_)));
    assert!(allows, "{text}");
}

#[test]
fn what_is_too_long_is_not_read() {
    let of =
        |bytes: usize| document::parse(&format!("{{}}{}", " ".repeat(bytes - 2))).unwrap_err().to_string();
    assert!(
        of(document::MAX_DOCUMENT_BYTES + 1).contains("131073 bytes"),
        "{}",
        of(document::MAX_DOCUMENT_BYTES + 1)
    );
    assert!(!of(document::MAX_DOCUMENT_BYTES).contains("bytes"), "{}", of(document::MAX_DOCUMENT_BYTES));
}

/// Whether the text fits, by the definition and nothing else.
fn fits(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|taken| fits(rest, &text[taken..])),
        Some(('?', rest)) => !text.is_empty() && fits(rest, &text[1..]),
        Some((plain, rest)) => text.first() == Some(plain) && fits(rest, &text[1..]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn a_printed_policy_allows_its_token(claims in claims(), role in roles(), name in "[a-z]{2,9}") {
        let policy = printed(&claims, &role);
        let mut request = claims.request(&role);
        prop_assert_eq!(evaluate(&policy, &request).decision, Decision::Allows(0));
        prop_assert_eq!(reach::reach(&policy, &request), None);
        request.session_name = Some(name);
        prop_assert_eq!(evaluate(&policy, &request).decision, Decision::Allows(0));
    }

    #[test]
    fn a_printed_policy_refuses_every_other_token(
        claims in claims(),
        other in claims(),
        role in roles(),
        other_role in roles(),
    ) {
        let policy = printed(&claims, &role);
        let request = claims.request(&role);
        let client = needed(&request).oidc_provider.client_id;
        let others = [
            Request { subject: other.subject.clone(), ..request.clone() },
            Request { subject: claims.subject.to_uppercase(), ..request.clone() },
            Request { subject: format!("{}x", claims.subject), ..request.clone() },
            Request { audience: other.audience.clone(), ..request.clone() },
            Request { audience: Vec::new(), ..request.clone() },
            Request { issuer: other.issuer.clone(), ..request.clone() },
            Request { issuer: format!("{}/", claims.issuer), ..request.clone() },
            Request { issuer: claims.issuer.to_uppercase(), ..request.clone() },
            Request { role: other_role, ..request.clone() },
        ];
        for other in others {
            let is_same = other.subject == request.subject
                && other.audience.contains(&client)
                && other.provider_arn() == request.provider_arn();
            if !is_same {
                prop_assert_eq!(say(&policy, &other).decision, Decision::Refuses, "{:?}", other);
            }
        }
    }

    #[test]
    fn knowing_more_overturns_nothing(
        policy in policy(),
        session_name in prop::sample::select(vec!["my-service-account", "true", "x"]),
        source in prop::sample::select(vec![None, Some("10.0.0.1"), Some("192.0.2.1")]),
        at in prop::sample::select(vec![0_u64, 1_795_460_000, 2_000_000_000]),
    ) {
        let document = document::read(&policy).unwrap();
        let before = say(&document, &request()).decision;
        let mut request = request();
        request.session_name = Some(session_name.to_owned());
        request.time = Some(UNIX_EPOCH + Duration::from_secs(at));
        request.extra_keys.insert("aws:sourceip".to_owned(), source.into_iter().map(str::to_owned).collect());
        let after = say(&document, &request).decision;
        // What is refused anyway may turn out to be denied too.
        let fits = match before {
            Decision::Undecidable(_) => true,
            Decision::Allows(_) => matches!(after, Decision::Allows(_)),
            Decision::Denies(_) => matches!(after, Decision::Denies(_)),
            Decision::Refuses => matches!(after, Decision::Refuses | Decision::Denies(_)),
        };
        prop_assert!(fits, "{before:?} became {after:?}: {policy:#}");
    }

    #[test]
    fn a_denial_never_lets_in(policy in policy(), denial in policy()) {
        let kind = |policy: &Value| say(&document::read(policy).unwrap(), &request()).decision;
        let mut both = policy.clone();
        for statement in denial["Statement"].as_array().unwrap() {
            let mut statement = statement.clone();
            statement["Effect"] = json!("Deny");
            both["Statement"].as_array_mut().unwrap().push(statement);
        }
        let (before, after) = (kind(&policy), kind(&both));
        let lets_in = |decision: &Decision| matches!(decision, Decision::Allows(_));
        prop_assert!(!lets_in(&after) || lets_in(&before), "{before:?} became {after:?}: {both:#}");
        if let Decision::Denies(_) = before {
            prop_assert!(matches!(after, Decision::Denies(_)));
        }
    }

    #[test]
    fn any_json_is_read_or_said_to_be_malformed(json in any_json(), mut policy in policy(), at in any::<prop::sample::Index>()) {
        if let Ok(document) = document::read(&json) {
            say(&document, &request());
        }
        let statements = policy["Statement"].as_array_mut().unwrap();
        let statement = at.get_mut(statements).as_object_mut().unwrap();
        let names: Vec<String> = statement.keys().cloned().collect();
        statement.insert(at.get(&names).clone(), json);
        audited(&policy.to_string());
        match document::parse(&policy.to_string()) {
            Ok(document) => _ = say(&document, &request()),
            Err(malformed) => {
                let said = malformed.to_string();
                prop_assert!(!said.contains(['\n', '\u{1b}', '\r']) && said.chars().count() < 2_000, "{said}");
            }
        }
    }

    #[test]
    fn any_text_as_a_policy(text in "\\PC{0,200}", near in "[{}\\[\\]\":,a-z0-9\u{1b}\n]{0,80}") {
        for text in [text, near] {
            audited(&text);
            if let Ok(document) = document::parse(&text) {
                say(&document, &request());
            }
        }
    }

    #[test]
    fn any_operator_and_any_value(operator in prop_oneof![operator(), text()], key in key(), value in value(), token in claims(), at in any::<u64>()) {
        let _ = Operator::parse(&operator);
        let mut condition = json!({});
        condition[operator][key] = value;
        let policy = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "*", "Condition": condition}});
        let document = document::read(&policy).unwrap();
        let mut request = token.request(&role(ROLE));
        request.time = UNIX_EPOCH.checked_add(Duration::from_secs(at));
        say(&document, &request);
    }

    #[test]
    fn patterns_fit_by_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(Pattern::parse(&pattern).matches(&text), fits(&chars(&pattern), &chars(&text)));
    }

    #[test]
    fn any_pattern_ends(pattern in "[a*?:]{0,400}", text in "[ab:]{0,2000}", any in "\\PC{0,40}") {
        let pattern = Pattern::parse(&format!("{pattern}{any}"));
        let _ = (pattern.matches(&text), pattern.matches_arn(&text), pattern.matches_arn(&format!("arn:{text}:::::{any}")));
    }

    #[test]
    fn any_two_issuers_and_subjects_differ_somehow(one in text(), other in text()) {
        let _ = (mismatch::issuer_difference(&one, &other), mismatch::subject_difference(&one, &other));
    }
}

#[test]
fn what_is_not_known_says_why() {
    let unknown = request().value_of("aws:SourceIp");
    assert!(matches!(unknown, KeyValue::Unknown(why) if !why.is_empty()));
}
