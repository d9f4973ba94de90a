//! Nothing shadows the role: other credentials in the pod, which an SDK may take first.

use crate::aws::profile::{BadFile, Profiles};
use crate::checks::web_identity::{CONTAINER_CREDENTIALS, ROLE_ARN, TOKEN_FILE};
use crate::diagnosis::Diagnosis;
use crate::diagnosis::sources::{
    ShadowedByContainerCredentials, ShadowedByProfile, ShadowedBySharedFile, ShadowedByStaticKeys,
    SharedConfigMalformed,
};
use crate::evidence::Evidence;
use crate::pod::Pod;
use crate::run::{Observed, Verdict};

/// The sources that were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    files: Vec<String>,
}

impl Observed for Sources {
    fn evidence(&self) -> Evidence {
        if self.files.is_empty() {
            Evidence::new()
        } else {
            Evidence::new().texts("shared_files", &self.files)
        }
    }
}

/// Judges the variables and the shared files; values of keys are never looked at.
#[must_use]
pub fn judge(pod: &Pod, profiles: &Result<Profiles, BadFile>) -> Verdict<Sources> {
    let set = |names: &[&'static str]| -> Vec<&'static str> {
        names.iter().copied().filter(|name| pod.filled(name).is_some()).collect()
    };
    let mut warnings: Vec<Diagnosis> = Vec::new();

    let variables = set(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]);
    if !variables.is_empty() {
        let half = variables.len() == 1;
        warnings.push(ShadowedByStaticKeys { variables, half }.into());
    }
    if let Some((variable, profile)) =
        ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].into_iter().find_map(|name| Some((name, pod.variable(name)?)))
    {
        warnings.push(ShadowedByProfile { variable, profile }.into());
    }
    let container = set(&CONTAINER_CREDENTIALS);
    if !container.is_empty() && !set(&[ROLE_ARN, TOKEN_FILE]).is_empty() {
        warnings.push(ShadowedByContainerCredentials { variables: container }.into());
    }
    let files = match profiles {
        Ok(profiles) => {
            let keys = profiles.credential_keys();
            if !keys.is_empty() {
                let (files, profile) = (profiles.files.clone(), profiles.selected.clone());
                warnings.push(ShadowedBySharedFile { files, profile, keys }.into());
            }
            profiles.files.clone()
        }
        Err(BadFile { path, fault }) => {
            warnings.push(SharedConfigMalformed { path: path.clone(), fault: fault.clone() }.into());
            Vec::new()
        }
    };
    Verdict::holds(Sources { files }, warnings)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::aws::profile::Profiles;
    use crate::pod::{Clock, Pod};
    use crate::run::Verdict;
    use std::time::{Duration, SystemTime};
    use tokio::time::Instant;

    async fn names(variables: &[(&str, &str)]) -> Vec<&'static str> {
        let pod = Pod::recorded(variables.iter().copied(), Clock::Fixed(SystemTime::UNIX_EPOCH));
        let profiles = Profiles::load(&pod, Instant::now() + Duration::from_secs(20)).await;
        match judge(&pod, &profiles) {
            Verdict::Warn(_, warnings) => warnings.iter().map(|warning| warning.name().as_str()).collect(),
            _ => vec![],
        }
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the test makes the files that it reads")]
    async fn each_source_is_found() {
        let dir = std::env::temp_dir().join(format!("irsa-probe-sources-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (keys, bad, plain) = (dir.join("keys"), dir.join("bad"), dir.join("plain"));
        std::fs::write(&keys, "[default]\naws_access_key_id = AKIA\naws_secret_access_key = x\n").unwrap();
        std::fs::write(&bad, "[default\naws_access_key_id\n").unwrap();
        std::fs::write(&plain, "[default]\nregion = eu-west-1\n").unwrap();
        let (keys, bad, plain) = (keys.to_str().unwrap(), bad.to_str().unwrap(), plain.to_str().unwrap());
        for (variables, expected) in [
            (&[][..], vec![]),
            (&[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")], vec!["ShadowedByStaticKeys"]),
            (&[("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")], vec![]),
            (&[("AWS_PROFILE", "p")], vec!["ShadowedByProfile"]),
            (&[("AWS_PROFILE", "")], vec!["ShadowedByProfile"]),
            (&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://x")], vec![]),
            (
                &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://x"), ("AWS_ROLE_ARN", "a")],
                vec!["ShadowedByContainerCredentials"],
            ),
            (&[("AWS_SHARED_CREDENTIALS_FILE", keys)], vec!["ShadowedBySharedFile"]),
            (&[("AWS_CONFIG_FILE", bad)], vec!["SharedConfigMalformed"]),
            (&[("AWS_CONFIG_FILE", plain)], vec![]),
        ] {
            assert_eq!(names(variables).await, expected, "{variables:?}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
