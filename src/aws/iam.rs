//! What IAM says of a role and of what may assume it, by the operator's credentials. It only reads.
//!
//! Every call gives its answer, or why that is not known and which permission it needs.

use std::error::Error as _;
use std::fmt;
use std::time::{Duration, SystemTime};

use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::config::timeout::TimeoutConfig;
use aws_sdk_iam::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::time::{Instant, timeout_at};

use super::operator::{NoCredentials, OperatorCredentials};
use super::sts::{ConnectionLost, StsCaller};
use super::transport::{ServerUnreachable, SmithyConnector};
use crate::host::Pod;

/// The most entries of a list that IAM is asked for at once: the most that it allows.
const PAGE_ENTRIES: i32 = 1000;

/// The most bytes of a content type that is handed on.
const MAX_CONTENT_TYPE_BYTES: usize = 64;

/// A call that is throttled, or lost, is made once more, after at most this.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// A permission that an answer needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Whose the credentials are. AWS answers it to everyone.
    GetCallerIdentity,
    /// The role and its trust policy.
    GetRole,
    /// One OIDC provider.
    GetOpenIdConnectProvider,
    /// The names of all.
    ListOpenIdConnectProviders,
    /// The names of the managed policies of a role.
    ListAttachedRolePolicies,
    /// The names of its inline policies.
    ListRolePolicies,
    /// What the role may do.
    SimulatePrincipalPolicy,
}

impl Permission {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::GetCallerIdentity,
        Self::GetRole,
        Self::GetOpenIdConnectProvider,
        Self::ListOpenIdConnectProviders,
        Self::ListAttachedRolePolicies,
        Self::ListRolePolicies,
        Self::SimulatePrincipalPolicy,
    ];

    /// Its name in a policy.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GetCallerIdentity => "sts:GetCallerIdentity",
            Self::GetRole => "iam:GetRole",
            Self::GetOpenIdConnectProvider => "iam:GetOpenIDConnectProvider",
            Self::ListOpenIdConnectProviders => "iam:ListOpenIDConnectProviders",
            Self::ListAttachedRolePolicies => "iam:ListAttachedRolePolicies",
            Self::ListRolePolicies => "iam:ListRolePolicies",
            Self::SimulatePrincipalPolicy => "iam:SimulatePrincipalPolicy",
        }
    }
}

/// What is known, or why it is not.
pub type IamResult<T> = Result<T, IamError>;

/// Something that is not known.
#[derive(Debug, Clone)]
pub struct IamError {
    /// The permission that it needs.
    pub permission: Permission,
    /// Why it is not known.
    pub kind: IamErrorKind,
}

/// Why something is not known. Texts are AWS's own, as they came.
#[derive(Debug, Clone)]
pub enum IamErrorKind {
    /// The operator has no credentials.
    NoCredentials(NoCredentials),
    /// AWS does not take the credentials, whatever they would allow.
    CredentialsRejected {
        /// AWS's code.
        code: String,
        /// AWS's words.
        message: String,
    },
    /// The credentials are of this other account, whose roles and providers are others.
    OtherAccount(String),
    /// The credentials do not allow it; AWS's words, which say of which policies.
    Denied(String),
    /// There are too many requests.
    Throttled,
    /// AWS said no for another reason.
    Refused {
        /// AWS's code, or `HTTP` and the status.
        code: String,
        /// AWS's words.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// What answered is not AWS.
    NotAws {
        /// The HTTP status.
        status: u16,
        /// The content type, if it is a short one.
        content_type: Option<String>,
    },
    /// There is no way to AWS.
    Unreachable(ServerUnreachable),
    /// The connection broke off; the library's words.
    ConnectionLost(String),
    /// No answer until the deadline.
    TimedOut,
    /// There is no such role.
    NoRole,
    /// The answer goes on after what was read of it.
    Truncated,
}

/// In words that follow "because".
impl fmt::Display for IamErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCredentials(why) => why.fmt(f),
            Self::CredentialsRejected { code, message } => {
                write!(f, "AWS does not take the credentials: {code}: {message}")
            }
            Self::OtherAccount(account) => write!(f, "the credentials are of account {account}"),
            Self::Denied(message) => write!(f, "the credentials do not allow it: {message}"),
            Self::Throttled => f.write_str("AWS gets too many requests"),
            Self::Refused { code, message, .. } if message.is_empty() => write!(f, "AWS said {code}"),
            Self::Refused { code, message, .. } => write!(f, "AWS said {code}: {message}"),
            Self::NotAws { status, .. } => write!(f, "what answered, with status {status}, is not AWS"),
            Self::Unreachable(unreached) => unreached.fmt(f),
            Self::ConnectionLost(words) => write!(f, "the connection broke off: {words}"),
            Self::TimedOut => f.write_str("AWS did not answer in time"),
            Self::NoRole => f.write_str("there is no such role"),
            Self::Truncated => {
                f.write_str("AWS's answer goes on after what was read of it; ask for less at once")
            }
        }
    }
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The ARN, with the path.
    pub arn: String,
    /// The trust policy as IAM gives it: percent-encoded.
    pub trust_policy: String,
    /// The longest session that it allows, in seconds.
    pub max_session_seconds: Option<i32>,
    /// The ARN of the policy that bounds its permissions.
    pub boundary_arn: Option<String>,
    /// When it was created.
    pub created: Option<SystemTime>,
    /// When it was last used, within AWS's tracking period of 400 days, and in which region.
    pub last_used: Option<(SystemTime, Option<String>)>,
}

/// An OIDC provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcProvider {
    /// Its ARN, if known: what the AWS CLI prints of one provider does not have it.
    pub arn: Option<String>,
    /// The issuer, without `https://`, as IAM has it.
    pub url: String,
    /// Its client ids, which are the audiences that it accepts.
    pub client_ids: Vec<String>,
    /// When it was created.
    pub created_at: Option<SystemTime>,
}

/// A managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedPolicy {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: Option<String>,
}

/// A list, as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagedList<T> {
    /// What was read.
    pub entries: Vec<T>,
    /// Whether that is all.
    pub is_complete: bool,
}

/// What a simulation says of one action on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedDecision {
    /// The action.
    pub action: String,
    /// The resource, `*` if any.
    pub resource: String,
    /// What it comes to.
    pub decision: Decision,
    /// The policies whose statements decided. With an explicit deny only those that deny.
    pub matched: Vec<MatchedPolicy>,
    /// The context keys that the policies read, and of which the simulation knows nothing.
    pub missing_context: Vec<String>,
    /// Whether the permissions boundary allows it, if the role has one.
    pub boundary_allows: Option<bool>,
    /// Whether the organization's policies allow it, if the account is in one. Where several resources
    /// were asked about at once, whether they allow it for all.
    pub organization_allows: Option<bool>,
}

/// What a simulation comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is allowed.
    Allowed,
    /// No policy allows it.
    ImplicitDeny,
    /// A policy denies it.
    ExplicitDeny,
    /// Another one, that this version does not know.
    Other(String),
}

/// A policy of which a statement decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedPolicy {
    /// AWS's name for it.
    pub policy: String,
    /// Its type in AWS's words, such as `IAM Policy`.
    pub kind: Option<String>,
}

/// Where AWS is called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Endpoints {
    /// The region whose IAM is asked: each partition has one IAM.
    pub iam_region: String,
    /// IAM's URL, if one is set.
    pub iam_url: Option<String>,
    /// The region whose STS is asked.
    pub sts_region: String,
    /// STS's URL, if one is set.
    pub sts_url: Option<String>,
    /// Endpoints that keep to FIPS 140.
    pub fips: bool,
    /// Endpoints with IPv6 addresses, too.
    pub dual_stack: bool,
}

/// IAM, and STS for the one question whose the credentials are.
#[derive(Debug)]
pub struct Iam {
    iam: aws_sdk_iam::Client,
    sts: aws_sdk_sts::Client,
    until: Instant,
}

impl Iam {
    /// IAM for these credentials. No call lasts longer than `until`.
    #[must_use]
    pub fn new(
        pod: &Pod,
        dialer: &SmithyConnector,
        endpoints: &Endpoints,
        operator: &OperatorCredentials,
        until: Instant,
    ) -> Self {
        let retry = RetryConfig::standard().with_max_attempts(2).with_initial_backoff(RETRY_PAUSE);
        let retry = retry.with_max_backoff(RETRY_PAUSE);
        let time = SharedTimeSource::new(pod.clone());
        let mut iam = aws_sdk_iam::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(dialer.http_client())
            .credentials_provider(operator.0.clone())
            .region(Region::new(endpoints.iam_region.clone()))
            .use_fips(endpoints.fips)
            .use_dual_stack(endpoints.dual_stack)
            .retry_config(retry.clone())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .time_source(time.clone());
        iam.set_endpoint_url(endpoints.iam_url.clone());
        let mut sts = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(dialer.http_client())
            .credentials_provider(operator.0.clone())
            .region(Region::new(endpoints.sts_region.clone()))
            .use_fips(endpoints.fips)
            .use_dual_stack(endpoints.dual_stack)
            .retry_config(retry)
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .time_source(time);
        sts.set_endpoint_url(endpoints.sts_url.clone());
        Self {
            iam: aws_sdk_iam::Client::from_conf(iam.build()),
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
            until,
        }
    }

    /// Whose the credentials are.
    ///
    /// # Errors
    /// Why that is not known; so for the other calls.
    pub async fn caller_identity(&self) -> IamResult<StsCaller> {
        let call = self.sts.get_caller_identity().send();
        let output = self.call(Permission::GetCallerIdentity, call).await?;
        let request_id = aws_sdk_sts::operation::RequestId::request_id(&output).map(str::to_owned);
        match (output.arn, output.account) {
            (Some(arn), Some(account)) => Ok(StsCaller { arn, account, request_id }),
            _ => Err(incomplete_answer(Permission::GetCallerIdentity)),
        }
    }

    /// The role of this name in the account of the credentials, if there is one.
    ///
    /// # Errors
    /// As of [`Iam::caller`].
    pub async fn role(&self, name: &str) -> IamResult<Option<Role>> {
        let call = self.iam.get_role().role_name(name).send();
        let Some(output) = self.call_or_absent(Permission::GetRole, call).await? else { return Ok(None) };
        // The SDK makes up an empty role where the answer has none.
        let role = output.role.filter(|role| !role.arn.is_empty());
        let role = role.ok_or_else(|| incomplete_answer(Permission::GetRole))?;
        let last_used = role.role_last_used.and_then(|used| Some((time(used.last_used_date?)?, used.region)));
        Ok(Some(Role {
            arn: role.arn,
            trust_policy: role.assume_role_policy_document.unwrap_or_default(),
            max_session_seconds: role.max_session_duration,
            boundary_arn: role.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn),
            created: time(role.create_date),
            last_used,
        }))
    }

    /// The OIDC provider with this ARN, if there is one.
    ///
    /// # Errors
    /// As of [`Iam::caller`].
    pub async fn oidc_provider(&self, arn: &str) -> IamResult<Option<OidcProvider>> {
        let call = self.iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn).send();
        let output = self.call_or_absent(Permission::GetOpenIdConnectProvider, call).await?;
        Ok(output.map(|provider| OidcProvider {
            arn: Some(arn.to_owned()),
            url: provider.url.unwrap_or_default(),
            client_ids: provider.client_id_list.unwrap_or_default(),
            created_at: provider.create_date.and_then(time),
        }))
    }

    /// The ARNs of all OIDC providers of the account.
    ///
    /// # Errors
    /// As of [`Iam::caller`].
    pub async fn oidc_provider_arns(&self) -> IamResult<Vec<String>> {
        let call = self.iam.list_open_id_connect_providers().send();
        let output = self.call(Permission::ListOpenIdConnectProviders, call).await?;
        let entries = output.open_id_connect_provider_list.unwrap_or_default();
        Ok(entries.into_iter().filter_map(|entry| entry.arn).collect())
    }

    /// The managed policies of the role of this name, of at most so many pages.
    ///
    /// # Errors
    /// As of [`Iam::caller`].
    pub async fn attached_policies(&self, role: &str, pages: u8) -> IamResult<PagedList<AttachedPolicy>> {
        read_pages(pages, async |marker| {
            let call = self.iam.list_attached_role_policies().role_name(role).max_items(PAGE_ENTRIES);
            let call = call.set_marker(marker).send();
            let output = self.call(Permission::ListAttachedRolePolicies, call).await?;
            let policies = output.attached_policies.unwrap_or_default().into_iter();
            let policies = policies.filter_map(|policy| {
                Some(AttachedPolicy { name: policy.policy_name?, arn: policy.policy_arn })
            });
            Ok(Page::new(policies.collect(), output.is_truncated, output.marker))
        })
        .await
    }

    /// The names of the inline policies of the role of this name, of at most so many pages.
    ///
    /// # Errors
    /// As of [`Iam::caller`].
    pub async fn inline_policies(&self, role: &str, pages: u8) -> IamResult<PagedList<String>> {
        read_pages(pages, async |marker| {
            let call = self.iam.list_role_policies().role_name(role).max_items(PAGE_ENTRIES);
            let call = call.set_marker(marker).send();
            let output = self.call(Permission::ListRolePolicies, call).await?;
            Ok(Page::new(output.policy_names, output.is_truncated, output.marker))
        })
        .await
    }

    /// What the role with this ARN may do, by IAM's simulation, of at most so many pages.
    ///
    /// # Errors
    /// As of [`Iam::caller`].
    pub async fn simulate(
        &self,
        role_arn: &str,
        actions: &[String],
        resources: &[String],
        pages: u8,
    ) -> IamResult<PagedList<SimulatedDecision>> {
        read_pages(pages, async |marker| {
            let call =
                self.iam.simulate_principal_policy().policy_source_arn(role_arn).max_items(PAGE_ENTRIES);
            let resources = (!resources.is_empty()).then(|| resources.to_vec());
            let call = call.set_action_names(Some(actions.to_vec())).set_resource_arns(resources);
            let call = call.set_marker(marker).send();
            let output = self.call(Permission::SimulatePrincipalPolicy, call).await?;
            let results = output.evaluation_results.unwrap_or_default();
            let results = results.into_iter().flat_map(simulated).collect();
            Ok(Page::new(results, output.is_truncated, output.marker))
        })
        .await
    }

    async fn call<O, E>(
        &self,
        permission: Permission,
        call: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    ) -> IamResult<O>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let why = match timeout_at(self.until, Box::pin(call)).await {
            Ok(Ok(output)) => return Ok(output),
            Ok(Err(error)) => error_kind(&error),
            Err(_) => IamErrorKind::TimedOut,
        };
        Err(IamError { permission, kind: why })
    }

    /// The same, where AWS's word that there is no such thing is an answer.
    async fn call_or_absent<O, E>(
        &self,
        permission: Permission,
        call: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    ) -> IamResult<Option<O>>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match self.call(permission, call).await {
            Ok(output) => Ok(Some(output)),
            Err(IamError { kind: IamErrorKind::NoRole, .. }) => Ok(None),
            Err(unknown) => Err(unknown),
        }
    }
}

/// IAM's code for what does not exist. Where the thing itself was not asked for, it is the role.
const NO_SUCH: &str = "NoSuchEntity";

/// The codes with which AWS does not take credentials. Source: the common errors of the IAM and STS API
/// references.
const REJECTED: [&str; 10] = [
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

fn error_kind<E>(error: &SdkError<E, HttpResponse>) -> IamErrorKind
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let Some(raw) = error.raw_response() {
        let status = raw.status().as_u16();
        let message = error.message().unwrap_or_default().to_owned();
        return match error.code() {
            Some("AccessDenied" | "AccessDeniedException") => IamErrorKind::Denied(message),
            Some(NO_SUCH) => IamErrorKind::NoRole,
            Some("Throttling" | "ThrottlingException" | "RequestLimitExceeded") => IamErrorKind::Throttled,
            Some(code) if REJECTED.contains(&code) => {
                IamErrorKind::CredentialsRejected { code: code.to_owned(), message }
            }
            Some(code) => IamErrorKind::Refused { code: code.to_owned(), message, status },
            None if status == 429 => IamErrorKind::Throttled,
            None if status >= 500 => {
                IamErrorKind::Refused { code: format!("HTTP {status}"), message, status }
            }
            None => {
                let content_type = raw.headers().get("content-type").map(str::to_owned);
                let content_type = content_type.filter(|kind| kind.len() <= MAX_CONTENT_TYPE_BYTES);
                IamErrorKind::NotAws { status, content_type }
            }
        };
    }
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(unreached) = source.downcast_ref::<ServerUnreachable>() {
            return IamErrorKind::Unreachable(unreached.clone());
        }
        match source.downcast_ref() {
            Some(ConnectionLost::Broken(words)) => return IamErrorKind::ConnectionLost(words.clone()),
            Some(ConnectionLost::TooLong) => {
                return IamErrorKind::NotAws { status: 200, content_type: None };
            }
            None => next = source.source(),
        }
    }
    IamErrorKind::ConnectionLost(error.to_string())
}

/// An answer without what AWS's always has.
fn incomplete_answer(permission: Permission) -> IamError {
    IamError { permission, kind: IamErrorKind::NotAws { status: 200, content_type: None } }
}

/// A page of a list, and where the next begins.
struct Page<T> {
    entries: Vec<T>,
    next: Option<String>,
    is_truncated: bool,
}

impl<T> Page<T> {
    fn new(entries: Vec<T>, is_truncated: bool, marker: Option<String>) -> Self {
        Self { entries, next: marker.filter(|marker| is_truncated && !marker.is_empty()), is_truncated }
    }
}

/// Reads the pages of a list, one after the other.
async fn read_pages<T>(
    pages: u8,
    read: impl AsyncFn(Option<String>) -> IamResult<Page<T>>,
) -> IamResult<PagedList<T>> {
    let (mut entries, mut marker) = (Vec::new(), None);
    for _ in 0..pages {
        let page = read(marker).await?;
        entries.extend(page.entries);
        match page.next {
            Some(next) => marker = Some(next),
            None => return Ok(PagedList { entries, is_complete: !page.is_truncated }),
        }
    }
    Ok(PagedList { entries, is_complete: false })
}

/// One result for each resource. IAM used to give each a result of its own, and now gives one for all with
/// theirs in it. (Source: the IAM API reference, `EvaluationResult`.)
fn simulated(result: types::EvaluationResult) -> Vec<SimulatedDecision> {
    let boundary = |detail: Option<types::PermissionsBoundaryDecisionDetail>| {
        detail.map(|detail| detail.allowed_by_permissions_boundary)
    };
    let action = result.eval_action_name;
    let organization_allows =
        result.organizations_decision_detail.map(|detail| detail.allowed_by_organizations);
    let boundary_allows = boundary(result.permissions_boundary_decision_detail);
    match result.resource_specific_results.filter(|results| !results.is_empty()) {
        None => vec![SimulatedDecision {
            action,
            resource: result.eval_resource_name.unwrap_or_else(|| "*".to_owned()),
            decision: decision(&result.eval_decision),
            matched: matched(result.matched_statements),
            missing_context: result.missing_context_values.unwrap_or_default(),
            boundary_allows,
            organization_allows,
        }],
        Some(results) => {
            let of_resource = |result: types::ResourceSpecificResult| SimulatedDecision {
                action: action.clone(),
                resource: result.eval_resource_name,
                decision: decision(&result.eval_resource_decision),
                matched: matched(result.matched_statements),
                missing_context: result.missing_context_values.unwrap_or_default(),
                boundary_allows: boundary(result.permissions_boundary_decision_detail).or(boundary_allows),
                organization_allows,
            };
            results.into_iter().map(of_resource).collect()
        }
    }
}

fn decision(decision: &types::PolicyEvaluationDecisionType) -> Decision {
    match decision.as_str() {
        "allowed" => Decision::Allowed,
        "implicitDeny" => Decision::ImplicitDeny,
        "explicitDeny" => Decision::ExplicitDeny,
        other => Decision::Other(other.to_owned()),
    }
}

/// The policies, each once.
fn matched(statements: Option<Vec<types::Statement>>) -> Vec<MatchedPolicy> {
    let mut policies: Vec<MatchedPolicy> = Vec::new();
    for statement in statements.unwrap_or_default() {
        let kind = statement.source_policy_type.map(|kind| kind.as_str().to_owned());
        let found = MatchedPolicy { policy: statement.source_policy_id.unwrap_or_default(), kind };
        if !policies.contains(&found) {
            policies.push(found);
        }
    }
    policies
}

fn time(at: aws_smithy_types::DateTime) -> Option<SystemTime> {
    SystemTime::try_from(at).ok()
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};

    use iam_trust::partition::Partition;

    /// IAM is one for a whole partition, and each has it elsewhere.
    #[tokio::test]
    async fn the_iam_of_a_partition() {
        for (partition, url) in [
            ("aws", "https://iam.amazonaws.com"),
            ("aws-cn", "https://iam.cn-north-1.amazonaws.com.cn"),
            ("aws-us-gov", "https://iam.us-gov.amazonaws.com"),
            ("aws-eusc", "https://iam.eusc-de-east-1.amazonaws.eu"),
            ("aws-iso", "https://iam.us-iso-east-1.c2s.ic.gov"),
        ] {
            let region = Partition::by_id(partition).unwrap().home_region;
            let params = Params::builder().region(region).build().unwrap();
            let endpoint = DefaultResolver::new().resolve_endpoint(&params).await.unwrap();
            assert_eq!(endpoint.url(), url, "{partition}");
        }
    }
}
