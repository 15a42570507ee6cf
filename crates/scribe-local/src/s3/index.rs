//! What is in a bucket, in memory: every key with the names of its versions, oldest first.
//!
//! It is built from file names at start and follows each write. Looking up a key's latest version, or one among a
//! thousand, touches no disk. Headers are read when they are first asked for, and kept.
//!
//! Keys that are not deleted stand in an order of their own: in a versioned bucket everything that ever was leaves
//! a delete marker behind, and a listing of `waiting/` must cost what is waiting, not what has waited.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use uuid::Uuid;

use super::key::ObjectKey;
use super::version_file::{Header, VersionName};

/// A version of an object, or a delete marker.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) name: VersionName,
    /// Set when the file was written or first read.
    pub(super) header: OnceLock<Arc<Header>>,
}

/// A version that was looked up, with what it says of itself.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) key: ObjectKey,
    pub(super) version: Arc<Version>,
    pub(super) header: Arc<Header>,
}

/// A bucket's content.
#[derive(Debug)]
pub(super) struct BucketIndex {
    pub(super) created: Timestamp,
    /// Never an empty list.
    keys: BTreeMap<ObjectKey, Vec<Arc<Version>>>,
    /// The keys whose latest version is not a delete marker.
    live: BTreeSet<ObjectKey>,
}

/// What to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The latest versions of the keys that are not deleted.
    Objects,
    /// Every version and delete marker, a key's newest first.
    Versions,
}

/// Where a listing begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    First,
    /// Behind this key, which need not exist.
    AfterKey(String),
    /// Behind what a page ended with: a key and all its versions, or a common prefix and all that is under it.
    AfterEntry(String),
    /// Behind this version of the key.
    AfterVersion(String, Uuid),
}

/// A request for a page of a listing.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) kind: Kind,
    pub(super) prefix: String,
    /// What closes a common prefix; empty for none.
    pub(super) delimiter: String,
    pub(super) start: Start,
    /// How many entries and common prefixes, together.
    pub(super) limit: usize,
}

/// An entry of a listing.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) key: ObjectKey,
    pub(super) version: Arc<Version>,
    pub(super) latest: bool,
}

/// A page of a listing.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) entries: Vec<T>,
    pub(super) common_prefixes: Vec<String>,
    /// What the page ended with, if there is more: a key with its version, or a common prefix.
    pub(super) more_after: Option<(String, Option<Uuid>)>,
}

impl BucketIndex {
    pub(super) fn new(created: Timestamp) -> Self {
        Self {
            created,
            keys: BTreeMap::new(),
            live: BTreeSet::new(),
        }
    }

    /// Puts a version in its place, whatever the order of the calls.
    pub(super) fn insert(&mut self, key: &ObjectKey, version: Arc<Version>) {
        let versions = self.keys.entry(key.clone()).or_default();
        let at = versions.partition_point(|other| other.name.counter < version.name.counter);
        versions.insert(at, version);
        self.refresh(key);
    }

    pub(super) fn remove(&mut self, key: &ObjectKey, id: Uuid) {
        if let Some(versions) = self.keys.get_mut(key) {
            versions.retain(|version| version.name.id != id);
            if versions.is_empty() {
                self.keys.remove(key);
            }
        }
        self.refresh(key);
    }

    fn refresh(&mut self, key: &ObjectKey) {
        if self.latest(key).is_some_and(|version| !version.name.deleted) {
            self.live.insert(key.clone());
        } else {
            self.live.remove(key);
        }
    }

    /// The newest version, or the delete marker that hides the others.
    pub(super) fn latest(&self, key: &ObjectKey) -> Option<&Arc<Version>> {
        self.keys.get(key)?.last()
    }

    pub(super) fn version(&self, key: &ObjectKey, id: Uuid) -> Option<&Arc<Version>> {
        self.keys
            .get(key)?
            .iter()
            .rev()
            .find(|version| version.name.id == id)
    }

    /// A page of a listing, in the order of the keys' bytes. It costs what it returns, and the logarithm of what
    /// the bucket holds.
    pub(super) fn page(&self, query: &Query) -> Page<Listed> {
        let mut page = Page {
            entries: Vec::new(),
            common_prefixes: Vec::new(),
            more_after: None,
        };
        if query.limit == 0 {
            return page;
        }
        let (mut from, mut after_version) = query.begin();
        let mut last = (String::new(), None);
        while let Some(key) = self.next_key(query.kind, &from) {
            if !key.as_str().starts_with(&query.prefix) {
                break;
            }
            if let Some(group) = query.common_prefix_of(key.as_str()) {
                if page.is_full(query) {
                    page.more_after = Some(last);
                    return page;
                }
                page.common_prefixes.push(group.to_owned());
                last = (group.to_owned(), None);
                match behind(group) {
                    Some(behind) => from = Bound::Included(behind),
                    None => break,
                }
                continue;
            }
            for entry in self.entries_of(query.kind, key, after_version.take()) {
                if page.is_full(query) {
                    page.more_after = Some(last);
                    return page;
                }
                last = (key.as_str().to_owned(), Some(entry.version.name.id));
                page.entries.push(entry);
            }
            from = Bound::Excluded(key.as_str().to_owned());
        }
        page
    }

    fn next_key(&self, kind: Kind, from: &Bound<String>) -> Option<&ObjectKey> {
        let range = (from.as_ref().map(String::as_str), Bound::Unbounded);
        match kind {
            Kind::Objects => self.live.range::<str, _>(range).next(),
            Kind::Versions => self.keys.range::<str, _>(range).next().map(|(key, _)| key),
        }
    }

    fn entries_of(
        &self,
        kind: Kind,
        key: &ObjectKey,
        after_version: Option<Uuid>,
    ) -> impl Iterator<Item = Listed> {
        let versions = self.keys.get(key).map_or(&[][..], Vec::as_slice);
        let count = match kind {
            Kind::Objects => 1,
            Kind::Versions => versions.len(),
        };
        // A marker that was removed since the last page says nothing: the key begins anew rather than being cut.
        let skipped = after_version
            .and_then(|id| versions.iter().rev().position(|version| version.name.id == id))
            .map_or(0, |at| at + 1);
        let newest_first = versions.iter().rev().enumerate().take(count).skip(skipped);
        newest_first.map(|(at, version)| Listed {
            key: key.clone(),
            version: Arc::clone(version),
            latest: at == 0,
        })
    }
}

impl<T> Page<T> {
    fn is_full(&self, query: &Query) -> bool {
        self.entries.len() + self.common_prefixes.len() >= query.limit
    }
}

impl Query {
    fn begin(&self) -> (Bound<String>, Option<Uuid>) {
        let (from, after_version) = match &self.start {
            Start::First => (Bound::Included(self.prefix.clone()), None),
            Start::AfterKey(key) => (Bound::Excluded(key.clone()), None),
            Start::AfterEntry(name) => match self.common_prefix_of(name).filter(|group| group == name) {
                Some(group) => (
                    behind(group).map_or(Bound::Excluded(name.clone()), Bound::Included),
                    None,
                ),
                None => (Bound::Excluded(name.clone()), None),
            },
            Start::AfterVersion(key, id) => (Bound::Included(key.clone()), Some(*id)),
        };
        let (Bound::Included(name) | Bound::Excluded(name)) = &from else {
            return (from, after_version);
        };
        if *name < self.prefix {
            (Bound::Included(self.prefix.clone()), None)
        } else {
            (from, after_version)
        }
    }

    fn common_prefix_of<'a>(&self, key: &'a str) -> Option<&'a str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let at = key.strip_prefix(&*self.prefix)?.find(&*self.delimiter)?;
        Some(&key[..self.prefix.len() + at + self.delimiter.len()])
    }
}

/// The first text behind all that begin with the given one, in the order of bytes.
fn behind(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // UTF-8 sorts as the characters do.
        if let Some(next) = (last..=char::MAX).nth(1) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> ObjectKey {
        ObjectKey::parse(text).unwrap()
    }

    fn version(counter: u64, deleted: bool) -> Arc<Version> {
        let name = VersionName {
            counter,
            id: Uuid::from_u128(counter.into()),
            deleted,
        };
        Arc::new(Version {
            name,
            header: OnceLock::new(),
        })
    }

    fn bucket(keys: &[&str]) -> BucketIndex {
        let mut index = BucketIndex::new(Timestamp::UNIX_EPOCH);
        for (counter, text) in (1..).zip(keys) {
            index.insert(&key(text), version(counter, false));
        }
        index
    }

    fn query(kind: Kind, prefix: &str, delimiter: &str, limit: usize) -> Query {
        Query {
            kind,
            prefix: prefix.to_owned(),
            delimiter: delimiter.to_owned(),
            start: Start::First,
            limit,
        }
    }

    fn names(page: &Page<Listed>) -> Vec<&str> {
        page.entries.iter().map(|entry| entry.key.as_str()).collect()
    }

    #[test]
    fn a_page_holds_what_the_prefix_asks_for() {
        let index = bucket(&["a", "b/1", "b/2", "b/c/3", "b0", "ä"]);
        let page = index.page(&query(Kind::Objects, "b/", "", 10));
        assert_eq!(names(&page), ["b/1", "b/2", "b/c/3"]);
        assert!(page.more_after.is_none());
        let page = index.page(&query(Kind::Objects, "", "/", 10));
        assert_eq!(names(&page), ["a", "b0", "ä"]);
        assert_eq!(page.common_prefixes, ["b/"]);
        let page = index.page(&query(Kind::Objects, "", "", 0));
        assert!(names(&page).is_empty() && page.more_after.is_none());
    }

    #[test]
    fn start_after_shows_the_rest_of_a_group_and_a_token_does_not() {
        let index = bucket(&["a/1", "a/2", "b"]);
        let start = |start| Query {
            start,
            ..query(Kind::Objects, "", "/", 10)
        };
        let page = index.page(&start(Start::AfterKey("a/1".to_owned())));
        assert_eq!(
            (page.common_prefixes, page.entries.len()),
            (vec!["a/".to_owned()], 1)
        );
        let page = index.page(&start(Start::AfterEntry("a/".to_owned())));
        assert_eq!((page.common_prefixes, page.entries.len()), (vec![], 1));
    }

    #[test]
    fn a_deleted_key_is_listed_among_versions_only() {
        let mut index = bucket(&["a"]);
        index.insert(&key("a"), version(7, true));
        assert!(index.page(&query(Kind::Objects, "", "", 10)).entries.is_empty());
        let versions = index.page(&query(Kind::Versions, "", "", 10)).entries;
        let seen: Vec<_> = versions
            .iter()
            .map(|entry| (entry.version.name.counter, entry.latest))
            .collect();
        assert_eq!(seen, [(7, true), (1, false)]);
        index.remove(&key("a"), Uuid::from_u128(7));
        assert_eq!(names(&index.page(&query(Kind::Objects, "", "", 10))), ["a"]);
        index.remove(&key("a"), Uuid::from_u128(1));
        assert!(index.page(&query(Kind::Versions, "", "", 10)).entries.is_empty());
    }

    #[test]
    fn versions_go_on_behind_a_marker_and_begin_anew_behind_a_removed_one() {
        let mut index = bucket(&["a"]);
        index.insert(&key("a"), version(2, false));
        index.insert(&key("a"), version(3, false));
        let after = |index: &BucketIndex, id| {
            let start = Start::AfterVersion("a".to_owned(), Uuid::from_u128(id));
            let page = index.page(&Query {
                start,
                ..query(Kind::Versions, "", "", 10)
            });
            page.entries
                .iter()
                .map(|entry| entry.version.name.counter)
                .collect::<Vec<_>>()
        };
        assert_eq!(after(&index, 3), [2, 1]);
        index.remove(&key("a"), Uuid::from_u128(3));
        assert_eq!(after(&index, 3), [2, 1]);
    }

    #[test]
    fn behind_a_prefix_is_what_sorts_next() {
        assert_eq!(behind("a/"), Some("a0".to_owned()));
        assert_eq!(behind("a\u{10ffff}"), Some("b".to_owned()));
        assert_eq!(behind("\u{d7ff}"), Some("\u{e000}".to_owned()));
        assert_eq!(behind("\u{10ffff}"), None);
    }

    proptest! {
        /// Pages of any size, put together, are the listing that a plain filter over all keys gives.
        #[test]
        fn pages_add_up(
            keys in proptest::collection::btree_set("[ab/\u{10ffff}]{1,5}", 0..40),
            prefix in "[ab/]{0,2}",
            delimiter in prop_oneof![Just(""), Just("/"), Just("ab"), Just("\u{10ffff}")],
            limit in 1_usize..5,
            versions in any::<bool>(),
        ) {
            let mut index = BucketIndex::new(Timestamp::UNIX_EPOCH);
            let mut counter = 0;
            for text in &keys {
                for _ in 0..=(text.len() % 3) {
                    counter += 1;
                    index.insert(&key(text), version(counter, false));
                }
            }
            let mut expected = Vec::new();
            for text in keys.iter().filter(|text| text.starts_with(&prefix)) {
                let rest = &text[prefix.len()..];
                match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
                    Some(at) => {
                        let group = text[..prefix.len() + at + delimiter.len()].to_owned();
                        if expected.last() != Some(&group) {
                            expected.push(group);
                        }
                    }
                    None if versions => expected.extend((0..=(text.len() % 3)).map(|_| text.clone())),
                    None => expected.push(text.clone()),
                }
            }
            let kind = if versions { Kind::Versions } else { Kind::Objects };
            let mut query = query(kind, &prefix, delimiter, limit);
            let mut seen = Vec::new();
            loop {
                let page = index.page(&query);
                let mut names: Vec<_> = names(&page).into_iter().map(str::to_owned).collect();
                names.extend(page.common_prefixes);
                prop_assert!(names.len() <= limit);
                seen.extend(names);
                query.start = match page.more_after {
                    Some((name, Some(id))) if versions => Start::AfterVersion(name, id),
                    Some((name, _)) => Start::AfterEntry(name),
                    None => break,
                };
            }
            seen.sort();
            expected.sort();
            prop_assert_eq!(seen, expected);
        }
    }
}
