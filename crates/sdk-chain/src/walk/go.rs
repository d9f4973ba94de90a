//! The check that the Go SDKs make of a profile as they load it.

use super::{ResolvedView, StepResult, filled, is_pair};
use crate::rules::{GoProfile, OnFailure, ProfileFile};

impl ResolvedView<'_> {
    /// Sources: `SharedConfig.setFromIniSections` in `aws-sdk-go-v2/config/shared_config.go`, and
    /// `sharedConfig.setFromIniFiles` in `aws-sdk-go/aws/session/shared_config.go`.
    pub(super) fn profile_must_be_sound(&self, go: GoProfile) -> StepResult {
        if go.unless_keys && self.has_keys() && self.profile_is_default() {
            return Ok(None);
        }
        let mut profile = self.profile.as_str();
        let mut visited: Vec<&str> = Vec::new();
        while let Some(section) = self.section(ProfileFile::Both, profile) {
            let words = self.profile_words(profile);
            if go.half_pair_fails && self.is_half(profile) {
                return OnFailure::Error.because(format!("Half a pair of keys is in {words}"));
            }
            let first = !visited.contains(&profile);
            let has = |name| filled(section, name).is_some();
            let source = filled(section, "source_profile").filter(|_| go.roles && first);
            let named = go.roles && has("credential_source");
            let kinds = [source.is_some(), named, has("credential_process"), has("web_identity_token_file")];
            let needs_role = source.is_some() || named || has("web_identity_token_file");
            if first && needs_role && !(go.roles && has("role_arn")) {
                return OnFailure::Error.because(format!("There is no role_arn for the source in {words}"));
            }
            if !visited.is_empty() && is_pair(section) {
                return Ok(None);
            }
            if kinds.iter().filter(|kind| **kind).count() > 1 {
                return OnFailure::Error.because(format!("There is more than one kind of source in {words}"));
            }
            visited.push(profile);
            let Some(source) = source else {
                let any =
                    kinds.contains(&true) || is_pair(section) || has("sso_account_id") || has("sso_session");
                if visited.len() > 1 && !any {
                    return OnFailure::Error
                        .because(format!("There are no credentials in the source, {words}"));
                }
                return Ok(None);
            };
            if self.section(ProfileFile::Both, source).is_none() {
                let source = self.profile_words(source);
                return OnFailure::Error.because(format!("The source of {words}, {source}, does not exist"));
            }
            profile = source;
        }
        Ok(None)
    }

    /// Whether the file that wins has half a pair of keys for the profile.
    fn is_half(&self, profile: &str) -> bool {
        let of = |file: ProfileFile| self.section(file, profile);
        let section = of(ProfileFile::Credentials).or_else(|| of(ProfileFile::Config));
        let has = |name: &str| section.is_some_and(|section| section.contains_key(name));
        has("aws_access_key_id") != has("aws_secret_access_key")
    }
}
