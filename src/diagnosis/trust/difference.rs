//! How a trust policy differs from the call: in a sentence, and by name for the evidence. `«»` mark what differs.

use std::time::{Duration, UNIX_EPOCH};

use super::words::{self, actual, mark_difference, values};
use super::{ForeignCondition, MAX_NAMED};
use crate::text::{format_utc, sanitize};
use iam_trust::condition::Operator;
use iam_trust::evaluate::{ElementKind, ElementResult};
use iam_trust::issuer_without_scheme;
use iam_trust::mismatch::{
    ExplainedRefusal, IssuerDifference, Mismatch, SubjectDifference, differs_invisibly, is_visible,
    subject_difference,
};
use iam_trust::pattern::Pattern;
use iam_trust::request::{ACTION, KeyValue, Request, is_time};

const PREFIX: &str = "system:serviceaccount:";

/// The value that has most in common with a text.
fn nearest<'v>(values: impl IntoIterator<Item = &'v String>, text: &str) -> Option<&'v String> {
    let common = |value: &String| {
        let start = value.chars().zip(text.chars()).take_while(|(one, other)| one == other).count();
        let end = value.chars().rev().zip(text.chars().rev()).take_while(|(one, other)| one == other).count();
        start + end
    };
    values.into_iter().max_by_key(|value| common(value))
}

/// The difference of two texts that look the same.
const INVISIBLE: &str = "only a character that is not seen differs";

/// The invisible character by which two texts differ, and its place.
fn invisible(expected: &str, actual: &str) -> String {
    let find = |text: &str, other: &str| {
        let same = text.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
        let rest = text.chars().enumerate().skip(same);
        rest.into_iter().find(|(_, c)| !is_visible(*c)).map(|(place, c)| (place + 1, u32::from(c)))
    };
    match (find(expected, actual), find(actual, expected)) {
        (Some((place, code)), _) => {
            format!("{INVISIBLE}: U+{code:04X}, at place {place} of the policy's text")
        }
        (None, Some((place, code))) => {
            format!(
                "{INVISIBLE}: U+{code:04X}, at place {place} of the token's text, which the policy has not"
            )
        }
        (None, None) => INVISIBLE.to_owned(),
    }
}

/// Says that a value is the nearest of several.
fn of_several(values: &[String]) -> String {
    match values.len() {
        0 | 1 => String::new(),
        all => format!(" (the nearest of {all})"),
    }
}

/// What an element expects, what the call has, and how they differ.
pub(super) fn words(refusal: &ExplainedRefusal, request: &Request) -> String {
    let element = &refusal.element;
    let what = words::element(&element.kind);
    match &refusal.mismatch {
        Mismatch::Subject(difference) => subject(*difference, element, request),
        Mismatch::SubjectWildcard { operator } => wildcard(operator, element, request),
        Mismatch::Audience => audience(element, request),
        Mismatch::Issuer(difference) => issuer(*difference, element, request),
        Mismatch::Account(account) => {
            let (expected, ours) = marked_providers(element, request);
            format!(
                "{what} is \"{expected}\", and the token's provider for this role is \"{ours}\". Only the account \
                 differs: {} there, and the role is in {}; a role trusts the OIDC providers of its own account",
                sanitize(account),
                request.role.account
            )
        }
        Mismatch::Partition(partition) => {
            let (expected, ours) = marked_providers(element, request);
            format!(
                "{what} is \"{expected}\", and the token's provider for this role is \"{ours}\". The partition \
                 differs: {} there, and the role is in {}",
                sanitize(partition),
                request.role.partition.id
            )
        }
        Mismatch::Principal(_) => principal(element, request),
        Mismatch::Action => action(element),
        Mismatch::KeySwapped { of, meant } => format!(
            "{what} is about the {of} claim, and its value {} looks like {}: the key of that claim ends in :{meant}. \
             The token's {of} is {}",
            values(&element.expected),
            if *meant == "sub" { "a subject" } else { "an audience" },
            actual(&element.actual)
        ),
        Mismatch::Other if is_of_issuer(element, request) => {
            format!("{}: IAM has no key for the issuer of a token", other(element))
        }
        Mismatch::Other => other(element),
    }
}

/// Whether an element compares the claim `iss` with the token's issuer. IAM has no key for it. Source: "Available keys
/// for AWS OIDC federation" in the IAM User Guide.
pub(super) fn is_of_issuer(element: &ElementResult, request: &Request) -> bool {
    let ElementKind::Condition { operator, key } = &element.kind else { return false };
    let is_negated =
        Operator::parse(operator).is_none_or(|operator| operator.is_negated() || operator.is_null());
    let is_issuer = |value: &String| issuer_without_scheme(value) == request.provider();
    let own = format!("{}:iss", request.provider());
    !is_negated && key.eq_ignore_ascii_case(&own) && element.expected.iter().any(is_issuer)
}

fn operator_of(element: &ElementResult) -> &str {
    match &element.kind {
        ElementKind::Condition { operator, .. } => operator,
        ElementKind::Principal | ElementKind::Action(_) => "",
    }
}

fn subject(difference: SubjectDifference, element: &ElementResult, request: &Request) -> String {
    let what = words::element(&element.kind);
    let token_subject = &request.subject;
    let operator = sanitize(operator_of(element));
    if difference == SubjectDifference::Excluded {
        return format!(
            "{what} keeps out {}, and the token has \"{}\": {operator} rules out what it names",
            values(&element.expected),
            sanitize(token_subject)
        );
    }
    let fitting =
        element.expected.iter().filter(|expected| subject_difference(expected, token_subject) == difference);
    let Some(expected) =
        nearest(fitting, token_subject).or_else(|| nearest(&element.expected, token_subject))
    else {
        return format!("{what} wants no subject at all, and the token has \"{}\"", sanitize(token_subject));
    };
    let (marked, ours) = mark_difference(expected, token_subject);
    let many = of_several(&element.expected);
    let compared = format!("{what} wants \"{marked}\"{many}, and the token has \"{ours}\"");
    if expected == token_subject {
        return format!("{compared}: they are the same, but {operator} does not compare texts");
    }
    let parts = |subject: &str| -> (String, String) {
        let rest = subject.strip_prefix(PREFIX).unwrap_or(subject);
        let (namespace, name) = rest.split_once(':').unwrap_or((rest, ""));
        (sanitize(namespace), sanitize(name))
    };
    let ((namespace, name), (our_namespace, our_name)) = (parts(expected), parts(token_subject));
    let differs = match difference {
        _ if expected.to_ascii_lowercase().contains("${sts:rolesessionname") => {
            "its variable is the session's name, which has no colon, so no call can meet it".to_owned()
        }
        _ if expected.contains("${") => "with its variables replaced, that is another subject".to_owned(),
        SubjectDifference::Invisible => invisible(expected, token_subject),
        SubjectDifference::Namespace => {
            format!("only the namespace differs, \"{namespace}\" there and \"{our_namespace}\" in the token")
        }
        SubjectDifference::Name => {
            format!(
                "only the service account's name differs, \"{name}\" there and \"{our_name}\" in the token"
            )
        }
        SubjectDifference::Swapped => {
            format!("namespace and name are exchanged; in the token \"{our_namespace}\" is the namespace")
        }
        SubjectDifference::Case => format!("only capital letters differ, and {operator} tells them apart"),
        SubjectDifference::Prefix => format!("what stands before namespace and name has to be {PREFIX}"),
        SubjectDifference::Excluded | SubjectDifference::Whole
            if !expected.starts_with(PREFIX) && token_subject.starts_with(PREFIX) =>
        {
            format!("what stands there is no service account's subject, which is {PREFIX}NAMESPACE:NAME")
        }
        SubjectDifference::Excluded | SubjectDifference::Whole => {
            "that is another subject altogether".to_owned()
        }
    };
    format!("{compared}: {differs}")
}

fn wildcard(like: &str, element: &ElementResult, request: &Request) -> String {
    let fits =
        |value: &&String| value.contains(['*', '?']) && Pattern::parse(value).matches(&request.subject);
    let expected = element.expected.iter().find(fits).map(|value| sanitize(value)).unwrap_or_default();
    let marked = expected.replace('*', "«*»").replace('?', "«?»");
    format!(
        "{} wants \"{marked}\"{}, and the token has \"{}\": {} takes * and ? for plain \
         characters, and under {} the pattern would fit",
        words::element(&element.kind),
        of_several(&element.expected),
        sanitize(&request.subject),
        sanitize(operator_of(element)),
        sanitize(like)
    )
}

fn audience(element: &ElementResult, request: &Request) -> String {
    let what = words::element(&element.kind);
    let operator_text = operator_of(element);
    let (operator, parsed) = (sanitize(operator_text), Operator::parse(operator_text));
    let found = actual(&element.actual);
    if parsed.is_some_and(Operator::is_negated) {
        return format!(
            "{what} keeps out {}, and the token's audience is {found}: {operator} rules out what it names",
            values(&element.expected)
        );
    }
    let ([audience], Some(expected)) = (
        request.audience.as_slice(),
        request.audience.first().and_then(|audience| nearest(&element.expected, audience)),
    ) else {
        let how = if operator_text.contains(':') {
            "the values have to fit as the set operator says"
        } else {
            "a key with several values needs ForAnyValue: or ForAllValues: before the operator"
        };
        let how = if request.audience.len() > 1 { how } else { "there is nothing to compare" };
        return format!(
            "{what} wants {}, and the token's audience is {found}: {how}",
            values(&element.expected)
        );
    };
    let (marked, ours) = mark_difference(expected, audience);
    let differs = if differs_invisibly(expected, audience) {
        invisible(expected, audience)
    } else if expected == audience {
        format!("they are the same, but {operator} does not compare them so")
    } else if issuer_without_scheme(expected) == audience {
        "the audience has no https://".to_owned()
    } else if expected.eq_ignore_ascii_case(audience) {
        format!("only capital letters differ, and {operator} tells them apart")
    } else if parsed.is_some_and(Operator::takes_patterns_for_text)
        && Pattern::parse(expected).matches(audience)
    {
        format!("{operator} takes * and ? for plain characters")
    } else {
        "that is another audience".to_owned()
    };
    format!(
        "{what} wants \"{marked}\"{}, and the token has \"{ours}\": {differs}",
        of_several(&element.expected)
    )
}

/// The provider of a principal or the key of a condition: the policy's, and the one that it should be.
fn providers(element: &ElementResult, request: &Request) -> (String, String) {
    match &element.kind {
        ElementKind::Condition { key, .. } => {
            let claim = key.rsplit_once(':').map_or("sub", |(_, claim)| claim);
            (key.clone(), format!("{}:{claim}", request.provider()))
        }
        ElementKind::Principal | ElementKind::Action(_) => {
            let ours = request.provider_arn();
            (nearest(&element.expected, &ours).cloned().unwrap_or_default(), ours)
        }
    }
}

/// The same pair with marks around what differs.
fn marked_providers(element: &ElementResult, request: &Request) -> (String, String) {
    let (expected, ours) = providers(element, request);
    mark_difference(&expected, &ours)
}

fn issuer(difference: IssuerDifference, element: &ElementResult, request: &Request) -> String {
    let (expected, ours) = marked_providers(element, request);
    let compared = match &element.kind {
        ElementKind::Condition { operator, .. } => {
            format!(
                "{} is on the key \"{expected}\", and the key of this token is \"{ours}\"",
                sanitize(operator)
            )
        }
        what => {
            format!("{} is \"{expected}\", and the token's provider is \"{ours}\"", words::element(what))
        }
    };
    match difference {
        IssuerDifference::Invisible => {
            let (expected, ours) = providers(element, request);
            format!("{compared}: {}", invisible(&expected, &ours))
        }
        difference => format!("{compared}: {}", issuer_words(difference)),
    }
}

/// How two issuers differ, in a sentence.
pub(in crate::diagnosis) fn issuer_words(difference: IssuerDifference) -> &'static str {
    match difference {
        IssuerDifference::Scheme => "IAM names an issuer without https://",
        IssuerDifference::Arn => "where only the issuer belongs stands a whole ARN",
        IssuerDifference::NoArn => "where the provider's whole ARN belongs stands only the issuer",
        IssuerDifference::Slash => "only the slash at the end differs",
        IssuerDifference::Reversed => {
            "the host is turned around; EKS's issuers are oidc.eks.REGION, not oidc.REGION.eks"
        }
        IssuerDifference::DualStack => {
            "one of them is the dual-stack host oidc-eks.REGION.api.aws, and what counts is the issuer in the token"
        }
        IssuerDifference::Case => "only capital letters differ, and IAM tells them apart",
        IssuerDifference::Invisible => INVISIBLE,
        IssuerDifference::Domain => "only the domain at the host's end differs",
        IssuerDifference::Region => "only the region differs",
        IssuerDifference::Cluster => {
            "that is another cluster, or this one before it was created anew, which gave it a new id"
        }
        IssuerDifference::Whole => "that is another issuer altogether",
    }
}

fn principal(element: &ElementResult, request: &Request) -> String {
    let ours = request.provider_arn();
    let any = |is: fn(&str) -> bool| element.expected.iter().any(|expected| is(expected));
    let what = if element.expected.contains(&ours) {
        "an OIDC provider stands under Federated, not elsewhere"
    } else if any(|expected| expected == "pods.eks.amazonaws.com") {
        "that is for EKS Pod Identity, and this pod's token comes through IRSA"
    } else if any(|expected| expected == "ec2.amazonaws.com") {
        "that is for EC2 instances, as a role of nodes has it"
    } else if any(|expected| expected.contains(":saml-provider/")) {
        "a SAML provider takes no such token"
    } else if any(|expected| expected.contains(":oidc-provider/")) {
        let (expected, ours) = marked_providers(element, request);
        return format!(
            "its Principal is \"{expected}\", and the token's provider is \"{ours}\": that is not how an OIDC \
             provider's ARN is written"
        );
    } else if any(|expected| expected.ends_with(".amazonaws.com")) {
        "that is for a service of AWS's"
    } else if element
        .expected
        .iter()
        .all(|expected| !expected.starts_with("arn:") || expected.contains(":iam::"))
    {
        "accounts, users and roles come with credentials of AWS's, not with a token"
    } else {
        "that is no OIDC provider"
    };
    format!(
        "its Principal is {}, and the token's provider is \"{}\": {what}",
        values(&element.expected),
        sanitize(&ours)
    )
}

fn action(element: &ElementResult) -> String {
    match element.kind {
        ElementKind::Action("NotAction") => {
            format!(
                "its NotAction {} rules out {ACTION}, by which a token is traded",
                values(&element.expected)
            )
        }
        _ => format!("its Action is {}, and a token is traded by {ACTION}", values(&element.expected)),
    }
}

fn other(element: &ElementResult) -> String {
    let what = words::element(&element.kind);
    let ElementKind::Condition { operator, key } = &element.kind else {
        return format!("{what} does not fit");
    };
    let found = match &element.actual {
        KeyValue::Absent => "no such key".to_owned(),
        found => time_of(key, found).unwrap_or_else(|| actual(found)),
    };
    let parsed = Operator::parse(operator);
    if parsed.is_some_and(Operator::is_null) {
        let (wants, has) = match element.actual {
            KeyValue::Absent => ("the key to be there", "does not have it"),
            _ => ("the key not to be there", "has it"),
        };
        return format!("{what} wants {wants}, and the call {has}");
    }
    let wants = if parsed.is_some_and(Operator::is_negated) { "keeps out" } else { "wants" };
    let why = match (key.to_ascii_lowercase().as_str(), &element.actual) {
        ("sts:externalid", _) => ": AssumeRoleWithWebIdentity has no external id",
        (key, KeyValue::Absent) if key.starts_with("aws:principal") => {
            ": who comes with a token is not yet a principal of AWS's"
        }
        (key, KeyValue::Absent) if key.starts_with("aws:multifactor") => ": a token is not given by a device",
        (_, KeyValue::Absent) if operator.starts_with("ForAnyValue:") => ": ForAnyValue needs a value",
        _ => "",
    };
    format!("{what} {wants} {}, and the call has {found}{why}", values(&element.expected))
}

/// The time of the call for a reader, if the key is about time.
fn time_of(key: &str, actual: &KeyValue) -> Option<String> {
    let (true, KeyValue::Values(values)) = (is_time(key), actual) else { return None };
    let seconds = values.first()?.parse().ok()?;
    Some(format_utc(UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?))
}

/// Says of each condition on another issuer's claims that it holds for every token of this cluster.
pub(super) fn foreign_conditions(conditions: &[ForeignCondition], request: &Request) -> String {
    conditions.iter().take(MAX_NAMED).map(|foreign| foreign_condition(foreign, request)).collect()
}

fn foreign_condition(foreign: &ForeignCondition, request: &Request) -> String {
    let ForeignCondition { condition, difference } = foreign;
    let provider = condition.key.rsplit_once(':').map_or(condition.key.as_str(), |(provider, _)| provider);
    let (key, ours) = mark_difference(&condition.key, &format!("{}:{}", request.provider(), foreign.claim()));
    let what = if difference.is_spelling() { "its key is misspelt" } else { "its key is not this cluster's" };
    let differs = match difference {
        IssuerDifference::Invisible => invisible(provider, request.provider()),
        difference => issuer_words(*difference).to_owned(),
    };
    format!(
        " There is the condition {} {}, but {what}: it is \"{key}\", and the key of these tokens is \"{ours}\" \
         ({differs}). Without the key the condition holds, and so it holds for every token of this cluster.",
        sanitize(&condition.operator),
        values(&condition.values)
    )
}

/// How an element differs, for the evidence.
pub(super) fn name(mismatch: &Mismatch) -> Option<&'static str> {
    Some(match mismatch {
        Mismatch::Subject(difference) => match difference {
            SubjectDifference::Namespace => "namespace",
            SubjectDifference::Name => "name",
            SubjectDifference::Swapped => "swapped",
            SubjectDifference::Case => "case",
            SubjectDifference::Invisible => "invisible",
            SubjectDifference::Prefix => "prefix",
            SubjectDifference::Excluded => "excluded",
            SubjectDifference::Whole => "whole",
        },
        Mismatch::Issuer(difference) => issuer_name(*difference),
        Mismatch::SubjectWildcard { .. }
        | Mismatch::Audience
        | Mismatch::Account(_)
        | Mismatch::Partition(_)
        | Mismatch::Principal(_)
        | Mismatch::Action
        | Mismatch::KeySwapped { .. }
        | Mismatch::Other => return None,
    })
}

/// How two issuers differ, for the evidence.
pub(in crate::diagnosis) fn issuer_name(difference: IssuerDifference) -> &'static str {
    match difference {
        IssuerDifference::Scheme => "scheme",
        IssuerDifference::Arn => "arn",
        IssuerDifference::NoArn => "no-arn",
        IssuerDifference::Slash => "slash",
        IssuerDifference::Reversed => "reversed",
        IssuerDifference::DualStack => "dual-stack",
        IssuerDifference::Case => "case",
        IssuerDifference::Invisible => "hidden",
        IssuerDifference::Domain => "domain",
        IssuerDifference::Region => "region",
        IssuerDifference::Cluster => "cluster",
        IssuerDifference::Whole => "whole",
    }
}
