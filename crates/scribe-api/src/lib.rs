#![doc = include_str!("../README.md")]

mod background_doc;
mod caller;
mod conversations;
mod error;
mod failed_turns;
mod health;
mod json;
mod media_assets;
mod openapi;
mod saves;
mod settings;
mod suggestions;
mod turns;

use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::{Extension, Router};
use scribe_core::turn::MAX_TURN_BYTES;
use scribe_engine::Conversations;
use scribe_trigger::Recorder;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

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

/// All routes, and their description.
fn described() -> (Router<ApiState>, OpenApi) {
    let (router, mut document) = OpenApiRouter::with_openapi(openapi::base())
        .merge(background_doc::routes())
        .merge(settings::routes())
        .merge(turns::routes())
        .merge(failed_turns::routes())
        .merge(conversations::routes())
        .merge(media_assets::routes())
        .merge(saves::routes())
        .merge(suggestions::routes())
        .merge(health::routes())
        .merge(openapi::routes())
        .split_for_parts();
    openapi::finish(&mut document);
    (router, document)
}

/// What the API is, as OpenAPI 3.1: the text of `crates/scribe-api/openapi.json`.
#[must_use]
pub fn openapi_json() -> String {
    openapi::text(&described().1)
}

/// The API.
pub fn router(state: ApiState) -> Router {
    let (router, document) = described();
    let text = openapi::DocumentText(openapi::text(&document).into());
    router
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(Extension(text))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(CatchPanicLayer::custom(error::panicked))
        .with_state(state)
}
