#![doc = include_str!("../README.md")]

mod background_doc;
mod caller;
mod conversations;
mod error;
mod failed_turns;
mod health;
mod json;
mod media_assets;
mod settings;
mod turns;

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use scribe_core::turn::MAX_TURN_BYTES;
use scribe_engine::Conversations;
use scribe_trigger::Recorder;
use tower_http::catch_panic::CatchPanicLayer;

pub use error::{ApiError, ErrorBody, ErrorEnvelope};

/// The largest body that is read, in bytes: a turn of the largest size, with every byte escaped as `\u00xx`.
pub const MAX_BODY_BYTES: usize = MAX_TURN_BYTES * 6 + 4096;

/// What the routes need.
#[derive(Debug, Clone)]
pub struct ApiState {
    /// Documents, sessions and queues.
    pub conversations: Conversations,
    /// Records turns.
    pub recorder: Recorder,
    /// The longest that `/healthz` waits for Redis and S3.
    pub health_timeout: Duration,
}

/// All routes.
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/api/chat/background-doc/start", post(background_doc::start))
        .route("/api/chat/background-doc/toggle", post(background_doc::toggle))
        .route("/api/chat/background-doc/settings", post(settings::change))
        .route("/api/chat/background-doc/turns", post(turns::record))
        .route(
            "/api/chat/background-doc/{conversation_id}",
            get(conversations::read),
        )
        .route(
            "/api/chat/background-doc/{conversation_id}/turns",
            get(turns::list),
        )
        .route(
            "/api/chat/background-doc/{conversation_id}/turns/replay",
            post(failed_turns::replay_all),
        )
        .route(
            "/api/chat/background-doc/{conversation_id}/turns/{message_id}/replay",
            post(failed_turns::replay),
        )
        .route(
            "/api/chat/background-doc/{conversation_id}/turns/{message_id}/dismiss",
            post(failed_turns::dismiss),
        )
        .route("/api/media-assets/{id}", get(media_assets::read))
        .route("/healthz", get(health::read))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(CatchPanicLayer::custom(error::panicked))
        .with_state(state)
}
