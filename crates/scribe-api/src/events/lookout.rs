//! How documents are seen while Redis is away: S3 is asked for their ETag now and then. All readers of a document in a
//! process share the answer, so what it costs depends on documents and time, not on readers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use scribe_core::{AssetId, TenantId};
use scribe_engine::Conversations;
use scribe_engine::conversations::ConversationError;
use tokio::time::Instant;

/// The documents that are looked out for.
#[derive(Debug, Default)]
pub(super) struct Lookouts(Mutex<HashMap<(TenantId, AssetId), Weak<Lookout>>>);

/// One of them.
#[derive(Debug, Default)]
pub(super) struct Lookout(tokio::sync::Mutex<Option<Seen>>);

#[derive(Debug)]
struct Seen {
    at: Instant,
    /// None where S3 could not be asked.
    etag: Option<Option<String>>,
}

impl Lookouts {
    /// The lookout for a document. It is kept while somebody has it.
    pub(super) fn of(&self, tenant: &TenantId, id: &AssetId) -> Arc<Lookout> {
        let mut lookouts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (tenant.clone(), id.clone());
        if let Some(lookout) = lookouts.get(&name).and_then(Weak::upgrade) {
            return lookout;
        }
        lookouts.retain(|_, lookout| lookout.strong_count() > 0);
        let lookout = Arc::new(Lookout::default());
        lookouts.insert(name, Arc::downgrade(&lookout));
        lookout
    }
}

impl Lookout {
    /// The document's ETag as it was at most so long ago, none inside where there is no document; none where S3 can't be
    /// asked.
    pub(super) async fn etag(
        &self,
        conversations: &Conversations,
        (tenant, id): (&TenantId, &AssetId),
        at_most: Duration,
    ) -> Option<Option<String>> {
        let mut seen = self.0.lock().await;
        if let Some(seen) = seen.as_ref().filter(|seen| seen.at.elapsed() < at_most) {
            return seen.etag.clone();
        }
        let etag = match conversations.document_etag(tenant, id).await {
            Ok(etag) => Some(etag),
            Err(ConversationError::Documents(error)) => {
                tracing::info!(asset.id = %id, "readers of document {id} see nothing new: {error}");
                None
            }
            Err(_) => None,
        };
        *seen = Some(Seen {
            at: Instant::now(),
            etag: etag.clone(),
        });
        etag
    }
}
