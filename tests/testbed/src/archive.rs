//! Zip archives, as the jars of an application.

use std::io::{self, Write};

use rawzip::ZipArchiveWriter;

/// An archive whose files, by path and content, are stored as they are.
///
/// # Errors
/// If a path is none that an archive may hold.
pub fn stored<P: AsRef<str>, C: AsRef<[u8]>>(files: impl IntoIterator<Item = (P, C)>) -> io::Result<Vec<u8>> {
    let mut archive = ZipArchiveWriter::new(Vec::new());
    for (path, content) in files {
        let (mut entry, config) = archive.new_file(path.as_ref()).start().map_err(io::Error::other)?;
        let mut writer = config.wrap(&mut entry);
        writer.write_all(content.as_ref())?;
        let (_, descriptor) = writer.finish().map_err(io::Error::other)?;
        entry.finish(descriptor).map_err(io::Error::other)?;
    }
    archive.finish().map_err(io::Error::other)
}
