//! The OIDC provider that an operator hands in or that IAM shows, held against a token's issuer and audience.
//!
//! Accepted is what `aws iam get-open-id-connect-provider` prints, which names the provider by its URL without
//! the scheme, and `aws iam list-open-id-connect-providers`, which lists the ARNs of all.

use crate::diagnosis::oidc_provider::{ClientIdDifference, NearClientId};
use std::time::SystemTime;

use serde_json::Value;

use super::iam::{IamSnapshot, PROVIDER as WHAT};
use super::inputs::printed::{self, BadDocument};
use crate::aws::iam::{self, IamUnavailable};
use crate::diagnosis::Diagnosis;
use crate::diagnosis::audit::{AuditIncomplete, UnseenReason};
use crate::diagnosis::oidc_provider::{
    NearProvider, NoClientId, NoProvider, OidcProviderAudienceMissing, OidcProviderMissing, OtherProviders,
    ProviderDifference, ProviderInstead,
};
use crate::evidence::Evidence;
use crate::evidence::HasEvidence;
use crate::run::Verdict;
use crate::text::{format_utc, parse_timestamp};
use iam_trust::issuer_without_scheme;
use iam_trust::mismatch::{IssuerDifference, issuer_difference};
use iam_trust::request::Request;

/// What was handed in of an account's providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderInput {
    /// One, in full.
    One(Provider),
    /// The ARNs of all that the account has.
    Listed(Vec<String>),
}

/// A provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its URL, as IAM keeps it: without the scheme.
    pub url: String,
    /// Its ARN, where that was said, too.
    pub arn: Option<String>,
    /// The audiences that it accepts.
    pub client_ids: Vec<String>,
    /// The thumbprints of the certificates that it accepts.
    pub thumbprints: Vec<String>,
    /// When it was created.
    pub created_at: Option<SystemTime>,
}

/// Reads what was handed in.
///
/// # Errors
/// If it is no provider.
pub fn read(bytes: &[u8]) -> Result<ProviderInput, BadDocument> {
    let value = printed::json(&printed::text(bytes)?)?;
    if let Some(providers) = value.get("OpenIDConnectProviderList").and_then(Value::as_array) {
        let arn = |provider: &Value| provider.get("Arn").and_then(Value::as_str).map(str::to_owned);
        return Ok(ProviderInput::Listed(providers.iter().filter_map(arn).collect()));
    }
    for (name, what) in OTHERS {
        if value.get(name).is_some() {
            return Err(BadDocument::Another(what));
        }
    }
    let url = value.get("Url").and_then(Value::as_str).filter(|url| !url.is_empty());
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let texts = |name: &'static str| match value.get(name) {
        // The CLI leaves out a list that is empty.
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(list) => {
            let texts = list.as_array().and_then(|list| {
                list.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
            });
            texts.ok_or(BadDocument::Without(name))
        }
    };
    Ok(ProviderInput::One(Provider {
        url: issuer_without_scheme(url.ok_or(BadDocument::Without("Url"))?).to_owned(),
        arn: text("OpenIDConnectProviderArn").or_else(|| text("Arn")),
        client_ids: texts("ClientIDList")?,
        thumbprints: texts("ThumbprintList")?,
        created_at: text("CreateDate").as_deref().and_then(parse_timestamp),
    }))
}

/// What is printed by other commands that are near at hand: a member that tells it, and what it is.
const OTHERS: [(&str, &str); 4] = [
    ("Role", "a role, which belongs after --trust-policy"),
    ("Statement", "a policy, which belongs after --trust-policy"),
    ("cluster", "an EKS cluster, and no OIDC provider of IAM's"),
    ("jwks_uri", "the issuer's own discovery document, and not the OIDC provider that IAM has of it"),
];

/// The most characters of a client id. Source: the IAM API model, `clientIDType`.
const LONGEST_CLIENT_ID: usize = 255;

/// The most edits between what was meant and what was written: `sts.amazon.com` is three away.
const MOST_EDITS: usize = 3;

/// Whether one of a token's audiences is among a provider's client ids.
fn lists(client_ids: &[String], audience: &[String]) -> bool {
    audience.iter().any(|audience| client_ids.contains(audience))
}

/// The client id that was most likely meant for one of a token's audiences.
fn near(client_ids: &[String], audience: &[String]) -> Option<NearClientId> {
    let slips = client_ids.iter().flat_map(|id| {
        let slip = |audience: &String| {
            slip(id, audience).map(|(distance, slip)| (distance, NearClientId { id: id.clone(), slip }))
        };
        audience.iter().filter_map(slip)
    });
    slips.min_by_key(|(distance, _)| *distance).map(|(_, near)| near)
}

/// How a client id differs from an audience, if little, and how far that is.
fn slip(id: &str, audience: &str) -> Option<(usize, ClientIdDifference)> {
    let hidden = invisible(id);
    let seen: String = id.chars().filter(|c| !is_invisible(*c)).collect();
    if !hidden.is_empty() && seen == audience {
        return Some((0, ClientIdDifference::Invisible(hidden)));
    }
    if id.eq_ignore_ascii_case(audience) {
        return Some((0, ClientIdDifference::Case));
    }
    let bare = |text: &str| {
        let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        text.trim_end_matches('/').to_owned()
    };
    if bare(id) == bare(audience) {
        return Some((0, ClientIdDifference::Url));
    }
    if [id, audience].iter().any(|text| text.chars().count() > LONGEST_CLIENT_ID) {
        return None;
    }
    let edits = strsim::osa_distance(id, audience);
    let is_little = edits <= MOST_EDITS && edits * 3 <= audience.chars().count();
    is_little.then_some((edits, ClientIdDifference::Typo))
}

/// The characters of a text that nobody sees, and their places, counted from 1.
#[must_use]
pub fn invisible(text: &str) -> Vec<(char, usize)> {
    let places = text.chars().zip(1..);
    places.filter(|(c, _)| is_invisible(*c)).collect()
}

/// White space, control characters, and what has no width or only a direction.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{180e}' | '\u{fe00}'..='\u{fe0f}')
}

/// The ARNs of an account's providers, and how each differs from the one for an issuer; the nearest first.
#[must_use]
pub fn of_list<'a>(arns: &'a [String], issuer: &str) -> Vec<(&'a str, Option<IssuerDifference>)> {
    let issuer = issuer_without_scheme(issuer);
    let url = |arn: &'a String| Some((arn.as_str(), arn.split_once(PROVIDER)?.1));
    let gaps = arns.iter().filter_map(url).map(|(arn, url)| {
        let gap = (url != issuer).then(|| issuer_difference(url, issuer));
        (arn, gap)
    });
    let mut gaps: Vec<_> = gaps.collect();
    gaps.sort_by_key(|(_, gap)| match gap {
        None => 0,
        // What is no issuer of EKS's was hardly meant.
        Some(IssuerDifference::Whole) => 3,
        Some(IssuerDifference::Cluster) => 2,
        Some(_) => 1,
    });
    gaps
}

/// What stands in a provider's ARN before its URL.
const PROVIDER: &str = ":oidc-provider/";

/// The most providers that are named as like the one that is not there.
const MOST_NEAR: usize = 3;

/// What is known of the providers of an account.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// What was handed in.
    Given(&'a ProviderInput),
    /// What IAM says of the role's account.
    Asked {
        /// The provider with the ARN that a token needs; `None` if IAM has none.
        provider: Option<&'a iam::OidcProvider>,
        /// The ARNs of all, if IAM said those, too.
        all: Option<&'a [String]>,
    },
}

/// A provider that accepts a token, as far as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provided {
    /// Its ARN, if it was said.
    pub arn: Option<String>,
    /// Its URL, without the scheme.
    pub url: String,
    /// Its client ids, if they were seen.
    pub client_ids: Option<Vec<String>>,
    /// When it was created, if that was seen.
    pub created: Option<SystemTime>,
}

impl HasEvidence for Provided {
    fn evidence(&self) -> Evidence {
        let evidence = Evidence::new().text("oidc_provider", self.arn.as_ref().unwrap_or(&self.url));
        let evidence = match &self.client_ids {
            Some(ids) => evidence.texts("client_ids", ids),
            None => evidence.value("not_known", "its client ids: a list of providers does not show them"),
        };
        let evidence = match self.arn {
            Some(_) => evidence,
            None => evidence.value("not_known", "its account: what was given does not name it"),
        };
        evidence.text_if("created", self.created.map(format_utc).as_deref())
    }
}

/// Judges whether the role's account has a provider that accepts the token of a request.
#[must_use]
pub fn judge(request: &Request, seen: &Seen<'_>) -> Verdict<Provided> {
    match *seen {
        Seen::Given(ProviderInput::One(provider)) => of_one(request, provider),
        Seen::Given(ProviderInput::Listed(arns)) => of_arns(request, arns, |others| match list_of(arns) {
            Some(account) if account != request.role.account => {
                ProviderInstead::InListOf(account.to_owned(), others)
            }
            _ => ProviderInstead::InList(others),
        }),
        Seen::Asked { provider: Some(provider), .. } => {
            let (ids, arn) = (&provider.client_ids, Some(request.provider_arn()));
            of_client_ids(request, ids, arn, provider.created)
        }
        Seen::Asked { provider: None, all: Some(arns) } => {
            of_arns(request, arns, |others| ProviderInstead::InAccount(Some(others)))
        }
        Seen::Asked { provider: None, all: None } => missing(request, ProviderInstead::InAccount(None)),
    }
}

/// The flag that names a file with it.
pub const OIDC_PROVIDER: &str = "--oidc-provider";

/// What its client ids are called where they are not known.
const CLIENT_IDS: &str = "the client ids of the OIDC provider";

/// A provider for the token, as far as it is known.
#[derive(Debug, Clone)]
pub enum ProviderStatus {
    /// One that accepts the token.
    Accepts(Provided),
    /// One that is there; why it is not known whether it accepts the token.
    Exists(Provided, UnseenReason),
    /// Why it is not known whether there is one.
    Unknown(UnseenReason),
}

impl ProviderStatus {
    /// What is not known of it, and why.
    #[must_use]
    pub fn unseen(&self) -> Option<(&'static str, &UnseenReason)> {
        match self {
            Self::Accepts(_) => None,
            Self::Exists(_, why) => Some((CLIENT_IDS, why)),
            Self::Unknown(why) => Some((WHAT, why)),
        }
    }

    /// The provider, if there is one.
    #[must_use]
    pub fn provided(&self) -> Option<&Provided> {
        match self {
            Self::Accepts(provided) | Self::Exists(provided, _) => Some(provided),
            Self::Unknown(_) => None,
        }
    }
}

impl HasEvidence for ProviderStatus {
    fn evidence(&self) -> Evidence {
        self.provided().map_or_else(Evidence::new, Provided::evidence)
    }
}

/// Judges what was handed in.
#[must_use]
pub fn of_given(request: &Request, given: &ProviderInput) -> Verdict<ProviderStatus> {
    judge(request, &Seen::Given(given)).map(|provided| match provided.client_ids {
        Some(_) => ProviderStatus::Accepts(provided),
        None => ProviderStatus::Exists(provided, UnseenReason::NotGiven(OIDC_PROVIDER)),
    })
}

/// Judges what IAM said. Where it did not tell the provider, a list of all may still say that there is one.
#[must_use]
pub fn of_iam(request: &Request, aws: &IamSnapshot) -> Verdict<ProviderStatus> {
    let all = aws.providers.as_deref().ok();
    let seen = |provider| judge(request, &Seen::Asked { provider, all });
    let unseen = |unknown: &IamUnavailable, what| {
        vec![Diagnosis::from(AuditIncomplete::untold(what, &request.role, unknown))]
    };
    match (&aws.provider, all) {
        (Ok(provider), _) => seen(provider.as_ref()).map(ProviderStatus::Accepts),
        (Err(unknown), Some(_)) => match seen(None) {
            Verdict::Pass(provided) | Verdict::Warn(provided, _) => {
                let why = UnseenReason::Untold(unknown.clone());
                Verdict::Warn(ProviderStatus::Exists(provided, why), unseen(unknown, CLIENT_IDS))
            }
            Verdict::Fail(diagnosis) => Verdict::Fail(diagnosis),
        },
        (Err(unknown), None) => Verdict::Warn(
            ProviderStatus::Unknown(UnseenReason::Untold(unknown.clone())),
            unseen(unknown, WHAT),
        ),
    }
}

fn missing(request: &Request, instead: ProviderInstead) -> Verdict<Provided> {
    Verdict::fail(OidcProviderMissing::Seen(NoProvider { request: request.clone(), instead }))
}

/// One that was handed in.
fn of_one(request: &Request, provider: &Provider) -> Verdict<Provided> {
    let gap = match provider.url == request.provider() {
        true => provider.arn.as_deref().and_then(|arn| elsewhere(arn, request)),
        false => Some(ProviderDifference::Issuer(issuer_difference(&provider.url, request.provider()))),
    };
    match gap {
        Some(gap) => {
            let name = provider.arn.as_ref().unwrap_or(&provider.url).clone();
            missing(request, ProviderInstead::Given(NearProvider { name, gap }))
        }
        None => of_client_ids(request, &provider.client_ids, provider.arn.clone(), provider.created_at),
    }
}

/// One that is for the token's issuer.
fn of_client_ids(
    request: &Request,
    client_ids: &[String],
    arn: Option<String>,
    created: Option<SystemTime>,
) -> Verdict<Provided> {
    let (client_ids, url) = (client_ids.to_vec(), request.provider().to_owned());
    if lists(&client_ids, &request.audience) {
        return Verdict::Pass(Provided { arn, url, client_ids: Some(client_ids), created });
    }
    let (near, name) = (near(&client_ids, &request.audience), arn.unwrap_or(url));
    let found = NoClientId { request: request.clone(), name, client_ids, near };
    Verdict::fail(OidcProviderAudienceMissing::Seen(found))
}

/// All that an account has.
fn of_arns(
    request: &Request,
    arns: &[String],
    instead: impl FnOnce(OtherProviders) -> ProviderInstead,
) -> Verdict<Provided> {
    let needed = request.provider_arn();
    if arns.contains(&needed) {
        let url = request.provider().to_owned();
        return Verdict::Pass(Provided { arn: Some(needed), url, client_ids: None, created: None });
    }
    let near = of_list(arns, &request.issuer).into_iter().filter_map(|(arn, gap)| {
        let gap = match gap {
            None => elsewhere(arn, request)?,
            Some(IssuerDifference::Whole) => return None,
            Some(gap) => ProviderDifference::Issuer(gap),
        };
        Some(NearProvider { name: arn.to_owned(), gap })
    });
    let others = OtherProviders { count: arns.len(), near: near.take(MOST_NEAR).collect() };
    missing(request, instead(others))
}

/// In which other partition or account than the role's a provider for the issuer is.
fn elsewhere(arn: &str, request: &Request) -> Option<ProviderDifference> {
    let mut parts = arn.split(':').skip(1);
    let (partition, account) = (parts.next()?, parts.nth(2)?);
    if partition != request.role.partition.id {
        Some(ProviderDifference::Partition(partition.to_owned()))
    } else {
        (account != request.role.account).then(|| ProviderDifference::Account(account.to_owned()))
    }
}

/// The account that a list is of: IAM lists one account's only.
fn list_of(arns: &[String]) -> Option<&str> {
    arns.first()?.split(':').nth(4)
}

#[cfg(test)]
mod tests {
    use super::{
        ClientIdDifference, NearClientId, Provider, ProviderInput, Seen, judge, lists, near, of_list, read,
    };
    use crate::audit::inputs::printed::BadDocument;
    use crate::aws::iam;
    use crate::evidence::HasEvidence;
    use crate::run::Verdict;
    use iam_trust::arn;
    use iam_trust::mismatch::IssuerDifference;
    use iam_trust::request::Request;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::time::UNIX_EPOCH;

    const ISSUER: &str = "https://oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";
    const URL: &str = "oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";

    /// What `aws iam get-open-id-connect-provider` prints.
    fn printed() -> Value {
        json!({
            "Url": URL,
            "ClientIDList": ["sts.amazonaws.com"],
            "ThumbprintList": ["9e99a48a9960b14926bb7f3b02e22da2b0ab7280"],
            "CreateDate": "2026-11-20T09:00:00.123000+00:00",
            "Tags": []
        })
    }

    fn one(value: &Value) -> Provider {
        match read(value.to_string().as_bytes()).unwrap() {
            ProviderInput::One(provider) => provider,
            ProviderInput::Listed(arns) => panic!("{arns:?}"),
        }
    }

    #[test]
    fn a_provider_as_the_cli_prints_it() {
        let provider = one(&printed());
        assert_eq!((provider.url.as_str(), provider.arn.as_deref()), (URL, None));
        assert_eq!((provider.client_ids.len(), provider.thumbprints.len()), (1, 1));
        assert!(provider.created_at.is_some());
        assert_eq!(one(&json!({"Url": ISSUER})).url, URL);
        let crlf =
            format!("\u{feff}{}", serde_json::to_string_pretty(&printed()).unwrap().replace('\n', "\r\n"));
        assert_eq!(read(crlf.as_bytes()), Ok(ProviderInput::One(provider)));
    }

    #[test]
    fn what_is_no_provider_is_named() {
        let with = |name: &str, value: Value| {
            let mut provider = printed();
            provider[name] = value;
            provider.to_string()
        };
        for (text, expected) in [
            (String::new(), BadDocument::Empty),
            ("{}".to_owned(), BadDocument::Without("Url")),
            ("[]".to_owned(), BadDocument::Without("Url")),
            (with("Url", json!("")), BadDocument::Without("Url")),
            (with("Url", json!(1)), BadDocument::Without("Url")),
            (with("ClientIDList", json!("sts.amazonaws.com")), BadDocument::Without("ClientIDList")),
            (with("ClientIDList", json!([1])), BadDocument::Without("ClientIDList")),
        ] {
            assert_eq!(read(text.as_bytes()), Err(expected), "{text}");
        }
        for text in ["{", "CLIENTIDLIST\tsts.amazonaws.com"] {
            assert!(matches!(read(text.as_bytes()), Err(BadDocument::NotJson(_))), "{text}");
        }
        for name in ["Role", "Statement", "cluster", "jwks_uri"] {
            assert!(matches!(read(with(name, json!({})).as_bytes()), Err(BadDocument::Another(_))), "{name}");
        }
    }

    #[test]
    fn client_ids_and_what_is_nearly_one() {
        let like =
            |id: &str, slip: ClientIdDifference| (false, Some(NearClientId { id: id.to_owned(), slip }));
        for (ids, audience, expected) in [
            (&["sts.amazonaws.com"][..], &["sts.amazonaws.com"][..], (true, None)),
            (&["a", "sts.amazonaws.com"], &["vault", "sts.amazonaws.com"], (true, None)),
            (&[], &["sts.amazonaws.com"], (false, None)),
            (&["sigstore"], &["sts.amazonaws.com"], (false, None)),
            (
                &["sts.amazonaws.com\u{200b}"],
                &["sts.amazonaws.com"],
                like("sts.amazonaws.com\u{200b}", ClientIdDifference::Invisible(vec![('\u{200b}', 18)])),
            ),
            (
                &["\u{feff}sts.amazon\u{ad}aws.com "],
                &["sts.amazonaws.com"],
                like(
                    "\u{feff}sts.amazon\u{ad}aws.com ",
                    ClientIdDifference::Invisible(vec![('\u{feff}', 1), ('\u{ad}', 12), (' ', 20)]),
                ),
            ),
            (
                &["STS.amazonaws.com"],
                &["sts.amazonaws.com"],
                like("STS.amazonaws.com", ClientIdDifference::Case),
            ),
            (
                &["https://sts.amazonaws.com/"],
                &["sts.amazonaws.com"],
                like("https://sts.amazonaws.com/", ClientIdDifference::Url),
            ),
            (&["sts.amazon.com"], &["sts.amazonaws.com"], like("sts.amazon.com", ClientIdDifference::Typo)),
            (
                &["sts.amazon.com", "sts.amazonaws.com\n"],
                &["sts.amazonaws.com"],
                like("sts.amazonaws.com\n", ClientIdDifference::Invisible(vec![('\n', 18)])),
            ),
            (
                &["sts.amazonaws.com.cn"],
                &["sts.amazonaws.com"],
                like("sts.amazonaws.com.cn", ClientIdDifference::Typo),
            ),
            (&["a"], &["b"], (false, None)),
        ] {
            let texts = |texts: &[&str]| texts.iter().copied().map(str::to_owned).collect::<Vec<String>>();
            let (ids, audience) = (texts(ids), texts(audience));
            let is_listed = lists(&ids, &audience);
            let near = if is_listed { None } else { near(&ids, &audience) };
            assert_eq!((is_listed, near), expected, "{ids:?} {audience:?}");
        }
        assert_eq!(near(&["x".repeat(1 << 20)], &["sts.amazonaws.com".to_owned()]), None);
    }

    #[test]
    fn the_nearest_of_a_list() {
        let arn = |url: &str| format!("arn:aws:iam::111122223333:oidc-provider/{url}");
        let list = |urls: &[&str]| {
            let arns: Vec<Value> = urls.iter().map(|url| json!({"Arn": arn(url)})).collect();
            let text = json!({"OpenIDConnectProviderList": arns}).to_string();
            match read(text.as_bytes()).unwrap() {
                ProviderInput::Listed(arns) => arns,
                ProviderInput::One(provider) => panic!("{provider:?}"),
            }
        };
        let github = "token.actions.githubusercontent.com";
        let other = URL.replace("8B7C", "8B7D");
        let region = URL.replace("eu-west-1", "eu-west-2");
        for (urls, expected) in [
            (&[github, &other, URL][..], Some((URL, None))),
            (&[github, &other, &region], Some((&region, Some(IssuerDifference::Region)))),
            (&[github, &other], Some((&other, Some(IssuerDifference::Cluster)))),
            (&[github], Some((github, Some(IssuerDifference::Whole)))),
            (&[], None),
        ] {
            let expected = expected.map(|(url, gap): (&str, Option<IssuerDifference>)| (arn(url), gap));
            let found = list(urls);
            let found = of_list(&found, ISSUER).first().map(|(arn, gap)| ((*arn).to_owned(), *gap));
            assert_eq!(found, expected, "{urls:?}");
        }
    }

    const OURS: &str = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";

    fn request(audience: &[&str]) -> Request {
        Request {
            role: arn::parse("arn:aws:iam::111122223333:role/payments-checkout").unwrap(),
            issuer: ISSUER.to_owned(),
            subject: "system:serviceaccount:payments:checkout".to_owned(),
            audience: audience.iter().copied().map(str::to_owned).collect(),
            session_name: None,
            time: None,
            extra_keys: BTreeMap::new(),
        }
    }

    /// The name of what is wrong, and all that is said of it; or the evidence.
    fn said(request: &Request, seen: &Seen<'_>) -> (&'static str, String) {
        match judge(request, seen) {
            Verdict::Pass(provided) => ("pass", Value::Object(provided.evidence().into()).to_string()),
            Verdict::Warn(_, warnings) => panic!("{warnings:?}"),
            Verdict::Fail(found) => {
                let evidence = Value::Object(found.evidence().into()).to_string();
                let said = [vec![found.cause()], found.remedy(), vec![evidence]].concat().join("\n");
                assert!(!said.contains(['\u{200b}', '\u{feff}', '\u{1b}']), "{said}");
                (found.name().as_str(), said)
            }
        }
    }

    fn provider(url: &str, arn: Option<&str>, ids: &[&str]) -> ProviderInput {
        ProviderInput::One(Provider {
            url: url.to_owned(),
            arn: arn.map(str::to_owned),
            client_ids: ids.iter().copied().map(str::to_owned).collect(),
            thumbprints: Vec::new(),
            created_at: None,
        })
    }

    #[test]
    fn what_is_said_of_one_that_was_handed_in() {
        let usual = &["sts.amazonaws.com"][..];
        let elsewhere = OURS.replace("111122223333", "444455556666");
        let china = OURS.replace("arn:aws:", "arn:aws-cn:");
        let other = OURS.replace("8B7C", "8B7D");
        for (url, arn, ids, name, parts) in [
            (URL, None, usual, "pass", &[URL, "its account: what was given does not name it"][..]),
            (URL, Some(OURS), usual, "pass", &[OURS, r#""client_ids":["sts.amazonaws.com"]"#]),
            (
                &URL.replace("8B7C", "8B7D"),
                None,
                usual,
                "OidcProviderMissing",
                &[
                    "The OIDC provider that was given is \"oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7«D»\"",
                    "another cluster, or this one before it was created anew",
                    "Whether account 111122223333 also has one",
                    "\naws iam create-open-id-connect-provider --url https://oidc.eks.eu-west-1",
                    "A provider's URL cannot be changed.",
                    r#""gap":"cluster""#,
                ],
            ),
            (
                &URL.replace("8B7C", "8B7D"),
                Some(&other),
                usual,
                "OidcProviderMissing",
                &[r#""gap":"cluster""#],
            ),
            (
                URL,
                Some(&elsewhere),
                usual,
                "OidcProviderMissing",
                &[
                    "only the account differs, 444455556666 there, and the role is in 111122223333",
                    "\naws iam get-open-id-connect-provider --open-id-connect-provider-arn arn:aws:iam::111122223333:",
                    "the role belongs there",
                    r#""gap":"account""#,
                ],
            ),
            (URL, Some(&china), usual, "OidcProviderMissing", &["the partition differs, aws-cn there"]),
            (
                URL,
                None,
                &["sts.amazon.com", "sigstore"],
                "OidcProviderAudienceMissing",
                &[
                    "The OIDC provider oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C exists, and does not list the token's audience \"sts.amazonaws.com\": its client ids are \"sts.amazon.com\", \"sigstore\".",
                    "The client id \"sts.amazon.com\" differs in a few letters only.",
                    "\naws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn arn:aws:iam::111122223333:",
                ],
            ),
            (URL, None, &[], "OidcProviderAudienceMissing", &["it has no client id at all."]),
            (
                URL,
                None,
                &["sts\u{200b}.amazonaws.com\u{feff}"],
                "OidcProviderAudienceMissing",
                &[
                    "U+200B at place 4, U+FEFF at place 19",
                    "--client-id sts.amazonaws.com\n",
                    "\naws iam remove-client-id-from-open-id-connect-provider --open-id-connect-provider-arn arn:aws:iam::111122223333:",
                    r"--client-id $'sts\342\200\213.amazonaws.com\357\273\277'",
                ],
            ),
        ] {
            let given = provider(url, arn, ids);
            let (found, said) = said(&request(&["sts.amazonaws.com"]), &Seen::Given(&given));
            assert_eq!(found, name, "{said}");
            for part in parts {
                assert!(said.contains(part), "{part} is not in {said}");
            }
            assert_eq!(said.contains("remove-client-id"), ids.iter().any(|id| !id.is_ascii()), "{said}");
        }
    }

    #[test]
    fn an_audience_that_may_not_be_meant() {
        let given = provider(URL, None, &["sts.amazonaws.com"]);
        let (found, said) = said(&request(&["vault"]), &Seen::Given(&given));
        assert_eq!(found, "OidcProviderAudienceMissing");
        let annotation = "\nkubectl -n payments annotate serviceaccount checkout eks.amazonaws.com/audience-";
        assert!(said.contains(annotation) && said.contains("--client-id vault"), "{said}");
    }

    #[test]
    fn what_is_said_of_a_list() {
        let github = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
        let region = OURS.replace("eu-west-1", "eu-west-2");
        let clusters: Vec<String> = (1..=4).map(|n| OURS.replace("8B7C", &format!("000{n}"))).collect();
        let elsewhere = OURS.replace("111122223333", "444455556666");
        let list = |arns: &[&str]| arns.iter().copied().map(str::to_owned).collect::<Vec<_>>();
        for (arns, name, parts) in [
            (list(&[github, OURS]), "pass", &[OURS, "its client ids: a list"][..]),
            (list(&[]), "OidcProviderMissing", &["The account has no OIDC provider at all."]),
            (
                list(&[github]),
                "OidcProviderMissing",
                &["The account has one OIDC provider, of another issuer"],
            ),
            (list(&[github, github]), "OidcProviderMissing", &["has 2 OIDC providers, all of other issuers"]),
            (
                list(&[github, &region]),
                "OidcProviderMissing",
                &[
                    "Account 111122223333 has no IAM OIDC provider for the issuer https://oidc.eks.eu-west-1.",
                    "The account has 2 OIDC providers; the nearest is \"arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-«2».",
                    "only the region differs",
                    r#""near":["arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-2."#,
                ],
            ),
            (clusters.clone(), "OidcProviderMissing", &["Also like it: ", r#""providers":4"#]),
        ] {
            let of_file = ProviderInput::Listed(arns.clone());
            let request = request(&["sts.amazonaws.com"]);
            for seen in [Seen::Given(&of_file), Seen::Asked { provider: None, all: Some(&arns) }] {
                let (found, said) = said(&request, &seen);
                assert_eq!(found, name, "{said}");
                for part in parts {
                    assert!(said.contains(part), "{part} is not in {said}");
                }
                let is_by_list = matches!(seen, Seen::Given(_)) && name != "pass";
                assert_eq!(said.contains("by the list that was given"), is_by_list, "{said}");
                assert!(!said.contains("0004"), "not more than three are named: {said}");
            }
        }
        let given = ProviderInput::Listed(vec![elsewhere]);
        let (found, said) = said(&request(&["sts.amazonaws.com"]), &Seen::Given(&given));
        assert_eq!(found, "OidcProviderMissing");
        assert!(
            said.starts_with("The list of OIDC providers that was given is one of account 444455556666,"),
            "{said}"
        );
        assert!(said.contains("was not seen") && !said.contains("Account 111122223333 has no"), "{said}");
    }

    #[test]
    fn what_is_said_of_what_iam_answers() {
        let asked = |ids: &[&str]| iam::OidcProvider {
            url: Some(URL.to_owned()),
            client_ids: ids.iter().copied().map(str::to_owned).collect(),
            thumbprints: Vec::new(),
            created: Some(UNIX_EPOCH),
        };
        let request = request(&["vault", "sts.amazonaws.com"]);
        let (good, bad) = (asked(&["sts.amazonaws.com"]), asked(&["sts.amazonaws.com "]));
        let (found, evidence) = said(&request, &Seen::Asked { provider: Some(&good), all: None });
        assert_eq!(found, "pass");
        assert!(
            evidence.contains(OURS) && evidence.contains(r#""created":"1970-01-01T00:00:00Z""#),
            "{evidence}"
        );
        let (found, said_of_it) = said(&request, &Seen::Asked { provider: Some(&bad), all: None });
        assert_eq!(found, "OidcProviderAudienceMissing");
        assert!(
            said_of_it.contains("U+0020 at place 18")
                && said_of_it.contains("--client-id 'sts.amazonaws.com '")
        );
        let (found, said_of_it) = said(&request, &Seen::Asked { provider: None, all: None });
        assert_eq!(found, "OidcProviderMissing");
        assert!(said_of_it.contains("Which others the account has is not known."), "{said_of_it}");
    }
}
