//! What happens after a fault, as in production: Lambda goes on, time passes, the sweeper looks; and in the end Lambda
//! delivers everything once more, which must change nothing.

use scribe_engine::documents::StoredAsset;

use super::stage::Stage;
use crate::world::woven;

/// How many hours it may take until nothing is owed.
const ROUNDS: usize = 8;

impl Stage {
    /// Waits until nothing is owed any more. No fault falls here.
    pub(super) async fn recover(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS {
            self.deliver_all().await;
            self.take_given_up().await;
            // Leases of the dead have ended by now.
            self.end_lease().await;
            self.sweep().await;
            if self.is_drained().await {
                return Ok(());
            }
        }
        Err("it never drains".into())
    }

    /// Lambda delivers every event once more, late and to a cold process. It changes nothing. Answers with the document.
    pub(super) async fn deliver_everything_again(&mut self) -> Result<StoredAsset, String> {
        let before = self.document().await.ok_or("there is no document")?;
        let calls = self.world.model.calls();
        self.leave_process();
        for event in std::mem::take(&mut self.delivered) {
            self.deliver(event).await;
        }
        if !self.is_drained().await {
            self.recover().await?;
        }
        let after = self.document().await.ok_or("the document is gone")?;
        if (before.etag, calls) == (after.etag.clone(), self.world.model.calls()) {
            Ok(after)
        } else {
            let (before, after) = (woven(&before.asset.content), woven(&after.asset.content));
            Err(format!(
                "it held {before:?}, and when every event was delivered once more {after:?}; the model was asked {} times more",
                self.world.model.calls() - calls
            ))
        }
    }

    /// Whether nothing waits but what nobody was promised: Redis may keep a turn whose recording broke off.
    async fn is_drained(&mut self) -> bool {
        let queue = self.key_of("queue");
        let queued: Vec<String> = self.command(&["ZRANGE", &queue, "0", "-1"]).await;
        let waiting = self.documents.waiting_turns(&self.key).await.unwrap();
        let owed = |id: &String| {
            self.said
                .iter()
                .any(|(n, acknowledged)| *acknowledged && format!("m{n}") == *id)
        };
        !queued.iter().any(owed)
            && self.world.lambda.waiting() == 0
            && self.given_up.is_empty()
            && waiting.iter().all(|turn| turn.reason.is_some())
    }
}
