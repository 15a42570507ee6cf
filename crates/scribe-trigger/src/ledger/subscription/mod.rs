//! Subscriptions: what a conversation's readers are told, as it comes.
//!
//! One connection for all readers of a process (`hub.rs`), and for each reader a mailbox of bounded size. A channel
//! keeps nothing, so a subscription never promises that nothing was missed; it says *when* something may have been
//! ([`Heard::Connected`], [`Heard::Missed`]), and then the reader reads what the channel is about. The order is what
//! makes that right: the subscription stands before it says so, so what the reader does not read then, it is told.
//!
//! What can go wrong: Redis goes away ([`Heard::Lost`], and `Connected` once it is back); a reader is slower than what
//! comes. Then snapshots of text give way to newer ones, and if that does not help everything does, and it is told to
//! read again.

mod hub;
mod mailbox;

use std::sync::Arc;

use scribe_core::ConversationKey;

use super::{Keys, Ledger};
use crate::live::LiveEvent;
pub(super) use hub::Hub;
use mailbox::Mailbox;

/// What a subscription hears.
#[derive(Debug, Clone)]
pub enum Heard {
    /// From now on everything is heard. What was before is to be read.
    Connected,
    /// Somebody told the readers something.
    News(Arc<LiveEvent>),
    /// Something was missed, or could not be understood. What the channel is about is to be read again.
    Missed,
    /// Redis can't be reached. [`Heard::Connected`] follows when it can.
    Lost,
}

/// What one reader of a conversation hears. Dropping it ends it.
#[derive(Debug)]
pub struct Subscription {
    hub: Arc<Hub>,
    channel: String,
    number: u64,
    mailbox: Arc<Mailbox>,
}

impl Subscription {
    /// Waits for what comes next. The first is [`Heard::Connected`] or [`Heard::Lost`].
    pub async fn next(&mut self) -> Heard {
        self.mailbox.next().await
    }

    /// Forgets the text that was heard and not read yet: it may be older than what was read since.
    pub fn forget_drafts(&mut self) {
        self.mailbox.forget_drafts();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.leave(&self.channel, self.number);
    }
}

impl Ledger {
    /// Listens to what the readers of a conversation are told.
    ///
    /// All subscriptions of a ledger and its clones share one connection, which begins with the first and ends with
    /// the last.
    #[must_use]
    pub fn subscribe(&self, key: &ConversationKey) -> Subscription {
        let channel = Keys::of(key).events;
        let mailbox = Arc::new(Mailbox::default());
        let number = Hub::join(&self.hub, &channel, Arc::clone(&mailbox));
        Subscription {
            hub: Arc::clone(&self.hub),
            channel,
            number,
            mailbox,
        }
    }
}
