//! The AWS SDK of a JavaScript application: in `node_modules`, or inside the file that a bundler made.
//!
//! Of version 3 the package counts that holds the chain of credentials: the packages of version 3 have
//! different numbers. A bundler leaves out `package.json`, and keeps the texts in the code: the names of
//! variables, the number of version 2, and the names of version 3's packages (seen with esbuild, whole
//! and minified).

use memchr::memmem;
use serde::Deserialize;

use super::root::{File, Root};
use super::{FoundSdks, SdkEvidence};
use sdk_chain::SdkId;

/// The longest `package.json` that is read; that of `aws-sdk` has about 10,000 bytes.
const MAX_PACKAGE_BYTES: usize = 256 << 10;
/// How much of a bundle is looked at in one piece, and how much of each piece again with the next, so
/// that no text falls between two.
const CHUNK: usize = 256 << 10;
const OVERLAP: usize = 256;
/// The most that is read of one file; bundles have a few MB.
const MAX_BUNDLE_BYTES: u64 = 32 << 20;
/// Within how many bytes after its number version 2 names the next part of its code (in 2.100.0, 2.524.0 and
/// 2.1692.0, whole and minified).
const NEAR: usize = 160;

#[derive(Deserialize)]
struct Package {
    version: Option<String>,
}

/// The package that a folder is, if it is one that matters: by its name and that of the folder above.
pub(super) fn package(place: &[u8], name: &[u8]) -> Option<SdkId> {
    if name == b"aws-sdk" && place.ends_with(b"/node_modules") {
        Some(SdkId::JsV2)
    } else if name == b"credential-provider-node" && place.ends_with(b"/node_modules/@aws-sdk") {
        Some(SdkId::JsV3)
    } else {
        None
    }
}

/// Adds the package in the folder at this path, if it has a `package.json`.
pub(super) fn look(root: &Root<'_>, place: &[u8], name: &[u8], sdk: SdkId, finds: &mut FoundSdks) {
    let place = [place, b"/", name].concat();
    let Some(file) = root.file(&[&place, &b"/package.json"[..]].concat()) else { return };
    let package: Option<Package> =
        file.head(MAX_PACKAGE_BYTES).and_then(|text| serde_json::from_slice(&text).ok());
    let version = package.and_then(|package| package.version);
    finds.add(sdk, version, super::path_text(&place, b"package.json"), SdkEvidence::PackageMetadata);
}

/// Adds the SDK that a bundler put into the file, if there is one.
pub(super) fn look_into(file: &File<'_>, place: &str, finds: &mut FoundSdks) {
    let mut seen = Texts::default();
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    let end = file.size.min(MAX_BUNDLE_BYTES);
    if end < file.size {
        file.cut();
    }
    while at < end {
        let Ok(filled) = file.fill(&mut buffer, at) else { return };
        let Some(chunk) = buffer.get(..filled) else { return };
        seen.look(chunk);
        match filled
            .checked_sub(OVERLAP)
            .filter(|_| filled == CHUNK)
            .and_then(|next| u64::try_from(next).ok())
        {
            Some(next) => at += next,
            None => break,
        }
    }
    if let Some((sdk, version)) = seen.sdk() {
        finds.add(sdk, version, place.to_owned(), SdkEvidence::BundledCode);
    }
}

/// What of the SDKs' texts is in a bundle.
#[derive(Default)]
struct Texts {
    web_identity: bool,
    container: bool,
    v3: bool,
    v2: Option<String>,
}

impl Texts {
    fn look(&mut self, chunk: &[u8]) {
        let has = |text: &str| memmem::find(chunk, text.as_bytes()).is_some();
        self.web_identity = self.web_identity || has("AWS_WEB_IDENTITY_TOKEN_FILE");
        self.container = self.container || has("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        self.v3 = self.v3 || has("@aws-sdk/");
        if self.v2.is_none() {
            let numbers = memmem::find_iter(chunk, b"VERSION:").filter_map(|at| chunk.get(at + 8..));
            let mut numbers = numbers.map(|text| text.get(..text.len().min(NEAR)).unwrap_or_default());
            // Other packages have such a number, too, and some of them begin with 2.
            self.v2 = numbers
                .find_map(|text| version_2(text).filter(|_| memmem::find(text, b"Signers:").is_some()));
        }
    }

    fn sdk(self) -> Option<(SdkId, Option<String>)> {
        match self.v2 {
            Some(version) if self.container => Some((SdkId::JsV2, Some(version))),
            // Which version it is, the code does not say; that it knows web identity, it does.
            _ if self.v3 && self.web_identity => Some((SdkId::JsV3, None)),
            _ => None,
        }
    }
}

/// The number in `"2.1692.0"`, with any spaces before.
fn version_2(text: &[u8]) -> Option<String> {
    let text = text.get(..text.len().min(32))?.trim_ascii_start();
    let (quote, text) = text.split_first()?;
    let end = text.iter().position(|byte| byte == quote)?;
    let version = std::str::from_utf8(text.get(..end)?).ok()?;
    let is_number = version.split('.').count() == 3
        && version.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    (matches!(quote, b'"' | b'\'') && is_number && version.starts_with("2.")).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{SdkId, Texts, package, version_2};

    fn sdk(code: &str) -> Option<(SdkId, Option<String>)> {
        let mut texts = Texts::default();
        texts.look(code.as_bytes());
        texts.sdk()
    }

    #[test]
    fn a_bundle_is_known_by_what_it_cannot_do_without() {
        let v2 = r#"AWS.util.update(AWS,{VERSION:"2.1692.0",Signers:{}});process.env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"#;
        let other = format!(r#"{{VERSION:"2.5.1",x:1}};{}{{VERSION:"2.8.0",Signers:1}}"#, " ".repeat(160));
        let v3 =
            r#"name:"@aws-sdk/nested-clients",version:"3.848.0";process.env["AWS_WEB_IDENTITY_TOKEN_FILE"]"#;
        for (code, expected) in [
            (v2, Some((SdkId::JsV2, Some("2.1692.0".to_owned())))),
            (v3, Some((SdkId::JsV3, None))),
            (
                &format!("{other}{v3};AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").replace("Signers", "x"),
                Some((SdkId::JsV3, None)),
            ),
            (
                &format!("{other};AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
                Some((SdkId::JsV2, Some("2.8.0".to_owned()))),
            ),
            (r#"{VERSION:"2.1692.0",Signers:{}}"#, None),
            (r#"require("@aws-sdk/client-s3")"#, None),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", None),
            ("", None),
        ] {
            assert_eq!(sdk(code), expected, "{code}");
        }
    }

    #[test]
    fn only_a_number_of_version_2_is_one() {
        for (text, expected) in [
            (r#""2.1.0""#, Some("2.1.0")),
            ("  '2.1692.0',", Some("2.1692.0")),
            (r#""3.1.0""#, None),
            (r#""2.1""#, None),
            (r#""2.1.x""#, None),
            ("2.1.0", None),
            (r#""2.1.0"#, None),
            ("", None),
        ] {
            assert_eq!(version_2(text.as_bytes()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn packages_count_only_where_node_looks_for_them() {
        for (place, name, expected) in [
            ("/app/node_modules", "aws-sdk", Some(SdkId::JsV2)),
            ("/app/node_modules/@aws-sdk", "credential-provider-node", Some(SdkId::JsV3)),
            (
                "/app/node_modules/.pnpm/x/node_modules/@aws-sdk",
                "credential-provider-node",
                Some(SdkId::JsV3),
            ),
            ("/app/node_modules/@aws-sdk", "client-sts", None),
            ("/app/src", "aws-sdk", None),
            ("", "aws-sdk", None),
        ] {
            assert_eq!(package(place.as_bytes(), name.as_bytes()), expected, "{place}/{name}");
        }
    }
}
