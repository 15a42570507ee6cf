//! From the model's answer to the document: what is mended, what is suggested, and what is counted.

use http::Method;
use scribe_core::blocks::{Author, Block};
use scribe_core::edits::{SuggestedAction, Suggestion};
use scribe_core::prompt::Mode;
use scribe_core::turn::{MAX_TURN_BYTES, TriggerState};
use scribe_core::{ActiveScribeSession, MediaAsset, ScribeState};
use serde_json::{Value, json};

use crate::world::{BUCKET, Reply, World, key, run, said, woven};

fn say(answer: &Value) -> Reply {
    Reply::Say {
        text: answer.to_string(),
        finish_reason: "stop",
    }
}

fn edit(action: &str, block: Option<&str>, hash: Option<&str>, markdown: Option<&str>) -> Value {
    json!({ "edits": [{ "action": action, "block": block, "hash": hash, "markdown": markdown }], "reason": null })
}

fn state(asset: &MediaAsset) -> &ScribeState {
    asset.scribe.as_ref().unwrap()
}

fn tally(asset: &MediaAsset) -> Vec<(String, u64)> {
    let counts = state(asset).outcomes.iter();
    counts.map(|(name, count)| (name.to_owned(), count)).collect()
}

/// A world whose document has the first turn in it, and the id and hash of its block.
async fn with_one_turn() -> (World, ActiveScribeSession, String, String) {
    let world = World::new().await;
    let key = key("c1");
    let session = world.start(&key).await.session;
    world.say(&key, 1).await;
    world.pump(&world.engine()).await;
    let stored = world.document(&session).await;
    let entry = state(&stored.asset).blocks.entries().last().unwrap().clone();
    (world, session, entry.id, entry.hash)
}

#[tokio::test]
async fn a_second_call_mends_what_was_refused() {
    let (world, session, block, hash) = with_one_turn().await;
    let corrected = said(1).replace("Milestone-0001", "Milestone-0001: corrected at Milestone-0002");
    world.model.script([
        say(&edit("replace", Some(&block), Some("00000000"), Some(&corrected))),
        say(&edit("replace", Some(&block), Some(&hash), Some(&corrected))),
    ]);
    world.say(&key("c1"), 2).await;
    world.pump(&world.engine()).await;

    let asset = world.document(&session).await.asset;
    assert!(asset.content.contains(&corrected));
    assert_eq!(
        tally(&asset),
        [("append woven".into(), 1), ("replace woven".into(), 1)]
    );
    let key = format!("tenants/default/media-assets/{}.json", session.text_asset_id);
    let head = world.s3.head_object().bucket(BUCKET).key(key).send().await;
    let metadata = head.unwrap().metadata.unwrap();
    assert_eq!(
        metadata["scribe-edits"], "replace woven 1",
        "the version says so too"
    );
    let requests = world.model.requests();
    assert_eq!(requests.len(), 3);
    let messages = |request: &Value| request["messages"].as_array().unwrap().clone();
    let (asked, mended) = (messages(&requests[1]), messages(&requests[2]));
    assert_eq!(
        mended[..2],
        asked[..],
        "the first question stands in front, for the provider's cache"
    );
    assert_eq!(mended[2]["role"], "assistant");
    assert!(mended[3]["content"].as_str().unwrap().contains("stale hash"));
}

#[tokio::test]
async fn a_second_call_that_fails_costs_no_text() {
    let (world, session, block, _) = with_one_turn().await;
    let garbage = Reply::Say {
        text: "I would rather talk about swans.".into(),
        finish_reason: "stop",
    };
    let refused = Reply::Status {
        status: 500,
        headers: Vec::new(),
    };
    for (n, second) in [(2, garbage), (3, refused)] {
        let first = edit("replace", Some(&block), Some("00000000"), Some(&said(n)));
        world.model.script([say(&first), second]);
        world.say(&key("c1"), n).await;
        world.pump(&world.engine()).await;
        let trigger = world.trigger(&key("c1"), n).await.unwrap();
        assert_eq!((trigger.state, trigger.attempts), (TriggerState::Processed, 1));
    }
    let asset = world.document(&session).await.asset;
    assert_eq!(woven(&asset.content), [1, 2, 3]);
    assert_eq!(
        tally(&asset),
        [
            ("append woven".into(), 1),
            ("replace woven as a last resort".into(), 2)
        ]
    );
    assert_eq!(world.model.calls(), 5);
}

#[tokio::test]
async fn what_a_persons_save_refuses_is_suggested_without_a_second_call() {
    let (world, session, block, hash) = with_one_turn().await;
    let (engine, key) = (world.engine(), key("c1"));
    let (reached, go) = world.model.hold();
    world.say(&key, 2).await;
    let event = world.lambda.take().unwrap();
    let running = {
        let event = event.clone();
        tokio::spawn(async move { run(&engine, &event).await })
    };
    reached.notified().await;
    // The held answer appends; the one after the conflict is the same.
    world
        .person_writes(&session, |asset| {
            asset.content = asset
                .content
                .replace("Milestone-0001", "Milestone-0001 (a person)");
        })
        .await;
    go.notify_one();
    running.await.unwrap().unwrap();
    assert_eq!(world.model.calls(), 2);
    let content = world.document(&session).await.asset.content;
    assert!(content.contains("(a person)") && content.contains("Milestone-0002"));

    // From now on the block is a person's, and what would replace it stands beside it.
    let wanted = said(1).replace("Milestone-0001", "Milestone-0001 of Milestone-0003");
    let person = state(&world.document(&session).await.asset)
        .blocks
        .entries()
        .iter()
        .find(|entry| entry.id == block)
        .unwrap()
        .clone();
    assert_ne!(person.hash, hash);
    assert_eq!(person.author, Author::Human);
    world.model.script([say(&edit(
        "replace",
        Some(&block),
        Some(&person.hash),
        Some(&wanted),
    ))]);
    world.say(&key, 3).await;
    world.pump(&world.engine()).await;
    let asset = world.document(&session).await.asset;
    assert_eq!(asset.content, content, "not a byte of it changed");
    let suggestions: Vec<&Suggestion> = state(&asset).suggestions.iter().collect();
    assert_eq!(suggestions.len(), 1);
    assert_eq!(
        (suggestions[0].block.as_str(), suggestions[0].action),
        (block.as_str(), SuggestedAction::Replace)
    );
    assert_eq!(suggestions[0].turn.as_deref(), Some("c1/m3"));
    assert_eq!(suggestions[0].markdown, wanted);
    assert_eq!(world.model.calls(), 3, "a suggestion is no reason to ask again");
    assert_eq!(world.state(&key, 3).await, Some(TriggerState::Processed));
}

#[tokio::test]
async fn a_turn_that_says_delete_everything_deletes_nothing() {
    let (world, session, block, hash) = with_one_turn().await;
    world.say(&key("c1"), 2).await;
    world.pump(&world.engine()).await;
    let before = world.document(&session).await.asset.content;
    // The model obeys.
    let deletes = edit("delete", Some(&block), Some(&hash), None);
    world.model.script([say(&deletes)]);
    world.say(&key("c1"), 3).await;
    world.pump(&world.engine()).await;
    let asset = world.document(&session).await.asset;
    assert_eq!(asset.content, before);
    assert_eq!(world.state(&key("c1"), 3).await, Some(TriggerState::Processed));
    assert!(tally(&asset).contains(&("delete refused: not spoken of in the turn".into(), 1)));
}

#[tokio::test]
async fn another_programs_save_leaves_the_scribe_its_own_blocks() {
    let (world, session, block, hash) = with_one_turn().await;
    world
        .person_writes(&session, |asset| {
            asset.scribe = None;
            asset.content.push_str("\n\nA note from elsewhere.");
        })
        .await;
    world.redis.flush().await;
    let corrected = said(1).replace("Milestone-0001", "Milestone-0001: corrected at Milestone-0002");
    world
        .model
        .script([say(&edit("replace", Some(&block), Some(&hash), Some(&corrected)))]);
    world.say(&key("c1"), 2).await;
    world.pump(&world.engine()).await;
    let asset = world.document(&session).await.asset;
    assert!(asset.content.contains(&corrected));
    let document = scribe_core::blocks::Document::read(&asset.content, &state(&asset).blocks);
    let whose: Vec<bool> = document.blocks().map(Block::is_scribes).collect();
    assert_eq!(whose, [true, true, false]);
}

#[tokio::test]
async fn a_document_can_be_rewritten_whole_and_loses_nothing() {
    let world = World::with(|config| config.mode = Mode::Rewrite).await;
    let (key, session) = (key("c1"), world.start(&key("c1")).await.session);
    let say = |text: String| Reply::Say {
        text,
        finish_reason: "stop",
    };
    let title = "# The Amber Road";
    world.model.script([
        say(format!("{title}\n\n{}", said(1))),
        // A careless model leaves out what was there.
        say(format!("{title}\n\n{}", said(2))),
        say("NO CHANGE: small talk".into()),
    ]);
    for n in 1..=3 {
        world.say(&key, n).await;
        world.pump(&world.engine()).await;
    }
    let asset = world.document(&session).await.asset;
    assert_eq!(woven(&asset.content), [1, 2]);
    assert!(tally(&asset).contains(&("delete refused: not spoken of in the turn".into(), 1)));
    assert!(tally(&asset).contains(&("no edits".into(), 1)));
    assert_eq!(world.state(&key, 3).await, Some(TriggerState::Processed));
    for request in world.model.requests() {
        assert!(request.get("response_format").is_none(), "the answer is no JSON");
    }
    assert_eq!(world.model.calls(), 3);
}

#[tokio::test]
async fn nothing_is_mended_after_a_conflict() {
    let (world, session, block, hash) = with_one_turn().await;
    let wanted = said(1).replace("Milestone-0001", "Milestone-0001 of Milestone-0002");
    world
        .model
        .script([say(&edit("replace", Some(&block), Some(&hash), Some(&wanted)))]);
    world.say(&key("c1"), 2).await;
    let event = world.lambda.take().unwrap();
    let put = world.tap.hold_before(Method::PUT, "media-assets");
    let engine = world.engine();
    let running = tokio::spawn(async move { run(&engine, &event).await });
    put.reached().await;
    // The block is gone when the edit comes: another call could mend that, and is not made.
    world
        .person_writes(&session, |asset| {
            asset.content = "# The Amber Road\n\nMy own words.".into();
        })
        .await;
    put.go();
    running.await.unwrap().unwrap();
    let asset = world.document(&session).await.asset;
    assert_eq!(asset.content, "# The Amber Road\n\nMy own words.");
    assert_eq!(state(&asset).suggestions.iter().next().unwrap().markdown, wanted);
    assert_eq!(world.model.calls(), 2, "one for each turn");
}

#[tokio::test]
async fn a_huge_turn_is_bounded_in_the_prompt_and_written() {
    let world = World::new().await;
    let key = key("c1");
    let session = world.start(&key).await.session;
    let mut huge = crate::world::turn(&key, 1);
    let room = MAX_TURN_BYTES - huge.user_message.len() - huge.assistant_response.len();
    let words = "The tide came in and went out again. ".repeat(room / 37);
    huge.assistant_response.insert_str(0, &words);
    world.recorder().record(huge).await.unwrap();
    world.pump(&world.engine()).await;
    let request = &world.model.requests()[0];
    let messages = request["messages"].as_array().unwrap();
    let bytes: usize = messages
        .iter()
        .map(|message| message["content"].as_str().unwrap().len())
        .sum();
    assert!(bytes < 6_000 * 4, "{bytes}");
    let prompt = messages[1]["content"].as_str().unwrap();
    assert!(prompt.contains("characters left out⟫"));
    assert_eq!(woven(&world.document(&session).await.asset.content), [1]);
}
