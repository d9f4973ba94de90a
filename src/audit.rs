//! Why a role is refused, for an operator who may look at AWS's side.
//!
//! Data flows one way: what is given in files ([`inputs`]) and what IAM says ([`iam`]) is evidence; for whom
//! a role is asked is put together of it ([`claims`]), and what IAM has is laid beside that ([`role`],
//! [`provider`], [`trust`], [`refusal`]). The order of it is in [`crate::plan`].

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::aws::iam::{Permission, Simulated};
use crate::diagnosis::Diagnosis;
use crate::diagnosis::audit::NotSeen;
use crate::evidence::Evidence;
use crate::run::Observed;
use claims::{Asked, Differing};
use inputs::Inputs;
use report::{Ended, PodOf};

pub mod claims;
pub mod iam;
pub mod inputs;
pub mod pod;
pub mod policy;
pub mod printed;
pub mod provider;
pub mod refusal;
pub mod report;
pub mod role;
pub mod trust;

/// What the user wants of an audit, beyond what is handed in.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The profile whose credentials ask IAM.
    pub profile: Option<String>,
    /// Actions that the role should be allowed.
    pub actions: Vec<String>,
    /// What they are done to.
    pub resources: Vec<String>,
    /// Whether the issuer is looked at.
    pub issuer_check: bool,
    /// The container that is meant.
    pub container: Option<String>,
    /// A name server, in place of those in `/etc/resolv.conf`.
    pub dns_server: Option<SocketAddr>,
    /// Where the system's CA certificates are looked for.
    pub system_roots: Vec<PathBuf>,
}

impl Wanted {
    /// Whether IAM is asked: not where its side was handed in, unless something else needs it.
    #[must_use]
    pub fn asks_iam(&self, inputs: &Inputs) -> bool {
        let is_handed_in = inputs.trust_policy.is_some() || inputs.oidc_provider.is_some();
        !is_handed_in || self.profile.is_some() || !self.actions.is_empty()
    }
}

/// What an audit found out, for the report, beside its checks.
#[derive(Debug)]
pub struct Audited {
    /// For whom which role is asked.
    pub asked: Asked,
    /// Which pod it is, as far as that is known.
    pub pod: PodOf,
    /// The trust policy.
    pub policy: Option<trust::Policy>,
    /// What the simulation says.
    pub simulated: Vec<Simulated>,
    /// What is wrong beside the failures of the checks.
    pub further: Vec<Diagnosis>,
    /// What is not known, and why.
    pub not_known: Vec<NotKnown>,
    /// What a reader should know of what was handed in.
    pub notes: Vec<Note>,
}

/// Something that is not known.
#[derive(Debug, Clone)]
pub struct NotKnown {
    /// What.
    pub what: &'static str,
    /// Why.
    pub why: NotSeen,
}

impl NotKnown {
    /// The permission that it would take, where that is what lacks.
    #[must_use]
    pub fn permission(&self) -> Option<Permission> {
        self.why.permission()
    }
}

/// What a reader should know of what was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Two sources say otherwise; one of them counts.
    Differing(Differing),
    /// The log has a later report, on this line, that is cut off or of another version.
    LaterReport(usize),
    /// The log was not read to its end.
    LogEnded(Ended),
    /// The report failed for another reason than STS's refusal of the role: this diagnosis.
    OtherFailure(String),
}

/// Something that could not be looked at.
#[derive(Debug, Clone, Copy)]
pub struct Unseen;

impl Observed for Unseen {
    fn evidence(&self) -> Evidence {
        Evidence::new()
    }
}
