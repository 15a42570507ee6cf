#![doc = include_str!("../README.md")]

mod background_doc;
mod caller;
mod chat;
mod conditions;
pub mod config;
mod conversations;
mod error;
mod events;
mod failed_turns;
mod gate;
mod health;
mod json;
mod media_assets;
mod openapi;
mod paging;
mod saves;
mod settings;
mod streams;
mod suggestions;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use scribe_core::turn::MAX_TURN_BYTES;
use scribe_engine::{Conversations, Upstream};
use scribe_trigger::Recorder;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

use config::ApiConfig;
use gate::Gate;

pub use chat::OpenChats;
pub use error::{ApiError, ErrorBody, ErrorEnvelope};
pub use events::{EventSettings, Events, Stop, Stopping, stopping};

/// The largest body of a turn, in bytes: a turn of the largest size, with every byte escaped as `\u00xx`.
const MAX_TURN_BODY_BYTES: usize = MAX_TURN_BYTES * 6 + 4096;

/// The largest body that is read where nothing else is configured, in bytes: as much as Lambda takes.
pub const MAX_BODY_BYTES: usize = 6 * 1024 * 1024;

/// What the routes need.
#[derive(Debug, Clone)]
pub struct ApiState {
    /// Documents, sessions and queues.
    pub conversations: Conversations,
    /// Records turns.
    pub recorder: Recorder,
    /// The chat that is stood in front of.
    pub chat: Upstream,
    /// The turns of chats that are open.
    pub open_chats: OpenChats,
    /// The longest that `/healthz` waits for Redis and S3.
    pub health_timeout: Duration,
    /// Streams of events.
    pub events: Events,
}

/// All routes behind the gate.
fn gated() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(openapi::base())
        .merge(background_doc::routes())
        .merge(settings::routes())
        .merge(turns::routes())
        .merge(failed_turns::routes())
        .merge(conversations::routes())
        .merge(events::routes())
        .merge(media_assets::routes())
        .merge(chat::routes())
        .merge(saves::routes())
        .merge(suggestions::routes())
}

/// What anybody may ask: nothing that is a tenant's.
fn open() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .merge(health::routes())
        .merge(openapi::routes())
}

/// What the API is, as `OpenAPI` 3.1: the text of `crates/scribe-api/openapi.json`, which is also what a service with
/// authentication serves.
#[must_use]
pub fn openapi_json() -> String {
    let (gated, open) = (gated().into_openapi(), open().into_openapi());
    openapi::text(&openapi::whole(gated, open, true))
}

/// The API. Whoever listens asks [`config::ApiConfig::check_address`] first.
pub fn router(state: ApiState, config: &ApiConfig) -> Router {
    router_beside(Router::new(), state, config)
}

/// The API, and beside it routes that anybody may ask, such as a page's files. Without authentication they too are
/// for this machine alone.
pub fn router_beside(others: Router, state: ApiState, config: &ApiConfig) -> Router {
    let gate = Arc::new(Gate::new(config));
    let (gated, described) = gated().split_for_parts();
    let (open, described_open) = open().split_for_parts();
    let document = openapi::whole(described, described_open, config.has_authentication());
    let document = openapi::DocumentText(openapi::text(&document).into());
    let router = gated
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(from_fn_with_state(Arc::clone(&gate), gate::pass))
        .merge(open.method_not_allowed_fallback(error::method_not_allowed))
        .merge(
            others
                .method_not_allowed_fallback(error::method_not_allowed)
                .with_state(()),
        )
        .layer(Extension(document))
        .layer(Extension(config.limits))
        // For whoever reads a body by other means than ours.
        .layer(DefaultBodyLimit::max(config.limits.body_bytes))
        .layer(from_fn_with_state(gate, gate::stay_local))
        .layer(CatchPanicLayer::custom(error::panicked))
        .with_state(state);
    match gate::cors::layer(&config.cors_origins) {
        Some(cors) => router.layer(cors),
        None => router,
    }
}
