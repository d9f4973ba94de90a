//! The token's issuer does not publish what it must, as seen from the machine of the audit.

use super::Entry;
use crate::aws::transport::{ServerUnreachable, UnreachableCause};
use crate::evidence::Evidence;
use crate::net::connect::{ConnectFault, TlsFault};
use crate::text::{sanitize, shell_quote};
use iam_trust::partition::region_of_issuer;

/// The most key ids that a sentence names.
const MAX_NAMED: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IssuerDocument {
    /// The document that says where the keys are.
    Discovery,
    Keys,
}

impl IssuerDocument {
    fn as_str(self) -> &'static str {
        match self {
            Self::Discovery => "discovery document",
            Self::Keys => "key set",
        }
    }
}

/// Why a document of an issuer is not available.
#[derive(Debug, Clone)]
pub enum IssuerFault {
    /// The issuer is not a URL that can be fetched, for this reason in words that follow "and".
    NotAUrl(&'static str),
    /// The server cannot be reached.
    Unreachable(ServerUnreachable),
    /// The server does not answer in time.
    TimedOut,
    /// The connection broke off, with this error.
    ConnectionLost(String),
    Redirect(u16),
    Status(u16),
    /// The answer is longer than this many bytes.
    TooLarge(usize),
    /// The answer is not a JSON object.
    NotJson {
        /// Whether it looks like HTML.
        is_page: bool,
    },
    /// The discovery document names this other issuer, or none.
    OtherIssuer(Option<String>),
    /// The document lacks the address of the keys, or the keys.
    Incomplete,
    /// The keys are at a URL that the audit does not fetch.
    KeysElsewhere {
        url: String,
        /// Why it is not fetched, in words that follow "and".
        why: &'static str,
    },
}

/// A document of the issuer is not available or not valid.
#[derive(Debug, Clone)]
pub struct IssuerUnreachable {
    /// The issuer as the token names it.
    pub(crate) issuer: String,
    pub(crate) document: IssuerDocument,
    /// The URL of the document, or the issuer itself if it is not a URL.
    pub(crate) url: String,
    pub(crate) answered_by: Option<String>,
    pub(crate) fault: IssuerFault,
}

/// Whether the issuer belongs to an EKS cluster, so that AWS runs it. Source for its keys: "Fetch signing keys to
/// validate OIDC tokens" in the EKS User Guide.
fn is_eks(issuer: &str) -> bool {
    region_of_issuer(issuer).is_some()
}

impl IssuerUnreachable {
    fn fault_words(&self) -> String {
        let url = sanitize(&self.url);
        match &self.fault {
            IssuerFault::NotAUrl(why) => format!("{url} is named as the issuer, and {why}"),
            IssuerFault::Unreachable(unreached) => sanitize(&unreached.to_string()),
            IssuerFault::TimedOut => format!("{url} does not answer in time"),
            IssuerFault::ConnectionLost(words) => {
                format!("the connection broke off while {url} was asked for: {}", sanitize(words))
            }
            IssuerFault::Redirect(status) => format!(
                "{url} answers {status}, a redirect, which is not followed; a captive portal or a login page of a \
                 proxy answers like this"
            ),
            IssuerFault::Status(status) => format!("{url} answers with the status {status}"),
            IssuerFault::TooLarge(most) => {
                format!("{url} answers with more than {most} bytes, which are not read")
            }
            IssuerFault::NotJson { is_page: true } => format!(
                "{url} answers with a page for a browser in place of JSON, as a captive portal or a proxy does"
            ),
            IssuerFault::NotJson { is_page: false } => {
                format!("{url} answers with something that is no JSON object")
            }
            IssuerFault::OtherIssuer(Some(other)) => format!(
                "the document at {url} names the issuer \"{}\", and not the token's \"{}\": the two have to be the \
                 same to the letter",
                sanitize(other),
                sanitize(&self.issuer)
            ),
            IssuerFault::OtherIssuer(None) => format!("the document at {url} names no issuer"),
            IssuerFault::Incomplete if self.document == IssuerDocument::Discovery => {
                format!("the document at {url} does not say where the keys are (jwks_uri)")
            }
            IssuerFault::Incomplete => format!("the document at {url} holds no list of keys"),
            IssuerFault::KeysElsewhere { url: keys, why } => format!(
                "the document at {url} says that the keys are at \"{}\", and {why}, so they are not asked for there",
                sanitize(keys)
            ),
        }
    }

    /// Whether the issuer's document is wrong, and not the network between the issuer and this machine.
    fn is_content_fault(&self) -> bool {
        matches!(
            self.fault,
            IssuerFault::OtherIssuer(_) | IssuerFault::Incomplete | IssuerFault::KeysElsewhere { .. }
        )
    }

    fn check_network(&self) -> String {
        let of_trust = match &self.fault {
            IssuerFault::Unreachable(unreached) => matches!(
                &*unreached.cause,
                UnreachableCause::Trust(_)
                    | UnreachableCause::Connect(ConnectFault::Tls { fault: TlsFault::Untrusted(_), .. })
            ),
            _ => false,
        };
        let look = if of_trust {
            "if a proxy here looks into TLS, name a file with its CA beside the public ones in AWS_CA_BUNDLE"
        } else {
            "look at DNS, the proxy in HTTPS_PROXY, a firewall or a captive portal here, or audit from another network"
        };
        format!(
            "If it answers there, the issuer is well, and something near this machine is in the way: {look}."
        )
    }
}

impl Entry for IssuerUnreachable {
    fn cause(&self) -> String {
        let what = self.fault_words();
        if let IssuerFault::NotAUrl(_) = self.fault {
            return format!(
                "The token's issuer cannot be asked for its keys: {what}. IAM takes an issuer for an OIDC provider \
                 only if its URL begins with https://."
            );
        }
        let state = if self.is_content_fault() { "is not what it should be" } else { "cannot be had" };
        format!(
            "From here, the issuer's {} {state}: {what}. STS needs it to verify the token, but asks for it \
             over the internet and not from this machine, which may see another network: this is a hint, and no \
             proof, that STS fails on it, too.",
            self.document.as_str()
        )
    }

    fn remedy(&self) -> Vec<String> {
        let show = "kubectl get --raw /.well-known/openid-configuration\nkubectl get --raw /openid/v1/jwks";
        if let IssuerFault::NotAUrl(_) = self.fault {
            return steps![
                "See whether the token is the one that is meant: one of a service account, which a pod gets for STS.",
                format!(
                    "If it is, whoever runs the cluster sets --service-account-issuer of the API server to an https \
                     URL, and publishes there what the API server shows:\n{show}"
                )
            ];
        }
        let mut steps = vec![format!(
            "See what the issuer answers on the internet, from a machine outside of this network:\ncurl -sS -i {}",
            shell_quote(&self.url)
        )];
        if !self.is_content_fault() {
            steps.push(self.check_network());
        }
        steps.push(if is_eks(&self.issuer) {
            "If it answers the same there: AWS runs the issuer of an EKS cluster, and nobody in the cluster can mend \
             it. See that the cluster still exists and has this issuer, and whether AWS reports a fault \
             (https://health.aws.amazon.com/health/status):\n\
             aws eks describe-cluster --name CLUSTER --query cluster.identity.oidc.issuer --output text"
                .to_owned()
        } else {
            format!(
                "If it answers the same there, whoever runs the cluster publishes, readable by everyone and at the \
                 very URL that is the issuer, what the API server shows:\n{show}"
            )
        });
        steps
    }

    fn evidence(&self) -> Evidence {
        let evidence = Evidence::new()
            .text("issuer", &self.issuer)
            .value("document", self.document.as_str())
            .text("url", &self.url)
            .text_if("answered_by", self.answered_by.as_deref());
        match &self.fault {
            IssuerFault::Redirect(status) | IssuerFault::Status(status) => evidence.value("status", *status),
            IssuerFault::OtherIssuer(other) => evidence.text_if("issuer_in_document", other.as_deref()),
            IssuerFault::KeysElsewhere { url, .. } => evidence.text("jwks_uri", url),
            _ => evidence,
        }
    }

    fn may_pass(&self) -> bool {
        match &self.fault {
            IssuerFault::Unreachable(unreached) => matches!(&*unreached.cause, UnreachableCause::Connect(_)),
            IssuerFault::TimedOut | IssuerFault::ConnectionLost(_) => true,
            IssuerFault::Status(status) => *status >= 500 || *status == 429,
            _ => false,
        }
    }
}

/// Why the published keys do not verify the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyFault {
    /// No key has the id.
    NotInSet,
    /// The key that verifies the token has this id instead of the one that the token names, or has none.
    UnderAnotherId(Option<String>),
    /// No key that the token can mean verifies it.
    DoesNotVerify,
}

/// The issuer does not publish the key that signed the token, or publishes it under another id.
#[derive(Debug, Clone)]
pub struct SigningKeyNotPublished {
    pub(crate) issuer: String,
    pub(crate) jwks_uri: String,
    /// The id of the key that signed the token, if the token names one and it is known.
    pub(crate) key_id: Option<String>,
    /// The number of published keys.
    pub(crate) keys: usize,
    pub(crate) key_ids: Vec<String>,
    pub(crate) fault: KeyFault,
}

impl SigningKeyNotPublished {
    fn published_words(&self) -> String {
        let ids = self.key_ids.iter().take(MAX_NAMED).map(|id| format!("\"{}\"", sanitize(id)));
        let more = self.key_ids.len().saturating_sub(MAX_NAMED);
        let more = (more > 0).then(|| format!("{more} more"));
        let ids: Vec<String> = ids.chain(more).collect();
        match (self.keys, ids.is_empty()) {
            (0, _) => "the set is empty".to_owned(),
            (keys, true) => format!("none of its {keys} keys has an id"),
            (_, false) => format!("it holds {}", ids.join(", ")),
        }
    }

    /// The expected key in a sentence.
    fn key_words(&self) -> String {
        self.key_id.as_ref().map_or_else(|| "a key".to_owned(), |id| format!("the key \"{}\"", sanitize(id)))
    }

    fn not_in_set(&self) -> String {
        let reasons = if is_eks(&self.issuer) {
            "AWS changes the key of an EKS cluster every seven days and publishes it itself, so the token is \
             probably an old one, whose key is gone, or one that the cluster did not sign"
        } else {
            "Either the API server has a new key that was not published, or the token is one of another cluster \
             with the same issuer, such as the one that was here before it was created anew, or an old one, whose \
             key is gone"
        };
        let signed = if self.key_id.is_some() { " that signed the token" } else { "" };
        format!(
            "The issuer {} publishes a key set at {}, and {}{signed} is not in it: {}. Nobody can verify the token \
             by it, and STS refuses a token that it cannot verify, without naming the key. {reasons}.",
            sanitize(&self.issuer),
            sanitize(&self.jwks_uri),
            self.key_words(),
            self.published_words()
        )
    }

    fn under_another_id(&self, published: Option<&str>) -> String {
        let id = self.key_id.as_deref().unwrap_or_default();
        let under = match published {
            Some(other) => format!("under the id \"{}\"", sanitize(other)),
            None => "without an id (\"kid\")".to_owned(),
        };
        let named = match (published, id) {
            (None, "") => "The token has the empty id, and an absent id is not an empty one".to_owned(),
            _ => format!("The token names the id \"{}\"", sanitize(id)),
        };
        format!(
            "The issuer {} publishes the key that signed the token at {}, but {under}. {named}. STS looks up the key by \
             the token's id, so it cannot verify the token.",
            sanitize(&self.issuer),
            sanitize(&self.jwks_uri)
        )
    }

    fn does_not_verify(&self) -> String {
        let (issuer, uri) = (sanitize(&self.issuer), sanitize(&self.jwks_uri));
        let (seen, signer) = match &self.key_id {
            Some(id) => (
                format!(
                    "The issuer {issuer} publishes a key with the id \"{}\" at {uri}, but the token's signature does \
                     not verify with it",
                    sanitize(id)
                ),
                "another key with the same id signed the token",
            ),
            None => (
                format!(
                    "The token names no key, and its signature verifies with no key that the issuer {issuer} publishes \
                     at {uri}"
                ),
                "the key that signed the token is not published",
            ),
        };
        format!(
            "{seen}. STS refuses a token that it cannot verify, without naming the key. Either {signer}, or the token \
             was changed after it was signed, such as a copy that lost a character."
        )
    }
}

/// Who can change the key set of an EKS cluster.
const ONLY_AWS: &str = "Only AWS can change the key set of an EKS cluster. Check whether AWS reports a fault \
    (https://health.aws.amazon.com/health/status), and tell AWS Support.";

impl Entry for SigningKeyNotPublished {
    fn cause(&self) -> String {
        match &self.fault {
            KeyFault::NotInSet => self.not_in_set(),
            KeyFault::UnderAnotherId(other) => self.under_another_id(other.as_deref()),
            KeyFault::DoesNotVerify => self.does_not_verify(),
        }
    }

    fn remedy(&self) -> Vec<String> {
        let (key, of_eks) = (self.key_words(), is_eks(&self.issuer));
        let at = sanitize(&self.jwks_uri);
        let compare = format!(
            "Compare the keys of the cluster in which the pod runs with those that are published:\n\
             kubectl get --raw /openid/v1/jwks\ncurl -sS {}",
            shell_quote(&self.jwks_uri)
        );
        let publish = match &self.fault {
            KeyFault::UnderAnotherId(_) => {
                let id = sanitize(self.key_id.as_deref().unwrap_or_default());
                let label = format!(
                    "In the key set, give the key the id that the token names: \"kid\": \"{id}\". This shows the \
                     set:\ncurl -sS {}",
                    shell_quote(&self.jwks_uri)
                );
                return if of_eks { vec![label, ONLY_AWS.to_owned()] } else { vec![label] };
            }
            KeyFault::NotInSet if of_eks => format!(
                "If the cluster has {key} and the issuer does not, only AWS can publish it: AWS runs the issuer of an \
                 EKS cluster. See whether it reports a fault (https://health.aws.amazon.com/health/status), and tell \
                 its support."
            ),
            KeyFault::NotInSet => format!(
                "If the cluster has {key}, whoever runs it publishes what the first command shows at {at}, and leaves \
                 the old keys in it for as long as tokens live that they signed."
            ),
            KeyFault::DoesNotVerify if of_eks => format!("If the keys differ: {ONLY_AWS}"),
            KeyFault::DoesNotVerify => format!(
                "If the keys differ (n of an RSA key, x and y of an EC key), publish what the first command shows at \
                 {at}."
            ),
        };
        let renew = match &self.fault {
            KeyFault::DoesNotVerify => {
                "If the keys are the same, the token was damaged, or another cluster signed it. Delete the pod, so \
                 that it gets a new token, and audit that:"
            }
            _ => {
                "If the cluster does not have it, the token is an old one or another cluster's. Whoever owns the pod \
                 deletes it, so that it gets a new token, and audits that:"
            }
        };
        vec![compare, publish, format!("{renew}\nkubectl -n NAMESPACE delete pod POD")]
    }

    fn evidence(&self) -> Evidence {
        let evidence = Evidence::new()
            .text("issuer", &self.issuer)
            .text("jwks_uri", &self.jwks_uri)
            .text_if("key_id", self.key_id.as_deref())
            .value("published_keys", self.keys)
            .texts("published_key_ids", &self.key_ids);
        match &self.fault {
            KeyFault::NotInSet => evidence,
            KeyFault::UnderAnotherId(other) => evidence
                .value("signature", "verified by a key under another id")
                .text_if("verified_by", other.as_deref()),
            KeyFault::DoesNotVerify => evidence.value("signature", "not verified by the published key"),
        }
    }
}
