//! AWS's side of a role, as an operator's credentials show it: thin observing, no judging.
//!
//! Everything is asked at once; only the simulation waits for the role's ARN, and a list for its pages.
//! So no answer is more than [`ROUND_TRIPS`] round trips to IAM away.

use tokio::time::Instant;

use crate::aws::iam::{
    AttachedPolicy, Endpoints, Iam, IamError, IamErrorKind, IamResult, OidcProvider, PagedList, Permission,
    Role, SimulatedDecision,
};
use crate::aws::operator::{NoCredentials, OperatorCredentials};
use crate::aws::profile::Profiles;
use crate::aws::sts::StsCaller;
use crate::aws::transport::SmithyConnector;
use crate::diagnosis::audit::Unavailable;
use crate::host::Pod;
use crate::net::options::NetworkOptions;
use iam_trust::arn::RoleArn;
use iam_trust::partition::Partition;
use iam_trust::provider_arn;

/// How many round trips to IAM follow on one another, at most.
pub const ROUND_TRIPS: u8 = 3;

/// What the caller is called where it is not known.
const CALLER: &str = "whose the credentials are";
/// What the role is called where it is not known.
pub(crate) const ROLE: &str = "the role and its trust policy";
/// What the provider is called where it is not known.
pub(crate) const PROVIDER: &str = "the OIDC provider for the token's issuer";
/// What the role's managed policies are called where they are not known.
pub(crate) const ATTACHED: &str = "the role's attached policies";
/// What the role's own policies are called where they are not known.
pub(crate) const INLINE: &str = "the role's inline policies";
/// What the simulation is called where it is not known.
pub(crate) const SIMULATION: &str = "what the role may do";

/// What is asked.
#[derive(Debug, Clone)]
pub struct IamQuery {
    /// The role.
    pub role: RoleArn,
    /// The token's issuer, as the token has it.
    pub issuer: String,
    /// The actions to simulate; none if nothing is to be simulated.
    pub actions: Vec<String>,
    /// The resources to simulate them on; any if there are none.
    pub resources: Vec<String>,
    /// The profile whose credentials are used, in place of `AWS_PROFILE`.
    pub profile: Option<String>,
    /// How servers are found and trusted.
    pub network: NetworkOptions,
}

/// What AWS says. What is `None` was not asked.
#[derive(Debug, Clone)]
pub struct IamSnapshot {
    /// Whose the credentials are.
    pub caller: IamResult<StsCaller>,
    /// The role, if there is one of this name in its account.
    pub role: IamResult<Option<Role>>,
    /// The provider for the issuer in the role's account, if there is one.
    pub provider: IamResult<Option<OidcProvider>>,
    /// The ARNs of all providers of the role's account.
    pub providers: IamResult<Vec<String>>,
    /// The role's managed policies.
    pub attached: IamResult<PagedList<AttachedPolicy>>,
    /// The names of the role's inline policies.
    pub inline: IamResult<PagedList<String>>,
    /// What the role may do.
    pub simulation: Option<IamResult<PagedList<SimulatedDecision>>>,
}

/// Finds the operator's credentials and asks, by `until` at the latest.
pub async fn observe(pod: &Pod, asked: &IamQuery, until: Instant) -> IamSnapshot {
    let profiles = Profiles::load_with_profile(pod, asked.profile.as_deref(), until).await;
    let endpoints = endpoints(pod, profiles.as_ref().ok(), asked.role.partition);
    // A little earlier, so that what stood in the way is told, and not that it took too long.
    let by = until - until.saturating_duration_since(Instant::now()) / 8;
    let dialer = SmithyConnector::new(pod, asked.network.clone(), by);
    let (profile, region) = (asked.profile.as_deref(), &endpoints.sts_region);
    let operator = OperatorCredentials::load(pod, &dialer, profile, &profiles, region, by).await;
    match operator {
        Ok(operator) => ask(&Iam::new(pod, &dialer, &endpoints, &operator, until), asked).await,
        Err(why) => IamSnapshot::without_credentials(asked, &why),
    }
}

/// Asks IAM.
pub async fn ask(iam: &Iam, asked: &IamQuery) -> IamSnapshot {
    let name = asked.role.name.as_str();
    let role = async {
        let role = iam.role(name).await;
        let simulation = simulate(iam, asked, &role).await;
        (role, simulation)
    };
    let provider_arn = provider_arn(&asked.role, &asked.issuer);
    let (caller, (role, simulation), provider, providers, attached, inline) = tokio::join!(
        Box::pin(iam.caller_identity()),
        Box::pin(role),
        Box::pin(iam.oidc_provider(&provider_arn)),
        Box::pin(iam.oidc_provider_arns()),
        Box::pin(iam.attached_policies(name, ROUND_TRIPS)),
        Box::pin(iam.inline_policies(name, ROUND_TRIPS)),
    );
    IamSnapshot { caller, role, provider, providers, attached, inline, simulation }
        .without_other_account(&asked.role)
}

/// Simulates with the role's own ARN: the one that is asked about may lack its path.
async fn simulate(
    iam: &Iam,
    asked: &IamQuery,
    role: &IamResult<Option<Role>>,
) -> Option<IamResult<PagedList<SimulatedDecision>>> {
    if asked.actions.is_empty() {
        return None;
    }
    let arn = match role {
        Ok(Some(role)) => &role.arn,
        Ok(None) => {
            return Some(Err(error(Permission::SimulatePrincipalPolicy, IamErrorKind::NoRole)));
        }
        Err(_) => &asked.role.text,
    };
    Some(iam.simulate(arn, &asked.actions, &asked.resources, ROUND_TRIPS - 1).await)
}

fn error(permission: Permission, why: IamErrorKind) -> IamError {
    IamError { permission, kind: why }
}

impl IamSnapshot {
    fn without_credentials(asked: &IamQuery, why: &NoCredentials) -> Self {
        let not_known = |permission| error(permission, IamErrorKind::NoCredentials(why.clone()));
        Self {
            caller: Err(not_known(Permission::GetCallerIdentity)),
            role: Err(not_known(Permission::GetRole)),
            provider: Err(not_known(Permission::GetOpenIdConnectProvider)),
            providers: Err(not_known(Permission::ListOpenIdConnectProviders)),
            attached: Err(not_known(Permission::ListAttachedRolePolicies)),
            inline: Err(not_known(Permission::ListRolePolicies)),
            simulation: (!asked.actions.is_empty())
                .then(|| Err(not_known(Permission::SimulatePrincipalPolicy))),
        }
    }

    /// Without what is of another account than the role: IAM is asked for names, and looks them up in the
    /// account of the credentials, which may have a role of the same name.
    fn without_other_account(self, role: &RoleArn) -> Self {
        let account = match (&self.caller, &self.role) {
            (Ok(caller), _) => Some(caller.account.clone()),
            (Err(_), Ok(Some(found))) => found.arn.split(':').nth(4).map(str::to_owned),
            _ => None,
        };
        let Some(account) = account.filter(|account| *account != role.account) else { return self };
        let other = |permission| error(permission, IamErrorKind::OtherAccount(account.clone()));
        Self {
            caller: self.caller,
            role: Err(other(Permission::GetRole)),
            provider: Err(other(Permission::GetOpenIdConnectProvider)),
            providers: Err(other(Permission::ListOpenIdConnectProviders)),
            attached: Err(other(Permission::ListAttachedRolePolicies)),
            inline: Err(other(Permission::ListRolePolicies)),
            simulation: self.simulation.map(|_| Err(other(Permission::SimulatePrincipalPolicy))),
        }
    }

    /// What AWS did not tell.
    #[must_use]
    pub fn unavailable(&self) -> Vec<Unavailable> {
        let simulation = self.simulation.as_ref().and_then(|simulation| simulation.as_ref().err());
        let all = [
            (CALLER, self.caller.as_ref().err()),
            (ROLE, self.role.as_ref().err()),
            (PROVIDER, self.provider.as_ref().err()),
            ("the account's other OIDC providers", self.providers.as_ref().err()),
            (ATTACHED, self.attached.as_ref().err()),
            (INLINE, self.inline.as_ref().err()),
            (SIMULATION, simulation),
        ];
        all.into_iter().filter_map(|(what, error)| Some(Unavailable::by_iam(what, error?))).collect()
    }

    pub(crate) fn simulated_decisions(&self) -> &[SimulatedDecision] {
        self.simulation.as_ref().and_then(|it| it.as_ref().ok()).map_or(&[], |it| &it.entries)
    }
}

/// Where AWS is called, as the variables and the profile say. IAM is that of the role's partition, and so
/// is STS: in the region that is set, if that is one of the partition's.
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
            .or_else(|| profiles.and_then(|profiles| profiles.endpoint(service)))
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
