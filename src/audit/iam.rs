//! What IAM shows of a role to the operator's credentials. This file only observes.
//!
//! All calls are made at once. Only the simulation waits for the role's ARN, and a list for its pages, so no answer takes
//! more than [`ROUND_TRIPS`] round trips to IAM.

use tokio::time::Instant;

use super::options::{AuditOptions, LookupOptions};
use crate::aws::iam::{
    Endpoints, Iam, IamError, IamErrorKind, IamResult, OidcProvider, PagedList, Role, SimulatedDecision,
    permission,
};
use crate::aws::operator::{CredentialSources, OperatorCredentials};
use crate::aws::profile::Profiles;
use crate::aws::sts::StsCaller;
use crate::aws::transport::SmithyConnector;
use crate::diagnosis::audit::Unavailable;
use crate::host::Pod;
use iam_trust::arn::RoleArn;
use iam_trust::partition::Partition;
use iam_trust::request::Request;

/// The most round trips to IAM that follow one another.
pub const ROUND_TRIPS: u8 = 3;

// Names of what can be unavailable. They follow "Not known:".
const CALLER: &str = "whose the credentials are";
pub(super) const ROLE: &str = "the role and its trust policy";
pub(super) const PROVIDER: &str = "the OIDC provider for the token's issuer";
const OTHER_PROVIDERS: &str = "the account's other OIDC providers";
pub(super) const ATTACHED: &str = "the role's attached policies";
pub(super) const INLINE: &str = "the role's inline policies";
pub(super) const SIMULATION: &str = "what the role may do";

#[derive(Debug, Clone)]
pub struct IamSnapshot {
    /// The owner of the credentials.
    pub caller: IamResult<StsCaller>,
    /// The role, if the account has one of this name.
    pub role: IamResult<Option<Role>>,
    /// The OIDC provider for the issuer, if the account has one.
    pub provider: IamResult<Option<OidcProvider>>,
    /// The ARNs of all OIDC providers of the account.
    pub providers: IamResult<Vec<String>>,
    /// The names of the role's managed policies.
    pub attached: IamResult<PagedList<String>>,
    /// The names of the role's inline policies.
    pub inline: IamResult<PagedList<String>>,
    /// The simulated decisions. `None` if no action was given.
    pub simulation: Option<IamResult<PagedList<SimulatedDecision>>>,
}

/// Loads the operator's credentials and asks IAM, by `until` at the latest.
pub async fn observe(pod: &Pod, options: &AuditOptions, request: &Request, until: Instant) -> IamSnapshot {
    let LookupOptions { profile, action, .. } = &options.lookup;
    let profile = profile.as_deref();
    let profiles = Profiles::load(pod, profile, until).await;
    let endpoints = endpoints(pod, profiles.as_ref().ok(), request.role.partition);
    // The credentials get a little less time, so that their own error is reported, and not a time-out.
    let by = until - until.saturating_duration_since(Instant::now()) / 8;
    let dialer = SmithyConnector::new(pod, options.network.clone(), by);
    let sources = CredentialSources {
        pod,
        dialer: &dialer,
        endpoints: &endpoints,
        profile,
        profiles: &profiles,
        until: by,
    };
    match OperatorCredentials::load(&sources).await {
        Ok(operator) => {
            ask(&Iam::new(pod, &dialer, &endpoints, &operator, until), request, &options.lookup).await
        }
        Err(why) => IamSnapshot::failed(&IamErrorKind::NoCredentials(why), !action.is_empty()),
    }
}

pub async fn ask(iam: &Iam, request: &Request, lookup: &LookupOptions) -> IamSnapshot {
    let name = request.role.name.as_str();
    let role = async {
        let role = iam.role(name).await;
        let simulation = simulate(iam, &request.role, lookup, &role).await;
        (role, simulation)
    };
    let provider_arn = request.provider_arn();
    let (caller, (role, simulation), provider, providers, attached, inline) = tokio::join!(
        Box::pin(iam.caller_identity()),
        Box::pin(role),
        Box::pin(iam.oidc_provider(&provider_arn)),
        Box::pin(iam.oidc_provider_arns()),
        Box::pin(iam.attached_policies(name, ROUND_TRIPS)),
        Box::pin(iam.inline_policies(name, ROUND_TRIPS)),
    );
    IamSnapshot { caller, role, provider, providers, attached, inline, simulation }
        .without_other_account(&request.role)
}

/// Simulates with the ARN that IAM has: the ARN of the query can lack the role's path.
async fn simulate(
    iam: &Iam,
    asked: &RoleArn,
    lookup: &LookupOptions,
    role: &IamResult<Option<Role>>,
) -> Option<IamResult<PagedList<SimulatedDecision>>> {
    if lookup.action.is_empty() {
        return None;
    }
    let arn = match role {
        Ok(Some(role)) => role.arn.as_ref(),
        Ok(None) => {
            return Some(Err(error(permission::SIMULATE, IamErrorKind::NoRole)));
        }
        Err(_) => None,
    };
    Some(iam.simulate(arn.unwrap_or(&asked.text), &lookup.action, &lookup.resource, ROUND_TRIPS - 1).await)
}

fn error(permission: &'static str, kind: IamErrorKind) -> IamError {
    IamError { permission, kind }
}

impl IamSnapshot {
    /// Nothing is known, for the same reason.
    fn failed(kind: &IamErrorKind, simulates: bool) -> Self {
        let failed = |permission| error(permission, kind.clone());
        Self {
            caller: Err(failed(permission::GET_CALLER_IDENTITY)),
            role: Err(failed(permission::GET_ROLE)),
            provider: Err(failed(permission::GET_OIDC_PROVIDER)),
            providers: Err(failed(permission::LIST_OIDC_PROVIDERS)),
            attached: Err(failed(permission::LIST_ATTACHED_POLICIES)),
            inline: Err(failed(permission::LIST_INLINE_POLICIES)),
            simulation: simulates.then(|| Err(failed(permission::SIMULATE))),
        }
    }

    /// Drops what belongs to another account than the role. IAM looks up names in the account of the credentials, which
    /// can have a role of the same name.
    fn without_other_account(self, role: &RoleArn) -> Self {
        let account = match (&self.caller, &self.role) {
            (Ok(caller), _) => Some(caller.account.clone()),
            (Err(_), Ok(Some(Role { arn: Some(arn), .. }))) => arn.split(':').nth(4).map(str::to_owned),
            _ => None,
        };
        match account.filter(|account| *account != role.account) {
            Some(account) => {
                let other = Self::failed(&IamErrorKind::OtherAccount(account), self.simulation.is_some());
                Self { caller: self.caller, ..other }
            }
            None => self,
        }
    }

    /// Everything that AWS did not tell.
    pub fn unavailable(&self) -> Vec<Unavailable> {
        let simulation = self.simulation.as_ref().and_then(|simulation| simulation.as_ref().err());
        let all = [
            (CALLER, self.caller.as_ref().err()),
            (ROLE, self.role.as_ref().err()),
            (PROVIDER, self.provider.as_ref().err()),
            (OTHER_PROVIDERS, self.providers.as_ref().err()),
            (ATTACHED, self.attached.as_ref().err()),
            (INLINE, self.inline.as_ref().err()),
            (SIMULATION, simulation),
        ];
        all.into_iter().filter_map(|(what, error)| Some(Unavailable::by_iam(what, error?))).collect()
    }

    pub(crate) fn simulated_decisions(&self) -> &[SimulatedDecision] {
        self.simulation
            .as_ref()
            .and_then(|simulation| simulation.as_ref().ok())
            .map_or(&[], |list| &list.entries)
    }
}

/// The endpoints of AWS by the variables and the profile. IAM and STS are those of the role's partition; STS is in the
/// configured region if the partition has it.
fn endpoints(pod: &Pod, profiles: Option<&Profiles>, partition: &'static Partition) -> Endpoints {
    let of_profile = |key: &str| profiles.and_then(|profiles| profiles.get(key)).map(str::to_owned);
    let setting = |variable: &str, key: &str| pod.nonempty_variable(variable).or_else(|| of_profile(key));
    let is_true = |variable: &str, key: &str| {
        setting(variable, key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    };
    let is_ignored = is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls");
    let url = |variable: &str, service: &'static str| {
        pod.nonempty_variable(variable)
            .or_else(|| pod.nonempty_variable("AWS_ENDPOINT_URL"))
            .or_else(|| Some(profiles?.endpoint(service)?.0))
            .filter(|_| !is_ignored)
    };
    let home = partition.home_region.to_owned();
    let region = pod.nonempty_variable("AWS_REGION").or_else(|| setting("AWS_DEFAULT_REGION", "region"));
    Endpoints {
        iam_region: home.clone(),
        iam_url: url("AWS_ENDPOINT_URL_IAM", "iam"),
        sts_region: region.filter(|region| Partition::of_region(region) == Some(partition)).unwrap_or(home),
        sts_url: url("AWS_ENDPOINT_URL_STS", "sts"),
        fips: is_true("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
        dual_stack: is_true("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
    }
}

#[cfg(test)]
mod tests {
    use super::endpoints;
    use crate::aws::iam::Endpoints;
    use crate::host::{Clock, Pod};
    use iam_trust::partition::Partition;

    /// The endpoints of a partition in a pod with these variables.
    fn of(partition: &str, variables: &[(&str, &str)]) -> Endpoints {
        let pod = Pod::recorded(variables.iter().copied(), Clock::System);
        endpoints(&pod, None, Partition::by_id(partition).unwrap())
    }

    #[test]
    fn iam_has_one_region_a_partition_and_sts_that_of_the_pod() {
        let regions = |partition: &str, variables: &[(&str, &str)]| {
            let found = of(partition, variables);
            assert_eq!(found.iam_url.or(found.sts_url), None);
            (found.iam_region, found.sts_region)
        };
        let both = |iam: &str, sts: &str| (iam.to_owned(), sts.to_owned());
        let ireland = [("AWS_REGION", "eu-west-1")];
        assert_eq!(regions("aws", &[]), both("us-east-1", "us-east-1"));
        assert_eq!(regions("aws", &ireland), both("us-east-1", "eu-west-1"));
        assert_eq!(regions("aws-cn", &ireland), both("cn-north-1", "cn-north-1"));
        let gov = [("AWS_REGION", "us-gov-east-1")];
        assert_eq!(regions("aws-us-gov", &gov), both("us-gov-west-1", "us-gov-east-1"));
    }

    #[test]
    fn configured_endpoints_are_used_unless_ignored() {
        let url = |variables: &[(&str, &str)]| {
            let found = of("aws", variables);
            assert_eq!((found.iam_region.as_str(), found.sts_region.as_str()), ("us-east-1", "us-east-1"));
            found.iam_url.or(found.sts_url)
        };
        let general = ("AWS_ENDPOINT_URL", "http://a");
        assert_eq!(url(&[general]).as_deref(), Some("http://a"));
        assert_eq!(url(&[general, ("AWS_ENDPOINT_URL_IAM", "http://b")]).as_deref(), Some("http://b"));
        assert_eq!(url(&[general, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]), None);
    }
}
