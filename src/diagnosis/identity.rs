//! The identity that the pod was given is missing, incomplete or not the expected one.

use std::fmt;

use super::Entry;
use crate::evidence::Evidence;
use crate::kubernetes::service_account::AnnotatedAccount;
use crate::text::{sanitize, shell_quote};
use crate::token::ServiceAccount;

/// The image in commands, as the README names it.
pub(super) const IMAGE: &str = concat!("irsa-probe:", env!("CARGO_PKG_VERSION"));

/// Neither the role nor the token file is set.
#[derive(Debug, Clone)]
pub struct NotInjected {
    /// The pod's service account, if its API token could be read.
    pub(crate) service_account: Option<ServiceAccount>,
    /// The pod's name, if known.
    pub(crate) pod: Option<String>,
    /// Why the Kubernetes API did not show the service account, if it was asked.
    pub(crate) service_account_error: Option<ServiceAccountError>,
    /// The service account with its annotation, if it was read. Which is older, annotation or pod, is not known then.
    pub(crate) account: Option<AnnotatedAccount>,
    /// Whether the pod's labels and annotations were seen and keep the webhook from nothing.
    pub(crate) is_left_out_by_nothing: bool,
}

/// Why the Kubernetes API did not show a service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceAccountError {
    /// The API refused the pod's own token, which has not expired by the pod's clock.
    Unauthorized,
    Other(String),
}

impl fmt::Display for ServiceAccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthorized => f.write_str("the API refused the pod's API token, which has not expired"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

/// A placeholder for a role's ARN. The shell stops if it is not filled in.
pub(super) const ROLE_ARN: &str = r#""${ROLE_ARN:?set it to the ARN of the right role}""#;

/// `kubectl -n NAMESPACE` for a service account's namespace, and the account's name.
pub(super) fn kubectl(service_account: Option<&ServiceAccount>) -> (String, String) {
    service_account.map_or_else(
        || ("kubectl -n NAMESPACE".to_owned(), "SERVICE_ACCOUNT".to_owned()),
        |account| (format!("kubectl -n {}", shell_quote(&account.namespace)), shell_quote(&account.name)),
    )
}

/// The command that annotates a service account with a role, whose ARN is quoted for a shell already.
pub(super) fn annotate_role(service_account: Option<&ServiceAccount>, role_arn: &str) -> String {
    let (kubectl, account) = kubectl(service_account);
    format!("{kubectl} annotate --overwrite serviceaccount {account} eks.amazonaws.com/role-arn={role_arn}")
}

/// The service account of a pod whose spec names none.
pub(super) const DEFAULT_ACCOUNT: &str = "default";

/// The step that names the service account in the pod's spec, for a pod that runs as `default`.
pub(super) fn name_intended_account(service_account: &ServiceAccount) -> String {
    let (kubectl, _) = kubectl(Some(service_account));
    format!(
        "Set spec.serviceAccountName in the pod's template to the service account that has the role. The pod runs as \
         {DEFAULT_ACCOUNT}, as a pod does whose spec names none. The service accounts of the namespace with their \
         roles:\n\
         {kubectl} get serviceaccounts -o \
         custom-columns='NAME:.metadata.name,ROLE:.metadata.annotations.eks\\.amazonaws\\.com/role-arn'"
    )
}

/// The command that debugs the pod's container by its application's own user, which is not known.
pub(super) fn debug_as_application(pod: &str) -> String {
    format!(
        "printf '%s' '{{\"securityContext\":{{\"runAsNonRoot\":true,\"runAsUser\":APP_UID}}}}' > irsa-probe-debug.json\n\
         kubectl -n NAMESPACE debug {pod} -it --image={IMAGE} --target=CONTAINER --profile=restricted \
         --custom=irsa-probe-debug.json"
    )
}

/// The command that recreates the pod.
pub(super) fn delete_pod(service_account: Option<&ServiceAccount>, pod: Option<&str>) -> String {
    let (kubectl, _) = kubectl(service_account);
    let pod = pod.map_or_else(|| "POD".to_owned(), shell_quote);
    format!(
        "Delete the pod, so that a new one is admitted (a pod without a controller has to be \
         created again by hand):\n{kubectl} delete pod {pod}"
    )
}

impl NotInjected {
    /// What can have kept the webhook from the pod, with the annotation as it is known.
    fn possible_reasons(&self) -> String {
        let annotation = match &self.account {
            Some(_) => {
                "the annotation was written after the pod was created (the object does not record when it was written)"
            }
            None => "the service account had no role annotation at that moment",
        };
        let left_out = if self.is_left_out_by_nothing {
            ""
        } else {
            ", or the pod's label or annotation leaves out the pod or this container"
        };
        format!("Either {annotation}{left_out}, or the webhook did not see the pod or the annotation.")
    }

    /// The steps for a pod that was created without its identity.
    pub(super) fn steps(&self) -> Vec<String> {
        let (service_account, pod) = (self.service_account.as_ref(), self.pod.as_deref());
        match service_account {
            Some(account) if self.account.is_some() => {
                return steps_to_inject_again(account, pod, self.is_left_out_by_nothing);
            }
            Some(account) if account.name == DEFAULT_ACCOUNT => {
                let recreate = delete_pod(service_account, pod);
                return vec![
                    name_intended_account(account),
                    recreate.replacen("Delete the pod", "Then delete the pod", 1),
                ];
            }
            _ => {}
        }
        let (kubectl, account) = kubectl(service_account);
        let pod = pod.map_or_else(|| "POD".to_owned(), shell_quote);
        vec![
            format!(
                "Check whether the service account is annotated, and what is older, the annotation or the pod:\n\
                 {kubectl} get serviceaccount {account} -o yaml --show-managed-fields\n\
                 {kubectl} get pod {pod} -o jsonpath='{{.metadata.creationTimestamp}} {{.spec.serviceAccountName}}{{\"\\n\"}}'"
            ),
            format!(
                "If it is not annotated, annotate it, and delete the pod. If it is annotated, only delete the pod (a pod \
                 without a controller must be recreated by hand):\n{} &&\n{kubectl} delete pod {pod}",
                annotate_role(service_account, ROLE_ARN)
            ),
        ]
    }
}

/// The steps for a pod whose service account is annotated. Where the pod's labels and annotations were seen, no step
/// looks at them.
pub(super) fn steps_to_inject_again(
    service_account: &ServiceAccount,
    pod: Option<&str>,
    is_left_out_by_nothing: bool,
) -> Vec<String> {
    let mut steps = vec![delete_pod(Some(service_account), pod)];
    if !is_left_out_by_nothing {
        let (kubectl, _) = kubectl(Some(service_account));
        let pod = pod.map_or_else(|| "POD".to_owned(), shell_quote);
        steps.push(format!(
            "If the new pod has no identity either, check for the label eks.amazonaws.com/skip-pod-identity-webhook and \
             the annotation eks.amazonaws.com/skip-containers:\n\
             {kubectl} get pod {pod} -o jsonpath='{{.metadata.labels}} {{.metadata.annotations}}{{\"\\n\"}}'"
        ));
    }
    steps.push(
        "If a new pod has no identity either, check that the webhook is registered, which namespaces it leaves out, and, \
         if it runs in the cluster itself, that it runs and that its caBundle fits its certificate:\n\
         kubectl get mutatingwebhookconfigurations -o yaml"
            .to_owned(),
    );
    steps
}

impl Entry for NotInjected {
    fn cause(&self) -> String {
        let account = self.service_account.as_ref();
        let whose = account.map_or_else(String::new, |account| format!(" for service account {account}"));
        let annotated = self.account.as_ref().and_then(|account| account.role_arn.as_deref());
        let annotated = annotated.map_or_else(String::new, |role_arn| {
            format!(" The service account is annotated with the role {}.", sanitize(role_arn))
        });
        let gone = match self.service_account_error {
            Some(ServiceAccountError::Unauthorized) => {
                " The Kubernetes API refuses the pod's own API token, which has not expired by the pod's \
                 clock: it does so, for one, when the service account or the pod was deleted."
            }
            _ => "",
        };
        format!(
            "Neither AWS_ROLE_ARN nor AWS_WEB_IDENTITY_TOKEN_FILE is set in this container: when the \
             pod was admitted, no identity was injected{whose}.{annotated} {} Injection happens only when a pod is \
             created, so restarting the container never helps.{gone}",
            self.possible_reasons()
        )
    }

    fn remedy(&self) -> Vec<String> {
        let mut steps = self.steps();
        // A container without an API token can be one of kubectl debug.
        if self.service_account.is_none() {
            let pod = self.pod.as_deref().map_or_else(|| "POD".to_owned(), shell_quote);
            steps.push(format!(
                "If this is an ephemeral container of kubectl debug: those are never injected. Make one in the \
                 PID namespace of the application's container (--target), with its user (APP_UID), and it looks \
                 through the application. Where the pod \
                 shares one PID namespace, --pid auto (IRSA_PROBE_PID=auto) looks through another container's \
                 process:\n{}",
                debug_as_application(&pod)
            ));
        }
        steps
    }

    fn evidence(&self) -> Evidence {
        let account = self.service_account.as_ref();
        Evidence::new()
            .text_if("namespace", account.map(|account| account.namespace.as_str()))
            .text_if("service_account", account.map(|account| account.name.as_str()))
            .text_if(
                "annotated_role_arn",
                self.account.as_ref().and_then(|account| account.role_arn.as_deref()),
            )
            .text_if(
                "service_account_read",
                self.service_account_error.as_ref().map(ServiceAccountError::to_string).as_deref(),
            )
    }
}

/// Why only one variable of the pair is set.
const HALF_SET: &str = "The webhook injects both variables or neither: if the pod spec already sets \
    one of them, it leaves the other out.";

/// The variable of the pair that the pod spec sets.
#[derive(Debug, Clone)]
pub(crate) struct PresetVariable(pub(crate) &'static str);

impl PresetVariable {
    fn remedy(&self) -> Vec<String> {
        let Self(preset) = self;
        vec![
            format!(
                "Find where {preset} is set: env, envFrom, a chart's values or the image's ENV.\n\
                 kubectl -n NAMESPACE get pod POD -o jsonpath='{{range .spec.initContainers[*]}}{{.name}} {{.env}} {{.envFrom}}{{\"\\n\"}}{{end}}{{range .spec.containers[*]}}{{.name}} {{.env}} {{.envFrom}}{{\"\\n\"}}{{end}}'"
            ),
            format!("Remove {preset} there, and let the service account's annotation inject both."),
            delete_pod(None, None),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
    }
}

wordings! { PresetVariable:
    /// The token file is set and the role is not.
    RoleArnVarMissing;
    |_| format!(
        "AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not. {HALF_SET} With this half \
         boto3, the AWS CLI and the Go SDKs stop with an error; the Java, JavaScript, Rust, Ruby, \
         C++, .NET, PHP, Kotlin and Swift SDKs silently take the node's role."
    );
    |preset| preset.remedy();

    /// The role is set to an empty text.
    RoleArnVarEmpty;
    |_| "AWS_ROLE_ARN is set, but to an empty text. A variable that the pod spec sets, even to \
         nothing, keeps the webhook from injecting the pair.".to_owned();
    |preset| preset.remedy();

    /// The role is set and the token file is not.
    TokenFileVarMissing;
    |_| format!(
        "AWS_ROLE_ARN is set, AWS_WEB_IDENTITY_TOKEN_FILE is not. {HALF_SET} With this half \
         nearly every SDK, boto3, the AWS CLI, Go, JavaScript, Rust, Ruby and C++ among them, \
         silently takes the node's role; version 1 of the Java SDK fails."
    );
    |preset| preset.remedy();

    /// The token file is set to an empty text.
    TokenFileVarEmpty;
    |_| "AWS_WEB_IDENTITY_TOKEN_FILE is set, but to an empty text. A variable that the pod spec sets, \
         even to nothing, keeps the webhook from injecting the pair.".to_owned();
    |preset| preset.remedy();
}

/// The pod uses EKS Pod Identity, which this version does not test.
#[derive(Debug, Clone)]
pub struct PodIdentityOnly {
    /// The variable with the address of the credentials. Its value can be a secret.
    pub(crate) variable: &'static str,
}

impl Entry for PodIdentityOnly {
    fn cause(&self) -> String {
        "Only the container credentials variables are set: this pod gets its role through EKS Pod \
         Identity or another credentials endpoint, not through IRSA. This version tests IRSA alone, so \
         nothing was judged."
            .to_owned()
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "If Pod Identity is meant, leave irsa-probe out of this pod, or run it with \
             --tolerate not-judged.",
            "If IRSA is meant, delete the Pod Identity association, which takes precedence over the \
             annotation, and then the pod:\n\
             aws eks list-pod-identity-associations --cluster-name CLUSTER --namespace NAMESPACE --service-account \
             SERVICE_ACCOUNT"
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().value("variable", self.variable)
    }
}

/// The pod has another role than `--expect-role-arn` names.
#[derive(Debug, Clone)]
pub struct RoleArnUnexpected {
    pub(crate) found: String,
    pub(crate) expected: String,
}

impl Entry for RoleArnUnexpected {
    fn cause(&self) -> String {
        format!(
            "The pod was given the role {}, and {} was expected. The annotation was either written \
             with another role, or changed after the pod was created.",
            sanitize(&self.found),
            sanitize(&self.expected)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            format!(
                "If the expected role is right, annotate the service account with it:\n{}",
                annotate_role(None, &shell_quote(&self.expected))
            ),
            delete_pod(None, None),
            "If the pod's role is right, correct --expect-role-arn or IRSA_PROBE_EXPECT_ROLE_ARN of irsa-probe."
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("role_arn", &self.found).text("expected_role_arn", &self.expected)
    }
}

/// STS does not accept the session name in the environment.
#[derive(Debug, Clone)]
pub struct SessionNameMalformed {
    pub(crate) name: String,
}

impl Entry for SessionNameMalformed {
    fn cause(&self) -> String {
        format!(
            "AWS_ROLE_SESSION_NAME is \"{}\", and STS takes 2 to 64 letters, digits and _=,.@+- as the name of a \
             session. The check went on with a name made legal; the application's SDK sends it as it is, and is \
             refused.",
            sanitize(&self.name)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps!["Correct AWS_ROLE_SESSION_NAME in the pod spec, or remove it."]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("aws_role_session_name", &self.name)
    }
}

#[cfg(test)]
mod tests {
    use sdk_chain::situation::ChainInput;
    use sdk_chain::{CredentialSource, SdkId, resolve};

    /// The causes say what each SDK does with half of the pair. They leave out modes that a program must ask for.
    #[test]
    fn sdks_treat_half_of_the_pair_as_the_causes_say() {
        let sources = |variable: &str, value: &str| {
            let mut input = ChainInput::default();
            input.set_variable(variable, value);
            input.set_variable("AWS_REGION", "eu-west-1");
            let named = SdkId::ALL.iter().filter(|id| id.is_default() && **id != SdkId::GoV1Old);
            let sources = named.map(|id| (*id, resolve(*id, &input).source));
            let is_node_role = |source| source == CredentialSource::NodeRole;
            let (node_role, other): (Vec<_>, Vec<_>) = sources.partition(|(_, source)| is_node_role(*source));
            assert!(other.iter().all(|(_, source)| CredentialSource::FAILURES.contains(source)), "{other:?}");
            (node_role.len(), other.into_iter().map(|(id, _)| id).collect::<Vec<_>>())
        };
        let (node_role, failing) = sources("AWS_WEB_IDENTITY_TOKEN_FILE", "/token");
        let expected = [SdkId::Boto, SdkId::CliV2, SdkId::GoV2, SdkId::GoV1, SdkId::GoV1LoadConfig];
        let words = "the cause of RoleArnVarMissing and its page name the SDKs that do this";
        assert_eq!((node_role, failing), (12, expected.to_vec()), "{words}");
        let (node_role, failing) = sources("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/checkout");
        let words = "the cause of TokenFileVarMissing and its page name the SDKs that do this";
        assert_eq!((node_role, failing), (16, vec![SdkId::JavaV1]), "{words}");
    }
}
