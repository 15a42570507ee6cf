//! What standing in front of a chat costs: the time that is added to the first and to the last content byte of a stream,
//! measured against the chat alone, in one run, by turns.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::upstream::{Pieces, Scripted};
use super::{Bench, COMPLETIONS, LORE, ends, says};
use crate::world::{http_client, listener};

/// How often each way is measured.
const RUNS: usize = 150;

/// The goal is 1 ms. The bound is what an unoptimized build keeps on a machine that does other things too; what is
/// measured is printed.
const BOUND: Duration = Duration::from_millis(5);

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
    let server = listener().await;
    let address = server.local_addr().unwrap();
    let api = bench.api.clone();
    let server = axum::serve::ListenerExt::tap_io(server, |stream| stream.set_nodelay(true).unwrap());
    tokio::spawn(async move { axum::serve(server, api).await });
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
        way("the chat alone", format!("{}{COMPLETIONS}", bench.chat.url())),
        way("/v1/chat/completions", format!("http://{address}{COMPLETIONS}")),
        way("/api/agent-lore", format!("http://{address}{LORE}")),
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
    let [alone, others @ ..] = &ways;
    println!(
        "{:<24}{:>14}{:>14}{:>14}{:>14}",
        "added, in ms", "first p50", "first p90", "last p50", "last p90"
    );
    let added = |times: &[Duration], base: &[Duration], percent| {
        (at(times, percent).as_secs_f64() - at(base, percent).as_secs_f64()) * 1000.0
    };
    for way in others {
        println!(
            "{:<24}{:>14.2}{:>14.2}{:>14.2}{:>14.2}",
            way.name,
            added(&way.firsts, &alone.firsts, 50),
            added(&way.firsts, &alone.firsts, 90),
            added(&way.lasts, &alone.lasts, 50),
            added(&way.lasts, &alone.lasts, 90),
        );
        let bound = BOUND.as_secs_f64() * 1000.0;
        assert!(added(&way.firsts, &alone.firsts, 50) < bound, "{}", way.name);
        assert!(added(&way.lasts, &alone.lasts, 50) < bound, "{}", way.name);
    }
    assert!(bench.turns().await.len() >= RUNS, "what was measured was scribed");
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
