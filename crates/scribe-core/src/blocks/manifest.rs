//! What is known of each block beside its text: who wrote it, in which turns, and the id that it keeps.
//!
//! Ids never stand in a person's Markdown. The manifest lies beside the text and is laid over it again whenever
//! the text is read, because other programs may have changed the text and left the manifest alone. What it does
//! not explain is a person's: taking the scribe's text for a person's costs a correction, the other way round
//! costs a person's words.

use std::collections::{BTreeSet, HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::split::Anatomy;

/// Who wrote a block last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Author {
    /// A person. The scribe does not touch it.
    Human,
    /// The scribe.
    Scribe,
}

/// What is known of one block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockEntry {
    /// Its id, unique in the document: `b7`, or `p3fa2c1` for a block that was found and not written.
    pub id: String,
    /// The hash of its text.
    pub hash: String,
    /// Who wrote it last.
    pub author: Author,
    /// Which person wrote it last, where that is known: the one who saved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The turns that went into it, oldest first, as `conversationId/messageId`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<String>,
    /// A person wants it left alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub locked: bool,
}

/// The highest number that a `b` id may have.
const MOST: u64 = u32::MAX as u64;

/// What is known of a document's blocks, in their order. Its fields stand in the scribe's state beside each other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Manifest {
    #[serde(rename = "blocks")]
    pub(super) entries: Vec<BlockEntry>,
    /// The first number that no `b` id has had, also of blocks that are gone: a suggestion, or a page that somebody
    /// has open, may still name them. Zero where it was not written down yet.
    #[serde(rename = "next_block", default, skip_serializing_if = "is_unknown")]
    pub(super) next: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
fn is_unknown(number: &u64) -> bool {
    *number == 0
}

impl Manifest {
    /// A manifest for a text that is the scribe's from end to end: `b1`, `b2`, and so on.
    #[must_use]
    pub fn of_scribe(content: &str) -> Self {
        let pieces = Anatomy::of(content).pieces;
        let entry = |(at, piece): (usize, super::split::Piece)| BlockEntry {
            id: format!("b{}", at + 1),
            hash: hash(&content[piece.span]),
            author: Author::Scribe,
            person: None,
            turns: Vec::new(),
            locked: false,
        };
        let entries: Vec<BlockEntry> = pieces.into_iter().enumerate().map(entry).collect();
        Self::from(entries)
    }

    /// The entries, in the order of the blocks.
    #[must_use]
    pub fn entries(&self) -> &[BlockEntry] {
        &self.entries
    }

    /// The first number that no `b` id has, or has had as far as is remembered.
    pub(super) fn next_number(&self) -> u64 {
        let numbers = self
            .entries
            .iter()
            .filter_map(|entry| entry.id.strip_prefix('b')?.parse::<u32>().ok());
        let here = numbers.max().map_or(1, |highest| u64::from(highest) + 1);
        // Nobody has written so many blocks: another program has spoilt it.
        if self.next > MOST {
            here
        } else {
            here.max(self.next)
        }
    }

    /// Lays the manifest over the blocks of a text, given by their hashes: one entry for each.
    ///
    /// First by hash: an entry whose hash is there explains that block, wherever it now stands. Then by order:
    /// where as many blocks are unexplained between two explained ones as entries are missing there, they are
    /// the same blocks, edited; they keep their ids and turns, and are now a person's. What is left was added
    /// by a person. (By likeness comes where both texts are known: see [`carry`](super::carry).)
    pub(super) fn laid_over(&self, hashes: &[String]) -> Vec<BlockEntry> {
        let explained = self.by_hash(hashes);
        let mut explaining = explained.clone();
        self.by_order(&mut explaining);
        self.entries_for(hashes, &explained, &explaining)
    }

    /// Where as many blocks are unexplained between two explained ones as entries are missing there, explains them
    /// by their order.
    pub(super) fn by_order(&self, explaining: &mut [Option<usize>]) {
        let explained = explaining.to_vec();
        let mut used = vec![false; self.entries.len()];
        for &entry in explained.iter().flatten() {
            used[entry] = true;
        }
        let mut at = 0;
        while at < explained.len() {
            if explained[at].is_some() {
                at += 1;
                continue;
            }
            let end = (at..explained.len())
                .find(|&next| explained[next].is_some())
                .unwrap_or(explained.len());
            let first = if at == 0 {
                0
            } else {
                explained[at - 1].map_or(0, |before| before + 1)
            };
            let last = explained
                .get(end)
                .copied()
                .flatten()
                .unwrap_or(self.entries.len());
            let missing: Vec<usize> = (first..last).filter(|&entry| !used[entry]).collect();
            if missing.len() == end - at {
                for (block, entry) in (at..end).zip(missing) {
                    explaining[block] = Some(entry);
                    used[entry] = true;
                }
            }
            at = end;
        }
    }

    /// For each block the entry with its hash. Common beginnings and ends first, so that of several blocks with
    /// one text (rules, mostly) each keeps its own entry.
    pub(super) fn by_hash(&self, hashes: &[String]) -> Vec<Option<usize>> {
        let entries = &self.entries;
        let same = |(hash, entry): (&String, &BlockEntry)| *hash == entry.hash;
        let head = hashes.iter().zip(entries).take_while(|&pair| same(pair)).count();
        let tail = hashes[head..].iter().rev().zip(entries[head..].iter().rev());
        let tail = tail.take_while(|&pair| same(pair)).count();

        let mut middle: HashMap<&str, VecDeque<usize>> = HashMap::new();
        for (at, entry) in entries.iter().enumerate().take(entries.len() - tail).skip(head) {
            middle.entry(&entry.hash).or_default().push_back(at);
        }
        let shift = |at: usize| at + entries.len() - hashes.len();
        let block = |(at, hash): (usize, &String)| {
            if at < head {
                Some(at)
            } else if at >= hashes.len() - tail {
                Some(shift(at))
            } else {
                middle.get_mut(hash.as_str()).and_then(VecDeque::pop_front)
            }
        };
        hashes.iter().enumerate().map(block).collect()
    }

    /// The entries that result: as they were where the hash explains the block, a person's otherwise.
    pub(super) fn entries_for(
        &self,
        hashes: &[String],
        explained: &[Option<usize>],
        explaining: &[Option<usize>],
    ) -> Vec<BlockEntry> {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        let mut result: Vec<Option<BlockEntry>> = Vec::with_capacity(hashes.len());
        for ((hash, by_hash), entry) in hashes.iter().zip(explained).zip(explaining) {
            let mut entry = entry.map(|entry| self.entries[entry].clone());
            if let Some(entry) = &mut entry {
                hash.clone_into(&mut entry.hash);
                if by_hash.is_none() {
                    entry.author = Author::Human;
                    entry.person = None;
                }
            }
            // An id that stands twice in a broken manifest explains the first block only.
            result.push(entry.filter(|entry| taken.insert(entry.id.clone())));
        }
        let finish = |(entry, hash): (Option<BlockEntry>, &String)| {
            entry.unwrap_or_else(|| {
                // From the text and not from a count: the same block gets the same id when the text is read
                // again with something new above it, which is what happens when a save wins a race.
                let short = &hash[..6];
                let mut id = format!("p{short}");
                let mut copy = 2;
                while !taken.insert(id.clone()) {
                    id = format!("p{short}-{copy}");
                    copy += 1;
                }
                BlockEntry {
                    id,
                    hash: hash.clone(),
                    author: Author::Human,
                    person: None,
                    turns: Vec::new(),
                    locked: false,
                }
            })
        };
        result.into_iter().zip(hashes).map(finish).collect()
    }
}

impl From<Vec<BlockEntry>> for Manifest {
    /// Of blocks before which there were no others.
    fn from(entries: Vec<BlockEntry>) -> Self {
        let mut manifest = Self { entries, next: 0 };
        manifest.next = manifest.next_number();
        manifest
    }
}

/// The hash of a block's text: 16 hexadecimal digits. Line breaks count as one kind, because programs change
/// them without a person's doing.
pub(crate) fn hash(text: &str) -> String {
    let mut sha = Sha256::new();
    for (number, line) in text.split("\r\n").enumerate() {
        if number > 0 {
            sha.update("\n");
        }
        sha.update(line);
    }
    hex::encode(&sha.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, text: &str) -> BlockEntry {
        BlockEntry {
            id: id.into(),
            hash: hash(text),
            author: Author::Scribe,
            person: None,
            turns: vec![],
            locked: false,
        }
    }

    fn check(before: &[&str], after: &[&str], expected: &[(&str, Author)]) {
        let numbered = |(at, text): (usize, &&str)| entry(&format!("b{}", at + 1), text);
        let manifest = Manifest::from(before.iter().enumerate().map(numbered).collect::<Vec<_>>());
        let hashes: Vec<String> = after.iter().map(|text| hash(text)).collect();
        let found = manifest.laid_over(&hashes);
        let found: Vec<_> = found
            .iter()
            .map(|entry| (entry.id.as_str(), entry.author))
            .collect();
        assert_eq!(found, expected, "{before:?} -> {after:?}");
    }

    #[test]
    fn blocks_keep_their_ids_where_people_edit() {
        use Author::{Human, Scribe};
        let all = ["x", "y", "z"];
        check(&all, &all, &[("b1", Scribe), ("b2", Scribe), ("b3", Scribe)]);
        check(
            &all,
            &["x", "Y!", "z"],
            &[("b1", Scribe), ("b2", Human), ("b3", Scribe)],
        );
        check(&all, &["x", "z"], &[("b1", Scribe), ("b3", Scribe)]);
        check(
            &all,
            &["z", "x", "y"],
            &[("b3", Scribe), ("b1", Scribe), ("b2", Scribe)],
        );
        check(
            &all,
            &["X", "Y", "Z"],
            &[("b1", Human), ("b2", Human), ("b3", Human)],
        );
        check(&[], &["x"], &[("p2d7116", Human)]);
        check(
            &all,
            &["x", "new", "y", "z"],
            &[
                ("b1", Scribe),
                (&format!("p{}", &hash("new")[..6]), Human),
                ("b2", Scribe),
                ("b3", Scribe),
            ],
        );
    }

    #[test]
    fn where_more_was_written_than_is_missing_all_of_it_is_new() {
        let new = |text| format!("p{}", &hash(text)[..6]);
        let (one, two) = (new("one"), new("two"));
        check(
            &["x", "y", "z"],
            &["x", "one", "two", "z"],
            &[
                ("b1", Author::Scribe),
                (&one, Author::Human),
                (&two, Author::Human),
                ("b3", Author::Scribe),
            ],
        );
    }

    #[test]
    fn blocks_with_one_text_are_told_apart_by_place() {
        use Author::Scribe;
        let before = ["a", "---", "b", "---", "c"];
        check(
            &before,
            &["a", "b", "---", "c"],
            &[("b1", Scribe), ("b3", Scribe), ("b4", Scribe), ("b5", Scribe)],
        );
        check(
            &["---"],
            &["---", "---"],
            &[("b1", Scribe), ("pcb3f91", Author::Human)],
        );
    }

    #[test]
    fn a_broken_manifest_gives_no_id_twice() {
        let manifest = Manifest::from(vec![entry("b1", "x"), entry("b1", "y")]);
        let found = manifest.laid_over(&[hash("x"), hash("y")]);
        assert_eq!(found[0].id, "b1");
        assert_ne!(found[1].id, "b1");
        assert_eq!(found[1].author, Author::Human);
    }

    #[test]
    fn line_breaks_do_not_change_a_hash() {
        assert_eq!(hash("a\r\nb"), hash("a\nb"));
        assert_ne!(hash("a\nb"), hash("a b"));
    }

    #[test]
    fn it_reads_back_what_it_writes() {
        let manifest = Manifest::from(vec![BlockEntry {
            turns: vec!["c/m1".into()],
            ..entry("b1", "x")
        }]);
        let json = serde_json::to_string(&manifest).unwrap();
        assert_eq!(
            json,
            r#"{"blocks":[{"id":"b1","hash":"2d711642b726b044","author":"scribe","turns":["c/m1"]}],"next_block":2}"#
        );
        assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap(), manifest);
    }

    #[test]
    fn a_number_is_given_once_also_where_its_block_is_gone() {
        let content = "# A\n\nOne.\n\nTwo.\n";
        let whole = super::super::Document::read(content, &Manifest::of_scribe(content));
        let cut = super::super::Document::read_after("# A\n", &whole).manifest();
        let json = serde_json::to_string(&cut).unwrap();
        let kept: Manifest = serde_json::from_str(&json).unwrap();
        assert_eq!((kept.entries.len(), kept.next_number()), (1, 4), "{json}");
        // It goes on through a text that has no block at all.
        let emptied = super::super::Document::read("", &kept).manifest();
        assert_eq!((emptied.entries.len(), emptied.next_number()), (0, 4));
        // As it was written before numbers were remembered, and as nobody writes it.
        for (next, expected) in [
            ("", 8),
            (r#","next_block":3"#, 8),
            (r#","next_block":18446744073709551615"#, 8),
        ] {
            let json =
                format!(r#"{{"blocks":[{{"id":"b7","hash":"2d711642b726b044","author":"scribe"}}]{next}}}"#);
            assert_eq!(
                serde_json::from_str::<Manifest>(&json).unwrap().next_number(),
                expected,
                "{json}"
            );
        }
    }
}
