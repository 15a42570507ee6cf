//! Where in a document a text belongs.

use crate::blocks::{Block, Document, Kind, plain_text};

use super::fragment::Fragment;

/// How far from the end the notes at the foot may begin, in blocks.
const FOOT_BLOCKS: usize = 8;

/// The places of a document: numbers of blocks, before which something can be put.
pub(super) struct Places<'a>(pub(super) &'a Document);

impl Places<'_> {
    /// Behind everything, but for what stands at the foot.
    pub(super) fn end(&self) -> usize {
        self.0.block_list().len() - self.foot()
    }

    /// A place, or the end where it lies behind the end.
    pub(super) fn before_the_foot(&self, at: usize) -> usize {
        if at < self.0.block_list().len() {
            at
        } else {
            self.end()
        }
    }

    /// Whether a block stands at the foot.
    pub(super) fn is_foot(&self, at: usize) -> bool {
        at >= self.end()
    }

    /// How many blocks stand at the foot: definitions of links and footnotes, and before them a rule with nothing
    /// but notes behind it, such as "Status: draft" or a line of tags.
    fn foot(&self) -> usize {
        let blocks = self.0.block_list();
        let behind = blocks.iter().rev();
        let definitions = behind
            .take_while(|block| matches!(block.kind(), Kind::Definition | Kind::Footnote))
            .count();
        let body = &blocks[..blocks.len() - definitions];
        let near = body.len().saturating_sub(FOOT_BLOCKS);
        let rule = body[near..].iter().rposition(|block| block.kind() == Kind::Rule);
        let notes = rule.map(|rule| &body[near + rule + 1..]).unwrap_or_default();
        if !notes.is_empty() && notes.iter().all(|block| self.is_note(block)) {
            definitions + notes.len() + 1
        } else {
            definitions
        }
    }

    /// Whether every line of a block says something about the document: `Status: draft`, `#tag #tag`, or all in
    /// emphasis.
    fn is_note(&self, block: &Block) -> bool {
        let text = self.0.text(block);
        let is_key = |line: &str| {
            line.split_once(':').is_some_and(|(key, _)| {
                key.split_whitespace().count() <= 3
                    && key.chars().all(|c| c.is_alphanumeric() || " _-".contains(c))
            })
        };
        let is_tags = |line: &str| {
            let mut words = line.split_whitespace().peekable();
            words.peek().is_some() && words.all(|word| word.len() > 1 && word.starts_with('#'))
        };
        let is_whole = |sign: char| text.len() > 2 && text.starts_with(sign) && text.ends_with(sign);
        match block.kind() {
            Kind::Table => true,
            Kind::Paragraph | Kind::List => {
                is_whole('*')
                    || is_whole('_')
                    || plain_text(text)
                        .lines()
                        .flat_map(|line| line.split("  "))
                        .map(str::trim)
                        .all(|line| is_key(line) || is_tags(line))
            }
            _ => false,
        }
    }

    /// Where the section of a block ends: before the next heading of any rank, so that text for a section never
    /// lands under the heading of another one.
    pub(super) fn section_end(&self, at: usize) -> usize {
        let behind = self.0.block_list().iter().skip(at + 1);
        at + 1
            + behind
                .take_while(|block| !matches!(block.kind(), Kind::Heading(_)))
                .count()
    }

    /// Where the section of a block ends with all sections within it: before the next heading of its rank or higher.
    pub(super) fn whole_section_end(&self, at: usize) -> usize {
        let blocks = self.0.block_list();
        let heading = blocks[..=at].iter().rev().find_map(rank);
        let Some(rank_of_section) = heading else {
            return self.section_end(at);
        };
        let ends = |block: &Block| rank(block).is_some_and(|rank| rank <= rank_of_section);
        let behind = blocks.iter().skip(at + 1);
        at + 1 + behind.take_while(|block| !ends(block)).count()
    }

    /// A heading takes everything below it. One that is put above other blocks goes on to the first place where
    /// a heading of its rank, or the end, comes next.
    pub(super) fn past_what_a_heading_would_take(&self, at: usize, fragment: &Fragment) -> usize {
        let Some(level) = fragment.highest_heading() else {
            return at;
        };
        let blocks = self.0.block_list();
        let free = |place: &usize| match blocks.get(*place).map(Block::kind) {
            None => true,
            Some(Kind::Heading(next)) => next <= level,
            Some(_) => false,
        };
        let end = self.end();
        (at..=end).find(free).unwrap_or(end)
    }

    /// The section that a new one at this place would be a second of: same rank, same words, below the same heading.
    pub(super) fn section_of_the_same_name(&self, at: usize, level: u8, heading: &str) -> Option<usize> {
        let blocks = self.0.block_list();
        let name = |text: &str| plain_text(text).trim().to_lowercase();
        let wanted = name(heading);
        let parent = |at: usize| {
            blocks[..at]
                .iter()
                .rposition(|block| rank(block).is_some_and(|rank| rank < level))
        };
        let same = |&other: &usize| {
            rank(&blocks[other]) == Some(level)
                && name(self.0.text(&blocks[other])) == wanted
                && parent(other) == parent(at)
        };
        (0..blocks.len()).find(same)
    }
}

/// The rank of a heading, 1 to 6.
pub(super) fn rank(block: &Block) -> Option<u8> {
    match block.kind() {
        Kind::Heading(rank) => Some(rank),
        _ => None,
    }
}
