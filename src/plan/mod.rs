//! The checks, in order. Read this first: it is the whole product.
//!
//! Each check takes the facts that it needs as arguments and hands on the fact that it found, so
//! a check whose need is missing is skipped, and says which failure kept it from running.

pub mod attempts;
pub mod chain;

use crate::report::chain::ChainReport;
use crate::report::model::PodFacts;
use crate::run::check::{Check, RunKind};
use crate::run::options::CheckOptions;

use tokio::time::Instant;

use crate::audit::inputs::Inputs;
use crate::audit::issuer::{self, SigningKey};
use crate::audit::provider::ProviderStatus;
use crate::audit::subject::{AuditSubject, SubjectError};
use crate::audit::{self, AuditResult, Note, provider, refusal, role, trust};
use crate::aws::profile::{ProfileFileError, Profiles};
use crate::checks::application_sdk::Application;
use crate::checks::caller_identity::CallerIdentity;
use crate::checks::node_role::{NodeRoleFallback, NodeRoleProbe};
use crate::checks::web_identity::WebIdentity;
use crate::checks::{
    application_sdk, assume_role, caller_identity, credential_sources, role_arn, sts_endpoint, sts_reachable,
    token, token_file, token_fresh, web_identity,
};
use crate::diagnosis::Diagnosis;
use crate::host::Pod;
use crate::host::deadline::Budget;
use crate::probes::chain_input::read_chain_input;
use crate::probes::container_endpoint;
use crate::probes::imds::{self, NodeRole};
use crate::run::{CheckRun, Fact, Verdict, both, need, with};
use crate::token::{Claims, Token};
use iam_trust;
use iam_trust::arn::RoleArn;
use sdk_chain::{ApplicationSdks, ChainContext};

/// What can be known without the network.
struct Local {
    profiles: Result<Profiles, ProfileFileError>,
    identity: Fact<WebIdentity>,
    role: Fact<RoleArn>,
    token: Fact<Token>,
}

/// Runs every check once, within the budget, and hands on what the SDKs find. Whom STS took the pod for is
/// not asked again while the session is that of the identity that is `known`. The SDK of the `application`
/// is looked for if one is given, beside what needs the network, so that neither takes the other's time.
pub async fn check(
    pod: &Pod,
    wanted: &CheckOptions,
    known: Option<&CallerIdentity>,
    application: Option<&Application>,
    budget: Budget,
    run: &mut CheckRun,
    facts: &mut PodFacts,
) -> ChainContext {
    let local = local(pod, wanted, budget, run, facts).await;

    // This needs no network, so it is known even when the run is ended in the middle of that; which SDK the
    // application has may then still be open, and it is judged again when that is known.
    let used = application.map_or(ApplicationSdks::Unknown, Application::said);
    let mut outlook =
        ChainContext { input: read_chain_input(pod, budget.step_deadline()).await, application: used };
    let _ = run.record(Check::CredentialSources, Ok(credential_sources::judge(&outlook, &local.profiles)));
    if let Some(said) = application.and_then(Application::said_scan) {
        outlook.input.limitations = application_sdk::lacks(said);
        let _ = run.record(Check::ApplicationSdk, Ok(application_sdk::judge(said)));
    }
    let searched = application.filter(|application| application.said_scan().is_none());
    if searched.is_some() {
        run.expect(Check::ApplicationSdk);
    }
    let network = through_sts(pod, wanted, known, &local, budget, run, facts);
    let Some(application) = searched else {
        network.await;
        return outlook;
    };
    let ((scan, took), ()) = tokio::join!(application.scan(pod, budget), network);
    run.record_beside(Check::ApplicationSdk, application_sdk::judge(scan), took);
    outlook.application = application.used(scan);
    outlook.input.limitations = application_sdk::lacks(scan);
    run.revise(Check::CredentialSources, credential_sources::judge(&outlook, &local.profiles));
    outlook
}

/// The checks that need the network.
async fn through_sts(
    pod: &Pod,
    wanted: &CheckOptions,
    known: Option<&CallerIdentity>,
    Local { profiles, identity, role, token }: &Local,
    budget: Budget,
    run: &mut CheckRun,
    facts: &mut PodFacts,
) {
    let settings = sts_endpoint::observe(pod, wanted, profiles.as_ref().ok());
    let endpoint = match (settings.region.is_some(), need(identity)) {
        // The injection that is missing would have brought the region, too.
        (false, Err(missing)) => Err(missing),
        _ => Ok(sts_endpoint::judge(settings, role.as_ref().ok(), facts.claims.as_ref()).await),
    };
    let endpoint = run.record(Check::StsEndpoint, endpoint);
    facts.endpoint = endpoint.as_ref().ok().cloned();

    let tried =
        with(need(&endpoint), async |endpoint| sts_reachable::observe(pod, wanted, endpoint, budget).await)
            .await;
    let reached = run.record(Check::StsReachable, tried.map(|tried| sts_reachable::judge(tried, pod.now())));
    let (link, reached) = reached
        .map(sts_reachable::OpenConnection::split)
        .map_or_else(|missing| (Err(missing), None), |(link, reached)| (Ok(link), Some(reached)));
    facts.connection = reached;

    let needed = both(both(need(role), need(token)), both(need(&endpoint), link));
    let asked = with(needed, async |((role, token), (endpoint, link))| {
        assume_role::observe(pod, role, token, endpoint, link, budget).await
    })
    .await;
    facts.asked = need(&asked).ok().map(|asked| (asked.request.session_name.clone(), asked.server_time()));
    facts.exchanges.extend(need(&asked).ok().map(assume_role::AssumeRoleCall::exchange));
    facts.request_id = need(&asked).ok().and_then(|asked| asked.request_id()).map(str::to_owned);
    let session = run.record(Check::AssumeRole, need(&asked).map(assume_role::judge));

    let server_time = need(&asked).ok().and_then(assume_role::AssumeRoleCall::server_time);
    let fresh = need(token).map(|token| token_fresh::judge(&token.claims, server_time, pod.now()));
    let _ = run.record(Check::TokenFresh, fresh);

    let known = known.filter(|known| need(&session).is_ok_and(|opened| known.owns(opened)));
    let identity = match known {
        Some(known) => Ok(Verdict::Pass(known.clone())),
        None => {
            let needed = both(both(need(&asked), need(&session)), need(&endpoint));
            let answer = with(needed, async |((asked, session), endpoint)| {
                caller_identity::observe(pod, wanted, endpoint, asked, session, budget).await
            })
            .await;
            let answered = need(&answer).ok().and_then(|answer| answer.as_ref().ok());
            facts.exchanges.extend(answered.into_iter().flat_map(|answer| &answer.exchanges));
            both(both(need(&asked), need(&session)), answer)
                .map(|((asked, opened), answer)| caller_identity::judge(asked, opened, answer))
        }
    };
    facts.identity = run.record(Check::CallerIdentity, identity).ok();
}

/// After the last attempt: adds which SDKs hide a failure behind the node's role. Only this asks IMDS, and
/// only if there is a failure, and some SDK that hides it.
pub async fn hidden(pod: &Pod, outlook: &ChainContext, imds: &mut NodeRoleProbe, run: &mut CheckRun) {
    let failures = || run.steps().iter().filter_map(|step| Some((step.check, step.failure()?)));
    let of_role = |(check, _): &(Check, &Diagnosis)| !check.is_of_application();
    let hides = match failures().find(of_role) {
        Some((check, failure)) => NodeRoleFallback::failure(outlook, check, failure),
        None if failures().any(|(check, _)| check == Check::ApplicationSdk) => {
            NodeRoleFallback::lack(&outlook.input)
        }
        None => None,
    };
    if let Some(hides) = hides.filter(|_| run.holds(Check::CredentialSources)) {
        let hidden = hides.judge(imds.node_role(pod).await);
        run.add_warnings(Check::CredentialSources, hidden);
    } else if let Some(Diagnosis::FallsToNodeRole(found)) = run.failure_mut(Check::CredentialSources) {
        match imds.node_role(pod).await {
            NodeRole::Reachable { role, .. } => found.role = Some(role),
            NodeRole::None { .. } => found.unreachable = Some("the node has no role".to_owned()),
            NodeRole::Unreachable(why) => found.unreachable = Some(why),
        }
    }
}

/// Records that there was nothing to check, and why: everything needs the pod's identity.
pub fn nothing(diagnosis: Diagnosis, run: &mut CheckRun) {
    let missing = run.record::<WebIdentity>(Check::WebIdentity, Ok(Verdict::Fail(diagnosis)));
    for check in RunKind::Irsa.checks().filter(|check| *check != Check::WebIdentity) {
        let _ = run.record(check, need(&missing).map(|identity| Verdict::Pass(identity.clone())));
    }
}

/// Runs the checks that need no STS.
pub async fn without_sts(
    pod: &Pod,
    wanted: &CheckOptions,
    budget: Budget,
    run: &mut CheckRun,
    facts: &mut PodFacts,
) {
    let Local { profiles, token, .. } = local(pod, wanted, budget, run, facts).await;
    let used =
        wanted.expect_sdk.as_ref().map_or(ApplicationSdks::Unknown, |said| ApplicationSdks::Stated(said.sdk));
    let outlook =
        ChainContext { input: read_chain_input(pod, budget.step_deadline()).await, application: used };
    let _ = run.record(Check::CredentialSources, Ok(credential_sources::judge(&outlook, &profiles)));
    let fresh = need(&token).map(|token| token_fresh::judge(&token.claims, None, pod.now()));
    let _ = run.record(Check::TokenFresh, fresh);
}

/// The checks of what the pod was given: its variables, the token's file, and the token.
async fn local(
    pod: &Pod,
    wanted: &CheckOptions,
    budget: Budget,
    run: &mut CheckRun,
    facts: &mut PodFacts,
) -> Local {
    let profiles = Profiles::load(pod, budget.step_deadline()).await;
    facts.api_claims = token_file::api_token(pod, &wanted.identity.api_token_file, budget).await;
    let api_claims = facts.api_claims.as_ref();
    let read = web_identity::observe(pod, wanted, api_claims, budget).await;
    let found = web_identity::judge(pod, wanted, api_claims, &read);
    let found = match pod.target() {
        Some(process) => web_identity::judge_target(found, process, web_identity::mounted(pod, budget).await),
        None => found,
    };
    let identity = run.record(Check::WebIdentity, Ok(found));
    facts.role_arn = need(&identity).ok().map(|identity| identity.role_arn.clone());

    let role = need(&identity)
        .map(|identity| role_arn::judge(&identity.role_arn, wanted.identity.expect_role_arn.as_deref()));
    let role = run.record(Check::RoleArn, role);

    let observe = async |identity: &WebIdentity| token_file::observe(pod, &identity.token_file, budget).await;
    let read = with(need(&identity), observe).await;
    let name = || web_identity::pod_name(pod, api_claims);
    let file = run.record(Check::TokenFile, read.map(|read| token_file::judge(read, &pod.user(), name())));
    facts.token_file = need(&file).ok().map(|file| (file.path.clone(), file.stat));

    let decoded = need(&file).map(token::observe);
    facts.claims =
        decoded.as_ref().ok().and_then(|decoded| decoded.as_ref().ok()).map(|token| token.claims.clone());
    let expected = wanted.identity.expect_audience.as_deref();
    let token = run.record(Check::Token, decoded.map(|decoded| token::judge(decoded, api_claims, expected)));
    Local { profiles, identity, role, token }
}

/// What each SDK finds when it looks for credentials in this pod, and what IMDS says. This asks STS
/// what the SDKs would ask it, the container credentials endpoint, and IMDS.
pub async fn chain(pod: &Pod, wanted: &CheckOptions, budget: Budget) -> ChainReport {
    let (mut run, mut facts) = (CheckRun::default(), PodFacts::default());
    let application = Application::of(pod, wanted);
    let mut outlook = check(pod, wanted, None, application.as_ref(), budget, &mut run, &mut facts).await;
    chain::ask(pod, wanted, budget, &run, &mut outlook.input).await;
    container_endpoint::ask_endpoints(pod, wanted, &mut outlook.input).await;
    let scan = application.and_then(Application::into_scan);
    ChainReport { outlook, scan, node_role: imds::node_role(pod, wanted.network.dns_server).await }
}

/// What a trust policy has to fit, and what is odd about it; without any call.
pub struct TrustPolicyFacts {
    /// The role.
    pub role: RoleArn,
    /// What the token says.
    pub claims: Claims,
    /// The checks of them.
    pub run: CheckRun,
}

/// The role and the claims that a trust policy has to fit.
///
/// # Errors
/// The checks up to the one that failed.
pub async fn trust_policy(
    pod: &Pod,
    wanted: &CheckOptions,
    budget: Budget,
) -> Result<TrustPolicyFacts, CheckRun> {
    let mut run = CheckRun::default();
    let local = local(pod, wanted, budget, &mut run, &mut PodFacts::default()).await;
    match (local.role, local.token) {
        (Ok(role), Ok(token)) => Ok(TrustPolicyFacts { role, claims: token.claims, run }),
        _ => Err(run),
    }
}

/// What AWS has for a role, laid beside those for whom it is asked: what was handed in, and what IAM says where
/// that is asked. Changes nothing there.
pub async fn audit(
    pod: &Pod,
    wanted: &audit::options::AuditOptions,
    inputs: &Inputs,
    asked: AuditSubject,
    until: Instant,
    run: &mut CheckRun,
) -> AuditResult {
    let request = asked.request();
    let (key_id, of_report) = (asked.key_id.clone(), asked.is_of_report());
    let mut found = AuditResult::new(Some(asked), inputs);
    let needed = iam_trust::needed(&request).trust_policy;
    if let Some(injected) = audit::web_identity::judge(inputs, wanted.container.as_deref()) {
        let _ = run.record(Check::WebIdentity, Ok(found.keep(injected)));
    }
    let _ = run.record(Check::RoleArn, Ok(Verdict::Pass(request.role.clone())));
    let expired = inputs.token.as_ref().map(|token| token.claims.expires_at).filter(|at| *at < pod.now());
    found.notes.extend(expired.map(Note::TokenExpired));

    let (of_iam, of_issuer) = (wanted.of_iam(&request), wanted.of_issuer(&request));
    let aws = async {
        if wanted.asks_iam(inputs) { Some(audit::iam::observe(pod, &of_iam, until).await) } else { None }
    };
    let documents = async {
        if wanted.lookup.issuer_check { Some(issuer::observe(pod, &of_issuer, until).await) } else { None }
    };
    let (aws, documents) = tokio::join!(Box::pin(aws), Box::pin(documents));

    // What IAM said, if it was asked; nothing of it counts if it is of another account.
    let aws = aws.as_ref().map(|aws| match role::judge_account(&request.role, aws) {
        Some(account) => run.record(Check::OperatorAccount, Ok(account)).map(|_| aws),
        None => Ok(aws),
    });
    let provider = match (&inputs.oidc_provider, aws) {
        (Some(given), _) => Some(Ok(provider::of_given(&request, given))),
        (None, Some(aws)) => Some(aws.map(|aws| provider::of_iam(&request, aws))),
        (None, None) => None,
    };
    // A pod's API token is no reason to make or change anything, unless the provider is meant for it.
    let lists = matches!(&provider, Some(Ok(Verdict::Pass(ProviderStatus::Accepts(_)))));
    let token = match token::judge_audience(&request.audience, lists) {
        // Of a token that somebody else has no more is known than that.
        Ok(()) => Ok(()),
        Err(found) => run.record::<RoleArn>(Check::Token, Ok(Verdict::Fail(found))).map(drop),
    };

    let account = found.service_account();
    let of = role::PermissionQuery {
        role: &request.role,
        service_account: account.as_ref(),
        needed: need(&token).ok().map(|_| &needed),
    };
    let role = match (&inputs.trust_policy, aws) {
        (Some(given), _) => Ok(of.given(given)),
        (None, Some(aws)) => aws.map(|aws| of.told(&aws.role)),
        (None, None) => Ok(of.not_given()),
    };
    let role = run.record(Check::Role, role);
    let provider =
        provider.map(|judged| run.record(Check::OidcProvider, need(&token).and(judged))).transpose();
    let has_provider = matches!(&provider, Ok(Some(ProviderStatus::Accepts(_) | ProviderStatus::Exists(..))));
    let trusts = both(need(&token), need(&role)).map(|(_, role)| {
        let (judged, policy) = trust::judge(&role.document, &request, &needed, has_provider);
        found.policy = policy;
        found.keep(judged)
    });
    let trusts = run.record(Check::TrustPolicy, trusts);
    let published = documents.map(|documents| {
        let key = match (&inputs.token, &key_id) {
            (Some(token), _) => SigningKey::OfToken(token),
            (None, Some(id)) => SigningKey::WithId(&id.value),
            (None, None) => SigningKey::Unknown,
        };
        run.record(Check::Issuer, Ok(issuer::judge(documents, key)))
    });
    if let Some(aws) = aws {
        // They are those of another role, or of none, where there is no such role; not where it may not be seen.
        let permissions = aws.and_then(|aws| match (&aws.role, need(&role)) {
            (Ok(_), Err(missing)) => Err(missing),
            (Err(_), _) | (_, Ok(_)) => Ok(role::judge_permissions(&request.role, aws)),
        });
        let _ = run.record(Check::RolePermissions, permissions.map(|judged| found.keep(judged)));
        found.simulated = aws.map(|aws| aws.simulated().to_vec()).unwrap_or_default();
    }
    let provider_was_seen = !matches!(provider, Ok(None));
    found.not_known = audit::not_known(provider_was_seen, aws.and_then(Result::ok));

    if let Some(report) = inputs.report.as_ref().filter(|_| of_report) {
        let published = published.as_ref().map(need).transpose();
        let seen = both(both(need(&role), need(&provider)), both(need(&trusts), published));
        let seen = seen.map(|((role, provider), (_, published))| refusal::SeenByAudit {
            role: &role.role,
            provider: provider.as_ref(),
            is_of_file: inputs.trust_policy.is_some(),
            key_was_seen: published.is_some(),
        });
        if let Some(verdict) = refusal::judge(&request, &report.report, seen) {
            let _ = run.record(Check::AssumeRole, verdict);
        }
    }
    found
}

/// What can be said where it is not clear for whom which role is asked: that the pod has no identity, by what was
/// handed in of it, or that its role is none. Nothing, if it is only not said.
#[must_use]
pub fn audit_of_nobody(
    wanted: &audit::options::AuditOptions,
    inputs: &Inputs,
    unclear: &SubjectError,
    run: &mut CheckRun,
) -> Option<AuditResult> {
    let mut found = AuditResult::new(None, inputs);
    let injected = audit::web_identity::judge(inputs, wanted.container.as_deref());
    let injected = injected.map(|judged| run.record(Check::WebIdentity, Ok(found.keep(judged))));
    let missing = match (unclear, injected) {
        (_, Some(Err(missing))) => missing,
        (SubjectError::Role { text, .. }, _) => {
            run.record(Check::RoleArn, Ok(role_arn::judge(&text.value, None))).err()?
        }
        (SubjectError::Missing { .. } | SubjectError::Conflict(_), _) => return None,
    };
    for check in [Check::Role, Check::OidcProvider, Check::TrustPolicy] {
        let _ = run.record::<RoleArn>(check, Err(missing));
    }
    Some(found)
}
