//! Corrections find the block that they are about, wherever it stands.

use super::world::document_of;
use super::*;

/// What stands in the document, and how somebody puts it right.
const CORRECTIONS: [(&str, &str, &str); 20] = [
    (
        "The market of Westruun is held on Friday in the square below the old bridge.",
        "Actually no, the Westruun market is on Saturday, not Friday.",
        "Understood: the market in Westruun takes place on Saturday.",
    ),
    (
        "Kallista's father was a tanner from Byroden who never learned to swim.",
        "Hm, wait, didn't we say Kallista's dad was a smith? He wasn't a tanner.",
        "You are right, he was a smith.",
    ),
    (
        "The lighthouse on Gull Rock has 240 steps, and its lamp burns whale oil.",
        "Small fix: the lighthouse has 214 steps.",
        "Noted, 214 steps.",
    ),
    (
        "General Vaskar fell at the siege of Draconia, struck by a ballista from the western wall.",
        "Vaskar didn't die at Draconia. He was captured there and ransomed.",
        "So the general survived: captured, and ransomed later.",
    ),
    (
        "The guild of glassblowers takes 12 apprentices each spring, chosen by lot.",
        "One thing about the glassblowers: it's seven apprentices, not twelve.",
        "Seven apprentices it is.",
    ),
    (
        "Queen Aureline wears a crown of iron, because gold is for merchants.",
        "I changed my mind about Aureline's crown, it should be made of bone.",
        "A crown of bone suits her.",
    ),
    (
        "The river Thessal flows north into the Lucidian sea and floods in the third month.",
        "Oh, and the Thessal flows south, I had the map upside down!",
        "Then it reaches the coast in the south.",
    ),
    (
        "Brother Matthias keeps bees behind the chapel and sells the honey to pilgrims.",
        "Matthias shouldn't sell the honey. He gives it away to the poor.",
        "A kinder monk, then.",
    ),
    (
        "The Gilded Heron is a tavern of two floors, known for eel pie and bad music.",
        "The Gilded Heron has three floors, by the way.",
        "Good to know!",
    ),
    (
        "In the year 812 the dwarves of Kraghammer closed their gates to all strangers.",
        "The dwarves closed Kraghammer in 821, not 812.",
        "Corrected: 821.",
    ),
    (
        "Zahra's familiar is a raven named Thistle, who speaks only in riddles.",
        "Zahra's raven is called Bramble. Thistle was the cat.",
        "Bramble the raven, then.",
    ),
    (
        "The poison called widow's breath is brewed from nightshade and works within an hour.",
        "That poison, widow's breath, needs a whole day to work.",
        "Slow and all the more frightening.",
    ),
    (
        "Captain Roderick lost his left eye in a duel with the smuggler Pell.",
        "It was Roderick's right eye, please fix that.",
        "His right eye. Fixed.",
    ),
    (
        "The senate of Vasselheim has ninety members, elected for life by the temples.",
        "Let's say the senators in Vasselheim are elected for five years only, not for life.",
        "Five years, elected by the temples.",
    ),
    (
        "Salt from Marquet is traded for furs at a rate of three sacks to one pelt.",
        "The rate for Marquet salt is five sacks per pelt.",
        "That makes furs dear.",
    ),
    (
        "The twins Elowen and Eskil were raised by wolves in the Parchwood.",
        "Elowen and Eskil weren't raised by wolves but by a bear.",
        "A bear in the Parchwood.",
    ),
    (
        "Under the opera house lies a lake on which the phantom rows a black gondola.",
        "The gondola under the opera house is white, not black.",
        "A white gondola on the lake.",
    ),
    (
        "The comet returns every seventy-six years and is taken for the eye of Ioun.",
        "The comet comes back every ninety years, let's change it.",
        "Every ninety years.",
    ),
    (
        "No one may carry steel in the halls of Syngorn, not even the king's guard.",
        "Actually the king's guard may carry steel in Syngorn after all.",
        "An exception for the guard.",
    ),
    (
        "The dragon Umbrasyl sleeps beneath Gatshadow and wakes when silver is mined.",
        "Umbrasyl wakes when gold is mined, silver was a mistake.",
        "Gold, then.",
    ),
];

#[test]
fn corrections_find_their_block() {
    let facts: Vec<&str> = CORRECTIONS.iter().map(|(fact, ..)| *fact).collect();
    for length in [8_000, 50_000] {
        let document = document_of(length, &facts);
        let mut missed = Vec::new();
        let mut shown = 0;
        for (fact, user, assistant) in CORRECTIONS {
            let prompt = built(&document, &turn(user, assistant));
            assert!(size(&prompt) <= 6_000);
            let related = related(&prompt);
            shown += related.len();
            match related.iter().find(|block| block["text"] == fact) {
                Some(block) => assert_eq!(block["hash"].as_str().map(str::len), Some(8), "{fact}"),
                None => missed.push(user),
            }
        }
        assert!(missed.len() <= 1, "{length}: {missed:?}");
        // Nor does it find them by showing many.
        assert!(shown <= 30, "{length}: {shown}");
    }
}

#[test]
fn a_block_that_only_shares_common_words_is_not_related() {
    let document = document_of(50_000, &[]);
    let said = turn(
        "And then Orla visited the harbour.",
        "She bought ropes and lanterns at midnight.",
    );
    assert_eq!(related(&built(&document, &said)), [] as [Value; 0]);
}
