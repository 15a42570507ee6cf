//! The store: what S3 promises, on a folder.
//!
//! A write takes its key's turn, checks its condition against the key's latest version, writes the new version's
//! file, and only then shows it in the index. Turns are handed out by a fixed number of locks, so that they need
//! no housekeeping; two keys that share a lock wait for each other and are none the worse for it. Reads take no
//! turn: a version never changes once it is there.
//!
//! All work on the disk runs on threads that may block. A client that goes away does not stop a write half-way:
//! the turn travels with the work.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{Mutex, OwnedMutexGuard};
use uuid::Uuid;

use super::error::StoreError;
use super::folder;
use super::index::{BucketIndex, Found, Listed, Page, Query, Version};
use super::key::ObjectKey;
use super::version_file::{self, Header, VersionName};

/// How many keys can be written at once, at most.
const TURNS: usize = 256;

/// An object's bucket and key.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) bucket: String,
    pub(super) key: ObjectKey,
}

/// What must hold for the key's latest version before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// Nothing.
    None,
    /// It is absent or deleted.
    Absent,
    /// It is there.
    Present,
    /// It is there and has this ETag, without quotes.
    Etag(String),
}

/// An object to be stored.
#[derive(Debug)]
pub(super) struct NewObject {
    pub(super) headers: BTreeMap<String, String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) body: Bytes,
}

/// What became of a deletion.
#[derive(Debug)]
pub(super) struct Deleted {
    /// The delete marker that was written, or the version that was removed.
    pub(super) version_id: Uuid,
    /// Whether that is a delete marker.
    pub(super) delete_marker: bool,
}

/// The store.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    buckets: RwLock<BTreeMap<String, BucketIndex>>,
    next_counter: AtomicU64,
    turns: Vec<Arc<Mutex<()>>>,
    hasher: RandomState,
    /// Held for as long as the store lives.
    _lock: File,
}

/// Runs work that may block on the disk.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(StoreError::Stopped))
}

impl Store {
    /// Opens the folder, and creates what is missing in it.
    pub(super) async fn open(folder: &Path) -> anyhow::Result<Arc<Self>> {
        let folder = folder.to_owned();
        let opened = tokio::task::spawn_blocking({
            let folder = folder.clone();
            move || folder::open(&folder)
        });
        let opened = opened.await??;
        Ok(Arc::new(Self {
            folder,
            buckets: RwLock::new(opened.buckets),
            next_counter: AtomicU64::new(opened.next_counter),
            turns: (0..TURNS).map(|_| Arc::default()).collect(),
            hasher: RandomState::new(),
            _lock: opened.lock,
        }))
    }

    // The index is changed by single calls that leave it whole, so that a panic elsewhere does not spoil it.
    fn buckets(&self) -> RwLockReadGuard<'_, BTreeMap<String, BucketIndex>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn buckets_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<String, BucketIndex>> {
        self.buckets.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_bucket<T>(&self, name: &str, look: impl FnOnce(&BucketIndex) -> T) -> Result<T, StoreError> {
        self.buckets()
            .get(name)
            .map(look)
            .ok_or_else(|| StoreError::NoSuchBucket(name.to_owned()))
    }

    async fn turn(&self, target: &Target) -> OwnedMutexGuard<()> {
        let hash = self.hasher.hash_one((&target.bucket, &target.key));
        let at = usize::try_from(hash % TURNS as u64).unwrap_or_default();
        Arc::clone(&self.turns[at]).lock_owned().await
    }

    /// Every bucket with the time of its creation, by name.
    pub(super) fn list_buckets(&self) -> Vec<(String, Timestamp)> {
        self.buckets()
            .iter()
            .map(|(name, index)| (name.clone(), index.created))
            .collect()
    }

    /// Refuses a bucket that does not exist.
    pub(super) fn check_bucket(&self, name: &str) -> Result<(), StoreError> {
        self.with_bucket(name, |_| ())
    }

    /// Creates a bucket. The name has been checked against S3's rules.
    pub(super) async fn create_bucket(self: &Arc<Self>, name: String) -> Result<(), StoreError> {
        let store = Arc::clone(self);
        on_disk(move || {
            // Held over the disk work: creating buckets is rare, and two of one name must not meet.
            let mut buckets = store.buckets_mut();
            if buckets.contains_key(&name) {
                return Err(StoreError::BucketExists(name));
            }
            let created = Timestamp::now();
            folder::create_bucket(&store.folder, &name, created)
                .map_err(|source| StoreError::io("create", &store.folder.join(&name), source))?;
            buckets.insert(name, BucketIndex::new(created));
            Ok(())
        })
        .await
    }

    /// Writes a new version, if the condition holds.
    pub(super) async fn put(
        self: &Arc<Self>,
        target: Target,
        condition: Condition,
        object: NewObject,
    ) -> Result<Found, StoreError> {
        self.check_bucket(&target.bucket)?;
        let turn = self.turn(&target).await;
        let store = Arc::clone(self);
        on_disk(move || {
            let _turn = turn;
            let latest = store.latest_object(&target)?;
            match (condition, latest) {
                (Condition::Absent, Some(_)) => return Err(StoreError::PreconditionFailed),
                (Condition::Etag(etag), Some(latest)) if latest.header.etag != etag => {
                    return Err(StoreError::PreconditionFailed);
                }
                (Condition::Present | Condition::Etag(_), None) => {
                    return Err(StoreError::NoSuchKey(target.key.as_str().to_owned()));
                }
                _ => {}
            }
            store.write(&target, object, false)
        })
        .await
    }

    /// Deletes an object: without a version by a delete marker, with one by removing that version for good.
    ///
    /// A condition is about the latest version, and holds where there is none.
    pub(super) async fn delete(
        self: &Arc<Self>,
        target: Target,
        version_id: Option<Uuid>,
        condition: Condition,
    ) -> Result<Deleted, StoreError> {
        self.check_bucket(&target.bucket)?;
        let turn = self.turn(&target).await;
        let store = Arc::clone(self);
        on_disk(move || {
            let _turn = turn;
            if let Condition::Etag(etag) = condition
                && store
                    .latest_object(&target)?
                    .is_some_and(|latest| latest.header.etag != etag)
            {
                return Err(StoreError::PreconditionFailed);
            }
            if let Some(id) = version_id {
                return store.remove(&target, id);
            }
            let nothing = NewObject {
                headers: BTreeMap::new(),
                metadata: BTreeMap::new(),
                body: Bytes::new(),
            };
            let marker = store.write(&target, nothing, true)?;
            Ok(Deleted {
                version_id: marker.version.name.id,
                delete_marker: true,
            })
        })
        .await
    }

    /// The object's version of that id, or the latest.
    pub(super) async fn find(
        self: &Arc<Self>,
        target: Target,
        version_id: Option<Uuid>,
    ) -> Result<Found, StoreError> {
        let version = self.look_up(&target, version_id)?;
        let found = match version.header.get().map(Arc::clone) {
            Some(header) => Found {
                key: target.key,
                version,
                header,
            },
            None => {
                let store = Arc::clone(self);
                on_disk(move || store.with_header(&target, version)).await?
            }
        };
        match (found.version.name.deleted, version_id) {
            (false, _) => Ok(found),
            (true, None) => Err(StoreError::Deleted(Box::new(found))),
            (true, Some(_)) => Err(StoreError::MarkerAsked(Box::new(found))),
        }
    }

    /// The body of a version that was found.
    pub(super) async fn body(self: &Arc<Self>, target: Target, found: &Found) -> Result<Bytes, StoreError> {
        let store = Arc::clone(self);
        let name = found.version.name;
        on_disk(move || {
            version_file::read_body(&store.path(&target.bucket, &target.key, name)).or_else(|error| {
                // Was it removed meanwhile? Then that is the answer, not the missing file.
                store.look_up(&target, Some(name.id))?;
                Err(error)
            })
        })
        .await
    }

    /// A page of a listing, with the headers of its entries.
    pub(super) async fn list(
        self: &Arc<Self>,
        bucket: String,
        query: Query,
    ) -> Result<Page<(Listed, Arc<Header>)>, StoreError> {
        let store = Arc::clone(self);
        on_disk(move || {
            let page = store.with_bucket(&bucket, |index| index.page(&query))?;
            let mut entries = Vec::with_capacity(page.entries.len());
            for entry in page.entries {
                let target = Target {
                    bucket: bucket.clone(),
                    key: entry.key.clone(),
                };
                match store.with_header(&target, Arc::clone(&entry.version)) {
                    Ok(found) => entries.push((entry, found.header)),
                    // Removed since the page was made.
                    Err(StoreError::NoSuchVersion(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(Page {
                entries,
                common_prefixes: page.common_prefixes,
                more_after: page.more_after,
            })
        })
        .await
    }

    fn path(&self, bucket: &str, key: &ObjectKey, name: VersionName) -> PathBuf {
        folder::objects(&self.folder, bucket)
            .join(key.folder())
            .join(name.to_string())
    }

    fn look_up(&self, target: &Target, version_id: Option<Uuid>) -> Result<Arc<Version>, StoreError> {
        let version = self.with_bucket(&target.bucket, |index| match version_id {
            Some(id) => index.version(&target.key, id).cloned(),
            None => index.latest(&target.key).cloned(),
        })?;
        version.ok_or_else(|| match version_id {
            Some(id) => StoreError::NoSuchVersion(id.simple().to_string()),
            None => StoreError::NoSuchKey(target.key.as_str().to_owned()),
        })
    }

    /// Reads the version's header unless it is known. May block.
    fn with_header(&self, target: &Target, version: Arc<Version>) -> Result<Found, StoreError> {
        let header = match version.header.get() {
            Some(header) => Arc::clone(header),
            None => match version_file::read_header(&self.path(&target.bucket, &target.key, version.name)) {
                Ok(header) => Arc::clone(version.header.get_or_init(|| Arc::new(header))),
                Err(error) => {
                    // Was it removed meanwhile? Then that is the answer, not the missing file.
                    self.look_up(target, Some(version.name.id))?;
                    return Err(error);
                }
            },
        };
        Ok(Found {
            key: target.key.clone(),
            version,
            header,
        })
    }

    /// The latest version, unless it is a delete marker. May block.
    fn latest_object(&self, target: &Target) -> Result<Option<Found>, StoreError> {
        match self.look_up(target, None) {
            Ok(version) if version.name.deleted => Ok(None),
            Ok(version) => self.with_header(target, version).map(Some),
            Err(StoreError::NoSuchKey(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a version and shows it. The caller has the key's turn. Blocks.
    fn write(&self, target: &Target, object: NewObject, deleted: bool) -> Result<Found, StoreError> {
        let counter = self.next_counter.fetch_add(1, Ordering::Relaxed);
        let name = VersionName {
            counter,
            id: Uuid::new_v4(),
            deleted,
        };
        let header = Header {
            key: target.key.as_str().to_owned(),
            last_modified: Timestamp::now(),
            size: object.body.len() as u64,
            etag: version_file::etag(&object.body),
            headers: object.headers,
            metadata: object.metadata,
        };
        let path = self.path(&target.bucket, &target.key, name);
        if let Some(key_folder) = path.parent() {
            folder::create_key_folder(key_folder)
                .map_err(|source| StoreError::io("create the folder of", &path, source))?;
        }
        let draft = folder::draft(&self.folder, &name.to_string());
        let unsynced = match version_file::write(&draft, &path, &header, &object.body) {
            Ok(()) => None,
            // The version stands, so it must be seen, although the client is told of a failure.
            Err(error @ StoreError::Unsynced { .. }) => Some(error),
            Err(error) => return Err(error),
        };
        let header = Arc::new(header);
        let version = Arc::new(Version {
            name,
            header: OnceLock::from(Arc::clone(&header)),
        });
        if let Some(index) = self.buckets_mut().get_mut(&target.bucket) {
            index.insert(&target.key, Arc::clone(&version));
        }
        unsynced.map_or_else(
            || {
                Ok(Found {
                    key: target.key.clone(),
                    version,
                    header,
                })
            },
            Err,
        )
    }

    /// Removes a version for good; one that is not there is as good as removed. Blocks.
    fn remove(&self, target: &Target, id: Uuid) -> Result<Deleted, StoreError> {
        let version = match self.look_up(target, Some(id)) {
            Ok(version) => version,
            Err(StoreError::NoSuchVersion(_)) => {
                return Ok(Deleted {
                    version_id: id,
                    delete_marker: false,
                });
            }
            Err(error) => return Err(error),
        };
        let path = self.path(&target.bucket, &target.key, version.name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove", &path, source));
            }
            _ => {}
        }
        if let Some(index) = self.buckets_mut().get_mut(&target.bucket) {
            index.remove(&target.key, id);
        }
        version_file::sync_folder_of(&path).map_err(|source| StoreError::Unsynced {
            path: path.clone(),
            source,
        })?;
        Ok(Deleted {
            version_id: id,
            delete_marker: version.name.deleted,
        })
    }
}
