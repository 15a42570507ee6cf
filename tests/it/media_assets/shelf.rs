//! Listed, created and downloaded.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{asset_path, call, check_error, check_ok, create, delete, get, post, put_object};
use crate::world::{World, id, key};

const ASSETS: &str = "/api/media-assets";

#[tokio::test]
async fn a_person_creates_a_document() {
    let world = World::new().await;
    let request = json!({ "id": "a1", "title": "The Amber Road", "content": "# Road\n\nSalt.\n",
        "categories": ["lore"], "status": "review" });
    let created = post(&world, ASSETS, &request).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    assert_eq!(created.headers["location"], "/api/media-assets/a1");
    let asset = &created.body["asset"];
    assert_eq!(asset["metadata"]["slug"], "the-amber-road");
    assert_eq!(asset["metadata"]["source"], "person");
    assert!(asset.get("_scribe").is_none());
    let read = get(&world, &asset_path("a1")).await;
    assert_eq!((read.etag(), &read.body["asset"]), (created.etag(), asset));

    // All of it is a person's: the scribe may add, and not replace.
    let stored = world
        .documents()
        .asset(&id("default"), &id("a1"), None)
        .await
        .unwrap();
    let scribe_engine::documents::Fetched::Found(stored) = stored else {
        panic!("{stored:?}")
    };
    let blocks = stored.asset.scribe.unwrap().blocks;
    assert_eq!(blocks.entries().len(), 2);
    assert!(
        blocks
            .entries()
            .iter()
            .all(|block| block.author == scribe_core::blocks::Author::Human)
    );

    let again = post(&world, ASSETS, &request).await;
    assert_eq!((again.status, again.etag()), (StatusCode::OK, created.etag()));
    for (field, other) in [
        ("title", json!("Another")),
        ("content", json!("Another")),
        ("status", json!("draft")),
        ("categories", json!([])),
    ] {
        let mut request = request.clone();
        request[field] = other;
        check_error(&post(&world, ASSETS, &request).await, 409, "id_taken");
    }
    check_ok(&delete(&world, &asset_path("a1")).await);
    check_error(&post(&world, ASSETS, &request).await, 409, "deleted");

    let bare = post(&world, ASSETS, &json!({ "title": "1 * 2" })).await;
    assert_eq!(bare.body["asset"]["content"], "# 1 \\* 2\n");
    assert_eq!(bare.body["asset"]["metadata"]["status"], "draft");
}

#[tokio::test]
async fn what_is_wrong_with_a_new_document_is_named() {
    let world = World::new().await;
    for (field, value) in [
        ("title", json!("")),
        ("title", json!("two\nlines")),
        ("id", json!("a/b")),
        ("id", json!("..")),
        ("status", json!("x".repeat(101))),
        ("status", json!(" ")),
        ("categories", json!(["ok", ""])),
        ("categories", json!(vec!["x"; 33])),
    ] {
        let mut request = json!({ "title": "T" });
        request[field] = value;
        let refused = post(&world, ASSETS, &request).await;
        check_error(&refused, 400, "invalid_field");
        assert_eq!(refused.body["error"]["field"], field, "{}", refused.body);
    }
    let long = json!({ "title": "T", "content": "x".repeat(1024 * 1024 + 1) });
    check_error(&post(&world, ASSETS, &long).await, 413, "document_too_large");
    check_error(
        &post(&world, ASSETS, &json!({ "content": "x" })).await,
        400,
        "invalid_body",
    );
    assert!(world.keys("tenants/").await.is_empty());
}

/// All pages of the listing with this limit.
async fn pages(world: &World, limit: usize) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut path = format!("{ASSETS}?limit={limit}");
    loop {
        let page = get(world, &path).await;
        check_ok(&page);
        pages.push(page.body["assets"].as_array().unwrap().clone());
        match page.body["next"].as_str() {
            Some(next) => path = format!("{ASSETS}?limit={limit}&cursor={next}"),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn every_document_is_on_one_page_whatever_the_limit() {
    let world = World::new().await;
    assert_eq!(pages(&world, 5).await, [Vec::<Value>::new()]);
    let mut expected = BTreeSet::new();
    for number in 0..7 {
        expected.insert(create(&world, &format!("Document {number}"), "x\n").await);
    }
    put_object(&world, "tenants/other/media-assets/theirs.json", "{}").await;
    put_object(&world, "tenants/default/media-assets-not/x.json", "{}").await;
    for limit in [1, 2, 3, 6, 7, 8, 100] {
        let pages = pages(&world, limit).await;
        assert_eq!(pages.len(), 7_usize.div_ceil(limit), "{limit}");
        let ids: Vec<String> = pages
            .concat()
            .iter()
            .map(|asset| asset["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), 7, "{limit}");
        assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), expected, "{limit}");
    }
    for wrong in [
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=",
        "limit=1&limit=2",
        "limit=-1",
    ] {
        let refused = get(&world, &format!("{ASSETS}?{wrong}")).await;
        check_error(&refused, 400, "invalid_field");
        assert_eq!(refused.body["error"]["field"], "limit", "{wrong}");
    }
    for wrong in ["", "zz", "00", "aabbccddeeff00"] {
        let refused = get(&world, &format!("{ASSETS}?cursor={wrong}")).await;
        check_error(&refused, 400, "invalid_field");
        assert_eq!(refused.body["error"]["field"], "cursor", "{wrong}");
    }
}

#[tokio::test]
async fn a_listing_shows_what_is_known_and_not_the_text() {
    let world = World::new().await;
    let session = world.start(&key("c1")).await.session;
    put_object(
        &world,
        "tenants/default/media-assets/broken.json",
        "{\"id\": \"secret",
    )
    .await;
    let listed = get(&world, ASSETS).await;
    check_ok(&listed);
    assert!(!listed.text.contains("secret") && !listed.text.contains("populate"));
    let assets = listed.body["assets"].as_array().unwrap();
    let known = |id: &str| assets.iter().find(|asset| asset["id"] == id).unwrap();
    assert_eq!(known("broken"), &json!({ "id": "broken", "error": "unreadable" }));
    let ours = known(session.text_asset_id.as_str());
    assert_eq!(
        (
            &ours["title"],
            &ours["slug"],
            &ours["status"],
            &ours["conversation_id"]
        ),
        (
            &json!("The Amber Road"),
            &json!("the-amber-road"),
            &json!("draft"),
            &json!("c1")
        )
    );
    let read = get(&world, &asset_path(session.text_asset_id.as_str())).await;
    assert_eq!(ours["etag"], read.etag());
    assert_eq!(
        ours["size"],
        read.body["asset"]["content"].as_str().unwrap().len()
    );

    world.tap.fail(Method::GET, "broken.json", 503);
    let failed = get(&world, ASSETS).await;
    check_error(&failed, 503, "unavailable");
}

#[tokio::test]
async fn the_newest_changed_comes_first() {
    let world = World::new().await;
    let documents = world.documents();
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(create(&world, &format!("Document {number}"), "x\n").await);
    }
    let listed = || async {
        let shelf = documents.shelf(&id("default")).await.unwrap();
        let mut shelf: Vec<_> = shelf
            .into_iter()
            .map(|asset| (asset.written, asset.id.to_string()))
            .collect();
        shelf.sort();
        shelf.into_iter().rev().map(|(_, id)| id).collect::<Vec<_>>()
    };
    let expected = listed().await;
    let shown = pages(&world, 2).await.concat();
    let shown: Vec<_> = shown.iter().map(|asset| asset["id"].as_str().unwrap()).collect();
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_document_is_downloaded_as_markdown() {
    let world = World::new().await;
    let text = "# Öl\n\nand <b>salt</b>\r\n";
    let id = create(&world, "Öl & Salz", text).await;
    let path = format!("{}/download", asset_path(&id));
    let file = get(&world, &path).await;
    check_ok(&file);
    assert_eq!(file.text, text);
    assert_eq!(file.headers["content-type"], "text/markdown; charset=utf-8");
    assert_eq!(file.headers["x-content-type-options"], "nosniff");
    assert_eq!(
        file.headers["content-disposition"],
        "attachment; filename=\"ol-salz.md\"; filename*=UTF-8''%C3%96l%20%26%20Salz.md"
    );
    let etag = file.etag();
    for held in [
        etag.clone(),
        format!("W/{etag}"),
        format!("\"x\", {etag}"),
        "*".to_owned(),
    ] {
        for path in [&path, &asset_path(&id)] {
            let same = call(&world, Method::GET, path, &[("if-none-match", &held)], None).await;
            assert_eq!(
                (same.status, same.etag()),
                (StatusCode::NOT_MODIFIED, etag.clone()),
                "{held}"
            );
            assert!(same.text.is_empty());
        }
    }
    check_ok(&call(&world, Method::GET, &path, &[("if-none-match", "\"x\"")], None).await);
    check_error(
        &get(&world, "/api/media-assets/none/download").await,
        404,
        "no_document",
    );
}
