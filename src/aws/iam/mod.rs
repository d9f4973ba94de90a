//! What IAM says of a role and of what may assume it, by the operator's credentials. It only reads.
//!
//! Every call gives its answer, or why there is none and which permission it needs.

mod error;
mod simulation;

use std::time::{Duration, SystemTime};

use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::time::{Instant, timeout_at};

use super::operator::OperatorCredentials;
use super::sts::StsCaller;
use super::transport::SmithyConnector;
use crate::host::Pod;

use error::{error_kind, incomplete_answer};
use simulation::simulated;

pub use super::endpoint::Endpoints;
pub use error::{IamError, IamErrorKind, IamResult, operator_policy, permission};
pub use simulation::{Decision, SimulatedDecision};

/// The most entries of a list that IAM is asked for at once: the most that it allows.
const PAGE_ENTRIES: i32 = 1000;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Role {
    pub arn: Option<String>,
    /// The text of the trust policy. IAM gives it percent-encoded.
    pub trust_policy: String,
    pub max_session: Option<Duration>,
    /// The ARN of the policy that bounds its permissions.
    pub boundary_arn: Option<String>,
    pub(crate) created_at: Option<SystemTime>,
    /// When it was last used, within AWS's tracking period of 400 days.
    pub last_used: Option<SystemTime>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcProvider {
    /// Its ARN, if known: what the AWS CLI prints of one provider does not have it.
    pub(crate) arn: Option<String>,
    /// The issuer, without `https://`, as IAM has it.
    pub(crate) url: String,
    /// Its client ids, which are the audiences that it accepts.
    pub client_ids: Vec<String>,
    pub(crate) created_at: Option<SystemTime>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagedList<T> {
    pub entries: Vec<T>,
    pub is_complete: bool,
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
    pub fn new(
        pod: &Pod,
        dialer: &SmithyConnector,
        endpoints: &Endpoints,
        operator: &OperatorCredentials,
        until: Instant,
    ) -> Self {
        let credentials = || Some(operator.0.clone());
        let iam = endpoints.iam_config(pod, dialer, credentials());
        let sts = endpoints.sts_config(pod, dialer, credentials());
        Self { iam: aws_sdk_iam::Client::new(&iam), sts: aws_sdk_sts::Client::new(&sts), until }
    }

    pub(crate) async fn caller_identity(&self) -> IamResult<StsCaller> {
        let call = self.sts.get_caller_identity().send();
        let output = self.call(permission::GET_CALLER_IDENTITY, call).await?;
        let request_id = aws_sdk_sts::operation::RequestId::request_id(&output).map(str::to_owned);
        match (output.arn, output.account) {
            (Some(arn), Some(account)) => Ok(StsCaller { arn, account, request_id }),
            _ => Err(incomplete_answer(permission::GET_CALLER_IDENTITY)),
        }
    }

    /// The role of this name in the account of the credentials, if there is one.
    pub(crate) async fn role(&self, name: &str) -> IamResult<Option<Role>> {
        let call = self.iam.get_role().role_name(name).send();
        let Some(output) = or_absent(self.call(permission::GET_ROLE, call).await)? else { return Ok(None) };
        // The SDK makes up an empty role where the answer has none.
        let role = output.role.filter(|role| !role.arn.is_empty());
        let role = role.ok_or_else(|| incomplete_answer(permission::GET_ROLE))?;
        let max_session = role.max_session_duration.and_then(|seconds| u64::try_from(seconds).ok());
        Ok(Some(Role {
            arn: Some(role.arn),
            trust_policy: role.assume_role_policy_document.unwrap_or_default(),
            max_session: max_session.map(Duration::from_secs),
            boundary_arn: role.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn),
            created_at: time(role.create_date),
            last_used: role.role_last_used.and_then(|used| time(used.last_used_date?)),
        }))
    }

    /// The OIDC provider with this ARN, if there is one.
    pub(crate) async fn oidc_provider(&self, arn: &str) -> IamResult<Option<OidcProvider>> {
        let call = self.iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn).send();
        let output = or_absent(self.call(permission::GET_OIDC_PROVIDER, call).await)?;
        Ok(output.map(|provider| OidcProvider {
            arn: Some(arn.to_owned()),
            url: provider.url.unwrap_or_default(),
            client_ids: provider.client_id_list.unwrap_or_default(),
            created_at: provider.create_date.and_then(time),
        }))
    }

    /// The ARNs of all OIDC providers of the account.
    pub(crate) async fn oidc_provider_arns(&self) -> IamResult<Vec<String>> {
        let call = self.iam.list_open_id_connect_providers().send();
        let output = self.call(permission::LIST_OIDC_PROVIDERS, call).await?;
        let entries = output.open_id_connect_provider_list.unwrap_or_default();
        Ok(entries.into_iter().filter_map(|entry| entry.arn).collect())
    }

    /// The names of the managed policies of the role of this name, of at most so many pages.
    pub(crate) async fn attached_policies(&self, role: &str, pages: u8) -> IamResult<PagedList<String>> {
        read_pages(pages, async |marker| {
            let call = self.iam.list_attached_role_policies().role_name(role).max_items(PAGE_ENTRIES);
            let call = call.set_marker(marker).send();
            let output = self.call(permission::LIST_ATTACHED_POLICIES, call).await?;
            let policies = output.attached_policies.unwrap_or_default().into_iter();
            let names = policies.filter_map(|policy| policy.policy_name).collect();
            Ok((names, output.is_truncated, output.marker))
        })
        .await
    }

    /// The names of the inline policies of the role of this name, of at most so many pages.
    pub(crate) async fn inline_policies(&self, role: &str, pages: u8) -> IamResult<PagedList<String>> {
        read_pages(pages, async |marker| {
            let call = self.iam.list_role_policies().role_name(role).max_items(PAGE_ENTRIES);
            let call = call.set_marker(marker).send();
            let output = self.call(permission::LIST_INLINE_POLICIES, call).await?;
            Ok((output.policy_names, output.is_truncated, output.marker))
        })
        .await
    }

    /// What the role with this ARN may do, by IAM's simulation, of at most so many pages.
    pub(crate) async fn simulate(
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
            let output = self.call(permission::SIMULATE, call).await?;
            let results = output.evaluation_results.unwrap_or_default();
            let results = results.into_iter().flat_map(simulated).collect();
            Ok((results, output.is_truncated, output.marker))
        })
        .await
    }

    async fn call<O, E>(
        &self,
        permission: &'static str,
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
}

/// The answer, where AWS's word that there is no such thing is one.
fn or_absent<T>(answer: IamResult<T>) -> IamResult<Option<T>> {
    match answer {
        Err(IamError { kind: IamErrorKind::NoRole, .. }) => Ok(None),
        answer => answer.map(Some),
    }
}

/// The entries of a page, whether the list goes on, and where.
type Page<T> = (Vec<T>, bool, Option<String>);

/// Reads the pages of a list, one after the other.
async fn read_pages<T>(
    pages: u8,
    read: impl AsyncFn(Option<String>) -> IamResult<Page<T>>,
) -> IamResult<PagedList<T>> {
    let (mut entries, mut marker) = (Vec::new(), None);
    for _ in 0..pages {
        let (page, is_truncated, next) = read(marker).await?;
        entries.extend(page);
        marker = next.filter(|next| is_truncated && !next.is_empty());
        if marker.is_none() {
            return Ok(PagedList { entries, is_complete: !is_truncated });
        }
    }
    Ok(PagedList { entries, is_complete: false })
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
