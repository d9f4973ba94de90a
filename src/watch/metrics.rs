//! The status as metrics, in the text format of OpenMetrics.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::Registry;

use super::pod_status::Warning;
use super::status::WatchStatus;
use crate::diagnosis::Name;

pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub struct Metric {
    /// The name in queries. A counter's name ends in `_total`.
    pub name: &'static str,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

const UP: Metric = Metric {
    name: "irsa_probe_up",
    labels: &[],
    help: "Whether the role works, and an SDK that is expected takes it, by the last check: 1 or 0; 0 before the first has ended",
};
const READY: Metric = Metric {
    name: "irsa_probe_ready",
    labels: &[],
    help: "Whether /readyz says that the pod may be sent work: 1 or 0",
};
const DIAGNOSIS: Metric = Metric {
    name: "irsa_probe_diagnosis",
    labels: &["name", "class", "owner"],
    help: "1 for what is wrong now; absent while nothing is",
};
const WARNING: Metric = Metric {
    name: "irsa_probe_warning",
    labels: &["name", "class", "owner"],
    help: "1 for each warning that holds now",
};
const CHECK: Metric = Metric {
    name: "irsa_probe_check_outcome",
    labels: &["check", "outcome"],
    help: "1 for the outcome of each check, the last time it was made: pass, warn, fail or skipped",
};
const EXPIRY: Metric = Metric {
    name: "irsa_probe_token_expiry_timestamp_seconds",
    labels: &[],
    help: "When the token expires, in Unix time; absent while no token can be read",
};
const SUCCESS: Metric = Metric {
    name: "irsa_probe_last_success_timestamp_seconds",
    labels: &[],
    help: "When STS last gave the role, in Unix time; absent until it has",
};
const LAST_REQUEST: Metric = Metric {
    name: "irsa_probe_sts_last_request_seconds",
    labels: &[],
    help: "How long the last request to STS took; absent until there was one",
};
const REQUESTS: Metric = Metric {
    name: "irsa_probe_sts_requests_total",
    labels: &["result"],
    help: "Requests to STS by how they ended: ok, refused, throttled, or failed (no answer, or none of STS's own)",
};
const ROTATIONS: Metric = Metric {
    name: "irsa_probe_token_rotations_total",
    labels: &[],
    help: "How often another token was found in the token file",
};
const BUILD: Metric =
    Metric { name: "irsa_probe_build_info", labels: &["version"], help: "The version of irsa-probe" };
const ROLE: Metric = Metric {
    name: "irsa_probe_role_info",
    labels: &["role_arn"],
    help: "The role that the pod was given; only with --metrics-role-arn",
};

pub const ALL: [Metric; 12] =
    [UP, READY, DIAGNOSIS, WARNING, CHECK, EXPIRY, SUCCESS, LAST_REQUEST, REQUESTS, ROTATIONS, BUILD, ROLE];

#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) status: Arc<WatchStatus>,
    pub(crate) with_role_arn: bool,
}

impl Metrics {
    /// The metrics now, in the text format.
    ///
    /// # Errors
    /// Never: the text is written to memory.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self.clone()));
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for Metrics {
    fn encode(&self, mut out: DescriptorEncoder) -> Result<(), fmt::Error> {
        let snapshot = self.status.snapshot();
        let last = snapshot.last_check.as_ref();
        let is_up = last.is_some_and(|last| last.diagnosis.is_none());
        gauge(&mut out, &UP, Some(f64::from(u8::from(is_up))))?;
        gauge(&mut out, &READY, Some(f64::from(u8::from(self.status.readiness().ready))))?;
        name_gauges(&mut out, &DIAGNOSIS, last.and_then(|last| last.diagnosis).as_slice())?;
        let warnings: Vec<Name> = last.map_or_else(Vec::new, |last| Warning::names(&last.warnings).collect());
        name_gauges(&mut out, &WARNING, &warnings)?;
        let mut checks = family(&mut out, &CHECK, MetricType::Gauge)?;
        for (check, outcome) in last.map_or(&[][..], |last| &last.checks) {
            let labels = [("check", check.name()), ("outcome", outcome)];
            checks.encode_family(&labels)?.encode_gauge(&1_i64)?;
        }
        gauge(&mut out, &EXPIRY, last.and_then(|last| last.token_expires_at).map(unix_seconds))?;
        gauge(&mut out, &SUCCESS, snapshot.last_success.map(unix_seconds))?;
        gauge(&mut out, &LAST_REQUEST, snapshot.last_request_took.map(|took| took.as_secs_f64()))?;
        let mut requests = family(&mut out, &REQUESTS, MetricType::Counter)?;
        for (answered, count) in &snapshot.requests_by_result {
            counter(&mut requests.encode_family(&[("result", answered.as_str())])?, *count)?;
        }
        counter(&mut family(&mut out, &ROTATIONS, MetricType::Counter)?, snapshot.rotations)?;
        info(&mut out, &BUILD, &[("version", env!("CARGO_PKG_VERSION"))])?;
        match last.and_then(|last| last.role_arn.as_deref()).filter(|_| self.with_role_arn) {
            Some(role_arn) => info(&mut out, &ROLE, &[("role_arn", role_arn)]),
            None => Ok(()),
        }
    }
}

/// Announces a metric. The format adds the suffix of a counter and of an info.
fn family<'a>(
    out: &'a mut DescriptorEncoder,
    metric: &Metric,
    kind: MetricType,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    let name = metric.name.strip_suffix("_total").or_else(|| metric.name.strip_suffix("_info"));
    out.encode_descriptor(name.unwrap_or(metric.name), metric.help, None, kind)
}

fn gauge(out: &mut DescriptorEncoder, metric: &Metric, value: Option<f64>) -> Result<(), fmt::Error> {
    value.map_or(Ok(()), |value| family(out, metric, MetricType::Gauge)?.encode_gauge(&value))
}

fn counter(out: &mut MetricEncoder, count: u64) -> Result<(), fmt::Error> {
    out.encode_counter(&count, None::<&Exemplar<[(&str, &str); 0], f64>>)
}

fn info(
    out: &mut DescriptorEncoder,
    metric: &Metric,
    labels: &impl EncodeLabelSet,
) -> Result<(), fmt::Error> {
    family(out, metric, MetricType::Info)?.encode_info(labels)
}

fn name_gauges(out: &mut DescriptorEncoder, metric: &Metric, names: &[Name]) -> Result<(), fmt::Error> {
    let mut out = family(out, metric, MetricType::Gauge)?;
    for (place, name) in names.iter().enumerate() {
        // The same name twice would be the same series twice.
        if names.iter().take(place).any(|earlier| earlier == name) {
            continue;
        }
        let (class, owner) = (name.class().as_str(), name.owner().as_str());
        let labels = [("name", name.as_str()), ("class", class), ("owner", owner)];
        out.encode_family(&labels)?.encode_gauge(&1_i64)?;
    }
    Ok(())
}

/// A time in whole seconds since 1970; before that, 0.
fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64().trunc())
}
