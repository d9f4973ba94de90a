//! Which credentials each SDK finds in the pod, by what STS, IMDS and the container endpoint answer.
//!
//! STS is asked about each role and token that an SDK would exchange. About the pod's own role, the
//! checks have asked. SDKs send invalid tokens too, so they are sent here as well.

use std::path::Path;

use crate::aws::profile::Profiles;
use crate::aws::setting::SettingSource;
use crate::aws::sts::{CallFault, Sts};
use crate::checks::sdk_outcome::{exchange_after_refusal, exchange_without_sts};
use crate::checks::sts_endpoint::{self, StsEndpoint};
use crate::checks::sts_reachable;
use crate::diagnosis::Diagnosis;
use crate::net::http::HttpConnection;
use crate::plan;
use crate::plan::pass::{Memory, Pass};
use crate::probes::chain_input::{RoleAndToken, has_role_profile, roles_and_tokens};
use crate::probes::{container_endpoint, imds};
use crate::report::chain::ChainReport;
use crate::run::check::Check;
use crate::run::probe::Probe;
use crate::run::{BlockedBy, CheckRun, Verdict};
use crate::text::Secret;
use crate::token::MAX_TOKEN_FILE_BYTES;
use sdk_chain::situation::{ChainInput, TokenExchange, TokenFile};

/// The region of STS's global endpoint, where SDKs that need no region call it.
const GLOBAL_REGION: &str = "us-east-1";
/// The name of a session that nobody named.
const SESSION_NAME: &str = "irsa-probe-chain";

/// Finds what each SDK finds.
pub(crate) async fn resolve(probe: &Probe<'_>) -> ChainReport {
    let mut memory = Memory::new(probe.pod, probe.options);
    let mut pass = Pass::new(probe.pod, probe.options, Some(&memory));
    plan::check(probe, &mut memory, &mut pass).await;
    let Pass { identity, run, chain: mut outlook, .. } = pass;
    exchange_tokens(probe, &run, &mut outlook.input).await;
    container_endpoint::ask_endpoints(probe, &mut outlook.input).await;
    ChainReport {
        outlook,
        expected: identity.credential_source(),
        scan: memory.into_scan(),
        node_role: imds::ask_node_role(probe.pod, probe.options.network.dns_server).await,
    }
}

/// Adds what STS answers to each role and token.
async fn exchange_tokens(probe: &Probe<'_>, run: &CheckRun, input: &mut ChainInput) {
    let own = input.injected_role_and_token();
    // All of them are exchanged at one STS: if it cannot be reached for one, it cannot for the others.
    let mut unreachable = None;
    for pair in roles_and_tokens(input) {
        let known = checked_exchange(run).filter(|_| own.as_ref() == Some(&pair));
        let exchange = match (known, input.token(&pair.1), &unreachable) {
            (Some(known), _, _) => known,
            // No SDK gets as far as STS.
            (None, TokenFile::Unreadable(_), _) => continue,
            (None, TokenFile::Readable { .. }, Some(unreachable)) => TokenExchange::clone(unreachable),
            (None, TokenFile::Readable { .. }, None) => exchange(probe, &pair).await,
        };
        if matches!(exchange, TokenExchange::Unreachable(_)) {
            unreachable = Some(exchange.clone());
        }
        input.exchanges.insert(pair, exchange);
    }
    // Roles that need keys are not assumed here, but SDKs need STS for them.
    if input.exchanges.is_empty() && has_role_profile(input) {
        let connected = Box::pin(connect(probe)).await;
        input.sts_unreachable = connected.err().map(|diagnosis| diagnosis.name().as_str().to_owned());
    }
}

/// What the checks found about the pod's own role and token, if they called STS.
fn checked_exchange(run: &CheckRun) -> Option<TokenExchange> {
    let failure = |check: Check| run.first_failure(|failed| failed == check).map(|(_, failure)| failure);
    if run.passes(Check::AssumeRole) {
        return Some(TokenExchange::Given);
    }
    if let Some(refused) = failure(Check::AssumeRole) {
        return Some(exchange_after_refusal(&refused));
    }
    let blocked = run.blocked_by(Check::AssumeRole)?;
    if blocked == BlockedBy(Check::StsReachable) {
        Some(exchange_without_sts(&failure(blocked.0)?))
    } else {
        None
    }
}

async fn exchange(probe: &Probe<'_>, (role, file): &RoleAndToken) -> TokenExchange {
    let pod = probe.pod;
    let token = match pod.read(Path::new(file), MAX_TOKEN_FILE_BYTES, probe.step_deadline()).await {
        Ok(file) => Secret::new(String::from_utf8_lossy(&file.bytes).into_owned()),
        Err(error) => return TokenExchange::Refused(error.to_string()),
    };
    let (connection, endpoint) = match Box::pin(connect(probe)).await {
        Ok(connected) => connected,
        Err(diagnosis) => return exchange_without_sts(&diagnosis),
    };
    let session = pod.nonempty_variable("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| SESSION_NAME.to_owned());
    let mut sts = Sts::new(pod, connection, endpoint.endpoint.uri.to_string(), endpoint.signing_region);
    match sts.assume_role(role, &token, &session, probe.step_deadline()).await.result {
        Ok(_) => TokenExchange::Given,
        Err(CallFault::Refused(refusal)) => TokenExchange::Refused(refusal.code),
        Err(CallFault::NotSts { status, .. }) => {
            TokenExchange::Unreachable(format!("what answers {status} is not STS"))
        }
        Err(CallFault::ConnectionLost(words)) => TokenExchange::Unreachable(words),
        Err(CallFault::TimedOut) => TokenExchange::Unreachable("it does not answer".to_owned()),
    }
}

/// Connects to STS. Without a region it calls the global endpoint, as SDKs do that need none.
async fn connect(probe: &Probe<'_>) -> Result<(HttpConnection, StsEndpoint), Diagnosis> {
    let profiles = Profiles::load(probe.pod, None, probe.step_deadline()).await.ok();
    let mut settings = sts_endpoint::observe(probe, profiles.as_ref());
    let global = SettingSource::Fallback("the global endpoint");
    settings.region.get_or_insert((GLOBAL_REGION.to_owned(), global));
    let endpoint = match sts_endpoint::judge(settings, None, None).await {
        Verdict::Pass(endpoint) | Verdict::Warn(endpoint, _) => endpoint,
        Verdict::Fail(diagnosis) => return Err(diagnosis),
    };
    let attempt = sts_reachable::observe(probe, &endpoint).await;
    match sts_reachable::judge(attempt, probe.pod.now()) {
        Verdict::Pass(connection) | Verdict::Warn(connection, _) => Ok((connection.split().0, endpoint)),
        Verdict::Fail(diagnosis) => Err(diagnosis),
    }
}
