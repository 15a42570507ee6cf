//! People's saves through the API, merged with what others write, and suggestions.

mod many;
mod people;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Method, Request, StatusCode};
use scribe_core::ActiveScribeSession;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::world::{World, key};

/// A person's program.
#[derive(Clone)]
struct Person {
    api: Router,
    path: String,
}

/// What it is answered.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    etag: String,
    body: Value,
}

impl Answer {
    fn content(&self) -> &str {
        self.body["asset"]["content"].as_str().unwrap()
    }

    fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap()
    }
}

impl Person {
    fn new(world: &World, session: &ActiveScribeSession) -> Self {
        Self {
            api: world.api(),
            path: format!("/api/media-assets/{}", session.text_asset_id),
        }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.api.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let etag = parts
            .headers
            .get("etag")
            .map(|etag| etag.to_str().unwrap().to_owned());
        Answer {
            status: parts.status,
            etag: etag.unwrap_or_default(),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    async fn read(&self) -> Answer {
        let request = Request::get(&self.path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    async fn save(&self, base: &str, content: &str) -> Answer {
        self.put(Some(base), &json!({ "content": content })).await
    }

    async fn put(&self, base: Option<&str>, body: &Value) -> Answer {
        let mut request = Request::builder()
            .method(Method::PUT)
            .uri(&self.path)
            .header("content-type", "application/json");
        if let Some(base) = base {
            request = request.header("if-match", base);
        }
        self.send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    async fn suggestions(&self) -> Vec<Value> {
        let request = Request::get(format!("{}/suggestions", self.path)).body(Body::empty());
        let answer = self.send(request.unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.body["suggestions"].as_array().unwrap().clone()
    }

    async fn decide(&self, id: &str, what: &str, body: &Value) -> Answer {
        let request = Request::post(format!("{}/suggestions/{id}/{what}", self.path))
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()));
        self.send(request.unwrap()).await
    }
}

/// A document with the first turn in it.
async fn started() -> (World, ActiveScribeSession) {
    let world = World::new().await;
    let session = world.start(&key("c1")).await.session;
    world.say(&key("c1"), 1).await;
    world.pump(&world.engine()).await;
    (world, session)
}
