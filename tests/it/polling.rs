//! Polling with `If-None-Match`: what a caller holds is not sent again, until something that it shows has changed.

use axum::body::{Body, to_bytes};
use http::{HeaderMap, Request, StatusCode};
use scribe_core::ActiveScribeSession;
use scribe_trigger::ledger::ClaimRequest;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::api;
use crate::world::{Reply, World, id, key, said};

const STATE: &str = "/api/chat/background-doc/c1";
const TURNS: &str = "/api/chat/background-doc/c1/turns";

async fn get(world: &World, path: &str, held: Option<&str>) -> (StatusCode, HeaderMap, Value) {
    let mut request = Request::get(path);
    if let Some(held) = held {
        request = request.header("if-none-match", held);
    }
    let response = world
        .api()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    assert!(
        bytes.is_empty() == (parts.status == StatusCode::NOT_MODIFIED),
        "{parts:?}"
    );
    (
        parts.status,
        parts.headers,
        serde_json::from_slice(&bytes).unwrap_or_default(),
    )
}

fn tag(headers: &HeaderMap) -> String {
    headers["etag"].to_str().unwrap().to_owned()
}

/// An answer that a caller holds.
struct Held {
    path: String,
    tag: String,
    body: Value,
}

impl Held {
    async fn of(world: &World, path: &str) -> Self {
        let (status, headers, body) = get(world, path, None).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        Self {
            path: path.to_owned(),
            tag: tag(&headers),
            body,
        }
    }

    /// It is not sent again.
    async fn stays(&self, world: &World, why: &str) {
        let lists = [self.tag.clone(), format!("\"x\", {}", self.tag), "*".to_owned()];
        for held in lists {
            let (status, headers, _) = get(world, &self.path, Some(&held)).await;
            assert_eq!(
                (status, tag(&headers)),
                (StatusCode::NOT_MODIFIED, self.tag.clone()),
                "{why}: {held}"
            );
        }
    }

    /// It is sent, is another one, and is then held.
    async fn changes(&mut self, world: &World, why: &str) -> &Value {
        let (status, headers, body) = get(world, &self.path, Some(&self.tag)).await;
        assert_eq!(status, StatusCode::OK, "{why}: nothing was told of it");
        let now = tag(&headers);
        assert_ne!(now, self.tag, "{why}");
        assert_ne!(body, self.body, "{why}");
        (self.tag, self.body) = (now, body);
        self.stays(world, why).await;
        &self.body
    }
}

async fn post(world: &World, what: &str, body: Value) {
    let answer = api::post(world, &format!("/api/chat/background-doc/{what}"), &body).await;
    assert!(answer.status.is_success(), "{what}: {}", answer.body);
}

/// Somebody takes the oldest turn.
async fn claim(world: &World, n: usize) {
    let own = world.trigger(&key("c1"), n).await.unwrap();
    let request = ClaimRequest {
        own: &own,
        token: "t",
        held_etag: None,
    };
    world.ledger().claim(&key("c1"), &request).await.unwrap();
}

#[tokio::test]
async fn the_turns_are_sent_when_one_of_them_stands_otherwise() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    let mut held = Held::of(&world, TURNS).await;
    held.stays(&world, "nothing happened").await;

    world.say(&key, 1).await;
    assert_eq!(
        held.changes(&world, "recorded").await["turns"][0]["state"],
        "pending"
    );
    post(
        &world,
        "toggle",
        json!({ "conversationId": "c1", "scribeEnabled": false }),
    )
    .await;
    assert_eq!(held.changes(&world, "off").await["turns"][0]["state"], "paused");
    post(
        &world,
        "toggle",
        json!({ "conversationId": "c1", "scribeEnabled": true }),
    )
    .await;
    assert_eq!(held.changes(&world, "on").await["turns"][0]["state"], "pending");
    world.pump(&engine).await;
    let turn = &held.changes(&world, "woven").await["turns"][0];
    assert_eq!(turn["state"], "processed");
    assert_eq!(turn["usage"]["calls"], 1);

    world.say(&key, 2).await;
    held.changes(&world, "another").await;
    claim(&world, 2).await;
    let turn = &held.changes(&world, "claimed").await["turns"][1];
    assert_eq!(
        (&turn["state"], &turn["attempts"]),
        (&json!("processing"), &json!(1))
    );
    let claimed = world.trigger(&key, 2).await.unwrap();
    world.ledger().park(&key, &claimed, "t", "why").await.unwrap();
    let turn = &held.changes(&world, "parked").await["turns"][1];
    assert_eq!(
        (&turn["state"], &turn["reason"]),
        (&json!("failed"), &json!("why"))
    );

    let note = |reason: &'static str| {
        let ledger = world.ledger();
        let key = key.clone();
        async move {
            let at = "2026-11-22T15:40:00.000Z";
            ledger.note_incomplete(&key, &id("m3"), at, reason).await.unwrap();
        }
    };
    note("the client left").await;
    let turn = &held.changes(&world, "incomplete").await["turns"][2];
    assert_eq!(
        (&turn["state"], &turn["reason"]),
        (&json!("incomplete"), &json!("the client left"))
    );
    note("it was filtered").await;
    assert_eq!(
        held.changes(&world, "again").await["turns"][2]["reason"],
        "it was filtered"
    );

    world
        .conversations()
        .dismiss(&key, &id("m2"), &id("default-user"))
        .await
        .unwrap();
    assert_eq!(
        held.changes(&world, "dismissed").await["turns"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    world.say_instead(&key, 4, 1).await;
    assert_eq!(
        held.changes(&world, "replaced").await["turns"][0]["replacedBy"],
        "m4"
    );
}

#[tokio::test]
async fn the_state_is_sent_when_something_in_it_changes_and_not_as_time_passes() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    world.start(&key).await;
    let mut held = Held::of(&world, STATE).await;
    held.stays(&world, "nothing happened").await;

    world.say(&key, 1).await;
    let first = held.changes(&world, "recorded").await["status"]["waitingForMs"].clone();
    let mut now = first.clone();
    while now == first {
        now = get(&world, STATE, None).await.2["status"]["waitingForMs"].clone();
    }
    held.stays(&world, "it only waits for longer").await;
    world.pump(&engine).await;
    let now = held.changes(&world, "woven").await;
    assert_eq!(
        (&now["status"]["waiting"], &now["status"]["messageCount"]),
        (&json!(0), &json!(1))
    );
    assert!(
        now["session"]["currentContent"]
            .as_str()
            .unwrap()
            .contains(&said(1))
    );

    world.say(&key, 2).await;
    held.changes(&world, "another").await;
    claim(&world, 2).await;
    assert_eq!(
        held.changes(&world, "claimed").await["status"]["writing"]["messageId"],
        "m2"
    );
    let claimed = world.trigger(&key, 2).await.unwrap();
    world.ledger().park(&key, &claimed, "t", "why").await.unwrap();
    assert_eq!(
        held.changes(&world, "parked").await["status"]["writing"],
        Value::Null
    );

    post(
        &world,
        "toggle",
        json!({ "conversationId": "c1", "scribeEnabled": false }),
    )
    .await;
    assert_eq!(
        held.changes(&world, "off").await["status"]["scribeEnabled"],
        false
    );
    post(
        &world,
        "toggle",
        json!({ "conversationId": "c1", "scribeEnabled": true }),
    )
    .await;
    held.changes(&world, "on").await;

    save(&world, &json!({ "content": "# Salt\n\nA person's own words.\n" })).await;
    // Redis has the old text no more, and nobody has read the new one yet.
    let session = &held.changes(&world, "a person's words").await["session"];
    assert_eq!(session.get("currentContent"), None);
    save(&world, &json!({ "title": "Salt" })).await;
    assert_eq!(
        held.changes(&world, "another title").await["session"]["title"],
        "Salt"
    );
}

/// Whoever polls the document sees by its ETag what stands beside its text, too.
#[tokio::test]
async fn the_document_is_sent_when_its_style_or_its_suggestions_change() {
    let world = World::new().await;
    let (key, engine) = (key("c1"), world.engine());
    let session = world.start(&key).await.session;
    let path = format!("/api/media-assets/{}", session.text_asset_id);
    let mut held = Held::of(&world, &path).await;
    held.stays(&world, "nothing happened").await;
    post(
        &world,
        "settings",
        json!({ "conversationId": "c1", "style": "literary" }),
    )
    .await;
    assert_eq!(
        held.changes(&world, "style").await["asset"]["metadata"]["style"],
        "literary"
    );

    world.say(&key, 1).await;
    world.pump(&engine).await;
    held.changes(&world, "woven").await;
    save(
        &world,
        &json!({ "content": format!("# Salt\n\n{} Or so I was told.\n", said(1)) }),
    )
    .await;
    held.changes(&world, "a person's words").await;
    suggest(&world, &session).await;
    world.say(&key, 2).await;
    world.pump(&engine).await;
    assert_eq!(suggestions(&world, &path).await.len(), 1);
    let (status, headers, _) = get(&world, &path, Some(&held.tag)).await;
    assert_eq!(status, StatusCode::OK, "a suggestion");
    let tag = tag(&headers);
    let dismiss = format!(
        "{path}/suggestions/{}/dismiss",
        suggestions(&world, &path).await[0]
    );
    let answer = api::post(&world, &dismiss, &json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(
        get(&world, &path, Some(&tag)).await.0,
        StatusCode::OK,
        "it was dismissed"
    );
}

/// The model wants other words for what a person wrote.
async fn suggest(world: &World, session: &ActiveScribeSession) {
    let asset = world.document(session).await.asset;
    let block = asset.scribe.unwrap().blocks.entries().last().unwrap().clone();
    let edit = json!({ "action": "replace", "block": block.id, "hash": block.hash, "markdown": said(2) });
    world.model.script([Reply::Say {
        text: json!({ "edits": [edit], "reason": null }).to_string(),
        finish_reason: "stop",
    }]);
}

async fn suggestions(world: &World, path: &str) -> Vec<String> {
    let listed = api::get(world, &format!("{path}/suggestions")).await.body;
    let all = listed["suggestions"].as_array().unwrap();
    all.iter()
        .map(|suggestion| suggestion["id"].as_str().unwrap().to_owned())
        .collect()
}

/// A person saves what there is now.
async fn save(world: &World, body: &Value) {
    let view = world.conversations().view(&key("c1")).await.unwrap().unwrap();
    let path = format!("/api/media-assets/{}", view.session.text_asset_id);
    let tag = Held::of(world, &path).await.tag;
    let request = Request::put(&path)
        .header("if-match", tag)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()));
    let response = world.api().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}
