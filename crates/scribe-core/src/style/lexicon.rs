//! Which words speak for which style: small lists for four languages, in the text files under `words/`.
//!
//! All languages are looked up together, because a turn is often in two of them. So a word that is common in one
//! language and telling in another (French "pas", English "per" in Italian) is in no list.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a word speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tells {
    /// Of a story.
    Story,
    /// Of a story, as a rule: things that are spoken of elsewhere, too.
    Scenery,
    /// Of plans and findings.
    Facts,
    /// Of opinions and feelings.
    Talk,
    /// Whoever speaks or is spoken to.
    People,
}

const LISTS: [(Tells, &str); 5] = [
    (Tells::Story, include_str!("words/literary.txt")),
    (Tells::Scenery, include_str!("words/scenery.txt")),
    (Tells::Facts, include_str!("words/factual.txt")),
    (Tells::Talk, include_str!("words/conversational.txt")),
    (Tells::People, include_str!("words/people.txt")),
];

/// No word is looked at beyond this: what is longer is an address or a hash.
const LONGEST_WORD: usize = 40;

struct Lexicon {
    words: HashMap<&'static str, Tells>,
    /// What words may begin with; the longest that fits counts.
    stems: HashMap<&'static str, Tells>,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    let mut lexicon = Lexicon {
        words: HashMap::new(),
        stems: HashMap::new(),
    };
    for (tells, word) in listed() {
        match word.strip_suffix('*') {
            Some(stem) => lexicon.stems.insert(stem, tells),
            None => lexicon.words.insert(word, tells),
        };
    }
    lexicon
});

fn listed() -> impl Iterator<Item = (Tells, &'static str)> {
    LISTS.into_iter().flat_map(|(tells, list)| {
        list.lines()
            .filter(|line| !line.starts_with('#'))
            .flat_map(|line| line.split_whitespace().skip(1))
            .map(move |word| (tells, word))
    })
}

/// What a word in lower case speaks for, if anything.
pub(super) fn tells(word: &str) -> Option<Tells> {
    if word.len() > LONGEST_WORD {
        return None;
    }
    let lexicon = &*LEXICON;
    lexicon.words.get(word).copied().or_else(|| {
        let ends = word.char_indices().skip(1).map(|(at, _)| at).chain([word.len()]);
        ends.filter_map(|end| lexicon.stems.get(&word[..end]))
            .last()
            .copied()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_speaks_for_one_style() {
        let mut seen = HashMap::new();
        for (tells, word) in listed() {
            let before = seen.insert(word, tells);
            assert!(
                before.is_none_or(|before| before == tells),
                "{word} is in two lists: {before:?} and {tells:?}"
            );
            assert_eq!(word, word.to_lowercase());
        }
        assert!(seen.len() > 500);
    }

    #[test]
    fn endings_are_found_by_the_longest_stem() {
        assert_eq!(tells("whispering"), Some(Tells::Story));
        assert_eq!(tells("budgets"), Some(Tells::Facts));
        assert_eq!(tells("total"), Some(Tells::Facts));
        assert_eq!(tells("totally"), Some(Tells::Talk));
        assert_eq!(tells("du"), Some(Tells::People));
        assert_eq!(tells("table"), Some(Tells::Facts));
        assert_eq!(tells("xylophone"), None);
        assert_eq!(tells(""), None);
        assert_eq!(tells(&"ä".repeat(100)), None);
    }
}
