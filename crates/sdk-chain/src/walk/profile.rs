//! What a profile gives: keys, the output of a program, or a role that is assumed with another source.

use foreign_text::sanitize;

use super::{NO_REGION, ResolvedView, StepFailure, StepResult, Taken, filled, is_pair, takes};
use crate::CredentialSource;
use crate::ini::Section;
use crate::rules::{
    NamedSource, OnFailure, ProcessRule, ProfileFile, ProfileKeys, RoleRegion, RoleRule, RoleWithoutSource,
    SsoRule, Step, WithoutRole,
};

fn half_pair(on_failure: OnFailure, words: &str) -> StepResult {
    on_failure.unless_next(format!("Half a pair of keys is in {words}"))
}

fn is_sign_on(rule: &SsoRule, section: &Section) -> bool {
    rule.any_of.iter().any(|name| section.contains_key(*name))
}

/// A setting of a profile that names the source for its role.
fn source_setting<'a>(role: &RoleRule, section: &'a Section, name: &str) -> Option<&'a str> {
    section
        .get(name)
        .map(String::as_str)
        .filter(|value| role.without_source != RoleWithoutSource::AssumedLater || !value.is_empty())
}

/// How many source profiles are followed.
pub(super) const MAX_SOURCE_PROFILES: usize = 64;

impl ResolvedView<'_> {
    pub(super) fn assumes_role_later(&self, role: &RoleRule) -> bool {
        let section = self.selected(role.file);
        role.without_source == RoleWithoutSource::AssumedLater
            && section.is_some_and(|section| filled(section, "role_arn").is_some())
    }

    pub(super) fn role(&self, role: &RoleRule) -> StepResult {
        let Some(section) = self.selected(role.file) else { return Ok(None) };
        if role.unless_token_file && section.contains_key("web_identity_token_file") {
            return Ok(None);
        }
        let has_role = section.contains_key("role_arn");
        let by_name = source_setting(role, section, "credential_source").is_some();
        let sourced = by_name || source_setting(role, section, "source_profile").is_some();
        let words = self.profile_words(&self.profile);
        match role.without_role {
            _ if has_role => {}
            WithoutRole::Fails(on_failure) if sourced => {
                return on_failure.because(format!("A source is in {words} without a role"));
            }
            WithoutRole::NamedSourceUsed if by_name => {}
            _ => return Ok(None),
        }
        if !sourced {
            return match role.without_source {
                RoleWithoutSource::Ignored | RoleWithoutSource::AssumedLater => Ok(None),
                RoleWithoutSource::Fails(on_failure) => {
                    on_failure.because(format!("A role is in {words} without a source for it"))
                }
            };
        }
        let (source, base) = self.role_source(role, &self.profile, section, &mut Vec::new())?;
        if let Some(on_failure) = role.mfa
            && section.contains_key("mfa_serial")
        {
            return on_failure.because(format!("A one-time password is wanted for the role in {words}"));
        }
        if !has_role {
            return takes(source, format!("A source without a role is in {words}: it takes {base}."));
        }
        if filled(section, "role_arn").is_none() {
            return role.on_failure.because(format!("The role in {words} has no ARN"));
        }
        match self.can_assume(role) {
            Ok(()) => takes(
                CredentialSource::AssumedRole,
                format!(
                    "The role {} is in {words}, and it assumes that with {base}.",
                    sanitize(filled(section, "role_arn").unwrap_or_default())
                ),
            ),
            Err(why) => role.on_failure.because(format!("The role in {words} cannot be assumed: {why}")),
        }
    }

    /// Whether STS can be called to assume a role. Whether it allows that is not known.
    pub(super) fn can_assume(&self, role: &RoleRule) -> Result<(), String> {
        match role.region {
            RoleRegion::Own => {}
            RoleRegion::AsForWebIdentity => self.region()?,
            RoleRegion::Required if self.has_region() || self.imds_has_region() => {}
            RoleRegion::Required => return Err(NO_REGION.to_owned()),
        }
        self.input.sts_unreachable().map_or(Ok(()), |why| Err(format!("STS cannot be asked: {why}")))
    }

    /// The credentials with which the role of a profile is assumed.
    pub(super) fn role_source(
        &self,
        role: &RoleRule,
        profile: &str,
        section: &Section,
        visited: &mut Vec<String>,
    ) -> Result<Taken, StepFailure> {
        let words = self.profile_words(profile);
        let setting = |name| source_setting(role, section, name);
        match (setting("source_profile"), setting("credential_source")) {
            (Some(_), Some(_)) if !role.named_sources.is_empty() => {
                role.two_sources.because(format!("There are two sources for the role in {words}"))
            }
            (None, None) => role.source_empty.because(format!("There is no source for the role in {words}")),
            (None, Some(source)) => self.named_source(role, profile, source),
            (Some(source), _) if source == profile => {
                if role.sources.own_keys && is_pair(section) {
                    Ok((CredentialSource::Profile, format!("the keys in {words}")))
                } else {
                    role.source_empty
                        .because(format!("The source of {words} is {words} itself, without keys"))
                }
            }
            (Some(source), _) => self.source_profile(role, source, visited),
        }
    }

    pub(super) fn named_source(
        &self,
        role: &RoleRule,
        profile: &str,
        source: &str,
    ) -> Result<Taken, StepFailure> {
        let words = self.profile_words(profile);
        let is_meant = |named: &&NamedSource| {
            let name = named.as_str();
            if role.named_ignore_case { name.eq_ignore_ascii_case(source) } else { name == source }
        };
        let Some(named) = role.named_sources.iter().find(is_meant) else {
            // Not which: somebody may have put a secret there.
            return role.named_unknown.because(format!("It does not know the credential_source of {words}"));
        };
        let found = match named {
            NamedSource::Environment if self.has_keys() => {
                Some((CredentialSource::Keys, "the keys in the environment".to_owned()))
            }
            NamedSource::Environment => None,
            NamedSource::EcsContainer => self.sdk.steps.iter().find_map(|step| match step {
                Step::Container(rule) => {
                    let (source, _) = self.container(rule).ok()??;
                    Some((source, "the container credentials".to_owned()))
                }
                _ => None,
            }),
            NamedSource::Ec2InstanceMetadata => self.sdk.steps.iter().find_map(|step| match step {
                Step::Imds(disabled) if !role.obeys_imds_disabled || !self.is_disabled(*disabled) => {
                    Some((CredentialSource::NodeRole, "the node's role".to_owned()))
                }
                _ => None,
            }),
        };
        let named = named.as_str();
        match found {
            Some(found) => Ok(found),
            None => role
                .named_empty
                .because(format!("The credential_source {named} of {words} has no credentials")),
        }
    }

    /// The credentials of a source profile.
    pub(super) fn source_profile(
        &self,
        role: &RoleRule,
        profile: &str,
        visited: &mut Vec<String>,
    ) -> Result<Taken, StepFailure> {
        let words = self.profile_words(profile);
        let Some(section) = self.section(role.file, profile) else {
            return role.source_missing.because(format!("The source profile, {words}, does not exist"));
        };
        if is_pair(section) {
            return Ok((CredentialSource::Profile, format!("the keys in {words}")));
        }
        let any =
            ["aws_access_key_id", "aws_secret_access_key"].iter().any(|name| section.contains_key(*name));
        if any && role.sources.half_pair_fails {
            return role.source_empty.because(format!("Half a pair of keys is in {words}"));
        }
        if visited.iter().any(|seen| seen == profile) || visited.len() > MAX_SOURCE_PROFILES {
            return role.source_cycle.because(format!("The source profiles lead back to {words}"));
        }
        visited.push(profile.to_owned());
        let token_file = filled(section, "web_identity_token_file");
        match (filled(section, "role_arn"), token_file) {
            (Some(arn), Some(file)) if role.sources.web_identity => {
                if let Err(why) = self.exchange_token(arn, file, 0, 0, false) {
                    return role.on_failure.because(why);
                }
                let base = format!("the web identity of {words}, the role {}", sanitize(arn));
                Ok((CredentialSource::ProfileWebIdentity, base))
            }
            (Some(_), None)
                if role.sources.named_sources
                    || source_setting(role, section, "credential_source").is_none() =>
            {
                self.role_source(role, profile, section, visited)
            }
            _ if role.sources.process && filled(section, "credential_process").is_some() => {
                Ok((CredentialSource::Process, format!("what the program in {words} gives")))
            }
            _ => match &role.sources.sign_on {
                Some(rule) if is_sign_on(rule, section) => {
                    rule.on_failure.because(format!("A sign-on is wanted by the source, {words}"))
                }
                _ => role.source_empty.because(format!("There are no credentials in the source, {words}")),
            },
        }
    }

    pub(super) fn profile_keys(&self, rule: &ProfileKeys) -> StepResult {
        let Some(section) = self.selected(rule.file) else { return Ok(None) };
        let has = |name: &str| section.get(name).is_some_and(|value| rule.empty_counts || !value.is_empty());
        if rule.unless_role && filled(section, "role_arn").is_some() {
            return Ok(None);
        }
        let words = self.profile_words(&self.profile);
        match (has("aws_access_key_id"), has("aws_secret_access_key")) {
            (true, true) => takes(CredentialSource::Profile, format!("There are keys in {words}.")),
            (true, false) => half_pair(rule.secret_missing, &words),
            (false, true) => half_pair(rule.id_missing, &words),
            (false, false) if has("aws_session_token") => {
                rule.only_session_token.unless_next(format!("A session token without keys is in {words}"))
            }
            (false, false) => Ok(None),
        }
    }

    pub(super) fn process(&self, rule: &ProcessRule) -> StepResult {
        let section = self.selected(rule.file);
        let section = section.filter(|section| !(rule.unless_role && filled(section, "role_arn").is_some()));
        let command = section.and_then(|section| section.get("credential_process"));
        let words = self.profile_words(&self.profile);
        match command.map(String::as_str) {
            None => Ok(None),
            Some("") => rule.empty.unless_next(format!("A program without a name is in {words}")),
            Some(_) => {
                takes(CredentialSource::Process, format!("A program is in {words}, which it runs for them."))
            }
        }
    }

    pub(super) fn sign_on(&self, rule: &SsoRule) -> StepResult {
        let section = self.selected(ProfileFile::Both);
        if !section.is_some_and(|section| is_sign_on(rule, section)) {
            return Ok(None);
        }
        let words = self.profile_words(&self.profile);
        rule.on_failure.because(format!("A sign-on is wanted by {words}, and nobody signs on in a pod"))
    }
}
