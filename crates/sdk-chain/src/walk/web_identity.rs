//! A token that is exchanged for a role: that of the pod, or of a profile.

use super::profile::MAX_SOURCE_PROFILES;
use super::{ResolvedView, StepResult, filled, selected, takes};
use crate::CredentialSource;
use crate::rules::{EmptyVariable, OnFailure, ProfileWebIdentity, WebIdentityRule};
use crate::situation::{TokenExchange, TokenFile};
use foreign_text::sanitize;

const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const ROLE_ARN: &str = "AWS_ROLE_ARN";

impl ResolvedView<'_> {
    pub(super) fn web_identity(&self, rule: &WebIdentityRule) -> StepResult {
        let profile = rule
            .profile_name
            .as_ref()
            .map_or_else(|| self.profile.clone(), |name| selected(name, self.input).to_owned());
        let setting = |name: &str| {
            let section = rule.profile_file.and_then(|file| self.section(file, &profile));
            section.and_then(|section| filled(section, name))
        };
        let of = |name: &str, key: &str| match (self.input.variable(name), rule.empty) {
            (Some(""), EmptyVariable::Hides) => None,
            (Some(""), EmptyVariable::Unset) | (None, _) => Some((setting(key)?, false)),
            (Some(value), _) => Some((value, true)),
        };
        let token_file = of(TOKEN_FILE, "web_identity_token_file");
        let role = of(ROLE_ARN, "role_arn");
        match (token_file, role) {
            (None, None | Some((_, false))) => Ok(None),
            (None, Some((_, true))) => {
                rule.without_token.unless_next(format!("{ROLE_ARN} is set without {TOKEN_FILE}"))
            }
            (Some(_), None) => rule.without_role.because(format!("{TOKEN_FILE} is set without {ROLE_ARN}")),
            (Some((file, _)), Some((role, of_pod))) => {
                let exchange =
                    self.exchange_token(role, file, rule.min_token_bytes, rule.min_role_chars, of_pod);
                let source =
                    if of_pod { CredentialSource::WebIdentity } else { CredentialSource::ProfileWebIdentity };
                match exchange {
                    Ok(why) => takes(source, why),
                    Err(why) => rule.on_failure.because(why),
                }
            }
        }
    }

    /// Exchanges a token for a role, and says in a sentence how that went.
    pub(super) fn exchange_token(
        &self,
        role: &str,
        file: &str,
        least_token: usize,
        least_role: usize,
        of_pod: bool,
    ) -> Result<String, String> {
        let whose = if of_pod {
            "the pod's role".to_owned()
        } else {
            format!("the profile's role {}", sanitize(role))
        };
        let path = sanitize(file);
        match self.input.token(file) {
            TokenFile::Unreadable(why) => {
                return Err(format!("The token file {path} of {whose} cannot be read: {why}"));
            }
            TokenFile::Readable { length, .. } if length < least_token => {
                return Err(format!("The token file {path} of {whose} is empty"));
            }
            TokenFile::Readable { .. } => {}
        }
        if role.chars().count() < least_role {
            return Err(format!("The ARN of {whose} is empty or too short"));
        }
        self.region().map_err(|why| format!("STS cannot be asked for {whose}: {why}"))?;
        match self.input.exchange(role, file) {
            TokenExchange::Given => Ok(format!("STS gives it {whose}.")),
            TokenExchange::NotTried => Ok(format!("It asks STS for {whose}.")),
            TokenExchange::Refused(code) => Err(format!("STS refuses {whose} ({})", sanitize(&code))),
            TokenExchange::Unreachable(why) => Err(format!("STS cannot be asked for {whose}: {why}")),
        }
    }

    pub(super) fn profile_web_identity(&self, rule: &ProfileWebIdentity) -> StepResult {
        if rule.unless_variables && self.input.injected_role_and_token().is_some() {
            return Ok(None);
        }
        let profile = rule.profile_name.as_ref().map_or(self.profile.as_str(), |by| selected(by, self.input));
        let Some(mut section) = self.section_in_use(rule.file, profile) else { return Ok(None) };
        let words = self.profile_words(profile);
        let mut of_source = false;
        for _ in 0..MAX_SOURCE_PROFILES {
            let source = filled(section, "source_profile").filter(|_| rule.through_sources);
            match source.and_then(|source| self.section(rule.file, source)) {
                Some(source) if filled(section, "web_identity_token_file").is_none() => section = source,
                _ => break,
            }
            of_source = true;
        }
        let file = section.get("web_identity_token_file").map(String::as_str);
        match (filled(section, "role_arn"), file.filter(|file| rule.empty_counts || !file.is_empty())) {
            (Some(_), Some(_)) if rule.crashes => {
                let gets_there = self.config.is_ok()
                    && self.credentials.is_ok()
                    && !section.contains_key("source_profile")
                    && (file != Some("") || self.input.filled(TOKEN_FILE).is_some())
                    && self.region().is_ok();
                if !gets_there {
                    return Ok(None);
                }
                OnFailure::Crash.because(format!("There is a web identity in {words}"))
            }
            (Some(role), Some(file)) => match self.exchange_token(role, file, rule.min_token_bytes, 0, false)
            {
                Ok(why) if of_source => {
                    let why = format!("{why} With it it assumes the role in {words}.");
                    takes(CredentialSource::AssumedRole, why)
                }
                Ok(why) => takes(CredentialSource::ProfileWebIdentity, why),
                Err(why) => rule.on_failure.because(why),
            },
            (None, Some(_)) => {
                rule.without_role.unless_next(format!("A web identity is in {words} without a role"))
            }
            (_, None) => Ok(None),
        }
    }
}
