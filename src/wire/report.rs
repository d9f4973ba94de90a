//! The report of `check`, `watch` and `audit`.

use schemars::json_schema;
use serde_json::{Map, Value};

use super::audit::Audit;
use super::{SCHEMA, TIME, wire};

wire! {
    /// The report of irsa-probe check, watch and audit.
    #[schemars(extend("if" = json_schema!({"required": ["audit"]}), "then" = of_audit()))]
    pub struct Report {
        /// The name and version of this form.
        #[schemars(extend("const" = SCHEMA))]
        pub schema: String,
        /// The version of irsa-probe.
        pub version: String,
        /// When the run began, by the clock of the machine that it ran on.
        #[schemars(regex(pattern = TIME))]
        pub time: String,
        /// How the run ended.
        #[schemars(extend("enum" = ["pass", "warn", "fail"]))]
        pub outcome: String,
        /// The exit code of the process.
        pub exit_code: u8,
        /// Whether SIGTERM ended the run.
        pub interrupted: bool,
        /// The place in irsa-probe, if a fault of its own ended the run. Then nothing was judged.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        pub fault: Option<String>,
        /// How many attempts there were.
        pub attempts: u32,
        /// How long the run took, all attempts together.
        pub duration_ms: u64,
        /// The first failure in the order of the checks that is not tolerated, or else the first failure.
        pub diagnosis: Option<Diagnosis>,
        /// What else was found: reservations, and the other failures.
        pub warnings: Vec<Diagnosis>,
        /// The pod, and the user of the process that ran. In an audit, the user is the operator's.
        pub pod: Pod,
        /// The role that is requested.
        pub role_arn: Option<String>,
        /// The token. An audit does not know its file and its times.
        pub token: Option<Token>,
        /// The STS endpoint and the call to it.
        pub sts: Option<Sts>,
        /// The identity that STS confirmed.
        pub identity: Option<Identity>,
        /// The checks in the order in which they were made.
        pub checks: Vec<Check>,
        /// What an audit found beside its checks. Only an audit's report has this.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Audit")]
        pub audit: Option<Audit>,
    }

    /// One failure or reservation, by its name in the catalogue.
    pub struct Diagnosis {
        /// The name; `irsa-probe explain NAME` prints its page.
        #[schemars(regex(pattern = r"^[A-Z][A-Za-z0-9]+$"))]
        pub name: String,
        /// The kind of failure, which decides the exit code.
        pub class: String,
        /// Who must change something.
        pub owner: String,
        /// The diagnosis in one line.
        pub title: String,
        /// What is wrong, in full sentences.
        pub cause: String,
        /// What to do, in order. Paste what follows the first line of a step.
        #[schemars(length(min = 1))]
        pub remedy: Vec<String>,
        /// The facts behind the cause.
        pub evidence: Map<String, Value>,
    }

    /// The pod, and the user of the process that ran.
    pub struct Pod {
        /// The name of the container.
        pub container: Option<String>,
        /// The user id of this process, not the pod's uid.
        pub uid: u32,
        /// The group id of this process.
        pub gid: u32,
        /// The pod's namespace.
        pub namespace: Option<String>,
        /// The pod's service account.
        pub service_account: Option<String>,
        /// The pod's name.
        pub pod: Option<String>,
        /// The node that the pod runs on.
        pub node: Option<String>,
        /// The process whose variables and files were read instead of this container's own; see --pid.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Target")]
        pub target: Option<Target>,
    }

    /// The process whose variables and files were read instead of this container's own.
    pub struct Target {
        /// Its number.
        #[schemars(range(min = 1))]
        pub pid: u32,
        /// Its name.
        pub name: String,
        /// Its user id.
        pub uid: u32,
        /// Its group id.
        pub gid: u32,
        /// Present and true if that process has another network than this container, which called STS.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        pub another_network: bool,
    }

    /// The token's file and claims.
    pub struct Token {
        /// The file.
        pub file: Option<String>,
        /// The file's user id.
        pub file_owner: Option<u32>,
        /// The file's group id.
        pub file_group: Option<u32>,
        /// The file's permissions.
        #[schemars(regex(pattern = r"^[0-7]{4}$"))]
        pub file_mode: Option<String>,
        /// The claim `iss`.
        pub issuer: Option<String>,
        /// The claim `sub`.
        pub subject: Option<String>,
        /// The claim `aud`.
        pub audience: Vec<String>,
        /// The id of the key that signed the token.
        pub key_id: Option<String>,
        /// The claim `iat`.
        #[schemars(regex(pattern = TIME))]
        pub issued_at: Option<String>,
        /// The claim `exp`.
        #[schemars(regex(pattern = TIME))]
        pub expires_at: Option<String>,
    }

    /// The STS endpoint and the call to it.
    pub struct Sts {
        /// The endpoint's URL.
        pub endpoint: String,
        /// The endpoint's region.
        pub region: String,
        /// The addresses that its name resolved to.
        pub addresses: Vec<String>,
        /// The address and port that answered.
        pub connected_to: Option<String>,
        /// The proxy, if the connection went through one.
        pub proxy: Option<String>,
        /// The version of TLS.
        #[schemars(extend("enum" = ["TLS 1.2", "TLS 1.3", null]))]
        pub tls_version: Option<String>,
        /// The name of the session that was requested.
        pub session_name: Option<String>,
        /// The id of the request for the role's credentials.
        pub request_id: Option<String>,
        /// When STS answered, by its own clock.
        #[schemars(regex(pattern = TIME))]
        pub server_time: Option<String>,
    }

    /// The identity that STS confirmed.
    pub struct Identity {
        /// The ARN of the session.
        pub arn: String,
        /// The account.
        pub account: String,
    }

    /// One check.
    pub struct Check {
        /// The name.
        pub name: String,
        /// The fact that holds when the check passes.
        pub title: String,
        /// How the check ended.
        #[schemars(extend("enum" = ["pass", "warn", "fail", "skipped"]))]
        pub outcome: String,
        /// The check whose failure kept this one from being judged, or `interrupted`.
        pub skipped_because: Option<String>,
        /// How long the check took.
        pub duration_ms: u64,
        /// What the check saw.
        pub evidence: Map<String, Value>,
        /// The name of the first diagnosis of this check; all of them are in `diagnosis` and `warnings`.
        #[schemars(regex(pattern = r"^[A-Z][A-Za-z0-9]+$"))]
        pub diagnosis: Option<String>,
    }
}

/// What is fixed in an audit's report: it runs once, and never calls STS for the pod.
fn of_audit() -> schemars::Schema {
    json_schema!({"properties": {
        "sts": {"type": "null"},
        "identity": {"type": "null"},
        "interrupted": {"const": false},
        "attempts": {"const": 1},
    }})
}
