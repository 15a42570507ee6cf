//! What the scribe relies on in an S3, as one suite that every S3 has to pass.
//!
//! The embedded S3 passes it, so that whatever is tried on a developer's machine holds in the cloud; moto and
//! SeaweedFS pass it, so that the suite says what S3 is rather than what we built. The cases assert what AWS does.
//! Where another server does something else, [`servers::Answers`] names it and the case asserts that too.
//!
//! `embedded` and `kills` hold what only the embedded S3 has to do: notice damage, survive a kill, refuse a second
//! process.

// Says to clippy that the helpers are tests too: they may unwrap.
#![cfg(test)]

mod documents;
mod embedded;
mod kills;
mod listings;
mod reads;
mod seaweedfs;
mod servers;
mod writes;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use self::seaweedfs::SeaweedFs;
use self::servers::{Embedded, Moto, Place, Server};

type Case = (&'static str, fn(Place) -> BoxFuture<'static, ()>);

macro_rules! cases {
    ($($module:ident :: $case:ident),* $(,)?) => {
        &[$((stringify!($case), |place| $module::$case(place).boxed())),*]
    };
}

const CASES: &[Case] = cases![
    writes::of_racing_writers_one_wins,
    writes::of_racing_creators_one_wins,
    writes::create_only_refuses_what_is_there,
    writes::if_match_takes_the_current_etag_only,
    writes::if_match_on_an_absent_key_is_refused,
    writes::every_write_is_a_version,
    writes::a_delete_marker_hides_and_frees_the_key,
    writes::a_removed_marker_gives_the_object_back,
    writes::a_conditional_delete_spares_what_changed,
    writes::many_are_deleted_at_once,
    writes::versions_are_removed_for_good,
    writes::metadata_comes_back,
    writes::bodies_come_back_whole,
    writes::a_streamed_body_comes_back_whole,
    writes::odd_keys_stay_apart,
    writes::a_body_without_its_sum_is_refused,
    reads::what_is_absent_is_not_found,
    reads::what_is_unchanged_is_not_sent,
    reads::a_condition_that_fails_is_said,
    reads::a_range_is_a_part,
    reads::a_bucket_says_that_it_is_versioned,
    documents::a_deleted_document_can_not_be_replaced,
    documents::a_document_is_deleted_restored_and_removed_for_good,
    listings::a_prefix_is_listed_in_pages,
    listings::a_delimiter_makes_groups,
    listings::a_listing_begins_behind_a_key,
    listings::versions_are_listed_in_pages,
];

/// Runs every case, also after one has failed, each under a prefix of its own.
async fn keeps_the_contract(server: Server, client: aws_sdk_s3::Client) {
    let bucket = servers::versioned_bucket(&client, "contract").await;
    let mut failed = Vec::new();
    for (name, case) in CASES {
        let place = Place {
            client: client.clone(),
            bucket: bucket.clone(),
            prefix: format!("{name}/"),
            server,
        };
        if AssertUnwindSafe(case(place)).catch_unwind().await.is_err() {
            eprintln!("{server:?} fails {name}");
            failed.push(*name);
        }
    }
    assert!(
        failed.is_empty(),
        "{server:?} fails {} of {} cases: {failed:?}",
        failed.len(),
        CASES.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_s3_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = Embedded::start(folder.path()).await;
    keeps_the_contract(Server::Embedded, s3.client()).await;
    s3.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_keeps_the_contract() {
    let moto = Moto::start();
    keeps_the_contract(Server::Moto, moto.client()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn seaweedfs_keeps_the_contract() {
    let seaweedfs = SeaweedFs::start();
    keeps_the_contract(Server::SeaweedFs, seaweedfs.client()).await;
}
