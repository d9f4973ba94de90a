//! The pod spec itself kept the webhook from injecting something.

use super::InjectionTarget;
use crate::diagnosis::Entry;
use crate::diagnosis::identity::IMAGE;
use crate::evidence::Evidence;
use crate::text::{list, sanitize};

/// What kept the webhook from injecting, as far as the resulting pod shows it.
///
/// Source: amazon-eks-pod-identity-webhook, `pkg/handler/handler.go`, and the `objectSelector` in its
/// `deploy/mutatingwebhook.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuppressionCause {
    /// The container is ephemeral, which the webhook never sees.
    Ephemeral,
    /// The pod's label makes the webhook skip the pod.
    SkipWebhook,
    /// The pod's annotation makes the webhook skip the container.
    SkipContainers,
    /// The pod spec sets this variable of the pair, so the webhook did not add the other.
    EnvPreset(&'static str),
    /// The pod spec sets this region variable, so the webhook added neither.
    RegionPreset(&'static str),
    /// The pod spec sets all variables that the webhook adds, so the webhook skips the container and mounts no token
    /// at this path.
    EverythingPreset(String),
    /// The variable names another path than the mount of the token's volume, so the pod spec itself has one of the
    /// two.
    MountElsewhere {
        mounted_at: String,
        /// The path in the variable.
        token_file: String,
    },
    /// The pod spec has its own volume with the name that the webhook uses, and nothing was injected.
    VolumePreset,
    /// Such a volume is mounted at the path in the variable.
    VolumeMounted,
    /// The other containers of the pod were injected.
    AddedLater,
}

impl SuppressionCause {
    /// Whether the webhook skipped the whole container.
    pub(crate) fn is_left_out(&self) -> bool {
        matches!(self, Self::Ephemeral | Self::SkipWebhook | Self::SkipContainers)
    }

    /// The name for the evidence.
    fn as_str(&self) -> &'static str {
        match self {
            Self::Ephemeral => "ephemeral-container",
            Self::SkipWebhook => "skip-label",
            Self::SkipContainers => "skip-annotation",
            Self::EnvPreset(_) => "identity-variable-preset",
            Self::RegionPreset(_) => "region-variable-preset",
            Self::EverythingPreset(_) => "all-variables-preset",
            Self::MountElsewhere { .. } => "mount-elsewhere",
            Self::VolumePreset | Self::VolumeMounted => "volume-preset",
            Self::AddedLater => "only-this-container",
        }
    }
}

/// The most containers that a sentence names.
const CONTAINERS_NAMED: usize = 5;

/// The pod spec itself kept the webhook from injecting something.
#[derive(Debug, Clone)]
pub struct InjectionSuppressed {
    pub(crate) target: InjectionTarget,
    /// The containers with this cause; at least one.
    pub(crate) containers: Vec<String>,
    pub cause: SuppressionCause,
}

impl InjectionSuppressed {
    /// The containers in a sentence.
    fn container_words(&self) -> String {
        let names: Vec<String> = self.containers.iter().map(|name| sanitize(name)).collect();
        let noun = if self.containers.len() == 1 { "container" } else { "containers" };
        format!("{noun} {}", list(&names, CONTAINERS_NAMED))
    }

    /// The command that prints what the containers of the pod set and mount.
    fn show_containers(&self) -> String {
        let (kubectl, pod) = self.target.kubectl_and_pod();
        format!(
            "{kubectl} get pod {pod} -o jsonpath=\"{{range .spec['initContainers','containers'][*]}}{{.name}} \
             {{.env}} {{.volumeMounts}}{{'\\n'}}{{end}}\""
        )
    }

    /// The last step: recreate the pod.
    fn recreate(&self) -> String {
        format!(
            "A Deployment makes new pods by itself when its template is changed. Where nothing does: {}",
            self.target.delete_pod().replacen('D', "d", 1)
        )
    }

    fn ephemeral_remedy(&self) -> Vec<String> {
        let (kubectl, pod) = self.target.kubectl_and_pod();
        steps![
            "Audit the application's own container instead, with --container and its name.",
            format!(
                "To look at the application from a debugging container, make one in the PID namespace of its \
                 container, with its user (APP_UID): irsa-probe then looks through the \
                 application's process.\n\
                 printf '%s' '{{\"securityContext\":{{\"runAsNonRoot\":true,\"runAsUser\":APP_UID}}}}' > irsa-probe-debug.json\n\
                 {kubectl} debug {pod} -it --image={IMAGE} --target=CONTAINER --profile=restricted \
                 --custom=irsa-probe-debug.json"
            ),
            format!(
                "Or look at a copy of the pod, which is a new pod that the webhook sees \
                 (manifests/debug/copy.yaml).\n\
                 {kubectl} debug {pod} -it --copy-to={pod}-irsa-probe --container=CONTAINER --image={IMAGE} \
                 --profile=restricted --custom=manifests/debug/copy.yaml -- /irsa-probe check\n\
                 {kubectl} delete pod {pod}-irsa-probe"
            )
        ]
    }
}

impl Entry for InjectionSuppressed {
    fn cause(&self) -> String {
        let these = self.container_words();
        match &self.cause {
            SuppressionCause::Ephemeral => format!(
                "Nothing was injected into {these}, since it is ephemeral: it was added to a running pod, as kubectl \
                 debug does. The webhook changes a pod only when it is created, and never gives an ephemeral \
                 container anything. This says nothing of the pod's other containers."
            ),
            SuppressionCause::SkipWebhook => format!(
                "Nothing was injected into {these}. The pod has the label \
                 eks.amazonaws.com/skip-pod-identity-webhook, which keeps the webhook from the whole pod, \
                 whatever value the label has: \"false\" does, too."
            ),
            SuppressionCause::SkipContainers => format!(
                "Nothing was injected into {these}. The pod's annotation eks.amazonaws.com/skip-containers names \
                 it, so the webhook leaves it out."
            ),
            SuppressionCause::EnvPreset(variable) => format!(
                "The pod spec itself sets {variable} of {these}, and not the other one of AWS_ROLE_ARN and \
                 AWS_WEB_IDENTITY_TOKEN_FILE. The webhook adds both or neither: where the pod spec sets one, to \
                 whatever value, it does not add the other."
            ),
            SuppressionCause::RegionPreset(variable) => format!(
                "The pod spec itself sets {variable} of {these} to an empty text. The webhook adds AWS_REGION and \
                 AWS_DEFAULT_REGION only where the pod spec sets neither, so neither of them names a region here."
            ),
            SuppressionCause::EverythingPreset(token_file) => format!(
                "The pod spec itself sets the variables of the identity, of the region and \
                 AWS_STS_REGIONAL_ENDPOINTS of {these}. The webhook takes such a container for finished and leaves \
                 it wholly alone: it does not mount the token either. AWS_WEB_IDENTITY_TOKEN_FILE is {}, and no \
                 volume is mounted there.",
                sanitize(token_file)
            ),
            SuppressionCause::MountElsewhere { mounted_at, token_file } => format!(
                "AWS_WEB_IDENTITY_TOKEN_FILE of {these} is {}, and no volume is mounted there: the volume of the \
                 token, aws-iam-token, is mounted at {}. What the webhook adds goes together, so the pod spec itself \
                 sets one of the two, and the webhook leaves that as it is.",
                sanitize(token_file),
                sanitize(mounted_at)
            ),
            SuppressionCause::VolumePreset => format!(
                "Nothing was injected into {these}, and the pod spec has a volume of its own named aws-iam-token, \
                 the name that the webhook gives to the volume of the token. It is not the volume that the webhook \
                 makes, and newer versions of the webhook leave a pod with such a volume as it is."
            ),
            SuppressionCause::VolumeMounted => format!(
                "The volume aws-iam-token of {these}, mounted where AWS_WEB_IDENTITY_TOKEN_FILE points, projects \
                 no service account token: it is a volume of the pod spec's own. The webhook makes none of its own \
                 where there is one of that name. Whether something else puts a token there is not known."
            ),
            SuppressionCause::AddedLater => format!(
                "Nothing was injected into {these}, though other containers of the pod have their identity. The webhook \
                 changes all containers that a pod has when the webhook sees it, but for those that the pod's \
                 annotation eks.amazonaws.com/skip-containers names, and that does not name this one. Most likely \
                 it was added to the pod afterwards, by another webhook, as those of service meshes do; or the \
                 annotation was changed since."
            ),
        }
    }

    fn remedy(&self) -> Vec<String> {
        let (kubectl, pod) = self.target.kubectl_and_pod();
        match &self.cause {
            SuppressionCause::Ephemeral => self.ephemeral_remedy(),
            SuppressionCause::SkipWebhook => steps![
                format!(
                    "Find what sets the label: the pod template, a chart's values, or a policy of the cluster that \
                     changes pods.\n\
                     {kubectl} get pod {pod} -o jsonpath='{{.metadata.labels}} {{.metadata.ownerReferences}}{{\"\\n\"}}'"
                ),
                "Remove the label eks.amazonaws.com/skip-pod-identity-webhook there. Another value does not help.",
                self.recreate()
            ],
            SuppressionCause::SkipContainers => vec![
                format!(
                    "Find what sets the annotation: the pod template, a chart's values, or a policy of the cluster \
                     that changes pods.\n\
                     {kubectl} get pod {pod} -o jsonpath='{{.metadata.annotations}} {{.metadata.ownerReferences}}{{\"\\n\"}}'"
                ),
                format!(
                    "Remove the name of {} from eks.amazonaws.com/skip-containers there.",
                    self.container_words()
                ),
                self.recreate(),
            ],
            SuppressionCause::EnvPreset(variable) => vec![
                format!("See what the pod sets.\n{}", self.show_containers()),
                format!(
                    "Remove {variable} where it is set, in the pod template or a chart's values, so that the webhook \
                     injects both."
                ),
                self.recreate(),
            ],
            SuppressionCause::RegionPreset(variable) => vec![
                format!(
                    "Remove {variable} where it is set, in the pod template or a chart's values, so that the webhook \
                     adds the region; or set both variables, since SDKs differ in which they read:\n\
                     env:\n- {{name: AWS_REGION, value: REGION}}\n- {{name: AWS_DEFAULT_REGION, value: REGION}}"
                ),
                self.recreate(),
            ],
            SuppressionCause::EverythingPreset(_) => steps![
                format!("See what the pod sets.\n{}", self.show_containers()),
                "Remove AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE where they are set, in the pod template or a \
                 chart's values, so that the webhook injects them and mounts the token. The region may stay.",
                self.recreate()
            ],
            SuppressionCause::MountElsewhere { .. } => steps![
                format!("See what the pod sets of it.\n{}", self.show_containers()),
                "Remove it from the pod template, or a chart's values: AWS_ROLE_ARN and \
                 AWS_WEB_IDENTITY_TOKEN_FILE, or the mount of aws-iam-token, so that the webhook adds all of it.",
                self.recreate()
            ],
            SuppressionCause::VolumePreset | SuppressionCause::VolumeMounted => steps![
                format!(
                    "See what the volume is.\n\
                     {kubectl} get pod {pod} -o jsonpath='{{.spec.volumes[?(@.name==\"aws-iam-token\")]}}{{\"\\n\"}}'"
                ),
                "If another purpose needs it, give it another name in the pod template, and in the mounts; else \
                 remove it, so that the webhook makes its own.",
                self.recreate()
            ],
            SuppressionCause::AddedLater => steps![
                "If the container belongs to something else, such as a service mesh, it needs no identity: audit \
                 the application's own container, with --container and its name.",
                "If it needs the role, write it into the pod template itself, where the webhook sees it when the \
                 pod is created.",
                self.recreate()
            ],
        }
    }

    fn evidence(&self) -> Evidence {
        let (variable, mounted_at, token_file) = match &self.cause {
            SuppressionCause::EnvPreset(variable) | SuppressionCause::RegionPreset(variable) => {
                (Some(*variable), None, None)
            }
            SuppressionCause::EverythingPreset(token_file) => (None, None, Some(token_file.as_str())),
            SuppressionCause::MountElsewhere { mounted_at, token_file } => {
                (None, Some(mounted_at.as_str()), Some(token_file.as_str()))
            }
            _ => (None, None, None),
        };
        Evidence::new()
            .text("namespace", &self.target.service_account.namespace)
            .text("service_account", &self.target.service_account.name)
            .texts("containers", &self.containers)
            .value("suppressed_by", self.cause.as_str())
            .text_if("variable", variable)
            .text_if("mounted_at", mounted_at)
            .text_if("token_file", token_file)
    }
}
