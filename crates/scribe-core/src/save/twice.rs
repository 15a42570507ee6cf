//! Text that would stand twice: others joined or split blocks, or carried text from one to another, while the person
//! changed it where it was.
//!
//! Block by block each side is right, and together they say the same thing in two places. Worse, two people who tidy up
//! afterwards may each take away another copy, and then it is gone. So such a block stands as the person has it, and
//! what others made of it becomes a suggestion. The other way round, what the person removed stays removed where others
//! split it off, and what others carried into a block that stays the person's is brought back where it was.
//!
//! A word that stands once in each of the three texts tells that text was carried, if most of what the one block lost
//! is what the other one got. The same words in many places, as a form has them, tell nothing.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use super::blocks::{Decided, Kept, Side, Sides, Source};
use crate::blocks::Block;
use crate::words::{telling, words};

/// The share of the words which one block lost or another one got, whichever are fewer, that must be the same.
const MOST_OF_IT: f64 = 0.5;

/// At least so many telling words, unless a block has fewer: a name that others also wrote elsewhere is no text that
/// they carried there.
const A_FEW: usize = 2;

/// In which block each word stands that stands once in a text.
fn places<'a>(side: &'a Side<'_>) -> HashMap<String, &'a str> {
    let mut found: HashMap<String, Option<&str>> = HashMap::new();
    for id in &side.ids {
        for word in side.text(id).into_iter().flat_map(words) {
            let is_first = !found.contains_key(&word);
            found.insert(word, is_first.then_some(id));
        }
    }
    found
        .into_iter()
        .filter_map(|(word, id)| Some((word, id?)))
        .collect()
}

/// The text that was carried from one block to another.
#[derive(Default)]
pub(super) struct Carried<'a> {
    /// The words that stand once in each of the three texts.
    once: HashSet<String>,
    apart: Vec<Apart<'a>>,
    /// The blocks of the base that both sides carried into one block, by the id of that one and where they stood.
    together: HashMap<&'a str, BTreeSet<usize>>,
    /// The blocks that others split off, with text that the person removed where it was.
    removed: BTreeSet<&'a str>,
}

/// Text that stands in another block for the others than for the person.
struct Apart<'a> {
    theirs: &'a str,
    own: &'a str,
    words: Vec<String>,
}

impl<'a> Carried<'a> {
    /// Finds it; nothing while only one of the two sides changed anything.
    pub(super) fn of(sides: &'a Sides<'_>) -> Self {
        let by_others = |id: &String| sides.present.text(id) != sides.base.text(id);
        let by_person = |id: &String| sides.mine.text(id) != sides.base.text(id);
        if !sides.present.ids.iter().any(by_others) || !sides.mine.ids.iter().any(by_person) {
            return Self::default();
        }
        let (base, present, mine) = (places(&sides.base), places(&sides.present), places(&sides.mine));
        let mut once = HashSet::new();
        let mut apart: HashMap<(&str, &str), Vec<String>> = HashMap::new();
        let mut together: HashMap<&str, BTreeSet<usize>> = HashMap::new();
        let all_of_mine: HashSet<String> = words(sides.mine.document.content()).into_iter().collect();
        let mut others = Moves::new(&sides.base, &sides.present);
        let mut person = Moves::new(&sides.base, &sides.mine);
        let (mut removed, mut left) = (BTreeSet::new(), BTreeSet::new());
        for (word, theirs) in &present {
            let Some(from) = base.get(word) else {
                continue;
            };
            let Some(own) = mine.get(word) else {
                let is_new = sides.base.at(theirs).is_none();
                if is_new && !all_of_mine.contains(word) && others.has(from, theirs) {
                    removed.insert(*theirs);
                }
                continue;
            };
            left.insert(*theirs);
            once.insert(word.clone());
            let by_others = others.has(from, theirs);
            let by_person = person.has(from, own);
            if own != theirs && (by_others || by_person) {
                apart.entry((theirs, own)).or_default().push(word.clone());
            } else if own == theirs && by_others && by_person {
                together.entry(own).or_default().extend(sides.base.at(from));
            }
        }
        let apart = apart.into_iter();
        let mut apart: Vec<Apart<'_>> = apart
            .map(|((theirs, own), words)| Apart { theirs, own, words })
            .collect();
        // Whatever order the map has, the same save becomes the same text.
        apart.sort_unstable_by_key(|apart| (sides.present.at(apart.theirs), sides.mine.at(apart.own)));
        let removed = removed.difference(&left).copied().collect();
        Self {
            once,
            apart,
            together,
            removed,
        }
    }

    /// What a block was made of: its own text in the base, and that of the blocks that both sides carried into it.
    pub(super) fn base<'b>(&self, sides: &Sides<'b>, id: &str) -> Cow<'b, str> {
        let own = sides.base.text(id).unwrap_or_default();
        let Some(others) = self.together.get(id) else {
            return own.into();
        };
        let mut all = others.clone();
        all.extend(sides.base.at(id));
        let texts = all
            .into_iter()
            .filter_map(|at| sides.base.text(&sides.base.ids[at]));
        texts.collect::<Vec<_>>().join("\n\n").into()
    }

    /// Whether words came to stand twice in one block: where the same words stand in many places, the two sides'
    /// changes may be told apart differently.
    fn is_twice(&self, text: &str) -> bool {
        let mut seen = HashSet::new();
        words(text)
            .into_iter()
            .any(|word| self.once.contains(&word) && !seen.insert(word))
    }

    /// The words of all blocks that text was carried from or into.
    fn standing(&self, decided: &Decided) -> Standing<'a> {
        let ids: HashSet<&str> = self
            .apart
            .iter()
            .flat_map(|apart| [apart.theirs, apart.own])
            .collect();
        let kept = ids.into_iter().filter_map(|id| Some((id, decided.kept.get(id)?)));
        kept.map(|(id, kept)| (id, words(&kept.text).into_iter().collect()))
            .collect()
    }

    /// Sees to it that no text stands twice, and that none is missing which both sides have.
    pub(super) fn settle(&self, sides: &Sides<'_>, decided: &mut Decided) {
        let is_garbled = |kept: &Kept| kept.source == Source::Both && self.is_twice(&kept.text);
        let garbled: Vec<String> = decided
            .kept
            .iter()
            .filter(|(_, kept)| is_garbled(kept))
            .map(|(id, _)| id.clone())
            .collect();
        for id in garbled {
            sides.give_back(&id, decided);
        }
        for id in &self.removed {
            sides.give_back(id, decided);
        }
        // To give one back may bring another one's text back with it. Each is given back once, so this ends.
        let mut given_back: HashSet<&str> = HashSet::new();
        loop {
            let standing = self.standing(decided);
            for apart in &self.apart {
                if !decided.kept.contains_key(apart.own) && apart.is_missing(&standing) {
                    sides.bring_back(apart.own, decided);
                }
            }
            let standing = self.standing(decided);
            let twice = self.apart.iter().filter(|apart| apart.is_twice(&standing));
            let twice: BTreeSet<&str> = twice.map(|apart| apart.theirs).collect();
            let mut is_done = true;
            for id in twice {
                if given_back.insert(id) {
                    sides.give_back(id, decided);
                    is_done = false;
                }
            }
            if is_done {
                return;
            }
        }
    }
}

/// The words of blocks as they are to stand.
type Standing<'a> = HashMap<&'a str, HashSet<String>>;

impl Apart<'_> {
    /// Whether a word of it stands in both blocks.
    fn is_twice(&self, standing: &Standing<'_>) -> bool {
        let both = standing.get(self.theirs).zip(standing.get(self.own));
        both.is_some_and(|(theirs, own)| {
            let stands = |word: &String| theirs.contains(word) && own.contains(word);
            self.words.iter().any(stands)
        })
    }

    /// Whether a word of it is not where others carried it: that block stands as the person has it.
    fn is_missing(&self, standing: &Standing<'_>) -> bool {
        let theirs = standing.get(self.theirs);
        let stands = |word: &String| theirs.is_some_and(|theirs| theirs.contains(word));
        !self.words.iter().all(stands)
    }
}

/// What a side took out of the base's blocks and put into its own, counted once for each: a text of a megabyte may be one
/// block, or a thousand that went into one.
struct Moves<'a> {
    base: &'a Side<'a>,
    side: &'a Side<'a>,
    lost: HashMap<&'a str, Counts>,
    got: HashMap<&'a str, Counts>,
    known: HashMap<(&'a str, &'a str), bool>,
}

/// Telling words, each with how often.
struct Counts {
    words: HashMap<u64, usize>,
    all: usize,
    /// How many the block had or has.
    whole: usize,
}

impl Counts {
    /// The words that a text has more often than another one.
    fn of(text: Option<&str>, without: Option<&str>) -> Self {
        let mut words: HashMap<u64, usize> = HashMap::new();
        let mut whole = 0;
        for word in text.into_iter().flat_map(telling) {
            *words.entry(word).or_default() += 1;
            whole += 1;
        }
        for word in without.into_iter().flat_map(telling) {
            if let Some(count) = words.get_mut(&word) {
                *count = count.saturating_sub(1);
            }
        }
        let all = words.values().sum();
        Self { words, all, whole }
    }
}

impl<'a> Moves<'a> {
    fn new(base: &'a Side<'a>, side: &'a Side<'a>) -> Self {
        Self {
            base,
            side,
            lost: HashMap::new(),
            got: HashMap::new(),
            known: HashMap::new(),
        }
    }

    /// Whether the side carried text from one block into another: most of what it took out of the one, or put into the
    /// other, is the same. A new block of the scribe's got it only from one that was split: where the old one is gone,
    /// a turn was said instead of another one, and says something alike.
    fn has(&mut self, from: &'a str, into: &'a str) -> bool {
        if from == into {
            return false;
        }
        if let Some(known) = self.known.get(&(from, into)) {
            return *known;
        }
        let (base, side) = (self.base, self.side);
        let is_new = |block: &&Block| base.at(into).is_none() && block.is_scribes();
        let is_said_instead = side.at(from).is_none() && side.block(into).as_ref().is_some_and(is_new);
        let has = !is_said_instead && {
            let lost = self.lost.entry(from);
            let lost = lost.or_insert_with(|| Counts::of(base.text(from), side.text(from)));
            let got = self.got.entry(into);
            let got = got.or_insert_with(|| Counts::of(side.text(into), base.text(into)));
            let words = lost.words.iter();
            let same: usize = words
                .map(|(word, count)| *count.min(got.words.get(word).unwrap_or(&0)))
                .sum();
            let fewer = lost.all.min(got.all);
            same as f64 >= MOST_OF_IT * fewer as f64 && (same >= A_FEW || same == lost.whole.min(got.whole))
        };
        self.known.insert((from, into), has);
        has
    }
}

#[cfg(test)]
mod tests {
    use crate::blocks::{Anatomy, BlockEntry, Document, Manifest, hash};
    use crate::save::Save;

    const LISTS: &str = "# Cargo\n\n- amber for the north\n- salt\n\nNobody asks for the fare.\n\n- silk of the old weavers\n- rope\n\nThe end.\n";

    /// What others made of a text, what a person saves, what comes of it and what is suggested.
    #[track_caller]
    fn check(base: &str, theirs: &str, mine: &str, expected: &str, suggested: &[&str]) {
        let base = Document::read(base, &Manifest::of_scribe(base));
        check_saved(
            &base,
            &Document::read_after(theirs, &base),
            mine,
            expected,
            suggested,
        );
    }

    #[track_caller]
    fn check_saved(base: &Document, present: &Document, mine: &str, expected: &str, suggested: &[&str]) {
        let person = "ada".parse().unwrap();
        let save = Save {
            base,
            present,
            content: mine,
            person: &person,
        };
        let saved = save.merge();
        assert_eq!(saved.document.content(), expected);
        let found = saved.suggestions.iter();
        let found: Vec<&str> = found.map(|suggestion| suggestion.markdown.as_str()).collect();
        assert_eq!(found, suggested);
    }

    #[track_caller]
    fn check_text(base: &str, theirs: &str, mine: &str, expected: &str) {
        let base = Document::read(base, &Manifest::of_scribe(base));
        let present = Document::read_after(theirs, &base);
        let person = "ada".parse().unwrap();
        let save = Save {
            base: &base,
            present: &present,
            content: mine,
            person: &person,
        };
        assert_eq!(save.merge().document.content(), expected, "{theirs:?}");
    }

    #[test]
    fn of_blocks_that_others_joined_the_persons_stand() {
        let joined = LISTS.replace("Nobody asks for the fare.\n\n", "");
        let theirs = "- amber for the north\n- salt\n\n- silk of the old weavers\n- rope";
        let mine = LISTS.replace("salt", "pepper");
        let apart = mine.replace("Nobody asks for the fare.", "<!-- -->");
        // The first list had gone into the other one: that it goes is suggested too.
        check(LISTS, &joined, &mine, &apart, &["", theirs]);
        // Where the words of both can be told apart, they are joined.
        for (word, other) in [("weavers", "spinners"), ("The end.", "To be continued.")] {
            let mine = LISTS.replace(word, other);
            check(LISTS, &joined, &mine, &joined.replace(word, other), &[]);
        }
    }

    #[test]
    fn of_a_block_that_others_split_the_persons_stands() {
        let base =
            "# Crew\n\nJester paints the ceiling green. Fjord reads old maps of Nicodranas all night.\n";
        let split = base.replace(". Fjord", ".\n\nFjord");
        let mine = base.replace("green", "pink");
        let theirs = "Fjord reads old maps of Nicodranas all night.";
        check(
            base,
            &split,
            &mine,
            &mine,
            &[theirs, "Jester paints the ceiling green."],
        );
        // Where the words of both can be told apart, it is split.
        let mine = base.replace("maps", "charts");
        check(base, &split, &mine, &split.replace("maps", "charts"), &[]);
    }

    #[test]
    fn what_both_joined_is_joined_once() {
        let base =
            "# Crew\n\nJester paints the ceiling green.\n\nFjord reads old maps of Nicodranas all night.\n";
        let joined = |word: &str| base.replace("green.\n\n", &format!("green. {word}\n"));
        let theirs = joined("Alone.");
        let mine = joined("Twice.");
        let theirs_block = theirs.trim_start_matches("# Crew\n\n").trim_end();
        check(base, &theirs, &mine, &mine, &[theirs_block]);
    }

    #[test]
    fn the_same_words_in_many_places_were_not_carried() {
        let entry = |day: &str, what: &str| format!("Log of {day}: the crew of the ship reports {what}.");
        let base = [entry("Monday", "rain"), entry("Tuesday", "fog")].join("\n\n") + "\n";
        // The scribe rewrites one and adds another; the person rewrites the first one too.
        let theirs = base.replace("rain", "hail") + "\n" + &entry("Wednesday", "snow") + "\n";
        let mine = base.replace("rain", "sleet");
        let expected = theirs.replace("hail", "sleet");
        check(&base, &theirs, &mine, &expected, &[&entry("Monday", "hail")]);
    }

    #[test]
    fn a_name_that_went_elsewhere_is_not_a_text_that_was_carried() {
        let base = "# Harbour\n\nCaptain Avantika waits at the harbour with forty sailors and no patience.\n\nThe end.\n";
        let theirs = base.replace("Captain Avantika waits", "Somebody waits").replace(
            "The end.",
            "The end.\n\nLong ago Avantika sold a cursed compass to smugglers from the southern islands.",
        );
        let mine = base.replace("Captain Avantika waits", "Captain Avantika sleeps");
        let expected = theirs.replace("Somebody waits", "Captain Avantika sleeps");
        let suggested = "Somebody waits at the harbour with forty sailors and no patience.";
        check(base, &theirs, &mine, &expected, &[suggested]);
    }

    #[test]
    fn what_the_person_removed_is_gone_where_others_split_it_off() {
        for (lamp, oil) in [
            ("The lamp is brass.", "More oil here."),
            ("The lamp is old brass from Nicodranas.", "More oil."),
            ("The lamp.", "More oil is here in the cellar."),
        ] {
            let base = format!("# House\n\n{lamp} {oil}\n");
            let split = format!("# House\n\n{lamp}\n\n{oil}\n");
            for mine in [lamp, oil] {
                let mine = format!("# House\n\n{mine}\n");
                check_text(&base, &split, &mine, &mine);
            }
        }
    }

    /// If each word looked at its whole block again, this would take minutes.
    #[test]
    fn a_block_of_twenty_thousand_words_is_looked_at_once() {
        let long: Vec<String> = (0..20_000).map(|n| format!("word{n}")).collect();
        let long = long.join(" ");
        let base = format!("# House\n\n{long}\n\nThe lamp is brass.\n");
        let joined = format!("# House\n\n{long}\nThe lamp is brass.\n");
        let mine = base.replace("lamp", "lantern");
        check_text(&base, &joined, &mine, &mine);
    }

    #[test]
    fn what_is_said_instead_of_a_removed_block_stands_beside_it() {
        let base = "# Log\n\nA courier brings amber and salt from the northern passes.\n\nThe end.\n";
        let base = Document::read(base, &Manifest::of_scribe(base));
        // The turn of the second block was taken back, and another one is in its place.
        let again = "A courier brings amber and tar from the northern passes.";
        let theirs = format!("# Log\n\nThe end.\n\n{again}\n");
        let mut entries = base.manifest().entries().to_vec();
        let removed = entries.remove(1);
        entries.push(BlockEntry {
            id: "b4".into(),
            hash: hash(again),
            ..removed
        });
        let present = Document::with_entries(&theirs, Anatomy::of(&theirs), entries, 5);
        let mine = base.content().replace("courier", "ferryman");
        check_saved(&base, &present, &mine, &format!("{mine}\n{again}\n"), &[""]);
    }

    #[test]
    fn what_others_carried_into_a_block_that_stays_the_persons_stays_too() {
        let base = "one two three four five six\n\nfog ice hail rain snow wind\n\n## oak elm ash fir yew box\n\n- amber salt rope silk tar pitch\n";
        let list = "- red green blue\n\n- gold grey pink\n\n- amber rope silk tar pitch";
        let theirs = format!("one two three four five six\n\n{list}\n\n## oak elm ash fir yew box\n");
        let mine = base.replace("fog", "fog mist");
        check(base, &theirs, &mine, &mine, &[list]);
    }
}
