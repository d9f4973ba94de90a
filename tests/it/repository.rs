//! The files of this repository.

use std::fs;
use std::path::{Path, PathBuf};

/// A path below the root of the repository.
pub(crate) fn path(below: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// The text of a file.
pub(crate) fn read(below: impl AsRef<Path>) -> String {
    let path = path(below);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A path as it is below the root of the repository.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path).display().to_string()
}

/// All files with one of these extensions in a folder and the folders in it, in order.
pub(crate) fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let is_wanted =
        |path: &Path| path.extension().is_some_and(|it| extensions.iter().any(|wanted| it == *wanted));
    let below = |path: PathBuf| if path.is_dir() { files(&path, extensions) } else { vec![path] };
    paths.into_iter().flat_map(below).filter(|path| is_wanted(path)).collect()
}
