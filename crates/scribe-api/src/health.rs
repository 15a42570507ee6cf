//! `GET /healthz`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiState;
use crate::error::{ApiError, chain};
use crate::openapi::SERVICE;
use crate::openapi::answers::Unavailable;

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(read))
}

#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`
    status: &'static str,
}

/// Whether Redis and S3 answer.
#[utoipa::path(
    get, path = "/healthz", operation_id = "readHealth", tag = SERVICE,
    responses((status = OK, description = "They do.", body = Health), Unavailable),
)]
async fn read(State(state): State<ApiState>) -> Result<Json<Health>, ApiError> {
    let checked = tokio::time::timeout(state.health_timeout, state.conversations.health()).await;
    let reason = match checked {
        Ok(Ok(())) => return Ok(Json(Health { status: "ok" })),
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
