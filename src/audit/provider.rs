//! The OIDC provider that an operator hands in, held against a token's issuer and audience.
//!
//! Accepted is what `aws iam get-open-id-connect-provider` prints, which names the provider by its URL without
//! the scheme, and `aws iam list-open-id-connect-providers`, which lists the ARNs of all.

use std::time::SystemTime;

use serde_json::Value;

use super::printed::{self, Unusable};
use super::report::time;
use crate::trust_policy::issuer_in_iam;
use crate::trust_policy::near_miss::{IssuerGap, issuer_gap};

/// What was handed in of an account's providers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenProvider {
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
pub fn read(bytes: &[u8]) -> Result<GivenProvider, Unusable> {
    let value = printed::json(&printed::text(bytes)?)?;
    if let Some(providers) = value.get("OpenIDConnectProviderList").and_then(Value::as_array) {
        let arn = |provider: &Value| provider.get("Arn").and_then(Value::as_str).map(str::to_owned);
        return Ok(GivenProvider::Listed(providers.iter().filter_map(arn).collect()));
    }
    for (name, what) in OTHERS {
        if value.get(name).is_some() {
            return Err(Unusable::Another(what));
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
            texts.ok_or(Unusable::Without(name))
        }
    };
    Ok(GivenProvider::One(Provider {
        url: issuer_in_iam(url.ok_or(Unusable::Without("Url"))?).to_owned(),
        arn: text("OpenIDConnectProviderArn").or_else(|| text("Arn")),
        client_ids: texts("ClientIDList")?,
        thumbprints: texts("ThumbprintList")?,
        created_at: text("CreateDate").as_deref().and_then(time),
    }))
}

/// What is printed by other commands that are near at hand: a member that tells it, and what it is.
const OTHERS: [(&str, &str); 4] = [
    ("Role", "a role, which belongs after --trust-policy"),
    ("Statement", "a policy, which belongs after --trust-policy"),
    ("cluster", "an EKS cluster, and no OIDC provider of IAM's"),
    ("jwks_uri", "the issuer's own discovery document, and not the OIDC provider that IAM has of it"),
];

/// Whether a provider is one for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// It is.
    Fits,
    /// It is that of another issuer; how that differs.
    Issuer(IssuerGap),
    /// None of the token's audiences is among its client ids; the one that was most likely meant.
    Audience(Option<NearClientId>),
}

/// A client id that is nearly an audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearClientId {
    /// The client id.
    pub id: String,
    /// How it differs.
    pub slip: ClientIdSlip,
}

/// How a client id differs from an audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientIdSlip {
    /// It has characters that nobody sees, at these places, counted from 1.
    Invisible(Vec<(char, usize)>),
    /// In capital letters only.
    Case,
    /// It has a scheme, `https://`, or a slash at its end.
    Url,
    /// In a few characters.
    Typo,
}

/// The most characters of a client id. Source: the IAM API model, `clientIDType`.
const LONGEST_CLIENT_ID: usize = 255;

/// The most edits between what was meant and what was written: `sts.amazon.com` is three away.
const MOST_EDITS: usize = 3;

impl Provider {
    /// Whether a token of this issuer and with these audiences is accepted.
    #[must_use]
    pub fn fit(&self, issuer: &str, audience: &[String]) -> Fit {
        let issuer = issuer_in_iam(issuer);
        if self.url != issuer {
            return Fit::Issuer(issuer_gap(&self.url, issuer));
        }
        if audience.iter().any(|audience| self.client_ids.contains(audience)) {
            return Fit::Fits;
        }
        let slips = self.client_ids.iter().flat_map(|id| {
            let slip = |audience: &String| {
                slip(id, audience).map(|(distance, slip)| (distance, NearClientId { id: id.clone(), slip }))
            };
            audience.iter().filter_map(slip)
        });
        Fit::Audience(slips.min_by_key(|(distance, _)| *distance).map(|(_, near)| near))
    }
}

/// How a client id differs from an audience, if little, and how far that is.
fn slip(id: &str, audience: &str) -> Option<(usize, ClientIdSlip)> {
    let hidden = invisible(id);
    let seen: String = id.chars().filter(|c| !is_invisible(*c)).collect();
    if !hidden.is_empty() && seen == audience {
        return Some((0, ClientIdSlip::Invisible(hidden)));
    }
    if id.eq_ignore_ascii_case(audience) {
        return Some((0, ClientIdSlip::Case));
    }
    let bare = |text: &str| {
        let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        text.trim_end_matches('/').to_owned()
    };
    if bare(id) == bare(audience) {
        return Some((0, ClientIdSlip::Url));
    }
    if [id, audience].iter().any(|text| text.chars().count() > LONGEST_CLIENT_ID) {
        return None;
    }
    let edits = strsim::osa_distance(id, audience);
    let is_little = edits <= MOST_EDITS && edits * 3 <= audience.chars().count();
    is_little.then_some((edits, ClientIdSlip::Typo))
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

/// Of the ARNs of an account's providers the one for an issuer, or else the nearest.
#[must_use]
pub fn of_list<'a>(arns: &'a [String], issuer: &str) -> Option<(&'a str, Option<IssuerGap>)> {
    let issuer = issuer_in_iam(issuer);
    let url = |arn: &'a String| Some((arn.as_str(), arn.split_once(":oidc-provider/")?.1));
    let gaps = arns.iter().filter_map(url).map(|(arn, url)| {
        let gap = (url != issuer).then(|| issuer_gap(url, issuer));
        (arn, gap)
    });
    gaps.min_by_key(|(_, gap)| match gap {
        None => 0,
        // What is no issuer of EKS's was hardly meant.
        Some(IssuerGap::Whole) => 3,
        Some(IssuerGap::Cluster) => 2,
        Some(_) => 1,
    })
}

#[cfg(test)]
mod tests {
    use super::{ClientIdSlip, Fit, GivenProvider, NearClientId, Provider, of_list, read};
    use crate::audit::printed::Unusable;
    use crate::trust_policy::near_miss::IssuerGap;
    use serde_json::{Value, json};

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
            GivenProvider::One(provider) => provider,
            GivenProvider::Listed(arns) => panic!("{arns:?}"),
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
        assert_eq!(read(crlf.as_bytes()), Ok(GivenProvider::One(provider)));
    }

    #[test]
    fn what_is_no_provider_is_named() {
        let with = |name: &str, value: Value| {
            let mut provider = printed();
            provider[name] = value;
            provider.to_string()
        };
        for (text, expected) in [
            (String::new(), Unusable::Empty),
            ("{}".to_owned(), Unusable::Without("Url")),
            ("[]".to_owned(), Unusable::Without("Url")),
            (with("Url", json!("")), Unusable::Without("Url")),
            (with("Url", json!(1)), Unusable::Without("Url")),
            (with("ClientIDList", json!("sts.amazonaws.com")), Unusable::Without("ClientIDList")),
            (with("ClientIDList", json!([1])), Unusable::Without("ClientIDList")),
        ] {
            assert_eq!(read(text.as_bytes()), Err(expected), "{text}");
        }
        for text in ["{", "CLIENTIDLIST\tsts.amazonaws.com"] {
            assert!(matches!(read(text.as_bytes()), Err(Unusable::NotJson(_))), "{text}");
        }
        for name in ["Role", "Statement", "cluster", "jwks_uri"] {
            assert!(matches!(read(with(name, json!({})).as_bytes()), Err(Unusable::Another(_))), "{name}");
        }
    }

    #[test]
    fn whether_it_is_one_for_the_token() {
        let near =
            |id: &str, slip: ClientIdSlip| Fit::Audience(Some(NearClientId { id: id.to_owned(), slip }));
        for (ids, audience, expected) in [
            (&["sts.amazonaws.com"][..], &["sts.amazonaws.com"][..], Fit::Fits),
            (&["a", "sts.amazonaws.com"], &["vault", "sts.amazonaws.com"], Fit::Fits),
            (&[], &["sts.amazonaws.com"], Fit::Audience(None)),
            (&["sigstore"], &["sts.amazonaws.com"], Fit::Audience(None)),
            (
                &["sts.amazonaws.com\u{200b}"],
                &["sts.amazonaws.com"],
                near("sts.amazonaws.com\u{200b}", ClientIdSlip::Invisible(vec![('\u{200b}', 18)])),
            ),
            (
                &["\u{feff}sts.amazon\u{ad}aws.com "],
                &["sts.amazonaws.com"],
                near(
                    "\u{feff}sts.amazon\u{ad}aws.com ",
                    ClientIdSlip::Invisible(vec![('\u{feff}', 1), ('\u{ad}', 12), (' ', 20)]),
                ),
            ),
            (&["STS.amazonaws.com"], &["sts.amazonaws.com"], near("STS.amazonaws.com", ClientIdSlip::Case)),
            (
                &["https://sts.amazonaws.com/"],
                &["sts.amazonaws.com"],
                near("https://sts.amazonaws.com/", ClientIdSlip::Url),
            ),
            (&["sts.amazon.com"], &["sts.amazonaws.com"], near("sts.amazon.com", ClientIdSlip::Typo)),
            (
                &["sts.amazon.com", "sts.amazonaws.com\n"],
                &["sts.amazonaws.com"],
                near("sts.amazonaws.com\n", ClientIdSlip::Invisible(vec![('\n', 18)])),
            ),
            (
                &["sts.amazonaws.com.cn"],
                &["sts.amazonaws.com"],
                near("sts.amazonaws.com.cn", ClientIdSlip::Typo),
            ),
            (&["a"], &["b"], Fit::Audience(None)),
        ] {
            let mut provider = printed();
            provider["ClientIDList"] = json!(ids);
            let audience: Vec<String> = audience.iter().copied().map(str::to_owned).collect();
            assert_eq!(one(&provider).fit(ISSUER, &audience), expected, "{ids:?} {audience:?}");
        }
        let provider = one(&printed());
        let audience = ["sts.amazonaws.com".to_owned()];
        for (issuer, gap) in [
            (ISSUER.replace("8B7C", "8B7D"), IssuerGap::Cluster),
            (ISSUER.replace("eu-west-1", "eu-west-2"), IssuerGap::Region),
            (format!("{ISSUER}/"), IssuerGap::Slash),
            (
                "https://oidc-eks.eu-west-1.api.aws/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C".to_owned(),
                IssuerGap::DualStack,
            ),
        ] {
            assert_eq!(provider.fit(&issuer, &audience), Fit::Issuer(gap), "{issuer}");
        }
        let huge = Provider { client_ids: vec!["x".repeat(1 << 20)], ..provider };
        assert_eq!(huge.fit(ISSUER, &audience), Fit::Audience(None));
    }

    #[test]
    fn the_nearest_of_a_list() {
        let arn = |url: &str| format!("arn:aws:iam::111122223333:oidc-provider/{url}");
        let list = |urls: &[&str]| {
            let arns: Vec<Value> = urls.iter().map(|url| json!({"Arn": arn(url)})).collect();
            let text = json!({"OpenIDConnectProviderList": arns}).to_string();
            match read(text.as_bytes()).unwrap() {
                GivenProvider::Listed(arns) => arns,
                GivenProvider::One(provider) => panic!("{provider:?}"),
            }
        };
        let github = "token.actions.githubusercontent.com";
        let other = URL.replace("8B7C", "8B7D");
        let region = URL.replace("eu-west-1", "eu-west-2");
        for (urls, expected) in [
            (&[github, &other, URL][..], Some((URL, None))),
            (&[github, &other, &region], Some((&region, Some(IssuerGap::Region)))),
            (&[github, &other], Some((&other, Some(IssuerGap::Cluster)))),
            (&[github], Some((github, Some(IssuerGap::Whole)))),
            (&[], None),
        ] {
            let expected = expected.map(|(url, gap): (&str, Option<IssuerGap>)| (arn(url), gap));
            let found = list(urls);
            let found = of_list(&found, ISSUER).map(|(arn, gap)| (arn.to_owned(), gap));
            assert_eq!(found, expected, "{urls:?}");
        }
    }
}
