//! One version of an object, or one delete marker, as one file.
//!
//! The file's name is `@<counter>-<version id>`, with `.deleted` behind a delete marker. The counter grows with
//! every write to the store, so that names in order are versions in order, and a start needs to read names only.
//! The file's first line is the [`Header`] as JSON, the rest is the body: `tail -n +2` shows what was stored.
//!
//! A file comes into being under another name, is synced, and gets its name by one rename: it is there as a whole
//! or not at all. Whatever else may happen to it afterwards (a disk that fails, a person with an editor) is found
//! by its length and its checksum when it is read, and answered with an error rather than with its bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bytes::Bytes;
use jiff::Timestamp;
use s3s::crypto::{Checksum as _, Md5};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::StoreError;

/// Stands behind the name of a delete marker's file.
const DELETED: &str = ".deleted";

/// The longest header that is read, in bytes: key and metadata are bounded, so that more is damage.
const MAX_HEADER_BYTES: u64 = 64 * 1024;

/// What is known of a version without opening its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VersionName {
    /// Its place among all writes.
    pub(super) counter: u64,
    /// What clients call it.
    pub(super) id: Uuid,
    /// Whether it marks the key as deleted.
    pub(super) deleted: bool,
}

impl fmt::Display for VersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = if self.deleted { DELETED } else { "" };
        write!(f, "@{:016}-{}{ending}", self.counter, self.id.simple())
    }
}

impl FromStr for VersionName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let deleted = text.ends_with(DELETED);
        let (counter, id) = text.trim_end_matches(DELETED).split_once('-').ok_or(())?;
        let counter = counter
            .strip_prefix('@')
            .and_then(|digits| digits.parse().ok())
            .ok_or(())?;
        let name = Self {
            counter,
            id: Uuid::try_parse(id).map_err(drop)?,
            deleted,
        };
        // Only the very spelling that is written is read: the file must be found again by it.
        if name.to_string() == text {
            Ok(name)
        } else {
            Err(())
        }
    }
}

/// What a version says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// The object's key, for people and programs that find the file without the store.
    pub(super) key: String,
    /// When it was written.
    pub(super) last_modified: Timestamp,
    /// The body's length in bytes.
    pub(super) size: u64,
    /// The body's MD5 in hexadecimal, without quotes.
    pub(super) etag: String,
    /// Headers that belong to the object and are given back as they came: `content-type` and its like.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) headers: BTreeMap<String, String>,
    /// The client's own metadata, names without `x-amz-meta-`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) metadata: BTreeMap<String, String>,
}

/// The ETag of a body, without quotes.
pub(super) fn etag(body: &[u8]) -> String {
    hex::encode(Md5::checksum(body))
}

/// Writes a version's file for good: when this returns, the version is on the disk under its name.
///
/// `draft` is a path of the caller's own in the same file system. An error leaves the version absent, or present
/// as a whole where only the last sync failed; [`StoreError::Unsynced`] says which.
pub(super) fn write(draft: &Path, file: &Path, header: &Header, body: &[u8]) -> Result<(), StoreError> {
    let written = write_draft(draft, header, body).and_then(|()| fs::rename(draft, file));
    if let Err(source) = written {
        // Best effort: what stays is swept away at the next start.
        drop(fs::remove_file(draft));
        return Err(StoreError::io("write", file, source));
    }
    sync_folder_of(file).map_err(|source| StoreError::Unsynced {
        path: file.to_owned(),
        source,
    })
}

fn write_draft(draft: &Path, header: &Header, body: &[u8]) -> io::Result<()> {
    let mut first_line = serde_json::to_vec(header)?;
    first_line.push(b'\n');
    let mut draft = File::create_new(draft)?;
    draft.write_all(&first_line)?;
    draft.write_all(body)?;
    draft.sync_all()
}

/// Makes a folder's entries last: renamed, new and removed files are its content.
pub(super) fn sync_folder_of(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Reads a version's header, and that the body behind it has its length.
pub(super) fn read_header(path: &Path) -> Result<Header, StoreError> {
    let file = File::open(path).map_err(|source| StoreError::io("open", path, source))?;
    let length = file
        .metadata()
        .map_err(|source| StoreError::io("look at", path, source))?
        .len();
    let mut first_line = Vec::new();
    BufReader::new(io::Read::take(file, MAX_HEADER_BYTES))
        .read_until(b'\n', &mut first_line)
        .map_err(|source| StoreError::io("read", path, source))?;
    let header = parse_header(path, &first_line)?;
    let body_length = length.saturating_sub(first_line.len() as u64);
    if body_length == header.size {
        Ok(header)
    } else {
        Err(wrong_length(path, &header, body_length))
    }
}

/// Reads a version's body, and that it is the one that was stored.
pub(super) fn read_body(path: &Path) -> Result<Bytes, StoreError> {
    let content = fs::read(path).map_err(|source| StoreError::io("read", path, source))?;
    let end = content
        .iter()
        .position(|&byte| byte == b'\n')
        .map_or(content.len(), |at| at + 1);
    let header = parse_header(path, &content[..end])?;
    let body = Bytes::from(content).split_off(end);
    if body.len() as u64 != header.size {
        return Err(wrong_length(path, &header, body.len() as u64));
    }
    if etag(&body) != header.etag {
        return Err(damaged(
            path,
            "its body is not the one that was stored".to_owned(),
        ));
    }
    Ok(body)
}

fn parse_header(path: &Path, first_line: &[u8]) -> Result<Header, StoreError> {
    if first_line.last() != Some(&b'\n') {
        return Err(damaged(path, "its header is cut off".to_owned()));
    }
    serde_json::from_slice(first_line).map_err(|error| damaged(path, format!("its header says: {error}")))
}

fn wrong_length(path: &Path, header: &Header, found: u64) -> StoreError {
    damaged(path, format!("its body has {found} bytes of {}", header.size))
}

fn damaged(path: &Path, why: String) -> StoreError {
    StoreError::Damaged {
        path: PathBuf::from(path),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_sort_by_age() {
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let name = VersionName {
            counter: 42,
            id,
            deleted: false,
        };
        assert_eq!(
            name.to_string(),
            "@0000000000000042-0123456789abcdef0123456789abcdef"
        );
        assert_eq!(name.to_string().parse(), Ok(name));
        let marker = VersionName {
            counter: 100,
            deleted: true,
            ..name
        };
        assert_eq!(marker.to_string().parse(), Ok(marker));
        assert!(name.to_string() < marker.to_string());
    }

    #[test]
    fn names_of_others_are_refused() {
        for text in [
            "",
            "@",
            "@42-0123456789abcdef0123456789abcdef",
            "@0000000000000042-0123456789ABCDEF0123456789abcdef",
            "@0000000000000042-0123456789abcdef0123456789abcdef~",
            "@0000000000000042-0123456789abcdef0123456789abcdef.deleted.deleted",
            "0000000000000042-0123456789abcdef0123456789abcdef",
            "x.json",
        ] {
            assert_eq!(text.parse::<VersionName>(), Err(()), "{text}");
        }
    }

    fn written(body: &[u8]) -> (tempfile::TempDir, PathBuf, Header) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("version");
        let header = Header {
            key: "a\nb".to_owned(),
            last_modified: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            size: body.len() as u64,
            etag: etag(body),
            headers: BTreeMap::from([("content-type".to_owned(), "text/plain".to_owned())]),
            metadata: BTreeMap::from([("author".to_owned(), "a person\n".to_owned())]),
        };
        write(&folder.path().join("draft"), &path, &header, body).unwrap();
        (folder, path, header)
    }

    #[test]
    fn a_version_reads_back_as_it_was_written() {
        for body in [&b""[..], b"\n", b"one\ntwo", &[0xff; 300_000]] {
            let (folder, path, header) = written(body);
            assert_eq!(read_header(&path).unwrap(), header);
            assert_eq!(read_body(&path).unwrap(), body);
            assert_eq!(
                fs::read_dir(folder.path()).unwrap().count(),
                1,
                "the draft is gone"
            );
        }
    }

    #[test]
    fn a_version_cut_anywhere_is_damage() {
        let (_folder, path, _) = written(b"a body of some length");
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(
                matches!(read_header(&path), Err(StoreError::Damaged { .. })),
                "{length} bytes"
            );
            assert!(
                matches!(read_body(&path), Err(StoreError::Damaged { .. })),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn a_body_that_changed_is_damage() {
        let (_folder, path, _) = written(b"a body");
        let mut content = fs::read(&path).unwrap();
        *content.last_mut().unwrap() ^= 1;
        fs::write(&path, content).unwrap();
        let error = read_body(&path).unwrap_err().to_string();
        assert!(error.contains("not the one that was stored"), "{error}");
    }
}
