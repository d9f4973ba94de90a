//! Issuers, providers and keys that are nearly those of the token: made of the words that a host of EKS is made of.

use iam_trust::correct::correct;
use iam_trust::evaluate::evaluate;
use iam_trust::mismatch::{explain_refusal, issuer_difference};
use iam_trust::request::Request;
use iam_trust::{arn, document};
use proptest::prelude::*;
use serde_json::json;

/// Text of up to some thousand characters: one of the words, again and again, or a few of them.
fn nearly_an_issuer() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "oidc",
        "eks",
        "oidc-eks",
        ".",
        "eu-west-1",
        "amazonaws.com",
        "api.aws",
        ".cn",
        "/id/",
        "5D5A",
        "https://",
        "http://",
        "arn:aws:iam::111122223333:oidc-provider/",
        ":",
        "/",
        "*",
        "\u{200b}",
        "É",
    ]);
    let repeated = (word.clone(), 1..1500_usize).prop_map(|(word, times)| word.repeat(times));
    let several = prop::collection::vec(word.clone(), 0..12).prop_map(|words| words.concat());
    let dotted = prop::collection::vec(word, 1..8).prop_map(|words| words.join("."));
    let ends =
        |middle: String| format!("oidc.eks.{middle}.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C");
    prop_oneof![several.clone(), dotted.prop_map(ends), repeated, several.prop_map(ends)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_issuer_beside_any_other(one in nearly_an_issuer(), other in nearly_an_issuer()) {
        let _ = issuer_difference(&one, &other);
        let role = arn::parse("arn:aws:iam::111122223333:role/app").unwrap();
        let request = Request::new(&role, &format!("https://{one}"), "system:serviceaccount:a:b", &["sts.amazonaws.com".to_owned()]);
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": format!("arn:aws:iam::111122223333:oidc-provider/{other}")},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {format!("{other}:sub"): "system:serviceaccount:a:b"}},
        }]});
        if let Ok(document) = document::read(&policy) {
            let evaluation = evaluate(&document, &request);
            let _ = (explain_refusal(&document, &evaluation, &request), correct(&policy, &request));
        }
    }
}
