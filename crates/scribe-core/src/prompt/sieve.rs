//! A few hashes among which very many are looked up, nearly all of them in vain.

const ENDS: usize = 1 << 14;

/// The hashes.
#[derive(Debug)]
pub(super) struct Sieve {
    /// Sorted.
    hashes: Vec<u64>,
    /// For each low end of a hash whether one of them has it.
    ends: Vec<bool>,
}

impl Sieve {
    pub(super) fn of(hashes: impl Iterator<Item = u64>) -> Self {
        let mut hashes: Vec<u64> = hashes.collect();
        hashes.sort_unstable();
        hashes.dedup();
        let mut ends = vec![false; ENDS];
        for &hash in &hashes {
            ends[end(hash)] = true;
        }
        Self { hashes, ends }
    }

    /// Its number, if it is there.
    pub(super) fn find(&self, hash: u64) -> Option<usize> {
        if self.ends[end(hash)] {
            self.hashes.binary_search(&hash).ok()
        } else {
            None
        }
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }
}

fn end(hash: u64) -> usize {
    (hash >> 17) as usize % ENDS
}
