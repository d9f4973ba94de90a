//! Calls and policies, made up: of what can be said in one, and near it.

use std::collections::BTreeMap;

use iam_trust::arn::{self, RoleArn};
use iam_trust::issuer_without_scheme;
use iam_trust::request::Request;
use proptest::prelude::*;
use serde_json::{Value, json};

pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/my-role";
pub(crate) const ISSUER: &str =
    "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE";
pub(crate) const SUBJECT: &str = "system:serviceaccount:default:my-service-account";
pub(crate) const AUDIENCE: &str = "sts.amazonaws.com";

/// The call of the pod `default/my-service-account`.
pub(crate) fn request() -> Request {
    Request {
        role: role(ROLE),
        issuer: ISSUER.to_owned(),
        subject: SUBJECT.to_owned(),
        audience: vec![AUDIENCE.to_owned()],
        session_name: None,
        time: None,
        extra_keys: BTreeMap::new(),
    }
}

pub(crate) fn role(arn: &str) -> RoleArn {
    arn::parse(arn).unwrap()
}

/// A text that could mean something to a policy.
pub(crate) fn text() -> impl Strategy<Value = String> {
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

pub(crate) fn roles() -> impl Strategy<Value = RoleArn> {
    let partition = prop::sample::select(vec!["aws", "aws-cn", "aws-us-gov"]);
    (partition, "[0-9]{12}")
        .prop_map(|(partition, account)| role(&format!("arn:{partition}:iam::{account}:role/a")))
}

/// Operators that exist, and others.
pub(crate) fn operator() -> impl Strategy<Value = String> {
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

pub(crate) fn key() -> impl Strategy<Value = String> {
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

pub(crate) fn value() -> impl Strategy<Value = Value> {
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
pub(crate) fn policy() -> impl Strategy<Value = Value> {
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
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
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
