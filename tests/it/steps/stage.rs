//! Where runs take place: one world, one conversation for each run, and at most one fault, which falls when its step is
//! reached.
//!
//! Whatever acts (a function's process, the API, the sweeper) acts through [`Stage::perform`]. While it acts, the stage
//! waits for three things at once: that it ends, that the fault's step is reached, and that time passes. So whoever is
//! killed is killed while one of its requests is held at the gate, at a known place.

mod driving;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use aws_sdk_s3::config::timeout::TimeoutConfig;
use scribe_core::{AssetId, ConversationKey};
use scribe_engine::documents::{Author, Fetched, StoredAsset};
use scribe_engine::{Documents, Engine};
use scribe_trigger::{Dispatcher, Ledger, TurnEvent};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::clock::Clock;
use super::fault::Fault;
use driving::Silence;

use crate::world::{Action, BUCKET, Held, Step, World, hold, id, key, s3_client, woven};
pub(super) use driving::Acted;

/// A step that a run comes to: the nth of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) step: Step,
    pub(super) nth: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.step, self.nth)
    }
}

/// How it stood when the fault fell.
pub(super) struct Fallen {
    /// The turns in the document, and those that the model was asked for.
    pub(super) woven: Vec<usize>,
    pub(super) asked: Vec<usize>,
}

pub(super) struct Stage {
    pub(super) world: World,
    /// The same stores, past the taps: for looking and for faults.
    pub(super) ledger: Ledger,
    pub(super) documents: Documents,
    clock: Clock,
    /// What processes ask with. Connections to S3 and Lambda outlive them, which changes nothing on the wire.
    tapped_documents: Documents,
    dispatcher: Dispatcher,
    redis: redis::aio::MultiplexedConnection,

    run: usize,
    pub(super) key: ConversationKey,
    pub(super) asset: AssetId,
    plan: Option<(String, Fault)>,
    places: Arc<Mutex<Vec<Place>>>,
    reached: UnboundedReceiver<(Held, Step)>,
    silence: Option<Silence>,
    pub(super) fallen: Option<Fallen>,
    /// The function's warm process.
    process: Option<Arc<Engine>>,
    /// The turns that were said, and whether they were acknowledged.
    pub(super) said: BTreeMap<usize, bool>,
    /// The turns that the model is to fail for good.
    pub(super) poisoned: BTreeSet<usize>,
    /// How often the model may be asked beyond once a turn.
    pub(super) allowance: usize,
    /// What a person typed.
    pub(super) typed: Vec<String>,
    /// Events that Lambda gave up, and all that it ever had.
    pub(super) given_up: Vec<TurnEvent>,
    pub(super) delivered: Vec<TurnEvent>,
    /// The turns that stand in Redis alone. If Redis loses them too, that is a second loss, outside the promise.
    pub(super) stands_once: BTreeSet<usize>,
    /// The turns that were said instead of others, by those others.
    pub(super) replaced: BTreeMap<usize, usize>,
    /// The turns that a person replayed.
    pub(super) replayed: BTreeSet<usize>,
    /// How many hours have passed for the sweeper.
    pub(super) hours: i64,
    /// Whether somebody who is alive holds the lease while another one acts.
    pub(super) held_by_another: bool,
    /// Whether Redis has forgotten what became of turns.
    pub(super) forgot: bool,
    scripts_lost: bool,
}

impl Stage {
    pub(super) async fn set() -> Self {
        let clock = Clock::pause();
        // What readers are told while the model writes is beside the protocol, and how often depends on how fast the
        // text comes: the steps would not be the same in two runs.
        let world = World::tapped(|config| config.live_every = std::time::Duration::ZERO).await;
        let direct = scribe_trigger::TriggerConfig::new(world.redis.url().into(), "summarizer".into());
        let ledger = Ledger::connect(&direct).unwrap();
        let documents = Documents::new(
            s3_client(&format!("http://{}", world.embedded.address())),
            BUCKET.into(),
        );
        // As they ship.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(std::time::Duration::from_secs(2))
            .operation_attempt_timeout(std::time::Duration::from_secs(5))
            .operation_timeout(std::time::Duration::from_secs(12))
            .build();
        let config = world.s3.config().to_builder().timeout_config(timeouts).build();
        let tapped_documents = Documents::new(aws_sdk_s3::Client::from_conf(config), BUCKET.into());
        let mut lambda = world.lambda_client();
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(world.config.trigger.invoke_timeout)
            .build();
        lambda =
            aws_sdk_lambda::Client::from_conf(lambda.config().to_builder().timeout_config(timeouts).build());
        let dispatcher = Dispatcher::new(lambda, &world.config.trigger);
        let redis = redis::Client::open(world.redis.url())
            .unwrap()
            .get_multiplexed_async_connection()
            .await
            .unwrap();
        Self {
            world,
            ledger,
            documents,
            clock,
            tapped_documents,
            dispatcher,
            redis,
            run: 0,
            key: key("c0"),
            asset: id("a0"),
            plan: None,
            places: Arc::default(),
            reached: unbounded_channel().1,
            silence: None,
            fallen: None,
            process: None,
            said: BTreeMap::new(),
            poisoned: BTreeSet::new(),
            allowance: 0,
            typed: Vec::new(),
            given_up: Vec::new(),
            delivered: Vec::new(),
            stands_once: BTreeSet::new(),
            replaced: BTreeMap::new(),
            replayed: BTreeSet::new(),
            hours: 0,
            held_by_another: false,
            forgot: false,
            scripts_lost: true,
        }
    }

    /// Makes everything as new, for the next run.
    pub(super) async fn clear(&mut self, plan: Option<(String, Fault)>) {
        self.open();
        // What the last run left parked would be looked at by the sweeper in every run from now on.
        for turn in self.documents.waiting_turns(&self.key).await.unwrap() {
            let (seq, id) = (turn.event.seq, turn.event.message_id);
            self.documents.remove_waiting(&self.key, seq, &id).await.unwrap();
        }
        self.run += 1;
        self.key = key(&format!("c{}", self.run));
        self.asset = id(&format!("a{}", self.run));
        self.plan = plan;
        self.process = None;
        self.world.lambda.lose_events();
        self.world.model.forget();
        let _: () = self.command(&["FLUSHALL"]).await;
        // The scripts are there, as they are when turns are processed all day long.
        if std::mem::take(&mut self.scripts_lost) {
            for text in crate::world::script_texts() {
                let _: String = self.command(&["SCRIPT", "LOAD", text]).await;
            }
        }
        self.places = Arc::default();
        self.silence = None;
        self.fallen = None;
        self.said.clear();
        self.poisoned.clear();
        self.allowance = 0;
        self.typed.clear();
        self.given_up.clear();
        self.delivered.clear();
        self.stands_once.clear();
        self.replaced.clear();
        self.replayed.clear();
        self.hours = 0;
        self.forgot = false;
        self.held_by_another = false;
    }

    /// From now on steps are counted, and the fault falls if its step is reached.
    pub(super) fn watch(&mut self) {
        let (sender, reached) = unbounded_channel();
        self.reached = reached;
        let places = Arc::clone(&self.places);
        let planned = self.plan.as_ref().map(|(place, _)| place.clone());
        let mut counts: HashMap<String, usize> = HashMap::new();
        self.world.gate.set(move |step| {
            let nth = counts.entry(step.to_string()).or_default();
            *nth += 1;
            let place = Place {
                step: step.clone(),
                nth: *nth,
            };
            let falls = planned
                .as_ref()
                .is_some_and(|planned| *planned == place.to_string());
            places.lock().unwrap().push(place);
            if !falls {
                return Action::Pass;
            }
            let (hold, held) = hold();
            // Where nobody watches any more the wire is cut.
            let _ = sender.send((held, step.clone()));
            Action::Hold(hold)
        });
    }

    /// The steps that the run came to since [`Stage::watch`]. None is counted from now on.
    pub(super) fn open(&mut self) -> Vec<Place> {
        self.world.gate.open();
        std::mem::take(&mut *self.places.lock().unwrap())
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        self.plan.as_ref().map(|(_, fault)| *fault)
    }

    /// The function's process; a new one where the last one was killed.
    pub(super) fn process(&mut self) -> Arc<Engine> {
        let process = self.process.take().unwrap_or_else(|| {
            let narrator = scribe_engine::Narrator::new(self.world.config.narrator.clone()).unwrap();
            Arc::new(Engine::new(
                self.world.ledger(),
                self.dispatcher.clone(),
                self.tapped_documents.clone(),
                narrator,
                self.world.config.clone(),
            ))
        });
        self.process = Some(Arc::clone(&process));
        process
    }

    /// Another process, which stays cold.
    pub(super) fn leave_process(&mut self) {
        self.process = None;
    }

    /// What asks S3 and Lambda, through the taps.
    pub(super) fn wires(&self) -> (Dispatcher, Documents) {
        (self.dispatcher.clone(), self.tapped_documents.clone())
    }

    pub(super) fn recorder(&self) -> scribe_trigger::Recorder {
        scribe_trigger::Recorder::new(
            self.world.ledger(),
            self.dispatcher.clone(),
            &self.world.config.trigger,
        )
    }

    pub(super) fn conversations(&self) -> scribe_engine::Conversations {
        scribe_engine::Conversations::new(
            self.world.ledger(),
            self.tapped_documents.clone(),
            self.dispatcher.clone(),
        )
    }

    /// The same past the taps.
    pub(super) fn onlooker(&self) -> scribe_engine::Conversations {
        scribe_engine::Conversations::new(
            self.ledger.clone(),
            self.documents.clone(),
            self.dispatcher.clone(),
        )
    }

    pub(super) fn key_of(&self, kind: &str) -> String {
        format!("scribe:{kind}:{{{}}}", self.key)
    }

    pub(super) async fn command<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(&mut self.redis).await.unwrap()
    }

    /// As after a failover or a restart: scripts are forgotten too.
    pub(super) async fn flush(&mut self) {
        let _: () = self.command(&["FLUSHALL"]).await;
        let _: () = self.command(&["SCRIPT", "FLUSH"]).await;
        self.scripts_lost = true;
        self.forgot = true;
    }

    /// The lease of a dead holder ends, a pause too.
    pub(super) async fn end_lease(&mut self) {
        let lease = self.key_of("lease");
        if self.held_by_another {
            return;
        }
        let _: u64 = self.command(&["DEL", &lease]).await;
    }

    /// Pauses end; the lease of a dead holder may outlive them.
    pub(super) async fn end_pause(&mut self) {
        let lease = self.key_of("lease");
        let holder: Option<String> = self.command(&["GET", &lease]).await;
        if holder.as_deref() == Some("pause") {
            let _: u64 = self.command(&["DEL", &lease]).await;
        }
    }

    /// The document as it stands; none while there is none.
    pub(super) async fn document(&self) -> Option<StoredAsset> {
        let fetched = self
            .documents
            .asset(&self.key.tenant, &self.asset, None)
            .await
            .unwrap();
        match fetched {
            Fetched::Found(stored) => Some(*stored),
            Fetched::NotModified | Fetched::Absent => None,
        }
    }

    /// The turns in the document.
    pub(super) async fn woven(&self) -> Vec<usize> {
        let document = self.document().await;
        document.map_or_else(Vec::new, |stored| woven(&stored.asset.content))
    }

    /// A person types a paragraph into the document and saves it, unseen by Redis.
    pub(super) async fn person_saves(&mut self) {
        let Some(StoredAsset { mut asset, etag, .. }) = self.document().await else {
            return;
        };
        let typed = format!("A person typed this, number {}.", self.typed.len() + 1);
        asset.content = format!("{}\n\n{typed}\n", asset.content.trim_end());
        let author = Author::Person(id("default-user"));
        self.documents
            .replace_asset(&self.key.tenant, &asset, &etag, &author)
            .await
            .unwrap();
        self.typed.push(typed);
    }
}
