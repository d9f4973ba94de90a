//! What the rules mean: one SDK's steps, walked through in one situation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Picks;
use super::ini::{Kind, Malformed, Section, Sections};
use super::rules::{
    Alone, Container, Disabled, Empty, FileRule, GoProfile, Hosts, In, Join, Keys, LineBreak, Named,
    NoRegion, Process, ProfileKeys, ProfileName, ProfileWebIdentity, Role, RoleRegion, Sdk, SignOn, Step,
    Then, WebIdentity,
};
use super::situation::{Container as Endpoint, Place, Reply, Situation, TokenFile, Trade};
use crate::shown::shown;

/// The source that the SDK takes, and why.
#[must_use]
pub fn walk(sdk: &Sdk, situation: &Situation) -> (Picks, String) {
    let view = View::of(sdk, situation);
    let mut passed: Vec<String> = Vec::new();
    let mut assumes_later = false;
    let (mut left_profile, mut only_container) = (false, false);
    for step in sdk.steps {
        left_profile &= step.is_of_profile();
        if left_profile || only_container && !matches!(step, Step::Container(_)) {
            continue;
        }
        if let Step::Role(role) = step {
            assumes_later |= view.assumes_later(role);
        }
        match view.step(step) {
            Found::Nothing => {}
            Found::PassedOver(why) => passed.push(format!("{why}, which it passes over.")),
            Found::LeavesProfile(why) => {
                left_profile = true;
                passed.push(format!("{why}, which it passes over."));
            }
            Found::Ends(picks, why) => return (picks, told(&passed, &why)),
            Found::OnlyContainer(why) => {
                only_container = true;
                passed.push(format!("{why}, and nothing but container credentials is left."));
            }
            Found::Takes(picks, why) if assumes_later && picks != Picks::ProfileWebIdentity => {
                let why = format!("{why} With them it assumes the profile's role.");
                return (Picks::AssumedRole, told(&passed, &why));
            }
            Found::Takes(picks, why) => return (picks, told(&passed, &why)),
        }
    }
    (sdk.at_end, told(&passed, "There is no other source."))
}

fn told(passed: &[String], why: &str) -> String {
    passed.iter().map(String::as_str).chain([why]).collect::<Vec<_>>().join(" ")
}

/// What a step found.
enum Found {
    /// Nothing that concerns it.
    Nothing,
    /// A failure that the SDK passes over.
    PassedOver(String),
    /// A failure that makes the SDK pass over the profile.
    LeavesProfile(String),
    /// A failure that all steps share but the one for container credentials.
    OnlyContainer(String),
    /// The source.
    Takes(Picks, String),
    /// A failure that ends the search.
    Ends(Picks, String),
}

impl Then {
    /// A failure, which is said in a sentence without its full stop.
    fn after(self, why: impl Into<String>) -> Found {
        let why = why.into();
        match self {
            Self::Next => Found::PassedOver(why),
            Self::LeavesProfile => Found::LeavesProfile(why),
            Self::OnlyContainer => Found::OnlyContainer(why),
            Self::Error => Found::Ends(Picks::Error, format!("{why}.")),
            Self::Nothing => Found::Ends(Picks::Nothing, format!("{why}; it goes on without credentials.")),
            Self::Crash => Found::Ends(Picks::Crash, format!("{why}, which ends the process.")),
        }
    }
}

/// A failure on the way to a profile's source, and what it leads to.
type Failed = (Then, String);

/// A situation as one SDK sees it.
struct View<'a> {
    sdk: &'a Sdk,
    situation: &'a Situation,
    profile: String,
    credentials: Result<Sections, Malformed>,
    config: Result<Sections, Malformed>,
    /// Whether there is a config file.
    has_config: bool,
    both: Sections,
}

const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const ROLE_ARN: &str = "AWS_ROLE_ARN";
const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const CONTAINER_TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const CONTAINER_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const METADATA_DISABLED: &str = "AWS_EC2_METADATA_DISABLED";

impl<'a> View<'a> {
    fn of(sdk: &'a Sdk, situation: &'a Situation) -> Self {
        let place = |rule: Option<FileRule>, usual| rule.and_then(|rule| place(rule, usual, situation));
        let config_at = place(sdk.config, Place::UsualConfig);
        let credentials_at = place(sdk.credentials, Place::UsualCredentials);
        let read = |kind, at: Option<Place>| {
            let content = at.and_then(|at| situation.files.get(&at));
            content.map_or_else(|| Ok(Sections::new()), |content| sdk.dialect.parse(kind, &content.0))
        };
        let config = read(Kind::Config, config_at);
        let credentials = read(Kind::Credentials, credentials_at);
        let has_config = config_at.is_some_and(|at| situation.files.contains_key(&at));
        let empty = Sections::new();
        let both = if has_config || !sdk.profiles_need_config {
            let (config, credentials) =
                (config.as_ref().unwrap_or(&empty), credentials.as_ref().unwrap_or(&empty));
            joined(sdk.join, config, credentials)
        } else {
            Sections::new()
        };
        let profile = selected(&sdk.profile, situation).to_owned();
        Self { sdk, situation, profile, credentials, config, has_config, both }
    }

    fn step(&self, step: &Step) -> Found {
        match step {
            Step::FilesMustParse { then, unless_keys } => self.files(*then, *unless_keys),
            Step::ProfileMustExist { variables, empty_counts } => self.exists(variables, *empty_counts),
            Step::ProfileMustBeSound(go) => self.sound(*go),
            Step::RegionMustBeSet => match self.region() {
                Ok(()) => Found::Nothing,
                Err(why) => Then::Error.after(format!("No call can be made: {why}")),
            },
            Step::ConfigForRegion => self.config_for_region(),
            Step::Keys(keys) => self.keys(keys),
            Step::WebIdentity(rule) => self.web_identity(rule),
            Step::Role(role) => self.role(role),
            Step::ProfileKeys(rule) => self.profile_keys(rule),
            Step::ProfileWebIdentity(rule) => self.profile_web_identity(rule),
            Step::Process(rule) => self.process(rule),
            Step::SignOn(rule) => self.sign_on(rule),
            Step::Container(rule) => self.container(rule),
            Step::Imds(disabled) => self.imds(*disabled),
        }
    }

    fn file(&self, file: In) -> Option<&Sections> {
        match file {
            In::Both => Some(&self.both),
            In::Credentials => self.credentials.as_ref().ok(),
            In::Config => self.config.as_ref().ok(),
        }
    }

    fn section(&self, file: In, profile: &str) -> Option<&Section> {
        self.file(file)?.get(profile)
    }

    /// The profile in use.
    fn selected(&self, file: In) -> Option<&Section> {
        self.section(file, &self.profile)
    }

    fn profile_words(&self, profile: &str) -> String {
        format!("the profile \"{}\"", shown(profile))
    }

    fn files(&self, then: Then, unless_keys: bool) -> Found {
        let excused = unless_keys && self.has_keys() && self.profile_is_default();
        let both = [(&self.config, "config"), (&self.credentials, "credentials")];
        let bad = both.iter().find_map(|(file, name)| file.as_ref().err().map(|fault| (fault, name)));
        match bad {
            Some((Malformed { line, fault }, name)) if !excused => {
                then.after(format!("The shared {name} file is malformed: {fault}, on line {line}"))
            }
            _ => Found::Nothing,
        }
    }

    fn profile_is_default(&self) -> bool {
        self.sdk.profile.variables.iter().all(|name| self.situation.filled(name).is_none())
    }

    fn exists(&self, variables: &[&'static str], empty_counts: bool) -> Found {
        let set = |name: &&&str| {
            if empty_counts { self.situation.variable(name) } else { self.situation.filled(name) }.is_some()
        };
        match variables.iter().find(set) {
            Some(variable) if !self.both.contains_key(&self.profile) => {
                let profile = self.profile_words(&self.profile);
                Then::Error.after(format!("{variable} selects {profile}, and there is none of that name"))
            }
            _ => Found::Nothing,
        }
    }

    /// Sources: `SharedConfig.setFromIniSections` in `aws-sdk-go-v2/config/shared_config.go`, and
    /// `sharedConfig.setFromIniFiles` in `aws-sdk-go/aws/session/shared_config.go`.
    fn sound(&self, go: GoProfile) -> Found {
        if go.unless_keys && self.has_keys() && self.profile_is_default() {
            return Found::Nothing;
        }
        let mut profile = self.profile.as_str();
        let mut visited: Vec<&str> = Vec::new();
        while let Some(section) = self.section(In::Both, profile) {
            let words = self.profile_words(profile);
            if go.half && self.is_half(profile) {
                return Then::Error.after(format!("Half a pair of keys is in {words}"));
            }
            let first = !visited.contains(&profile);
            let has = |name| filled(section, name).is_some();
            let source = filled(section, "source_profile").filter(|_| go.roles && first);
            let named = go.roles && has("credential_source");
            let kinds = [source.is_some(), named, has("credential_process"), has("web_identity_token_file")];
            let needs_role = source.is_some() || named || has("web_identity_token_file");
            if first && needs_role && !(go.roles && has("role_arn")) {
                return Then::Error.after(format!("There is no role_arn for the source in {words}"));
            }
            if !visited.is_empty() && is_pair(section) {
                return Found::Nothing;
            }
            if kinds.iter().filter(|kind| **kind).count() > 1 {
                return Then::Error.after(format!("There is more than one kind of source in {words}"));
            }
            visited.push(profile);
            let Some(source) = source else {
                let any =
                    kinds.contains(&true) || is_pair(section) || has("sso_account_id") || has("sso_session");
                if visited.len() > 1 && !any {
                    return Then::Error.after(format!("There are no credentials in the source, {words}"));
                }
                return Found::Nothing;
            };
            if self.section(In::Both, source).is_none() {
                let source = self.profile_words(source);
                return Then::Error.after(format!("The source of {words}, {source}, does not exist"));
            }
            profile = source;
        }
        Found::Nothing
    }

    /// Whether the file that decides has half a pair of keys for the profile.
    fn is_half(&self, profile: &str) -> bool {
        let of = |file: In| self.section(file, profile);
        let section = of(In::Credentials).or_else(|| of(In::Config));
        let has = |name: &str| section.is_some_and(|section| section.contains_key(name));
        has("aws_access_key_id") != has("aws_secret_access_key")
    }

    fn config_for_region(&self) -> Found {
        let named = self.sdk.region.variables.iter().any(|name| self.situation.filled(name).is_some());
        let in_credentials = self.selected(In::Credentials).and_then(|section| filled(section, "region"));
        if named || in_credentials.is_some() || self.has_config {
            return Found::Nothing;
        }
        Then::Crash
            .after("No variable names a region, and the config file that is read for it does not exist")
    }

    /// Whether some step would find keys in the environment.
    fn has_keys(&self) -> bool {
        self.sdk.steps.iter().any(|step| match step {
            Step::Keys(keys) => self.pair(keys).is_some_and(|(_, secret)| secret.is_some()),
            _ => false,
        })
    }

    /// The variable that gives the id, and the one that gives the secret.
    fn pair(&self, keys: &Keys) -> Option<(&'static str, Option<&'static str>)> {
        let first = |names: &'static [&'static str]| {
            let counts = |name: &&&str| {
                if keys.empty_counts { self.situation.variable(name) } else { self.situation.filled(name) }
                    .is_some()
            };
            let name = names.iter().find(counts)?;
            self.situation.filled(name).map(|_| *name)
        };
        Some((first(keys.id)?, first(keys.secret)))
    }

    fn keys(&self, keys: &Keys) -> Found {
        if keys.unless.is_some_and(|name| self.situation.filled(name).is_some()) {
            return Found::Nothing;
        }
        match self.pair(keys) {
            None => Found::Nothing,
            Some((id, None)) => match keys.half {
                Then::Next => Found::Nothing,
                then => then.after(format!("{id} is set without its secret")),
            },
            Some((id, Some(secret))) => {
                let legacy = keys.legacy || keys.id.first() != Some(&id);
                let picks = if legacy { Picks::LegacyKeys } else { Picks::Keys };
                Found::Takes(picks, format!("{id} and {secret} are set."))
            }
        }
    }

    fn web_identity(&self, rule: &WebIdentity) -> Found {
        let profile = rule
            .filled_by
            .as_ref()
            .map_or_else(|| self.profile.clone(), |name| selected(name, self.situation).to_owned());
        let setting = |name: &str| {
            let section = rule.filled_from.and_then(|file| self.section(file, &profile));
            section.and_then(|section| filled(section, name))
        };
        let of = |name: &str, key: &str| match (self.situation.variable(name), rule.empty) {
            (Some(""), Empty::Hides) => None,
            (Some(""), Empty::Unset) | (None, _) => Some((setting(key)?, false)),
            (Some(value), _) => Some((value, true)),
        };
        let token_file = of(TOKEN_FILE, "web_identity_token_file");
        let role = of(ROLE_ARN, "role_arn");
        match (token_file, role) {
            (None, None) => Found::Nothing,
            (None, Some((_, false))) => Found::Nothing,
            (None, Some((_, true))) => match rule.without_token {
                Then::Next => Found::Nothing,
                then => then.after(format!("{ROLE_ARN} is set without {TOKEN_FILE}")),
            },
            (Some(_), None) => match rule.without_role {
                Then::Next => Found::PassedOver(format!("{TOKEN_FILE} is set without {ROLE_ARN}")),
                then => then.after(format!("{TOKEN_FILE} is set without {ROLE_ARN}")),
            },
            (Some((file, _)), Some((role, of_pod))) => {
                let trade = self.trade(role, file, rule.least_token, rule.least_role, of_pod);
                let picks = if of_pod { Picks::WebIdentity } else { Picks::ProfileWebIdentity };
                match trade {
                    Ok(why) => Found::Takes(picks, why),
                    Err(why) => rule.fails.after(why),
                }
            }
        }
    }

    /// Trades a token for a role: in words.
    fn trade(
        &self,
        role: &str,
        file: &str,
        least_token: usize,
        least_role: usize,
        of_pod: bool,
    ) -> Result<String, String> {
        let whose =
            if of_pod { "the pod's role".to_owned() } else { format!("the profile's role {}", shown(role)) };
        let path = shown(file);
        match self.situation.token(file) {
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
        match self.situation.trade(role, file) {
            Trade::Given => Ok(format!("STS gives it {whose}.")),
            Trade::NotTried => Ok(format!("It asks STS for {whose}.")),
            Trade::Refused(code) => Err(format!("STS refuses {whose} ({})", shown(&code))),
            Trade::Unreachable(why) => Err(format!("STS cannot be asked for {whose}: {why}")),
        }
    }

    fn has_region(&self) -> bool {
        let rule = &self.sdk.region;
        let named = rule.variables.iter().any(|name| self.situation.filled(name).is_some());
        let in_file =
            rule.file.and_then(|file| self.selected(file)).and_then(|section| filled(section, "region"));
        named || in_file.is_some()
    }

    /// Whether STS can be called, as far as the region goes.
    fn region(&self) -> Result<(), String> {
        if self.has_region() {
            return Ok(());
        }
        let endpoint = self.situation.has_sts_endpoint();
        let regional = self.situation.variable("AWS_STS_REGIONAL_ENDPOINTS") == Some("regional");
        let fails = match self.sdk.region.missing {
            NoRegion::Fine => false,
            NoRegion::Fails => true,
            NoRegion::FailsWithoutEndpoint => !endpoint,
            NoRegion::FailsWithEndpoint => endpoint || regional,
            NoRegion::AsksImds => !endpoint && self.is_disabled(Disabled::True),
        };
        if fails { Err(NO_REGION.to_owned()) } else { Ok(()) }
    }

    fn assumes_later(&self, role: &Role) -> bool {
        let section = self.selected(role.file);
        role.alone == Alone::Later && section.is_some_and(|section| filled(section, "role_arn").is_some())
    }

    fn role(&self, role: &Role) -> Found {
        let Some(section) = self.selected(role.file) else { return Found::Nothing };
        if role.unless_token_file && section.contains_key("web_identity_token_file") {
            return Found::Nothing;
        }
        let has_role = section.contains_key("role_arn");
        let sourced = section.contains_key("source_profile") || section.contains_key("credential_source");
        if !(has_role || role.without_role && sourced) {
            return Found::Nothing;
        }
        let words = self.profile_words(&self.profile);
        if !sourced {
            return match role.alone {
                Alone::NotThis | Alone::Later => Found::Nothing,
                Alone::Fails(then) => then.after(format!("A role is in {words} without a source for it")),
            };
        }
        let base = match self.base(role, &self.profile, section, &mut Vec::new()) {
            Ok(base) => base,
            Err((then, why)) => return then.after(why),
        };
        if let Some(then) = role.mfa
            && section.contains_key("mfa_serial")
        {
            return then.after(format!("A one-time password is wanted for the role in {words}"));
        }
        if !has_role {
            let (picks, base) = base;
            return Found::Takes(picks, format!("A source without a role is in {words}: it takes {base}."));
        }
        match self.assumes(role) {
            Ok(()) => Found::Takes(
                Picks::AssumedRole,
                format!("A role is in {words}, which it assumes with {}.", base.1),
            ),
            Err(why) => role.fails.after(format!("The role in {words} cannot be assumed: {why}")),
        }
    }

    /// Whether a signed call to STS can be made. Whether it succeeds is not known.
    fn assumes(&self, role: &Role) -> Result<(), String> {
        match role.region {
            RoleRegion::OfItsOwn => {}
            RoleRegion::AsForWebIdentity => self.region()?,
            RoleRegion::Must if self.has_region() => {}
            RoleRegion::Must => return Err(NO_REGION.to_owned()),
        }
        self.situation.sts_unreachable().map_or(Ok(()), |why| Err(format!("STS cannot be asked: {why}")))
    }

    /// The credentials with which a profile's role is assumed.
    fn base(
        &self,
        role: &Role,
        profile: &str,
        section: &Section,
        visited: &mut Vec<String>,
    ) -> Result<(Picks, String), Failed> {
        let words = self.profile_words(profile);
        match (section.get("source_profile"), section.get("credential_source")) {
            (Some(_), Some(_)) if !role.named.is_empty() => {
                Err((role.both, format!("There are two sources for the role in {words}")))
            }
            (None, None) => Err((role.empty, format!("There is no source for the role in {words}"))),
            (None, Some(source)) => self.named(role, profile, source),
            (Some(source), _) if source == profile => {
                if role.sources.itself && is_pair(section) {
                    Ok((Picks::Profile, format!("the keys in {words}")))
                } else {
                    Err((role.empty, format!("The source of {words} is {words} itself, without keys")))
                }
            }
            (Some(source), _) => self.source(role, source, visited),
        }
    }

    fn named(&self, role: &Role, profile: &str, source: &str) -> Result<(Picks, String), Failed> {
        let words = self.profile_words(profile);
        let Some(named) = role.named.iter().find(|named| named.as_str() == source) else {
            let why = format!("It does not know the credential_source {} of {words}", shown(source));
            return Err((role.unknown, why));
        };
        let found = match named {
            Named::Environment if self.has_keys() => {
                Some((Picks::Keys, "the keys in the environment".to_owned()))
            }
            Named::Environment => None,
            Named::EcsContainer => self.sdk.steps.iter().find_map(|step| match step {
                Step::Container(rule) => match self.container(rule) {
                    Found::Takes(picks, _) => Some((picks, "the container credentials".to_owned())),
                    _ => None,
                },
                _ => None,
            }),
            Named::Ec2InstanceMetadata => self.sdk.steps.iter().find_map(|step| match step {
                Step::Imds(disabled) if !role.minds_disabled || !self.is_disabled(*disabled) => {
                    Some((Picks::NodeRole, "the node's role".to_owned()))
                }
                _ => None,
            }),
        };
        found.ok_or_else(|| {
            let why = format!("The credential_source {} of {words} has no credentials", named.as_str());
            (role.named_empty, why)
        })
    }

    /// The credentials of a source profile.
    fn source(
        &self,
        role: &Role,
        profile: &str,
        visited: &mut Vec<String>,
    ) -> Result<(Picks, String), Failed> {
        let words = self.profile_words(profile);
        let Some(section) = self.section(role.file, profile) else {
            return Err((role.missing, format!("The source profile, {words}, does not exist")));
        };
        if is_pair(section) {
            return Ok((Picks::Profile, format!("the keys in {words}")));
        }
        let any =
            ["aws_access_key_id", "aws_secret_access_key"].iter().any(|name| section.contains_key(*name));
        if any && role.sources.half_fails {
            return Err((role.empty, format!("Half a pair of keys is in {words}")));
        }
        if visited.iter().any(|seen| seen == profile) || visited.len() > LONGEST_CHAIN {
            return Err((role.empty, format!("The source profiles lead back to {words}")));
        }
        visited.push(profile.to_owned());
        let token_file = filled(section, "web_identity_token_file");
        match (filled(section, "role_arn"), token_file) {
            (Some(arn), Some(file)) if role.sources.web_identity => {
                let traded = self.trade(arn, file, 0, 0, false);
                traded.map(|why| (Picks::ProfileWebIdentity, why)).map_err(|why| (role.fails, why))
            }
            (Some(_), None) => self.base(role, profile, section, visited),
            _ if role.sources.process && filled(section, "credential_process").is_some() => {
                Ok((Picks::Process, format!("what the program in {words} gives")))
            }
            _ => Err((role.empty, format!("There are no credentials in the source, {words}"))),
        }
    }

    fn profile_keys(&self, rule: &ProfileKeys) -> Found {
        let Some(section) = self.selected(rule.file) else { return Found::Nothing };
        let has = |name: &str| section.get(name).is_some_and(|value| rule.empty_counts || !value.is_empty());
        if rule.unless_role && filled(section, "role_arn").is_some() {
            return Found::Nothing;
        }
        let words = self.profile_words(&self.profile);
        match (has("aws_access_key_id"), has("aws_secret_access_key")) {
            (true, true) => Found::Takes(Picks::Profile, format!("There are keys in {words}.")),
            (true, false) => half(rule.half, &words),
            (false, true) => half(rule.other_half, &words),
            (false, false) => Found::Nothing,
        }
    }

    fn profile_web_identity(&self, rule: &ProfileWebIdentity) -> Found {
        let Some(section) = self.selected(rule.file) else { return Found::Nothing };
        let words = self.profile_words(&self.profile);
        match (filled(section, "role_arn"), filled(section, "web_identity_token_file")) {
            (Some(_), Some(_)) if rule.crashes => {
                let gets_there = self.config.is_ok() && self.credentials.is_ok() && self.region().is_ok();
                if !gets_there {
                    return Found::Nothing;
                }
                Then::Crash.after(format!("There is a web identity in {words}"))
            }
            (Some(role), Some(file)) => match self.trade(role, file, rule.least_token, 0, false) {
                Ok(why) => Found::Takes(Picks::ProfileWebIdentity, why),
                Err(why) => rule.fails.after(why),
            },
            (None, Some(_)) => match rule.without_role {
                Then::Next => Found::Nothing,
                then => then.after(format!("A web identity is in {words} without a role")),
            },
            (_, None) => Found::Nothing,
        }
    }

    fn process(&self, rule: &Process) -> Found {
        let section = self.selected(rule.file);
        let section = section.filter(|section| !(rule.unless_role && filled(section, "role_arn").is_some()));
        let command = section.and_then(|section| filled(section, "credential_process"));
        let words = self.profile_words(&self.profile);
        command.map_or(Found::Nothing, |_| {
            Found::Takes(Picks::Process, format!("A program is in {words}, which it runs for them."))
        })
    }

    fn sign_on(&self, rule: &SignOn) -> Found {
        let section = self.selected(rule.file);
        let is_this =
            section.is_some_and(|section| rule.any_of.iter().any(|name| section.contains_key(*name)));
        if !is_this {
            return Found::Nothing;
        }
        let words = self.profile_words(&self.profile);
        rule.then.after(format!("A sign-on is wanted by {words}, and nobody signs on in a pod"))
    }

    fn container(&self, rule: &Container) -> Found {
        let value = |name| {
            let value = self.situation.variable(name);
            value.filter(|value| rule.empty_counts || !value.is_empty()).map(|value| (name, value))
        };
        let (relative, full) = (value(RELATIVE), value(FULL));
        let chosen = if rule.relative_first { relative.or(full) } else { full.or(relative) };
        let token = self.container_token(rule);
        if rule.token.read_first
            && let Err((then, why)) = &token
        {
            return then.after(why.as_str());
        }
        let Some((variable, value)) = chosen else { return Found::Nothing };
        let endpoint = if variable == RELATIVE { &self.situation.relative } else { &self.situation.full };
        let host = if variable == RELATIVE { None } else { Some(host_of(value)) };
        if value.is_empty() {
            return rule.bad_host.after(format!("{variable} is set to nothing"));
        }
        if host.is_some_and(|host| !allowed(&rule.hosts, host)) {
            return rule.bad_host.after(format!("The host in {variable} is none that it calls"));
        }
        let with_token = match token {
            Ok(SentToken::Sent) => true,
            Ok(SentToken::None) => false,
            Ok(SentToken::OnlyWithout(then)) => {
                if !host.is_some_and(|host| matches!(host.host, Some("localhost" | "127.0.0.1"))) {
                    return then.after("The token for the container credentials has a line break");
                }
                false
            }
            Err((then, why)) => return then.after(why),
        };
        replied(rule, variable, endpoint, with_token)
    }

    /// What is sent to the container endpoint as the token.
    fn container_token(&self, rule: &Container) -> Result<SentToken, Failed> {
        let file = self.situation.filled(CONTAINER_TOKEN_FILE).filter(|_| rule.token.file);
        let variable = self.situation.filled(CONTAINER_TOKEN);
        let Some(file) = file.filter(|_| !(rule.token.variable_first && variable.is_some())) else {
            return Ok(if variable.is_some() { SentToken::Sent } else { SentToken::None });
        };
        match self.situation.token(file) {
            TokenFile::Unreadable(why) => {
                let why = format!(
                    "The token file {} for the container credentials cannot be read: {why}",
                    shown(file)
                );
                Err((rule.token.unreadable, why))
            }
            TokenFile::Readable { line_break: false, .. } => Ok(SentToken::Sent),
            TokenFile::Readable { .. } => match rule.token.line_break {
                LineBreak::Sent => Ok(SentToken::Sent),
                LineBreak::WithoutIt(then) => Ok(SentToken::OnlyWithout(then)),
                LineBreak::Fails(then) => {
                    Err((then, "The token for the container credentials has a line break".to_owned()))
                }
            },
        }
    }

    fn is_disabled(&self, disabled: Disabled) -> bool {
        let value = self.situation.variable(METADATA_DISABLED);
        value.is_some_and(|value| match disabled {
            Disabled::True => value.eq_ignore_ascii_case("true"),
            Disabled::Anything => !value.is_empty(),
            Disabled::NotFalse => !value.is_empty() && value != "false",
            Disabled::NotFalseInAnyCase => !value.eq_ignore_ascii_case("false"),
        })
    }

    fn imds(&self, disabled: Disabled) -> Found {
        if self.is_disabled(disabled) {
            let value = self.situation.variable(METADATA_DISABLED).unwrap_or_default();
            return Found::PassedOver(format!("{METADATA_DISABLED} is \"{}\"", shown(value)));
        }
        Found::Takes(Picks::NodeRole, "It asks IMDS for the node's role.".to_owned())
    }
}

const NO_REGION: &str = "no region is set that it reads";

/// The most source profiles that are followed.
const LONGEST_CHAIN: usize = 64;

/// What is sent to a container endpoint.
enum SentToken {
    /// The token.
    Sent,
    /// None, since none is set.
    None,
    /// None, since this one cannot be sent; and what that leads to where none is taken.
    OnlyWithout(Then),
}

fn half(then: Then, words: &str) -> Found {
    match then {
        Then::Next => Found::Nothing,
        then => then.after(format!("Half a pair of keys is in {words}")),
    }
}

fn replied(rule: &Container, variable: &str, endpoint: &Endpoint, with_token: bool) -> Found {
    let reply = if with_token { &endpoint.with_token } else { &endpoint.without_token };
    match reply {
        Reply::Given => {
            Found::Takes(Picks::Container, format!("The endpoint in {variable} gives credentials."))
        }
        Reply::NotTried => {
            Found::Takes(Picks::Container, format!("It asks the endpoint in {variable} for credentials."))
        }
        Reply::Status(status) => rule.fails.after(format!("The endpoint in {variable} answers {status}")),
        Reply::Unreachable(why) => {
            rule.fails.after(format!("The endpoint in {variable} does not answer: {why}"))
        }
    }
}

/// The profile that the variables select.
fn selected<'a>(name: &ProfileName, situation: &'a Situation) -> &'a str {
    let selected = name.variables.iter().find_map(|variable| {
        if name.empty_counts { situation.variable(variable) } else { situation.filled(variable) }
    });
    selected.unwrap_or("default")
}

/// A setting that is not empty.
fn filled<'a>(section: &'a Section, name: &str) -> Option<&'a str> {
    section.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

fn is_pair(section: &Section) -> bool {
    filled(section, "aws_access_key_id").is_some() && filled(section, "aws_secret_access_key").is_some()
}

/// Where a file is, if anywhere.
fn place(rule: FileRule, usual: Place, situation: &Situation) -> Option<Place> {
    match rule.variable.and_then(|name| Some((name, situation.variable(name)?))) {
        Some((_, "")) if rule.empty_counts => None,
        Some((name, path)) if !path.is_empty() => {
            (rule.tilde || !path.starts_with("~/")).then_some(Place::Variable(name))
        }
        _ if rule.or_config && !situation.files.contains_key(&usual) => Some(Place::UsualConfig),
        _ => Some(usual),
    }
}

/// Both files as one.
fn joined(join: Join, config: &Sections, credentials: &Sections) -> Sections {
    let mut both = config.clone();
    for (profile, section) in credentials {
        let into = both.entry(profile.clone()).or_default();
        for (name, value) in section {
            let of_pair = matches!(name.as_str(), "aws_access_key_id" | "aws_secret_access_key");
            if join == Join::ByPair && of_pair && !is_pair(section) {
                continue;
            }
            into.insert(name.clone(), value.clone());
        }
    }
    both
}

/// A URL's scheme and host, as far as the rules need them.
#[derive(Clone, Copy)]
struct UrlHost<'a> {
    tls: bool,
    host: Option<&'a str>,
}

fn host_of(url: &str) -> UrlHost<'_> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match authority.strip_prefix('[') {
        Some(inner) => inner.split(']').next(),
        None => authority.split(':').next(),
    };
    UrlHost { tls: scheme.eq_ignore_ascii_case("https"), host: host.filter(|host| !host.is_empty()) }
}

fn allowed(hosts: &Hosts, url: UrlHost<'_>) -> bool {
    let Some(host) = url.host else { return false };
    if url.tls {
        return true;
    }
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ECS)) => hosts.ecs,
        Ok(IpAddr::V4(EKS)) => hosts.eks,
        Ok(IpAddr::V6(EKS_IPV6)) => hosts.eks_ipv6,
        Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)) => true,
        Ok(address) => hosts.loopback && address.is_loopback(),
        Err(_) => hosts.localhost && host == "localhost",
    }
}

/// Whether the URL is one without TLS at this node: a loopback address, or one of AWS's for containers.
#[must_use]
pub fn is_of_node(url: &str) -> bool {
    let url = host_of(url);
    let all = Hosts { loopback: true, localhost: true, ecs: true, eks: true, eks_ipv6: true };
    !url.tls && allowed(&all, url)
}

/// Where ECS, and a relative address, leads.
pub const ECS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);
/// The agent of EKS Pod Identity.
pub const EKS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 23);
/// The same by IPv6.
pub const EKS_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23);
