//! Documents, as a client of the API sees them: listed, created, deleted, restored, compared, continued.

mod continuing;
mod crashes;
mod deleting;
mod shelf;
mod versions;

use axum::body::{Body, to_bytes};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world::{BUCKET, World};

pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
    text: String,
}

impl Answer {
    fn etag(&self) -> String {
        self.headers["etag"].to_str().unwrap().to_owned()
    }
}

async fn call(
    world: &World,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = match body {
        Some(body) => request
            .header("content-type", "application/json")
            .body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    };
    let response = world.api().oneshot(request.unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
        text,
    }
}

async fn get(world: &World, path: &str) -> Answer {
    call(world, Method::GET, path, &[], None).await
}

async fn post(world: &World, path: &str, body: &Value) -> Answer {
    call(world, Method::POST, path, &[], Some(body)).await
}

async fn delete(world: &World, path: &str) -> Answer {
    call(world, Method::DELETE, path, &[], None).await
}

/// An error answer in the one envelope.
#[track_caller]
fn check_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    assert_eq!(answer.body["error"]["code"], code, "{}", answer.body);
}

#[track_caller]
fn check_ok(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

fn asset_path(id: &str) -> String {
    format!("/api/media-assets/{id}")
}

/// Creates a document for a person; its id.
async fn create(world: &World, title: &str, content: &str) -> String {
    let created = post(
        world,
        "/api/media-assets",
        &json!({ "title": title, "content": content }),
    )
    .await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    created.body["asset"]["id"].as_str().unwrap().to_owned()
}

/// The versions of a document, the newest first.
async fn versions(world: &World, id: &str) -> Vec<Value> {
    let listed = get(world, &format!("{}/versions?limit=100", asset_path(id))).await;
    check_ok(&listed);
    listed.body["versions"].as_array().unwrap().clone()
}

/// Writes an object behind the product's back.
async fn put_object(world: &World, key: &str, body: &str) {
    let body = aws_sdk_s3::primitives::ByteStream::from(body.as_bytes().to_vec());
    world
        .s3
        .put_object()
        .bucket(BUCKET)
        .key(key)
        .body(body)
        .send()
        .await
        .unwrap();
}

/// How many versions and delete markers the bucket has below a prefix.
async fn remains(world: &World, prefix: &str) -> Vec<String> {
    let listed = world
        .s3
        .list_object_versions()
        .bucket(BUCKET)
        .prefix(prefix)
        .send()
        .await
        .unwrap();
    let versions = listed.versions().iter().filter_map(|version| version.key());
    let markers = listed.delete_markers().iter().filter_map(|marker| marker.key());
    versions.chain(markers).map(str::to_owned).collect()
}
