//! `watch`: the checks again and again, and what they find for Kubernetes and Prometheus.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;

use super::logging;
use super::options::CheckArgs;
use super::output::{self, Console};
use super::signals::Signals;
use super::values::{condition_type, duration, interval};
use crate::checks::token_file;
use crate::host::Pod;
use crate::host::deadline::Budget;
use crate::kubernetes::Api;
use crate::kubernetes::pod_status::PodReference;
use crate::report::model::INTERRUPTED;
use crate::report::termination;
use crate::text::{format_utc, sanitize};
use crate::watch::metrics::Metrics;
use crate::watch::publish::{Publisher, RetryPolicy};
use crate::watch::schedule::Schedule;
use crate::watch::status::WatchStatus;
use crate::watch::{Notice, Watch, WatchSettings, server};

/// Where `watch` listens, unless a flag says otherwise: every address of both families.
pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 9440);

/// How long a file system can take to store the last message: a sidecar must end within a second.
const LAST_MESSAGE_TIMEOUT: Duration = Duration::from_millis(400);

/// How long to wait before reading an API token again that cannot be read.
const API_TOKEN_PAUSE: Duration = Duration::from_secs(10);

/// The flags of `watch`.
#[derive(Debug, Args)]
pub(crate) struct WatchCommand {
    #[command(flatten)]
    checks: CheckArgs,
    /// The time between two checks while the role works, on average
    #[arg(long, value_name = "DURATION", value_parser = interval, env = "IRSA_PROBE_INTERVAL", default_value = "1h")]
    interval: Duration,
    /// Where /livez, /readyz and /metrics are served
    #[arg(long, value_name = "ADDRESS:PORT", env = "IRSA_PROBE_LISTEN", default_value_t = LISTEN)]
    listen: SocketAddr,
    /// How long a failure has to last until /readyz says so; 0s: at once
    #[arg(long, value_name = "DURATION", value_parser = duration, env = "IRSA_PROBE_READY_GRACE", default_value = "1h")]
    ready_grace: Duration,
    /// A condition of the pod to keep, for readiness gates; needs the permission to patch pods/status
    #[arg(long, value_name = "TYPE", value_parser = condition_type, env = "IRSA_PROBE_POD_CONDITION")]
    pod_condition: Option<String>,
    /// An Event on the pod for each change of the verdict; needs the permission to create events
    #[arg(long, value_parser = BoolishValueParser::new(), env = "IRSA_PROBE_POD_EVENTS")]
    pod_events: bool,
    /// Put the role's ARN, which names the account, into the metrics
    #[arg(long, value_parser = BoolishValueParser::new(), env = "IRSA_PROBE_METRICS_ROLE_ARN")]
    metrics_role_arn: bool,
}

pub(super) async fn run(console: &Console, pod: &Pod, args: &WatchCommand) -> u8 {
    let checks = &args.checks;
    logging::start(console, checks.log);
    checks.keep_last_words(console, pod);
    let mut signals = Signals::new();
    let listener = match server::bind(args.listen) {
        Ok(listener) => listener,
        Err(error) => {
            let listen = args.listen;
            let text =
                format!("irsa-probe watch cannot listen on {listen}: {error}; choose another --listen\n");
            return output::refuse(console, pod, &checks.termination_log, text).await;
        }
    };
    let address = listener.local_addr().unwrap_or(args.listen);
    tracing::info!(%address, "serving /livez, /readyz and /metrics");
    let status = Arc::new(WatchStatus::new(args.ready_grace));
    let metrics = Metrics { status: Arc::clone(&status), with_role_arn: args.metrics_role_arn };
    let settings = WatchSettings {
        timeout: checks.timeout,
        failure_policy: checks.failure_policy(),
        container: checks.container.clone(),
    };
    let options = checks.options();
    let schedule = Schedule::new(args.interval, fastrand::Rng::new());
    let mut watch = Watch::new(pod, &options, &settings, &status, schedule);
    let notify = async |notice: Notice<'_>| match notice {
        Notice::Verdict(report) => checks.publish(console, pod, report).await,
        Notice::Rotation { expires_at } => {
            tracing::info!(expires_at = expires_at.map(format_utc), "the token was rotated");
        }
        Notice::Steady(report) => {
            let diagnosis = report.diagnosis().map(|diagnosis| diagnosis.name().as_str());
            tracing::info!(outcome = report.outcome().as_str(), diagnosis, "no change");
        }
    };
    tokio::select! {
        biased;
        () = signals.received() => {}
        never = watch.run(notify) => match never {},
        never = server::serve(listener, metrics) => match never {},
        never = publish_to_cluster(pod, args, &status) => match never {},
    }
    match watch.last() {
        Some(report) => report.exit_code(),
        None => {
            let message = termination::NO_VERDICT.to_owned();
            output::write_termination_log(pod, &checks.termination_log, message, LAST_MESSAGE_TIMEOUT).await;
            if settings.failure_policy.observe { 0 } else { INTERRUPTED }
        }
    }
}

/// Keeps the pod's condition and events, if they are wanted and the API token names the pod.
async fn publish_to_cluster(pod: &Pod, args: &WatchCommand, status: &WatchStatus) -> Infallible {
    if args.pod_condition.is_some() || args.pod_events {
        let file = &args.checks.identity.api_token_file;
        match Api::from_variables(pod, file) {
            Some(api) => {
                if let Some(reference) = pod_reference(pod, file, args.checks.timeout).await {
                    let publisher =
                        Publisher { pod: pod.clone(), api, reference, retry: RetryPolicy::default() };
                    let condition = args.pod_condition.as_deref();
                    publisher.run(condition, args.pod_events, status.subscribe()).await;
                } else {
                    let file = sanitize(&file.to_string_lossy());
                    tracing::warn!(%file, "the API token does not name a pod: no condition and no event is published");
                }
            }
            None => tracing::warn!("there is no Kubernetes API here: no condition and no event is published"),
        }
    }
    std::future::pending().await
}

/// The pod that the API token names, as soon as the token can be read; `None` if it names none.
async fn pod_reference(pod: &Pod, file: &Path, timeout: Duration) -> Option<PodReference> {
    let mut is_logged = false;
    loop {
        let budget = Budget::single_pass(timeout);
        if let Some(claims) = token_file::read_api_token(pod, file, budget).await {
            return PodReference::from_claims(&claims);
        }
        if !std::mem::replace(&mut is_logged, true) {
            let file = sanitize(&file.to_string_lossy());
            tracing::info!(%file, "no condition and no event is published, until the API token can be read");
        }
        tokio::time::sleep(API_TOKEN_PAUSE).await;
    }
}
