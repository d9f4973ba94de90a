//! Policies of statements that are meant for the tokens of three clusters, or nearly.

use iam_trust::request::Request;
use iam_trust::{arn, issuer_without_scheme};
use proptest::collection::SizeRange;
use proptest::prelude::*;
use serde_json::{Value, json};

pub(crate) const ISSUER: &str =
    "https://oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";
pub(crate) const OTHER_ISSUER: &str =
    "https://oidc.eks.eu-west-1.amazonaws.com/id/0A1B2C3D4E5F60718293A4B5C6D7E8F9";
pub(crate) const THIRD_ISSUER: &str =
    "https://oidc.eks.eu-west-1.amazonaws.com/id/00000000000000000000000000000000";
pub(crate) const CHECKOUT: &str = "system:serviceaccount:payments:checkout";
pub(crate) const CART: &str = "system:serviceaccount:payments:cart";

/// The call of a token of this issuer and subject.
pub(crate) fn token(issuer: &str, subject: &str) -> Request {
    Request::new(
        &arn::parse("arn:aws:iam::111122223333:role/app").unwrap(),
        issuer,
        subject,
        &["sts.amazonaws.com".to_owned()],
    )
}

pub(crate) fn provider_arn(issuer: &str) -> String {
    format!("arn:aws:iam::111122223333:oidc-provider/{}", issuer_without_scheme(issuer))
}

pub(crate) fn key(issuer: &str, claim: &str) -> String {
    format!("{}:{claim}", issuer_without_scheme(issuer))
}

pub(crate) fn policy(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

pub(crate) const SUBJECTS: [&str; 12] = [
    CHECKOUT,
    CART,
    "system:serviceaccount:payments:*",
    "system:serviceaccount:payments:ch*",
    "system:serviceaccount:*:checkout",
    "system:serviceaccount:store:checkout",
    "system:serviceaccount:checkout:payments",
    "system:serviceaccount:Payments:checkout",
    "payments:checkout",
    "system:serviceaccount:*:*",
    "sts.amazonaws.com",
    "*",
];
pub(crate) const ISSUERS: [&str; 3] = [ISSUER, OTHER_ISSUER, THIRD_ISSUER];
const AUDIENCES: [&str; 3] = ["sts.amazonaws.com", "my-audience", CHECKOUT];
/// The conditions that are not about a token: operator, key, value.
pub(crate) const GUARDS: [(&str, &str, &str); 10] = [
    ("IpAddress", "aws:SourceIp", "203.0.113.0/24"),
    ("StringEquals", "aws:SourceVpce", "vpce-1"),
    ("StringLike", "sts:RoleSessionName", "irsa-*"),
    ("StringEquals", "sts:ExternalId", "x"),
    ("StringNotEquals", "aws:PrincipalTag/team", "x"),
    ("StringEqualsIfExists", "aws:PrincipalOrgID", "o-1"),
    ("Bool", "aws:SecureTransport", "true"),
    ("StringOdd", "aws:UserAgent", "x"),
    ("Null", "aws:TokenIssueTime", "true"),
    ("StringNotLike", "oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C:sub", "*:admin"),
];

fn provider() -> BoxedStrategy<String> {
    let right = prop::sample::select(ISSUERS.to_vec()).prop_map(provider_arn);
    prop_oneof![
        6 => right.clone(),
        1 => right.clone().prop_map(|arn| arn.replace("arn:aws:", "arn:aws-cn:")),
        1 => right.clone().prop_map(|arn| arn.replace("111122223333", "444455556666")),
        1 => right.prop_map(|arn| arn.replace("oidc-provider/", "oidc-provider/https://")),
    ]
    .boxed()
}

fn one_or_several<T: Clone + std::fmt::Debug + 'static>(
    one: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = Value>
where
    Value: From<T> + From<Vec<T>>,
{
    prop_oneof![3 => one.clone().prop_map(Value::from), 1 => prop::collection::vec(one, 1..4).prop_map(Value::from)]
}

prop_compose! {
    fn token_condition()(
        operator in prop::sample::select(vec![
            "StringEquals", "StringEquals", "StringLike", "ForAnyValue:StringEquals", "ForAllValues:StringLike",
            "StringEqualsIgnoreCase", "StringEqualsIfExists", "StringLikeIfExists",
        ]),
        issuer in prop::sample::select(vec![ISSUER, ISSUER, ISSUER, OTHER_ISSUER, THIRD_ISSUER]),
        is_subject in prop::bool::weighted(0.7),
        scheme in prop::bool::weighted(0.05),
        subjects in one_or_several(prop::sample::select(SUBJECTS.to_vec()).prop_map(str::to_owned)),
        audiences in one_or_several(prop::sample::select(AUDIENCES.to_vec()).prop_map(str::to_owned)),
    ) -> (String, String, Value) {
        let key = key(issuer, if is_subject { "sub" } else { "aud" });
        let key = if scheme { format!("https://{key}") } else { key };
        (operator.to_owned(), key, if is_subject { subjects } else { audiences })
    }
}

prop_compose! {
    fn any_statement()(
        federated in one_or_several(provider()),
        kind in 0..12,
        action in prop::sample::select(vec!["sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithWebIdentity", "sts:*", "sts:AssumeRole"]),
        denies in prop::bool::weighted(0.05),
        about in prop::collection::vec(token_condition(), 0..4),
        guards in prop::collection::vec(prop::sample::select(GUARDS.to_vec()), 0..2),
    ) -> Value {
        let mut condition = json!({});
        for (operator, key, value) in about {
            condition[operator][key] = value;
        }
        for (operator, key, value) in guards {
            condition[operator][key] = json!(value);
        }
        let principal = match kind {
            0 => json!({"AWS": "*"}),
            1 => json!({"Service": "ec2.amazonaws.com"}),
            _ => json!({"Federated": federated}),
        };
        let effect = if denies { "Deny" } else { "Allow" };
        json!({"Effect": effect, "Principal": principal, "Action": action, "Condition": condition})
    }
}

/// A policy of so many statements.
pub(crate) fn any_policy(statements: impl Into<SizeRange>) -> impl Strategy<Value = Value> {
    prop::collection::vec(any_statement(), statements).prop_map(|statements| policy(&statements))
}
