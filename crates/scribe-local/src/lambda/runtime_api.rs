//! The Runtime API, as one process of a function sees it: `/2018-06-01/runtime/…`.
//!
//! Streamed responses are taken whole. Extensions, `SnapStart` and tenants are not offered.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};

use super::refusal::MAX_SYNCHRONOUS_BYTES;
use super::sandbox::{FunctionError, Outcome, Sandbox};
use super::wire::{ReadError, read_body};

const INVOCATION_ID: &str = "lambda-runtime-invocation-id";

/// The API of one sandbox.
pub(super) fn router(sandbox: Arc<Sandbox>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route(
            "/2018-06-01/runtime/invocation/{request_id}/response",
            post(respond),
        )
        .route("/2018-06-01/runtime/invocation/{request_id}/error", post(fail))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .with_state(sandbox)
}

async fn next(State(sandbox): State<Arc<Sandbox>>) -> Response {
    let delivery = sandbox.next().await;
    let headers = [
        ("lambda-runtime-aws-request-id", delivery.request.request_id),
        (INVOCATION_ID, delivery.invocation_id),
        ("lambda-runtime-deadline-ms", delivery.deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", delivery.function_arn),
        ("lambda-runtime-trace-id", delivery.request.trace),
        ("content-type", "application/json".to_owned()),
    ];
    (headers, delivery.request.payload).into_response()
}

async fn respond(
    State(sandbox): State<Arc<Sandbox>>,
    Path(request_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match read_body(body, MAX_SYNCHRONOUS_BYTES).await {
        Ok(response) => accept(&sandbox, &request_id, &headers, Ok(response)),
        Err(ReadError::TooLarge(bytes)) => {
            let message =
                format!("Response payload size exceeded maximum allowed payload size ({bytes} bytes).");
            let error = FunctionError::new("Function.ResponseSizeTooLarge", &message);
            let _ = accept(&sandbox, &request_id, &headers, Err(error));
            refuse(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                "Exceeded maximum allowed payload size",
            )
        }
        Err(ReadError::Broken(error)) => refuse(StatusCode::BAD_REQUEST, "TruncatedResponse", &error),
    }
}

async fn fail(
    State(sandbox): State<Arc<Sandbox>>,
    Path(request_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match read_body(body, MAX_SYNCHRONOUS_BYTES).await {
        Ok(error) => accept(&sandbox, &request_id, &headers, Err(FunctionError(error))),
        Err(error) => refuse(StatusCode::BAD_REQUEST, "TruncatedResponse", &error.to_string()),
    }
}

async fn init_error(State(sandbox): State<Arc<Sandbox>>, body: Body) -> Response {
    match read_body(body, MAX_SYNCHRONOUS_BYTES).await {
        Ok(error) => {
            sandbox.report_init_error(error);
            (
                StatusCode::ACCEPTED,
                axum::Json(serde_json::json!({"status": "OK"})),
            )
                .into_response()
        }
        Err(error) => refuse(StatusCode::BAD_REQUEST, "TruncatedResponse", &error.to_string()),
    }
}

fn accept(sandbox: &Sandbox, request_id: &str, headers: &HeaderMap, outcome: Outcome) -> Response {
    let invocation_id = headers.get(INVOCATION_ID).and_then(|value| value.to_str().ok());
    if sandbox.answer(request_id, invocation_id, outcome) {
        (
            StatusCode::ACCEPTED,
            axum::Json(serde_json::json!({"status": "OK"})),
        )
            .into_response()
    } else {
        refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
    }
}

fn refuse(status: StatusCode, error_type: &str, message: &str) -> Response {
    let body = serde_json::json!({"errorType": error_type, "errorMessage": message});
    (status, axum::Json(body)).into_response()
}
