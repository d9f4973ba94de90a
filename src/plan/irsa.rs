//! IAM roles for service accounts: the pod has a role and a token, and STS gives the role for the token.

use std::time::SystemTime;

use crate::checks::assume_role::RoleSession;
use crate::checks::sts_endpoint::StsEndpoint;
use crate::checks::web_identity::WebIdentity;
use crate::checks::{assume_role, role_arn, token, token_file, token_fresh, web_identity};
use crate::net::http::HttpConnection;
use crate::report::facts::{CredentialsCall, PodFacts, TokenFileFacts};
use crate::run::check::Check;
use crate::run::identity::WebIdentitySettings;
use crate::run::probe::Probe;
use crate::run::{CheckRun, Fact};
use crate::token::Token;
use iam_trust::USUAL_AUDIENCE;
use iam_trust::arn::RoleArn;

pub(super) struct GivenIdentity {
    pub(super) web_identity: Fact<WebIdentity>,
    pub(super) role: Fact<RoleArn>,
    pub(super) token: Fact<Token>,
}

/// Checks what the pod was given: its variables, the role in them, the token file, and the token.
pub(super) async fn check_given(
    probe: &Probe<'_>,
    settings: &WebIdentitySettings,
    run: &CheckRun,
    facts: &mut PodFacts,
) -> GivenIdentity {
    let Probe { pod, options, .. } = *probe;
    facts.api_claims = token_file::read_api_token(pod, &options.identity.api_token_file, probe.budget).await;
    let api_claims = facts.api_claims.as_ref();

    let web_identity = run
        .check(Check::WebIdentity, async {
            let view = web_identity::observe(probe, settings, api_claims).await;
            Ok(web_identity::judge(&view))
        })
        .await;
    facts.role_arn = web_identity.known().map(|found| found.role_arn.clone());

    let role = run
        .check(Check::RoleArn, async {
            let role_arn = &web_identity.get()?.role_arn;
            Ok(role_arn::judge(role_arn, options.identity.expect_role_arn.as_deref()))
        })
        .await;

    let file = run
        .check(Check::TokenFile, async {
            let read = token_file::observe(probe, &web_identity.get()?.token_file).await;
            Ok(token_file::judge(read, &pod.user(), web_identity::pod_name(pod, api_claims)))
        })
        .await;
    facts.token_file = file.known().map(|file| TokenFileFacts { path: file.path.clone(), stat: file.stat });

    let token = run
        .check(Check::Token, async {
            let decoded = token::observe(file.get()?);
            facts.claims = decoded.as_ref().ok().map(|token| token.claims.clone());
            let expected = options.identity.expect_audience.as_deref();
            Ok(token::judge(decoded, api_claims, USUAL_AUDIENCE, expected))
        })
        .await;
    GivenIdentity { web_identity, role, token }
}

/// Checks whether STS gives the role for the token.
pub(super) async fn assume_role(
    probe: &Probe<'_>,
    given: &GivenIdentity,
    endpoint: &Fact<StsEndpoint>,
    connection: Fact<HttpConnection>,
    run: &CheckRun,
    facts: &mut PodFacts,
) -> Fact<RoleSession> {
    run.check(Check::AssumeRole, async {
        let (role, token, endpoint) = (given.role.get()?, given.token.get()?, endpoint.get()?);
        let call = assume_role::observe(probe, role, token, endpoint, connection.take()?).await;
        let summary = call.summary();
        facts.sts.exchanges.push(summary.exchange);
        facts.credentials_call = Some(CredentialsCall::AssumeRole(summary));
        Ok(assume_role::judge(call))
    })
    .await
}

/// Checks the age of the token, by the clock of STS if that is known.
pub(super) async fn check_freshness(
    probe: &Probe<'_>,
    token: &Fact<Token>,
    server_time: Option<SystemTime>,
    run: &CheckRun,
) {
    run.check(Check::TokenFresh, async {
        Ok(token_fresh::judge(&token.get()?.claims, server_time, probe.pod.now()))
    })
    .await;
}
