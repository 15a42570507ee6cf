//! What a reader has not read yet: a bounded queue in which text gives way first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Heard;
use crate::live::{LiveEvent, News};

/// How much may lie in a mailbox before its reader is told to read everything again.
const MOST: usize = 64;

/// A reader's mailbox.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    queue: Mutex<VecDeque<Heard>>,
    filled: Notify,
}

impl Mailbox {
    pub(super) async fn next(&self) -> Heard {
        loop {
            let first = self.queue().pop_front();
            if let Some(heard) = first {
                return heard;
            }
            self.filled.notified().await;
        }
    }

    /// Nothing before this matters any more: the reader reads everything now.
    pub(super) fn connected(&self) {
        let mut queue = self.queue();
        queue.clear();
        queue.push_back(Heard::Connected);
        self.filled.notify_one();
    }

    pub(super) fn lost(&self) {
        self.queue().push_back(Heard::Lost);
        self.filled.notify_one();
    }

    pub(super) fn missed(&self) {
        let mut queue = self.queue();
        queue.retain(|heard| matches!(heard, Heard::Connected | Heard::Lost));
        if queue.is_empty() {
            queue.push_back(Heard::Missed);
        }
        self.filled.notify_one();
    }

    pub(super) fn news(&self, event: &Arc<LiveEvent>) {
        let mut queue = self.queue();
        if matches!(event.news, News::Writing { .. }) {
            // The newer snapshot has what the older one had.
            queue.retain(|heard| !is_text_of(heard, event));
        }
        if queue.len() >= MOST {
            drop(queue);
            self.missed();
            return;
        }
        queue.push_back(Heard::News(Arc::clone(event)));
        self.filled.notify_one();
    }

    pub(super) fn forget_drafts(&self) {
        self.queue().retain(|heard| !is_draft(heard));
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Heard>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_text_of(heard: &Heard, event: &LiveEvent) -> bool {
    matches!(heard, Heard::News(known)
        if known.message_id == event.message_id && matches!(known.news, News::Writing { .. }))
}

fn is_draft(heard: &Heard) -> bool {
    matches!(heard, Heard::News(event)
        if matches!(event.news, News::Writing { .. } | News::Withdrawn { .. }))
}

#[cfg(test)]
mod tests {
    use scribe_core::MessageId;

    use super::*;
    use crate::live::Place;

    fn writing(message_id: &str, number: u32) -> Arc<LiveEvent> {
        let place = Place {
            attempt: 1,
            claimed: 1,
            number,
        };
        let id: MessageId = message_id.parse().unwrap();
        Arc::new(LiveEvent::writing(&id, None, place, vec![], false))
    }

    fn done(n: usize) -> Arc<LiveEvent> {
        Arc::new(LiveEvent::processed(&format!("m{n}").parse().unwrap(), None))
    }

    fn lying(mailbox: &Mailbox) -> Vec<Heard> {
        mailbox.queue().drain(..).collect()
    }

    #[test]
    fn only_the_last_snapshot_of_a_turn_is_kept() {
        let mailbox = Mailbox::default();
        for number in 1..1000 {
            mailbox.news(&writing("m1", number));
        }
        mailbox.news(&writing("m2", 1));
        mailbox.news(&done(1));
        match lying(&mailbox).as_slice() {
            [Heard::News(first), Heard::News(second), Heard::News(last)] => {
                assert_eq!(first, &writing("m1", 999));
                assert_eq!(second, &writing("m2", 1));
                assert_eq!(last, &done(1));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_does_not_read_for_long_reads_everything_again() {
        let mailbox = Mailbox::default();
        for n in 0..MOST {
            mailbox.news(&done(n));
        }
        assert_eq!(mailbox.queue().len(), MOST);
        mailbox.news(&done(MOST));
        assert!(matches!(lying(&mailbox).as_slice(), [Heard::Missed]));
        // Whoever is about to read everything anyway needs not be told.
        mailbox.connected();
        mailbox.missed();
        assert!(matches!(lying(&mailbox).as_slice(), [Heard::Connected]));
    }

    #[test]
    fn a_new_connection_makes_what_was_before_it_void() {
        let mailbox = Mailbox::default();
        mailbox.news(&done(1));
        mailbox.lost();
        mailbox.connected();
        mailbox.news(&done(2));
        assert!(
            matches!(lying(&mailbox).as_slice(), [Heard::Connected, Heard::News(event)] if *event == done(2))
        );
    }

    #[test]
    fn drafts_are_forgotten_alone() {
        let mailbox = Mailbox::default();
        mailbox.news(&writing("m1", 1));
        mailbox.news(&done(1));
        mailbox.forget_drafts();
        assert!(matches!(lying(&mailbox).as_slice(), [Heard::News(event)] if *event == done(1)));
    }
}
