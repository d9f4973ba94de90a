//! A pod and its service account as `kubectl get -o json` prints them: what was injected, and what kept the
//! webhook from it.
//!
//! Source of what the webhook does: amazon-eks-pod-identity-webhook, `pkg/handler/handler.go`. It changes the
//! init containers and the containers of a pod when that is created, and never again. Of each it adds
//! `AWS_ROLE_ARN` and `AWS_WEB_IDENTITY_TOKEN_FILE` if neither is there, `AWS_REGION` and
//! `AWS_DEFAULT_REGION` if neither is there, and the mount of a volume of a fixed name if that is not there.
//! Which of all this the pod spec had itself cannot be seen afterwards, so a pod that was made by hand, and
//! is whole, is left in peace; and so is what this file cannot see (`envFrom`, `$(VARIABLE)`).

use crate::env::USUAL_AUDIENCE;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::printed::{self, BadDocument};
use super::report::time;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::identity::{
    NotInjected, PodIdentityOnly, RoleArnVarEmpty, RoleArnVarMissing, TokenFileVarEmpty, TokenFileVarMissing,
};
use crate::diagnosis::injection::{
    AnnotatedAfterPod, AnnotationAge, AnnotationDiffersFromEnv, AnnotationOf, InjectionSuppressed,
    InjectionTarget, RoleAnnotationMisplaced, ServiceAccountNotAnnotated, SuppressionCause, WebhookMissed,
};
use crate::diagnosis::role_arn::RoleArnMalformed;
use crate::env::{CONTAINER_CREDENTIALS, ROLE_ARN, TOKEN_FILE};
use crate::kubernetes::service_account::{AnnotatedAccount, ROLE_ANNOTATION};
use crate::token::ServiceAccount;
use iam_trust::arn;

/// The volume that the webhook adds.
const VOLUME: &str = "aws-iam-token";
/// The file in it.
const TOKEN_PATH: &str = "token";
const DOMAIN: &str = "eks.amazonaws.com/";
/// The pod's annotation that names containers to leave out, as a line of CSV.
const SKIP_CONTAINERS: &str = "eks.amazonaws.com/skip-containers";
/// The pod's label, of any value, that leaves it out.
const SKIP_WEBHOOK: &str = "eks.amazonaws.com/skip-pod-identity-webhook";
/// The service account's annotation that names the audience.
const AUDIENCE_ANNOTATION: &str = "eks.amazonaws.com/audience";
/// The variables that name the region.
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// The variable that names the kind of STS's endpoint.
const STS_ENDPOINTS: &str = "AWS_STS_REGIONAL_ENDPOINTS";

/// A pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodManifest {
    /// Its name.
    pub name: Option<String>,
    /// The service account that it runs as.
    pub service_account: ServiceAccount,
    /// When it was created: when the webhook saw it.
    pub created_at: Option<SystemTime>,
    /// When its kubelet saw it.
    pub started_at: Option<SystemTime>,
    /// Its containers of every kind, in their order.
    pub containers: Vec<Container>,
    /// The volume of the token, if it has one of that name.
    pub volume: Option<TokenVolume>,
    /// The volumes of any name that project a token for STS.
    sts_tokens: Vec<String>,
    /// The containers that its annotation leaves out.
    pub skip_containers: Vec<String>,
    /// Whether its label leaves it out.
    pub skips_webhook: bool,
    /// Its own annotations that hold a role: the webhook reads none of them.
    pub annotations: Vec<(String, String)>,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Of which kind it is.
    pub kind: ContainerKind,
    /// Those of its variables that matter here. `None` is a value that is taken from elsewhere.
    env: BTreeMap<String, Option<String>>,
    /// Where the token's volume is mounted.
    pub mounted_at: Option<String>,
    /// Which volumes are mounted, and where.
    mounts: Vec<(String, String)>,
    /// Whether it has variables that are taken from a whole ConfigMap or Secret: their names are not known.
    has_env_from: bool,
}

/// A kind of container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerKind {
    /// One that runs before the others, or beside them as a sidecar.
    Init,
    /// An ordinary one.
    Main,
    /// One that was added to a running pod, as `kubectl debug` does.
    Ephemeral,
}

/// A volume of the name that the webhook's has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenVolume {
    /// It projects a token.
    Token {
        /// For this audience; the API server's own if it is not said.
        audience: Option<String>,
        /// For so long.
        lifetime: Option<Duration>,
        /// In this file of the volume.
        path: Option<String>,
    },
    /// It is of another kind, so somebody else made it.
    Other,
}

/// A service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccountManifest {
    /// Which one it is.
    pub service_account: ServiceAccount,
    /// Its annotation, and ages.
    pub account: AnnotatedAccount,
    /// The audience that it asks for.
    pub audience: Option<String>,
    /// Its annotations of other names that hold a role: the webhook reads none of them.
    pub others: Vec<(String, String)>,
}

/// Reads a pod.
///
/// # Errors
/// If it is none, or several.
pub fn read_pod(bytes: &[u8]) -> Result<PodManifest, BadDocument> {
    let value = printed::json(&printed::text(bytes)?)?;
    let pod = pick(&value, "Pod", "pods")?;
    let spec = pod.get("spec").ok_or(BadDocument::Without("spec"))?;
    let metadata = pod.get("metadata").ok_or(BadDocument::Without("metadata"))?;
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let annotations = texts(metadata, "annotations");
    let kinds = [
        ("initContainers", ContainerKind::Init),
        ("containers", ContainerKind::Main),
        ("ephemeralContainers", ContainerKind::Ephemeral),
    ];
    let containers = kinds.into_iter().flat_map(|(name, kind)| {
        list(spec, name).iter().filter_map(move |container| Container::read(container, kind))
    });
    let volumes = || list(spec, "volumes").iter().filter_map(TokenVolume::read);
    let skipped = annotations.iter().find(|(name, _)| *name == SKIP_CONTAINERS);
    Ok(PodManifest {
        name: text(metadata, "name"),
        service_account: ServiceAccount {
            namespace: text(metadata, "namespace").unwrap_or_else(|| "default".to_owned()),
            name: text(spec, "serviceAccountName")
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "default".to_owned()),
        },
        created_at: text(metadata, "creationTimestamp").as_deref().and_then(time),
        started_at: pod.get("status").and_then(|status| text(status, "startTime")).as_deref().and_then(time),
        containers: containers.collect(),
        volume: volumes().find(|(name, _)| *name == VOLUME).map(|(_, volume)| volume),
        sts_tokens: volumes()
            .filter(|(_, volume)| volume.is_for(USUAL_AUDIENCE))
            .map(|(name, _)| name.to_owned())
            .collect(),
        skip_containers: skipped.map(|(_, names)| csv(names)).unwrap_or_default(),
        skips_webhook: texts(metadata, "labels").iter().any(|(name, _)| *name == SKIP_WEBHOOK),
        annotations: roles_among(&annotations, |_| true),
    })
}

/// Reads a service account.
///
/// # Errors
/// If it is none, or several.
pub fn read_account(bytes: &[u8]) -> Result<ServiceAccountManifest, BadDocument> {
    let value = printed::json(&printed::text(bytes)?)?;
    let account = pick(&value, "ServiceAccount", "service accounts")?;
    let mut object = account.as_object().cloned().unwrap_or_default();
    object.insert("kind".to_owned(), "ServiceAccount".into());
    let object = Value::Object(object).to_string();
    let read = AnnotatedAccount::parse(object.as_bytes()).ok_or(BadDocument::Without("metadata"))?;
    let metadata = account.get("metadata").ok_or(BadDocument::Without("metadata"))?;
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).map(str::to_owned);
    let annotations = texts(metadata, "annotations");
    let audience = annotations.iter().find(|(name, _)| *name == AUDIENCE_ANNOTATION);
    Ok(ServiceAccountManifest {
        service_account: ServiceAccount {
            namespace: text("namespace").unwrap_or_else(|| "default".to_owned()),
            name: text("name").ok_or(BadDocument::Without("metadata.name"))?,
        },
        account: read,
        audience: audience.map(|(_, audience)| (*audience).to_owned()),
        others: roles_among(&annotations, |name| name != ROLE_ANNOTATION),
    })
}

/// The object of a kind: it itself, or the only one in a list.
fn pick<'a>(value: &'a Value, kind: &'static str, plural: &'static str) -> Result<&'a Value, BadDocument> {
    match kind_of(value) {
        Some(found) if found == kind => Ok(value),
        Some(found) if found.ends_with("List") => {
            // What the API itself lists has no kind of its own.
            let is_of_kind = |item: &&Value| {
                kind_of(item).map_or(found.strip_suffix("List") == Some(kind), |of| of == kind)
            };
            let items: Vec<&Value> = list(value, "items").iter().filter(is_of_kind).collect();
            match items.as_slice() {
                [] => Err(BadDocument::Without(kind)),
                [item] => Ok(item),
                several => Err(BadDocument::Several { what: plural, count: several.len() }),
            }
        }
        Some("Status") => Err(BadDocument::Another("an error of the Kubernetes API")),
        Some("Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob") => {
            Err(BadDocument::Another("what makes pods, and not one of them: give a pod that it made"))
        }
        Some(_) => Err(BadDocument::Another("an object of Kubernetes of another kind")),
        None => Err(BadDocument::Another("no object of Kubernetes, as kubectl get -o json prints them")),
    }
}

fn kind_of(value: &Value) -> Option<&str> {
    value.get("kind").and_then(Value::as_str)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The texts in an object, such as labels.
fn texts<'a>(value: &'a Value, name: &str) -> Vec<(&'a str, &'a str)> {
    let object = value.get(name).and_then(Value::as_object).into_iter().flat_map(Map::iter);
    object.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect()
}

/// Those annotations of certain names that hold a role, and whose name says that it is one.
fn roles_among(annotations: &[(&str, &str)], name: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let is_role = |value: &str| value.trim().starts_with("arn:") && value.contains(":role");
    let is_named = |key: &str| key.starts_with(DOMAIN) || key.to_ascii_lowercase().contains("role");
    let found = annotations.iter().filter(|(key, value)| name(key) && is_named(key) && is_role(value));
    found.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The fields of the first line of CSV, as far as names of containers need it. White space belongs to a field,
/// and a quotation mark where none belongs spoils them all: the webhook then leaves out no container.
fn csv(text: &str) -> Vec<String> {
    let line = text.lines().find(|line| !line.is_empty()).unwrap_or_default();
    let bare = |field: &str| {
        let quoted = field.strip_prefix('"').and_then(|field| field.strip_suffix('"'));
        let bare = quoted.unwrap_or(field);
        (!bare.contains('"')).then(|| bare.to_owned())
    };
    line.split(',').map(bare).collect::<Option<Vec<_>>>().unwrap_or_default()
}

/// Whether a file lies below a place, as far as texts show it. Windows has its own way to write both, and
/// `/var/run` is often a link to `/run`.
fn is_below(file: &str, place: &str) -> bool {
    let plain = |path: &str| {
        let path = path.replace('\\', "/");
        let path = path.strip_prefix("C:").or_else(|| path.strip_prefix("c:")).unwrap_or(&path);
        let path = path.trim_end_matches('/');
        path.strip_prefix("/var/run/").map_or_else(|| path.to_owned(), |rest| format!("/run/{rest}"))
    };
    let (file, place) = (plain(file), plain(place));
    file.strip_prefix(&place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl TokenVolume {
    /// The name of a volume, and what it would be if it had the one of the webhook's.
    fn read(volume: &Value) -> Option<(&str, Self)> {
        let name = volume.get("name")?.as_str()?;
        let sources = volume.get("projected").map(|projected| list(projected, "sources")).unwrap_or_default();
        let token = sources.iter().find_map(|source| source.get("serviceAccountToken"));
        let volume = token.map_or(Self::Other, |token| Self::Token {
            audience: token.get("audience").and_then(Value::as_str).map(str::to_owned),
            lifetime: token.get("expirationSeconds").and_then(Value::as_u64).map(Duration::from_secs),
            path: token.get("path").and_then(Value::as_str).map(str::to_owned),
        });
        Some((name, volume))
    }

    /// Whether it is not what the webhook makes, if the account is known. Newer versions of the webhook compare
    /// the audience and the file.
    fn is_foreign(&self, account: Option<&ServiceAccountManifest>) -> bool {
        let Self::Token { audience, path, .. } = self else { return true };
        let Some(audience) = audience.as_deref() else { return true };
        let is_other = |account: &ServiceAccountManifest| {
            audience != account.audience.as_deref().unwrap_or(USUAL_AUDIENCE)
        };
        path.as_deref() != Some(TOKEN_PATH) || account.is_some_and(is_other)
    }

    fn is_for(&self, wanted: &str) -> bool {
        matches!(self, Self::Token { audience: Some(audience), .. } if audience == wanted)
    }
}

/// What came of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injected {
    /// It has both variables.
    Both,
    /// It has one of them.
    Half,
    /// It has the variable of Pod Identity instead.
    PodIdentity(&'static str),
    /// It has none.
    Nothing,
}

impl Container {
    fn read(container: &Value, kind: ContainerKind) -> Option<Self> {
        let name = container.get("name")?.as_str()?.to_owned();
        let known =
            || [ROLE_ARN, TOKEN_FILE, STS_ENDPOINTS].into_iter().chain(REGIONS).chain(CONTAINER_CREDENTIALS);
        let variable = |variable: &Value| {
            let name = variable.get("name")?.as_str()?;
            let is_reference = variable.get("valueFrom").is_some();
            let value = variable.get("value").and_then(Value::as_str).unwrap_or_default();
            known()
                .any(|known| known == name)
                .then(|| (name.to_owned(), (!is_reference).then(|| value.to_owned())))
        };
        let mounts = || {
            let mounts = list(container, "volumeMounts").iter();
            mounts.filter_map(|mount| Some((mount.get("name")?.as_str()?, mount.get("mountPath")?.as_str()?)))
        };
        Some(Self {
            name,
            kind,
            env: list(container, "env").iter().filter_map(variable).collect(),
            mounted_at: mounts().find(|(name, _)| *name == VOLUME).map(|(_, path)| path.to_owned()),
            mounts: mounts().map(|(name, path)| (name.to_owned(), path.to_owned())).collect(),
            has_env_from: !list(container, "envFrom").is_empty(),
        })
    }

    fn has(&self, variable: &str) -> bool {
        self.env.contains_key(variable)
    }

    /// The value of a variable that the pod spec itself holds, if it does not depend on others.
    fn value(&self, variable: &str) -> Option<&str> {
        self.env.get(variable)?.as_deref().filter(|value| !value.contains("$("))
    }

    /// Where the token is said to be, if that is known and nothing is mounted there.
    fn token_file_without_mount(&self) -> Option<&str> {
        let file = self.value(TOKEN_FILE)?;
        let is_absolute = file.starts_with('/') || file.get(1..2) == Some(":");
        (is_absolute && !self.mounts.iter().any(|(_, mount)| is_below(file, mount))).then_some(file)
    }

    /// Whether it may have an identity by hand: a token for STS, and variables of unknown names.
    fn may_be_made_by_hand(&self, pod: &PodManifest) -> bool {
        self.has_env_from && self.mounts.iter().any(|(name, _)| pod.sts_tokens.contains(name))
    }

    /// The role that it was given, if the pod spec itself says so.
    #[must_use]
    pub fn role_arn(&self) -> Option<&str> {
        self.value(ROLE_ARN)
    }

    /// What came of it.
    #[must_use]
    pub fn injected(&self) -> Injected {
        match (self.has(ROLE_ARN), self.has(TOKEN_FILE)) {
            (true, true) => Injected::Both,
            (false, false) => {
                let other = CONTAINER_CREDENTIALS.into_iter().find(|variable| self.has(variable));
                other.map_or(Injected::Nothing, Injected::PodIdentity)
            }
            _ => Injected::Half,
        }
    }

    /// What kept the webhook from something, as far as the pod that came of it shows it. A container that has
    /// all that it needs may have been left out, too.
    #[must_use]
    pub fn suppressed(
        &self,
        pod: &PodManifest,
        account: Option<&ServiceAccountManifest>,
    ) -> Vec<SuppressionCause> {
        let mut found = Vec::new();
        let injected = self.injected();
        let has_variables = matches!(injected, Injected::Both | Injected::Half);
        let is_left_out = if self.kind == ContainerKind::Ephemeral {
            Some(SuppressionCause::Ephemeral)
        } else if pod.skips_webhook {
            Some(SuppressionCause::SkipWebhook)
        } else if pod.skip_containers.contains(&self.name) {
            Some(SuppressionCause::SkipContainers)
        } else {
            None
        };
        let is_seen = is_left_out.is_none();
        found.extend(is_left_out);
        if injected == Injected::Half && is_seen {
            let preset = if self.has(ROLE_ARN) { ROLE_ARN } else { TOKEN_FILE };
            found.push(SuppressionCause::EnvPreset(preset));
        }
        let regions: Vec<&'static str> = REGIONS.into_iter().filter(|region| self.has(region)).collect();
        if has_variables && is_seen {
            match regions.as_slice() {
                [one] => found.push(SuppressionCause::RegionPreset(one)),
                // The webhook adds none that is empty.
                [one, ..] if regions.iter().all(|region| self.value(region) == Some("")) => {
                    found.push(SuppressionCause::RegionPreset(one));
                }
                _ => {}
            }
        }
        match (self.token_file_without_mount().map(str::to_owned), &self.mounted_at) {
            (Some(token_file), Some(mounted_at)) if injected == Injected::Both => {
                found.push(SuppressionCause::MountElsewhere { mounted_at: mounted_at.clone(), token_file });
            }
            (Some(token_file), None)
                if injected == Injected::Both
                    && is_seen
                    && !regions.is_empty()
                    && self.has(STS_ENDPOINTS) =>
            {
                found.push(SuppressionCause::LeftAlone(token_file));
            }
            _ => {}
        }
        let relies_on_volume = || {
            let file = self.value(TOKEN_FILE);
            let mounted_at = self.mounted_at.as_deref();
            file.zip(mounted_at).is_some_and(|(file, mounted_at)| is_below(file, mounted_at))
        };
        match (&pod.volume, injected) {
            (Some(TokenVolume::Other), Injected::Both) if relies_on_volume() => {
                found.push(SuppressionCause::VolumeMounted);
            }
            (Some(volume), Injected::Nothing) if is_seen && volume.is_foreign(account) => {
                found.push(SuppressionCause::VolumePreset);
            }
            _ => {}
        }
        found
    }
}

/// What a pod and its service account show by themselves.
#[derive(Debug, Default)]
pub struct PodJudgment {
    /// Why the pod cannot have its role, the gravest first.
    pub failures: Vec<Diagnosis>,
    /// What is only odd.
    pub warnings: Vec<Diagnosis>,
}

impl PodJudgment {
    fn fail(&mut self, diagnosis: impl Into<Diagnosis>) {
        note(&mut self.failures, diagnosis.into());
    }

    fn warn(&mut self, diagnosis: impl Into<Diagnosis>) {
        note(&mut self.warnings, diagnosis.into());
    }
}

/// Adds what is not there yet. Of what holds for one container after the other, the first is told; only what
/// the pod spec itself did may be another thing in each.
fn note(found: &mut Vec<Diagnosis>, diagnosis: Diagnosis) {
    if let Diagnosis::InjectionSuppressed(new) = &diagnosis {
        let same = found.iter_mut().find_map(|known| match known {
            Diagnosis::InjectionSuppressed(known) => (known.by == new.by).then_some(known),
            _ => None,
        });
        if let Some(same) = same {
            same.containers.extend(new.containers.iter().cloned());
            return;
        }
    } else if found.iter().any(|known| known.name() == diagnosis.name()) {
        return;
    }
    found.push(diagnosis);
}

impl PodManifest {
    /// The containers that are meant: the one of a name, or else all that the webhook should have changed.
    pub fn meant<'a>(&'a self, container: Option<&'a str>) -> impl Iterator<Item = &'a Container> {
        self.containers.iter().filter(move |found| match container {
            Some(name) => found.name == name,
            None => found.kind != ContainerKind::Ephemeral && !self.skip_containers.contains(&found.name),
        })
    }

    /// The names of its containers of every kind, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.containers.iter().map(|container| container.name.as_str())
    }

    /// Whether it has a container of that name.
    #[must_use]
    pub fn has_container(&self, name: &str) -> bool {
        self.names().any(|found| found == name)
    }

    /// Whether the webhook changed it, by what one of its containers has.
    fn looks_injected(&self) -> bool {
        self.containers.iter().any(|of| of.injected() == Injected::Both && of.mounted_at.is_some())
    }

    /// What the pod and its service account show by themselves; of the container of a name, or else of all.
    ///
    /// Of all, what is left out by name, or was added to a pod that has its identity, is nobody's concern.
    #[must_use]
    pub fn judge(&self, account: Option<&ServiceAccountManifest>, container: Option<&str>) -> PodJudgment {
        // Another account's annotation says nothing of this pod.
        let account = account.filter(|account| account.service_account == self.service_account);
        let mut judged = PodJudgment::default();
        for meant in self.meant(container) {
            self.judge_variables(meant, account, &mut judged);
            self.judge_injection(meant, account, container.is_some(), &mut judged);
        }
        let annotated = account.and_then(|account| account.account.role_arn.as_deref());
        if let Some((text, Err(fault))) = annotated.map(|text| (text, arn::parse(text))) {
            let malformed = RoleArnMalformed { text: text.to_owned(), fault };
            // What the pod was given already does not depend on the annotation any more.
            if judged.failures.is_empty() {
                judged.warn(malformed);
            } else {
                judged.fail(malformed);
            }
        }
        judged
    }

    /// What the values of the two variables show.
    fn judge_variables(
        &self,
        of: &Container,
        account: Option<&ServiceAccountManifest>,
        judged: &mut PodJudgment,
    ) {
        match of.role_arn() {
            None => {}
            Some("") => judged.fail(RoleArnVarEmpty),
            Some(text) => {
                if let Err(fault) = arn::parse(text) {
                    judged.fail(RoleArnMalformed { text: text.to_owned(), fault });
                }
                let differs =
                    |account: &&ServiceAccountManifest| account.account.role_arn.as_deref() != Some(text);
                if let Some(ServiceAccountManifest { account, .. }) = account.filter(differs) {
                    let (account, role_arn) = (account.clone(), text.to_owned());
                    judged.warn(AnnotationDiffersFromEnv { of: self.of(), account, role_arn });
                }
            }
        }
        if of.value(TOKEN_FILE) == Some("") {
            judged.fail(TokenFileVarEmpty);
        }
    }

    /// What was injected into a container, and why no more.
    fn judge_injection(
        &self,
        meant: &Container,
        account: Option<&ServiceAccountManifest>,
        is_asked_for: bool,
        judged: &mut PodJudgment,
    ) {
        let suppressed = |by| InjectionSuppressed { of: self.of(), containers: vec![meant.name.clone()], by };
        let mut found = meant.suppressed(self, account);
        match meant.injected() {
            // The other one may be among those whose names are not known.
            Injected::Half if meant.has_env_from => return,
            Injected::Half if meant.has(ROLE_ARN) => judged.fail(TokenFileVarMissing),
            Injected::Half => judged.fail(RoleArnVarMissing),
            Injected::PodIdentity(variable) => {
                judged.fail(PodIdentityOnly { variable });
                return;
            }
            Injected::Nothing if meant.may_be_made_by_hand(self) => return,
            Injected::Nothing if self.looks_injected() && !is_asked_for => return,
            Injected::Nothing if self.looks_injected() && found.is_empty() => {
                judged.fail(suppressed(SuppressionCause::AddedLater));
            }
            Injected::Nothing if found.is_empty() => self.not_injected(account, judged),
            Injected::Nothing => {}
            // Whoever left it out gave it an identity by hand, or nothing is known of that.
            Injected::Both => found.retain(|by| !by.is_left_out()),
        }
        for by in found {
            match &by {
                SuppressionCause::RegionPreset(variable) => {
                    // A region that the pod spec names is a region.
                    if meant.value(variable) == Some("") {
                        judged.warn(suppressed(by));
                    }
                }
                SuppressionCause::VolumeMounted => judged.warn(suppressed(by)),
                SuppressionCause::VolumePreset => {
                    // Not every version of the webhook minds the volume.
                    self.of_account(account, judged);
                    judged.fail(suppressed(by));
                }
                SuppressionCause::SkipWebhook
                | SuppressionCause::SkipContainers
                | SuppressionCause::EnvPreset(_)
                | SuppressionCause::LeftAlone(_) => {
                    judged.fail(suppressed(by));
                    self.not_annotated(account, judged);
                }
                _ => judged.fail(suppressed(by)),
            }
        }
    }

    fn of(&self) -> InjectionTarget {
        InjectionTarget { service_account: self.service_account.clone(), pod: self.name.clone() }
    }

    /// Why nothing was injected, if the pod itself does not say so.
    fn not_injected(&self, account: Option<&ServiceAccountManifest>, judged: &mut PodJudgment) {
        let Some(ServiceAccountManifest { account: of_account, .. }) = account else {
            let service_account = Some(self.service_account.clone());
            judged.fail(NotInjected { service_account, pod: self.name.clone(), unread: None });
            return;
        };
        if !self.of_account(account, judged) {
            let (account, volume_made) = (of_account.clone(), self.started_at.or(self.created_at));
            judged.fail(WebhookMissed { of: self.of(), account, volume_made });
        }
    }

    /// Whether the service account alone explains that nothing was injected.
    fn of_account(&self, account: Option<&ServiceAccountManifest>, judged: &mut PodJudgment) -> bool {
        if self.not_annotated(account, judged) {
            return true;
        }
        let Some(ServiceAccountManifest { account, .. }) = account else { return false };
        // The webhook saw the pod when it was created, and its kubelet began a little later.
        let newer_than = |time: SystemTime| {
            let created = account.created_at.filter(|created| *created > time).map(AnnotationAge::Account);
            let annotated =
                account.annotated_by.filter(|annotated| *annotated > time).map(AnnotationAge::Annotation);
            Some((created.or(annotated)?, time))
        };
        let newer = self.started_at.and_then(newer_than).or_else(|| self.created_at.and_then(newer_than));
        if let Some((newer, volume_made)) = newer {
            judged.fail(AnnotatedAfterPod { of: self.of(), account: account.clone(), newer, volume_made });
        }
        newer.is_some()
    }

    /// Whether the service account names no role; and says so.
    fn not_annotated(&self, account: Option<&ServiceAccountManifest>, judged: &mut PodJudgment) -> bool {
        let Some(account) = account.filter(|account| account.account.role_arn.is_none()) else {
            return false;
        };
        let of_account = account.others.iter().map(|other| (AnnotationOf::Account, other));
        let of_pod = self.annotations.iter().map(|other| (AnnotationOf::Pod, other));
        // The likeliest slip is in a name of the webhook's own.
        let likeliest = of_account.chain(of_pod).min_by_key(|(_, (key, _))| !key.starts_with(DOMAIN));
        match likeliest {
            Some((at, (key, role_arn))) => judged.fail(RoleAnnotationMisplaced {
                of: self.of(),
                at,
                key: key.clone(),
                role_arn: role_arn.trim().to_owned(),
            }),
            None => {
                judged.fail(ServiceAccountNotAnnotated { of: self.of(), account: account.account.clone() })
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{
        ContainerKind, Injected, PodManifest, SuppressionCause, TokenVolume, read_account, read_pod,
    };
    use crate::audit::inputs::printed::BadDocument;
    use crate::diagnosis::Diagnosis;
    use crate::text::utc;
    use serde_json::{Value, json};
    use std::time::Duration;

    const INJECTED: &str = include_str!("../../../tests/recorded/pod-injected.json");
    const NOT_INJECTED: &str = include_str!("../../../tests/recorded/pod-not-injected.json");
    const ANNOTATED: &str = include_str!("../../../tests/recorded/sa-checkout.json");
    const BARE: &str = include_str!("../../../tests/recorded/sa-bare.json");

    /// Where the webhook mounts the token.
    const MOUNT_PATH: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount";

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn pod(value: &Value) -> PodManifest {
        read_pod(value.to_string().as_bytes()).unwrap()
    }

    /// The injected pod with other variables in its container.
    fn with_env(env: &[(&str, &str)], mount: Option<&str>) -> Value {
        let mut pod = value(INJECTED);
        let container = &mut pod["spec"]["containers"][0];
        container["env"] = env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        container["volumeMounts"] =
            mount.map(|path| json!({"name": "aws-iam-token", "mountPath": path})).into_iter().collect();
        pod
    }

    fn word(found: &[Diagnosis]) -> Vec<String> {
        let word = |found: &Diagnosis| match found {
            Diagnosis::InjectionSuppressed(found) => format!("{:?}", found.by),
            found => found.name().as_str().to_owned(),
        };
        found.iter().map(word).collect()
    }

    /// What is found of a container, or of all: first the failures, then the warnings after a bar.
    fn found_of(pod: &Value, account: &Value, container: Option<&str>) -> String {
        let account = (!account.is_null()).then(|| read_account(account.to_string().as_bytes()).unwrap());
        let judged = self::pod(pod).judge(account.as_ref(), container);
        let (failures, warnings) = (word(&judged.failures).join(" "), word(&judged.warnings).join(" "));
        format!("{failures} | {warnings}").trim_matches(' ').to_owned()
    }

    fn found(pod: &Value, account: &Value) -> String {
        found_of(pod, account, Some("app"))
    }

    #[test]
    fn recorded_pods() {
        let injected = pod(&value(INJECTED));
        assert_eq!(injected.name.as_deref(), Some("checkout-6d5f9c7b8-abcde"));
        assert_eq!(injected.service_account.namespace, "payments");
        assert_eq!(injected.service_account.name, "checkout");
        assert_eq!(injected.created_at.map(utc).as_deref(), Some("2026-11-23T18:04:49Z"));
        let (lifetime, path) = (Some(Duration::from_secs(86_400)), Some("token".to_owned()));
        let audience = Some("sts.amazonaws.com".to_owned());
        assert_eq!(injected.volume, Some(TokenVolume::Token { audience, lifetime, path }));
        let kinds = injected.containers.iter().map(|container| (container.name.as_str(), container.kind));
        let expected = [("creds-check", ContainerKind::Init), ("app", ContainerKind::Main)];
        assert_eq!(kinds.collect::<Vec<_>>(), expected);
        for container in &injected.containers {
            assert_eq!(container.injected(), Injected::Both);
            assert_eq!(container.role_arn(), Some("arn:aws:iam::111122223333:role/payments-checkout"));
            assert_eq!(container.suppressed(&injected, None), []);
        }
        let bare = pod(&value(NOT_INJECTED));
        assert_eq!((bare.volume.as_ref(), bare.containers[0].injected()), (None, Injected::Nothing));
        assert_eq!(bare.containers[0].suppressed(&bare, None), []);
    }

    #[test]
    fn what_kept_the_webhook_from_something() {
        const ROLE: (&str, &str) = ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/a");
        const FILE: (&str, &str) =
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/secrets/eks.amazonaws.com/serviceaccount/token");
        let left_alone = || SuppressionCause::LeftAlone(FILE.1.to_owned());
        let mounted_at = |path: &str| SuppressionCause::MountElsewhere {
            mounted_at: path.to_owned(),
            token_file: FILE.1.to_owned(),
        };
        const ONE: (&str, &str) = ("AWS_REGION", "eu-west-1");
        const OTHER: (&str, &str) = ("AWS_DEFAULT_REGION", "eu-west-1");
        const STS: (&str, &str) = ("AWS_STS_REGIONAL_ENDPOINTS", "regional");
        let usual = Some(MOUNT_PATH);
        for (env, mount, expected) in [
            (&[ROLE, FILE, ONE, OTHER][..], usual, vec![]),
            (&[ROLE, FILE], usual, vec![]),
            (&[ROLE, ONE, OTHER], usual, vec![SuppressionCause::EnvPreset("AWS_ROLE_ARN")]),
            (&[FILE], usual, vec![SuppressionCause::EnvPreset("AWS_WEB_IDENTITY_TOKEN_FILE")]),
            (&[ROLE, FILE, ONE], usual, vec![SuppressionCause::RegionPreset("AWS_REGION")]),
            (&[ROLE, FILE, OTHER], usual, vec![SuppressionCause::RegionPreset("AWS_DEFAULT_REGION")]),
            (&[ONE], None, vec![]),
            (&[ROLE, FILE, ONE, OTHER, STS], None, vec![left_alone()]),
            (&[ROLE, FILE, ONE, STS], None, vec![SuppressionCause::RegionPreset("AWS_REGION"), left_alone()]),
            // The webhook would have mounted it, so it has not seen the pod: nothing kept it from that.
            (&[ROLE, FILE, STS], None, vec![]),
            (&[ROLE, FILE, ONE, OTHER], None, vec![]),
            (&[ROLE, FILE, ONE, OTHER, STS], Some("/t"), vec![mounted_at("/t")]),
            (&[ROLE, FILE], Some("/var/run/secrets/eks"), vec![mounted_at("/var/run/secrets/eks")]),
            // However the place is written, the token is there.
            (&[ROLE, FILE], Some("/run/secrets/eks.amazonaws.com/serviceaccount/"), vec![]),
            (&[ROLE, FILE], Some(FILE.1), vec![]),
            (
                &[ROLE, ("AWS_WEB_IDENTITY_TOKEN_FILE", "C:\\var\\run\\secrets\\x\\token")],
                Some("/var/run/secrets/x"),
                vec![],
            ),
            // Where it is cannot be known.
            (&[ROLE, ("AWS_WEB_IDENTITY_TOKEN_FILE", "$(PLACE)/token")], Some("/t"), vec![]),
            (&[ROLE, ("AWS_WEB_IDENTITY_TOKEN_FILE", "token")], Some("/t"), vec![]),
        ] {
            let pod = pod(&with_env(env, mount));
            assert_eq!(pod.containers[1].suppressed(&pod, None), expected, "{env:?} {mount:?}");
        }
        let of = |change: fn(&mut Value)| {
            let mut pod = value(NOT_INJECTED);
            change(&mut pod);
            let pod = self::pod(&pod);
            pod.containers.last().map(|container| container.suppressed(&pod, None)).unwrap()
        };
        let skip = |names: &'static str| {
            let mut pod = value(INJECTED);
            pod["metadata"]["annotations"]["eks.amazonaws.com/skip-containers"] = json!(names);
            let pod = self::pod(&pod);
            pod.containers[1].suppressed(&pod, None) == [SuppressionCause::SkipContainers]
        };
        for (names, is) in [
            ("app", true),
            ("creds-check,app", true),
            ("\"creds-check\",\"app\"", true),
            ("creds-check, app", false),
            ("creds-check\napp", false),
            ("\napp", true),
            ("cre\"ds,app", false),
            ("\"app", false),
            ("", false),
            ("App", false),
        ] {
            assert_eq!(skip(names), is, "{names:?}");
        }
        let skipped = of(|pod| {
            pod["metadata"]["labels"] = json!({"eks.amazonaws.com/skip-pod-identity-webhook": "false"});
        });
        assert_eq!(skipped, [SuppressionCause::SkipWebhook]);
        let ephemeral = of(|pod| pod["spec"]["ephemeralContainers"] = json!([{"name": "debug"}]));
        assert_eq!(ephemeral, [SuppressionCause::Ephemeral]);
        let preset = of(|pod| {
            pod["spec"]["volumes"] = json!([{"name": "aws-iam-token", "emptyDir": {}}]);
        });
        assert_eq!(preset, [SuppressionCause::VolumePreset]);
    }

    #[test]
    fn what_they_show_by_themselves() {
        let role = "arn:aws:iam::111122223333:role/payments-checkout";
        let mut account = value(ANNOTATED);
        account["metadata"]["name"] = json!("bare");
        let annotated_at = |time: &str| {
            let mut account = account.clone();
            account["metadata"]["managedFields"] = json!([{"time": time, "fieldsV1":
                {"f:metadata": {"f:annotations": {"f:eks.amazonaws.com/role-arn": {}}}}}]);
            account
        };
        let with_role = |role: &str| {
            let mut account = value(ANNOTATED);
            account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] = json!(role);
            account
        };
        let env = |env: &[(&str, &str)]| with_env(env, Some(MOUNT_PATH));
        let (injected, bare) = (value(INJECTED), value(NOT_INJECTED));
        for (pod, account, expected) in [
            (&injected, value(ANNOTATED), "|"),
            (&injected, Value::Null, "|"),
            (&injected, value(BARE), "|"),
            (&injected, with_role("arn:aws:iam::111122223333:role/b"), "| AnnotationDiffersFromEnv"),
            (&injected, with_role(""), "| AnnotationDiffersFromEnv"),
            (&injected, with_role("arn:aws:iam::1:role/b"), "| AnnotationDiffersFromEnv RoleArnMalformed"),
            (&bare, Value::Null, "NotInjected |"),
            (&bare, value(ANNOTATED), "NotInjected |"),
            (&bare, value(BARE), "ServiceAccountNotAnnotated |"),
            (&bare, account.clone(), "WebhookMissed |"),
            (&bare, annotated_at("2026-11-23T18:00:00Z"), "WebhookMissed |"),
            (&bare, annotated_at("2026-11-23T19:00:00Z"), "AnnotatedAfterPod |"),
            (
                &env(&[("AWS_ROLE_ARN", role)]),
                Value::Null,
                "TokenFileVarMissing EnvPreset(\"AWS_ROLE_ARN\") |",
            ),
            (
                &env(&[("AWS_ROLE_ARN", "a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", MOUNT_PATH)]),
                with_role("a"),
                "RoleArnMalformed |",
            ),
            (
                &env(&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")]),
                Value::Null,
                "RoleArnVarMissing EnvPreset(\"AWS_WEB_IDENTITY_TOKEN_FILE\") |",
            ),
            (
                &env(&[("AWS_ROLE_ARN", ""), ("AWS_WEB_IDENTITY_TOKEN_FILE", "")]),
                Value::Null,
                "RoleArnVarEmpty TokenFileVarEmpty |",
            ),
            (
                &env(&[("AWS_ROLE_ARN", "a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", MOUNT_PATH)]),
                Value::Null,
                "RoleArnMalformed |",
            ),
            (
                &env(&[
                    ("AWS_ROLE_ARN", "arn:aws:iam::$(ID):role/a"),
                    ("AWS_WEB_IDENTITY_TOKEN_FILE", MOUNT_PATH),
                ]),
                value(ANNOTATED),
                "|",
            ),
            (
                &env(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials")]),
                value(ANNOTATED),
                "PodIdentityOnly |",
            ),
        ] {
            assert_eq!(found(pod, &account), expected, "{account}");
        }
    }

    /// The pod that nothing was injected into, changed, and its service account, annotated or not.
    fn left_out(change: impl FnOnce(&mut Value), annotations: Value) -> (Value, Value) {
        let (mut pod, mut account) = (value(NOT_INJECTED), value(BARE));
        change(&mut pod);
        account["metadata"]["annotations"] = annotations;
        (pod, account)
    }

    fn role_at(key: &str) -> Value {
        json!({key: "arn:aws:iam::111122223333:role/payments-checkout"})
    }

    #[test]
    fn what_the_pod_itself_says_goes_before_what_the_account_says() {
        let label = |pod: &mut Value| {
            pod["metadata"]["labels"] = json!({"eks.amazonaws.com/skip-pod-identity-webhook": ""});
        };
        let half = |pod: &mut Value| {
            let role = "arn:aws:iam::111122223333:role/payments-checkout";
            pod["spec"]["containers"][0]["env"] = json!([{"name": "AWS_ROLE_ARN", "value": role}]);
        };
        let names = |pod: &mut Value| {
            pod["metadata"]["annotations"] = json!({"eks.amazonaws.com/skip-containers": "app"});
        };
        let volume = |volume: Value| {
            move |pod: &mut Value| {
                let mut volume = volume.clone();
                volume["name"] = json!("aws-iam-token");
                pod["spec"]["volumes"] = json!([volume]);
            }
        };
        let token = |audience: &str, path: &str| {
            let token = json!({"audience": audience, "path": path});
            volume(json!({"projected": {"sources": [{"serviceAccountToken": token}]}}))
        };
        let right = || role_at("eks.amazonaws.com/role-arn");
        let for_vault = || {
            let mut annotations = right();
            annotations["eks.amazonaws.com/audience"] = json!("vault");
            annotations
        };
        for ((pod, account), expected) in [
            (left_out(label, right()), "SkipWebhook |"),
            (left_out(label, json!({})), "SkipWebhook ServiceAccountNotAnnotated |"),
            (left_out(label, role_at("eks.amazonaws.com/role")), "SkipWebhook RoleAnnotationMisplaced |"),
            (left_out(names, right()), "SkipContainers |"),
            (left_out(half, right()), "TokenFileVarMissing EnvPreset(\"AWS_ROLE_ARN\") |"),
            (
                left_out(half, json!({})),
                "TokenFileVarMissing EnvPreset(\"AWS_ROLE_ARN\") ServiceAccountNotAnnotated | \
                 AnnotationDiffersFromEnv",
            ),
            (left_out(names, json!({})), "SkipContainers ServiceAccountNotAnnotated |"),
            (left_out(volume(json!({"emptyDir": {}})), right()), "VolumePreset |"),
            (
                left_out(volume(json!({"emptyDir": {}})), json!({})),
                "ServiceAccountNotAnnotated VolumePreset |",
            ),
            (left_out(token("vault", "token"), right()), "VolumePreset |"),
            (left_out(token("sts.amazonaws.com", "t"), right()), "VolumePreset |"),
            // That is the webhook's own, and it would have gone on.
            (left_out(token("sts.amazonaws.com", "token"), right()), "WebhookMissed |"),
            (left_out(token("vault", "token"), for_vault()), "WebhookMissed |"),
        ] {
            assert_eq!(found(&pod, &account), expected, "{pod} {account}");
        }
        let (pod, _) = left_out(label, json!({}));
        assert_eq!(found(&pod, &Value::Null), "SkipWebhook |");
        let judged = self::pod(&pod).judge(None, None);
        let [Diagnosis::InjectionSuppressed(both)] = judged.failures.as_slice() else { panic!("{judged:?}") };
        assert_eq!(both.containers, ["creds-check", "app"]);
    }

    #[test]
    fn a_role_in_another_annotation() {
        let none = |_: &mut Value| {};
        let on_pod = |key: &'static str| move |pod: &mut Value| pod["metadata"]["annotations"] = role_at(key);
        for ((pod, account), expected) in [
            (left_out(none, role_at("eks.amazonaws.com/role_arn")), Some("eks.amazonaws.com/role_arn")),
            (left_out(none, role_at("iam.amazonaws.com/role")), Some("iam.amazonaws.com/role")),
            (left_out(none, role_at("example.com/owner")), None),
            (
                left_out(
                    none,
                    json!({"eks.amazonaws.com/role-arn": "", "eks.amazonaws.com/roleArn":
                    " arn:aws:iam::111122223333:role/payments-checkout\n"}),
                ),
                Some("eks.amazonaws.com/roleArn"),
            ),
            (left_out(none, json!({"eks.amazonaws.com/role": "payments-checkout"})), None),
            (left_out(on_pod("eks.amazonaws.com/role-arn"), json!({})), Some("eks.amazonaws.com/role-arn")),
            // The webhook's own names are likelier than others, wherever they are.
            (
                left_out(on_pod("eks.amazonaws.com/role-arn"), role_at("iam.amazonaws.com/role")),
                Some("eks.amazonaws.com/role-arn"),
            ),
        ] {
            let account = read_account(account.to_string().as_bytes()).unwrap();
            let judged = self::pod(&pod).judge(Some(&account), None);
            let [diagnosis] = judged.failures.as_slice() else { panic!("{judged:?}") };
            match (diagnosis, expected) {
                (Diagnosis::RoleAnnotationMisplaced(found), Some(key)) => {
                    assert_eq!((found.key.as_str(), found.role_arn.ends_with('t')), (key, true));
                    assert!(
                        diagnosis.remedy()[0]
                            .ends_with("-arn=arn:aws:iam::111122223333:role/payments-checkout")
                    );
                }
                (Diagnosis::ServiceAccountNotAnnotated(_), None) => {}
                other => panic!("{other:?}"),
            }
        }
        let (pod, account) =
            left_out(on_pod("eks.amazonaws.com/role-arn"), role_at("eks.amazonaws.com/role-arn"));
        assert_eq!(found(&pod, &account), "WebhookMissed |");
        // Nothing is missing where the pod was injected.
        let mut injected = value(INJECTED);
        injected["metadata"]["annotations"] = role_at("iam.amazonaws.com/role");
        assert_eq!(found(&injected, &value(ANNOTATED)), "|");
    }

    #[test]
    fn an_identity_by_hand_is_left_in_peace() {
        let pod = |change: &dyn Fn(&mut Value)| {
            let mut pod = value(INJECTED);
            change(&mut pod);
            pod
        };
        let label = |pod: &mut Value| {
            pod["metadata"]["labels"] = json!({"eks.amazonaws.com/skip-pod-identity-webhook": "true"});
        };
        let container = |pod: &mut Value, name: &str, of: Value| pod["spec"]["containers"][0][name] = of;
        let from = json!([{"configMapRef": {"name": "aws"}}]);
        let half =
            json!([{"name": "AWS_ROLE_ARN", "value": "arn:aws:iam::111122223333:role/payments-checkout"}]);
        let other_volume = |pod: &mut Value| {
            pod["spec"]["volumes"][0]["name"] = json!("my-token");
            pod["spec"]["containers"][0]["volumeMounts"][1]["name"] = json!("my-token");
            pod["spec"]["initContainers"] = json!([]);
        };
        for (pod, expected) in [
            (pod(&label), "|"),
            (
                pod(&|pod| {
                    label(pod);
                    other_volume(pod)
                }),
                "|",
            ),
            (pod(&other_volume), "|"),
            // Where the other half comes from, or both, is in a ConfigMap.
            (
                pod(&|pod| {
                    container(pod, "envFrom", from.clone());
                    container(pod, "env", half.clone())
                }),
                "|",
            ),
            (
                pod(&|pod| {
                    other_volume(pod);
                    container(pod, "envFrom", from.clone());
                    container(pod, "env", json!([]));
                }),
                "|",
            ),
            (
                pod(&|pod| pod["spec"]["volumes"][0] = json!({"name": "aws-iam-token", "emptyDir": {}})),
                "| VolumeMounted",
            ),
            (
                pod(&|pod| {
                    container(
                        pod,
                        "env",
                        json!([{"name": "AWS_REGION", "value": ""}, half[0],
                {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": format!("{MOUNT_PATH}/token")}]),
                    )
                }),
                "| RegionPreset(\"AWS_REGION\")",
            ),
        ] {
            assert_eq!(found(&pod, &value(ANNOTATED)), expected, "{pod}");
        }
    }

    #[test]
    fn which_containers_are_meant() {
        let mut half = value(INJECTED);
        half["spec"]["initContainers"][0]["env"] = json!([]);
        half["spec"]["ephemeralContainers"] = json!([{"name": "debug"}]);
        let of = |pod: &Value, container: Option<&str>| found_of(pod, &value(ANNOTATED), container);
        // Somebody else put it there afterwards, and nobody asks for it.
        assert_eq!((of(&half, None), of(&half, Some("app"))), ("|".to_owned(), "|".to_owned()));
        assert_eq!(of(&half, Some("creds-check")), "AddedLater |");
        assert_eq!(of(&half, Some("debug")), "Ephemeral |");
        half["metadata"]["annotations"]["eks.amazonaws.com/skip-containers"] = json!("creds-check");
        assert_eq!(of(&half, None), "|");
        assert_eq!(of(&half, Some("creds-check")), "SkipContainers |");
        assert_eq!(of(&half, Some("no-such")), "|");
        let pod = pod(&half);
        assert_eq!(pod.names().collect::<Vec<_>>(), ["creds-check", "app", "debug"]);
        assert!(pod.has_container("debug") && !pod.has_container("no-such"));
        // A debugging container that was given all by hand.
        half["spec"]["ephemeralContainers"][0] = half["spec"]["containers"][0].clone();
        half["spec"]["ephemeralContainers"][0]["name"] = json!("debug");
        assert_eq!(of(&half, Some("debug")), "|");
    }

    #[test]
    fn annotations_that_the_webhook_does_not_read() {
        let mut account = value(BARE);
        let role = "arn:aws:iam::111122223333:role/a";
        account["metadata"]["annotations"] = json!({"eks.amazonaws.com/role_arn": role, "other": "text",
            "eks.amazonaws.com/audience": "vault"});
        let account = read_account(account.to_string().as_bytes()).unwrap();
        assert_eq!(account.others, [("eks.amazonaws.com/role_arn".to_owned(), role.to_owned())]);
        assert_eq!(account.audience.as_deref(), Some("vault"));
        assert_eq!(account.account.role_arn, None);
        let mut pod = value(NOT_INJECTED);
        pod["metadata"]["annotations"] = json!({"eks.amazonaws.com/role-arn": role});
        assert_eq!(self::pod(&pod).annotations, [("eks.amazonaws.com/role-arn".to_owned(), role.to_owned())]);
    }

    #[test]
    fn one_of_a_list() {
        let both = json!({"kind": "List", "items": [value(INJECTED), value(ANNOTATED)]}).to_string();
        assert!(read_pod(both.as_bytes()).is_ok() && read_account(both.as_bytes()).is_ok());
        let mut without_kind = value(INJECTED);
        without_kind.as_object_mut().unwrap().remove("kind");
        let listed = json!({"kind": "PodList", "items": [without_kind]}).to_string();
        assert!(read_pod(listed.as_bytes()).is_ok());
        let two = json!({"kind": "List", "items": [value(INJECTED), value(NOT_INJECTED)]}).to_string();
        assert_eq!(read_pod(two.as_bytes()), Err(BadDocument::Several { what: "pods", count: 2 }));
        assert_eq!(read_account(two.as_bytes()), Err(BadDocument::Without("ServiceAccount")));
        for (kind, text) in [("Status", "error"), ("Deployment", "made"), ("Node", "another kind")] {
            let error = read_pod(json!({"kind": kind}).to_string().as_bytes()).unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
        for text in ["[]", "1", "{}", "{\"kind\": 1}", "{\"kind\": \"Pod\"}", "kind: Pod", ""] {
            assert!(read_pod(text.as_bytes()).is_err() && read_account(text.as_bytes()).is_err(), "{text}");
        }
    }
}
