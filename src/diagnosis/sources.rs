//! Other credentials in the pod, which an SDK may take instead of the role.

use super::{Class, Entry, Owner};
use crate::evidence::Evidence;
use crate::shown::shown;

/// Keys in the environment.
#[derive(Debug, Clone)]
pub struct ShadowedByStaticKeys {
    /// The variables that are set.
    pub variables: Vec<&'static str>,
    /// Whether only one half of a pair of keys is set.
    pub half: bool,
}

impl Entry for ShadowedByStaticKeys {
    const CLASS: Class = Class::Misconfigured;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        if self.half && self.variables.contains(&"AWS_ACCESS_KEY_ID") {
            return "AWS_ACCESS_KEY_ID is set in this container without AWS_SECRET_ACCESS_KEY. boto3 and the AWS CLI \
                    stop with an error over it; most other SDKs pass it over."
                .to_owned();
        }
        if self.half {
            return "AWS_SECRET_ACCESS_KEY is set in this container without AWS_ACCESS_KEY_ID. SDKs pass it over; a \
                    key id that is added later would come before the role."
                .to_owned();
        }
        format!(
            "{} are set in this container. Nearly every SDK takes keys from the environment before the role; \
             only version 3 of the .NET SDK takes the role first.",
            self.variables.join(" and ")
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
        Evidence::new().texts("variables", &self.variables)
    }
}

/// A profile is selected.
#[derive(Debug, Clone)]
pub struct ShadowedByProfile {
    /// The variable that selects it.
    pub variable: &'static str,
    /// The profile's name.
    pub profile: String,
}

impl Entry for ShadowedByProfile {
    const CLASS: Class = Class::Misconfigured;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        if self.profile.is_empty() {
            return format!(
                "{} is set to nothing. boto3 and the AWS CLI look for a profile without a name and fail; most other \
                 SDKs take it for not set.",
                self.variable
            );
        }
        format!(
            "{} selects the profile \"{}\". JavaScript, Rust, C++ and Swift take a profile's credentials before \
             the role, boto3 does for a profile with a role of its own, and boto3, the AWS CLI and Go v2 fail if \
             the profile does not exist.",
            self.variable,
            shown(&self.profile)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![format!("Remove {} from the container, unless the profile is meant.", self.variable)]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().value("variable", self.variable).text("profile", &self.profile)
    }
}

/// A shared file has credentials for the profile in use.
#[derive(Debug, Clone)]
pub struct ShadowedBySharedFile {
    /// The files that were read.
    pub files: Vec<String>,
    /// The profile with credentials.
    pub profile: String,
    /// The keys that make it a source of credentials; never their values.
    pub keys: Vec<String>,
}

impl Entry for ShadowedBySharedFile {
    const CLASS: Class = Class::Misconfigured;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        format!(
            "The profile \"{}\" in {} has credentials of its own ({}). JavaScript, Rust, C++ and Swift take them \
             before the role; boto3 and the AWS CLI do, too, for a profile with \
             role_arn and source_profile or credential_source.",
            shown(&self.profile),
            self.files.iter().map(|file| shown(file)).collect::<Vec<_>>().join(", "),
            self.keys.iter().map(|key| shown(key)).collect::<Vec<_>>().join(", ")
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            "Remove the file from the image, or unmount the volume that brings it, unless it is meant."
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().texts("files", &self.files).text("profile", &self.profile).texts("keys", &self.keys)
    }
}

/// Container credentials beside the web identity.
#[derive(Debug, Clone)]
pub struct ShadowedByContainerCredentials {
    /// The variables that are set.
    pub variables: Vec<&'static str>,
}

impl Entry for ShadowedByContainerCredentials {
    const CLASS: Class = Class::Misconfigured;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        format!(
            "{} is set beside the web identity, as EKS Pod Identity sets it. Version 2 of the JavaScript SDK \
             takes those credentials before the role; most other SDKs take the role.",
            self.variables.join(" and ")
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec![
            "Decide for one of the two: remove the annotation from the service account, or the Pod Identity \
             association, and then delete the pod:\n\
             aws eks list-pod-identity-associations --cluster-name CLUSTER"
                .to_owned(),
        ]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().texts("variables", &self.variables)
    }
}

/// A shared file that cannot be read or parsed.
#[derive(Debug, Clone)]
pub struct SharedConfigMalformed {
    /// Its path.
    pub path: String,
    /// What is wrong with it.
    pub fault: String,
}

impl Entry for SharedConfigMalformed {
    const CLASS: Class = Class::Misconfigured;
    const OWNER: Owner = Owner::Workload;

    fn cause(&self) -> String {
        format!(
            "The shared file {} cannot be used: {}. boto3, the AWS CLI, Rust and version 1 of the Go SDK stop with an \
             error over such a file, although they would get the role without it.",
            shown(&self.path),
            shown(&self.fault)
        )
    }

    fn remedy(&self) -> Vec<String> {
        vec!["Correct the file, or remove it from the image or the volume that brings it.".to_owned()]
    }

    fn evidence(&self) -> Evidence {
        Evidence::new().text("file", &self.path)
    }
}
