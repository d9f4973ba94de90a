//! Judges whether the role's account has an OIDC provider that accepts the token.

use iam_trust::issuer_without_scheme;
use iam_trust::mismatch::{IssuerDifference, issuer_difference};
use iam_trust::request::Request;

use super::client_id;
use super::iam::{IamSnapshot, PROVIDER};
use super::inputs::provider::ProviderInput;
use crate::aws::iam::{IamError, OidcProvider};
use crate::diagnosis::Diagnosis;
use crate::diagnosis::audit::{AuditIncomplete, Unavailable};
use crate::diagnosis::oidc_provider::{
    MissingClientId, MissingProvider, NearProvider, OidcProviderAudienceMissing, OidcProviderMissing,
    OtherProviders, ProviderDifference, ProviderInstead,
};
use crate::evidence::{Evidence, HasEvidence};
use crate::run::Verdict;
use crate::text::format_utc;

/// The flag that names a file with the provider.
pub(crate) const OIDC_PROVIDER: &str = "--oidc-provider";

/// What the provider's client ids are called where they are not known.
const CLIENT_IDS: &str = "the client ids of the OIDC provider";

const ARN_BEFORE_URL: &str = ":oidc-provider/";

/// The most providers that are named as similar to the missing one.
const MAX_NEAR_PROVIDERS: usize = 3;

/// The provider for the token, as far as it is known.
#[derive(Debug, Clone)]
pub(crate) enum ProviderStatus {
    Accepts(OidcProvider),
    /// One with this ARN exists. Whether it accepts the token is not known.
    Exists(String, Unavailable),
    Unknown(Unavailable),
}

impl ProviderStatus {
    pub(crate) fn unavailable(&self) -> Option<&Unavailable> {
        match self {
            Self::Accepts(_) => None,
            Self::Exists(_, unavailable) | Self::Unknown(unavailable) => Some(unavailable),
        }
    }

    pub(crate) fn accepting(&self) -> Option<&OidcProvider> {
        match self {
            Self::Accepts(provider) => Some(provider),
            Self::Exists(..) | Self::Unknown(_) => None,
        }
    }
}

impl HasEvidence for ProviderStatus {
    fn evidence(&self) -> Evidence {
        let named = |name: &str| Evidence::new().text("oidc_provider", name);
        match self {
            Self::Accepts(provider) => {
                let unknown = "its account: what was given does not name it";
                named(provider.arn.as_ref().unwrap_or(&provider.url))
                    .texts("client_ids", &provider.client_ids)
                    .value_if("not_known", provider.arn.is_none().then_some(unknown))
                    .value_if("created", provider.created_at.map(format_utc))
            }
            Self::Exists(arn, _) => {
                named(arn).value("not_known", "its client ids: a list of providers does not show them")
            }
            Self::Unknown(_) => Evidence::new(),
        }
    }
}

pub(crate) fn judge_given(request: &Request, given: &ProviderInput) -> Verdict<ProviderStatus> {
    match given {
        ProviderInput::One(provider) => judge_one(request, provider),
        ProviderInput::Listed(arns) => {
            let unavailable = || Unavailable::not_given(CLIENT_IDS, OIDC_PROVIDER);
            // IAM lists one account's providers only.
            let account = arns.first().and_then(|arn| arn.split(':').nth(4));
            judge_list(request, arns, unavailable, |others| match account {
                Some(account) if account != request.role.account => {
                    ProviderInstead::InListOf(account.to_owned(), others)
                }
                _ => ProviderInstead::InList(others),
            })
        }
    }
}

/// Judges the answers of IAM. If IAM did not show the provider, the list of all can still show that it exists.
pub(crate) fn judge_iam(request: &Request, aws: &IamSnapshot) -> Verdict<ProviderStatus> {
    let in_account = |others| ProviderInstead::InAccount(Some(others));
    let incomplete = |unavailable: &Unavailable| {
        let (role, unavailable) = (request.role.clone(), unavailable.clone());
        vec![Diagnosis::from(AuditIncomplete { role, unavailable })]
    };
    let in_list = |arns, error: &IamError| {
        judge_list(request, arns, || Unavailable::by_iam(CLIENT_IDS, error), in_account)
    };
    match (&aws.provider, &aws.providers) {
        (Ok(Some(provider)), _) => judge_client_ids(request, provider),
        // A provider that only the list has is new: it is not seen everywhere yet.
        (Ok(None), Ok(arns)) => in_list(arns, &IamError::no_such_provider()),
        (Ok(None), Err(_)) => missing(request, ProviderInstead::InAccount(None)),
        (Err(error), Ok(arns)) => match in_list(arns, error) {
            Verdict::Pass(status) => {
                let warnings = status.unavailable().map(incomplete).unwrap_or_default();
                Verdict::holds(status, warnings)
            }
            other => other,
        },
        (Err(error), Err(_)) => {
            let unavailable = Unavailable::by_iam(PROVIDER, error);
            let warnings = incomplete(&unavailable);
            Verdict::Warn(ProviderStatus::Unknown(unavailable), warnings)
        }
    }
}

fn missing(request: &Request, instead: ProviderInstead) -> Verdict<ProviderStatus> {
    Verdict::fail(OidcProviderMissing::FoundByAudit(MissingProvider { request: request.clone(), instead }))
}

/// Judges a provider that was handed in, which can be any.
fn judge_one(request: &Request, provider: &OidcProvider) -> Verdict<ProviderStatus> {
    let difference = if provider.url == request.provider() {
        provider.arn.as_deref().and_then(|arn| account_difference(arn, request))
    } else {
        Some(ProviderDifference::Issuer(issuer_difference(&provider.url, request.provider())))
    };
    match difference {
        Some(gap) => {
            let name = provider.arn.as_ref().unwrap_or(&provider.url).clone();
            missing(request, ProviderInstead::Given(NearProvider { name, difference: gap }))
        }
        None => judge_client_ids(request, provider),
    }
}

/// Judges the client ids of the provider for the token's issuer.
fn judge_client_ids(request: &Request, provider: &OidcProvider) -> Verdict<ProviderStatus> {
    let client_ids = &provider.client_ids;
    if request.audience.iter().any(|audience| client_ids.contains(audience)) {
        return Verdict::Pass(ProviderStatus::Accepts(provider.clone()));
    }
    let name = provider.arn.as_deref().unwrap_or_else(|| request.provider()).to_owned();
    Verdict::fail(OidcProviderAudienceMissing::FoundByAudit(MissingClientId {
        request: request.clone(),
        name,
        client_ids: client_ids.clone(),
        near: client_id::nearest(client_ids, &request.audience),
    }))
}

/// Judges the ARNs of all providers of an account.
fn judge_list(
    request: &Request,
    arns: &[String],
    unavailable: impl FnOnce() -> Unavailable,
    instead: impl FnOnce(OtherProviders) -> ProviderInstead,
) -> Verdict<ProviderStatus> {
    let needed = request.provider_arn();
    if arns.contains(&needed) {
        return Verdict::Pass(ProviderStatus::Exists(needed, unavailable()));
    }
    let near = by_difference(arns, &request.issuer).into_iter().filter_map(|(arn, difference)| {
        let gap = match difference {
            None => account_difference(arn, request)?,
            Some(IssuerDifference::Whole) => return None,
            Some(difference) => ProviderDifference::Issuer(difference),
        };
        Some(NearProvider { name: arn.to_owned(), difference: gap })
    });
    let others = OtherProviders { count: arns.len(), near: near.take(MAX_NEAR_PROVIDERS).collect() };
    missing(request, instead(others))
}

/// The ARNs of an account's providers, and how each differs from the one for an issuer; the nearest first.
fn by_difference<'a>(arns: &'a [String], issuer: &str) -> Vec<(&'a str, Option<IssuerDifference>)> {
    let issuer = issuer_without_scheme(issuer);
    let with_url = |arn: &'a String| Some((arn.as_str(), arn.split_once(ARN_BEFORE_URL)?.1));
    let differences = arns.iter().filter_map(with_url).map(|(arn, url)| {
        let difference = (url != issuer).then(|| issuer_difference(url, issuer));
        (arn, difference)
    });
    let mut differences: Vec<_> = differences.collect();
    differences.sort_by_key(|(_, difference)| match difference {
        None => 0,
        // An issuer that is not an EKS cluster is hardly a typo.
        Some(IssuerDifference::Whole) => 3,
        Some(IssuerDifference::Cluster) => 2,
        Some(_) => 1,
    });
    differences
}

/// How the partition or the account of a provider for the issuer differs from the role's.
fn account_difference(arn: &str, request: &Request) -> Option<ProviderDifference> {
    let mut parts = arn.split(':').skip(1);
    let (partition, account) = (parts.next()?, parts.nth(2)?);
    if partition != request.role.partition.id {
        Some(ProviderDifference::Partition(partition.to_owned()))
    } else {
        (account != request.role.account).then(|| ProviderDifference::Account(account.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{ProviderStatus, by_difference, judge_given, judge_iam};
    use crate::audit::iam::IamSnapshot;
    use crate::audit::inputs::provider::ProviderInput;
    use crate::aws::iam::{IamError, IamErrorKind, OidcProvider, permission};
    use crate::evidence::HasEvidence;
    use crate::run::Verdict;
    use iam_trust::arn;
    use iam_trust::mismatch::IssuerDifference;
    use iam_trust::request::Request;
    use serde_json::Value;
    use std::collections::BTreeMap;
    use std::time::UNIX_EPOCH;

    const ISSUER: &str = "https://oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";
    const URL: &str = "oidc.eks.eu-west-1.amazonaws.com/id/5D5A1F3B0C9E4E7A8B6C2D1E0F9A8B7C";

    #[test]
    fn nearest_provider_comes_first() {
        let arn = |url: &str| format!("arn:aws:iam::111122223333:oidc-provider/{url}");
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
            let arns: Vec<String> = urls.iter().map(|url| arn(url)).collect();
            let found = by_difference(&arns, ISSUER).first().map(|(arn, gap)| ((*arn).to_owned(), *gap));
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

    /// What IAM said of the provider for the issuer, and of all.
    fn told(provider: Option<OidcProvider>, all: Option<&[String]>) -> IamSnapshot {
        let error = || IamError { permission: permission::GET_ROLE, kind: IamErrorKind::TimedOut };
        IamSnapshot {
            caller: Err(error()),
            role: Err(error()),
            provider: Ok(provider),
            providers: all.map(<[String]>::to_vec).ok_or_else(error),
            attached: Err(error()),
            inline: Err(error()),
            simulation: None,
        }
    }

    /// The name of what is wrong, and all that is said of it; or the evidence.
    fn said(verdict: Verdict<ProviderStatus>) -> (&'static str, String) {
        match verdict {
            Verdict::Pass(status) => ("pass", Value::Object(status.evidence().into()).to_string()),
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
        ProviderInput::One(OidcProvider {
            arn: arn.map(str::to_owned),
            url: url.to_owned(),
            client_ids: ids.iter().copied().map(str::to_owned).collect(),
            created_at: None,
        })
    }

    #[test]
    fn given_provider_is_judged() {
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
                    r#"--client-id "$(printf 'sts\342\200\213.amazonaws.com\357\273\277')""#,
                ],
            ),
        ] {
            let given = provider(url, arn, ids);
            let (found, said) = said(judge_given(&request(&["sts.amazonaws.com"]), &given));
            assert_eq!(found, name, "{said}");
            for part in parts {
                assert!(said.contains(part), "{part} is not in {said}");
            }
            assert_eq!(said.contains("remove-client-id"), ids.iter().any(|id| !id.is_ascii()), "{said}");
        }
    }

    #[test]
    fn unusual_audience_has_two_remedies() {
        let given = provider(URL, None, &["sts.amazonaws.com"]);
        let (found, said) = said(judge_given(&request(&["vault"]), &given));
        assert_eq!(found, "OidcProviderAudienceMissing");
        let annotation = "\nkubectl -n payments annotate serviceaccount checkout eks.amazonaws.com/audience-";
        assert!(said.contains(annotation) && said.contains("--client-id vault"), "{said}");
    }

    #[test]
    fn list_of_providers_is_judged() {
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
            let by_file = (judge_given(&request, &of_file), true);
            let by_iam = (judge_iam(&request, &told(None, Some(&arns))), false);
            for (verdict, is_of_file) in [by_file, by_iam] {
                let (found, said) = said(verdict);
                assert_eq!(found, name, "{said}");
                for part in parts {
                    assert!(said.contains(part), "{part} is not in {said}");
                }
                let is_by_list = is_of_file && name != "pass";
                assert_eq!(said.contains("by the list that was given"), is_by_list, "{said}");
                assert!(!said.contains("0004"), "not more than three are named: {said}");
            }
        }
        let given = ProviderInput::Listed(vec![elsewhere]);
        let (found, said) = said(judge_given(&request(&["sts.amazonaws.com"]), &given));
        assert_eq!(found, "OidcProviderMissing");
        assert!(
            said.starts_with("The list of OIDC providers that was given is one of account 444455556666,"),
            "{said}"
        );
        assert!(said.contains("was not seen") && !said.contains("Account 111122223333 has no"), "{said}");
    }

    #[test]
    fn client_ids_of_a_provider_that_only_the_list_shows_are_not_known() {
        let request = request(&["sts.amazonaws.com"]);
        match judge_iam(&request, &told(None, Some(&[OURS.to_owned()]))) {
            Verdict::Pass(ProviderStatus::Exists(arn, unavailable)) => {
                assert_eq!(
                    (arn.as_str(), unavailable.reason.because().as_str()),
                    (OURS, "AWS said NoSuchEntity")
                );
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn answers_of_iam_are_judged() {
        let provider = |ids: &[&str]| OidcProvider {
            arn: Some(OURS.to_owned()),
            url: URL.to_owned(),
            client_ids: ids.iter().copied().map(str::to_owned).collect(),
            created_at: Some(UNIX_EPOCH),
        };
        let request = request(&["vault", "sts.amazonaws.com"]);
        let (good, bad) = (provider(&["sts.amazonaws.com"]), provider(&["sts.amazonaws.com "]));
        let (found, evidence) = said(judge_iam(&request, &told(Some(good), None)));
        assert_eq!(found, "pass");
        assert!(
            evidence.contains(OURS) && evidence.contains(r#""created":"1970-01-01T00:00:00Z""#),
            "{evidence}"
        );
        let (found, said_of_it) = said(judge_iam(&request, &told(Some(bad), None)));
        assert_eq!(found, "OidcProviderAudienceMissing");
        assert!(
            said_of_it.contains("U+0020 at place 18")
                && said_of_it.contains("--client-id 'sts.amazonaws.com '")
        );
        let (found, said_of_it) = said(judge_iam(&request, &told(None, None)));
        assert_eq!(found, "OidcProviderMissing");
        assert!(said_of_it.contains("Which others the account has is not known."), "{said_of_it}");
    }
}
