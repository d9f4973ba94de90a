//! Whether the application takes the pod's role: its SDK can use it, and nothing shadows it.

use crate::aws::profile::{ProfileFileError, Profiles};
use crate::checks::application_sdk::Application;
use crate::checks::{application_sdk, credential_sources};
use crate::probes::chain_input;
use crate::run::CheckRun;
use crate::run::check::Check;
use crate::run::identity::Identity;
use crate::run::probe::Probe;
use sdk_chain::ChainContext;

/// Finds the SDKs of the application, if it is known where that is, and what SDKs find in the pod.
pub(super) async fn check(
    probe: &Probe<'_>,
    identity: &Identity,
    application: Option<&Application>,
    profiles: &Result<Profiles, ProfileFileError>,
    run: &CheckRun,
    chain: &mut ChainContext,
) {
    chain.input = chain_input::read_chain_input(probe.pod, probe.step_deadline()).await;

    if let Some(application) = application {
        run.check(Check::ApplicationSdk, async {
            let scan = application.scan(probe).await;
            chain.application = application.sdks(scan);
            chain.input.limitations = application_sdk::sdk_limitations(scan);
            Ok(application_sdk::judge(scan))
        })
        .await;
    }

    run.check(Check::CredentialSources, async {
        let key_faults = credential_sources::key_faults(probe.pod);
        Ok(credential_sources::judge(identity, chain, profiles, &key_faults))
    })
    .await;
}
