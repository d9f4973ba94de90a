//! Nothing shadows the role: no SDK uses other credentials in the pod before it, by the rules in [`sdk_chain`].
//!
//! This is judged as if the role worked. Other checks say whether it does.

use crate::aws::keys::{self, KeyFault};
use crate::aws::profile::{ProfileFileError, Profiles};
use crate::diagnosis::Diagnosis;
use crate::diagnosis::sources::{
    FallsToNodeRole, SdkCredentialError, ShadowedByContainerCredentials, ShadowedByProfile,
    ShadowedBySharedFile, ShadowedByStaticKeys, SharedConfigMalformed, StaticKeysMalformed,
};
use crate::env::CONTAINER_CREDENTIALS_VARIABLES;
use crate::evidence::{Evidence, HasEvidence};
use crate::host::Pod;
use crate::run::Verdict;
use crate::run::identity::Identity;
use sdk_chain::situation::ChainInput;
use sdk_chain::{self, ChainContext, CredentialSource, Resolution, SdkId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialSources {
    files: Vec<String>,
}

impl HasEvidence for CredentialSources {
    fn evidence(&self) -> Evidence {
        Evidence::new().texts_if_any("shared_files", &self.files)
    }
}

/// Judges what SDKs find. What keeps every SDK of the application from the role is a failure, anything else a
/// warning. The values of keys are never read.
pub(crate) fn judge(
    identity: &Identity,
    chain: &ChainContext,
    profiles: &Result<Profiles, ProfileFileError>,
    key_faults: &[KeyFaultOf],
) -> Verdict<CredentialSources> {
    let working =
        ChainContext { input: identity.works_in(&chain.input), application: chain.application.clone() };
    let answers = SdkAnswers {
        is_injected: identity.is_found_by_sdks(&working.input),
        expected: identity.credential_source(),
        situation: &working.input,
        profiles,
        key_faults,
        answers: working.likely_resolutions(),
    };
    let own: Option<Vec<Diagnosis>> =
        chain.application.sdks().iter().map(|sdk| answers.failure_of_sdk(*sdk)).collect();
    if let Some(diagnosis) =
        own.filter(|_| chain.application.is_complete()).and_then(|own| own.into_iter().next())
    {
        return Verdict::Fail(diagnosis);
    }
    let files = profiles.as_ref().map_or_else(|_| Vec::new(), |profiles| profiles.files.clone());
    Verdict::holds(CredentialSources { files }, answers.warnings())
}

struct SdkAnswers<'a> {
    /// Whether SDKs find the pod's identity.
    is_injected: bool,
    expected: CredentialSource,
    situation: &'a ChainInput,
    profiles: &'a Result<Profiles, ProfileFileError>,
    key_faults: &'a [KeyFaultOf],
    answers: Vec<Resolution>,
}

/// A variable, and why no request can carry the key in it.
type KeyFaultOf = (&'static str, KeyFault);

const KEYS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
/// Their old names, which some SDKs still read.
const LEGACY_KEYS: [&str; 5] = [
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "SECRET_ACCESS_KEY",
    "AMAZON_ACCESS_KEY_ID",
    "AMAZON_SECRET_ACCESS_KEY",
];

/// The variables of keys that no request can carry. The keys themselves are not kept.
pub(crate) fn key_faults(pod: &Pod) -> Vec<KeyFaultOf> {
    keys::faulty_variables(pod, keys::KEY_VARIABLES.into_iter().chain(LEGACY_KEYS))
}

impl SdkAnswers<'_> {
    fn set_variables(&self, names: &[&'static str]) -> Vec<&'static str> {
        names.iter().copied().filter(|name| self.situation.filled(name).is_some()).collect()
    }

    fn names_using(&self, sources: &[CredentialSource]) -> Vec<&'static str> {
        sdk_chain::names_of(&self.answers, sources)
    }

    /// The set variables of keys that matter to SDKs with these sources.
    fn key_variables(&self, sources: &[CredentialSource]) -> Vec<&'static str> {
        let legacy = if sources.contains(&CredentialSource::LegacyKeys) {
            self.set_variables(&LEGACY_KEYS)
        } else {
            Vec::new()
        };
        self.set_variables(&KEYS).into_iter().chain(legacy).collect()
    }

    /// The variable that selects an SDK's profile, and the profile.
    fn selected_profile(&self, sdk: SdkId) -> Option<(&'static str, String)> {
        let variables = sdk.rules().profile.variables.iter().copied();
        let of = |value: fn(&ChainInput, &str) -> Option<String>| {
            variables.clone().find_map(|name| Some((name, value(self.situation, name)?)))
        };
        of(|situation, name| situation.filled(name).map(str::to_owned))
            .or_else(|| of(|situation, name| situation.variable(name).map(str::to_owned)))
    }

    /// The first SDK that uses one of these sources.
    fn first_using(&self, sources: &[CredentialSource]) -> Option<&Resolution> {
        self.answers.iter().find(|answer| sources.contains(&answer.source))
    }

    fn warnings(&self) -> Vec<Diagnosis> {
        let mut warnings: Vec<Diagnosis> = Vec::new();
        // SDKs that stop are listed with the first warning only.
        let mut stops = self.names_using(CredentialSource::FAILURES);
        let is_half = self.set_variables(&KEYS).len() == 1;
        let takes = self.names_using(&[CredentialSource::Keys, CredentialSource::LegacyKeys]);
        if is_half || !takes.is_empty() {
            let stops = if is_half { std::mem::take(&mut stops) } else { Vec::new() };
            let picks: Vec<CredentialSource> = self.answers.iter().map(|answer| answer.source).collect();
            warnings.push(self.static_keys_diagnosis(self.key_variables(&picks), takes, stops));
        }
        if let Err(ProfileFileError { path, fault }) = self.profiles {
            let stops = std::mem::take(&mut stops);
            warnings.push(
                SharedConfigMalformed { path: path.clone(), fault: fault.clone(), stopped: stops }.into(),
            );
        }
        let of_profile = self.names_using(CredentialSource::OF_PROFILE);
        // The profile that an SDK uses, or else the one over which an SDK stops.
        let concerned = self
            .first_using(CredentialSource::OF_PROFILE)
            .or_else(|| self.first_using(CredentialSource::FAILURES).filter(|_| !stops.is_empty()));
        match concerned.and_then(|answer| self.selected_profile(answer.sdk)) {
            Some((variable, profile)) => {
                let stops = std::mem::take(&mut stops);
                warnings.push(self.profile_diagnosis(variable, profile, of_profile, stops));
            }
            None if !of_profile.is_empty() => warnings.push(self.shared_file_diagnosis(of_profile)),
            None => {}
        }
        let container = self.names_using(&[CredentialSource::Container]);
        if !container.is_empty() && self.expected != CredentialSource::Container && self.is_injected {
            let variables = self.set_variables(&CONTAINER_CREDENTIALS_VARIABLES);
            warnings.push(ShadowedByContainerCredentials { variables, taken_by: container }.into());
        }
        if !stops.is_empty() && self.is_injected {
            let because = self
                .first_using(CredentialSource::FAILURES)
                .map_or_else(String::new, |answer| answer.reason.clone());
            warnings.push(SdkCredentialError { stopped: stops, reason: because }.into());
        }
        warnings
    }

    fn failure_of_sdk(&self, sdk: SdkId) -> Option<Diagnosis> {
        let answer = self.answers.iter().find(|answer| answer.sdk == sdk)?;
        let name = answer.sdk.rules().name;
        Some(match answer.source {
            source if source == self.expected => return None,
            // Only a pod with another kind of identity has this source besides its own.
            CredentialSource::WebIdentity => return None,
            // Without an identity, these remain.
            CredentialSource::Container
            | CredentialSource::NodeRole
            | CredentialSource::Nothing
            | CredentialSource::Error
            | CredentialSource::Crash
                if !self.is_injected =>
            {
                return None;
            }
            CredentialSource::Keys | CredentialSource::LegacyKeys => {
                let variables = self.key_variables(&[answer.source]);
                self.static_keys_diagnosis(variables, vec![name], Vec::new())
            }
            CredentialSource::Profile
            | CredentialSource::Process
            | CredentialSource::AssumedRole
            | CredentialSource::ProfileWebIdentity => match self.selected_profile(sdk) {
                Some((variable, profile)) => {
                    self.profile_diagnosis(variable, profile, vec![name], Vec::new())
                }
                None => self.shared_file_diagnosis(vec![name]),
            },
            CredentialSource::Container => {
                let variables = self.set_variables(&CONTAINER_CREDENTIALS_VARIABLES);
                ShadowedByContainerCredentials { variables, taken_by: vec![name] }.into()
            }
            CredentialSource::NodeRole => {
                let although = Some(answer.reason.clone());
                FallsToNodeRole {
                    falling: vec![name],
                    stopped: Vec::new(),
                    node_role: None,
                    imds_error: None,
                    application_reason: although,
                }
                .into()
            }
            CredentialSource::Nothing | CredentialSource::Error | CredentialSource::Crash => {
                SdkCredentialError { stopped: vec![name], reason: answer.reason.clone() }.into()
            }
        })
    }

    fn profile_diagnosis(
        &self,
        variable: &'static str,
        profile: String,
        taken_by: Vec<&'static str>,
        stopped: Vec<&'static str>,
    ) -> Diagnosis {
        let profiles = self.profiles.as_ref().ok().filter(|profiles| profiles.selected == profile);
        let role = profiles.and_then(|profiles| profiles.setting("role_arn"));
        ShadowedByProfile { variable, profile, role, taken_by, stopped }.into()
    }

    fn static_keys_diagnosis(
        &self,
        variables: Vec<&'static str>,
        taken_by: Vec<&'static str>,
        stopped: Vec<&'static str>,
    ) -> Diagnosis {
        let shadow = ShadowedByStaticKeys { variables, taken_by, stopped };
        if self.key_faults.is_empty() {
            shadow.into()
        } else {
            StaticKeysMalformed { faults: self.key_faults.to_vec(), shadow: Some(shadow) }.into()
        }
    }

    fn shared_file_diagnosis(&self, takes: Vec<&'static str>) -> Diagnosis {
        let profiles = self.profiles.as_ref();
        let files = profiles.map_or_else(|_| Vec::new(), |profiles| profiles.files.clone());
        let keys = profiles.map_or_else(|_| Vec::new(), Profiles::credential_keys);
        let profile = profiles.map_or_else(|_| "default".to_owned(), |profiles| profiles.selected.clone());
        ShadowedBySharedFile { files, profile, keys, taken_by: takes }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::{KEYS, judge, key_faults};
    use crate::aws::profile::Profiles;
    use crate::host::{Clock, Pod};
    use crate::probes::chain_input::read_chain_input;
    use crate::run::Verdict;
    use crate::run::identity::Identity;
    use crate::run::options::CheckOptions;
    use sdk_chain::{ApplicationSdks, ChainContext, SdkId};
    use std::time::{Duration, SystemTime};
    use tokio::time::Instant;

    const IDENTITY: [(&str, &str); 2] =
        [("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/a"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")];
    const CONTAINER: (&str, &str) =
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials");

    fn identity(pod: &Pod) -> Identity {
        Identity::of(pod, &CheckOptions::default())
    }

    async fn names(variables: &[(&str, &str)], used: ApplicationSdks) -> Vec<&'static str> {
        let all = IDENTITY.iter().chain(variables).copied();
        let pod = Pod::recorded(all, Clock::Fixed(SystemTime::UNIX_EPOCH));
        let until = Instant::now() + Duration::from_secs(20);
        let profiles = Profiles::load(&pod, None, until).await;
        let outlook = ChainContext { input: read_chain_input(&pod, until).await, application: used };
        match judge(&identity(&pod), &outlook, &profiles, &key_faults(&pod)) {
            Verdict::Pass(_) => vec![],
            Verdict::Warn(_, warnings) => warnings.iter().map(|warning| warning.name().as_str()).collect(),
            Verdict::Fail(diagnosis) => vec!["fails", diagnosis.name().as_str()],
        }
    }

    #[tokio::test]
    async fn without_an_identity_only_what_would_come_before_it_is_in_the_way() {
        let until = Instant::now() + Duration::from_secs(20);
        for (variables, fails) in
            [(&[][..], false), (&[CONTAINER], false), (&KEYS.map(|name| (name, "a")), true)]
        {
            let pod = Pod::recorded(variables.iter().copied(), Clock::Fixed(SystemTime::UNIX_EPOCH));
            let outlook = ChainContext {
                input: read_chain_input(&pod, until).await,
                application: ApplicationSdks::Stated(SdkId::Boto),
            };
            let profiles = Profiles::load(&pod, None, until).await;
            let verdict = judge(&identity(&pod), &outlook, &profiles, &[]);
            assert_eq!(matches!(verdict, Verdict::Fail(_)), fails, "{variables:?}");
        }
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the test makes the files that it reads")]
    async fn each_source_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).unwrap();
            dir.path().join(name).to_string_lossy().into_owned()
        };
        let keys = path("keys", "[default]\naws_access_key_id = AKIA\naws_secret_access_key = x\n");
        let role = path("role", "[default]\nrole_arn = arn:aws:iam::111122223333:role/b\n");
        let (bad, plain) = (path("bad", "[default\nkey\n"), path("plain", "[default]\nregion = eu-west-1\n"));
        let pair = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
        for (variables, expected) in [
            (&[][..], vec![]),
            (&pair, vec!["ShadowedByStaticKeys"]),
            (&pair[..1], vec!["ShadowedByStaticKeys"]),
            (&pair[1..], vec!["ShadowedByStaticKeys"]),
            (&[("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")], vec![]),
            (&[("AWS_ACCESS_KEY", "a"), ("AWS_SECRET_KEY", "b")], vec!["ShadowedByStaticKeys"]),
            (&[("AMAZON_ACCESS_KEY_ID", "a")], vec![]),
            (&[("AWS_PROFILE", "p")], vec!["ShadowedByProfile"]),
            (&[("AWS_PROFILE", "")], vec!["ShadowedByProfile"]),
            (&[("AWS_PROFILE", "default"), ("AWS_CONFIG_FILE", &plain)], vec![]),
            (&[CONTAINER], vec!["ShadowedByContainerCredentials"]),
            (&[("AWS_SHARED_CREDENTIALS_FILE", &keys)], vec!["ShadowedBySharedFile"]),
            (&[("AWS_CONFIG_FILE", &role)], vec!["SdkCredentialError"]),
            (&[("AWS_CONFIG_FILE", &bad)], vec!["SharedConfigMalformed"]),
            (&[("AWS_CONFIG_FILE", &plain)], vec![]),
        ] {
            assert_eq!(names(variables, ApplicationSdks::Unknown).await, expected, "{variables:?}");
        }
        for (variables, sdk, expected) in [
            (&[][..], SdkId::Boto, vec![]),
            (&[], SdkId::GoV1Old, vec!["fails", "FallsToNodeRole"]),
            (&pair, SdkId::Boto, vec!["fails", "ShadowedByStaticKeys"]),
            (&pair, SdkId::DotNet3, vec![]),
            (&pair[..1], SdkId::Boto, vec!["fails", "SdkCredentialError"]),
            (&[("AWS_SHARED_CREDENTIALS_FILE", &keys)], SdkId::Boto, vec![]),
            (&[("AWS_SHARED_CREDENTIALS_FILE", &keys)], SdkId::JsV3, vec!["fails", "ShadowedBySharedFile"]),
            (
                &[("AWS_SHARED_CREDENTIALS_FILE", &keys), ("AWS_PROFILE", "default")],
                SdkId::JsV3,
                vec!["fails", "ShadowedByProfile"],
            ),
            (&[CONTAINER], SdkId::JsV2, vec!["fails", "ShadowedByContainerCredentials"]),
        ] {
            assert_eq!(
                names(variables, ApplicationSdks::Stated(sdk)).await,
                expected,
                "{variables:?} {sdk:?}"
            );
        }
        let found = |sdks: &[SdkId], whole| ApplicationSdks::Found { sdks: sdks.to_vec(), complete: whole };
        for (used, expected) in [
            (found(&[SdkId::JsV3], true), vec!["fails", "ShadowedBySharedFile"]),
            (found(&[SdkId::JsV3], false), vec!["ShadowedBySharedFile"]),
            (found(&[SdkId::JsV3, SdkId::Rust], true), vec!["fails", "ShadowedBySharedFile"]),
            (found(&[SdkId::JsV3, SdkId::Boto], true), vec!["ShadowedBySharedFile"]),
            (found(&[SdkId::Boto], true), vec!["ShadowedBySharedFile"]),
            (found(&[], true), vec!["ShadowedBySharedFile"]),
        ] {
            let said = format!("{used:?}");
            assert_eq!(names(&[("AWS_SHARED_CREDENTIALS_FILE", &keys)], used).await, expected, "{said}");
        }
    }
}
