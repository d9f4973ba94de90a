//! What an audit could not read, and a refusal that nothing it read explains.

use std::time::SystemTime;

use super::Entry;
use super::identity::ROLE_ARN;
use crate::aws::iam::{IamError, IamErrorKind};
use crate::aws::operator::NoCredentials;
use crate::aws::sts::StsCaller;
use crate::diagnosis::aws_cli::{commands, organization_policies, show_trust_policy, sts_endpoint_policies};
use crate::evidence::Evidence;
use crate::text::{format_utc, sanitize};
use iam_trust::arn::RoleArn;
use iam_trust::request::Request;

/// The credentials belong to another account than the role.
#[derive(Debug, Clone)]
pub struct AuditWrongAccount {
    pub(crate) role: RoleArn,
    pub(crate) account: String,
    /// The identity of the credentials, if STS said so.
    pub(crate) caller: Option<StsCaller>,
}

impl Entry for AuditWrongAccount {
    fn cause(&self) -> String {
        let whose =
            self.caller.as_ref().map_or_else(String::new, |caller| format!(" ({})", sanitize(&caller.arn)));
        format!(
            "The AWS credentials of this audit are of account {}{whose}, and the role {} is of account {}. A role's \
             trust policy and OIDC provider are seen only from its own account.",
            sanitize(&self.account),
            sanitize(&self.role.text),
            self.role.account
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            use_credentials_of(&self.role),
            audit_offline(&self.role),
            format!(
                "If the role should be one of account {}, it is the pod that names the wrong account. Annotate its \
                 service account with the right role, and then delete the pod:\n\
                 kubectl -n NAMESPACE annotate --overwrite serviceaccount SERVICE_ACCOUNT \
                 eks.amazonaws.com/role-arn={ROLE_ARN}",
                sanitize(&self.account)
            ),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("account", &self.account)
            .text_if("caller", self.caller.as_ref().map(|caller| caller.arn.as_str()))
            .text("role_arn", &self.role.text)
            .value("role_account", self.role.account.as_str())
    }
}

/// The audit cannot decide without a fact that it does not know.
#[derive(Debug, Clone)]
pub struct AuditIncomplete {
    pub(crate) role: RoleArn,
    pub(crate) unavailable: Unavailable,
}

#[derive(Debug, Clone)]
pub struct Unavailable {
    /// The fact, in words that follow "not known".
    pub(crate) what: &'static str,
    pub reason: UnavailableReason,
}

#[derive(Debug, Clone)]
pub enum UnavailableReason {
    /// AWS did not answer the question.
    Iam(IamError),
    /// No given file has it, and AWS was not asked. This flag adds such a file.
    NotGiven(&'static str),
}

/// The step that repeats the audit with other credentials.
fn use_credentials_of(role: &RoleArn) -> String {
    format!(
        "Audit the same with credentials of account {}: add --profile PROFILE to the command, or set AWS_PROFILE.",
        role.account
    )
}

/// The step that repeats the audit with a file from somebody who has access.
fn audit_offline(role: &RoleArn) -> String {
    format!(
        "Or let somebody who may read the role print it, and add --trust-policy role.json to the command:\n\
         {} > role.json",
        show_trust_policy(role)
    )
}

impl Entry for AuditIncomplete {
    fn cause(&self) -> String {
        let needs = self
            .unavailable
            .permission()
            .map_or_else(String::new, |permission| format!(" It takes the permission {}.", permission));
        format!("Not known: {}, because {}.{needs}", self.unavailable.what, self.unavailable.reason.because())
    }

    fn remedy(&self) -> Vec<String> {
        let (permission, kind) = match &self.unavailable.reason {
            UnavailableReason::Iam(IamError { permission, kind }) => (permission, kind),
            UnavailableReason::NotGiven(flag) => {
                return vec![
                    format!("Give it, too: add {flag} FILE to the command, a file as the AWS CLI prints it."),
                    format!(
                        "Or audit without those files, with credentials of account {}, so that AWS is asked.",
                        self.role.account
                    ),
                ];
            }
        };
        let first = match kind {
            IamErrorKind::NoCredentials(NoCredentials::NotFound) => &use_credentials_of(&self.role),
            IamErrorKind::NoCredentials(NoCredentials::CliLogin) => {
                "Export the credentials of the login, and audit again:\n\
                 eval \"$(aws configure export-credentials --format env)\""
            }
            IamErrorKind::NoCredentials(NoCredentials::NoProfile(_)) => {
                "See which profiles there are, and name one of them, by --profile or AWS_PROFILE:\n\
                 aws configure list-profiles"
            }
            IamErrorKind::NoCredentials(NoCredentials::FileUnusable(_)) => "Mend that file.",
            IamErrorKind::NoCredentials(_) | IamErrorKind::CredentialsRejected { .. } => {
                "See whether AWS takes the credentials, and renew them if it does not:\n\
                 aws sts get-caller-identity"
            }
            IamErrorKind::Denied(_) => &format!(
                "Let the credentials have {permission}. All that an audit needs is in the policy that this prints:\n\
                 irsa-probe audit --print-iam-policy"
            ),
            IamErrorKind::NotAws(_) => {
                "Something between here and AWS answers in AWS's place: a captive portal, a proxy, or an endpoint in \
                 AWS_ENDPOINT_URL. See what AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_IAM and HTTPS_PROXY say."
            }
            IamErrorKind::OtherAccount(_)
            | IamErrorKind::Throttled
            | IamErrorKind::Refused { .. }
            | IamErrorKind::Unreachable(_)
            | IamErrorKind::ConnectionLost(_)
            | IamErrorKind::TimedOut
            | IamErrorKind::Truncated
            | IamErrorKind::NoRole => {
                "Audit again, with more time if it is slow here (--timeout). Whether AWS is reached shows:\n\
                 aws sts get-caller-identity"
            }
        };
        steps![first, audit_offline(&self.role)]
    }

    fn evidence(&self) -> Evidence {
        let evidence =
            Evidence::new().value("not_known", self.unavailable.what).text("role_arn", &self.role.text);
        match &self.unavailable.reason {
            UnavailableReason::Iam(unknown) => evidence
                .text_if("permission", self.unavailable.permission())
                .text("why", &unknown.kind.to_string()),
            UnavailableReason::NotGiven(flag) => evidence.value("flag", *flag),
        }
    }
}

/// What a refusal is about, by the error of STS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusalKind {
    /// Access to the role. STS says no more.
    Access,
    /// STS finds no provider for the issuer.
    Provider,
    /// The provider does not list the audience.
    Audience,
    /// The provider's thumbprints do not match.
    Thumbprint,
    /// STS cannot fetch the issuer's keys, or the token's key is not among them.
    Key,
    /// The token, for any of these reasons.
    Token,
}

/// A fact that points to a cause of a refusal that the trust policy and the provider do not explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hint {
    /// STS named the kind of policy that refused.
    PolicyNamed(PolicyLayer),
    /// The role was created after the refusal.
    RoleCreatedLater(SystemTime),
    /// The OIDC provider was created after the refusal.
    ProviderCreatedLater(SystemTime),
    /// The role was used after the refusal, by this or another pod.
    RoleUsedLater(SystemTime),
    /// STS has this private address, so the call most likely went through a VPC endpoint, which can have a policy.
    PrivateAddress(String),
    /// The policy came from a file and can differ from the role's policy.
    PolicyFromFile,
    /// The provider came from a file that does not name its account.
    ProviderAccountUnknown,
    /// The refusal was about the token, and the audit did not check the issuer's keys.
    SigningKeyNotChecked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyLayer {
    VpcEndpoint,
    /// A service or resource control policy of the organization.
    Organization,
}

/// STS refused, and neither the role's trust policy nor the OIDC provider explains why.
#[derive(Debug, Clone)]
pub struct RefusedOutsideTrust {
    pub(crate) request: Request,
    pub(crate) kind: RefusalKind,
    /// The error code of STS.
    pub(crate) code: String,
    pub(crate) message: Option<String>,
    pub(crate) request_id: Option<String>,
    /// When STS refused.
    pub(crate) refused_at: Option<SystemTime>,
    /// The region of the STS endpoint.
    pub(crate) region: Option<String>,
    /// What is not known about the OIDC provider, if anything.
    pub(crate) unavailable: Option<&'static str>,
    /// The hints, strongest first.
    pub(crate) hints: Vec<Hint>,
}

impl Hint {
    fn words(&self) -> String {
        match self {
            Self::PolicyNamed(PolicyLayer::VpcEndpoint) => {
                "STS's own words name the policy of a VPC endpoint".to_owned()
            }
            Self::PolicyNamed(PolicyLayer::Organization) => {
                "STS's own words name a policy of the organisation".to_owned()
            }
            Self::RoleCreatedLater(at) => {
                format!("the role was made at {}, after the refusal", format_utc(*at))
            }
            Self::ProviderCreatedLater(at) => {
                format!("the OIDC provider was made at {}, after the refusal", format_utc(*at))
            }
            Self::RoleUsedLater(at) => {
                format!("the role was used at {}, after the refusal, by this or another pod", format_utc(*at))
            }
            Self::PrivateAddress(address) => format!(
                "STS was reached at the private address {}, so most likely through a VPC endpoint",
                sanitize(address)
            ),
            Self::PolicyFromFile => {
                "the policy was handed in as a file, and may not be the one that the role has".to_owned()
            }
            Self::ProviderAccountUnknown => {
                "the provider was handed in as a file that does not say of which account it is".to_owned()
            }
            Self::SigningKeyNotChecked => {
                "whether the issuer publishes the token's key was not looked at".to_owned()
            }
        }
    }

    /// Whether the cause of the refusal can be gone.
    fn shows_that_it_is_over(&self) -> bool {
        matches!(self, Self::RoleCreatedLater(_) | Self::ProviderCreatedLater(_) | Self::RoleUsedLater(_))
    }
}

impl RefusedOutsideTrust {
    fn causes(&self) -> &'static str {
        match self.kind {
            RefusalKind::Access => {
                "(1) the role or its policy was changed after that, or shortly before: a change takes time to spread; \
                 (2) a resource control policy of the organisation; (3) the policy of the VPC endpoint that the \
                 call went through"
            }
            RefusalKind::Provider => {
                "(1) the provider was made after that, or shortly before; (2) the provider that was looked at is \
                 not one of the role's account"
            }
            RefusalKind::Audience => "the provider's client ids were changed after that, or shortly before",
            RefusalKind::Thumbprint => {
                "(1) the provider's thumbprints do not fit the issuer's certificate; (2) they were changed after that"
            }
            RefusalKind::Key => {
                "(1) the issuer does not publish the key that signed the token, or did not then; (2) STS could not \
                 reach the issuer, which may pass"
            }
            RefusalKind::Token => {
                "(1) the provider was made or changed after that; (2) the issuer does not publish the key that signed \
                 the token, or did not then; (3) the provider lists thumbprints that do not fit the issuer's \
                 certificate"
            }
        }
    }

    fn names_policy(&self, layer: PolicyLayer) -> bool {
        self.hints.contains(&Hint::PolicyNamed(layer))
    }
}

impl Entry for RefusedOutsideTrust {
    fn cause(&self) -> String {
        let at = self.refused_at.map_or_else(String::new, |at| format!(" at {}", format_utc(at)));
        let words = self.message.as_deref().filter(|words| !words.is_empty());
        let words = words.map_or_else(String::new, |words| format!(" \"{}\"", sanitize(words)));
        let hints: Vec<String> = self.hints.iter().map(Hint::words).collect();
        let hints = if hints.is_empty() {
            String::new()
        } else {
            format!(" What was seen besides: {}.", hints.join("; "))
        };
        let allow = match self.unavailable {
            None => "The role's trust policy and the OIDC provider, as they are now, allow it".to_owned(),
            Some(what) => format!(
                "The role's trust policy, as it is now, allows it; not known is {what}, but of that STS would have said \
                 other words"
            ),
        };
        format!(
            "STS refused{at}: {}{words}. {allow}. So it is something else: {}.{hints}",
            sanitize(&self.code),
            self.causes()
        )
    }

    fn remedy(&self) -> Vec<String> {
        let again = "Let the pod be checked again: an init container or a sidecar that failed does it by itself. If \
                     it gets its role now, the refusal is over. Else delete the pod, which a controller makes \
                     anew:\nkubectl -n NAMESPACE delete pod POD"
            .to_owned();
        let provider = || {
            let show = commands(&self.request).show_oidc_provider;
            format!("In account {}, look at the provider:\n{show}", self.request.role.account)
        };
        let key = self.hints.contains(&Hint::SigningKeyNotChecked).then(|| {
            "Check whether the issuer publishes the key that signed the token: add --issuer-check --token TOKEN_FILE to \
             the command."
                .to_owned()
        });
        match self.kind {
            RefusalKind::Access => {}
            RefusalKind::Provider | RefusalKind::Audience | RefusalKind::Thumbprint => {
                return vec![again, provider()];
            }
            RefusalKind::Key => return std::iter::once(again).chain(key).collect(),
            RefusalKind::Token => {
                return [Some(again), key, Some(provider())].into_iter().flatten().collect();
            }
        }
        let organization = format!(
            "Ask those who manage the organisation for its resource control policies that deny \
             sts:AssumeRoleWithWebIdentity; callers with a web identity carry no aws:PrincipalOrgID. They find \
             them by:\n{}",
            organization_policies(&self.request.role, "RESOURCE_CONTROL_POLICY")
        );
        let endpoint = format!(
            "If the cluster's VPC has an endpoint for STS, look at its policy; it has to allow \
             sts:AssumeRoleWithWebIdentity for Principal \"*\":\n{}",
            sts_endpoint_policies(self.region.as_deref())
        );
        let is_over = self.hints.iter().any(Hint::shows_that_it_is_over);
        if self.names_policy(PolicyLayer::VpcEndpoint) && !is_over {
            return vec![endpoint, again];
        }
        if self.names_policy(PolicyLayer::Organization) && !is_over {
            return vec![organization, again];
        }
        vec![again, organization, endpoint]
    }

    fn evidence(&self) -> Evidence {
        let hints: Vec<String> = self.hints.iter().map(Hint::words).collect();
        Evidence::new()
            .text("code", &self.code)
            .text_if("message", self.message.as_deref())
            .text_if("request_id", self.request_id.as_deref())
            .value_if("refused_at", self.refused_at.map(format_utc))
            .text_if("region", self.region.as_deref())
            .texts("clues", &hints)
            .text("role_arn", &self.request.role.text)
            .text("subject", &self.request.subject)
    }
}

impl Unavailable {
    /// Something that AWS did not tell.
    pub(crate) fn by_iam(what: &'static str, error: &IamError) -> Self {
        Self { what, reason: UnavailableReason::Iam(error.clone()) }
    }

    /// Something that is in no file, while AWS was not asked. The flag names such a file.
    pub(crate) fn not_given(what: &'static str, flag: &'static str) -> Self {
        Self { what, reason: UnavailableReason::NotGiven(flag) }
    }

    /// The permission that the credentials lack, if that is the reason.
    pub(crate) fn permission(&self) -> Option<&'static str> {
        match &self.reason {
            UnavailableReason::Iam(IamError { permission, kind: IamErrorKind::Denied(_) }) => {
                Some(*permission)
            }
            UnavailableReason::Iam(_) | UnavailableReason::NotGiven(_) => None,
        }
    }
}

impl UnavailableReason {
    /// The reason in words that follow "because".
    pub(crate) fn because(&self) -> String {
        match self {
            Self::Iam(unknown) => sanitize(unknown.kind.to_string().trim_end_matches('.')),
            Self::NotGiven(flag) => {
                format!("it is not among the files that were given ({flag}), so AWS was not asked")
            }
        }
    }
}
