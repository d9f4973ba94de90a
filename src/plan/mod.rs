//! What is checked, and in which order. Read this first: it is the whole product.
//!
//! Each check is one expression: `run.check(Which, async { … })`. Its block asks for the facts of
//! earlier checks with `fact.get()?`, observes what it needs, and judges that. If a fact is not known,
//! the check is skipped, and its result names the check that failed. [`crate::run::check`] is the table of
//! checks.
//!
//! A `Pass` holds what one run of the checks found, a `Memory` what the next pass need not find out again,
//! and a `Probe` the pod, the options and the time that is left.
//!
//! - `check`: does the pod get its role, and does its application take it? (`irsa`, `application`)
//! - `check_token`: the same about a new token and the application, without a call to STS.
//! - `node_role`: after a failure, which SDKs would hide it behind the node's role?
//! - `retry`: `check` again, while a failure can pass.
//! - `trust_policy`: which trust policy does the token need?
//! - `chain`: which credentials does each SDK find in the pod?
//! - `audit`: why does AWS refuse the role? For an operator, outside of the pod.

pub(crate) mod application;
pub(crate) mod audit;
pub(crate) mod chain;
pub(crate) mod irsa;
pub(crate) mod pass;
pub(crate) mod retry;
pub(crate) mod sts;

use crate::aws::profile::Profiles;
use crate::checks::node_role::NodeRoleQuestion;
use crate::diagnosis::Diagnosis;
use crate::plan::pass::{Memory, Pass};
use crate::run::CheckRun;
use crate::run::identity::Identity;
use crate::run::probe::Probe;
use crate::token::Claims;
use iam_trust::arn::RoleArn;

/// Makes every check once. The application and the role are checked at the same time: neither waits for the other.
pub(crate) async fn check(probe: &Probe<'_>, memory: &mut Memory, pass: &mut Pass) {
    let profiles = Profiles::load(probe.pod, None, probe.step_deadline()).await;
    let (identity, run) = (&pass.identity, &pass.run);
    let (facts, chain) = (&mut pass.facts, &mut pass.chain);

    // application-sdk, credential-sources
    let application = application::check(probe, identity, memory.application.as_ref(), &profiles, run, chain);
    let role = async {
        match identity {
            Identity::Irsa(settings) => {
                // web-identity, role-arn, token-file, token
                let given = irsa::check_given(probe, settings, run, facts).await;
                // sts-endpoint, sts-reachable
                let role = given.role.known();
                let (endpoint, connection) =
                    sts::connect(probe, &given.web_identity, role, &profiles, run, facts).await;
                // assume-role
                let session = irsa::assume_role(probe, &given, &endpoint, connection, run, facts).await;
                // token-fresh
                irsa::check_freshness(probe, &given.token, facts.server_time(), run).await;
                // caller-identity
                let known = memory.caller.as_ref();
                sts::confirm_caller(probe, &endpoint, &session, known, run, facts).await;
            }
        }
    };
    tokio::join!(role, application);

    let caller = facts.caller.clone().filter(|caller| caller.confirmed);
    memory.caller = caller.or(memory.caller.take());
}

/// Checks a new token as far as that needs no STS.
pub(crate) async fn check_token(probe: &Probe<'_>, memory: &Memory, pass: &mut Pass) {
    let profiles = Profiles::load(probe.pod, None, probe.step_deadline()).await;
    let Pass { identity, run, facts, chain, .. } = pass;
    match identity {
        Identity::Irsa(settings) => {
            let given = irsa::check_given(probe, settings, run, facts).await;
            irsa::check_freshness(probe, &given.token, None, run).await;
        }
    }
    application::check(probe, identity, memory.application.as_ref(), &profiles, run, chain).await;
}

/// After the last attempt: finds which SDKs hide a failure behind the node's role. Asks IMDS only if there
/// is such a failure and such an SDK.
pub(crate) async fn node_role(probe: &Probe<'_>, memory: &mut Memory, pass: &mut Pass) {
    if pass.run.first_failure(|_| true).is_none() {
        memory.node_role.forget();
    }
    if let Some(question) = NodeRoleQuestion::after(&pass.run, &pass.identity, &pass.chain) {
        pass.node_role = question.judge(memory.node_role.node_role(probe.pod).await);
    }
}

/// What a trust policy must match, and what is odd about it.
pub(crate) struct TrustPolicyFacts {
    pub(crate) role: RoleArn,
    pub(crate) claims: Claims,
    /// What is odd about them.
    pub(crate) warnings: Vec<Diagnosis>,
}

/// Reads the role and the claims that a trust policy must match. Calls nobody.
///
/// # Errors
/// The first failure, if a check failed.
pub(crate) async fn trust_policy(probe: &Probe<'_>) -> Result<TrustPolicyFacts, Option<Diagnosis>> {
    let mut pass = Pass::new(probe.pod, probe.options, None);
    let Pass { identity: Identity::Irsa(settings), run, facts, .. } = &mut pass;
    let given = irsa::check_given(probe, settings, run, facts).await;
    match (given.role.take(), given.token.take()) {
        (Ok(role), Ok(token)) => {
            Ok(TrustPolicyFacts { role, claims: token.claims, warnings: warnings(pass.run) })
        }
        _ => Err(pass.run.first_failure(|_| true).map(|(_, failure)| failure)),
    }
}

fn warnings(run: CheckRun) -> Vec<Diagnosis> {
    run.into_results().iter().flat_map(|result| result.warnings().to_vec()).collect()
}
