//! Whatever trust policy an audit is given, it judges as the evaluator decides, and what it says can be printed.

use std::time::UNIX_EPOCH;

use iam_trust::document;
use iam_trust::evaluate::{Decision, evaluate};
use iam_trust::needed;
use irsa_probe::audit;
use irsa_probe::run::Verdict;
use irsa_probe::token::{Bound, Claims};
use proptest::prelude::*;

use generated::{any_json, policy, request, roles, text};

#[path = "../../../crates/iam-trust/tests/it/generated.rs"]
mod generated;

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

/// Judges a text as the audit does: it passes if the policy allows, and whatever it says can be printed.
fn audited(text: &str) {
    let request = request();
    let (judged, policy) = audit::trust::judge(text, &request, false, None);
    let allows = document::parse(text)
        .is_ok_and(|document| matches!(evaluate(&document, &request).decision, Decision::Allows(_)));
    assert_eq!(!matches!(judged.verdict, Verdict::Fail(_)), allows, "{text}");
    let failure = match judged.verdict {
        Verdict::Fail(diagnosis) => Some(diagnosis),
        Verdict::Pass(_) | Verdict::Warn(..) => None,
    };
    let said = failure.iter().chain(&judged.others);
    let said = said.flat_map(|it| [vec![it.cause()], it.remedy()].concat());
    let shown = policy.iter().flat_map(|policy| policy.lines.iter().map(|line| line.text.clone()));
    let changed = policy.iter().filter_map(|policy| policy.corrected.as_ref().map(|(_, diff)| diff.clone()));
    for words in said.chain(shown).chain(changed) {
        assert!(!words.contains(['\u{1b}', '\r', '\u{202e}', '\u{200b}']), "{words}");
    }
    if let Some((corrected, _)) = policy.and_then(|policy| policy.corrected) {
        can_allow(&corrected.to_string());
    }
}

/// Fails unless a policy allows the call, or does if conditions hold of which nothing is known.
fn can_allow(text: &str) {
    let can = |decision| matches!(decision, Decision::Allows(_) | Decision::Undecidable(_));
    let document = document::parse(text);
    assert!(document.is_ok_and(|document| can(evaluate(&document, &request()).decision)), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_policy_for_a_token_allows_it(claims in claims(), role in roles()) {
        let request = claims.request(&role);
        let policy = serde_json::to_string(&needed(&request).trust_policy).unwrap();
        let document = document::parse(&policy).unwrap();
        prop_assert_eq!(evaluate(&document, &request).decision, Decision::Allows(0));
    }

    #[test]
    fn any_json_in_a_policy(json in any_json(), mut policy in policy(), at in any::<prop::sample::Index>()) {
        let statements = policy["Statement"].as_array_mut().unwrap();
        let statement = at.get_mut(statements).as_object_mut().unwrap();
        let names: Vec<String> = statement.keys().cloned().collect();
        statement.insert(at.get(&names).clone(), json);
        audited(&policy.to_string());
    }

    #[test]
    fn any_text_as_a_policy(text in "\\PC{0,200}", near in "[{}\\[\\]\":,a-z0-9\u{1b}\n]{0,80}") {
        audited(&text);
        audited(&near);
    }
}
