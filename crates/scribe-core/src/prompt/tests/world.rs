//! A world to write about: a conversation without end that speaks of the same people and places again and again, as
//! real ones do, and says something new each time.

use super::*;
use crate::edits::{Answer, Bounds, Edit, weave};

const PEOPLE: [&str; 40] = [
    "Orla",
    "Bryn",
    "Kasimir",
    "Tove",
    "Mirelle",
    "Hask",
    "Ysolde",
    "Pemberton",
    "Quill",
    "Anselm",
    "Dagny",
    "Ferro",
    "Ilse",
    "Jorun",
    "Lucan",
    "Maeve",
    "Nesrin",
    "Osric",
    "Petra",
    "Rurik",
    "Sabine",
    "Tamsin",
    "Ulric",
    "Vesna",
    "Wystan",
    "Xanthe",
    "Yorick",
    "Zelda",
    "Aldous",
    "Brida",
    "Corwin",
    "Delphine",
    "Edmund",
    "Fenna",
    "Gregor",
    "Hedda",
    "Ivo",
    "Jocasta",
    "Kerrin",
    "Lothar",
];
const PLACES: [&str; 30] = [
    "harbour",
    "market",
    "granary",
    "temple",
    "cistern",
    "foundry",
    "archive",
    "orchard",
    "quarry",
    "barracks",
    "observatory",
    "tannery",
    "causeway",
    "infirmary",
    "vineyard",
    "mill",
    "treasury",
    "aqueduct",
    "arena",
    "mint",
    "shipyard",
    "crypt",
    "bakery",
    "chancery",
    "dovecote",
    "gatehouse",
    "kennels",
    "library",
    "menagerie",
    "salt works",
];
const DEEDS: [&str; 24] = [
    "repaired",
    "guarded",
    "bought",
    "inherited",
    "surveyed",
    "painted",
    "flooded",
    "blessed",
    "abandoned",
    "robbed",
    "measured",
    "cleaned",
    "opened",
    "sealed",
    "rented",
    "defended",
    "described",
    "visited",
    "rebuilt",
    "inspected",
    "mapped",
    "burned",
    "closed",
    "restored",
];
const THINGS: [&str; 36] = [
    "ledgers",
    "lanterns",
    "anchors",
    "ropes",
    "barrels",
    "tapestries",
    "coins",
    "bells",
    "maps",
    "candles",
    "keys",
    "horses",
    "swords",
    "apples",
    "letters",
    "statues",
    "sails",
    "bricks",
    "grain",
    "wine",
    "silk",
    "copper",
    "amber",
    "salt",
    "timber",
    "books",
    "masks",
    "dogs",
    "ovens",
    "mirrors",
    "drums",
    "nets",
    "carts",
    "wells",
    "ladders",
    "seals",
];
const WEATHER: [&str; 12] = [
    "in heavy rain",
    "before dawn",
    "after the harvest",
    "during the festival",
    "in the first snow",
    "at low tide",
    "on the longest day",
    "under a red moon",
    "in dense fog",
    "when the frost broke",
    "at midnight",
    "in a dry spring",
];

/// Numbers that look like chance and are the same every time.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % sides
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.roll(words.len())]
    }
}

/// A paragraph of about 51 tokens.
pub(super) fn paragraph(number: usize) -> String {
    let mut dice = Dice::new(number as u64 + 1);
    format!(
        "{} {} the {} {} with {} of the {} beside it, and kept {} {} there. Of the {} nobody spoke until {} asked {} for them {}.",
        dice.of(&PEOPLE),
        dice.of(&DEEDS),
        dice.of(&PLACES),
        dice.of(&WEATHER),
        dice.of(&THINGS),
        dice.of(&PLACES),
        number * 7 % 400 + 3,
        dice.of(&THINGS),
        dice.of(&THINGS),
        dice.of(&PEOPLE),
        dice.of(&PEOPLE),
        dice.of(&WEATHER),
    )
}

/// A document of at least so many tokens, a section every ten paragraphs. What stands in `facts` is spread over it.
pub(super) fn document_of(wanted: usize, facts: &[&str]) -> Document {
    let mut content = String::from("# The Chronicle of Emon\n");
    let paragraphs = wanted.div_ceil(54);
    let mut told = 0;
    for number in 0.. {
        if tokens(&content) >= wanted && told == facts.len() {
            break;
        }
        if number % 10 == 0 {
            content.push_str(&format!(
                "\n## Book {} of the {}\n",
                number / 10,
                PLACES[number / 10 % PLACES.len()]
            ));
        }
        // Not in the last tenth: that is shown anyway.
        if told < facts.len() && number >= told * paragraphs * 9 / 10 / facts.len() {
            content.push_str(&format!("\n{}\n", facts[told]));
            told += 1;
        }
        content.push_str(&format!("\n{}\n", paragraph(number)));
    }
    document(&content)
}

/// A conversation whose turns add, one after the other.
pub(super) struct Conversation {
    pub(super) document: Document,
    said: usize,
}

impl Conversation {
    pub(super) fn new(document: Document) -> Self {
        Self {
            document,
            said: 100_000,
        }
    }

    /// What is said next, and how the model writes it down.
    pub(super) fn next(&mut self) -> (Turn, String) {
        self.said += 1;
        let told = paragraph(self.said);
        let user = told
            .split(". ")
            .next()
            .unwrap_or_default()
            .replace(", and kept", " and has");
        (
            turn(
                &format!("And {user}?"),
                &told.replace(" nobody spoke", ", yes, nobody said a word"),
            ),
            told,
        )
    }

    pub(super) fn weave(&mut self, turn: &Turn, edit: Edit) {
        let answer = Answer {
            edits: vec![edit],
            reason: None,
        };
        self.document = weave(&self.document, &answer, turn, &Bounds::default())
            .unwrap()
            .document;
    }
}

pub(super) fn append(markdown: String) -> Edit {
    Edit::Append {
        section: None,
        markdown,
    }
}
