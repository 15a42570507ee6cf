//! The store's folder: whose it is, what is in it.
//!
//! ```text
//! .lock                     held while a process serves the folder; its content is that process's id
//! .layout                   the version of this layout
//! .drafts/                  what is being written; emptied at start
//! BUCKET/bucket.json        when the bucket was created
//! BUCKET/objects/…/@…       the versions of a key, in the key's folder
//! ```
//!
//! Bucket names do not begin with a dot, so that nothing here is mistaken for a bucket.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::index::{BucketIndex, Version};
use super::key::ObjectKey;
use super::version_file::{VersionName, sync_folder_of};

/// The version of the layout that is described above.
const LAYOUT: &str = "1";

/// A folder that was opened: nobody else has it while this lives.
#[derive(Debug)]
pub(super) struct Opened {
    /// Unlocked by the system when it is closed, also by a kill.
    pub(super) lock: File,
    pub(super) buckets: BTreeMap<String, BucketIndex>,
    /// Above every counter in the folder.
    pub(super) next_counter: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct BucketFile {
    created: Timestamp,
}

/// Where the versions of a bucket's keys lie.
pub(super) fn objects(folder: &Path, bucket: &str) -> PathBuf {
    folder.join(bucket).join("objects")
}

/// A path for something that is not there yet; `name` must be the caller's own.
pub(super) fn draft(folder: &Path, name: &str) -> PathBuf {
    folder.join(".drafts").join(name)
}

/// Takes the folder, creating it if need be, and reads what is in it.
pub(super) fn open(folder: &Path) -> anyhow::Result<Opened> {
    fs::create_dir_all(folder)
        .with_context(|| format!("could not create the s3 folder {}", folder.display()))?;
    let lock = take(folder)?;
    let context = || format!("could not read the s3 folder {}", folder.display());
    check_layout(folder).with_context(context)?;
    sweep_drafts(folder).with_context(context)?;
    let mut buckets = BTreeMap::new();
    let mut next_counter = 1;
    for entry in fs::read_dir(folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
            continue;
        };
        if name.starts_with('.') {
            continue;
        }
        let Some(bucket_file) = read_bucket_file(&entry.path()).with_context(context)? else {
            tracing::warn!(
                "the embedded s3 leaves {} alone: it is not a bucket",
                entry.path().display()
            );
            continue;
        };
        let mut index = BucketIndex::new(bucket_file.created);
        let highest = read_objects(&objects(folder, &name), &mut index).with_context(context)?;
        next_counter = next_counter.max(highest + 1);
        buckets.insert(name, index);
    }
    Ok(Opened {
        lock,
        buckets,
        next_counter,
    })
}

fn take(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(".lock");
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .with_context(|| format!("could not open {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who holds it is a courtesy, and not yet written where both start at once.
            drop(lock.read_to_string(&mut holder));
            let holder = match holder.trim() {
                "" => "another process".to_owned(),
                id => format!("process {id}"),
            };
            bail!("the s3 folder {} is in use by {holder}", folder.display());
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("could not lock {}", path.display()));
        }
    }
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())?;
    Ok(lock)
}

fn check_layout(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(".layout");
    match fs::read_to_string(&path) {
        Ok(found) => ensure!(
            found.trim() == LAYOUT,
            "its layout is {:?}, this program knows {LAYOUT:?}",
            found.trim()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let draft = folder.join(".layout.draft");
            fs::write(&draft, LAYOUT)?;
            File::open(&draft)?.sync_all()?;
            fs::rename(&draft, &path)?;
            sync_folder_of(&path)?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn sweep_drafts(folder: &Path) -> io::Result<()> {
    let drafts = folder.join(".drafts");
    match fs::remove_dir_all(&drafts) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir(&drafts)
}

/// Creates a bucket as a whole or not at all. The caller has made sure that there is none.
pub(super) fn create_bucket(folder: &Path, name: &str, created: Timestamp) -> io::Result<()> {
    let draft = draft(folder, name);
    fs::create_dir_all(draft.join("objects"))?;
    let mut file = File::create(draft.join("bucket.json"))?;
    file.write_all(&serde_json::to_vec(&BucketFile { created })?)?;
    file.sync_all()?;
    File::open(&draft)?.sync_all()?;
    let bucket = folder.join(name);
    fs::rename(&draft, &bucket)?;
    sync_folder_of(&bucket)
}

/// Creates a key's folder and makes it last.
pub(super) fn create_key_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|ancestor| !ancestor.exists())
        .collect();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            // Another key's writer was faster.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => sync_folder_of(folder)?,
        }
    }
    Ok(())
}

fn read_bucket_file(bucket: &Path) -> anyhow::Result<Option<BucketFile>> {
    match fs::read(bucket.join("bucket.json")) {
        Ok(content) => {
            let read = serde_json::from_slice(&content);
            Ok(Some(read.with_context(|| {
                format!("{}/bucket.json is damaged", bucket.display())
            })?))
        }
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Reads the names of all versions below a bucket's `objects`, and answers with the highest counter.
fn read_objects(objects: &Path, index: &mut BucketIndex) -> anyhow::Result<u64> {
    let mut highest = 0;
    let mut folders: Vec<(PathBuf, Vec<String>)> = vec![(objects.to_owned(), Vec::new())];
    while let Some((folder, names)) = folders.pop() {
        let key = ObjectKey::of_folder(names.iter().map(String::as_str));
        for entry in fs::read_dir(&folder).with_context(|| format!("could not read {}", folder.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                let names = names.iter().cloned().chain([name]).collect();
                folders.push((entry.path(), names));
            } else if let (Some(key), Ok(name)) = (&key, name.parse::<VersionName>()) {
                highest = highest.max(name.counter);
                index.insert(
                    key,
                    Arc::new(Version {
                        name,
                        header: OnceLock::new(),
                    }),
                );
            } else {
                tracing::warn!(
                    "the embedded s3 leaves {} alone: it is not a version",
                    entry.path().display()
                );
            }
        }
    }
    Ok(highest)
}
