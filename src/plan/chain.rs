//! What STS says to the roles and tokens that the SDKs would trade: for the pod's own, what the checks
//! found; for the rest, and where the checks stopped before STS, what it answers when it is asked.
//!
//! An SDK sends a token that no STS can accept all the same, so that it is asked here as it is there.

use crate::checks::sdk_outcome::{outcome, unreachable};
use crate::probes::chain_input::{RoleAndToken, has_role_profile, roles_and_tokens};
use sdk_chain::situation::{ChainInput, TokenExchange, TokenFile};
use std::path::Path;

use crate::aws::profile::Profiles;
use crate::aws::sts::{CallFault, HttpConnection, Sts};
use crate::checks::sts_endpoint::{self, StsEndpoint};
use crate::checks::sts_reachable;
use crate::diagnosis::Diagnosis;
use crate::host::Pod;
use crate::host::deadline::Budget;
use crate::run::check::Check;
use crate::run::options::CheckOptions;
use crate::run::{CheckOutcome, CheckRun, Verdict};
use crate::text::Secret;

/// The region of STS's global endpoint, where the SDKs that need no region call it.
const GLOBAL_REGION: &str = "us-east-1";
/// The name of a session that nobody named.
const SESSION_NAME: &str = "irsa-probe-chain";
/// The most bytes of a token file that are read.
const LONGEST_TOKEN: usize = 64 << 10;

/// Fills in what STS says.
pub async fn ask(
    pod: &Pod,
    wanted: &CheckOptions,
    budget: Budget,
    run: &CheckRun,
    situation: &mut ChainInput,
) {
    let own = situation.injected_role_and_token();
    // It is one STS for all of them.
    let mut unreachable = None;
    for pair in roles_and_tokens(situation) {
        let known = found(run).filter(|_| own.as_ref() == Some(&pair));
        let trade = match (known, situation.token(&pair.1), &unreachable) {
            (Some(known), _, _) => known,
            // No SDK gets as far as STS.
            (None, TokenFile::Unreadable(_), _) => continue,
            (None, TokenFile::Readable { .. }, Some(unreachable)) => TokenExchange::clone(unreachable),
            (None, TokenFile::Readable { .. }, None) => trade(pod, wanted, budget, &pair).await,
        };
        if matches!(trade, TokenExchange::Unreachable(_)) {
            unreachable = Some(trade.clone());
        }
        situation.exchanges.insert(pair, trade);
    }
    // Whether a role can be assumed with keys is not tried, but STS has to be there for it.
    if situation.exchanges.is_empty() && has_role_profile(situation) {
        let reached = Box::pin(reach(pod, wanted, budget)).await;
        situation.sts_unreachable = reached.err().map(|diagnosis| diagnosis.name().as_str().to_owned());
    }
}

/// What the checks found of the pod's own role, if they came to ask STS.
fn found(run: &CheckRun) -> Option<TokenExchange> {
    let ending = |check: Check| run.steps().iter().find(|step| step.check == check).map(|step| &step.ending);
    match ending(Check::AssumeRole)? {
        CheckOutcome::Pass | CheckOutcome::Warn(_) => Some(TokenExchange::Given),
        CheckOutcome::Fail(diagnosis) => Some(outcome(diagnosis)),
        CheckOutcome::Skipped(missing) if missing.0 == Check::StsReachable => {
            match ending(Check::StsReachable)? {
                CheckOutcome::Fail(diagnosis) => Some(unreachable(diagnosis)),
                _ => None,
            }
        }
        CheckOutcome::Skipped(_) | CheckOutcome::Interrupted => None,
    }
}

async fn trade(
    pod: &Pod,
    wanted: &CheckOptions,
    budget: Budget,
    (role, file): &RoleAndToken,
) -> TokenExchange {
    let token = match pod.read(Path::new(file), LONGEST_TOKEN, budget.step_deadline()).await {
        Ok(file) => Secret::new(String::from_utf8_lossy(&file.bytes).into_owned()),
        Err(error) => return TokenExchange::Refused(error.to_string()),
    };
    let (link, endpoint) = match Box::pin(reach(pod, wanted, budget)).await {
        Ok(reached) => reached,
        Err(diagnosis) => return unreachable(&diagnosis),
    };
    let session = pod.nonempty_variable("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| SESSION_NAME.to_owned());
    let mut sts = Sts::new(pod, link, endpoint.endpoint.uri.to_string(), endpoint.signing_region);
    match sts.assume_role(role, &token, &session, budget.step_deadline()).await.result {
        Ok(_) => TokenExchange::Given,
        Err(CallFault::Refused(refusal)) => TokenExchange::Refused(refusal.code),
        Err(CallFault::NotSts { status, .. }) => {
            TokenExchange::Unreachable(format!("what answers {status} is not STS"))
        }
        Err(CallFault::ConnectionLost(words)) => TokenExchange::Unreachable(words),
        Err(CallFault::TimedOut) => TokenExchange::Unreachable("it does not answer".to_owned()),
    }
}

async fn reach(
    pod: &Pod,
    wanted: &CheckOptions,
    budget: Budget,
) -> Result<(HttpConnection, StsEndpoint), Diagnosis> {
    let profiles = Profiles::load(pod, budget.step_deadline()).await.ok();
    let mut settings = sts_endpoint::observe(pod, wanted, profiles.as_ref());
    settings.region.get_or_insert_with(|| (GLOBAL_REGION.to_owned(), "the global endpoint"));
    let endpoint = match sts_endpoint::judge(settings, None, None).await {
        Verdict::Pass(endpoint) | Verdict::Warn(endpoint, _) => endpoint,
        Verdict::Fail(diagnosis) => return Err(diagnosis),
    };
    let tried = sts_reachable::observe(pod, wanted, &endpoint, budget).await;
    match sts_reachable::judge(tried, pod.now()) {
        Verdict::Pass(connection) | Verdict::Warn(connection, _) => Ok((connection.split().0, endpoint)),
        Verdict::Fail(diagnosis) => Err(diagnosis),
    }
}
