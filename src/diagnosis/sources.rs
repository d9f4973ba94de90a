//! Other credentials in the pod that SDKs use instead of the role. [`sdk_chain`] says which SDKs do so in this pod.

use super::Entry;
use super::identity::debug_as_application;
use crate::aws::keys::{KeyFault, describe_faults};
use crate::aws::setting::SettingSource;
use crate::evidence::Evidence;
use crate::text::sanitize;
use sdk_chain::SdkId;

/// The command that prints what each SDK does in a running container.
fn chain() -> String {
    format!("{} -- /irsa-probe chain", debug_as_application("POD"))
}

/// SDKs in a sentence: each by its name, or "every SDK but" the few that are missing.
fn sdk_list(names: &[&'static str]) -> String {
    let others: Vec<&str> = SdkId::ALL
        .iter()
        .filter(|id| id.is_default())
        .map(|id| id.rules().name)
        .filter(|name| !names.contains(name))
        .collect();
    match (names, others.as_slice()) {
        ([one], _) => (*one).to_owned(),
        (_, []) => "every SDK".to_owned(),
        (_, [_] | [_, _]) => format!("every SDK but {}", others.join(" and ")),
        ([first @ .., last], _) => format!("{} and {last}", first.join(", ")),
        ([], _) => "no SDK".to_owned(),
    }
}

/// [`sdk_list`] at the beginning of a sentence.
fn sdk_list_capitalized(names: &[&'static str]) -> String {
    let text = sdk_list(names);
    text.strip_prefix("every").map_or_else(|| text.clone(), |rest| format!("Every{rest}"))
}

/// The form of a verb after [`sdk_list`].
fn verb(names: &[&'static str], one: &'static str, many: &'static str) -> &'static str {
    if names.len() == 1 || sdk_list(names).starts_with("every") { one } else { many }
}

fn taken_words(names: &[&'static str], what: &str) -> String {
    let verb = verb(names, "takes", "take");
    match names {
        [] => String::new(),
        names => format!(" Before the role, {} {verb} {what}.", sdk_list(names)),
    }
}

fn stopped_words(names: &[&'static str]) -> String {
    let verb = verb(names, "ends", "end");
    match names {
        [] => String::new(),
        names => format!(" {} {verb} with an error or without credentials.", sdk_list_capitalized(names)),
    }
}

/// Access keys are set in the environment.
#[derive(Debug, Clone)]
pub struct ShadowedByStaticKeys {
    pub(crate) variables: Vec<&'static str>,
    pub(crate) taken_by: Vec<&'static str>,
    /// The SDKs that stop with an error because only one of a pair is set.
    pub(crate) stopped: Vec<&'static str>,
}

impl Entry for ShadowedByStaticKeys {
    fn cause(&self) -> String {
        let half = match self.variables.as_slice() {
            ["AWS_ACCESS_KEY_ID"] if self.taken_by.is_empty() => {
                " It is half of a pair: the secret is missing, and most SDKs pass it over."
            }
            ["AWS_SECRET_ACCESS_KEY"] if self.taken_by.is_empty() => {
                " It is half of a pair, which SDKs pass over; a key id that is added later would come before the role."
            }
            _ => "",
        };
        let variables = match self.variables.as_slice() {
            [] => String::new(),
            [one] => format!("{one} is set in this container."),
            [first @ .., last] => format!("{} and {last} are set in this container.", first.join(", ")),
        };
        format!(
            "{variables}{half}{}{}",
            taken_words(&self.taken_by, "these keys"),
            stopped_words(&self.stopped)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![format!(
            "Find where they are set (env, envFrom, a Secret, a chart's values, the image's ENV) and remove \
             them: {}.",
            self.variables.join(", ")
        )]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .texts("variables", &self.variables)
            .value("taken_by", self.taken_by.clone())
            .value("stop", self.stopped.clone())
    }
}

/// Access keys are set in the environment, and no request can carry them.
#[derive(Debug, Clone)]
pub struct StaticKeysMalformed {
    pub(crate) faults: Vec<(&'static str, KeyFault)>,
    /// What these keys do to the pod's role. `None` for keys of an audit.
    pub(crate) shadow: Option<ShadowedByStaticKeys>,
}

impl Entry for StaticKeysMalformed {
    fn cause(&self) -> String {
        let shadow = self.shadow.as_ref().map_or_else(String::new, |shadow| format!(" {}", shadow.cause()));
        format!("{}. No request can carry such a key.{shadow}", describe_faults(&self.faults))
    }

    fn remedy(&self) -> Vec<String> {
        match &self.shadow {
            Some(shadow) => shadow.remedy(),
            None => {
                let names: Vec<&str> = self.faults.iter().map(|(name, _)| *name).collect();
                steps![format!(
                    "Set {} without that character, and audit again. Where a Secret was made from a file, make the \
                     file without its last line break, as printf '%s' does.",
                    names.join(" and ")
                )]
            }
        }
    }

    fn evidence(&self) -> Evidence {
        let faults: Vec<String> = self.faults.iter().map(|(name, fault)| format!("{name} {fault}")).collect();
        let shadow = self.shadow.as_ref().map_or_else(Evidence::new, ShadowedByStaticKeys::evidence);
        shadow.texts("malformed", &faults)
    }
}

/// A profile is selected, and some SDK uses it instead of the role.
#[derive(Debug, Clone)]
pub struct ShadowedByProfile {
    pub(crate) variable: &'static str,
    pub(crate) profile: String,
    /// The role of the profile, if it has one, and where that is set.
    pub(crate) role: Option<(String, SettingSource)>,
    pub(crate) taken_by: Vec<&'static str>,
    /// The SDKs that stop with an error because of it.
    pub(crate) stopped: Vec<&'static str>,
}

impl Entry for ShadowedByProfile {
    fn cause(&self) -> String {
        let selects = if self.profile.is_empty() {
            format!("{} is set to nothing, which some SDKs take for a profile without a name.", self.variable)
        } else {
            let role = self.role.as_ref().map_or_else(String::new, |(role, source)| {
                format!(", which assumes the role {} ({source})", sanitize(role))
            });
            format!("{} selects the profile \"{}\"{role}.", self.variable, sanitize(&self.profile))
        };
        format!("{selects}{}{}", taken_words(&self.taken_by, "its credentials"), stopped_words(&self.stopped))
    }

    fn remedy(&self) -> Vec<String> {
        let remove = format!(
            "If the pod's own role is meant, remove {} where it is set (env, envFrom, the image, a start script).",
            self.variable
        );
        let Some((role, _)) = &self.role else {
            return vec![remove, "If the profile is meant, name it in the program instead.".to_owned()];
        };
        steps![
            remove,
            format!(
                "If {} is meant, start the program without AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE (env -u), because \
                 some SDKs use these before the profile. The profile then needs a source of its own, such as \
                 web_identity_token_file in its source_profile.",
                sanitize(role)
            )
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .value("variable", self.variable)
            .text("profile", &self.profile)
            .text_if("profile_role_arn", self.role.as_ref().map(|(role, _)| role.as_str()))
            .value("taken_by", self.taken_by.clone())
            .value("stop", self.stopped.clone())
    }
}

/// A shared file has credentials for the profile in use.
#[derive(Debug, Clone)]
pub struct ShadowedBySharedFile {
    pub(crate) files: Vec<String>,
    pub(crate) profile: String,
    /// The names of the settings with credentials, never their values.
    pub(crate) keys: Vec<String>,
    pub(crate) taken_by: Vec<&'static str>,
}

impl Entry for ShadowedBySharedFile {
    fn cause(&self) -> String {
        let of = |texts: &[String]| texts.iter().map(|text| sanitize(text)).collect::<Vec<_>>().join(", ");
        let place = if self.files.is_empty() { String::new() } else { format!(" in {}", of(&self.files)) };
        let keys = if self.keys.is_empty() { String::new() } else { format!(" ({})", of(&self.keys)) };
        format!(
            "The profile \"{}\"{place} has credentials of its own{keys}.{}",
            sanitize(&self.profile),
            taken_words(&self.taken_by, "them")
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps!["Remove the file from the image, or unmount the volume that brings it, unless it is meant."]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .texts("files", &self.files)
            .text("profile", &self.profile)
            .texts("keys", &self.keys)
            .value("taken_by", self.taken_by.clone())
    }
}

/// Container credentials are set beside the web identity.
#[derive(Debug, Clone)]
pub struct ShadowedByContainerCredentials {
    pub(crate) variables: Vec<&'static str>,
    pub(crate) taken_by: Vec<&'static str>,
}

impl Entry for ShadowedByContainerCredentials {
    fn cause(&self) -> String {
        format!(
            "{} is set beside the web identity, as EKS Pod Identity sets it.{} Who does not, takes the role.",
            self.variables.join(" and "),
            taken_words(&self.taken_by, "those credentials")
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "Decide for one of the two: remove the annotation from the service account, or the Pod Identity \
             association, and then delete the pod:\n\
             aws eks list-pod-identity-associations --cluster-name CLUSTER --namespace NAMESPACE --service-account \
             SERVICE_ACCOUNT"
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().texts("variables", &self.variables).value("taken_by", self.taken_by.clone())
    }
}

/// A shared file that cannot be read or parsed.
#[derive(Debug, Clone)]
pub struct SharedConfigMalformed {
    pub(crate) path: String,
    pub(crate) fault: String,
    /// The SDKs that stop with an error because of it.
    pub(crate) stopped: Vec<&'static str>,
}

impl Entry for SharedConfigMalformed {
    fn cause(&self) -> String {
        let over = if self.stopped.is_empty() {
            " No SDK stops over it, but what the file says is lost.".to_owned()
        } else {
            format!("{} Without the file the role is theirs.", stopped_words(&self.stopped))
        };
        format!("The shared file {} cannot be used: {}.{over}", sanitize(&self.path), sanitize(&self.fault))
    }

    fn remedy(&self) -> Vec<String> {
        steps!["Correct the file, or remove it from the image or the volume that brings it."]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("file", &self.path).value("stop", self.stopped.clone())
    }
}

/// The role works, and an SDK stops with an error before it uses the role.
#[derive(Debug, Clone)]
pub struct SdkCredentialError {
    pub(crate) stopped: Vec<&'static str>,
    /// Why the first of them stops.
    pub(crate) reason: String,
}

impl Entry for SdkCredentialError {
    fn cause(&self) -> String {
        let first = match self.stopped.as_slice() {
            [] | [_] => self.reason.clone(),
            [first, ..] => format!("For {first}: {}", self.reason),
        };
        format!("Something beside the role keeps an SDK from it.{} {first}", stopped_words(&self.stopped))
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "Remove what is in the way, or complete it: a variable of the container, or a profile in a \
             shared file of the image or of a volume.",
            format!("See what each SDK does in the application's container, and why:\n{}", chain())
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().value("stop", self.stopped.clone()).text("because", &self.reason)
    }
}

/// An SDK falls back to the node's role.
#[derive(Debug, Clone)]
pub struct FallsToNodeRole {
    pub(crate) falling: Vec<&'static str>,
    /// The SDKs that stop with an error instead.
    pub(crate) stopped: Vec<&'static str>,
    /// The node's role, if IMDS named it.
    pub(crate) node_role: Option<String>,
    /// Why IMDS did not name the node's role, if it was asked.
    pub(crate) imds_error: Option<String>,
    /// Why the application's SDK falls back even if the role works.
    pub(crate) application_reason: Option<String>,
}

impl Entry for FallsToNodeRole {
    fn cause(&self) -> String {
        let node =
            self.node_role.as_ref().map_or_else(String::new, |role| format!(", which is {}", sanitize(role)));
        match &self.application_reason {
            Some(because) => {
                let end = self.imds_error.as_ref().map_or_else(String::new, |why| {
                    format!(" When it was asked for from here, it was not given ({}).", sanitize(why))
                });
                let sdks = sdk_list_capitalized(&self.falling);
                format!("{sdks} does not take the pod's role, but asks for the node's{node}. {because}{end}")
            }
            None => {
                let verb = verb(&self.falling, "hides", "hide");
                let stops = match self.stopped.as_slice() {
                    [] => String::new(),
                    stops => format!(" {} would stop with an error instead.", sdk_list_capitalized(stops)),
                };
                format!(
                    "The role does not work, and the application may not say so: {} {verb} that behind the \
                     node's role{node}.{stops}",
                    sdk_list(&self.falling)
                )
            }
        }
    }

    fn remedy(&self) -> Vec<String> {
        let first = if self.application_reason.is_some() {
            "Make the SDK take the role: a newer version, the module that it lacks, or another way to its session, as \
             irsa-probe explain FallsToNodeRole lists them."
        } else {
            "Mend the role first: the diagnosis of this report says how."
        };
        steps![
            first,
            "Let the application's SDK stop instead of going on: set AWS_EC2_METADATA_DISABLED=true in its \
             container."
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .value("hide", self.falling.clone())
            .value("stop", self.stopped.clone())
            .text_if("node_role", self.node_role.as_deref())
            .text_if("node_role_not_given", self.imds_error.as_deref())
    }
}

/// The node's role can be reached from the pod.
#[derive(Debug, Clone)]
pub struct NodeRoleReachable {
    pub(crate) node_role: String,
    pub(crate) endpoint: String,
    /// Whether IMDS answers only calls without a token (IMDSv1).
    pub(crate) only_v1: bool,
}

impl Entry for NodeRoleReachable {
    fn cause(&self) -> String {
        let v1 = if self.only_v1 {
            " It does so without a token only (IMDSv1), which many SDKs try after a call for one."
        } else {
            ""
        };
        format!(
            "IMDS at {} answers this pod, and would give it the credentials of the node's role {}.{v1} \
             Everything in the pod has that role's rights, whatever its own role is.",
            sanitize(&self.endpoint),
            sanitize(&self.node_role)
        )
    }

    fn remedy(&self) -> Vec<String> {
        steps![
            "Keep pods from IMDS: require IMDSv2 with a hop limit of 1 in the node group's launch template, \
             or for one node:\n\
             aws ec2 modify-instance-metadata-options --instance-id INSTANCE --http-tokens required \
             --http-put-response-hop-limit 1",
            "A pod with hostNetwork: true reaches IMDS all the same: leave it out where it is not needed."
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new()
            .text("node_role", &self.node_role)
            .text("endpoint", &self.endpoint)
            .value("by", if self.only_v1 { "IMDSv1" } else { "IMDSv2" })
    }
}

#[cfg(test)]
mod tests {
    use super::{sdk_list, sdk_list_capitalized};
    use sdk_chain::SdkId;

    #[test]
    fn sdks_in_a_sentence() {
        let all: Vec<&str> = SdkId::ALL.iter().map(|id| id.rules().name).collect();
        assert_eq!(sdk_list(&["Go v2"]), "Go v2");
        assert_eq!(sdk_list(&["Go v2", "Rust", "Ruby"]), "Go v2, Rust and Ruby");
        assert_eq!(sdk_list(&all), "every SDK");
        assert_eq!(sdk_list_capitalized(&all[1..]), "Every SDK but Python (boto3)");
    }
}
