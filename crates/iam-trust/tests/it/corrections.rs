//! The corrector: what it makes of policies that people wrote, and what holds for each correction of any policy.
//!
//! What a correction keeps is computed here from the JSON of both policies, by rules of its own.

use std::collections::BTreeSet;

use iam_trust::correct::{CorrectedPolicy, CorrectionKind, Uncorrected, correct};
use iam_trust::document;
use iam_trust::evaluate::{Decision, evaluate};
use iam_trust::request::Request;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::near_policies::{
    CART, CHECKOUT, GUARDS, ISSUER, ISSUERS, OTHER_ISSUER, SUBJECTS, THIRD_ISSUER, any_policy, key, policy,
    provider_arn, token,
};

fn checkout() -> Request {
    token(ISSUER, CHECKOUT)
}

/// A statement for the tokens of these providers, under these conditions: operator, key, value.
fn statement(federated: Value, conditions: &[(&str, &str, Value)]) -> Value {
    let mut condition = json!({});
    for (operator, key, value) in conditions {
        condition[*operator][*key] = value.clone();
    }
    json!({
        "Effect": "Allow",
        "Principal": {"Federated": federated},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
    })
}

fn decision(policy: &Value, request: &Request) -> Decision {
    evaluate(&document::read(policy).unwrap(), request).decision
}

#[track_caller]
fn corrected(policy: &Value, request: &Request) -> CorrectedPolicy {
    correct(policy, request).unwrap_or_else(|why| panic!("{why}: {policy:#}"))
}

#[track_caller]
fn allows(policy: &Value, request: &Request) {
    assert!(matches!(decision(policy, request), Decision::Allows(_)), "{} {policy:#}", request.subject);
}

#[track_caller]
fn refuses(policy: &Value, request: &Request) {
    assert_eq!(decision(policy, request), Decision::Refuses, "{} {policy:#}", request.subject);
}

#[test]
fn claims_of_two_clusters_in_one_statement_become_a_statement_each() {
    let both = json!([CHECKOUT, CART]);
    let (one, other) = (key(OTHER_ISSUER, "sub"), key(ISSUER, "sub"));
    let guard = ("StringEquals", "aws:RequestedRegion", json!("eu-west-1"));
    let wrong = policy(&[statement(
        json!([provider_arn(OTHER_ISSUER), provider_arn(ISSUER)]),
        &[("StringEquals", &one, both.clone()), ("StringEquals", &other, both.clone()), guard.clone()],
    )]);
    let fixed = corrected(&wrong, &checkout());
    assert_eq!(fixed.kind, CorrectionKind::Split(0));
    let part = |issuer: &str, key: &str| {
        statement(json!(provider_arn(issuer)), &[("StringEquals", key, both.clone()), guard.clone()])
    };
    assert_eq!(fixed.document, policy(&[part(OTHER_ISSUER, &one), part(ISSUER, &other)]));
    assert_eq!(fixed.guards.len(), 1, "the region is not known");
    for issuer in [ISSUER, OTHER_ISSUER] {
        for subject in [CHECKOUT, CART] {
            let mut member = token(issuer, subject);
            member.extra_keys.insert("aws:requestedregion".to_owned(), vec!["eu-west-1".to_owned()]);
            allows(&fixed.document, &member);
        }
    }
}

#[test]
fn provider_of_another_partition_or_account_is_replaced_and_the_pattern_stays() {
    for wrong_arn in [
        provider_arn(ISSUER).replace("arn:aws:", "arn:aws-cn:"),
        provider_arn(ISSUER).replace("111122223333", "444455556666"),
    ] {
        let wrong = policy(&[
            json!({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}),
            statement(
                json!(wrong_arn),
                &[("StringLike", &key(ISSUER, "sub"), json!("system:serviceaccount:payments:ch*"))],
            ),
        ]);
        let mut right = wrong.clone();
        right["Statement"][1]["Principal"]["Federated"] = json!(provider_arn(ISSUER));
        let fixed = corrected(&wrong, &checkout());
        assert_eq!((fixed.kind, &fixed.document), (CorrectionKind::InPlace(1), &right));
    }
}

#[test]
fn another_cluster_gets_a_copy_with_the_pattern_and_the_guards() {
    let wrong = policy(&[statement(
        json!(provider_arn(OTHER_ISSUER)),
        &[
            ("StringEquals", &key(OTHER_ISSUER, "aud"), json!("sts.amazonaws.com")),
            ("StringLike", &key(OTHER_ISSUER, "sub"), json!("system:serviceaccount:payments:c*")),
            ("IpAddress", "aws:SourceIp", json!("203.0.113.0/24")),
        ],
    )]);
    let fixed = corrected(&wrong, &checkout());
    assert_eq!(fixed.kind, CorrectionKind::Copied(0));
    assert_eq!(fixed.document["Statement"][0], wrong["Statement"][0]);
    let copy = statement(
        json!(provider_arn(ISSUER)),
        &[
            ("StringEquals", &key(ISSUER, "aud"), json!("sts.amazonaws.com")),
            ("StringLike", &key(ISSUER, "sub"), json!("system:serviceaccount:payments:c*")),
            ("IpAddress", "aws:SourceIp", json!("203.0.113.0/24")),
        ],
    );
    assert_eq!(fixed.document["Statement"][1], copy);
}

#[test]
fn third_cluster_joins_a_statement_of_two() {
    let sub = |issuer: &str| key(issuer, "sub");
    let list = json!([provider_arn(ISSUER), provider_arn(OTHER_ISSUER)]);
    let wrong = policy(&[statement(list, &[("ForAllValues:StringEquals", &sub(ISSUER), json!(CHECKOUT))])]);
    let fixed = corrected(&wrong, &token(THIRD_ISSUER, CHECKOUT));
    assert_eq!(fixed.kind, CorrectionKind::Copied(0));
    allows(&fixed.document, &token(THIRD_ISSUER, CHECKOUT));
    allows(&fixed.document, &checkout());
    refuses(&fixed.document, &token(THIRD_ISSUER, CART));
}

#[test]
fn statement_of_too_many_callers_is_left_alone() {
    let own = key(ISSUER, "sub");
    let keys: Vec<String> = (0..30).map(|issuer| format!("oidc.example/{issuer}:sub")).collect();
    let of_others = keys.iter().map(|key| ("ForAllValues:StringEquals", key.as_str(), json!(CART)));
    let conditions: Vec<_> = of_others.chain([("StringEquals", own.as_str(), json!(CART))]).collect();
    let wrong = policy(&[statement(json!(provider_arn(ISSUER)), &conditions)]);
    assert_eq!(correct(&wrong, &checkout()), Err(Uncorrected::TooManyCallers));
    let fewer = policy(&[statement(json!(provider_arn(ISSUER)), &conditions[25..])]);
    assert_eq!(corrected(&fewer, &checkout()).kind, CorrectionKind::InPlace(0));
}

#[test]
fn guards_beside_the_error_stay() {
    let sub = key(ISSUER, "sub");
    let aud = key(ISSUER, "aud");
    let guards: [&[(&str, &str, Value)]; 6] = [
        &[("IpAddress", "aws:SourceIp", json!("203.0.113.0/24"))],
        &[("StringEquals", "aws:SourceVpc", json!("vpc-1"))],
        &[("StringLike", "sts:RoleSessionName", json!("irsa-*"))],
        &[("DateLessThan", "aws:CurrentTime", json!("2030-01-01T00:00:00Z"))],
        &[
            ("StringEquals", "iam:ResourceTag/team", json!("a")),
            ("Bool", "aws:SecureTransport", json!("true")),
        ],
        &[("StringMatches", "aws:SourceIp", json!("x"))],
    ];
    let errors: [&[(&str, &str, Value)]; 5] = [
        &[("StringEquals", &sub, json!(CART))],
        &[("StringEquals", &sub, json!(["system:serviceaccount:payments:*", CART]))],
        &[("StringEquals", &sub, json!(CHECKOUT)), ("StringEquals", &aud, json!("sts"))],
        &[("StringEqualsIgnoreCase", &sub, json!(["system:serviceaccount:payments:*", CART]))],
        &[("StringEquals", &sub, json!("payments:checkout"))],
    ];
    for error in errors {
        for guard in guards {
            let wrong = policy(&[statement(json!(provider_arn(ISSUER)), &[error, guard].concat())]);
            let fixed = corrected(&wrong, &checkout());
            let changed = match fixed.kind {
                CorrectionKind::InPlace(_) => &fixed.document["Statement"][0],
                _ => &fixed.document["Statement"][1],
            };
            for (operator, key, value) in guard {
                assert_eq!(&changed["Condition"][operator][key], value, "{changed:#}");
            }
        }
    }
}

#[test]
fn guard_that_is_not_met_is_its_authors() {
    let elsewhere = statement(json!(provider_arn(OTHER_ISSUER)), &[]);
    let external = statement(json!(provider_arn(ISSUER)), &[("StringEquals", "sts:ExternalId", json!("x"))]);
    let guarded = correct(&policy(&[elsewhere, external]), &checkout()).unwrap_err();
    assert!(
        matches!(&guarded, Uncorrected::Guarded(1, element) if element.to_string().contains("sts:ExternalId"))
    );
    assert!(guarded.to_string().contains("its author has to decide"), "{guarded}");

    let sub = key(ISSUER, "sub");
    let others = statement(json!(provider_arn(ISSUER)), &[("StringNotLike", &sub, json!("*:checkout"))]);
    let excluded = correct(&policy(&[others]), &checkout()).unwrap_err();
    assert!(matches!(excluded, Uncorrected::Excluded(0, _)), "{excluded:?}");
}

#[test]
fn swapped_subject_is_another_ones_and_stays() {
    let sub = key(ISSUER, "sub");
    let swapped = "system:serviceaccount:checkout:payments";
    let wrong = policy(&[statement(json!(provider_arn(ISSUER)), &[("StringEquals", &sub, json!(swapped))])]);
    let fixed = corrected(&wrong, &checkout());
    allows(&fixed.document, &checkout());
    allows(&fixed.document, &token(ISSUER, swapped));
}

#[test]
fn audience_that_would_open_the_cluster_opens_it_for_the_token_alone() {
    let aud = key(ISSUER, "aud");
    let mut open =
        statement(json!(provider_arn(ISSUER)), &[("ForAllValues:StringEquals", &aud, json!("my-audience"))]);
    open["Principal"] = json!({"AWS": "*"});
    for wrong in [
        policy(&[open]),
        policy(&[statement(json!(provider_arn(ISSUER)), &[("StringEquals", &aud, json!("my-audience"))])]),
    ] {
        let fixed = corrected(&wrong, &checkout());
        allows(&fixed.document, &checkout());
        refuses(&fixed.document, &token(ISSUER, CART));
    }
}

#[test]
fn words_that_no_token_has_are_replaced_as_patterns() {
    let sub = key(ISSUER, "sub");
    for (operator, wrong, right) in [
        ("StringEquals", "System:ServiceAccount:Payments:Checkout", CHECKOUT),
        ("StringLike", "system:serviceaccount:Payments:ch*", "system:serviceaccount:payments:ch*"),
        ("StringLike", "payments:ch*", "system:serviceaccount:payments:ch*"),
        ("StringEquals", "payments:checkout", CHECKOUT),
        ("StringEquals", "system:serviceaccount:payments:checkout\u{a0}", CHECKOUT),
    ] {
        let of = |value: &str| {
            policy(&[statement(json!(provider_arn(ISSUER)), &[(operator, &sub, json!([CART, value]))])])
        };
        let fixed = corrected(&of(wrong), &checkout());
        assert_eq!((fixed.kind, fixed.document), (CorrectionKind::InPlace(0), of(right)), "{wrong}");
    }
}

#[test]
fn policy_that_iam_would_not_store_is_not_printed() {
    let many: Vec<String> =
        (0..200).map(|index| format!("system:serviceaccount:payments:app-{index}")).collect();
    let wrong = policy(&[statement(
        json!(provider_arn(ISSUER)),
        &[("StringEquals", &key(ISSUER, "sub"), json!(many))],
    )]);
    assert!(matches!(correct(&wrong, &checkout()), Err(Uncorrected::TooLong(_))));
}

// --- Any policy -------------------------------------------------------------------------------

/// The guards of a statement, as operator, key and value, by the list above.
fn guards_of(statement: &Value) -> BTreeSet<(String, String, String)> {
    let is_guard =
        |(operator, key, value): &&(&str, &str, &str)| statement["Condition"][operator][key] == json!(value);
    GUARDS
        .iter()
        .filter(is_guard)
        .map(|(operator, key, value)| ((*operator).into(), (*key).into(), (*value).into()))
        .collect()
}

/// All subjects that a policy names, as written.
fn named_subjects(policy: &Value) -> Vec<String> {
    let text = policy.to_string();
    SUBJECTS
        .iter()
        .filter(|subject| text.contains(&format!("\"{subject}\"")))
        .map(|subject| (*subject).to_owned())
        .collect()
}

/// Whether a text fits a pattern of stars, by recursion.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, rest)) => text
            .strip_prefix(before)
            .is_some_and(|left| (0..=left.len()).any(|taken| fits(rest, &left[taken..]))),
    }
}

/// Calls to try: of each issuer, with subjects that fit what can be said, and some that do not.
fn callers() -> Vec<Request> {
    let subjects = [
        CHECKOUT,
        CART,
        "system:serviceaccount:payments:other",
        "system:serviceaccount:store:checkout",
        "system:serviceaccount:checkout:payments",
        "system:serviceaccount:zoo:zebra",
        "system:serviceaccount:payments:checkout-2",
    ];
    let mut callers = Vec::new();
    for issuer in ISSUERS {
        for subject in subjects {
            for audience in ["sts.amazonaws.com", "my-audience", "third"] {
                callers.push(Request { audience: vec![audience.to_owned()], ..token(issuer, subject) });
            }
        }
    }
    callers
}

/// The call with each guard met that can be.
fn with_guards_met(mut request: Request) -> Request {
    for (name, value) in [
        ("aws:sourceip", "203.0.113.5"),
        ("aws:sourcevpce", "vpce-1"),
        ("sts:rolesessionname", "irsa-x"),
        ("aws:useragent", "x"),
    ] {
        request.extra_keys.insert(name.to_owned(), vec![value.to_owned()]);
    }
    request
}

fn lets_in(policy: &Value, request: &Request) -> bool {
    matches!(decision(policy, request), Decision::Allows(_))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn correction_drops_no_guard_loses_nobody_and_lets_no_stranger_in(before in any_policy(1..4)) {
        let request = checkout();
        let Ok(fixed) = correct(&before, &request) else { return Ok(()) };
        let after = &fixed.document;
        prop_assert!(document::parse(&after.to_string()).is_ok());
        let (old, new) = (before["Statement"].as_array().unwrap(), after["Statement"].as_array().unwrap());

        // Every statement but the corrected one is there as it was, and in its order.
        let kept: Vec<&Value> = match fixed.kind {
            CorrectionKind::InPlace(index) | CorrectionKind::Split(index) => {
                old.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, it)| it).collect()
            }
            CorrectionKind::Copied(_) | CorrectionKind::Added => old.iter().collect(),
        };
        let mut rest = new.iter();
        prop_assert!(kept.iter().all(|statement| rest.any(|it| it == *statement)), "{before:#}\n{after:#}");

        // What is new has the guards of the statement that it comes from.
        let origin = match fixed.kind {
            CorrectionKind::InPlace(index) | CorrectionKind::Split(index) | CorrectionKind::Copied(index) => Some(index),
            CorrectionKind::Added => None,
        };
        for statement in new.iter().filter(|statement| !old.contains(statement)) {
            if let Some(index) = origin {
                prop_assert!(guards_of(statement).is_superset(&guards_of(&old[index])), "{before:#}\n{after:#}");
            }
        }

        // The token gets in where the guards are met, unless one of them is of a kind that nothing meets.
        let met = with_guards_met(request.clone());
        let may = |decision: &Decision| matches!(decision, Decision::Allows(_) | Decision::Undecidable(_));
        let denies = before.to_string().contains("Deny");
        prop_assert!(denies || may(&decision(after, &met)), "{before:#}\n{after:#}");
        if fixed.guards.is_empty() && !denies {
            prop_assert!(lets_in(after, &request), "{before:#}\n{after:#}");
        }

        let named = named_subjects(&before);
        let is_named = |subject: &str| {
            let meant = |pattern: &String| {
                let small = pattern.to_lowercase();
                fits(&small, subject) || fits(&format!("system:serviceaccount:{small}"), subject)
            };
            subject == CHECKOUT || named.iter().any(meant)
        };
        for caller in callers().into_iter().map(with_guards_met) {
            let (had, has) = (decision(&before, &caller), decision(after, &caller));
            if matches!(had, Decision::Allows(_)) {
                prop_assert!(matches!(has, Decision::Allows(_)), "{} is lost\n{before:#}\n{after:#}", caller.subject);
            } else if had == Decision::Refuses && may(&has) {
                prop_assert!(is_named(&caller.subject), "{} is a stranger\n{before:#}\n{after:#}", caller.subject);
            }
        }
    }
}
