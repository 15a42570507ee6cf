//! The merged text, put together of blocks and of what stood between them.

use super::Saved;
use super::blocks::{Decided, Kept, Side, Sides, Source};
use crate::blocks::{Anatomy, Author, BlockEntry, Document, Kind, hash};
use crate::edits::{SuggestedAction, Suggestion};

/// Keeps blocks apart that Markdown would join; shows nothing.
const COMMENT: &str = "<!-- -->";

/// How blocks are kept apart; each try is stronger than the one before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Apart {
    /// By what stood between them, where they stood side by side, and else by a blank line.
    AsTheyWere,
    /// By a blank line at least, where they do not come from one text.
    BlankLine,
    /// By an empty comment where they did not stand side by side.
    Comment,
}

/// The merged document in this order; nothing if the text does not fall into these blocks.
pub(super) fn compose(sides: &Sides<'_>, decided: &Decided, order: &[String]) -> Option<Saved> {
    let kept: Vec<(&str, &Kept)> = order
        .iter()
        .filter_map(|id| Some((id.as_str(), decided.kept.get(id)?)))
        .collect();
    let document = in_order(sides, &kept)?;
    let of = |is: fn(&Kept) -> bool| {
        let those = kept.iter().filter(|(_, kept)| is(kept));
        those.map(|(id, _)| (*id).to_owned()).collect()
    };
    let contested = kept.iter().filter_map(|(_, kept)| kept.contested.clone());
    let mut suggestions: Vec<Suggestion> = contested.collect();
    suggestions.extend(removed(sides, decided, |id| decided.kept.contains_key(id)));
    Some(Saved {
        document,
        others: of(|kept| kept.is_others && kept.source == Source::Present),
        merged: of(|kept| kept.source == Source::Both),
        suggestions,
    })
}

/// The document of these blocks; nothing if their text falls into others.
pub(super) fn in_order(sides: &Sides<'_>, kept: &[(&str, &Kept)]) -> Option<Document> {
    let tries = [Apart::AsTheyWere, Apart::BlankLine, Apart::Comment];
    tries.into_iter().find_map(|apart| attempt(sides, kept, apart))
}

/// The person's text as it is. What others wrote since becomes suggestions.
pub(super) fn as_it_is(sides: &Sides<'_>, decided: &Decided) -> Saved {
    let mut entries: Vec<BlockEntry> = Vec::new();
    let mut suggestions = Vec::new();
    for (id, block) in sides.mine.ids.iter().zip(sides.mine.document.blocks()) {
        let mut entry = block.entry().clone();
        id.clone_into(&mut entry.id);
        let (present, kept) = (sides.present.block(id), decided.kept.get(id));
        if present.is_none() {
            suggestions.extend(kept.and_then(|kept| kept.contested.clone()));
        }
        if let Some((present, kept)) = present.zip(kept) {
            if present.entry().hash == entry.hash {
                entry = present.entry().clone();
            } else if kept.source != Source::Mine || kept.contested.is_some() {
                suggestions.push(Suggestion::of_block(
                    present.entry(),
                    id,
                    &entry.hash,
                    SuggestedAction::Replace,
                    sides.present.document.text(present),
                ));
            }
        }
        entries.push(entry);
    }
    let is_mine = |id: &str| sides.mine.at(id).is_some();
    let theirs = sides.present.ids.iter().filter(|id| !is_mine(id));
    for id in theirs.filter(|id| decided.kept.contains_key(*id)) {
        suggestions.extend(insertion(&sides.present, id, is_mine));
    }
    suggestions.extend(removed(sides, decided, is_mine));
    let next_number = next_number(sides);
    let content = sides.mine.document.content();
    Saved {
        document: Document::with_entries(content, Anatomy::of(content), entries, next_number),
        others: Vec::new(),
        merged: Vec::new(),
        suggestions,
    }
}

/// What others changed in blocks that the person removed.
fn removed<'a>(
    sides: &'a Sides<'_>,
    decided: &'a Decided,
    stands: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = Suggestion> + 'a {
    let ids = sides.present.ids.iter();
    let ids = ids.filter(|id| decided.removed.contains(*id));
    ids.filter_map(move |id| insertion(&sides.present, id, &stands))
}

/// The suggestion to put a block of the present text behind the one before it that still stands.
fn insertion(present: &Side<'_>, id: &str, stands: impl Fn(&str) -> bool) -> Option<Suggestion> {
    let block = present.block(id)?;
    let before = present.ids.iter().take_while(|other| *other != id);
    let behind = before.filter(|id| stands(id)).last().map_or("", String::as_str);
    Some(Suggestion::of_block(
        block.entry(),
        behind,
        "",
        SuggestedAction::Insert,
        present.document.text(block),
    ))
}

fn next_number(sides: &Sides<'_>) -> u64 {
    sides
        .present
        .document
        .next_number()
        .max(sides.mine.document.next_number())
}

fn attempt(sides: &Sides<'_>, kept: &[(&str, &Kept)], apart: Apart) -> Option<Document> {
    let blank_line = sides.mine.document.line_break().repeat(2);
    let mut next_number = next_number(sides);
    let mut content = kept
        .first()
        .map_or_else(String::new, |(first, _)| edge(sides, first, Edge::Top));
    let mut expected: Vec<(BlockEntry, Option<Kind>, &str)> = Vec::with_capacity(kept.len());
    let mut before: Option<(&str, &Kept)> = None;
    for &(id, block) in kept {
        if let Some((before, last)) = before {
            let gap = gap(&sides.mine, before, id).or_else(|| gap(&sides.present, before, id));
            let is_enough = |gap: &&str| {
                apart == Apart::AsTheyWere || last.source == block.source || gap.matches('\n').count() >= 2
            };
            content.push_str(gap.filter(is_enough).unwrap_or(&blank_line));
            if gap.is_none() && apart == Apart::Comment && would_join(&last.text, &block.text) {
                content.push_str(COMMENT);
                content.push_str(&blank_line);
                expected.push((comment(next_number), Some(Kind::Html), COMMENT));
                next_number += 1;
            }
        }
        content.push_str(&block.text);
        expected.push((block.entry.clone(), block.kind, &block.text));
        before = Some((id, block));
    }
    if let Some((last, _)) = kept.last() {
        content.push_str(&edge(sides, last, Edge::End));
    }
    let anatomy = Anatomy::of(&content);
    let is_meant = anatomy.pieces.len() == expected.len()
        && anatomy
            .pieces
            .iter()
            .zip(&expected)
            .all(|(piece, (_, kind, text))| {
                content[piece.span.clone()] == **text && kind.is_none_or(|kind| kind == piece.kind)
            });
    let entries = expected.into_iter().map(|(entry, ..)| entry).collect();
    is_meant.then(|| Document::with_entries(&content, anatomy, entries, next_number))
}

/// Whether two blocks are not two any more with a blank line between them.
fn would_join(before: &str, text: &str) -> bool {
    let both = format!("{before}\n\n{text}");
    let pieces = Anatomy::of_part(&both).pieces;
    let texts: Vec<&str> = pieces.into_iter().map(|piece| &both[piece.span]).collect();
    texts != [before, text]
}

fn comment(number: u64) -> BlockEntry {
    BlockEntry {
        id: format!("b{number}"),
        hash: hash(COMMENT),
        author: Author::Scribe,
        person: None,
        turns: Vec::new(),
        locked: false,
    }
}

/// What stands between two blocks of a side, if they stand side by side there.
fn gap<'a>(side: &Side<'a>, before: &str, id: &str) -> Option<&'a str> {
    let (first, second) = (side.at(before)?, side.at(id)?);
    let blocks = side.document.block_list();
    (second == first + 1)
        .then(|| &side.document.content()[blocks[first].span().end..blocks[second].span().start])
}

#[derive(Clone, Copy)]
enum Edge {
    Top,
    End,
}

/// What stands above the first block, or behind the last one: the person's, where the person's text begins or ends
/// there.
fn edge(sides: &Sides<'_>, id: &str, edge: Edge) -> String {
    let of = |side: &Side<'_>| {
        let blocks = side.document.block_list();
        let content = side.document.content();
        let block = blocks.get(side.at(id)?)?;
        match edge {
            Edge::Top => (side.ids.first()? == id).then(|| content[..block.span().start].to_owned()),
            Edge::End => (side.ids.last()? == id).then(|| content[block.span().end..].to_owned()),
        }
    };
    of(&sides.mine)
        .or_else(|| of(&sides.present))
        .unwrap_or_else(|| match edge {
            Edge::Top => String::new(),
            Edge::End => sides.mine.document.line_break().to_owned(),
        })
}
