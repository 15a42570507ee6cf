//! What standing in front of a chat costs: the time that is added to the first and to the last content byte of a stream,
//! measured against the chat alone, in one run, by turns. A proxy that does nothing is measured too, and shows how much of
//! it is the second connection.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::upstream::{Pieces, Scripted};
use super::{Bench, COMPLETIONS, LORE, ends, says};
use crate::world::{http_client, listener};

/// How often each way is measured.
const RUNS: usize = 150;

/// The goal is 1 ms, and `make latency` demands it of an optimized build by this variable.
const BOUND: &str = "CHAT_LATENCY_MS";

/// What an unoptimized build keeps on a machine that does other things too, in ms.
const UNOPTIMIZED: f64 = 5.0;

/// A way to the chat.
struct Way {
    name: &'static str,
    url: String,
    firsts: Vec<Duration>,
    lasts: Vec<Duration>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn little_is_added_to_the_first_and_to_the_last_byte() {
    let bench = Bench::new().await;
    let straight = format!("{}{COMPLETIONS}", bench.chat.url());
    let served = Served::new();
    let api = served.serve(|| bench.world.api()).await;
    let state = (http_client(), straight.clone());
    let nothing = || axum::Router::new().fallback(pass_on).with_state(state);
    let proxy = served.serve(nothing).await;
    let mut pieces: Vec<String> = (0..10).map(|n| says(&format!("word {n} "))).collect();
    pieces.push(ends());
    let length: usize = pieces.iter().map(String::len).sum();
    let client = http_client();
    let way = |name, url: String| Way {
        name,
        url,
        firsts: Vec::new(),
        lasts: Vec::new(),
    };
    let mut ways = [
        way("the chat alone", straight),
        way("a proxy that does nothing", proxy),
        way("/v1/chat/completions", format!("{api}{COMPLETIONS}")),
        way("/api/agent-lore", format!("{api}{LORE}")),
    ];
    for run in 0..RUNS {
        for way in &mut ways {
            let paced = Pieces::Paced(pieces.clone(), Duration::from_millis(2));
            bench.chat.script(Scripted::new("text/event-stream", paced));
            let body = json!({ "user": "c1", "conversationId": "c1", "model": "m", "stream": true,
                "messages": [{ "role": "user", "content": format!("{} {run}", way.name) }] });
            let (first, last) = measure(&client, &way.url, &body, length).await;
            // The first ones open connections.
            if run >= 10 {
                way.firsts.push(first);
                way.lasts.push(last);
            }
        }
    }
    for way in &mut ways {
        way.firsts.sort();
        way.lasts.sort();
    }
    let at = |times: &[Duration], percent: usize| times[times.len() * percent / 100];
    let [alone, proxy, others @ ..] = &ways;
    println!(
        "{:<26}{:>12}{:>12}{:>12}{:>12}",
        "added, in ms", "first p50", "first p90", "last p50", "last p90"
    );
    let added = |times: &[Duration], base: &[Duration], percent| {
        (at(times, percent).as_secs_f64() - at(base, percent).as_secs_f64()) * 1000.0
    };
    for way in std::iter::once(proxy).chain(others) {
        println!(
            "{:<26}{:>12.2}{:>12.2}{:>12.2}{:>12.2}",
            way.name,
            added(&way.firsts, &alone.firsts, 50),
            added(&way.firsts, &alone.firsts, 90),
            added(&way.lasts, &alone.lasts, 50),
            added(&way.lasts, &alone.lasts, 90),
        );
    }
    let bound = std::env::var(BOUND).map_or(UNOPTIMIZED, |bound| bound.parse().unwrap());
    for way in others {
        assert!(added(&way.firsts, &alone.firsts, 50) < bound, "{}", way.name);
        assert!(added(&way.lasts, &alone.lasts, 50) < bound, "{}", way.name);
    }
    assert!(bench.turns().await.len() >= RUNS, "what was measured was scribed");
}

/// What is measured, in a runtime of its own: what it does after the last byte must keep nobody here from reading it.
struct Served(Option<Runtime>);

impl Served {
    fn new() -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        Self(Some(runtime.worker_threads(2).enable_all().build().unwrap()))
    }

    /// Serves routes as the product does.
    async fn serve(&self, router: impl FnOnce() -> axum::Router) -> String {
        let listener = listener().await.into_std().unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let runtime = self.0.as_ref().unwrap();
        // The clients behind the routes belong into it too.
        let _inside = runtime.enter();
        let (router, listener) = (router(), TcpListener::from_std(listener).unwrap());
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| stream.set_nodelay(true).unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        url
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// All that a proxy must do.
async fn pass_on(State((client, url)): State<(reqwest::Client, String)>, body: Bytes) -> Response {
    let answer = client.post(url).body(body).send().await.unwrap();
    Response::new(Body::from_stream(answer.bytes_stream()))
}

/// The times from the request to the first and to the last byte of the content, which is not the end of the body.
async fn measure(client: &reqwest::Client, url: &str, body: &Value, length: usize) -> (Duration, Duration) {
    let asked = Instant::now();
    let mut response = client.post(url).json(body).send().await.unwrap();
    let (mut first, mut read) = (None, 0);
    let mut last = asked;
    while read < length {
        let chunk = response.chunk().await.unwrap().expect("it ended before its end");
        last = Instant::now();
        first.get_or_insert(last);
        read += chunk.len();
    }
    // To its end, or the connection is not used again.
    while response.chunk().await.unwrap().is_some() {}
    (first.unwrap() - asked, last - asked)
}
