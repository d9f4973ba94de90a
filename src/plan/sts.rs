//! What every kind of identity needs of STS: a connection, and whose the credentials are.

use crate::aws::profile::{ProfileFileError, Profiles};
use crate::checks::assume_role::RoleSession;
use crate::checks::caller_identity::CallerIdentity;
use crate::checks::sts_endpoint::StsEndpoint;
use crate::checks::{caller_identity, sts_endpoint, sts_reachable};
use crate::net::http::HttpConnection;
use crate::report::facts::PodFacts;
use crate::run::check::Check;
use crate::run::probe::Probe;
use crate::run::{CheckRun, Fact, Verdict};
use iam_trust::arn::RoleArn;

/// Checks which STS is called, and whether it can be reached. The `role`, if it is known, says in which partition.
pub(super) async fn connect<T>(
    probe: &Probe<'_>,
    identity: &Fact<T>,
    role: Option<&RoleArn>,
    profiles: &Result<Profiles, ProfileFileError>,
    run: &CheckRun,
    facts: &mut PodFacts,
) -> (Fact<StsEndpoint>, Fact<HttpConnection>) {
    let endpoint = run
        .check(Check::StsEndpoint, async {
            let settings = sts_endpoint::observe(probe, profiles.as_ref().ok());
            if settings.region.is_none() {
                // Without an identity the check is skipped: the missing injection would have set the region too.
                identity.get()?;
            }
            Ok(sts_endpoint::judge(settings, role, facts.claims.as_ref()).await)
        })
        .await;
    facts.sts.endpoint = endpoint.known().cloned();

    let connection = run
        .check(Check::StsReachable, async {
            let attempt = sts_reachable::observe(probe, endpoint.get()?).await;
            Ok(sts_reachable::judge(attempt, probe.pod.now()))
        })
        .await;
    let connection = connection.take().map(|open| {
        let (connection, summary) = open.split();
        facts.sts.connection = Some(summary);
        connection
    });
    (endpoint, connection.into())
}

/// Checks whose credentials STS gave. STS is not asked again if its answer to the role's request already names
/// the session of the `known` caller, whom an earlier pass confirmed.
pub(super) async fn confirm_caller(
    probe: &Probe<'_>,
    endpoint: &Fact<StsEndpoint>,
    session: &Fact<RoleSession>,
    known: Option<&CallerIdentity>,
    run: &CheckRun,
    facts: &mut PodFacts,
) {
    let caller = run
        .check(Check::CallerIdentity, async {
            let session = session.get()?;
            if let Some(known) = known.filter(|known| known.owns(session)) {
                return Ok(Verdict::Pass(known.clone()));
            }
            let answer = caller_identity::observe(probe, endpoint.get()?, session).await;
            facts.sts.exchanges.extend(answer.iter().flat_map(|answer| &answer.exchanges));
            Ok(caller_identity::judge(session, answer))
        })
        .await;
    facts.caller = caller.take().ok();
}
