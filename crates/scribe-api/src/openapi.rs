//! What the API is, as an OpenAPI 3.1 document: made from the handlers' annotations, served at `GET /openapi.json`,
//! and kept in the repository as `crates/scribe-api/openapi.json`, so that a change of the API is seen in review.
//!
//! A resource's file has `routes()`, each handler `#[utoipa::path(…)]`. What holds for every route stands here and
//! not beside each: who may call it, and the answers of the gate, of the body's reader and of a defect. A handler
//! names its success, and what else it answers by the types of [`answers`]. Core's types know nothing of all this;
//! how they look on the wire stands in [`schemas`].

pub(crate) mod answers;
pub(crate) mod schemas;

use axum::Extension;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Components, OpenApi, PathItem};
use utoipa::{IntoResponses, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiState;
use answers::{BadRequest, BodyTooLarge, Defect, Forbidden, NotJson, TooManyRequests, Unauthorized};

/// Tags: a conversation's scribe.
pub(crate) const SCRIBE: &str = "scribe";
/// Its turns.
pub(crate) const TURNS: &str = "turns";
/// Documents.
pub(crate) const MEDIA_ASSETS: &str = "media assets";
/// Chats that are passed on.
pub(crate) const CHAT: &str = "chat";
/// The service itself.
pub(crate) const SERVICE: &str = "service";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Background Scribe",
        description = "Conversations that become living documents. Every answer that is not a success is one \
                       envelope, `ErrorEnvelope`. What another tenant has is answered like what does not exist."
    ),
    components(schemas(crate::error::ErrorEnvelope)),
    tags(
        (name = SCRIBE, description = "A conversation's scribe: start, settings, how it stands."),
        (name = TURNS, description = "Turns of a conversation: record, list, replay, dismiss."),
        (name = MEDIA_ASSETS, description = "Documents."),
        (name = CHAT, description = "Chats that are passed on, and read along."),
        (name = SERVICE, description = "The service itself, open to everybody.")
    )
)]
struct Document;

/// The document without routes: what they are added to.
pub(crate) fn base() -> OpenApi {
    Document::openapi()
}

/// The whole document: the routes behind the gate, the open ones, and what holds for all of them.
pub(crate) fn whole(mut gated: OpenApi, mut open: OpenApi, has_authentication: bool) -> OpenApi {
    for operation in gated.paths.paths.values_mut().flat_map(operations) {
        add::<Unauthorized>(operation);
        add::<TooManyRequests>(operation);
    }
    for operation in open.paths.paths.values_mut().flat_map(operations) {
        operation.security = Some(vec![SecurityRequirement::default()]);
    }
    gated.merge(open);
    let mut document = gated;
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        add::<Forbidden>(operation);
        add::<Defect>(operation);
        if operation.parameters.is_some() || operation.request_body.is_some() {
            add::<BadRequest>(operation);
        }
        if operation.request_body.is_some() {
            add::<BodyTooLarge>(operation);
            add::<NotJson>(operation);
        }
    }
    let components = document.components.get_or_insert_with(Components::new);
    components.responses.extend(answers::all());
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "A JWT signed with HS256 that names user and tenant, or an API key.",
        ))
        .build();
    let key = ApiKeyValue::with_description("x-api-key", "An API key, which names user and tenant.");
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    components.add_security_scheme("apiKey", SecurityScheme::ApiKey(ApiKey::Header(key)));
    let mut security = vec![
        SecurityRequirement::new("bearer", [""; 0]),
        SecurityRequirement::new("apiKey", [""; 0]),
    ];
    if !has_authentication {
        security.push(SecurityRequirement::default());
    }
    document.security = Some(security);
    document
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let all = [
        &mut path.get,
        &mut path.put,
        &mut path.post,
        &mut path.delete,
        &mut path.options,
        &mut path.head,
        &mut path.patch,
        &mut path.trace,
    ];
    all.into_iter().filter_map(Option::as_mut)
}

/// An answer that the handler described itself stays as it is.
fn add<R: IntoResponses>(operation: &mut Operation) {
    for (status, answer) in R::responses() {
        operation.responses.responses.entry(status).or_insert(answer);
    }
}

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(read))
}

/// The document as text.
pub(crate) fn text(document: &OpenApi) -> String {
    // Strings, numbers and maps with strings for keys: nothing that JSON can't say.
    document.to_pretty_json().unwrap_or_default() + "\n"
}

/// The document as it is served.
#[derive(Debug, Clone)]
pub(crate) struct DocumentText(pub(crate) axum::body::Bytes);

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "readOpenApi", tag = SERVICE,
    responses((status = OK, description = "An OpenAPI 3.1 document.", body = serde_json::Value)),
)]
async fn read(Extension(DocumentText(text)): Extension<DocumentText>) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// With this variable set, the file is written instead of compared.
    const REFRESH: &str = "UPDATE_OPENAPI";

    #[test]
    fn the_document_in_the_repository_is_the_one_that_is_served() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
        let served = crate::openapi_json();
        if std::env::var_os(REFRESH).is_some() {
            std::fs::write(&file, &served).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        let differing = served
            .lines()
            .zip(kept.lines())
            .find(|(served, kept)| served != kept);
        assert!(
            served == kept,
            "the API is not what {} says (first at: {differing:?}); if the change is meant, write the file anew: \
             {REFRESH}=1 cargo test --workspace --lib openapi",
            file.display()
        );
    }
}
