//! What a view shows of a pod, its containers and its service account, and what kept the webhook from a container.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use crate::diagnosis::identity::ServiceAccountError;
use crate::diagnosis::injection::SuppressionCause;
use crate::env::{CONTAINER_CREDENTIALS_VARIABLES, ROLE_ARN_VARIABLE, TOKEN_FILE_VARIABLE, USUAL_AUDIENCE};
use crate::kubernetes::service_account::AnnotatedAccount;
use crate::token::ServiceAccount;

/// The name of the volume that the webhook adds.
pub(crate) const TOKEN_VOLUME: &str = "aws-iam-token";
/// The token's file in that volume.
const TOKEN_PATH: &str = "token";
/// What the names of the webhook's own annotations and labels begin with.
pub(crate) const WEBHOOK_DOMAIN: &str = "eks.amazonaws.com/";
/// The two variables that name the region.
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// The variable that says which kind of STS endpoint the SDKs use.
const STS_ENDPOINTS: &str = "AWS_STS_REGIONAL_ENDPOINTS";

/// Every variable that the webhook looks at, or that shows what it did.
pub(crate) fn known_variables() -> impl Iterator<Item = &'static str> {
    [ROLE_ARN_VARIABLE, TOKEN_FILE_VARIABLE, STS_ENDPOINTS]
        .into_iter()
        .chain(REGIONS)
        .chain(CONTAINER_CREDENTIALS_VARIABLES)
}

/// A pod, as far as it shows what the webhook did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodView {
    pub(crate) name: Option<String>,
    /// The service account that the pod runs as, if known.
    pub(crate) service_account: Option<ServiceAccount>,
    /// Times at which the pod existed, each shortly after its creation, the most telling first.
    pub(crate) seen_at: Vec<SystemTime>,
    /// The containers of every kind, in their order.
    pub(crate) containers: Vec<Container>,
    /// The volume of the name that the webhook gives its own.
    pub(crate) token_volume: Option<TokenVolume>,
    /// The names of the volumes that project a token for STS.
    pub(crate) sts_token_volumes: BTreeSet<String>,
    /// The containers that the pod's annotation leaves out.
    pub(crate) skip_containers: BTreeSet<String>,
    /// Whether the pod's label leaves it out.
    pub(crate) skips_webhook: bool,
    /// Whether the pod's labels and annotations are among what the view shows.
    pub(crate) has_metadata: bool,
    /// The pod's own annotations that hold a role. The webhook reads none of them.
    pub(crate) role_annotations: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) kind: ContainerKind,
    /// Those of its variables that matter here. `None` is a value that the view does not show.
    pub(crate) env: BTreeMap<String, Option<String>>,
    /// The names of the mounted volumes, and where each is mounted.
    pub(crate) mounts: Vec<(String, String)>,
    /// Whether it takes variables of unknown names from a ConfigMap or a Secret.
    pub(crate) has_env_from: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContainerKind {
    /// Runs before the others, or beside them as a sidecar.
    Init,
    Main,
    /// Was added to a running pod, as `kubectl debug` does.
    Ephemeral,
}

/// A volume of the name that the webhook gives its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenVolume {
    Token {
        /// The audience; without one, the API server's own.
        audience: Option<String>,
        lifetime: Option<Duration>,
        /// The token's file in the volume.
        path: Option<String>,
    },
    /// Is of another kind, so the webhook did not make it.
    Other,
}

/// A service account, as far as an injection depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccountView {
    pub(crate) service_account: ServiceAccount,
    /// The role annotation, and the ages.
    pub(crate) account: AnnotatedAccount,
    pub(crate) audience: Option<String>,
    /// Annotations of other names that hold a role. The webhook reads none of them.
    pub(crate) other_role_annotations: Vec<(String, String)>,
}

/// What is known of the pod's service account.
#[derive(Debug, Clone)]
pub enum AccountView {
    /// Nothing: it was neither given nor asked for.
    NotRead,
    /// What it is annotated with, and since when.
    Known(ServiceAccountView),
    /// The Kubernetes API has no service account of this name.
    Missing(ServiceAccount),
    /// The Kubernetes API was asked, and did not show it.
    Unread(ServiceAccountError),
}

impl AccountView {
    pub(super) fn known(&self) -> Option<&ServiceAccountView> {
        match self {
            Self::Known(account) => Some(account),
            Self::NotRead | Self::Missing(_) | Self::Unread(_) => None,
        }
    }
}

/// What a container was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Injection {
    Complete,
    Partial,
    /// A variable of container credentials instead, as EKS Pod Identity sets it.
    PodIdentity(&'static str),
    Nothing,
}

impl PodView {
    /// The container of a name, or all that the webhook should have changed.
    pub(crate) fn selected_containers<'a>(
        &'a self,
        container: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Container> {
        self.containers.iter().filter(move |found| match container {
            Some(name) => found.name == name,
            None => found.kind != ContainerKind::Ephemeral && !self.skip_containers.contains(&found.name),
        })
    }

    /// The names of the containers of every kind, in their order.
    pub fn container_names(&self) -> impl Iterator<Item = &str> {
        self.containers.iter().map(|container| container.name.as_str())
    }

    /// Whether the webhook changed one of the containers.
    pub(super) fn looks_injected(&self) -> bool {
        self.containers.iter().any(|container| {
            container.injection() == Injection::Complete && container.token_mount().is_some()
        })
    }
}

impl TokenVolume {
    /// Whether the webhook did not make it, as far as is known without the account. Newer versions of the webhook
    /// compare the audience and the file.
    fn is_foreign(&self, account: Option<&ServiceAccountView>) -> bool {
        let Self::Token { audience: Some(audience), path, .. } = self else { return true };
        let is_other =
            |account: &ServiceAccountView| audience != account.audience.as_deref().unwrap_or(USUAL_AUDIENCE);
        path.as_deref() != Some(TOKEN_PATH) || account.is_some_and(is_other)
    }

    pub(crate) fn has_audience(&self, wanted: &str) -> bool {
        matches!(self, Self::Token { audience: Some(audience), .. } if audience == wanted)
    }
}

impl Container {
    pub(super) fn has(&self, variable: &str) -> bool {
        self.env.contains_key(variable)
    }

    /// The value of a variable, if the view shows it.
    pub(super) fn value(&self, variable: &str) -> Option<&str> {
        self.env.get(variable)?.as_deref()
    }

    /// The role that the container was given, if the view shows it.
    pub(crate) fn role_arn(&self) -> Option<&str> {
        self.value(ROLE_ARN_VARIABLE)
    }

    /// Where the token's volume is mounted.
    fn token_mount(&self) -> Option<&str> {
        self.mounts.iter().find(|(name, _)| name == TOKEN_VOLUME).map(|(_, path)| path.as_str())
    }

    /// The path of the token's file, if nothing is mounted there.
    fn token_file_without_mount(&self) -> Option<&str> {
        let file = self.value(TOKEN_FILE_VARIABLE)?;
        let is_absolute = file.starts_with('/') || file.get(1..2) == Some(":");
        (is_absolute && !self.mounts.iter().any(|(_, mount)| is_below(file, mount))).then_some(file)
    }

    /// Whether it can have an identity by hand: it has a token for STS, and variables of unknown names.
    pub(super) fn might_be_configured_by_hand(&self, pod: &PodView) -> bool {
        self.has_env_from && self.mounts.iter().any(|(name, _)| pod.sts_token_volumes.contains(name))
    }

    /// What the container was given.
    pub(crate) fn injection(&self) -> Injection {
        match (self.has(ROLE_ARN_VARIABLE), self.has(TOKEN_FILE_VARIABLE)) {
            (true, true) => Injection::Complete,
            (false, false) => {
                let other = CONTAINER_CREDENTIALS_VARIABLES.into_iter().find(|variable| self.has(variable));
                other.map_or(Injection::Nothing, Injection::PodIdentity)
            }
            _ => Injection::Partial,
        }
    }

    /// What kept the webhook from adding something, as far as the finished pod shows it. A container that has all
    /// it needs can have been left out, too.
    pub(crate) fn suppression_causes(
        &self,
        pod: &PodView,
        account: Option<&ServiceAccountView>,
    ) -> Vec<SuppressionCause> {
        let left_out = if self.kind == ContainerKind::Ephemeral {
            Some(SuppressionCause::Ephemeral)
        } else if pod.skips_webhook {
            Some(SuppressionCause::SkipWebhook)
        } else if pod.skip_containers.contains(&self.name) {
            Some(SuppressionCause::SkipContainers)
        } else {
            None
        };
        let is_seen = left_out.is_none();
        let mut causes = Vec::from_iter(left_out);
        let injection = self.injection();
        if injection == Injection::Partial && is_seen {
            let preset = if self.has(ROLE_ARN_VARIABLE) { ROLE_ARN_VARIABLE } else { TOKEN_FILE_VARIABLE };
            causes.push(SuppressionCause::EnvPreset(preset));
        }
        let regions: Vec<&'static str> = REGIONS.into_iter().filter(|region| self.has(region)).collect();
        if matches!(injection, Injection::Complete | Injection::Partial) && is_seen {
            match regions.as_slice() {
                [one] => causes.push(SuppressionCause::RegionPreset(one)),
                // The webhook adds none that is empty.
                [one, ..] if regions.iter().all(|region| self.value(region) == Some("")) => {
                    causes.push(SuppressionCause::RegionPreset(one));
                }
                _ => {}
            }
        }
        if injection == Injection::Complete
            && let Some(token_file) = self.token_file_without_mount().map(str::to_owned)
        {
            match self.token_mount().map(str::to_owned) {
                Some(mounted_at) => {
                    causes.push(SuppressionCause::MountElsewhere { mounted_at, token_file });
                }
                None if is_seen && !regions.is_empty() && self.has(STS_ENDPOINTS) => {
                    causes.push(SuppressionCause::EverythingPreset(token_file));
                }
                None => {}
            }
        }
        match (&pod.token_volume, injection) {
            (Some(TokenVolume::Other), Injection::Complete) if self.relies_on_token_volume() => {
                causes.push(SuppressionCause::VolumeMounted);
            }
            (Some(volume), Injection::Nothing) if is_seen && volume.is_foreign(account) => {
                causes.push(SuppressionCause::VolumePreset);
            }
            _ => {}
        }
        causes
    }

    /// Whether the token's file is in the volume of the webhook's name.
    fn relies_on_token_volume(&self) -> bool {
        let file_and_mount = self.value(TOKEN_FILE_VARIABLE).zip(self.token_mount());
        file_and_mount.is_some_and(|(file, mounted_at)| is_below(file, mounted_at))
    }
}

/// Whether a file is below a folder, by their texts. Windows has its own way to write both, and `/var/run` is often
/// a link to `/run`.
fn is_below(file: &str, folder: &str) -> bool {
    let plain = |path: &str| {
        let path = path.replace('\\', "/");
        let path = path.strip_prefix("C:").or_else(|| path.strip_prefix("c:")).unwrap_or(&path);
        let path = path.trim_end_matches('/');
        path.strip_prefix("/var/run/").map_or_else(|| path.to_owned(), |rest| format!("/run/{rest}"))
    };
    let (file, folder) = (plain(file), plain(folder));
    file.strip_prefix(&folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
