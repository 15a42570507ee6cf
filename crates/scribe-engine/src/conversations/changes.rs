//! Documents changed on a person's behalf, in one place: read, change, write on condition that nobody else wrote, and
//! from the beginning if somebody did. Whatever holds the document as it was is told afterwards.

use std::time::Duration;

use scribe_core::{AssetId, ConversationKey, MediaAsset, ScribeState, TenantId, UserId};

use scribe_trigger::LiveEvent;

use super::{ConversationError, Conversations};
use crate::documents::{Author, Fetched, StoredAsset, Written};

/// How often a change is tried while others write: somebody gets through each time, so twenty people at once do.
const TRIES: u32 = 40;

/// The pause after the first conflict, which grows with each: whoever waits longest gets through.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

/// A change that is being tried.
pub(super) enum Change<T> {
    /// The document is to be written.
    Write(T),
    /// The document is to stay as it is.
    Leave(T),
}

/// A document after a change.
#[derive(Debug)]
pub(super) struct Changed<T> {
    pub(super) asset: MediaAsset,
    pub(super) etag: String,
    pub(super) what: T,
}

impl Conversations {
    /// Changes a document as a person who asked for it, whatever others write meanwhile; none where it is gone. A change
    /// that says no leaves it as it is.
    pub(super) async fn change_document(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        user: &UserId,
        change: impl Fn(&mut MediaAsset, &mut ScribeState) -> bool,
    ) -> Result<Option<MediaAsset>, ConversationError> {
        let change = |asset: &mut MediaAsset, state: &mut ScribeState, _: &str| {
            Ok::<_, ConversationError>(if change(asset, state) {
                Change::Write(())
            } else {
                Change::Leave(())
            })
        };
        let changed = self.try_to_change(tenant, id, user, None, change).await?;
        Ok(changed.map(|changed| changed.asset))
    }

    /// The same for a change that can fail and that says what it did. It is given the ETag of what it changes. `first` is
    /// the document where the caller has just read it.
    pub(super) async fn try_to_change<T, E: From<ConversationError>>(
        &self,
        tenant: &TenantId,
        id: &AssetId,
        user: &UserId,
        mut first: Option<StoredAsset>,
        change: impl Fn(&mut MediaAsset, &mut ScribeState, &str) -> Result<Change<T>, E>,
    ) -> Result<Option<Changed<T>>, E> {
        for number in 1..=TRIES {
            let stored = match first.take() {
                Some(stored) => stored,
                None => match self
                    .documents
                    .asset(tenant, id, None)
                    .await
                    .map_err(ConversationError::from)?
                {
                    Fetched::Found(stored) => *stored,
                    Fetched::NotModified | Fetched::Absent => return Ok(None),
                },
            };
            let mut asset = stored.asset;
            let mut state = match asset.scribe.take() {
                Some(state) => state,
                None => {
                    let recovered = self.documents.recover_state(tenant, id).await;
                    recovered.map_err(ConversationError::from)?
                }
            };
            let change = change(&mut asset, &mut state, &stored.etag)?;
            asset.scribe = Some(state);
            let what = match change {
                Change::Write(what) => what,
                Change::Leave(what) => {
                    return Ok(Some(Changed {
                        asset,
                        etag: stored.etag,
                        what,
                    }));
                }
            };
            let author = Author::Person(user.clone());
            let replaced = self
                .documents
                .replace_asset(tenant, &asset, &stored.etag, &author);
            let (written, _) = replaced.await.map_err(ConversationError::from)?;
            match written {
                Written::Done { etag } => {
                    self.document_changed(tenant, &asset, &etag, user).await;
                    return Ok(Some(Changed { asset, etag, what }));
                }
                Written::Gone => return Ok(None),
                Written::Conflict => tokio::time::sleep(FIRST_PAUSE * (number - 1)).await,
            }
        }
        Err(ConversationError::Contended.into())
    }

    /// Drops what Redis holds of a document that was just written: the older text would cost the next turn of each of
    /// its conversations a conflict. If Redis can't be reached, it does. And tells the readers of each.
    pub(super) async fn document_changed(
        &self,
        tenant: &TenantId,
        asset: &MediaAsset,
        etag: &str,
        user: &UserId,
    ) {
        let event = &LiveEvent::saved(etag, user);
        let drops = asset.conversations().into_iter().map(|conversation| {
            let key = ConversationKey::new(tenant.clone(), conversation);
            async move {
                if let Err(error) = self.ledger.drop_asset(&key).await {
                    tracing::warn!(conversation.id = %key, "the cached document of {key} was not dropped: {error}");
                } else if let Err(error) = self.ledger.publish(&key, event).await {
                    tracing::info!(conversation.id = %key, "readers of {key} were not told of a save: {error}");
                }
            }
        });
        futures_util::future::join_all(drops).await;
    }
}
