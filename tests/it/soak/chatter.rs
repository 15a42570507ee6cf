//! Somebody who chats: asks over HTTP, leaves half-way, asks again, has an answer made anew.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use scribe_core::chat::{ChatRequest, other_answer_id, turn_id};
use scribe_core::{ConversationKey, MessageId};
use serde_json::{Value, json};

use super::plan::{Again, Asking, Named, Route};
use super::run::{Fate, REPEATS, Said, message, number};
use super::stage::Stage;
use super::upstream::{End, Form, Script};
use crate::world::said;

/// How long somebody waits for an answer. A process that stands still takes less.
const PATIENCE: Duration = Duration::from_secs(15);

/// A client's end of a conversation.
pub(super) struct Chatter {
    key: ConversationKey,
    client: reqwest::Client,
    /// What was said, as pairs.
    history: Vec<(String, String)>,
    /// Bytes that did not come as the chat sent them.
    pub(super) changed: Vec<String>,
}

/// What became of a request.
struct Heard {
    /// Whether the answer came to its end.
    whole: bool,
    /// What a command did.
    command: Option<String>,
}

const NOTHING: Heard = Heard {
    whole: false,
    command: None,
};

impl Chatter {
    pub(super) fn new(key: ConversationKey) -> Self {
        Self {
            key,
            client: crate::world::http_client(),
            history: Vec::new(),
            changed: Vec::new(),
        }
    }

    /// Asks what the plan says, and gives the turns that it became.
    pub(super) async fn chat(
        &mut self,
        stage: &Stage,
        talk: usize,
        first: usize,
        asking: &Asking,
        on: bool,
    ) -> Vec<Said> {
        let mut turns = Vec::new();
        let number_of = |nth: usize| number(talk, first + nth);
        let question = question(number_of(0));
        let asked_first = Instant::now();
        for &hitch in &asking.hitches {
            let script = asking.script(number_of(0), hitch);
            self.ask(stage, asking, number_of(0), &question, &script).await;
        }
        let id = self.id(asking, number_of(0), &question);
        if asking.gives_up {
            turns.push(Said::chatted(number_of(0), id, asked_first, Fate::Half, on));
            return turns;
        }
        let began = Instant::now();
        let heard = self
            .insist(stage, asking, number_of(0), &question, number_of(0))
            .await;
        turns.push(Said::chatted(
            number_of(0),
            id.clone(),
            began,
            Fate::chatted(heard),
            on,
        ));
        let mut last = (question.clone(), said(number_of(0)));
        for again in &asking.again {
            let began = Instant::now();
            let (question, turn) = match again {
                Again::Same => {
                    let (asked, answered) = last.clone();
                    let script = Script {
                        form: asking.form,
                        text: answered,
                        end: End::Whole,
                    };
                    self.ask(stage, asking, number_of(0), &asked, &script).await;
                    continue;
                }
                Again::Otherwise => (question.clone(), number_of(turns.len())),
                Again::Edited => {
                    let turn = number_of(turns.len());
                    (format!("{question} And what at milestone {turn}?"), turn)
                }
            };
            let heard = self.insist(stage, asking, number_of(0), &question, turn).await;
            let base = self.id(asking, number_of(0), &question);
            let mut new = Said::chatted(turn, base.clone(), began, Fate::chatted(heard), on);
            if asking.named == Named::Not {
                if *again == Again::Otherwise {
                    new.beside(other_answer_id(&base, &question, &said(turn)), base);
                }
            } else {
                new.beside(other_answer_id(&base, &question, &said(turn)), base);
                new.replaces = turns.last().map(|turn| turn.number);
            }
            if let (Some(name), Some(first)) = (&new.name, turns.first_mut()) {
                first.name = Some(name.clone());
            }
            turns.push(new);
            last = (question, said(turn));
        }
        self.history.push(last);
        turns
    }

    /// Says what is a command, until it is told that it was carried out.
    pub(super) async fn wish(&mut self, stage: &Stage, on: bool) {
        let (wish, done) = if on {
            ("Please start the scribe.", "started")
        } else {
            ("Please stop the scribe.", "stopped")
        };
        let script = Script {
            form: Form::Events,
            text: "As you wish.".into(),
            end: End::Whole,
        };
        let asking = Asking::plain();
        for _ in 0..REPEATS {
            // The number names nothing: a command alone is no turn.
            let heard = self.ask(stage, &asking, usize::MAX, wish, &script).await;
            if heard.command.as_deref() == Some(done) {
                self.history.push((wish.into(), script.text.clone()));
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the scribe of {} was never {done}", self.key);
    }

    /// Asks until the whole answer has come. Answers whether it did.
    async fn insist(
        &mut self,
        stage: &Stage,
        asking: &Asking,
        name: usize,
        question: &str,
        turn: usize,
    ) -> bool {
        let script = asking.script(turn, End::Whole);
        for _ in 0..REPEATS {
            if self.ask(stage, asking, name, question, &script).await.whole {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }

    async fn ask(
        &mut self,
        stage: &Stage,
        asking: &Asking,
        name: usize,
        question: &str,
        script: &Script,
    ) -> Heard {
        stage.scripts.answer(question, script.clone());
        let route = match asking.route {
            Route::Lore => "/api/agent-lore",
            Route::Completions => "/v1/chat/completions",
        };
        let mut request = self
            .client
            .post(format!("http://{}{route}", stage.api.address))
            .header("content-type", "application/json")
            .header("x-scribe-conversation-id", self.key.conversation.as_str())
            .body(self.body(asking, name, question).to_string());
        if asking.named == Named::Header {
            request = request.header("x-scribe-message-id", message(name).as_str());
        }
        let asked = tokio::time::timeout(PATIENCE, self.listen(request, script)).await;
        asked.unwrap_or(NOTHING)
    }

    /// Listens to the end, or leaves where the chat has said all that it will.
    async fn listen(&mut self, request: reqwest::RequestBuilder, script: &Script) -> Heard {
        let Ok(answer) = request.send().await else {
            return NOTHING;
        };
        if !answer.status().is_success() {
            return NOTHING;
        }
        let command = answer.headers().get("x-scribe-command");
        let command = command.map(|command| command.to_str().unwrap().to_owned());
        let sent = script.pieces().concat();
        let mut pieces = answer.bytes_stream();
        let mut heard = Vec::new();
        let mut whole = false;
        loop {
            if matches!(script.end, End::Silence(_)) && heard.len() >= sent.len() {
                break;
            }
            match pieces.next().await {
                Some(Ok(piece)) => heard.extend_from_slice(&piece),
                Some(Err(_)) => break,
                None => {
                    whole = true;
                    break;
                }
            }
        }
        let is_right = if whole {
            heard == sent.as_bytes()
        } else {
            sent.as_bytes().starts_with(&heard)
        };
        if !is_right {
            self.changed.push(format!(
                "{script:?} came as {:?}",
                String::from_utf8_lossy(&heard)
            ));
        }
        Heard { whole, command }
    }

    fn body(&self, asking: &Asking, name: usize, question: &str) -> Value {
        let mut messages: Vec<Value> = Vec::new();
        for (user, assistant) in &self.history {
            messages.push(json!({ "role": "user", "content": user }));
            messages.push(json!({ "role": "assistant", "content": assistant }));
        }
        messages.push(match asking.named {
            Named::Client => json!({ "id": message(name).as_str(), "role": "user", "content": question }),
            Named::Header | Named::Not => json!({ "role": "user", "content": question }),
        });
        json!({ "model": "scripted", "stream": asking.form != Form::Json, "messages": messages })
    }

    /// What the turn is called.
    fn id(&self, asking: &Asking, name: usize, question: &str) -> MessageId {
        match asking.named {
            Named::Header | Named::Client => message(name),
            Named::Not => {
                let body = self.body(asking, name, question).to_string();
                let asked = ChatRequest::read(body.as_bytes()).unwrap().asked().unwrap();
                turn_id(&self.key.conversation, &asked, None)
            }
        }
    }
}

fn question(turn: usize) -> String {
    format!("What happened at milestone {turn}?")
}
