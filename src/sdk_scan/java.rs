//! The AWS SDK of a Java application: in its jars, in jars inside a jar (Spring Boot) or a war, and in fat
//! jars that hold the classes of all. All are read in place: of each archive only its directory, and of
//! that only a few small files.
//!
//! Which classes and files say what (seen in 1.11.704, 1.12.788, 2.10.11 and 2.31.78):
//! version 1 is in `com/amazonaws/sdk/versionInfo.properties`, version 2 in the `pom.properties` of the
//! module `auth`. The SDKs look for the module `sts` by a class of their own. Fat jars may have moved
//! the classes to another package, so that only the end of a name counts; then, and where an archive could
//! not be looked into, nobody can say that the module `sts` is missing.

use std::io;

use miniz_oxide::inflate::decompress_to_vec_with_limit;
use rawzip::{CompressionMethod, ReaderAt, ZipArchiveEntryWayfinder, ZipLocator};

use super::root::File;
use super::{FoundSdk, FoundSdks, SdkEvidence};
use sdk_chain::SdkId;

/// How deep archives are looked for in archives: an ear, a war in it, a jar in that.
const MAX_DEPTH: u32 = 3;
/// The most archives in one archive.
const MAX_NESTED: usize = 2048;
/// The longest name of an archive in an archive.
const MAX_NAME_BYTES: usize = 512;
/// The longest properties file that is read, packed and unpacked; they have about 100 bytes.
const MAX_PROPERTIES_BYTES: usize = 16 << 10;
/// The longest record of an archive's directory that is understood.
const BUFFER: usize = 64 << 10;

/// The signs of one version of the SDK.
struct Signs {
    sdk: SdkId,
    /// The file that says the version.
    version: &'static [u8],
    /// The folder of the SDK's classes, unless they were moved.
    package: &'static [u8],
    /// The class of the credential chain, which every version has.
    chain: &'static [u8],
    /// The class of the module `sts` that the SDK looks for.
    sts: &'static [u8],
    /// The names of the archives that hold the chain.
    archives: [&'static str; 2],
    /// The names of the archives that hold the module `sts`.
    sts_archives: [&'static str; 2],
    /// What some build tools put before the name of an archive.
    group: &'static str,
}

const SIGNS: [Signs; 2] = [
    Signs {
        sdk: SdkId::JavaV1,
        version: b"com/amazonaws/sdk/versionInfo.properties",
        package: b"com/amazonaws/",
        chain: b"amazonaws/auth/DefaultAWSCredentialsProviderChain.class",
        sts: b"services/securitytoken/internal/STSProfileCredentialsService.class",
        archives: ["aws-java-sdk-core-1.", "aws-java-sdk-bundle-1."],
        sts_archives: ["aws-java-sdk-sts-1.", "aws-java-sdk-bundle-1."],
        group: "com.amazonaws.",
    },
    Signs {
        sdk: SdkId::JavaV2,
        version: b"META-INF/maven/software.amazon.awssdk/auth/pom.properties",
        package: b"software/amazon/awssdk/",
        chain: b"awssdk/auth/credentials/DefaultCredentialsProvider.class",
        sts: b"services/sts/internal/StsWebIdentityCredentialsProviderFactory.class",
        archives: ["auth-2.", "bundle-2."],
        sts_archives: ["sts-2.", "bundle-2."],
        group: "software.amazon.awssdk.",
    },
];

/// What stands before a class's name in the archives of applications.
const CLASS_FOLDERS: [&[u8]; 3] = [b"", b"BOOT-INF/classes/", b"WEB-INF/classes/"];

impl Signs {
    /// Whether the class lies elsewhere than its name says.
    fn is_moved(&self, class: &[u8]) -> bool {
        let of =
            |folder: &&[u8]| class.strip_prefix(*folder).is_some_and(|rest| rest.starts_with(self.package));
        !CLASS_FOLDERS.iter().any(of)
    }

    /// The version in an archive's name, if it has one of these beginnings, which end with the first number.
    fn version_of_name(&self, place: &str, beginnings: &[&str]) -> Option<String> {
        let name = place.rsplit('/').next()?.strip_suffix(".jar")?;
        let name = name.strip_prefix(self.group).unwrap_or(name);
        beginnings.iter().find_map(|beginning| {
            let rest = name.strip_prefix(beginning)?;
            let first = beginning.rsplit('-').next()?;
            rest.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("{first}{rest}"))
        })
    }
}

/// What the archives below a root hold together. Which of them one process loads is not known, so the
/// module `sts` counts as missing only if it is nowhere.
#[derive(Default)]
pub(super) struct Java {
    /// What was found of either SDK.
    sdks: [Sdk; 2],
    /// How many archives could not be looked into.
    closed: usize,
}

#[derive(Default)]
struct Sdk {
    cores: Vec<Core>,
    has_sts: bool,
    /// Whether the module `sts` may be there under another name.
    is_moved: bool,
    /// The class of the chain in a folder; its version may lie elsewhere.
    loose: Option<String>,
}

/// A copy of an SDK.
struct Core {
    version: Option<String>,
    place: String,
    how: SdkEvidence,
}

/// The most archives with an SDK in them that are kept in mind.
const MAX_CORES: usize = 32;

impl Java {
    /// Looks into the archive, or takes note of a class or a properties file in a folder.
    pub(super) fn look(&mut self, file: &File<'_>, place: &str) {
        if !is_archive(place.as_bytes()) {
            self.see_loose(file, place);
        } else if file.size > 0 {
            self.look_into(Part { file, start: 0, end: file.size }, place, MAX_DEPTH);
        }
    }

    fn see_loose(&mut self, file: &File<'_>, place: &str) {
        for (signs, sdk) in SIGNS.iter().zip(&mut self.sdks) {
            let name = place.as_bytes();
            sdk.has_sts |= name.ends_with(signs.sts);
            if name.ends_with(signs.chain) {
                sdk.loose.get_or_insert_with(|| place.to_owned());
            }
            if name.ends_with(signs.version)
                && let Some(text) = file.head(MAX_PROPERTIES_BYTES)
                && let Some(version) = version_in(&String::from_utf8_lossy(&text))
            {
                sdk.note(Some(version), place, SdkEvidence::Classes);
            }
        }
    }

    fn look_into(&mut self, part: Part<'_, '_>, place: &str, depth: u32) {
        let mut buffer = vec![0; BUFFER];
        let Ok(archive) = ZipLocator::new().locate_in_reader(part, &mut buffer, part.end - part.start) else {
            // Whatever else is called zip is none that Java loads classes from.
            self.closed += usize::from(!place.ends_with(".zip"));
            return;
        };
        let mut seen: [Seen; 2] = Default::default();
        let mut nested = Vec::new();
        let mut entries = archive.entries(&mut buffer);
        loop {
            let entry = match entries.next_entry() {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                // An archive that is damaged half-way still has what stands before.
                Err(_) => {
                    self.closed += 1;
                    break;
                }
            };
            let path = entry.file_path();
            let name: &[u8] = path.as_ref();
            if is_archive(name) {
                if nested.len() < MAX_NESTED && name.len() <= MAX_NAME_BYTES {
                    let name = String::from_utf8_lossy(name).into_owned();
                    nested.push((name, entry.compression_method(), entry.wayfinder()));
                } else {
                    self.closed += 1;
                }
                continue;
            }
            for (signs, seen) in SIGNS.iter().zip(&mut seen) {
                if name.ends_with(signs.chain) {
                    seen.has_chain = true;
                    seen.is_moved |= signs.is_moved(name);
                }
                seen.has_sts |= name.ends_with(signs.sts);
                if name.ends_with(signs.version) {
                    seen.version = Some((entry.compression_method(), entry.wayfinder()));
                }
            }
        }
        for ((seen, signs), sdk) in seen.into_iter().zip(&SIGNS).zip(&mut self.sdks) {
            let text = seen.version.and_then(|(method, entry)| small(&archive, method, entry));
            let version = text.as_deref().and_then(version_in);
            sdk.has_sts |= seen.has_sts;
            sdk.is_moved |= seen.is_moved;
            if seen.has_chain || version.is_some() {
                let version = version.or_else(|| signs.version_of_name(place, &signs.archives));
                sdk.note(version, place, SdkEvidence::Archive);
            }
        }
        for (name, method, entry) in nested {
            let place = format!("{place}!/{name}");
            if method != CompressionMethod::STORE {
                self.note_by_name(&place);
            } else if let Ok(entry) = archive.get_entry(entry) {
                let (start, end) = entry.compressed_data_range();
                let (start, end) =
                    (part.start.saturating_add(start), part.start.saturating_add(end).min(part.end));
                if start >= end {
                    // An empty one holds nothing.
                } else if depth > 1 {
                    self.look_into(Part { start, end, ..part }, &place, depth - 1);
                } else {
                    self.closed += 1;
                }
            } else {
                self.closed += 1;
            }
        }
    }

    /// An archive that is packed inside another cannot be read in place; its name may say what it is.
    fn note_by_name(&mut self, place: &str) {
        let mut is_known = false;
        for (signs, sdk) in SIGNS.iter().zip(&mut self.sdks) {
            if let Some(version) = signs.version_of_name(place, &signs.archives) {
                sdk.note(Some(version), place, SdkEvidence::Archive);
                is_known = true;
            }
            if signs.version_of_name(place, &signs.sts_archives).is_some() {
                sdk.has_sts = true;
                is_known = true;
            }
        }
        self.closed += usize::from(!is_known);
    }

    /// Adds what was found, and hands on how many archives could not be looked into. Only a walk that saw
    /// everything can say that a module is nowhere.
    pub(super) fn conclude(&mut self, is_whole: bool, finds: &mut FoundSdks) -> usize {
        for (signs, sdk) in SIGNS.iter().zip(std::mem::take(&mut self.sdks)) {
            let is_seen = is_whole && self.closed == 0 && !sdk.is_moved && sdk.loose.is_none();
            let sts_module = (sdk.has_sts || is_seen).then_some(sdk.has_sts);
            let loose = sdk.loose.filter(|_| sdk.cores.is_empty());
            let loose = loose.map(|place| Core { version: None, place, how: SdkEvidence::Classes });
            for Core { version, place, how } in sdk.cores.into_iter().chain(loose) {
                finds.push(FoundSdk { sdk: signs.sdk, version, place, sts_module, evidence: how });
            }
        }
        self.closed
    }
}

impl Sdk {
    fn note(&mut self, version: Option<String>, place: &str, how: SdkEvidence) {
        if self.cores.len() < MAX_CORES && !self.cores.iter().any(|known| known.version == version) {
            self.cores.push(Core { version, place: place.to_owned(), how });
        }
    }
}

/// What one archive holds of one SDK.
#[derive(Default)]
struct Seen {
    has_chain: bool,
    is_moved: bool,
    has_sts: bool,
    version: Option<(CompressionMethod, ZipArchiveEntryWayfinder)>,
}

/// Whether the name is that of an archive in which Java classes may be.
pub(super) fn is_archive(name: &[u8]) -> bool {
    [&b".jar"[..], b".war", b".ear", b".nar", b".zip"].iter().any(|ending| name.ends_with(ending))
}

/// Whether the name is that of a file in a folder that may be a sign of an SDK.
pub(super) fn is_sign(name: &[u8]) -> bool {
    let is_of = |sign: &[u8]| sign.rsplit(|byte| *byte == b'/').next() == Some(name);
    SIGNS.iter().any(|signs| is_of(signs.version) || is_of(signs.chain) || is_of(signs.sts))
}

/// A part of a file that is an archive of its own.
#[derive(Clone, Copy)]
struct Part<'f, 'm> {
    file: &'f File<'m>,
    start: u64,
    end: u64,
}

impl ReaderAt for Part<'_, '_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let at = self.start.saturating_add(offset);
        let rest = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX);
        let wanted = rest.min(buffer.len());
        buffer.get_mut(..wanted).map_or(Ok(0), |buffer| self.file.read_at(buffer, at))
    }
}

/// The text of a small file in the archive.
fn small(
    archive: &rawzip::ZipArchive<Part<'_, '_>>,
    method: CompressionMethod,
    entry: ZipArchiveEntryWayfinder,
) -> Option<String> {
    let packed = usize::try_from(entry.compressed_size_hint()).ok()?;
    if packed > MAX_PROPERTIES_BYTES {
        return None;
    }
    let entry = archive.get_entry(entry).ok()?;
    let mut bytes = vec![0; packed];
    archive.get_ref().read_exact_at(&mut bytes, entry.compressed_data_range().0).ok()?;
    let bytes = match method {
        CompressionMethod::STORE => bytes,
        CompressionMethod::DEFLATE => decompress_to_vec_with_limit(&bytes, MAX_PROPERTIES_BYTES).ok()?,
        _ => return None,
    };
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The value of `version` in a properties file.
fn version_in(properties: &str) -> Option<String> {
    let value = properties.lines().find_map(|line| line.trim_start().strip_prefix("version="))?.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{SIGNS, is_archive, version_in};

    #[test]
    fn versions_are_read_from_properties_and_names() {
        let text = "#Created by Apache Maven 3.5.4\nversion=2.10.11\ngroupId=software.amazon.awssdk\n";
        assert_eq!(version_in(text).as_deref(), Some("2.10.11"));
        assert_eq!(version_in("internalVersion=1\nversion=\n"), None);
        let named = |place| SIGNS.iter().find_map(|signs| signs.version_of_name(place, &signs.archives));
        for (place, expected) in [
            ("/app/lib/aws-java-sdk-core-1.11.704.jar", Some("1.11.704")),
            ("/app/app.war!/WEB-INF/lib/auth-2.31.78.jar", Some("2.31.78")),
            ("/app/lib/auth-2.x.jar", None),
            ("/app/lib/spring-auth-2.1.jar", None),
            ("/app/lib/auth-2.31.78", None),
            ("", None),
        ] {
            assert_eq!(named(place).as_deref(), expected, "{place}");
        }
        assert!(is_archive(b"x.jar") && is_archive(b"BOOT-INF/lib/x.jar") && !is_archive(b"x.jar.sha1"));
    }
}
