//! The AWS SDK of a Java application: in its jars, in jars inside a jar (Spring Boot) or a war, and in fat
//! jars that hold the classes of all. All are read in place: of each archive only its directory, and of
//! that only a few small files.
//!
//! Which classes and files say what (seen in 1.11.704, 1.12.788, 2.10.11 and 2.31.78):
//! version 1 is in `com/amazonaws/sdk/versionInfo.properties`, version 2 in the `pom.properties` of the
//! module `auth`. The SDKs look for the module `sts` by a class of their own. Fat jars may have moved
//! the classes to another package, so that only the end of a name counts.

use std::io;

use miniz_oxide::inflate::decompress_to_vec_with_limit;
use rawzip::{CompressionMethod, ReaderAt, ZipArchiveEntryWayfinder, ZipLocator};

use super::root::File;
use super::{Finds, FoundSdk, How};
use crate::chain::SdkId;

/// How deep archives are looked for in archives: an ear, a war in it, a jar in that.
const DEEPEST: u32 = 3;
/// The most archives in one archive.
const MOST_NESTED: usize = 2048;
/// The longest name of an archive in an archive.
const LONGEST_NAME: usize = 512;
/// The longest properties file that is read, packed and unpacked; they have about 100 bytes.
const LONGEST_PROPERTIES: usize = 16 << 10;
/// The longest record of an archive's directory that is understood.
const BUFFER: usize = 64 << 10;

/// The signs of one version of the SDK.
struct Signs {
    sdk: SdkId,
    /// The file that says the version.
    version: &'static [u8],
    /// The class of the credential chain, which every version has.
    chain: &'static [u8],
    /// The class of the module `sts` that the SDK looks for.
    sts: &'static [u8],
    /// The names of the archives that hold the chain.
    archives: [&'static str; 2],
    /// The name of the archive that holds the module `sts`.
    sts_archive: &'static str,
}

const SIGNS: [Signs; 2] = [
    Signs {
        sdk: SdkId::JavaV1,
        version: b"com/amazonaws/sdk/versionInfo.properties",
        chain: b"amazonaws/auth/DefaultAWSCredentialsProviderChain.class",
        sts: b"services/securitytoken/internal/STSProfileCredentialsService.class",
        archives: ["aws-java-sdk-core-1.", "aws-java-sdk-bundle-1."],
        sts_archive: "aws-java-sdk-sts-1.",
    },
    Signs {
        sdk: SdkId::JavaV2,
        version: b"META-INF/maven/software.amazon.awssdk/auth/pom.properties",
        chain: b"awssdk/auth/credentials/DefaultCredentialsProvider.class",
        sts: b"services/sts/internal/StsWebIdentityCredentialsProviderFactory.class",
        archives: ["auth-2.", "bundle-2."],
        sts_archive: "sts-2.",
    },
];

/// What the archives below a root hold together. Which of them one process loads is not known, so the
/// module `sts` counts as missing only if it is nowhere.
#[derive(Default)]
pub(super) struct Java {
    /// The version, if it is known, and the archive, for either SDK.
    cores: [Vec<(Option<String>, String)>; 2],
    has_sts: [bool; 2],
}

/// The most archives with an SDK in them that are kept in mind.
const MOST_CORES: usize = 32;

impl Java {
    /// Looks into the archive.
    pub(super) fn look(&mut self, file: &File<'_>, place: &str) {
        self.look_into(Part { file, start: 0, end: file.size }, place, DEEPEST);
    }

    fn look_into(&mut self, part: Part<'_, '_>, place: &str, depth: u32) {
        let mut buffer = vec![0; BUFFER];
        let Ok(archive) = ZipLocator::new().locate_in_reader(part, &mut buffer, part.end - part.start) else {
            return;
        };
        let mut seen: [Seen; 2] = Default::default();
        let mut nested = Vec::new();
        let mut entries = archive.entries(&mut buffer);
        // An archive that is damaged half-way still has what stands before.
        while let Ok(Some(entry)) = entries.next_entry() {
            let path = entry.file_path();
            let name: &[u8] = path.as_ref();
            if is_archive(name) {
                if nested.len() < MOST_NESTED && name.len() <= LONGEST_NAME {
                    let name = String::from_utf8_lossy(name).into_owned();
                    nested.push((name, entry.compression_method(), entry.wayfinder()));
                }
                continue;
            }
            for (signs, seen) in SIGNS.iter().zip(&mut seen) {
                seen.has_chain |= name.ends_with(signs.chain);
                seen.has_sts |= name.ends_with(signs.sts);
                if name.ends_with(signs.version) {
                    seen.version = Some((entry.compression_method(), entry.wayfinder()));
                }
            }
        }
        for ((seen, signs), index) in seen.into_iter().zip(&SIGNS).zip(0..) {
            let text = seen.version.and_then(|(method, entry)| small(&archive, method, entry));
            let version = text.as_deref().and_then(version_in);
            if seen.has_sts {
                self.note_sts(index);
            }
            if seen.has_chain || version.is_some() {
                let version = version.or_else(|| version_of_name(place, &signs.archives));
                self.note_core(index, version, place);
            }
        }
        for (name, method, entry) in nested {
            let place = format!("{place}!/{name}");
            if method != CompressionMethod::STORE {
                self.note_by_name(&place);
            } else if depth > 1
                && let Ok(entry) = archive.get_entry(entry)
            {
                let (start, end) = entry.compressed_data_range();
                let (start, end) =
                    (part.start.saturating_add(start), part.start.saturating_add(end).min(part.end));
                if start < end {
                    self.look_into(Part { start, end, ..part }, &place, depth - 1);
                }
            }
        }
    }

    /// An archive that is packed inside another cannot be read in place; its name says what it is.
    fn note_by_name(&mut self, place: &str) {
        for (signs, index) in SIGNS.iter().zip(0..) {
            if let Some(version) = version_of_name(place, &signs.archives) {
                self.note_core(index, Some(version), place);
            }
            if version_of_name(place, &[signs.sts_archive]).is_some() {
                self.note_sts(index);
            }
        }
    }

    fn note_core(&mut self, index: usize, version: Option<String>, place: &str) {
        if let Some(cores) = self.cores.get_mut(index)
            && cores.len() < MOST_CORES
            && !cores.iter().any(|(known, _)| *known == version)
        {
            cores.push((version, place.to_owned()));
        }
    }

    fn note_sts(&mut self, index: usize) {
        if let Some(has_sts) = self.has_sts.get_mut(index) {
            *has_sts = true;
        }
    }

    /// Adds what was found. Only a scan that saw everything can say that a module is nowhere.
    pub(super) fn conclude(self, is_whole: bool, finds: &mut Finds) {
        for ((cores, has_sts), signs) in self.cores.into_iter().zip(self.has_sts).zip(&SIGNS) {
            let sts_module = (has_sts || is_whole).then_some(has_sts);
            for (version, place) in cores {
                finds.push(FoundSdk { sdk: signs.sdk, version, place, sts_module, how: How::Archive });
            }
        }
    }
}

/// What one archive holds of one SDK.
#[derive(Default)]
struct Seen {
    has_chain: bool,
    has_sts: bool,
    version: Option<(CompressionMethod, ZipArchiveEntryWayfinder)>,
}

/// Whether the name is that of a Java archive.
pub(super) fn is_archive(name: &[u8]) -> bool {
    [&b".jar"[..], b".war", b".ear"].iter().any(|ending| name.ends_with(ending))
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
    if packed > LONGEST_PROPERTIES {
        return None;
    }
    let entry = archive.get_entry(entry).ok()?;
    let mut bytes = vec![0; packed];
    archive.get_ref().read_exact_at(&mut bytes, entry.compressed_data_range().0).ok()?;
    let bytes = match method {
        CompressionMethod::STORE => bytes,
        CompressionMethod::DEFLATE => decompress_to_vec_with_limit(&bytes, LONGEST_PROPERTIES).ok()?,
        _ => return None,
    };
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The value of `version` in a properties file.
fn version_in(properties: &str) -> Option<String> {
    let value = properties.lines().find_map(|line| line.trim_start().strip_prefix("version="))?.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// The version in an archive's name, if it has one of these beginnings, which end with the first number.
fn version_of_name(place: &str, beginnings: &[&str]) -> Option<String> {
    let name = place.rsplit('/').next()?.strip_suffix(".jar")?;
    beginnings.iter().find_map(|beginning| {
        let rest = name.strip_prefix(beginning)?;
        let first = beginning.rsplit('-').next()?;
        rest.starts_with(|c: char| c.is_ascii_digit()).then(|| format!("{first}{rest}"))
    })
}

#[cfg(test)]
mod tests {
    use super::{is_archive, version_in, version_of_name};

    #[test]
    fn versions_are_read_from_properties_and_names() {
        let text = "#Created by Apache Maven 3.5.4\nversion=2.10.11\ngroupId=software.amazon.awssdk\n";
        assert_eq!(version_in(text).as_deref(), Some("2.10.11"));
        assert_eq!(version_in("internalVersion=1\nversion=\n"), None);
        let named = |place| version_of_name(place, &["aws-java-sdk-core-1.", "auth-2."]);
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
