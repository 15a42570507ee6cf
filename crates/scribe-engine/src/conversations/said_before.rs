//! What S3 knows of turns that Redis may have forgotten: whether an id stood for other texts, and which turns of a
//! conversation its document has. It is asked only where Redis can't be sure.

use scribe_core::turn::TriggerState;
use scribe_core::{ConversationKey, MessageId, Record, Seq};

use super::{ConversationError, Conversations};
use crate::documents::Fetched;

impl Conversations {
    /// Whether a turn of this id was said with other texts: as Redis has it, or the transcript of what was written.
    ///
    /// One that stands under `waiting/` alone is not looked at: Redis has these texts under its id by now, so they are
    /// the ones that will be written.
    ///
    /// # Errors
    /// [`ConversationError`] if S3 can't be reached.
    pub async fn stood_for_other_texts(
        &self,
        key: &ConversationKey,
        message_id: &MessageId,
        user_message: &str,
        answer: &str,
    ) -> Result<bool, ConversationError> {
        let is_other = |user: &str, assistant: &str| user != user_message || assistant != answer;
        // Without Redis S3 may still know. What never became whole has no texts.
        if let Ok(Some(known)) = self.ledger.trigger(key, message_id).await
            && !known.text_lost
            && known.state != TriggerState::Incomplete
            && is_other(&known.user_message, &known.assistant_response)
        {
            return Ok(true);
        }
        let record = self.record_of(key).await?;
        let Some((_, seq)) = record
            .turns_of(&key.conversation)
            .find(|(id, _)| *id == message_id)
        else {
            return Ok(false);
        };
        // One that was replaced before it was written has no transcript under this sequence, and nothing to keep.
        let written = self.documents.transcribed_turn(key, seq, message_id).await?;
        Ok(written.is_some_and(|event| is_other(&event.user_message, &event.assistant_response)))
    }

    /// The turns of a conversation that its document has, with their sequences.
    ///
    /// # Errors
    /// [`ConversationError`] if S3 can't be reached.
    pub async fn turns_in_document(
        &self,
        key: &ConversationKey,
    ) -> Result<Vec<(MessageId, Seq)>, ConversationError> {
        let record = self.record_of(key).await?;
        let turns = record.turns_of(&key.conversation);
        Ok(turns.map(|(id, seq)| (id.clone(), seq)).collect())
    }

    /// The record of the conversation's document; an empty one where there is none.
    async fn record_of(&self, key: &ConversationKey) -> Result<Record, ConversationError> {
        let Some((conversation, _)) = self.documents.conversation(key).await? else {
            return Ok(Record::default());
        };
        let id = &conversation.text_asset_id;
        let fetched = self.documents.asset(&key.tenant, id, None).await?;
        let state = match fetched {
            Fetched::Found(stored) => match stored.asset.scribe {
                Some(state) => state,
                None => self.documents.recover_state(&key.tenant, id).await?,
            },
            Fetched::NotModified | Fetched::Absent => return Ok(Record::default()),
        };
        Ok(state.record)
    }
}
