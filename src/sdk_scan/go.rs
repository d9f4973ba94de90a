//! The AWS SDK in a Go program: the list of modules that Go's linker puts into every program.
//!
//! It survives `strip` and `-ldflags "-s -w" -trimpath`. The layout is that of Go 1.18 and newer, where
//! the strings stand inline; older programs hold pointers, and are passed over.
//! Source: `debug/buildinfo` and `cmd/link/internal/ld/data.go` of Go 1.26.

use memchr::memmem;

use super::root::File;
use super::{FoundSdks, SdkEvidence};
use sdk_chain::SdkId;

/// The module of version 1.
pub(super) const V1: &str = "github.com/aws/aws-sdk-go";
/// The module of version 2 that holds the chain of credentials.
pub(super) const V2_CONFIG: &str = "github.com/aws/aws-sdk-go-v2/config";

/// What stands before the list.
const MAGIC: &[u8] = b"\xff Go buildinf:";
/// The list begins at a multiple of this, as the magic is aligned.
const ALIGN: u64 = 16;
/// The header: the magic, the size of a pointer, flags, and what only old programs use.
const HEADER: u64 = 32;
/// The flag for strings that stand inline.
const INLINE: u8 = 2;
/// What frames the list of modules, before and behind.
const FRAME: usize = 16;

/// The most program headers; the linker writes about ten.
const MAX_SEGMENTS: u16 = 256;
/// The most bytes of one segment that are searched. Go puts the list first among the data of its own,
/// which only the data of linked C code come before.
const MAX_SEARCHED_BYTES: u64 = 32 << 20;
/// The longest list: modules take about 100 bytes each.
const MAX_LIST_BYTES: usize = 1 << 20;
const CHUNK: usize = 64 << 10;

/// Adds the AWS SDKs in a list of modules.
pub(super) fn add_found(list: &str, place: &str, finds: &mut FoundSdks) {
    for (sdk, version) in sdks(list) {
        finds.add(sdk, version, place.to_owned(), SdkEvidence::BuildInfo);
    }
}

/// The list of modules in a program, an ELF file of 64 bits and little-endian order; `None` if Go did not
/// build it.
pub(super) fn modules(file: &File<'_>) -> Option<String> {
    let header = file.head(64)?;
    if !header.starts_with(b"\x7fELF\x02\x01") || u16::from_le_bytes(array_at(&header, 54)?) != 56 {
        return None;
    }
    let count = usize::from(u16::from_le_bytes(array_at(&header, 56)?).min(MAX_SEGMENTS));
    let segments = file.part(u64::from_le_bytes(array_at(&header, 32)?), count * 56)?;
    segments.chunks_exact(56).filter_map(Segment::writable).find_map(|segment| segment.modules(file))
}

/// A segment of data in the file.
struct Segment {
    offset: u64,
    address: u64,
    size: u64,
}

impl Segment {
    /// The segment that the program header describes, if it is loaded and is data.
    fn writable(header: &[u8]) -> Option<Self> {
        const LOAD: u32 = 1;
        const EXECUTE: u32 = 1;
        const WRITE: u32 = 2;
        let is_data = u32::from_le_bytes(array_at(header, 0)?) == LOAD
            && u32::from_le_bytes(array_at(header, 4)?) & (EXECUTE | WRITE) == WRITE;
        let (offset, address, size) = (
            u64::from_le_bytes(array_at(header, 8)?),
            u64::from_le_bytes(array_at(header, 16)?),
            u64::from_le_bytes(array_at(header, 32)?),
        );
        is_data.then_some(Self { offset, address, size })
    }

    fn modules(&self, file: &File<'_>) -> Option<String> {
        let magic = memmem::Finder::new(MAGIC);
        let size = self.size.min(MAX_SEARCHED_BYTES).min(file.size.saturating_sub(self.offset));
        let mut buffer = vec![0; CHUNK];
        let mut at = 0;
        while at < size {
            let filled = file.fill(&mut buffer, self.offset.checked_add(at)?).ok()?;
            let chunk = buffer.get(..filled)?;
            for found in magic.find_iter(chunk) {
                let found = at + u64::try_from(found).ok()?;
                if self.address.wrapping_add(found).is_multiple_of(ALIGN)
                    && let Some(list) = list_at(file, self.offset.checked_add(found)?)
                {
                    return Some(list);
                }
            }
            let next = filled.checked_sub(MAGIC.len() - 1).filter(|next| *next > 0)?;
            at += u64::try_from(next).ok()?;
        }
        None
    }
}

/// The list behind the header at the offset.
fn list_at(file: &File<'_>, offset: u64) -> Option<String> {
    let header = file.part(offset, usize::try_from(HEADER).ok()?)?;
    if header.get(15)? & INLINE == 0 {
        return None;
    }
    // The version of Go, and then the list.
    let offset = offset.checked_add(HEADER)?;
    let start = file.part(offset, CHUNK)?;
    let (_, version_end) = sized_text(&start, 0)?;
    let (list_start, list_end) = sized_text(&start, version_end)?;
    let length = list_end.checked_sub(list_start)?;
    if length > MAX_LIST_BYTES {
        return None;
    }
    let list = file.part(offset.checked_add(u64::try_from(list_start).ok()?)?, length)?;
    let framed = list.get(FRAME..list.len().checked_sub(FRAME)?)?;
    (list.len() == length).then(|| String::from_utf8_lossy(framed).into_owned())
}

/// Where the text begins and ends whose length, as a varint, stands at the offset.
fn sized_text(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut length = 0_usize;
    for (place, byte) in bytes.get(at..)?.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let start = at + place + 1;
            return Some((start, start.checked_add(length)?));
        }
    }
    None
}

/// The AWS SDKs in a list of modules, whose lines are `dep`, module, version and checksum, or `=>` and
/// the same of what takes the place of the one before.
fn sdks(list: &str) -> Vec<(SdkId, Option<String>)> {
    let mut versions: Vec<(&str, Option<&str>)> = Vec::new();
    for line in list.lines() {
        let mut fields = line.split('\t');
        match (fields.next(), fields.next(), fields.next()) {
            (Some("dep" | "mod"), Some(module), version) => versions.push((module, version)),
            // The module keeps its name, whatever takes its place; a fork counts in numbers of its own.
            (Some("=>"), Some(module), version) => {
                if let Some(last) = versions.last_mut() {
                    last.1 = version.filter(|_| module == last.0);
                }
            }
            _ => {}
        }
    }
    let version_of =
        |module: &str| versions.iter().find(|(name, _)| *name == module).map(|(_, version)| *version);
    let v2_core = "github.com/aws/aws-sdk-go-v2";
    let v2 = version_of(V2_CONFIG).or_else(|| version_of(v2_core).map(|_| None));
    [(SdkId::GoV2, v2), (SdkId::GoV1, version_of(V1))]
        .into_iter()
        .filter_map(|(sdk, version)| Some((sdk, version?)))
        .map(|(sdk, version)| (sdk, version.map(|text| text.trim_start_matches('v').to_owned())))
        .map(|(sdk, version)| (sdk, version.filter(|text| is_release(text))))
        .collect()
}

/// Whether the version is one of a release or follows one; what begins like this is made up for a commit that
/// follows none.
fn is_release(version: &str) -> bool {
    version.starts_with(|c: char| c.is_ascii_digit()) && !version.starts_with("0.0.0-")
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
