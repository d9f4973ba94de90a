//! The AWS SDK of a Python application: botocore, by what pip or the distribution keeps beside it.
//!
//! The folder `NAME-VERSION.dist-info` says name and version (PyPA's "Recording installed projects"), and
//! so do `NAME-VERSION[-pyX.Y].egg-info`, a folder or a file, and `.egg`. Without one, the package's own
//! `__init__.py` says its version.

use super::root::Root;
use super::{FoundSdks, SdkEvidence};
use sdk_chain::SdkId;

/// The most bytes of `__init__.py` that are read; botocore's has about 5,000.
const MAX_INIT_BYTES: usize = 64 << 10;

/// What one folder holds of Python packages.
#[derive(Default)]
pub(super) struct Folder {
    has_metadata: bool,
    has_package: bool,
}

impl Folder {
    /// Takes note of a name in the folder at this place.
    pub(super) fn see(&mut self, place: &[u8], name: &[u8], is_folder: bool, finds: &mut FoundSdks) {
        self.has_package |= is_folder && name == b"botocore";
        let Ok(name) = std::str::from_utf8(name) else { return };
        let Some(record) =
            [".dist-info", ".egg-info", ".egg"].iter().find_map(|kind| name.strip_suffix(kind))
        else {
            return;
        };
        for (package, sdk) in [("botocore-", SdkId::Boto), ("awscli-2.", SdkId::CliV2)] {
            let Some(rest) = record.strip_prefix(package) else { continue };
            let rest = if sdk == SdkId::CliV2 { format!("2.{rest}") } else { rest.to_owned() };
            let version =
                rest.split('-').next().filter(|text| text.starts_with(|c: char| c.is_ascii_digit()));
            self.has_metadata |= sdk == SdkId::Boto;
            finds.add(
                sdk,
                version.map(str::to_owned),
                super::path_text(place, name.as_bytes()),
                SdkEvidence::PackageMetadata,
            );
        }
    }

    /// Looks into the package itself where nothing else says its version. Version 2 of the AWS CLI has a
    /// botocore of its own inside, which is no other SDK than the CLI.
    pub(super) fn conclude(&self, root: &Root<'_>, place: &[u8], finds: &mut FoundSdks) {
        if !self.has_package || self.has_metadata || place.ends_with(b"awscli") {
            return;
        }
        let Some(file) = root.file(&[place, b"/botocore/__init__.py"].concat()) else { return };
        let Some(head) = file.head(MAX_INIT_BYTES) else { return };
        // A folder of this name without a version is some other package's part for botocore.
        if let Some(version) = version_in(&String::from_utf8_lossy(&head)) {
            let place = super::path_text(place, b"botocore/__init__.py");
            finds.add(SdkId::Boto, Some(version), place, SdkEvidence::Source);
        }
    }
}

/// The version in `__version__ = '1.44.5'`.
fn version_in(source: &str) -> Option<String> {
    let line = source.lines().find_map(|line| line.strip_prefix("__version__"))?;
    let value = line.split(['\'', '"']).nth(1)?;
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn the_version_is_read_without_running_anything() {
        for (source, expected) in [
            ("import os\n__version__ = '1.12.199'\n", Some("1.12.199")),
            ("__version__=\"1.44.5\" # x", Some("1.44.5")),
            ("__version__ = VERSION", None),
            ("__version__ = ''", None),
            ("", None),
        ] {
            assert_eq!(version_in(source).as_deref(), expected, "{source}");
        }
    }
}
