//! In which order the blocks of both texts stand.
//!
//! One of the two gives the order: the present text, unless the person moved blocks. What the other one has beside it
//! goes behind the block that it stood behind there. Where both added something at one place, a section of the one
//! must not get between the other one's text and the section that this belongs to.

use std::collections::HashSet;

use super::blocks::{Decided, Side, Sides};
use crate::blocks::Kind;

/// The ids of the merged text's blocks.
pub(super) fn order(sides: &Sides<'_>, decided: &Decided) -> Vec<String> {
    let (giving, other) = if has_moved(&sides.base, &sides.mine) {
        (&sides.mine, &sides.present)
    } else {
        (&sides.present, &sides.mine)
    };
    let mut order: Vec<String> = giving
        .ids
        .iter()
        .filter(|id| decided.kept.contains_key(*id))
        .cloned()
        .collect();
    let is_heading = |id: &String| {
        let kind = decided.kept.get(id).and_then(|kept| kept.kind);
        matches!(kind, Some(Kind::Heading(_)))
    };
    let mut placed: HashSet<String> = order.iter().cloned().collect();
    let mut behind: Option<String> = None;
    let mut run: Vec<String> = Vec::new();
    for id in &other.ids {
        if placed.contains(id) {
            insert(
                &mut order,
                behind.as_ref(),
                std::mem::take(&mut run),
                other,
                is_heading,
            );
            behind = Some(id.clone());
        } else if decided.kept.contains_key(id) {
            placed.insert(id.clone());
            run.push(id.clone());
        }
    }
    insert(&mut order, behind.as_ref(), run, other, is_heading);
    order
}

/// Whether blocks that both have stand in another order.
fn has_moved(base: &Side<'_>, mine: &Side<'_>) -> bool {
    let places: Vec<usize> = mine.ids.iter().filter_map(|id| base.at(id)).collect();
    !places.is_sorted()
}

/// Puts a run of blocks behind the one that it stood behind.
fn insert(
    order: &mut Vec<String>,
    behind: Option<&String>,
    mut run: Vec<String>,
    other: &Side<'_>,
    is_heading: impl Fn(&String) -> bool,
) {
    if run.is_empty() {
        return;
    }
    let start = behind.map_or(0, |behind| {
        order.iter().position(|id| id == behind).map_or(0, |at| at + 1)
    });
    // What only the giving side has at this place, up to its first section.
    let rivals = order[start..].iter().take_while(|id| other.at(id).is_none());
    let lead = rivals.take_while(|id| !is_heading(id)).count();
    let sections = run.iter().position(is_heading).unwrap_or(run.len());
    let with_sections = run.split_off(sections);
    order.splice(start + lead..start + lead, with_sections);
    order.splice(start..start, run);
}
