//! The embedded S3 as a process of its own: killed in the middle of writing, and raced for its folder.
//!
//! The process is this test binary, running the same test: in the child an environment variable names the folder,
//! and the test serves it instead of looking at it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use aws_sdk_s3::Client;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use super::servers::{self, Embedded, Process, SECRET_KEY, client_with, wait_for_line};

/// Names the folder to a child.
const FOLDER: &str = "SCRIBE_TEST_S3_FOLDER";

/// What a child says.
#[derive(Debug)]
enum Said {
    Listening(SocketAddr),
    Refused(String),
}

fn start_child(test: &str, folder: &Path) -> (Process, std::process::ChildStdout) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("s3_contract::kills::{test}"), "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    (Process(child), output)
}

fn hear(output: std::process::ChildStdout) -> Said {
    let said = wait_for_line(output, |line| {
        if let Some((_, address)) = line.split_once("listening on ") {
            return Some(Said::Listening(address.parse().unwrap()));
        }
        Some(Said::Refused(line.split_once("refused: ")?.1.to_owned()))
    });
    said.expect("the child must say something")
}

/// The child's side of a test: serves the folder until it is killed, or says why not.
async fn serve_if_child() -> bool {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return false;
    };
    match Embedded::try_start(Path::new(&folder)).await {
        Ok(s3) => {
            println!("listening on {}", s3.address());
            std::future::pending::<()>().await;
        }
        Err(error) => println!("refused: {error:#}"),
    }
    true
}

/// What the writer of a key knows.
#[derive(Debug, Default)]
struct Chain {
    /// Version ids and bodies that were answered with success, in their order.
    acknowledged: Vec<(String, Vec<u8>)>,
    /// The body of the write that got no answer: it may have happened or not.
    in_flight: Option<Vec<u8>>,
    etag: Option<String>,
}

fn body_of(key: &str, number: usize) -> Vec<u8> {
    // As long as a document.
    format!("{key} {number} ").repeat(1000).into_bytes()
}

/// Writes one version after the other, each on condition that the one before is the latest, until the server is
/// gone.
async fn write_until_killed(
    client: Client,
    key: String,
    chain: Arc<Mutex<Chain>>,
    acknowledged: Arc<Semaphore>,
) {
    let mut chain = chain.lock().await;
    for number in chain.acknowledged.len().. {
        let body = body_of(&key, number);
        let put = client
            .put_object()
            .bucket("killed")
            .key(&key)
            .body(body.clone().into());
        let put = match &chain.etag {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        match put.send().await {
            Ok(written) => {
                chain.acknowledged.push((written.version_id.unwrap(), body));
                chain.etag = written.e_tag;
                acknowledged.add_permits(1);
            }
            Err(error) => {
                assert!(
                    error.raw_response().is_none(),
                    "{key}: refused while alone: {error:?}"
                );
                chain.in_flight = Some(body);
                return;
            }
        }
    }
}

/// Holds what the server has against what was acknowledged, and takes up the chain where the server has it.
async fn check_chain(client: &Client, key: &str, chain: &mut Chain) {
    for (id, body) in &chain.acknowledged {
        let got = client
            .get_object()
            .bucket("killed")
            .key(key)
            .version_id(id)
            .send()
            .await;
        let got = got.unwrap_or_else(|error| panic!("{key}: acknowledged version {id} is gone: {error:?}"));
        assert_eq!(
            &got.body.collect().await.unwrap().to_vec(),
            body,
            "{key}: version {id}"
        );
    }
    let versions = client
        .list_object_versions()
        .bucket("killed")
        .prefix(key)
        .send()
        .await
        .unwrap();
    let unanswered = versions.versions().len() - chain.acknowledged.len();
    assert!(
        unanswered <= 1,
        "{key}: {unanswered} versions that nobody was told of"
    );
    let Ok(latest) = client.get_object().bucket("killed").key(key).send().await else {
        assert!(chain.acknowledged.is_empty(), "{key} is gone");
        return;
    };
    let (id, etag) = (latest.version_id.clone().unwrap(), latest.e_tag.clone());
    let body = latest.body.collect().await.unwrap().to_vec();
    if unanswered == 1 {
        assert_eq!(
            Some(&body),
            chain.in_flight.as_ref(),
            "{key}: the write without answer is whole"
        );
        chain.acknowledged.push((id, body));
    } else {
        assert_eq!(
            Some(&(id, body)),
            chain.acknowledged.last(),
            "{key}: the latest is the last acknowledged"
        );
    }
    chain.in_flight = None;
    chain.etag = etag;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9() {
    if serve_if_child().await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let keys: Vec<String> = (0..8).map(|at| format!("tenants/t{at}/x.json")).collect();
    let mut chains: BTreeMap<&String, Arc<Mutex<Chain>>> = BTreeMap::new();
    for round in 0..5 {
        let (mut child, output) = start_child("what_was_acknowledged_survives_kill_9", folder.path());
        let Said::Listening(address) = hear(output) else {
            panic!("round {round}: the folder is not free")
        };
        let client = client_with(address, SECRET_KEY);
        if round == 0 {
            servers::versioned_bucket(&client, "killed").await;
        }
        for (key, chain) in &chains {
            check_chain(&client, key, &mut *chain.lock().await).await;
        }
        let acknowledged = Arc::new(Semaphore::new(0));
        let mut writers = JoinSet::new();
        for key in &keys {
            let chain = Arc::clone(chains.entry(key).or_default());
            writers.spawn(write_until_killed(
                client.clone(),
                key.clone(),
                chain,
                Arc::clone(&acknowledged),
            ));
        }
        // All eight are writing when it falls.
        tokio::select! {
            enough = acknowledged.acquire_many(40 + round) => drop(enough.unwrap()),
            Some(ended) = writers.join_next() => panic!("a writer gave up before the kill: {ended:?}"),
        }
        child.kill();
        writers.join_all().await;
    }
    let s3 = Embedded::start(folder.path()).await;
    for (key, chain) in &chains {
        check_chain(&s3.client(), key, &mut *chain.lock().await).await;
    }
    s3.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_on_a_folder_one_is_refused() {
    if serve_if_child().await {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for _round in 0..5 {
        let test = "of_two_processes_on_a_folder_one_is_refused";
        let (mut one, one_output) = start_child(test, folder.path());
        let (mut two, two_output) = start_child(test, folder.path());
        let (winner, reason) = match (hear(one_output), hear(two_output)) {
            (Said::Listening(_), Said::Refused(reason)) => (&mut one, reason),
            (Said::Refused(reason), Said::Listening(_)) => (&mut two, reason),
            both => panic!("{both:?}"),
        };
        assert!(reason.contains("in use by"), "{reason}");
        assert!(reason.contains(&*folder.path().to_string_lossy()), "{reason}");
        // A third, later, is told who has it.
        let third = Embedded::try_start(folder.path())
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(third.contains(&format!("process {}", winner.0.id())), "{third}");
        // A kill frees the folder.
        winner.kill();
        Embedded::start(folder.path()).await.stop().await;
    }
}
