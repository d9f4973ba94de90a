//! The role's account has no OIDC provider for the token, according to STS or to an audit.

use super::Entry;
use super::identity::kubectl;
use super::sts::{RequestRefused, audience_list, audit_step};
use super::token::is_near_usual;
use super::trust::{call_evidence, difference, use_public_issuer, words};
use crate::diagnosis::aws_cli::{commands, iam};
use crate::evidence::Evidence;
use crate::text::{list, sanitize, shell_quote};
use crate::token::ServiceAccount;
use iam_trust::USUAL_AUDIENCE;
use iam_trust::issuer::{eks_region, is_private};
use iam_trust::mismatch::IssuerDifference;
use iam_trust::request::Request;

/// A client id that is nearly the token's audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NearClientId {
    pub(crate) id: String,
    pub(crate) difference: ClientIdDifference,
}

/// How a client id differs from an audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClientIdDifference {
    /// It has these invisible characters, at these places counted from 1.
    Invisible(Vec<(char, usize)>),
    Case,
    /// It has a scheme, `https://`, or a slash at its end.
    Url,
    Typo,
}

const MAX_IDS_NAMED: usize = 8;

/// The role's account has no OIDC provider for the issuer.
#[derive(Debug, Clone)]
pub enum OidcProviderMissing {
    RefusedBySts(RequestRefused),
    FoundByAudit(MissingProvider),
}

/// The search for a provider that does not exist.
#[derive(Debug, Clone)]
pub struct MissingProvider {
    pub(crate) request: Request,
    /// The place of the search, and what it has instead.
    pub(crate) instead: ProviderInstead,
}

/// The place of the search, and what it has instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProviderInstead {
    /// IAM of the account, with the account's other providers if they are known.
    InAccount(Option<OtherProviders>),
    /// A given list of the role's account.
    InList(OtherProviders),
    /// A given list of this other account.
    InListOf(String, OtherProviders),
    Given(NearProvider),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherProviders {
    pub(crate) count: usize,
    /// The similar ones, nearest first.
    pub(crate) near: Vec<NearProvider>,
}

/// A provider that is similar to the expected one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NearProvider {
    /// Its ARN or, if that is not known, its URL without the scheme.
    pub(crate) name: String,
    pub(crate) difference: ProviderDifference,
}

/// How a provider differs from the expected one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProviderDifference {
    Issuer(IssuerDifference),
    Partition(String),
    Account(String),
}

impl NearProvider {
    /// Its name and the expected one, both with marks, and the difference in words.
    fn compare(&self, request: &Request) -> (String, String, String) {
        let has_arn = self.name.starts_with("arn:");
        let ours = if has_arn { request.provider_arn() } else { request.provider().to_owned() };
        let (name, ours) = words::mark_difference(&self.name, &ours);
        if is_private(&request.issuer) {
            return (
                name,
                ours,
                "the token is of a cluster whose issuer is private, such as a virtual one".to_owned(),
            );
        }
        let differs = match &self.difference {
            ProviderDifference::Issuer(gap) => difference::issuer_words(*gap).to_owned(),
            ProviderDifference::Partition(partition) => format!(
                "the partition differs, {} there, and the role is in {}",
                sanitize(partition),
                request.role.partition.id
            ),
            ProviderDifference::Account(account) => format!(
                "only the account differs, {} there, and the role is in {}; a role trusts the OIDC providers of its \
                 own account",
                sanitize(account),
                request.role.account
            ),
        };
        (name, ours, differs)
    }
}

impl OtherProviders {
    /// The providers of `whose` account, in sentences.
    fn words(&self, whose: &str, request: &Request) -> String {
        let Some((nearest, further)) = self.near.split_first() else {
            return match self.count {
                0 => format!("{whose} account has no OIDC provider at all."),
                1 => format!("{whose} account has one OIDC provider, of another issuer altogether."),
                all => format!("{whose} account has {all} OIDC providers, all of other issuers altogether."),
            };
        };
        let (name, ours, differs) = nearest.compare(request);
        let has = match self.count {
            0 | 1 => format!("{whose} account has one OIDC provider, which"),
            all => format!("{whose} account has {all} OIDC providers; the nearest"),
        };
        let further: Vec<String> = further.iter().map(|near| sanitize(&near.name)).collect();
        let further = if further.is_empty() {
            String::new()
        } else {
            format!(" Also like it: {}.", further.join(", "))
        };
        format!("{has} is \"{name}\", and \"{ours}\" is needed: {differs}.{further}")
    }
}

/// The region whose STS was asked, and the region of the EKS cluster, if they differ.
fn other_region(refused: &RequestRefused) -> Option<(String, String)> {
    let asked = refused.request.region.as_deref()?;
    let region = eks_region(&refused.request.claims.issuer).filter(|region| *region != asked)?;
    Some((sanitize(asked), sanitize(region)))
}

impl MissingProvider {
    fn cause(&self) -> String {
        let Self { request, instead } = self;
        let (account, issuer) = (&request.role.account, sanitize(&request.issuer));
        let none = format!("Account {account} has no IAM OIDC provider for the issuer {issuer}");
        match instead {
            ProviderInstead::InAccount(None) => format!(
                "{none}: IAM knows none with the ARN {}. Which others the account has is not known.",
                sanitize(&request.provider_arn())
            ),
            ProviderInstead::InAccount(Some(others)) => format!("{none}. {}", others.words("The", request)),
            ProviderInstead::InList(others) => {
                format!("{none}, by the list that was given. {}", others.words("The", request))
            }
            ProviderInstead::InListOf(other, others) => format!(
                "The list of OIDC providers that was given is one of account {}, and the role is in account {account}. \
                 Whether account {account} has one for the issuer {issuer} was not seen. {}",
                sanitize(other),
                others.words("The other", request)
            ),
            ProviderInstead::Given(near) => {
                let (name, ours, differs) = near.compare(request);
                format!(
                    "The OIDC provider that was given is \"{name}\", and the token's provider is \"{ours}\": {differs}. \
                     Whether account {account} also has one for the issuer {issuer} was not seen."
                )
            }
        }
    }

    fn remedy(&self) -> Vec<String> {
        if is_private(&self.request.issuer) {
            return use_public_issuer(&self.request.issuer);
        }
        let (role, commands) = (&self.request.role, commands(&self.request));
        let create = &commands.create_oidc_provider;
        let mut steps = match self.instead {
            ProviderInstead::InAccount(_) | ProviderInstead::InList(_) => {
                vec![format!("In account {}, create the provider:\n{create}", role.account)]
            }
            ProviderInstead::InListOf(..) | ProviderInstead::Given(_) => vec![
                format!(
                    "In account {}, see whether the token's provider exists:\n{}",
                    role.account, commands.show_oidc_provider
                ),
                format!("If it does not, create it:\n{create}"),
            ],
        };
        if self.near().iter().any(|near| matches!(near.difference, ProviderDifference::Issuer(_))) {
            steps.push(
                "A provider's URL cannot be changed. Leave the other one as it is, and delete it only when no pod of \
                 any cluster gets a role by it."
                    .to_owned(),
            );
        }
        if self.near().iter().any(|near| !matches!(near.difference, ProviderDifference::Issuer(_))) {
            steps.push(format!(
                "If the account of the provider is the one that is meant, the role belongs there, and the service \
                 account's annotation has to name that role: {} names account {}.",
                sanitize(&role.text),
                role.account
            ));
        }
        steps
    }

    fn near(&self) -> &[NearProvider] {
        match &self.instead {
            ProviderInstead::InAccount(None) => &[],
            ProviderInstead::InAccount(Some(others))
            | ProviderInstead::InList(others)
            | ProviderInstead::InListOf(_, others) => &others.near,
            ProviderInstead::Given(near) => std::slice::from_ref(near),
        }
    }

    fn evidence(&self) -> Evidence {
        let evidence = Evidence::new().text("needed", &self.request.provider_arn());
        let evidence = match &self.instead {
            ProviderInstead::InAccount(Some(others)) | ProviderInstead::InList(others) => {
                evidence.value("providers", others.count)
            }
            ProviderInstead::InListOf(account, others) => {
                evidence.value("providers", others.count).text("account", account)
            }
            ProviderInstead::InAccount(None) | ProviderInstead::Given(_) => evidence,
        };
        let names: Vec<&str> = self.near().iter().map(|near| near.name.as_str()).collect();
        let evidence = evidence.texts_if_any("near", &names);
        let gap = self.near().first().map(|near| match &near.difference {
            ProviderDifference::Issuer(gap) => difference::issuer_name(*gap),
            ProviderDifference::Partition(_) => "partition",
            ProviderDifference::Account(_) => "account",
        });
        evidence.text_if("gap", gap).merge(call_evidence(&self.request))
    }
}

impl Entry for OidcProviderMissing {
    fn cause(&self) -> String {
        match self {
            Self::RefusedBySts(refused) => format!(
                "{}. Account {} has no IAM OIDC provider for the issuer {}. A cluster that was created anew has a new \
                 issuer; the provider of the old one does not serve it.",
                refused.refusal.sentence(),
                refused.request.role.account,
                sanitize(&refused.request.claims.issuer)
            ),
            Self::FoundByAudit(found) => found.cause(),
        }
    }

    fn remedy(&self) -> Vec<String> {
        let refused = match self {
            Self::RefusedBySts(refused) => refused,
            Self::FoundByAudit(found) => return found.remedy(),
        };
        if is_private(&refused.request.claims.issuer) {
            return use_public_issuer(&refused.request.claims.issuer);
        }
        let (role, commands) = (&refused.request.role, refused.commands());
        let region = other_region(refused).map(|(asked, region)| {
            format!(
                "Check that account {} has the region {asked} enabled, whose STS was asked. The cluster is in {region}, \
                 and STS of a region that is not enabled finds no provider either. If it is not enabled, set \
                 AWS_REGION={region} in the pod template, and recreate the pod.",
                role.account
            )
        });
        let steps = [
            format!(
                "In account {}, which the role's ARN names, check whether the provider exists. One in another account \
                 does not serve this role:\n{}",
                role.account, commands.show_oidc_provider
            ),
            format!("If it does not, create it:\n{}", commands.create_oidc_provider),
            audit_step(role, "say which provider is nearly the one, and whether the role would trust it"),
        ];
        region.into_iter().chain(steps).take(3).collect()
    }

    fn evidence(&self) -> Evidence {
        match self {
            Self::RefusedBySts(refused) => refused.evidence(),
            Self::FoundByAudit(found) => found.evidence(),
        }
    }
}

/// The provider does not list the token's audience.
#[derive(Debug, Clone)]
pub enum OidcProviderAudienceMissing {
    RefusedBySts(RequestRefused),
    /// An audit read its client ids.
    FoundByAudit(MissingClientId),
}

/// A provider that does not list the token's audience.
#[derive(Debug, Clone)]
pub struct MissingClientId {
    pub(crate) request: Request,
    /// Its ARN or, if that is not known, its URL without the scheme.
    pub(crate) name: String,
    pub(crate) client_ids: Vec<String>,
    /// The client id that was most likely meant.
    pub(crate) near: Option<NearClientId>,
}

fn invisible_words(characters: &[(char, usize)]) -> Vec<String> {
    characters.iter().map(|(c, place)| format!("U+{:04X} at place {place}", u32::from(*c))).collect()
}

impl MissingClientId {
    fn cause(&self) -> String {
        let ids = match self.client_ids.as_slice() {
            [] => "it has no client id at all".to_owned(),
            ids => {
                let ids: Vec<String> = ids.iter().map(|id| format!("\"{}\"", sanitize(id))).collect();
                format!("its client ids are {}", list(&ids, MAX_IDS_NAMED))
            }
        };
        let near = self.near.as_ref().map_or_else(String::new, |NearClientId { id, difference: slip }| {
            let id = sanitize(id);
            match slip {
                ClientIdDifference::Invisible(characters) => format!(
                    " The client id \"{id}\" looks the same as the audience, but has characters in it that nobody \
                     sees: {}.",
                    invisible_words(characters).join(", ")
                ),
                ClientIdDifference::Case => format!(" The client id \"{id}\" differs in capital letters only."),
                ClientIdDifference::Url => {
                    format!(" The client id \"{id}\" differs by https:// or a slash at the end only.")
                }
                ClientIdDifference::Typo => format!(" The client id \"{id}\" differs in a few letters only."),
            }
        });
        format!(
            "The OIDC provider {} exists, and does not list the token's audience {}: {ids}.{near}",
            sanitize(&self.name),
            audience_list(&self.request.audience)
        )
    }

    fn remedy(&self) -> Vec<String> {
        let (role, commands) = (&self.request.role, commands(&self.request));
        let add = format!(
            "In account {}, add the audience; the client ids that are there stay:\n{}",
            role.account, commands.add_client_id_to_oidc_provider
        );
        let mut steps = by_likelihood(&self.request.audience, &self.request.subject, add);
        if let Some(NearClientId { id, difference: ClientIdDifference::Invisible(_) }) = &self.near {
            let id = shell_quote(id);
            steps.push(format!(
                "Then remove the one with the invisible characters:\n\
                 {} --open-id-connect-provider-arn {} --client-id {id}",
                iam(role, "remove-client-id-from-open-id-connect-provider"),
                shell_quote(&self.request.provider_arn()),
            ));
        }
        steps
    }

    fn evidence(&self) -> Evidence {
        let difference = self.near.as_ref().map(|near| &near.difference);
        let (invisible, gap) = match difference {
            None => (Vec::new(), None),
            Some(ClientIdDifference::Invisible(characters)) => (invisible_words(characters), None),
            Some(ClientIdDifference::Case) => (Vec::new(), Some("case")),
            Some(ClientIdDifference::Url) => (Vec::new(), Some("url")),
            Some(ClientIdDifference::Typo) => (Vec::new(), Some("typo")),
        };
        Evidence::new()
            .text("oidc_provider", &self.name)
            .texts("client_ids", &self.client_ids)
            .text_if("near", self.near.as_ref().map(|near| near.id.as_str()))
            .texts_if_any("invisible", &invisible)
            .value_if("gap", gap)
            .merge(call_evidence(&self.request))
    }
}

/// The steps for either reading. An audience that looks like the usual one is an error; another one is meant.
fn by_likelihood(audience: &[String], subject: &str, add: String) -> Vec<String> {
    let is_error = audience.iter().any(|audience| is_near_usual(audience));
    let mut steps = Vec::from_iter(audience_not_intended(audience, subject));
    steps.insert(if is_error { steps.len() } else { 0 }, add);
    steps
}

/// The step for an audience that is unusual and perhaps not intended.
fn audience_not_intended(audience: &[String], subject: &str) -> Option<String> {
    let (kubectl, name) = kubectl(ServiceAccount::of_subject(subject).as_ref());
    let is_usual = audience.iter().any(|audience| audience == USUAL_AUDIENCE);
    (!is_usual).then(|| {
        format!(
            "If the token's audience is not meant, correct it where it is set: as audience of a projected volume in the \
             pod's template, or, if the webhook made the volume, by the annotation eks.amazonaws.com/audience. Then delete \
             the pod:\n\
             {kubectl} annotate serviceaccount {name} eks.amazonaws.com/audience-"
        )
    })
}

impl Entry for OidcProviderAudienceMissing {
    fn cause(&self) -> String {
        match self {
            Self::RefusedBySts(refused) => format!(
                "{}. The OIDC provider in account {} exists, but its client ids do not hold the token's audience {}. A \
                 client id with an invisible character in it looks the same.",
                refused.refusal.sentence(),
                refused.request.role.account,
                audience_list(&refused.request.claims.audience)
            ),
            Self::FoundByAudit(found) => found.cause(),
        }
    }

    fn remedy(&self) -> Vec<String> {
        let refused = match self {
            Self::RefusedBySts(refused) => refused,
            Self::FoundByAudit(found) => return found.remedy(),
        };
        let (claims, commands) = (&refused.request.claims, refused.commands());
        let mut steps = vec![format!("Look at the provider's client ids:\n{}", commands.show_oidc_provider)];
        let add = format!("If it is meant, add it:\n{}", commands.add_client_id_to_oidc_provider);
        steps.extend(by_likelihood(&claims.audience, &claims.subject, add));
        steps
    }

    fn evidence(&self) -> Evidence {
        match self {
            Self::RefusedBySts(refused) => refused.evidence(),
            Self::FoundByAudit(found) => found.evidence(),
        }
    }
}
