//! The shared config and credentials files, read as AWS specifies them.

use std::path::PathBuf;

use sdk_chain::dialect::Dialect;
use sdk_chain::ini::{Sections, SharedFile, SharedFileKind, nested_setting};
use tokio::time::Instant;

use super::setting::SettingSource;

use crate::host::{Pod, ProcFault, ReadError};
use crate::text::Secret;

/// The most bytes of a shared file that are read.
const MAX_FILE_BYTES: usize = 128 << 10;

/// The keys that make a profile a source of credentials.
/// Source: the AWS SDKs and Tools reference guide, settings of the shared files.
const CREDENTIAL_KEYS: [&str; 7] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "role_arn",
    "web_identity_token_file",
    "credential_process",
    "credential_source",
    "sso_account_id",
];

/// What the shared files say, and which of them there are.
#[derive(Debug)]
pub(crate) struct Profiles {
    profiles: Sections,
    services: Sections,
    pub(crate) selected: String,
    /// The files that exist and could be read.
    pub(crate) files: Vec<String>,
    /// The text of each of them.
    pub(super) texts: Vec<(SharedFileKind, Secret)>,
}

/// A shared file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileFileError {
    /// Its path, or the paths of all the files that were parsed.
    pub(crate) path: String,
    pub(crate) fault: String,
}

impl Profiles {
    /// Reads the files that the pod's variables and home directory name. A given profile is in use instead of the
    /// one that the variables name.
    ///
    /// # Errors
    /// If a file is there but cannot be read or parsed.
    pub(crate) async fn load(
        pod: &Pod,
        profile: Option<&str>,
        until: Instant,
    ) -> Result<Self, ProfileFileError> {
        let mut contents = Vec::new();
        let mut files = Vec::new();
        for (kind, variable, usual) in [
            (SharedFileKind::Config, "AWS_CONFIG_FILE", "~/.aws/config"),
            (SharedFileKind::Credentials, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
        ] {
            let path = pod.nonempty_variable(variable).unwrap_or_else(|| usual.to_owned());
            let Some(path) = expand_home(pod, &path) else {
                continue;
            };
            let read = match pod.read(&path, MAX_FILE_BYTES, until).await {
                Ok(file) => String::from_utf8(file.bytes).map_err(|_| "it is not UTF-8 text".to_owned()),
                Err(ReadError::NotFound(_)) => continue,
                // That the process has ended is said where its token is read.
                Err(ReadError::Blocked(blocked)) if blocked.fault == ProcFault::Exited => continue,
                Err(error) => Err(error.to_string()),
            };
            let path = path.to_string_lossy().into_owned();
            match read {
                Ok(text) => contents.push((kind, text)),
                Err(fault) => return Err(ProfileFileError { path, fault }),
            }
            files.push(path);
        }

        let mut variables = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].into_iter();
        let selected =
            profile.map(str::to_owned).or_else(|| variables.find_map(|name| pod.nonempty_variable(name)));
        let selected = selected.unwrap_or_else(|| "default".to_owned());
        // What exactly is wrong is not said: the line may hold a key.
        let SharedFile { profiles, services } = join(&contents).ok_or_else(|| ProfileFileError {
            path: files.join(" or "),
            fault: "it does not follow the format of AWS's shared files".to_owned(),
        })?;
        let texts = contents.into_iter().map(|(kind, text)| (kind, Secret::new(text))).collect();
        Ok(Self { profiles, services, selected, files, texts })
    }

    /// Whether the files have the profile in use.
    pub(crate) fn has_selected(&self) -> bool {
        self.profiles.contains_key(&self.selected)
    }

    /// A setting of the profile in use.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.profiles.get(&self.selected)?.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A setting of the profile in use, and where it was made.
    pub(crate) fn setting(&self, key: &'static str) -> Option<(String, SettingSource)> {
        Some((self.get(key)?.to_owned(), self.source(key, &self.profile_headers(), None)))
    }

    /// The endpoint that the profile in use sets for a service, in its services section or for all.
    pub(crate) fn endpoint(&self, service: &'static str) -> Option<(String, SettingSource)> {
        const KEY: &str = "endpoint_url";
        let name = self.get("services").unwrap_or_default();
        let of_service =
            self.services.get(name).and_then(|settings| nested_setting(settings.get(service)?, KEY));
        match of_service {
            Some("") => None,
            Some(url) => {
                Some((url.to_owned(), self.source(KEY, &[format!("services {name}")], Some(service))))
            }
            None => self.setting(KEY),
        }
    }

    fn profile_headers(&self) -> [String; 2] {
        [self.selected.clone(), format!("profile {}", self.selected)]
    }

    /// Where a key is set last in sections of these headers, or below an outer key of them. The last file counts.
    fn source(&self, key: &'static str, headers: &[String], outer: Option<&str>) -> SettingSource {
        let files = self.files.iter().zip(&self.texts).rev();
        let mut found = files.map(|(path, (_, text))| (path, line_of(text.expose(), headers, outer, key)));
        let (path, line) = found
            .find_map(|(path, line)| Some((path.clone(), Some(line?))))
            .unwrap_or_else(|| (self.files.join(" or "), None));
        SettingSource::File { key, path, line }
    }

    /// The keys, never the values, that make the profile in use a source of credentials.
    pub(crate) fn credential_keys(&self) -> Vec<String> {
        CREDENTIAL_KEYS.iter().filter(|key| self.get(key).is_some()).map(|key| (*key).to_owned()).collect()
    }
}

/// The number of the last line that sets a key in sections of these headers, or below an outer key of them.
fn line_of(text: &str, headers: &[String], outer: Option<&str>, key: &str) -> Option<usize> {
    let (mut is_inside, mut above, mut found) = (false, String::new(), None);
    for (line, number) in text.lines().zip(1..) {
        if let Some((header, _)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            let header = header.split_whitespace().collect::<Vec<_>>().join(" ");
            is_inside = headers.contains(&header);
            above.clear();
            continue;
        }
        let Some((name, _)) = line.split_once('=').filter(|_| is_inside) else { continue };
        let name = name.trim().to_ascii_lowercase();
        if line.starts_with([' ', '\t']) {
            if outer == Some(above.as_str()) && name == key {
                found = Some(number);
            }
        } else {
            if outer.is_none() && name == key {
                found = Some(number);
            }
            above = name;
        }
    }
    found
}

/// The files as one, in which a later one goes before. None if one of them is malformed.
fn join(files: &[(SharedFileKind, String)]) -> Option<SharedFile> {
    let mut joined = SharedFile::default();
    for (kind, text) in files {
        let file = Dialect::WHOLE.read(*kind, text.as_bytes()).ok()?;
        joined.services.extend(file.services);
        for (name, settings) in file.profiles {
            joined.profiles.entry(name).or_default().extend(settings);
        }
    }
    Some(joined)
}

fn expand_home(pod: &Pod, path: &str) -> Option<PathBuf> {
    match path.strip_prefix("~/") {
        Some(rest) => Some(PathBuf::from(pod.raw_variable("HOME")?).join(rest)),
        None => Some(PathBuf::from(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Profiles, SharedFile, SharedFileKind, join, line_of};
    use crate::text::Secret;

    /// The settings of the default profile that are read of the two files, or that one is malformed.
    fn read(config: &str, credentials: &str) -> String {
        let files = [
            (SharedFileKind::Config, config.to_owned()),
            (SharedFileKind::Credentials, credentials.to_owned()),
        ];
        let Some(SharedFile { profiles, services }) = join(&files) else { return "malformed".to_owned() };
        let read = Profiles {
            profiles,
            services,
            selected: "default".to_owned(),
            files: vec!["/a".into(), "/b".into()],
            texts: files.into_iter().map(|(kind, text)| (kind, Secret::new(text))).collect(),
        };
        let found = read.has_selected().then(|| "found".to_owned());
        let region = read.get("region").map(|region| format!("region {region:?}"));
        let endpoint = read.endpoint("sts").map(|(url, _)| format!("endpoint {url}"));
        let all = found.into_iter().chain(read.credential_keys()).chain(region).chain(endpoint);
        all.collect::<Vec<_>>().join(", ")
    }

    /// What is expected is what `aws-runtime` 1.10 made of these files.
    #[test]
    fn files_are_read_as_the_sdk_for_rust_reads_them() {
        for (config, credentials, expected) in [
            ("", "", ""),
            ("[default]\nregion = a\nrole_arn = r\n", "", "found, role_arn, region \"a\""),
            (
                "[default]\nregion = a\n",
                "[default]\nregion = b\naws_access_key_id = AKIA\n",
                "found, aws_access_key_id, region \"b\"",
            ),
            ("[default]\nregion = a\n[profile default]\nrole_arn = r\n", "", "found, role_arn"),
            ("[profile default]\nrole_arn = r\n", "[profile default]\nregion = a\n", "found, role_arn"),
            ("[other]\nregion = a\n", "[other]\nregion = a\n", ""),
            (
                "[default]# comment\nregion = a # comment\nrole_arn = r#1\n# comment\n; comment\n",
                "",
                "found, role_arn, region \"a\"",
            ),
            ("[default]\nregion = a\n  b\n", "", "found, region \"a\\nb\""),
            ("[default]\nregion =\n  b = c\n", "", "found, region \"\\nb = c\""),
            ("[default]\nREGION = a\r\n  \r\nregion = b\r\n", "", "found, region \"b\""),
            ("[default]\naws_secret_access_key =\n  x = y\n", "", "found, aws_secret_access_key"),
        ] {
            assert_eq!(read(config, credentials), expected, "{config} {credentials}");
        }
    }

    #[test]
    fn the_endpoint_of_a_service_goes_before_that_of_the_profile() {
        const SECTION: &str = "[services s]\nsts =\n  endpoint_url = http://sts\n";
        const PROFILE: &str = "[default]\nendpoint_url = http://all\nservices = s\n";
        for (config, credentials, expected) in [
            ("[default]\nendpoint_url = http://all\n", "", "found, endpoint http://all"),
            (&[PROFILE, SECTION].concat(), "", "found, endpoint http://sts"),
            (
                "[services s]\nSTS =\n\tendpoint_url=http://sts # kept\n",
                "[default]\nservices = s\n",
                "found, endpoint http://sts # kept",
            ),
            (
                &[PROFILE, "[services s]\nsts = endpoint_url = http://sts\n"].concat(),
                "",
                "found, endpoint http://sts",
            ),
            (&[PROFILE, SECTION, "  endpoint_url = http://two\n"].concat(), "", "found, endpoint http://two"),
            (&[PROFILE, "[services s]\nsts =\n  endpoint_url =\n"].concat(), "", "found"),
            (
                &[PROFILE, "[services s]\nsts =\n  Endpoint_URL = http://sts\n"].concat(),
                "",
                "found, endpoint http://all",
            ),
            (
                &[PROFILE, "[services t]\nsts =\n  endpoint_url = http://sts\n"].concat(),
                "",
                "found, endpoint http://all",
            ),
            ("[default]\nservices = s\n", SECTION, "found"),
        ] {
            assert_eq!(read(config, credentials), expected, "{config} {credentials}");
        }
    }

    #[test]
    fn the_line_of_a_setting_is_found() {
        const SERVICES: &str = "[services s]\ns3 =\n  endpoint_url = x\nsts =\n  endpoint_url = y\n";
        for (text, header, outer, key, line) in [
            ("[default]\nregion = a\n", "default", None, "region", Some(2)),
            ("[other]\nregion = a\n[ profile  dev ]\n\nREGION=b\n", "profile dev", None, "region", Some(5)),
            ("[default]\nregion = a\nregion = b\n", "default", None, "region", Some(3)),
            ("[default]\ns3 =\n  region = a\n", "default", None, "region", None),
            (SERVICES, "services s", Some("sts"), "endpoint_url", Some(5)),
            (SERVICES, "services t", Some("sts"), "endpoint_url", None),
        ] {
            assert_eq!(line_of(text, &[header.to_owned()], outer, key), line, "{text}");
        }
    }

    #[test]
    fn a_malformed_file_is_refused() {
        for text in [
            "region = a\n[default]\n",
            "[default\nregion = a\n",
            "[default] a\n",
            "[default]\nregion\n",
            "[default]\n= a\n",
            "[default]\n  region = a\n",
            "[default]\ns3 =\n  a\n",
            "[default]\ns3 =\n  # comment\n",
            "[default]\n# comment\n  # comment\n",
            "\u{feff}[default]\nregion = a\n",
        ] {
            assert_eq!(read(text, ""), "malformed", "{text}");
            assert_eq!(read("", text), "malformed", "{text}");
        }
    }
}
