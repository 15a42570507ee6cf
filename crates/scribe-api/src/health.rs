//! `GET /healthz`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

use crate::ApiState;
use crate::error::{ApiError, chain};

/// 200 while Redis and S3 answer, 503 otherwise.
pub(crate) async fn read(State(state): State<ApiState>) -> Result<Json<Value>, ApiError> {
    let checked = tokio::time::timeout(state.health_timeout, state.conversations.health()).await;
    let reason = match checked {
        Ok(Ok(())) => return Ok(Json(json!({ "status": "ok" }))),
        Ok(Err(error)) => chain(&error),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!("the health check failed: {reason}");
    Err(ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "unhealthy",
        "a service behind the scribe is out of reach",
    ))
}
