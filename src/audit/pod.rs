//! A pod and its service account as `kubectl get -o json` prints them: what was injected, and what kept the
//! webhook from it.
//!
//! Source of what the webhook does: amazon-eks-pod-identity-webhook, `pkg/handler/handler.go`. It changes the
//! init containers and the containers of a pod when that is created, and never again. Of each it adds
//! `AWS_ROLE_ARN` and `AWS_WEB_IDENTITY_TOKEN_FILE` if neither is there, `AWS_REGION` and
//! `AWS_DEFAULT_REGION` if neither is there, and the mount of a volume of a fixed name if that is not there.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::printed::{self, Unusable};
use super::report::time;
use crate::aws::arn;
use crate::checks::web_identity::{CONTAINER_CREDENTIALS, ROLE_ARN, TOKEN_FILE};
use crate::diagnosis::Diagnosis;
use crate::diagnosis::identity::{
    NotInjected, PodIdentityOnly, RoleArnVarEmpty, RoleArnVarMissing, TokenFileVarEmpty, TokenFileVarMissing,
};
use crate::diagnosis::injection::{
    AnnotatedAfterPod, AnnotationDiffersFromEnv, Injection, Newer, ServiceAccountNotAnnotated, WebhookMissed,
};
use crate::diagnosis::role_arn::RoleArnMalformed;
use crate::kubernetes::service_account::{Account, ROLE_ANNOTATION};
use crate::token::ServiceAccount;

/// The volume that the webhook adds.
const VOLUME: &str = "aws-iam-token";
/// Where it mounts it.
const MOUNT_PATH: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount";
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
pub struct GivenPod {
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
    /// The containers that its annotation leaves out.
    pub skip_containers: Vec<String>,
    /// Whether its label leaves it out.
    pub skips_webhook: bool,
    /// Its own annotations that name a role: none is read, since the service account's is.
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
    },
    /// It is of another kind, so somebody else made it.
    Other,
}

/// A service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenAccount {
    /// Which one it is.
    pub service_account: ServiceAccount,
    /// Its annotation, and ages.
    pub account: Account,
    /// The audience that it asks for.
    pub audience: Option<String>,
    /// Its annotations of other names that hold a role: the webhook does not read them.
    pub others: Vec<(String, String)>,
}

/// Reads a pod.
///
/// # Errors
/// If it is none, or several.
pub fn read_pod(bytes: &[u8]) -> Result<GivenPod, Unusable> {
    let value = printed::json(&printed::text(bytes)?)?;
    let pod = pick(&value, "Pod", "pods")?;
    let spec = pod.get("spec").ok_or(Unusable::Without("spec"))?;
    let metadata = pod.get("metadata").ok_or(Unusable::Without("metadata"))?;
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
    let skipped = annotations.iter().find(|(name, _)| *name == SKIP_CONTAINERS);
    Ok(GivenPod {
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
        volume: list(spec, "volumes").iter().find_map(TokenVolume::read),
        skip_containers: skipped.map(|(_, names)| csv(names)).unwrap_or_default(),
        skips_webhook: texts(metadata, "labels").iter().any(|(name, _)| *name == SKIP_WEBHOOK),
        annotations: roles_among(&annotations, |_| true),
    })
}

/// Reads a service account.
///
/// # Errors
/// If it is none, or several.
pub fn read_account(bytes: &[u8]) -> Result<GivenAccount, Unusable> {
    let value = printed::json(&printed::text(bytes)?)?;
    let account = pick(&value, "ServiceAccount", "service accounts")?;
    let mut object = account.as_object().cloned().unwrap_or_default();
    object.insert("kind".to_owned(), "ServiceAccount".into());
    let object = Value::Object(object).to_string();
    let read = Account::parse(object.as_bytes()).ok_or(Unusable::Without("metadata"))?;
    let metadata = account.get("metadata").ok_or(Unusable::Without("metadata"))?;
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).map(str::to_owned);
    let annotations = texts(metadata, "annotations");
    let audience = annotations.iter().find(|(name, _)| *name == AUDIENCE_ANNOTATION);
    Ok(GivenAccount {
        service_account: ServiceAccount {
            namespace: text("namespace").unwrap_or_else(|| "default".to_owned()),
            name: text("name").ok_or(Unusable::Without("metadata.name"))?,
        },
        account: read,
        audience: audience.map(|(_, audience)| (*audience).to_owned()),
        others: roles_among(&annotations, |name| name != ROLE_ANNOTATION),
    })
}

/// The object of a kind: it itself, or the only one in a list.
fn pick<'a>(value: &'a Value, kind: &'static str, plural: &'static str) -> Result<&'a Value, Unusable> {
    match kind_of(value) {
        Some(found) if found == kind => Ok(value),
        Some(found) if found.ends_with("List") => {
            // What the API itself lists has no kind of its own.
            let is_of_kind = |item: &&Value| {
                kind_of(item).map_or(found.strip_suffix("List") == Some(kind), |of| of == kind)
            };
            let items: Vec<&Value> = list(value, "items").iter().filter(is_of_kind).collect();
            match items.as_slice() {
                [] => Err(Unusable::Without(kind)),
                [item] => Ok(item),
                several => Err(Unusable::Several { what: plural, count: several.len() }),
            }
        }
        Some("Status") => Err(Unusable::Another("an error of the Kubernetes API")),
        Some("Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob") => {
            Err(Unusable::Another("what makes pods, and not one of them: give a pod that it made"))
        }
        Some(_) => Err(Unusable::Another("an object of Kubernetes of another kind")),
        None => Err(Unusable::Another("no object of Kubernetes, as kubectl get -o json prints them")),
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

/// Those annotations of certain names whose value is a role.
fn roles_among(annotations: &[(&str, &str)], name: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let is_role = |value: &str| value.trim().starts_with("arn:") && value.contains(":role");
    let found = annotations.iter().filter(|(key, value)| name(key) && is_role(value));
    found.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The fields of the first line of CSV, as far as names of containers need it. White space belongs to a field.
fn csv(text: &str) -> Vec<String> {
    let line = text.lines().next().unwrap_or_default();
    let bare = |field: &str| {
        let quoted = field.strip_prefix('"').and_then(|field| field.strip_suffix('"'));
        quoted.unwrap_or(field).to_owned()
    };
    line.split(',').map(bare).filter(|field| !field.is_empty()).collect()
}

impl TokenVolume {
    fn read(volume: &Value) -> Option<Self> {
        if volume.get("name")?.as_str()? != VOLUME {
            return None;
        }
        let sources = volume.get("projected").map(|projected| list(projected, "sources")).unwrap_or_default();
        let token = sources.iter().find_map(|source| source.get("serviceAccountToken"));
        Some(token.map_or(Self::Other, |token| Self::Token {
            audience: token.get("audience").and_then(Value::as_str).map(str::to_owned),
            lifetime: token.get("expirationSeconds").and_then(Value::as_u64).map(Duration::from_secs),
        }))
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

/// What kept the webhook from something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suppressed {
    /// The container is ephemeral, which the webhook never sees.
    Ephemeral,
    /// The pod's label leaves it out.
    SkipWebhook,
    /// The pod's annotation leaves the container out.
    SkipContainers,
    /// The pod spec sets this one of the two variables itself, so the other was not added.
    EnvPreset(&'static str),
    /// The pod spec sets this one of the two variables of the region itself, so the other was not added.
    RegionPreset(&'static str),
    /// The variables are there, and the token's volume is not mounted: the pod spec sets all of them, a region
    /// and the kind of endpoint, and such a container is left wholly alone.
    LeftAlone,
    /// The volume of the token is mounted elsewhere by the pod spec itself, here.
    MountPreset(String),
    /// A volume of that name was there already, and holds no token.
    VolumePreset,
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
        let mount = |mount: &Value| {
            let is_it = mount.get("name").and_then(Value::as_str) == Some(VOLUME);
            is_it.then(|| mount.get("mountPath")?.as_str().map(str::to_owned)).flatten()
        };
        Some(Self {
            name,
            kind,
            env: list(container, "env").iter().filter_map(variable).collect(),
            mounted_at: list(container, "volumeMounts").iter().find_map(mount),
        })
    }

    fn has(&self, variable: &str) -> bool {
        self.env.contains_key(variable)
    }

    /// The value of a variable that the pod spec itself holds.
    fn value(&self, variable: &str) -> Option<&str> {
        self.env.get(variable)?.as_deref()
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

    /// What kept the webhook from something, as far as the pod that came of it shows it.
    #[must_use]
    pub fn suppressed(&self, pod: &GivenPod) -> Vec<Suppressed> {
        let mut found = Vec::new();
        let injected = self.injected();
        if self.kind == ContainerKind::Ephemeral {
            found.push(Suppressed::Ephemeral);
        } else if pod.skips_webhook {
            found.push(Suppressed::SkipWebhook);
        } else if pod.skip_containers.contains(&self.name) {
            found.push(Suppressed::SkipContainers);
        }
        let only = |[one, other]: [&'static str; 2]| match (self.has(one), self.has(other)) {
            (true, false) => Some(one),
            (false, true) => Some(other),
            _ => None,
        };
        found.extend(only([ROLE_ARN, TOKEN_FILE]).map(Suppressed::EnvPreset));
        if injected != Injected::Nothing {
            found.extend(only(REGIONS).map(Suppressed::RegionPreset));
        }
        let is_preset = matches!(injected, Injected::Both | Injected::Half);
        let has_region = REGIONS.iter().any(|region| self.has(region));
        match &self.mounted_at {
            None if is_preset && has_region && self.has(STS_ENDPOINTS) && found.is_empty() => {
                found.push(Suppressed::LeftAlone);
            }
            Some(path) if path.trim_end_matches('/') != MOUNT_PATH => {
                found.push(Suppressed::MountPreset(path.clone()));
            }
            _ => {}
        }
        if pod.volume == Some(TokenVolume::Other) {
            found.push(Suppressed::VolumePreset);
        }
        found
    }
}

impl GivenPod {
    /// The containers that are meant: the one of a name, or else all that the webhook should have changed.
    pub fn meant<'a>(&'a self, container: Option<&'a str>) -> impl Iterator<Item = &'a Container> {
        self.containers.iter().filter(move |found| match container {
            Some(name) => found.name == name,
            None => found.kind != ContainerKind::Ephemeral && !self.skip_containers.contains(&found.name),
        })
    }

    /// What the pod and its service account show by themselves, the gravest first; of the container of a name,
    /// or else of all.
    #[must_use]
    pub fn judge(&self, account: Option<&GivenAccount>, container: Option<&str>) -> Vec<Diagnosis> {
        // Another account's annotation says nothing of this pod.
        let account = account.filter(|account| account.service_account == self.service_account);
        let of = || Injection { service_account: self.service_account.clone(), pod: self.name.clone() };
        let mut found = Vec::new();
        let mut note = |diagnosis: Diagnosis| {
            if found.iter().all(|known: &Diagnosis| known.name() != diagnosis.name()) {
                found.push(diagnosis);
            }
        };
        for container in self.meant(container) {
            match container.injected() {
                Injected::Nothing => note(self.not_injected(account)),
                Injected::PodIdentity(variable) => note(PodIdentityOnly { variable }.into()),
                Injected::Half if container.has(ROLE_ARN) => note(TokenFileVarMissing.into()),
                Injected::Half => note(RoleArnVarMissing.into()),
                Injected::Both => {}
            }
            if container.value(TOKEN_FILE) == Some("") {
                note(TokenFileVarEmpty.into());
            }
            match container.role_arn() {
                None => {}
                Some("") => note(RoleArnVarEmpty.into()),
                Some(text) => {
                    if let Err(fault) = arn::parse(text) {
                        note(RoleArnMalformed { text: text.to_owned(), fault }.into());
                    }
                    let differs = |account: &&GivenAccount| account.account.role_arn.as_deref() != Some(text);
                    if let Some(GivenAccount { account, .. }) = account.filter(differs) {
                        let (account, role_arn) = (account.clone(), text.to_owned());
                        note(AnnotationDiffersFromEnv { of: of(), account, role_arn }.into());
                    }
                }
            }
        }
        let annotated = account.and_then(|account| account.account.role_arn.as_deref());
        if let Some((text, Err(fault))) = annotated.map(|text| (text, arn::parse(text))) {
            note(RoleArnMalformed { text: text.to_owned(), fault }.into());
        }
        found
    }

    /// Why nothing was injected.
    fn not_injected(&self, account: Option<&GivenAccount>) -> Diagnosis {
        let Some(GivenAccount { account, .. }) = account else {
            let service_account = Some(self.service_account.clone());
            return NotInjected { service_account, pod: self.name.clone(), unread: None }.into();
        };
        let of = Injection { service_account: self.service_account.clone(), pod: self.name.clone() };
        let account = account.clone();
        if account.role_arn.is_none() {
            return ServiceAccountNotAnnotated { of, account }.into();
        }
        // The webhook saw the pod when it was created, and its kubelet began a little later.
        let newer_than = |time: SystemTime| {
            let created = account.created_at.filter(|created| *created > time).map(Newer::Account);
            let annotated = account.annotated_by.filter(|annotated| *annotated > time).map(Newer::Annotation);
            Some((created.or(annotated)?, time))
        };
        let newer = self.started_at.and_then(newer_than).or_else(|| self.created_at.and_then(newer_than));
        match newer {
            Some((newer, volume_made)) => AnnotatedAfterPod { of, account, newer, volume_made }.into(),
            None => WebhookMissed { of, account, volume_made: self.started_at.or(self.created_at) }.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ContainerKind, GivenPod, Injected, Suppressed, TokenVolume, read_account, read_pod};
    use crate::audit::printed::Unusable;
    use crate::shown::utc;
    use serde_json::{Value, json};
    use std::time::Duration;

    const INJECTED: &str = include_str!("../../tests/recorded/pod-injected.json");
    const NOT_INJECTED: &str = include_str!("../../tests/recorded/pod-not-injected.json");
    const ANNOTATED: &str = include_str!("../../tests/recorded/sa-checkout.json");
    const BARE: &str = include_str!("../../tests/recorded/sa-bare.json");

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn pod(value: &Value) -> GivenPod {
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

    /// The names of what is found of the ordinary container.
    fn names(pod: &Value, account: &Value) -> Vec<&'static str> {
        let account = (!account.is_null()).then(|| read_account(account.to_string().as_bytes()).unwrap());
        let found = self::pod(pod).judge(account.as_ref(), Some("app"));
        found.iter().map(|diagnosis| diagnosis.name().as_str()).collect()
    }

    #[test]
    fn recorded_pods() {
        let injected = pod(&value(INJECTED));
        assert_eq!(injected.name.as_deref(), Some("checkout-6d5f9c7b8-abcde"));
        assert_eq!(injected.service_account.namespace, "payments");
        assert_eq!(injected.service_account.name, "checkout");
        assert_eq!(injected.created_at.map(utc).as_deref(), Some("2026-11-23T18:04:49Z"));
        let lifetime = Some(Duration::from_secs(86_400));
        let audience = Some("sts.amazonaws.com".to_owned());
        assert_eq!(injected.volume, Some(TokenVolume::Token { audience, lifetime }));
        let kinds = injected.containers.iter().map(|container| (container.name.as_str(), container.kind));
        let expected = [("creds-check", ContainerKind::Init), ("app", ContainerKind::Main)];
        assert_eq!(kinds.collect::<Vec<_>>(), expected);
        for container in &injected.containers {
            assert_eq!(container.injected(), Injected::Both);
            assert_eq!(container.role_arn(), Some("arn:aws:iam::111122223333:role/payments-checkout"));
            assert_eq!(container.suppressed(&injected), []);
        }
        let bare = pod(&value(NOT_INJECTED));
        assert_eq!((bare.volume.as_ref(), bare.containers[0].injected()), (None, Injected::Nothing));
        assert_eq!(bare.containers[0].suppressed(&bare), []);
    }

    #[test]
    fn what_kept_the_webhook_from_something() {
        const ROLE: (&str, &str) = ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/a");
        const FILE: (&str, &str) = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t");
        const ONE: (&str, &str) = ("AWS_REGION", "eu-west-1");
        const OTHER: (&str, &str) = ("AWS_DEFAULT_REGION", "eu-west-1");
        const STS: (&str, &str) = ("AWS_STS_REGIONAL_ENDPOINTS", "regional");
        let usual = Some(super::MOUNT_PATH);
        for (env, mount, expected) in [
            (&[ROLE, FILE, ONE, OTHER][..], usual, vec![]),
            (&[ROLE, FILE], usual, vec![]),
            (&[ROLE, ONE, OTHER], usual, vec![Suppressed::EnvPreset("AWS_ROLE_ARN")]),
            (&[FILE], usual, vec![Suppressed::EnvPreset("AWS_WEB_IDENTITY_TOKEN_FILE")]),
            (&[ROLE, FILE, ONE], usual, vec![Suppressed::RegionPreset("AWS_REGION")]),
            (&[ROLE, FILE, OTHER], usual, vec![Suppressed::RegionPreset("AWS_DEFAULT_REGION")]),
            (&[ONE], None, vec![]),
            (&[ROLE, FILE, ONE, OTHER, STS], None, vec![Suppressed::LeftAlone]),
            (&[ROLE, FILE, ONE, OTHER, STS], Some("/t"), vec![Suppressed::MountPreset("/t".to_owned())]),
        ] {
            let pod = pod(&with_env(env, mount));
            assert_eq!(pod.containers[1].suppressed(&pod), expected, "{env:?} {mount:?}");
        }
        let of = |change: fn(&mut Value)| {
            let mut pod = value(NOT_INJECTED);
            change(&mut pod);
            let pod = self::pod(&pod);
            pod.containers.last().map(|container| container.suppressed(&pod)).unwrap()
        };
        let skip = |names: &'static str| {
            let mut pod = value(INJECTED);
            pod["metadata"]["annotations"]["eks.amazonaws.com/skip-containers"] = json!(names);
            let pod = self::pod(&pod);
            pod.containers[1].suppressed(&pod) == [Suppressed::SkipContainers]
        };
        for (names, is) in [
            ("app", true),
            ("creds-check,app", true),
            ("\"creds-check\",\"app\"", true),
            ("creds-check, app", false),
            ("creds-check\napp", false),
            ("", false),
            ("App", false),
        ] {
            assert_eq!(skip(names), is, "{names:?}");
        }
        let skipped = of(|pod| {
            pod["metadata"]["labels"] = json!({"eks.amazonaws.com/skip-pod-identity-webhook": "false"});
        });
        assert_eq!(skipped, [Suppressed::SkipWebhook]);
        let ephemeral = of(|pod| pod["spec"]["ephemeralContainers"] = json!([{"name": "debug"}]));
        assert_eq!(ephemeral, [Suppressed::Ephemeral]);
        let preset = of(|pod| {
            pod["spec"]["volumes"] = json!([{"name": "aws-iam-token", "emptyDir": {}}]);
        });
        assert_eq!(preset, [Suppressed::VolumePreset]);
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
        let env = |env: &[(&str, &str)]| with_env(env, Some(super::MOUNT_PATH));
        let (injected, bare) = (value(INJECTED), value(NOT_INJECTED));
        for (pod, account, expected) in [
            (&injected, value(ANNOTATED), &[][..]),
            (&injected, Value::Null, &[]),
            (&injected, value(BARE), &[]),
            (&injected, with_role("arn:aws:iam::111122223333:role/b"), &["AnnotationDiffersFromEnv"]),
            (&injected, with_role(""), &["AnnotationDiffersFromEnv"]),
            (
                &injected,
                with_role("arn:aws:iam::1:role/b"),
                &["AnnotationDiffersFromEnv", "RoleArnMalformed"],
            ),
            (&bare, Value::Null, &["NotInjected"]),
            (&bare, value(ANNOTATED), &["NotInjected"]),
            (&bare, value(BARE), &["ServiceAccountNotAnnotated"]),
            (&bare, account.clone(), &["WebhookMissed"]),
            (&bare, annotated_at("2026-11-23T18:00:00Z"), &["WebhookMissed"]),
            (&bare, annotated_at("2026-11-23T19:00:00Z"), &["AnnotatedAfterPod"]),
            (&env(&[("AWS_ROLE_ARN", role)]), Value::Null, &["TokenFileVarMissing"]),
            (&env(&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")]), Value::Null, &["RoleArnVarMissing"]),
            (
                &env(&[("AWS_ROLE_ARN", ""), ("AWS_WEB_IDENTITY_TOKEN_FILE", "")]),
                Value::Null,
                &["TokenFileVarEmpty", "RoleArnVarEmpty"],
            ),
            (
                &env(&[("AWS_ROLE_ARN", "a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")]),
                Value::Null,
                &["RoleArnMalformed"],
            ),
            (
                &env(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials")]),
                value(ANNOTATED),
                &["PodIdentityOnly"],
            ),
        ] {
            assert_eq!(names(pod, &account), expected, "{account}");
        }
    }

    #[test]
    fn which_containers_are_meant() {
        let mut half = value(INJECTED);
        half["spec"]["initContainers"][0]["env"] = json!([]);
        half["spec"]["ephemeralContainers"] = json!([{"name": "debug"}]);
        let of = |pod: &Value, container: Option<&str>| self::pod(pod).judge(None, container).len();
        assert_eq!((of(&half, None), of(&half, Some("app")), of(&half, Some("debug"))), (1, 0, 1));
        half["metadata"]["annotations"]["eks.amazonaws.com/skip-containers"] = json!("creds-check");
        assert_eq!((of(&half, None), of(&half, Some("creds-check")), of(&half, Some("no-such"))), (0, 1, 0));
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
        assert_eq!(read_pod(two.as_bytes()), Err(Unusable::Several { what: "pods", count: 2 }));
        assert_eq!(read_account(two.as_bytes()), Err(Unusable::Without("ServiceAccount")));
        for (kind, text) in [("Status", "error"), ("Deployment", "made"), ("Node", "another kind")] {
            let error = read_pod(json!({"kind": kind}).to_string().as_bytes()).unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
        for text in ["[]", "1", "{}", "{\"kind\": 1}", "{\"kind\": \"Pod\"}", "kind: Pod", ""] {
            assert!(read_pod(text.as_bytes()).is_err() && read_account(text.as_bytes()).is_err(), "{text}");
        }
    }
}
