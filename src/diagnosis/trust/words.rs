//! What refuses a token, in plain words that say what exactly differs; `«»` stand around that part.

use std::time::{Duration, UNIX_EPOCH};

use super::MismatchAt;
use crate::text::{sanitize, utc};
use iam_trust::condition::Operator;
use iam_trust::document::Condition;
use iam_trust::evaluate::{ElementKind, ElementResult};
use iam_trust::issuer_without_scheme;
use iam_trust::mismatch::{
    IssuerDifference, Mismatch, SubjectDifference, differs_invisibly, is_visible, subject_difference,
};
use iam_trust::pattern::Pattern;
use iam_trust::reach::split_subject;
use iam_trust::request::{ACTION, KeyValue, Request, is_time};

const PREFIX: &str = "system:serviceaccount:";

/// The most values of one element that are named.
const NAMED_VALUES: usize = 4;

/// The place of a statement, with its id if it has one.
pub(super) fn statement(index: usize, sid: Option<&str>) -> String {
    sid.filter(|sid| !sid.is_empty()).map_or_else(
        || format!("Statement[{index}]"),
        |sid| format!("Statement[{index}] (Sid \"{}\")", sanitize(sid)),
    )
}

/// An element in a sentence.
pub(super) fn element(what: &ElementKind) -> String {
    match what {
        ElementKind::Principal => "its Principal".to_owned(),
        ElementKind::Action(name) => format!("its {name}"),
        ElementKind::Condition { operator, key } => format!("{} on {}", sanitize(operator), sanitize(key)),
    }
}

/// Values in a sentence.
pub(in crate::diagnosis) fn values(values: &[String]) -> String {
    let named: Vec<String> =
        values.iter().take(NAMED_VALUES).map(|value| format!("\"{}\"", sanitize(value))).collect();
    match values.len() {
        0 => "nothing".to_owned(),
        all if all > NAMED_VALUES => format!("{} and {} more", named.join(", "), all - NAMED_VALUES),
        _ => named.join(" or "),
    }
}

/// Whom patterns for a subject let in.
pub(super) fn whom(patterns: &[String]) -> String {
    let mut each: Vec<String> = patterns.iter().take(NAMED_VALUES).map(|pattern| whom_by(pattern)).collect();
    let more = patterns.len().saturating_sub(NAMED_VALUES);
    if more > 0 {
        each.push(format!("those that fit {more} more patterns"));
    }
    each.join("; ")
}

fn whom_by(pattern: &str) -> String {
    let is_wild = |text: &str| text.contains(['*', '?']);
    let Some((namespace, name)) = split_subject(pattern).filter(|_| !pattern.contains("${")) else {
        return match pattern {
            "*" => "every service account of the cluster".to_owned(),
            pattern => format!("every service account whose subject fits \"{}\"", sanitize(pattern)),
        };
    };
    let whose = match name {
        "*" => "every service account".to_owned(),
        name if is_wild(name) => format!("every service account whose name fits \"{}\"", sanitize(name)),
        name => format!("the service account \"{}\"", sanitize(name)),
    };
    match namespace {
        "*" if name == "*" => format!("{whose} of the cluster"),
        "*" => format!("{whose} in any namespace"),
        namespace if is_wild(namespace) => {
            format!("{whose} in any namespace that fits \"{}\"", sanitize(namespace))
        }
        namespace => format!("{whose} in the namespace \"{}\"", sanitize(namespace)),
    }
}

/// The claim that a condition's key is about.
pub(super) fn claim(condition: &Condition) -> &str {
    condition.key.rsplit_once(':').map_or("", |(_, claim)| claim)
}

/// The key that has to stand in place of a condition's.
pub(super) fn right_key(condition: &Condition, request: &Request) -> String {
    format!(
        "the key {}:{} in place of {}",
        sanitize(request.provider()),
        sanitize(claim(condition)),
        sanitize(&condition.key)
    )
}

/// A condition on the claims of another issuer's tokens, which holds for this token since that has no such key.
pub(super) fn strange(condition: &Condition, gap: IssuerDifference, request: &Request) -> String {
    let provider = condition.key.rsplit_once(':').map_or(condition.key.as_str(), |(provider, _)| provider);
    let (key, ours) = apart(&condition.key, &format!("{}:{}", request.provider(), claim(condition)));
    let what = if gap.is_spelling() { "its key is misspelt" } else { "its key is not this cluster's" };
    let differs = match gap {
        IssuerDifference::Invisible => unseen(provider, request.provider()),
        gap => issuer_differs(gap).to_owned(),
    };
    format!(
        " There is the condition {} {}, but {what}: it is \"{key}\", and the key of these tokens is \"{ours}\" \
         ({differs}). Without the key the condition holds, and so it holds for every token of this cluster.",
        sanitize(&condition.operator),
        values(&condition.values)
    )
}

/// What is known of a key, in a sentence that begins with who has it.
pub(super) fn known(known: &KeyValue) -> String {
    match known {
        KeyValue::Values(had) => values(had).replace("\" or \"", "\" and \""),
        KeyValue::Absent => "none".to_owned(),
        KeyValue::Unknown(why) => format!("something that is not known ({why})"),
    }
}

/// Two texts with marks around the parts of them that differ: around characters if they are few, else around
/// whole words.
pub(in crate::diagnosis) fn apart(one: &str, other: &str) -> (String, String) {
    let (one, other) = (sanitize(one), sanitize(other));
    if one == other {
        return (one, other);
    }
    let (ones, others): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let same = |(one, other): &(&char, &char)| one == other;
    let mut start = ones.iter().zip(&others).take_while(same).count();
    let rest = ones.len().min(others.len()) - start;
    let mut end = ones.iter().rev().zip(others.iter().rev()).take(rest).take_while(same).count();
    let few = |text: &[char]| (1..=2).contains(&(text.len() - start - end));
    if !(few(&ones) && few(&others)) {
        let is_word = |c: Option<&char>| c.is_some_and(|c| !matches!(c, ':' | '/' | '.'));
        let (ones_differ, others_differ) = (middle(&ones, start, end), middle(&others, start, end));
        let begins_within = is_word(ones_differ.first()) || is_word(others_differ.first());
        let ends_within = is_word(ones_differ.last()) || is_word(others_differ.last());
        while begins_within && start > 0 && is_word(ones.get(start - 1)) {
            start -= 1;
        }
        while ends_within && end > 0 && is_word(ones.get(ones.len() - end)) {
            end -= 1;
        }
    }
    let mark = |text: &[char]| {
        let text_of = |part: &[char]| part.iter().collect::<String>();
        let differs = text_of(middle(text, start, end));
        let (before, after) = (middle(text, 0, text.len() - start), middle(text, text.len() - end, 0));
        format!("{}«{differs}»{}", text_of(before), text_of(after))
    };
    (mark(&ones), mark(&others))
}

/// A text without so many characters at its start and at its end.
fn middle(text: &[char], start: usize, end: usize) -> &[char] {
    text.get(start..text.len().saturating_sub(end)).unwrap_or_default()
}

/// The one of several values that has most in common with a text.
fn nearest<'v>(values: impl IntoIterator<Item = &'v String>, text: &str) -> Option<&'v String> {
    let common = |value: &String| {
        let start = value.chars().zip(text.chars()).take_while(|(one, other)| one == other).count();
        let end = value.chars().rev().zip(text.chars().rev()).take_while(|(one, other)| one == other).count();
        start + end
    };
    values.into_iter().max_by_key(|value| common(value))
}

/// What differs where nothing is seen of it.
const HIDDEN: &str = "only a character that is not seen differs";

/// Which character that is not seen is in one of two texts, and where.
fn unseen(wanted: &str, had: &str) -> String {
    let find = |text: &str, other: &str| {
        let same = text.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
        let rest = text.chars().enumerate().skip(same);
        rest.into_iter().find(|(_, c)| !is_visible(*c)).map(|(place, c)| (place + 1, u32::from(c)))
    };
    match (find(wanted, had), find(had, wanted)) {
        (Some((place, code)), _) => format!("{HIDDEN}: U+{code:04X}, at place {place} of the policy's text"),
        (None, Some((place, code))) => {
            format!("{HIDDEN}: U+{code:04X}, at place {place} of the token's text, which the policy has not")
        }
        (None, None) => HIDDEN.to_owned(),
    }
}

/// A value beside the many that it is chosen from.
fn of_many(wanted: &[String]) -> String {
    match wanted.len() {
        0 | 1 => String::new(),
        all => format!(" (the nearest of {all})"),
    }
}

/// What refuses, and what differs.
pub(super) fn cause(slip: &MismatchAt, request: &Request) -> String {
    let place = statement(slip.statement, slip.sid.as_deref());
    let what = element(&slip.element.kind);
    let said = match &slip.miss {
        Mismatch::Subject(gap) => subject(*gap, &slip.element, request),
        Mismatch::SubjectWildcard { operator } => wildcard(operator, &slip.element, request),
        Mismatch::Audience => audience(&slip.element, request),
        Mismatch::Issuer(gap) => issuer(*gap, &slip.element, request),
        Mismatch::Account(account) => {
            let (wanted, ours) = provider(&slip.element, request);
            format!(
                "{what} is \"{wanted}\", and the token's provider for this role is \"{ours}\". Only the account \
                 differs: {} there, and the role is in {}; a role trusts the OIDC providers of its own account",
                sanitize(account),
                request.role.account
            )
        }
        Mismatch::Partition(partition) => {
            let (wanted, ours) = provider(&slip.element, request);
            format!(
                "{what} is \"{wanted}\", and the token's provider for this role is \"{ours}\". The partition \
                 differs: {} there, and the role is in {}",
                sanitize(partition),
                request.role.partition.id
            )
        }
        Mismatch::Principal(_) => principal(&slip.element, request),
        Mismatch::Action => action(&slip.element),
        Mismatch::KeySwapped { of, meant } => format!(
            "{what} is about the {of} claim, and its value {} looks like {}: the key of that claim ends in :{meant}. \
             The token's {of} is {}",
            values(&slip.element.expected),
            if *meant == "sub" { "a subject" } else { "an audience" },
            known(&slip.element.actual)
        ),
        Mismatch::Other => other(&slip.element),
    };
    format!("{place} refuses: {said}.")
}

fn operator(element: &ElementResult) -> &str {
    match &element.kind {
        ElementKind::Condition { operator, .. } => operator,
        ElementKind::Principal | ElementKind::Action(_) => "",
    }
}

fn subject(gap: SubjectDifference, element: &ElementResult, request: &Request) -> String {
    let what = self::element(&element.kind);
    let had = &request.subject;
    let operator = sanitize(operator(element));
    if gap == SubjectDifference::Excluded {
        return format!(
            "{what} keeps out {}, and the token has \"{}\": {operator} rules out what it names",
            values(&element.expected),
            sanitize(had)
        );
    }
    let fitting = element.expected.iter().filter(|wanted| subject_difference(wanted, had) == gap);
    let Some(wanted) = nearest(fitting, had).or_else(|| nearest(&element.expected, had)) else {
        return format!("{what} wants no subject at all, and the token has \"{}\"", sanitize(had));
    };
    let (marked, ours) = apart(wanted, had);
    let many = of_many(&element.expected);
    let compared = format!("{what} wants \"{marked}\"{many}, and the token has \"{ours}\"");
    if wanted == had {
        return format!("{compared}: they are the same, but {operator} does not compare texts");
    }
    let parts = |subject: &str| -> (String, String) {
        let rest = subject.strip_prefix(PREFIX).unwrap_or(subject);
        let (namespace, name) = rest.split_once(':').unwrap_or((rest, ""));
        (sanitize(namespace), sanitize(name))
    };
    let ((namespace, name), (our_namespace, our_name)) = (parts(wanted), parts(had));
    let differs = match gap {
        _ if wanted.contains("${") => "with its variables replaced, that is another subject".to_owned(),
        _ if differs_invisibly(wanted, had) => unseen(wanted, had),
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
            if !wanted.starts_with(PREFIX) && had.starts_with(PREFIX) =>
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
    let wanted = element.expected.iter().find(fits).map(|value| sanitize(value)).unwrap_or_default();
    let marked = wanted.replace('*', "«*»").replace('?', "«?»");
    format!(
        "{} wants \"{marked}\"{}, and the token has \"{}\": {} takes * and ? for plain \
         characters, and under {} the pattern would fit",
        self::element(&element.kind),
        of_many(&element.expected),
        sanitize(&request.subject),
        sanitize(operator(element)),
        sanitize(like)
    )
}

fn audience(element: &ElementResult, request: &Request) -> String {
    let what = self::element(&element.kind);
    let operator_text = operator(element);
    let (operator, read) = (sanitize(operator_text), Operator::parse(operator_text));
    let had = known(&element.actual);
    if read.is_some_and(Operator::is_negated) {
        return format!(
            "{what} keeps out {}, and the token's audience is {had}: {operator} rules out what it names",
            values(&element.expected)
        );
    }
    let ([audience], Some(wanted)) = (
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
            "{what} wants {}, and the token's audience is {had}: {how}",
            values(&element.expected)
        );
    };
    let (marked, ours) = apart(wanted, audience);
    let differs = if differs_invisibly(wanted, audience) {
        unseen(wanted, audience)
    } else if wanted == audience {
        format!("they are the same, but {operator} does not compare them so")
    } else if issuer_without_scheme(wanted) == audience {
        "the audience has no https://".to_owned()
    } else if wanted.eq_ignore_ascii_case(audience) {
        format!("only capital letters differ, and {operator} tells them apart")
    } else if read.is_some_and(Operator::takes_patterns_for_text) && Pattern::parse(wanted).matches(audience)
    {
        format!("{operator} takes * and ? for plain characters")
    } else {
        "that is another audience".to_owned()
    };
    format!(
        "{what} wants \"{marked}\"{}, and the token has \"{ours}\": {differs}",
        of_many(&element.expected)
    )
}

/// The provider of a principal, or the key of a condition, and what it has to be.
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

/// The same beside each other, with marks.
fn provider(element: &ElementResult, request: &Request) -> (String, String) {
    let (wanted, ours) = providers(element, request);
    apart(&wanted, &ours)
}

fn issuer(gap: IssuerDifference, element: &ElementResult, request: &Request) -> String {
    let (wanted, ours) = provider(element, request);
    let compared = match &element.kind {
        ElementKind::Condition { operator, .. } => {
            format!(
                "{} is on the key \"{wanted}\", and the key of this token is \"{ours}\"",
                sanitize(operator)
            )
        }
        what => {
            format!("{} is \"{wanted}\", and the token's provider is \"{ours}\"", self::element(what))
        }
    };
    match gap {
        IssuerDifference::Invisible => {
            let (wanted, ours) = providers(element, request);
            format!("{compared}: {}", unseen(&wanted, &ours))
        }
        gap => format!("{compared}: {}", issuer_differs(gap)),
    }
}

/// What differs between two issuers.
pub(in crate::diagnosis) fn issuer_differs(gap: IssuerDifference) -> &'static str {
    match gap {
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
        IssuerDifference::Invisible => HIDDEN,
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
    let any = |is: fn(&str) -> bool| element.expected.iter().any(|wanted| is(wanted));
    let what = if element.expected.contains(&ours) {
        "an OIDC provider stands under Federated, not elsewhere"
    } else if any(|wanted| wanted == "pods.eks.amazonaws.com") {
        "that is for EKS Pod Identity, and this pod's token comes through IRSA"
    } else if any(|wanted| wanted == "ec2.amazonaws.com") {
        "that is for EC2 instances, as a role of nodes has it"
    } else if any(|wanted| wanted.contains(":saml-provider/")) {
        "a SAML provider takes no such token"
    } else if any(|wanted| wanted.contains(":oidc-provider/")) {
        let (wanted, ours) = provider(element, request);
        return format!(
            "its Principal is \"{wanted}\", and the token's provider is \"{ours}\": that is not how an OIDC \
             provider's ARN is written"
        );
    } else if any(|wanted| wanted.ends_with(".amazonaws.com")) {
        "that is for a service of AWS's"
    } else if element.expected.iter().all(|wanted| !wanted.starts_with("arn:") || wanted.contains(":iam::")) {
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
    let what = self::element(&element.kind);
    let ElementKind::Condition { operator, key } = &element.kind else {
        return format!("{what} does not fit");
    };
    let had = match &element.actual {
        KeyValue::Absent => "no such key".to_owned(),
        had => time_of(key, had).unwrap_or_else(|| known(had)),
    };
    let read = Operator::parse(operator);
    if read.is_some_and(Operator::is_null) {
        let (wants, has) = match element.actual {
            KeyValue::Absent => ("the key to be there", "does not have it"),
            _ => ("the key not to be there", "has it"),
        };
        return format!("{what} wants {wants}, and the call {has}");
    }
    let wants = if read.is_some_and(Operator::is_negated) { "keeps out" } else { "wants" };
    let why = match (key.to_ascii_lowercase().as_str(), &element.actual) {
        ("sts:externalid", _) => ": AssumeRoleWithWebIdentity has no external id",
        (key, KeyValue::Absent) if key.starts_with("aws:principal") => {
            ": who comes with a token is not yet a principal of AWS's"
        }
        (key, KeyValue::Absent) if key.starts_with("aws:multifactor") => ": a token is not given by a device",
        (_, KeyValue::Absent) if operator.starts_with("ForAnyValue:") => ": ForAnyValue needs a value",
        _ => "",
    };
    format!("{what} {wants} {}, and the call has {had}{why}", values(&element.expected))
}

/// The time of the call as a person reads it, if the key is about that.
fn time_of(key: &str, had: &KeyValue) -> Option<String> {
    let (true, KeyValue::Values(had)) = (is_time(key), had) else { return None };
    let seconds = had.first()?.parse().ok()?;
    Some(utc(UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?))
}

#[cfg(test)]
mod tests {
    use super::apart;
    use crate::text::sanitize;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn marks_take_nothing_away(one in "[a-c:/.\u{200b}]{0,12}|\\PC{0,300}", other in "[a-c:/.]{0,12}|\\PC{0,300}") {
            let (first, second) = apart(&one, &other);
            let bare = |text: &str| text.replace(['«', '»'], "");
            prop_assert_eq!((bare(&first), bare(&second)), (bare(&sanitize(&one)), bare(&sanitize(&other))));
        }
    }

    #[test]
    fn what_differs_is_marked() {
        for (one, other, marked) in [
            ("a:payment:b", "a:payments:b", ("a:«payment»:b", "a:«payments»:b")),
            ("111122223334", "111122223333", ("11112222333«4»", "11112222333«3»")),
            ("x/id/A", "x/id/B", ("x/id/«A»", "x/id/«B»")),
            ("https://x/y", "x/y", ("«https://»x/y", "«»x/y")),
            ("x/y/", "x/y", ("x/y«/»", "x/y«»")),
            (
                "oidc.eu-west-1.eks.b",
                "oidc.eks.eu-west-1.b",
                ("oidc.«eu-west-1.eks».b", "oidc.«eks.eu-west-1».b"),
            ),
            ("aaa", "aaaa", ("«aaa»", "«aaaa»")),
            ("", "a", ("«»", "«a»")),
            ("same", "same", ("same", "same")),
            ("a\u{200b}", "a", ("«a\\u{200b}»", "«a»")),
        ] {
            let (first, second) = apart(one, other);
            assert_eq!((first.as_str(), second.as_str()), marked);
        }
    }
}
