//! One person, two people, and a person against the scribe.

use http::{Method, StatusCode};
use scribe_core::blocks::Author;
use serde_json::json;

use super::{Person, started};
use crate::world::{Action, BUCKET, Moment, Reply, Wire, key, marker, run, said, woven};

const END: &str = "\n\nThe end is near, says the ferryman.\n";

#[tokio::test]
async fn a_save_is_the_persons_text_and_says_whose_it_is() {
    let (world, session) = started().await;
    let person = Person::new(&world, &session);
    let read = person.read().await;
    let text = format!("{}{END}", read.content());
    let body =
        json!({ "content": text, "title": "The Salt Road", "status": "published", "categories": ["trade"] });
    let saved = person.put(Some(&read.etag), &body).await;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.body);
    assert_eq!(saved.content(), text);
    assert_eq!(
        saved.body["merge"],
        json!({ "othersWrote": false, "others": [], "merged": [], "suggestions": [] })
    );
    assert!(saved.body["asset"].get("_scribe").is_none());

    let stored = world.document(&session).await;
    assert_eq!(
        (stored.etag.as_str(), stored.asset.title.as_str()),
        (saved.etag.as_str(), "The Salt Road")
    );
    assert_eq!(stored.asset.metadata.slug, "the-salt-road");
    assert_eq!(stored.asset.metadata.status, "published");
    assert_eq!(stored.asset.metadata.categories, ["trade"]);
    let blocks = stored.asset.scribe.unwrap().blocks;
    let last = blocks.entries().last().unwrap();
    assert_eq!(
        (last.author, last.person.as_deref()),
        (Author::Human, Some("default-user"))
    );
    let object = format!("tenants/default/media-assets/{}.json", session.text_asset_id);
    let head = world
        .s3
        .head_object()
        .bucket(BUCKET)
        .key(object)
        .send()
        .await
        .unwrap();
    assert_eq!(head.metadata.unwrap()["scribe-person"], "default-user");
    let told = world.conversations().view(&key("c1")).await.unwrap().unwrap();
    assert_eq!(
        (told.session.title.as_str(), told.session.slug.as_str()),
        ("The Salt Road", "the-salt-road")
    );

    // The scribe goes on from there, and Redis' copy of the older text costs it no conflict.
    world.tap.take_requests();
    world.say(&key("c1"), 2).await;
    world.pump(&world.engine()).await;
    let puts = world.tap.take_requests();
    let puts = puts
        .iter()
        .filter(|(method, path)| *method == Method::PUT && path.contains("media-assets"));
    assert_eq!(puts.count(), 1);
    let asset = world.document(&session).await.asset;
    assert!(asset.content.contains(END.trim()));
    assert_eq!(woven(&asset.content), [1, 2]);
}

#[tokio::test]
async fn a_save_on_an_older_version_is_merged_and_told() {
    let (world, session) = started().await;
    let (ada, bob) = (Person::new(&world, &session), Person::new(&world, &session));
    let read = ada.read().await;
    world.say(&key("c1"), 2).await;
    world.pump(&world.engine()).await;
    let hers = ada.save(&read.etag, &format!("{}{END}", read.content())).await;
    assert_eq!(hers.status, StatusCode::OK, "{}", hers.body);
    assert_eq!(woven(hers.content()), [1, 2]);
    assert!(hers.content().contains(END.trim()));
    assert_eq!(hers.body["merge"]["othersWrote"], true);
    assert_eq!(hers.body["merge"]["others"].as_array().unwrap().len(), 1);

    // Two people, the same words: the later ones stand.
    let near = hers.content().replace("near", "close");
    assert_eq!(ada.save(&hers.etag, &near).await.status, StatusCode::OK);
    let far = hers.content().replace("near", "far");
    let his = bob.save(&hers.etag, &far).await;
    assert_eq!(his.content(), far);
    let suggested = &his.body["merge"]["suggestions"][0];
    assert!(suggested["markdown"].as_str().unwrap().contains("close"));
    assert_eq!(suggested["person"], "default-user");
    assert_eq!(bob.suggestions().await.len(), 1);
}

#[tokio::test]
async fn a_person_saves_while_the_model_writes() {
    let (world, session) = started().await;
    let person = Person::new(&world, &session);
    let read = person.read().await;
    let blocks = world.document(&session).await.asset.scribe.unwrap().blocks;
    let block = blocks.entries().last().unwrap().clone();
    let edit = json!({ "edits": [{ "action": "replace", "block": block.id, "hash": block.hash,
        "markdown": said(1).replace("Milestone-0001", "Milestone-0001, told again at Milestone-0002") }], "reason": null });
    let put = world.tap.hold_before(Method::PUT, "media-assets");
    world.model.script([Reply::Say {
        text: edit.to_string(),
        finish_reason: "stop",
    }]);
    world.say(&key("c1"), 2).await;
    let event = world.lambda.take().unwrap();
    let engine = world.engine();
    let writing = tokio::spawn(async move { run(&engine, &event).await });
    // The scribe is about to write; the person is faster, in the same words.
    put.reached().await;
    let mine = read.content().replace(&marker(1), "Milestone-0001 (mine):");
    let saved = person.save(&read.etag, &mine).await;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.body);
    put.go();
    writing.await.unwrap().unwrap();
    let now = person.read().await;
    assert!(
        now.content().contains("Milestone-0001 (mine):"),
        "{}",
        now.content()
    );
    let suggestions = person.suggestions().await;
    assert!(
        suggestions
            .iter()
            .any(|suggestion| suggestion["markdown"].as_str().unwrap().contains("told again"))
            || now.content().contains("told again"),
        "{suggestions:?}"
    );
}

#[tokio::test]
async fn the_same_save_again_counts_once() {
    let (world, session) = started().await;
    let person = Person::new(&world, &session);
    let read = person.read().await;
    let text = format!("{}{END}", read.content());
    let saved = person.save(&read.etag, &text).await;
    // Somebody builds on it before the person, who got no answer, sends it again.
    let built = person
        .save(&saved.etag, &text.replace("the ferryman", "the ferryman's son"))
        .await;
    let again = person.save(&read.etag, &text).await;
    assert_eq!((again.status, again.content()), (StatusCode::OK, built.content()));
    assert_eq!(again.etag, built.etag, "nothing was written");
    assert_eq!(person.suggestions().await, Vec::<serde_json::Value>::new());

    // The store does it and the answer is lost: the client that ships asks again, and meets its own text.
    let mut cut = false;
    world.gate.set(move |step| {
        let is_put = step.wire == Wire::S3 && step.name == "PUT media-assets" && step.moment == Moment::After;
        if is_put && !std::mem::replace(&mut cut, true) {
            Action::Cut
        } else {
            Action::Pass
        }
    });
    let longer = format!("{}\nAnd then it ends.\n", built.content());
    let lost = person.save(&built.etag, &longer).await;
    assert_eq!(
        (lost.status, lost.content()),
        (StatusCode::OK, longer.as_str()),
        "{}",
        lost.body
    );
    assert_eq!(person.suggestions().await, Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn a_save_says_what_it_is_based_on() {
    let (world, session) = started().await;
    let person = Person::new(&world, &session);
    let body = json!({ "content": "x" });
    let missing = person.put(None, &body).await;
    assert_eq!((missing.status.as_u16(), missing.code()), (428, "base_missing"));
    let any = person.put(Some("*"), &body).await;
    assert_eq!((any.status.as_u16(), any.code()), (428, "base_missing"));
    for wrong in ["abc", "\"a\", \"b\""] {
        let answer = person.put(Some(wrong), &body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (400, "invalid_field"),
            "{wrong}"
        );
        assert_eq!(answer.body["error"]["field"], "if-match");
    }
    let unknown = person.put(Some("\"0123\""), &body).await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (412, "base_unknown"));
    let read = person.read().await;
    let weak = person.put(Some(&format!("W/{}", read.etag)), &body).await;
    assert_eq!(weak.status, StatusCode::OK, "{}", weak.body);
    let absent = Person {
        path: "/api/media-assets/none".into(),
        ..person.clone()
    };
    assert_eq!(absent.put(Some(&read.etag), &body).await.code(), "no_document");
    for (field, body) in [
        ("title", json!({ "title": " " })),
        ("status", json!({ "status": "a\nb" })),
        ("categories", json!({ "categories": [""] })),
        ("content", json!({ "content": "x".repeat(1024 * 1024 + 1) })),
    ] {
        let answer = person.put(Some(&read.etag), &body).await;
        assert!(answer.status.is_client_error());
        assert_eq!(answer.body["error"]["field"], field, "{}", answer.body);
    }
}

#[tokio::test]
async fn a_save_that_names_nothing_is_not_said_to_be_saved() {
    let (world, session) = started().await;
    let person = Person::new(&world, &session);
    let read = person.read().await;
    let whole = json!({ "asset": { "content": "The words of a person." } });
    for body in [
        json!({}),
        json!({ "text": "x" }),
        json!({ "content": null }),
        whole,
    ] {
        let answer = person.put(Some(&read.etag), &body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (400, "nothing_to_save"),
            "{body}"
        );
    }
    assert_eq!(person.read().await.etag, read.etag);
}

#[tokio::test]
async fn a_suggestion_is_accepted_or_dismissed() {
    let (world, session) = started().await;
    let person = Person::new(&world, &session);
    let read = person.read().await;
    let mine = read.content().replace(&marker(1), "Milestone-0001 (mine):");
    let saved = person.save(&read.etag, &mine).await;
    let blocks = world.document(&session).await.asset.scribe.unwrap().blocks;
    let block = blocks.entries().last().unwrap().clone();
    let suggest = |n: usize| {
        let text = format!(
            "Milestone-0001 (mine), corrected at {} by a courier under Marrow Hill.",
            marker(n)
        );
        let edit = json!({ "edits": [{ "action": "replace", "block": block.id, "hash": block.hash, "markdown": text }],
            "reason": null });
        Reply::Say {
            text: edit.to_string(),
            finish_reason: "stop",
        }
    };
    world.model.script([suggest(2), suggest(3)]);
    for n in [2, 3] {
        world.say(&key("c1"), n).await;
        world.pump(&world.engine()).await;
    }
    assert_eq!(person.read().await.content(), saved.content(), "a person's block");
    let suggestions = person.suggestions().await;
    assert_eq!(suggestions.len(), 2, "{suggestions:?}");
    let ids: Vec<&str> = suggestions
        .iter()
        .map(|suggestion| suggestion["id"].as_str().unwrap())
        .collect();
    assert_eq!(suggestions[0]["turn"], "c1/m2");
    assert_eq!(suggestions[0]["stale"], false);
    assert!(mine.contains(suggestions[0]["current"]["markdown"].as_str().unwrap()));

    let accepted = person.decide(ids[0], "accept", &json!({})).await;
    assert_eq!(accepted.status, StatusCode::OK, "{}", accepted.body);
    assert!(accepted.content().contains("corrected at Milestone-0002"));
    let again = person.decide(ids[0], "accept", &json!({})).await;
    assert_eq!((again.status.as_u16(), again.code()), (404, "no_suggestion"));

    // The other one was made for the block as it was.
    let stale = person.decide(ids[1], "accept", &json!({})).await;
    assert_eq!((stale.status.as_u16(), stale.code()), (409, "block_changed"));
    let left = person.suggestions().await;
    assert_eq!(left[0]["stale"], true);
    let dismissed = person.decide(ids[1], "dismiss", &json!({})).await;
    assert_eq!(
        (dismissed.status, dismissed.content()),
        (StatusCode::OK, accepted.content())
    );
    assert_eq!(person.suggestions().await, Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn a_save_that_is_sent_again_is_no_other_to_itself() {
    let (world, session) = started().await;
    let person = Person::new(&world, &session);
    let read = person.read().await;
    let text = format!("{}{END}", read.content());
    let body = json!({ "content": text, "title": "The Salt Road" });
    let mut etags = Vec::new();
    for _ in 0..2 {
        let saved = person.put(Some(&read.etag), &body).await;
        assert_eq!(
            saved.body["merge"]["othersWrote"], false,
            "{}",
            saved.body["merge"]
        );
        etags.push(saved.etag);
    }
    for _ in 0..2 {
        let saved = person
            .put(Some(&etags[1]), &json!({ "status": "published" }))
            .await;
        assert_eq!(
            saved.body["merge"]["othersWrote"], false,
            "{}",
            saved.body["merge"]
        );
        etags.push(saved.etag);
    }
    assert!(
        etags[0] == etags[1] && etags[1] != etags[2] && etags[2] == etags[3],
        "{etags:?}"
    );
    // The scribe is another one.
    world.say(&key("c1"), 2).await;
    world.pump(&world.engine()).await;
    let saved = person
        .put(Some(&etags[1]), &json!({ "status": "published" }))
        .await;
    assert_eq!(
        saved.body["merge"]["othersWrote"], true,
        "{}",
        saved.body["merge"]
    );
    assert_eq!(woven(saved.content()), [1, 2]);
}

#[tokio::test]
async fn a_save_that_is_not_to_be_merged_is_refused_where_others_wrote() {
    let (world, session) = started().await;
    let person = Person::new(&world, &session);
    let alone = async |etag: &str, text: &str| {
        let body = json!({ "content": text, "merge": false });
        person.put(Some(etag), &body).await
    };
    let read = person.read().await;
    let renamed = person
        .put(Some(&read.etag), &json!({ "title": "The Salt Road" }))
        .await;
    assert_eq!(renamed.status, StatusCode::OK);
    let mine = format!("{}{END}", read.content());
    let first = alone(&read.etag, &mine).await;
    assert_eq!(
        (first.status, first.content()),
        (StatusCode::OK, mine.as_str()),
        "a title is no text: {}",
        first.body
    );

    let theirs = format!("The beginning.\n\n{mine}");
    let written = person.save(&first.etag, &theirs).await;
    let longer = format!("{mine}\nOr so he says.\n");
    let refused = alone(&first.etag, &longer).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (412, "others_wrote"),
        "{}",
        refused.body
    );
    let there = person.read().await;
    assert_eq!(
        (there.content(), &there.etag),
        (theirs.as_str(), &written.etag),
        "nothing was saved"
    );
    let again = alone(&read.etag, &mine).await;
    assert_eq!(
        (again.status, again.content()),
        (StatusCode::OK, theirs.as_str()),
        "what was saved before was saved: {}",
        again.body
    );
    let same = alone(&first.etag, &theirs).await;
    assert_eq!(same.status, StatusCode::OK, "both wrote the same: {}", same.body);

    // Somebody is faster by a moment.
    let latest = format!("{theirs}\nBy the sea.\n");
    let late = format!("{theirs}\nBy the river.\n");
    let put = world.tap.hold_before(Method::PUT, "media-assets");
    let (slow, etag) = (person.clone(), same.etag.clone());
    let slow = tokio::spawn(async move {
        let body = json!({ "content": late, "merge": false });
        slow.put(Some(&etag), &body).await
    });
    put.reached().await;
    assert_eq!(person.save(&same.etag, &latest).await.status, StatusCode::OK);
    put.go();
    let refused = slow.await.unwrap();
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (412, "others_wrote"),
        "{}",
        refused.body
    );
    assert_eq!(person.read().await.content(), latest);
}
