//! What the rules mean: walks the steps of one SDK in one environment.

mod container;
mod go;
mod profile;
mod web_identity;

use super::CredentialSource;
use super::dialect::DuplicateHeaders;
use super::ini::{Malformed, Section, Sections, SharedFileKind};
use super::rules::{
    EmptyRegion, EnvKeysRule, FileMerge, FileRule, ImdsDisabled, NoRegion, OnFailure, ProfileFile,
    ProfileName, Sdk, Step,
};
use super::situation::{ChainInput, FileLocation, SdkLimitation};
use foreign_text::sanitize;

pub use container::{ECS_ADDRESS, EKS_ADDRESS, EKS_IPV6_ADDRESS, is_node_local};

/// Returns the source that the SDK takes, and the reason in sentences.
#[must_use]
pub fn walk(sdk: &Sdk, limitation: Option<&SdkLimitation>, input: &ChainInput) -> (CredentialSource, String) {
    let view = ResolvedView::new(sdk, input);
    let mut sentences: Vec<String> = Vec::new();
    let mut later = None;
    let (mut left_profile, mut only_container) = (false, false);
    let (source, why) = 'end: {
        for step in sdk.steps {
            left_profile &= step.is_of_profile();
            if left_profile || only_container && !matches!(step, Step::Container(_)) {
                continue;
            }
            if let Step::Role(role) = step {
                later = later.or(Some(role).filter(|role| view.assumes_role_later(role)));
            }
            let (on_failure, why) = match limited(view.step(step), limitation, step) {
                Ok(None) => continue,
                Ok(Some((source, why))) => {
                    let role = later.filter(|_| source != CredentialSource::ProfileWebIdentity);
                    break 'end match role.map(|role| view.can_assume(role)) {
                        None => (source, why),
                        Some(Ok(())) => (
                            CredentialSource::AssumedRole,
                            format!("{why} With them it assumes the profile's role."),
                        ),
                        Some(Err(fault)) => (
                            CredentialSource::Error,
                            format!("{why} The profile's role cannot be assumed: {fault}."),
                        ),
                    };
                }
                Err(failure) => failure,
            };
            match on_failure {
                OnFailure::Next => sentences.push(format!("{why}, which it passes over.")),
                OnFailure::SkipProfile => {
                    left_profile = true;
                    sentences.push(format!("{why}, which it passes over."));
                }
                OnFailure::OnlyContainer => {
                    only_container = true;
                    sentences.push(format!("{why}, and nothing but container credentials is left."));
                }
                OnFailure::Error => break 'end (CredentialSource::Error, format!("{why}.")),
                OnFailure::Nothing => {
                    break 'end (
                        CredentialSource::Nothing,
                        format!("{why}; it goes on without credentials."),
                    );
                }
                OnFailure::Crash => {
                    break 'end (CredentialSource::Crash, format!("{why}, which ends the process."));
                }
            }
        }
        (sdk.at_end, "There is no other source.".to_owned())
    };
    sentences.push(why);
    (source, sentences.join(" "))
}

/// A source, and why the SDK takes it, in sentences.
type Taken = (CredentialSource, String);

/// A failed step: what it leads to, and why, in a sentence without its full stop.
type StepFailure = (OnFailure, String);

/// The result of a step. Without a source, the step does not apply.
type StepResult = Result<Option<Taken>, StepFailure>;

fn takes(source: CredentialSource, why: impl Into<String>) -> StepResult {
    Ok(Some((source, why.into())))
}

/// The result in a copy of the SDK that cannot use a web identity.
fn limited(result: StepResult, limitation: Option<&SdkLimitation>, step: &Step) -> StepResult {
    let Some(limitation) = limitation else { return result };
    let is_web_identity = matches!(step, Step::WebIdentity(_) | Step::ProfileWebIdentity(_));
    let assumes = matches!(result, Ok(Some((CredentialSource::AssumedRole, _))))
        && matches!(limitation, SdkLimitation::MissingModule(_));
    if is_web_identity && result != Ok(None) || assumes {
        return OnFailure::Next.because(limitation.to_string());
    }
    result
}

impl OnFailure {
    /// The result of a failed step. `why` is a sentence without its full stop.
    fn because<T>(self, why: impl Into<String>) -> Result<T, StepFailure> {
        Err((self, why.into()))
    }

    /// The same, but the step does not apply where its failure leads to the next.
    fn unless_next(self, why: impl Into<String>) -> StepResult {
        if self == Self::Next { Ok(None) } else { self.because(why) }
    }
}

/// The environment as one SDK sees it.
struct ResolvedView<'a> {
    sdk: &'a Sdk,
    input: &'a ChainInput,
    profile: String,
    credentials: Result<Sections, Malformed>,
    config: Result<Sections, Malformed>,
    credentials_at: Option<FileLocation>,
    config_at: Option<FileLocation>,
    /// Whether there is a config file.
    has_config: bool,
    both: Sections,
}

const METADATA_DISABLED: &str = "AWS_EC2_METADATA_DISABLED";

impl<'a> ResolvedView<'a> {
    fn new(sdk: &'a Sdk, input: &'a ChainInput) -> Self {
        let place = |rule: Option<FileRule>, usual| rule.and_then(|rule| file_location(rule, usual, input));
        let config_at = place(sdk.config, FileLocation::UsualConfig);
        let credentials_at = place(sdk.credentials, FileLocation::UsualCredentials);
        let read = |kind, at: Option<FileLocation>| {
            let content = at.and_then(|at| input.files.get(&at));
            content.map_or_else(|| Ok(Sections::new()), |content| sdk.dialect.parse(kind, &content.0))
        };
        let config = read(SharedFileKind::Config, config_at);
        let credentials = read(SharedFileKind::Credentials, credentials_at);
        let has_config = config_at.is_some_and(|at| input.files.contains_key(&at));
        let empty = Sections::new();
        let both = if has_config || !sdk.profiles_need_config {
            let (config, credentials) =
                (config.as_ref().unwrap_or(&empty), credentials.as_ref().unwrap_or(&empty));
            merge(sdk.merge, config, credentials)
        } else {
            Sections::new()
        };
        let profile = selected(&sdk.profile, input).to_owned();
        Self { sdk, input, profile, credentials, config, credentials_at, config_at, has_config, both }
    }

    fn step(&self, step: &Step) -> StepResult {
        match step {
            Step::FilesMustParse { on_failure, unless_keys } => {
                self.files_must_parse(*on_failure, *unless_keys)
            }
            Step::ProfileMustExist { variables, empty_counts, even_default } => {
                self.profile_must_exist(variables, *empty_counts, *even_default)
            }
            Step::NoDirectories => self.no_directories(),
            Step::ProfileMustBeSound(go) => self.profile_must_be_sound(*go),
            Step::RegionMustBeSet => match self.region() {
                Ok(()) => Ok(None),
                Err(why) => OnFailure::Error.because(format!("No call can be made: {why}")),
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

    fn file(&self, file: ProfileFile) -> Option<&Sections> {
        match file {
            ProfileFile::Both => Some(&self.both),
            ProfileFile::Credentials => self.credentials.as_ref().ok(),
            ProfileFile::Config | ProfileFile::ConfigAsWritten => self.config.as_ref().ok(),
        }
    }

    fn section(&self, file: ProfileFile, profile: &str) -> Option<&Section> {
        let sections = self.file(file)?;
        // The Go SDK v1 looks for the header NAME, and for `profile NAME` if there is none.
        let is_header = self.sdk.dialect.headers.duplicate == DuplicateHeaders::Plain;
        let header = profile.strip_prefix("profile ").filter(|_| is_header);
        sections.get(profile).or_else(|| sections.get(header?))
    }

    /// The selected profile.
    fn selected(&self, file: ProfileFile) -> Option<&Section> {
        self.section_in_use(file, &self.profile)
    }

    /// The profile of this name, as a variable selects it.
    fn section_in_use(&self, file: ProfileFile, name: &str) -> Option<&Section> {
        match file {
            ProfileFile::ConfigAsWritten => self.section(file, &format!("profile {name}")),
            ProfileFile::Both | ProfileFile::Credentials | ProfileFile::Config => self.section(file, name),
        }
    }

    fn no_directories(&self) -> StepResult {
        let bad = [self.config_at, self.credentials_at].into_iter().flatten();
        match bad.into_iter().find(|at| self.input.directories.contains(at)) {
            Some(at) => OnFailure::Error.because(format!("{at} is a directory")),
            None => Ok(None),
        }
    }

    fn profile_words(&self, profile: &str) -> String {
        format!("the profile \"{}\"", sanitize(profile))
    }

    fn files_must_parse(&self, on_failure: OnFailure, unless_keys: bool) -> StepResult {
        let excused = unless_keys && self.has_keys() && self.profile_is_default();
        let both = [(&self.config, "config"), (&self.credentials, "credentials")];
        let bad = both.iter().find_map(|(file, name)| file.as_ref().err().map(|fault| (fault, name)));
        match bad {
            Some((Malformed { line, fault }, name)) if !excused => {
                on_failure.because(format!("The shared {name} file is malformed: {fault}, on line {line}"))
            }
            _ => Ok(None),
        }
    }

    fn profile_is_default(&self) -> bool {
        self.sdk.profile.variables.iter().all(|name| self.input.filled(name).is_none())
    }

    fn profile_must_exist(
        &self,
        variables: &[&'static str],
        empty_counts: bool,
        even_default: bool,
    ) -> StepResult {
        if self.profile == "default" && !even_default {
            return Ok(None);
        }
        let set = |name: &&&str| {
            if empty_counts { self.input.variable(name) } else { self.input.filled(name) }.is_some()
        };
        match variables.iter().find(set) {
            Some(variable) if !self.both.contains_key(&self.profile) => {
                let profile = self.profile_words(&self.profile);
                OnFailure::Error
                    .because(format!("{variable} selects {profile}, and there is none of that name"))
            }
            _ => Ok(None),
        }
    }

    fn config_for_region(&self) -> StepResult {
        let named = self.sdk.region.variables.iter().any(|name| self.input.filled(name).is_some());
        let in_credentials =
            self.selected(ProfileFile::Credentials).and_then(|section| filled(section, "region"));
        if named || in_credentials.is_some() || self.has_config {
            return Ok(None);
        }
        OnFailure::Crash
            .because("No variable names a region, and the config file that is read for it does not exist")
    }

    /// Whether a step finds keys in the environment.
    fn has_keys(&self) -> bool {
        self.sdk.steps.iter().any(|step| match step {
            Step::Keys(keys) => self.key_variables(keys).is_some_and(|(_, secret)| secret.is_some()),
            _ => false,
        })
    }

    /// The variables that set the id and the secret.
    fn key_variables(&self, keys: &EnvKeysRule) -> Option<(&'static str, Option<&'static str>)> {
        let first = |names: &'static [&'static str]| {
            let counts = |name: &&&str| {
                let value = self.input.variable(name);
                value.is_some_and(|value| {
                    let value = if keys.trims { value.trim() } else { value };
                    keys.empty_counts || !value.is_empty()
                })
            };
            let name = names.iter().find(counts)?;
            let value = self.input.filled(name)?;
            (!keys.trims || !value.trim().is_empty()).then_some(*name)
        };
        Some((first(keys.id)?, first(keys.secret)))
    }

    fn keys(&self, keys: &EnvKeysRule) -> StepResult {
        if keys.unless.is_some_and(|name| self.input.filled(name).is_some()) {
            return Ok(None);
        }
        match self.key_variables(keys) {
            None => Ok(None),
            Some((id, None)) => keys.secret_missing.unless_next(format!("{id} is set without its secret")),
            Some((id, Some(secret))) => {
                let legacy = keys.legacy || keys.id.first() != Some(&id);
                let source = if legacy { CredentialSource::LegacyKeys } else { CredentialSource::Keys };
                takes(source, format!("{id} and {secret} are set."))
            }
        }
    }

    /// The region variable that counts, and its value.
    fn region_variable(&self) -> Option<(&'static str, &str)> {
        let rule = &self.sdk.region;
        let value = |name: &&'static str| Some((*name, self.input.variable(name)?));
        let mut set = rule.variables.iter().filter_map(value);
        set.find(|(_, value)| rule.empty != EmptyRegion::Unset || !value.is_empty())
    }

    fn has_region(&self) -> bool {
        let rule = &self.sdk.region;
        let of_variable = match (self.region_variable(), rule.empty) {
            (None, _) | (Some((_, "")), EmptyRegion::Unset | EmptyRegion::Hides) => None,
            (Some((_, "")), EmptyRegion::Fails) => Some(false),
            (Some(_), _) => Some(true),
        };
        of_variable.unwrap_or_else(|| {
            let name =
                rule.profile_name.as_ref().map_or(self.profile.as_str(), |by| selected(by, self.input));
            let sections = rule.files.iter().filter_map(|file| self.section_in_use(*file, name));
            sections.into_iter().any(|section| filled(section, "region").is_some())
        })
    }

    /// Whether the region allows a call of STS.
    fn region(&self) -> Result<(), String> {
        if self.has_region() {
            return Ok(());
        }
        if let (Some((name, "")), EmptyRegion::Fails) = (self.region_variable(), self.sdk.region.empty) {
            return Err(format!("{name} is set to nothing"));
        }
        let endpoint = self.input.has_sts_endpoint();
        let regional = self.input.variable("AWS_STS_REGIONAL_ENDPOINTS") == Some("regional");
        let fails = match self.sdk.region.missing {
            NoRegion::Global => false,
            NoRegion::Fails => true,
            NoRegion::FailsWithoutEndpoint => !endpoint,
            NoRegion::FailsWithEndpoint => endpoint || regional,
            NoRegion::AsksImds => !endpoint && !self.imds_has_region(),
        };
        if fails { Err(NO_REGION.to_owned()) } else { Ok(()) }
    }

    /// Whether the SDK gets a region from IMDS.
    fn imds_has_region(&self) -> bool {
        self.sdk.region.missing == NoRegion::AsksImds && !self.is_disabled(ImdsDisabled::True)
    }

    fn is_disabled(&self, disabled: ImdsDisabled) -> bool {
        let value = self.input.variable(METADATA_DISABLED);
        value.is_some_and(|value| match disabled {
            ImdsDisabled::True => value.eq_ignore_ascii_case("true"),
            ImdsDisabled::Anything => !value.is_empty(),
            ImdsDisabled::NotFalse => !value.is_empty() && value != "false",
            ImdsDisabled::NotFalseInAnyCase => !value.eq_ignore_ascii_case("false"),
        })
    }

    fn imds(&self, disabled: ImdsDisabled) -> StepResult {
        if self.is_disabled(disabled) {
            let value = self.input.variable(METADATA_DISABLED).unwrap_or_default();
            return OnFailure::Next.because(format!("{METADATA_DISABLED} is \"{}\"", sanitize(value)));
        }
        takes(CredentialSource::NodeRole, "It asks IMDS for the node's role.")
    }
}

const NO_REGION: &str = "no region is set that it reads";

/// The profile that the variables select.
fn selected<'a>(name: &ProfileName, input: &'a ChainInput) -> &'a str {
    let selected = name.variables.iter().find_map(|variable| {
        if name.empty_counts { input.variable(variable) } else { input.filled(variable) }
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

/// Where the SDK looks for a file.
fn file_location(rule: FileRule, usual: FileLocation, input: &ChainInput) -> Option<FileLocation> {
    match rule.variable.and_then(|name| Some((name, input.variable(name)?))) {
        Some((_, "")) if rule.empty_counts => None,
        Some((name, path)) if !path.is_empty() => {
            (rule.tilde || !path.starts_with("~/")).then_some(FileLocation::Variable(name))
        }
        _ if rule.or_config && !input.files.contains_key(&usual) => Some(FileLocation::UsualConfig),
        _ => Some(usual),
    }
}

/// Merges the two files.
fn merge(rule: FileMerge, config: &Sections, credentials: &Sections) -> Sections {
    if rule == FileMerge::ByProfile {
        let named = config.iter().map(|(name, section)| (name.replace("profile ", ""), section.clone()));
        let mut both: Sections = named.collect();
        both.extend(credentials.clone());
        return both;
    }
    let mut both = config.clone();
    for (profile, section) in credentials {
        let into = both.entry(profile.clone()).or_default();
        for (name, value) in section {
            let is_key = matches!(name.as_str(), "aws_access_key_id" | "aws_secret_access_key");
            if rule == FileMerge::ByPair && is_key && !is_pair(section) {
                continue;
            }
            into.insert(name.clone(), value.clone());
        }
    }
    both
}
