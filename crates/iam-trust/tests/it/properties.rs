//! What holds for every policy and every call: nothing panics, knowing more overturns nothing, and a printed
//! policy lets in its own token and no other.

use std::time::{Duration, UNIX_EPOCH};

use iam_trust::condition::Operator;
use iam_trust::document::{self, Document};
use iam_trust::evaluate::{Decision, Evaluation, evaluate};
use iam_trust::mismatch;
use iam_trust::needed;
use iam_trust::pattern::Pattern;
use iam_trust::reach;
use iam_trust::request::{KeyValue, Request};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::generated::{any_json, key, operator, policy, request, roles, text, value};

prop_compose! {
    /// The call of any token for any role.
    fn requests()(
        issuer in text(),
        subject in text(),
        audience in prop::collection::vec(text(), 1..4),
        role in roles(),
    ) -> Request {
        Request { role, issuer: format!("https://{issuer}"), subject, audience, ..request() }
    }
}

/// The policy that is printed for a call.
fn printed(request: &Request) -> Document {
    document::parse(&serde_json::to_string(&needed(request).trust_policy).unwrap()).unwrap()
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

#[test]
fn overlong_policy_is_not_read() {
    let of =
        |bytes: usize| document::parse(&format!("{{}}{}", " ".repeat(bytes - 2))).unwrap_err().to_string();
    assert!(
        of(document::MAX_DOCUMENT_BYTES + 1).contains("131073 bytes"),
        "{}",
        of(document::MAX_DOCUMENT_BYTES + 1)
    );
    assert!(!of(document::MAX_DOCUMENT_BYTES).contains("bytes"), "{}", of(document::MAX_DOCUMENT_BYTES));
}

/// What issuers are made of.
const PIECES: [&str; 10] = [
    "arn:",
    ":oidc-provider/",
    "https://",
    "HTTP://",
    "oidc.",
    "oidc-eks.",
    "eks.",
    "eu-west-1.",
    "com",
    "/id/A",
];

/// A text that looks like an issuer.
fn near_issuer() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12).prop_map(|pieces| pieces.concat())
}

/// Near-miss search once turned `oidc.eks.eks.X` into itself, and did so until the stack was full.
#[test]
fn issuer_of_any_nesting_is_compared() {
    use mismatch::IssuerDifference::{Arn, Region, Reversed, Scheme, Whole};
    let own = "oidc.eks.eu-west-1.amazonaws.com/id/A";
    let arn = "arn:aws:iam::111122223333:oidc-provider/";
    for (issuer, expected) in [
        ("oidc.eks.eks.X".to_owned(), Whole),
        ("https://oidc.eks.eks.X/id/A".to_owned(), Region),
        (format!("{arn}oidc.eks.eks.X"), Whole),
        (format!("{arn}https://oidc.eu-west-1.eks.amazonaws.com/id/A"), Arn),
        ("oidc.eu-west-1.eks.amazonaws.com/id/A".to_owned(), Reversed),
        ("http://".repeat(18_600), Whole),
        (format!("{}{own}", "http://".repeat(18_600)), Scheme),
        (format!("{}{own}", arn.repeat(3_000)), Arn),
    ] {
        assert_eq!(mismatch::issuer_difference(&issuer, own), expected, "{issuer:.80}");
    }
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
    fn printed_policy_allows_its_token(mut request in requests(), name in "[a-z]{2,9}") {
        let policy = printed(&request);
        prop_assert_eq!(evaluate(&policy, &request).decision, Decision::Allows(0));
        prop_assert_eq!(reach::reach(&policy, &request), None);
        request.session_name = Some(name);
        prop_assert_eq!(evaluate(&policy, &request).decision, Decision::Allows(0));
    }

    #[test]
    fn printed_policy_refuses_every_other_token(
        request in requests(),
        other in requests(),
    ) {
        let policy = printed(&request);
        let client = needed(&request).oidc_provider.client_id;
        let others = [
            Request { subject: other.subject.clone(), ..request.clone() },
            Request { subject: request.subject.to_uppercase(), ..request.clone() },
            Request { subject: format!("{}x", request.subject), ..request.clone() },
            Request { audience: other.audience.clone(), ..request.clone() },
            Request { audience: Vec::new(), ..request.clone() },
            Request { issuer: other.issuer.clone(), ..request.clone() },
            Request { issuer: format!("{}/", request.issuer), ..request.clone() },
            Request { issuer: request.issuer.to_uppercase(), ..request.clone() },
            Request { role: other.role.clone(), ..request.clone() },
        ];
        for other in others {
            let is_same = other.subject == request.subject
                && other.audience.contains(&client)
                && other.provider_arn() == request.provider_arn();
            if !is_same {
                let decision = say(&policy, &other).decision;
                // What a bare operator does with several audiences is not documented.
                let is_open = other.audience.len() > 1 && matches!(decision, Decision::Undecidable(_));
                prop_assert!(is_open || decision == Decision::Refuses, "{:?}: {:?}", other, decision);
            }
        }
    }

    #[test]
    fn more_knowledge_never_overturns_a_decision(
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
    fn added_denial_never_lets_in(policy in policy(), denial in policy()) {
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
    fn any_json_is_read_or_malformed(json in any_json(), mut policy in policy(), at in any::<prop::sample::Index>()) {
        if let Ok(document) = document::read(&json) {
            say(&document, &request());
        }
        let statements = policy["Statement"].as_array_mut().unwrap();
        let statement = at.get_mut(statements).as_object_mut().unwrap();
        let names: Vec<String> = statement.keys().cloned().collect();
        statement.insert(at.get(&names).clone(), json);
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
            if let Ok(document) = document::parse(&text) {
                say(&document, &request());
            }
        }
    }

    #[test]
    fn any_operator_and_any_value(operator in prop_oneof![operator(), text()], key in key(), value in value(), mut request in requests(), at in any::<u64>()) {
        let _ = Operator::parse(&operator);
        let mut condition = json!({});
        condition[operator][key] = value;
        let policy = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "*", "Condition": condition}});
        let document = document::read(&policy).unwrap();
        request.time = UNIX_EPOCH.checked_add(Duration::from_secs(at));
        say(&document, &request);
    }

    #[test]
    fn patterns_match_by_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(Pattern::parse(&pattern).matches(&text), fits(&chars(&pattern), &chars(&text)));
    }

    #[test]
    fn any_pattern_ends(pattern in "[a*?:]{0,400}", text in "[ab:]{0,2000}", any in "\\PC{0,40}") {
        let pattern = Pattern::parse(&format!("{pattern}{any}"));
        let _ = (pattern.matches(&text), pattern.matches_arn(&text), pattern.matches_arn(&format!("arn:{text}:::::{any}")));
    }

    #[test]
    fn any_two_issuers_and_subjects_are_compared(one in text(), other in text(), near in near_issuer(), far in near_issuer()) {
        let _ = (mismatch::issuer_difference(&one, &other), mismatch::subject_difference(&one, &other));
        let _ = (mismatch::issuer_difference(&near, &far), mismatch::issuer_difference(&near, &other));
    }
}

#[test]
fn unknown_key_says_why() {
    let unknown = request().value_of("aws:SourceIp");
    assert!(matches!(unknown, KeyValue::Unknown(why) if !why.is_empty()));
}
