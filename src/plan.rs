//! The checks, in order. Read this first: it is the whole product.
//!
//! Each check takes the facts that it needs as arguments and hands on the fact that it found, so
//! a check whose need is missing is skipped, and says which failure kept it from running.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::aws::arn::RoleArn;
use crate::aws::profile::Profiles;
use crate::checks::{
    Check, assume_role, caller_identity, credential_sources, role_arn, sts_endpoint, sts_reachable,
    token, token_file, token_fresh, web_identity,
};
use crate::pod::{FileStat, Pod};
use crate::run::{Budget, Recorder, need, with};
use crate::token::Claims;

/// What the user wants of the checks, beyond what the pod says.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The role, in place of `AWS_ROLE_ARN`.
    pub role_arn: Option<String>,
    /// The token file, in place of `AWS_WEB_IDENTITY_TOKEN_FILE`.
    pub token_file: Option<PathBuf>,
    /// The region, in place of `AWS_REGION`.
    pub region: Option<String>,
    /// The role that the pod must have been given.
    pub expect_role_arn: Option<String>,
    /// The audience that the token must have.
    pub expect_audience: Option<String>,
    /// The pod's API token.
    pub api_token_file: PathBuf,
    /// A name server, in place of those in `/etc/resolv.conf`.
    pub dns_server: Option<SocketAddr>,
    /// Where the system's CA certificates are looked for.
    pub system_roots: Vec<PathBuf>,
}

/// What a pass found out about the pod, for the report; as much as it came to.
#[derive(Debug, Default)]
pub struct Facts {
    /// What the pod's own API token says of it.
    pub api_claims: Option<Claims>,
    /// The role, as it is written.
    pub role_arn: Option<String>,
    /// The token file, and its owner, group and mode.
    pub token_file: Option<(PathBuf, FileStat)>,
    /// What the token says.
    pub claims: Option<Claims>,
    /// Where STS is called.
    pub endpoint: Option<sts_endpoint::StsEndpoint>,
    /// How STS was reached.
    pub connection: Option<sts_reachable::Reached>,
    /// How STS was asked, and when it answered by its own clock.
    pub asked: Option<(String, Option<SystemTime>)>,
    /// The id of the request for the role's credentials.
    pub request_id: Option<String>,
    /// Whom STS takes the pod for.
    pub identity: Option<caller_identity::Identity>,
}

/// Runs every check once, within the budget.
pub async fn check(
    pod: &Pod,
    wanted: &Wanted,
    budget: Budget,
    run: &mut Recorder,
    facts: &mut Facts,
) {
    facts.api_claims = token_file::api_token(pod, &wanted.api_token_file, budget).await;
    let profiles = Profiles::load(pod, budget.until()).await;

    let identity = run.record(
        Check::WebIdentity,
        Ok(web_identity::judge(pod, wanted, facts.api_claims.as_ref())),
    );
    facts.role_arn = need(&identity)
        .ok()
        .map(|identity| identity.role_arn.clone());

    let role = run.record(
        Check::RoleArn,
        need(&identity).map(|identity| role_arn::judge(&identity.role_arn)),
    );

    let read = with(need(&identity), async |identity| {
        token_file::observe(pod, &identity.token_file, budget).await
    })
    .await;
    let file = run.record(
        Check::TokenFile,
        read.map(|read| token_file::judge(read, &pod.who())),
    );
    facts.token_file = need(&file).ok().map(|file| (file.path.clone(), file.stat));

    let decoded = need(&file).map(token::observe);
    facts.claims = decoded
        .as_ref()
        .ok()
        .and_then(|decoded| decoded.as_ref().ok())
        .map(|token| token.claims.clone());
    let token = run.record(
        Check::Token,
        decoded.map(|decoded| {
            token::judge(
                decoded,
                facts.api_claims.as_ref(),
                wanted.expect_audience.as_deref(),
            )
        }),
    );

    let settings = sts_endpoint::observe(pod, wanted, profiles.as_ref().ok());
    let endpoint = match (settings.region.is_some(), need(&identity)) {
        // The injection that is missing would have brought the region, too.
        (false, Err(missing)) => Err(missing),
        _ => Ok(sts_endpoint::judge(settings, role.as_ref().ok(), facts.claims.as_ref()).await),
    };
    let endpoint = run.record(Check::StsEndpoint, endpoint);
    facts.endpoint = endpoint.as_ref().ok().cloned();

    let tried = with(need(&endpoint), async |endpoint| {
        sts_reachable::observe(pod, wanted, endpoint, budget).await
    })
    .await;
    let reached = run.record(
        Check::StsReachable,
        tried.map(|tried| sts_reachable::judge(tried, pod.now())),
    );
    let (link, reached) = reached.map(sts_reachable::Connection::split).map_or_else(
        |missing| (Err(missing), None),
        |(link, reached)| (Ok(link), Some(reached)),
    );
    facts.connection = reached;

    let asked = match (need(&role), need(&token), link, need(&endpoint)) {
        (Ok(role), Ok(token), Ok(link), Ok(endpoint)) => {
            Ok(assume_role::observe(pod, role, token, endpoint, link, budget).await)
        }
        (Err(missing), ..)
        | (_, Err(missing), ..)
        | (_, _, Err(missing), _)
        | (.., Err(missing)) => Err(missing),
    };
    facts.asked = need(&asked)
        .ok()
        .map(|asked| (asked.request.session_name.clone(), asked.server_time()));
    facts.request_id = need(&asked)
        .ok()
        .and_then(|asked| asked.request_id())
        .map(str::to_owned);
    let session = run.record(Check::AssumeRole, need(&asked).map(assume_role::judge));

    let server_time = need(&asked).ok().and_then(assume_role::Asked::server_time);
    let _ = run.record(
        Check::TokenFresh,
        need(&token).map(|token| token_fresh::judge(&token.claims, server_time, pod.now())),
    );

    let caller = match (need(&session), need(&asked)) {
        (Ok(session), Ok(asked)) => Ok(caller_identity::observe(asked, session, budget).await),
        (Err(missing), _) | (_, Err(missing)) => Err(missing),
    };
    let identity = run.record(
        Check::CallerIdentity,
        match (caller, need(&asked)) {
            (Ok(caller), Ok(asked)) => Ok(caller_identity::judge(asked, caller)),
            (Err(missing), _) | (_, Err(missing)) => Err(missing),
        },
    );
    facts.identity = identity.ok();

    let _ = run.record(
        Check::CredentialSources,
        Ok(credential_sources::judge(pod, &profiles)),
    );
}

/// The role and the claims that a trust policy has to fit; without any call.
///
/// # Errors
/// The record of the checks up to the one that failed.
pub async fn trust_policy(
    pod: &Pod,
    wanted: &Wanted,
    budget: Budget,
) -> Result<(RoleArn, Claims), Recorder> {
    let mut run = Recorder::default();
    let api_claims = token_file::api_token(pod, &wanted.api_token_file, budget).await;
    let identity = run.record(
        Check::WebIdentity,
        Ok(web_identity::judge(pod, wanted, api_claims.as_ref())),
    );
    let role = run.record(
        Check::RoleArn,
        need(&identity).map(|identity| role_arn::judge(&identity.role_arn)),
    );
    let read = with(need(&identity), async |identity| {
        token_file::observe(pod, &identity.token_file, budget).await
    })
    .await;
    let file = run.record(
        Check::TokenFile,
        read.map(|read| token_file::judge(read, &pod.who())),
    );
    let decoded = need(&file).map(token::observe);
    let token = run.record(
        Check::Token,
        decoded.map(|decoded| {
            token::judge(
                decoded,
                api_claims.as_ref(),
                wanted.expect_audience.as_deref(),
            )
        }),
    );
    match (role, token) {
        (Ok(role), Ok(token)) => Ok((role, token.claims)),
        _ => Err(run),
    }
}
