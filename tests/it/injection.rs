//! What an audit says of a pod, against a model of the webhook: a pod spec is made up, the webhook's rules are
//! applied to it, and of what comes out the audit must find the very thing that the rules did.
//!
//! Source of the rules: amazon-eks-pod-identity-webhook, `pkg/handler/handler.go`; older versions look at no
//! volume, newer ones leave a pod as it is whose volume of the webhook's name is another than theirs.

use irsa_probe::audit::inputs::{pod, service_account};
use irsa_probe::diagnosis::Diagnosis;
use irsa_probe::injection::judge;
use irsa_probe::injection::view::AccountView;
use proptest::prelude::*;
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::111122223333:role/payments-checkout";
const R: &str = "AWS_ROLE_ARN";
const F: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const STS: &str = "AWS_STS_REGIONAL_ENDPOINTS";
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// What somebody wrote.
#[derive(Debug, Clone)]
struct Spec {
    /// Two, and then an init container.
    containers: Vec<Part>,
    label: bool,
    volume: Option<Kind>,
}

/// A container.
#[derive(Debug, Clone)]
struct Part {
    env: Vec<(&'static str, &'static str)>,
    mounts: Vec<(&'static str, &'static str)>,
    skipped: bool,
}

/// The volume of the webhook's name.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Usual,
    EmptyDir,
    OtherAudience,
    OtherFile,
}

/// How the webhook was set up.
#[derive(Debug, Clone)]
struct Webhook {
    minds_volume: bool,
    has_region: bool,
    is_regional: bool,
    mount_path: &'static str,
    is_windows: bool,
}

fn part() -> impl Strategy<Value = Part> {
    let file = prop::sample::select(vec![
        "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
        "/mine/token",
        "/nowhere/token",
    ]);
    let maybe = |odds: f64| prop::bool::weighted(odds);
    let mounts = prop::sample::select(vec![
        vec![],
        vec![],
        vec![("aws-iam-token", "/var/run/secrets/eks.amazonaws.com/serviceaccount")],
        vec![("aws-iam-token", "/mine")],
        vec![("my-token", "/mine/")],
    ]);
    let set = (maybe(0.3), maybe(0.3), maybe(0.3), maybe(0.3), maybe(0.3));
    (set, file, mounts, maybe(0.2)).prop_map(|((r, f, one, other, sts), file, mounts, skipped)| {
        let all = [(r, R, ROLE), (f, F, file), (sts, STS, "regional")];
        let regions = [(one, REGIONS[0], "eu-west-1"), (other, REGIONS[1], "eu-west-1")];
        let set = all.into_iter().chain(regions).filter(|(is_set, ..)| *is_set);
        Part { env: set.map(|(_, name, value)| (name, value)).collect(), mounts, skipped }
    })
}

fn spec() -> impl Strategy<Value = Spec> {
    let volume = prop::option::of(prop::sample::select(vec![
        Kind::Usual,
        Kind::EmptyDir,
        Kind::OtherAudience,
        Kind::OtherFile,
    ]));
    (prop::collection::vec(part(), 3), prop::bool::weighted(0.1), volume)
        .prop_map(|(containers, label, volume)| Spec { containers, label, volume })
}

fn webhook() -> impl Strategy<Value = Webhook> {
    let path = prop::sample::select(vec!["/var/run/secrets/eks.amazonaws.com/serviceaccount", "/elsewhere"]);
    (any::<[bool; 4]>(), path).prop_map(
        |([minds_volume, has_region, is_regional, is_windows], mount_path)| Webhook {
            minds_volume,
            has_region,
            is_regional,
            mount_path,
            is_windows,
        },
    )
}

const NAMES: [&str; 3] = ["app", "proxy", "init"];

impl Part {
    fn has(&self, name: &str) -> bool {
        self.env.iter().any(|(set, _)| *set == name)
    }

    fn has_region(&self) -> bool {
        REGIONS.iter().any(|region| self.has(region))
    }

    fn mounts_token(&self) -> bool {
        self.mounts.iter().any(|(name, _)| *name == "aws-iam-token")
    }
}

/// A container after the webhook.
#[derive(Debug)]
struct Made {
    env: Vec<(String, String)>,
    mounts: Vec<(String, String)>,
}

impl Made {
    fn value(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(set, _)| set == name).map(|(_, value)| value.as_str())
    }

    fn mounts_token(&self) -> bool {
        self.mounts.iter().any(|(name, _)| name == "aws-iam-token")
    }

    /// Whether a volume is mounted where the token is said to be.
    fn has_file(&self) -> bool {
        let file = self.value(F).unwrap_or_default().trim_start_matches("C:").replace('\\', "/");
        self.mounts.iter().any(|(_, path)| file.starts_with(&format!("{}/", path.trim_end_matches('/'))))
    }
}

/// The rules.
fn admit(spec: &Spec, webhook: &Webhook) -> (Vec<Made>, Option<Kind>) {
    let is_foreign = spec.volume.is_some_and(|kind| kind != Kind::Usual);
    let is_passed_by = spec.label || (webhook.minds_volume && is_foreign);
    let made = spec.containers.iter().map(|part| {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut made = Made {
            env: part.env.iter().map(owned).collect(),
            mounts: part.mounts.iter().map(owned).collect(),
        };
        let has_pair = part.has(R) || part.has(F);
        if is_passed_by || part.skipped || (has_pair && part.has_region() && part.has(STS)) {
            return made;
        }
        let mut add = |name: &str, value: &str| made.env.push((name.to_owned(), value.to_owned()));
        if !part.has(STS) && webhook.is_regional {
            add(STS, "regional");
        }
        if !part.has_region() && webhook.has_region {
            REGIONS.iter().for_each(|region| add(region, "eu-west-1"));
        }
        if !has_pair {
            let file = format!("{}/token", webhook.mount_path);
            add(R, ROLE);
            add(F, &if webhook.is_windows { format!("C:{}", file.replace('/', "\\")) } else { file });
        }
        if !part.mounts_token() {
            made.mounts.push(("aws-iam-token".to_owned(), webhook.mount_path.to_owned()));
        }
        made
    });
    (made.collect(), if is_passed_by { spec.volume } else { spec.volume.or(Some(Kind::Usual)) })
}

fn volume(name: &str, kind: Kind) -> Value {
    let token = |audience: &str, path: &str| {
        let token = json!({"audience": audience, "expirationSeconds": 86400, "path": path});
        json!({"name": name, "projected": {"sources": [{"serviceAccountToken": token}]}})
    };
    match kind {
        Kind::Usual => token("sts.amazonaws.com", "token"),
        Kind::EmptyDir => json!({"name": name, "emptyDir": {}}),
        Kind::OtherAudience => token("vault", "token"),
        Kind::OtherFile => token("sts.amazonaws.com", "jwt"),
    }
}

fn pod_of(spec: &Spec, made: &[Made], of_token: Option<Kind>) -> Value {
    let container = |(name, made): (&&str, &Made)| {
        let env = made.env.iter().map(|(name, value)| json!({"name": name, "value": value}));
        let mounts = made.mounts.iter().map(|(name, path)| json!({"name": name, "mountPath": path}));
        json!({"name": name, "env": env.collect::<Value>(), "volumeMounts": mounts.collect::<Value>()})
    };
    let mut containers: Vec<Value> = NAMES.iter().zip(made).map(container).collect();
    let init = containers.split_off(2);
    let volumes = of_token.map(|kind| volume("aws-iam-token", kind)).into_iter();
    let volumes: Vec<Value> = volumes.chain([volume("my-token", Kind::Usual)]).collect();
    let skipped: Vec<&str> = NAMES
        .into_iter()
        .zip(&spec.containers)
        .filter(|(_, part)| part.skipped)
        .map(|(name, _)| name)
        .collect();
    let labels =
        if spec.label { json!({"eks.amazonaws.com/skip-pod-identity-webhook": "true"}) } else { json!({}) };
    json!({"kind": "Pod",
        "metadata": {"name": "checkout-1", "namespace": "payments", "labels": labels,
            "creationTimestamp": "2026-11-23T18:04:49Z",
            "annotations": {"eks.amazonaws.com/skip-containers": skipped.join(",")}},
        "spec": {"serviceAccountName": "checkout", "containers": containers, "initContainers": init,
            "volumes": volumes}})
}

fn account() -> Value {
    json!({"kind": "ServiceAccount", "metadata": {"name": "checkout", "namespace": "payments",
        "creationTimestamp": "2026-11-20T18:04:49Z",
        "annotations": {"eks.amazonaws.com/role-arn": ROLE}}})
}

/// What the rules say of a container.
fn expected(spec: &Spec, part: &Part, made: &Made) -> Vec<&'static str> {
    let left_out = if spec.label {
        Some("SkipWebhook")
    } else if part.skipped {
        Some("SkipContainers")
    } else {
        None
    };
    match (made.value(R), made.value(F)) {
        (None, None) => vec![left_out.unwrap_or("VolumePreset")],
        (Some(_), None) => vec!["TokenFileVarMissing", left_out.unwrap_or("EnvPreset")],
        (None, Some(_)) => vec!["RoleArnVarMissing", left_out.unwrap_or("EnvPreset")],
        (Some(_), Some(_)) if made.has_file() => vec![],
        (Some(_), Some(_)) if made.mounts_token() => vec!["MountElsewhere"],
        (Some(_), Some(_)) if part.has_region() && part.has(STS) && left_out.is_none() => {
            vec!["EverythingPreset"]
        }
        // All by hand, and not whole: what the webhook would have done is not known from that.
        (Some(_), Some(_)) => vec![],
    }
}

fn words(found: &[Diagnosis]) -> Vec<String> {
    let word = |found: &Diagnosis| match found {
        Diagnosis::InjectionSuppressed(found) => {
            let by = format!("{:?}", found.cause);
            by.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
        }
        found => found.name().as_str().to_owned(),
    };
    found.iter().map(word).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2048) })]

    #[test]
    fn audit_agrees_with_the_webhook(spec in spec(), webhook in webhook()) {
        let (made, of_token) = admit(&spec, &webhook);
        // The API refuses a pod that mounts a volume that it has not.
        prop_assume!(of_token.is_some() || !spec.containers.iter().any(Part::mounts_token));
        let pod = pod_of(&spec, &made, of_token);
        let given = pod::read(pod.to_string().as_bytes()).unwrap();
        let account = service_account::read(account().to_string().as_bytes()).unwrap();
        let account = AccountView::Known(account);
        for ((name, part), made) in NAMES.into_iter().zip(&spec.containers).zip(&made) {
            let judged = judge(&given, Some(name), &account);
            prop_assert_eq!(words(&judged.failures), expected(&spec, part, made), "{} of {}", name, pod);
        }
        let is_whole = |made: &Made| made.value(R).is_some() && made.value(F).is_some() && made.has_file();
        if made.iter().all(is_whole) {
            let judged = judge(&given, None, &account);
            prop_assert!(judged.failures.is_empty(), "{:?}", words(&judged.failures));
            let unusual = spec.volume.is_some_and(|kind| kind == Kind::EmptyDir);
            prop_assert!(judged.warnings.is_empty() || unusual, "{:?}", words(&judged.warnings));
        }
    }

    #[test]
    fn injected_pod_has_no_injection_failure(
        webhook in webhook(),
        regions in prop::collection::vec(prop::option::of(prop::sample::select(&REGIONS[..])), 3),
    ) {
        let part = |region: &Option<&'static str>| Part {
            env: region.map(|region| (region, "eu-west-1")).into_iter().collect(),
            mounts: vec![],
            skipped: false,
        };
        let spec = Spec { containers: regions.iter().map(part).collect(), label: false, volume: None };
        let (made, of_token) = admit(&spec, &webhook);
        let given = pod::read(pod_of(&spec, &made, of_token).to_string().as_bytes()).unwrap();
        let account = service_account::read(account().to_string().as_bytes()).unwrap();
        let account = AccountView::Known(account);
        for container in [None, Some("app"), Some("proxy"), Some("init")] {
            let judged = judge(&given, container, &account);
            prop_assert!(judged.failures.is_empty() && judged.warnings.is_empty(), "{:?}", judged);
        }
    }
}
