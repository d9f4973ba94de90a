//! The public form of a report.

/// The schema's name.
pub const SCHEMA: &str = "irsa-probe.report/v1";
