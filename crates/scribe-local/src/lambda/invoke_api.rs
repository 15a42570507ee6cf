//! Lambda's invoke API: `POST /2015-03-31/functions/{name}/invocations`.
//!
//! Not offered: versions and aliases other than `$LATEST`, the tail of the log, client contexts, streamed
//! responses. Signatures are not checked, but must be there: no page in a browser can send them.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::asynchronous::Events;
use super::event_queue::{QueuedEvent, bytes};
use super::function::{RecursiveLoop, arn};
use super::lineage::{MOST_ROUNDS, Trace};
use super::pool::Pool;
use super::refusal::{MAX_EVENT_BYTES, MAX_SYNCHRONOUS_BYTES, Refusal};
use super::sandbox::{Outcome, Request};
use super::wire::{ReadError, read_body};

/// The API for these functions.
pub(super) fn router(events: Arc<Events>) -> Router {
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .with_state(events)
}

enum InvocationType {
    Event,
    RequestResponse,
    DryRun,
}

async fn invoke(
    State(events): State<Arc<Events>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let request_id = Uuid::new_v4().to_string();
    let answer = answer(&events, &name, query.as_deref(), &headers, body, &request_id).await;
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    if let Ok(request_id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-amzn-requestid", request_id);
    }
    response
}

async fn answer(
    events: &Arc<Events>,
    name: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Body,
    request_id: &str,
) -> Result<Response, Refusal> {
    let invocation_type = check_headers(headers);
    let (limit, label) = match invocation_type {
        Ok(InvocationType::Event) => (MAX_EVENT_BYTES, "Event"),
        _ => (MAX_SYNCHRONOUS_BYTES, "RequestResponse"),
    };
    // Whatever the answer will be, the body is read first: a client that is still sending would not see it.
    let body = read_body(body, limit).await.map_err(|error| match error {
        ReadError::TooLarge(bytes) => Refusal::TooLarge {
            bytes,
            invocation_type: label,
            limit,
        },
        ReadError::Broken(reason) => Refusal::NotJson(reason),
    })?;
    let invocation_type = invocation_type?;
    let function = find(events, name, query)?;
    let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
    let payload: Box<RawValue> =
        serde_json::from_slice(body).map_err(|error| Refusal::NotJson(error.to_string()))?;
    let now = Timestamp::now();
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let (trace, round) = Trace::read(header(headers, "x-amzn-trace-id"), seconds, Uuid::new_v4())
        .enter(&function.config.arn());
    match invocation_type {
        InvocationType::DryRun => Ok(StatusCode::NO_CONTENT.into_response()),
        InvocationType::Event => {
            let event = QueuedEvent {
                request_id: request_id.to_owned(),
                function: function.config.name.clone(),
                accepted_at: now,
                attempts: 0,
                trace: trace.header(),
            };
            // In a task of its own: a caller that hangs up now must not leave it half done.
            let (events, function) = (Arc::clone(events), Arc::clone(function));
            let accepting = events
                .tasks
                .clone()
                .spawn(async move { events.accept(&function, event, payload, round).await });
            let accepted = accepting.await.map_err(anyhow::Error::from).flatten();
            accepted.map_err(|error| Refusal::Service(format!("{error:#}")))?;
            Ok(StatusCode::ACCEPTED.into_response())
        }
        InvocationType::RequestResponse => {
            if round > MOST_ROUNDS && function.config.recursive_loop == RecursiveLoop::Terminate {
                return Err(Refusal::RecursiveLoop(function.config.arn()));
            }
            let permit = Arc::clone(&function.permits)
                .try_acquire_owned()
                .map_err(|_| Refusal::TooManyRequests)?;
            let request = Request {
                request_id: request_id.to_owned(),
                payload: bytes(&payload),
                trace: trace.header(),
            };
            // In a task of its own: a caller that hangs up doesn't stop the function.
            let function = Arc::clone(function);
            let running = events
                .tasks
                .spawn(async move { function.run(permit, request).await });
            let outcome = running
                .await
                .map_err(|error| Refusal::Service(error.to_string()))?;
            Ok(respond(outcome))
        }
    }
}

fn check_headers(headers: &HeaderMap) -> Result<InvocationType, Refusal> {
    if !headers.contains_key(http::header::AUTHORIZATION) {
        return Err(Refusal::NotSigned);
    }
    if headers.contains_key("x-amz-tenant-id") {
        return Err(Refusal::TenantId);
    }
    match header(headers, "x-amz-invocation-type") {
        Some("Event") => Ok(InvocationType::Event),
        Some("DryRun") => Ok(InvocationType::DryRun),
        Some("RequestResponse") | None => Ok(InvocationType::RequestResponse),
        Some(other) => Err(Refusal::InvocationType(other.to_owned())),
    }
}

/// A function by its name, its partial ARN or its whole ARN, each with or without `$LATEST`.
fn find<'a>(events: &'a Events, name: &str, query: Option<&str>) -> Result<&'a Arc<Pool>, Refusal> {
    let name = name.rsplit_once("function:").map_or(name, |(_, name)| name);
    let (name, qualifier) = name.split_once(':').unwrap_or((name, "$LATEST"));
    let parameters = query.unwrap_or_default().split('&');
    let asked = parameters
        .filter_map(|parameter| parameter.strip_prefix("Qualifier="))
        .next();
    let latest = |qualifier: &str| matches!(qualifier, "$LATEST" | "%24LATEST");
    if !latest(qualifier) || !asked.is_none_or(latest) {
        let qualifier = asked.unwrap_or(qualifier);
        return Err(Refusal::UnknownFunction(format!("{}:{qualifier}", arn(name))));
    }
    events
        .functions
        .get(name)
        .ok_or_else(|| Refusal::UnknownFunction(arn(name)))
}

fn respond(outcome: Outcome) -> Response {
    let version = [
        ("x-amz-executed-version", "$LATEST"),
        ("content-type", "application/json"),
    ];
    match outcome {
        Ok(payload) => (version, payload).into_response(),
        Err(error) => (version, [("x-amz-function-error", "Unhandled")], error.0).into_response(),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
