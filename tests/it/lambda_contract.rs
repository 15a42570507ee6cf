//! Lambda's asynchronous contract, as `scribe_local::lambda` keeps it: with the real SDK as the caller and a real
//! function binary at the other end. The function asks the test what to do (`src/bin/probe_function.rs`), so
//! nothing here waits for time to pass.

mod answers;
mod bench;

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_lambda::operation::RequestId as _;
use aws_sdk_lambda::types::InvocationType;
use scribe_local::lambda::{Condition, RecursiveLoop};
use serde_json::{Value, json};

use bench::{Bench, drained, invoke};

#[tokio::test]
async fn an_event_is_accepted_before_the_function_runs() {
    let bench = Bench::new().await;
    let (service, lambda) = bench.start(|_| {}).await;
    let accepted = invoke(&lambda, InvocationType::Event, r#"{"turn": 1}"#).await;
    assert_eq!(accepted.status_code(), 202);
    assert!(
        accepted
            .payload()
            .is_none_or(|payload| payload.as_ref().is_empty())
    );
    let call = bench.call().await;
    assert_eq!(call.said("requestId"), accepted.request_id().unwrap());
    assert_eq!(call.said["payload"], json!({"turn": 1}));
    assert_eq!(
        call.said("arn"),
        "arn:aws:lambda:us-east-1:000000000000:function:probe"
    );
    let _open = call.answer("ok").await;
    drained(&service).await;
    assert!(service.on_failure().list().unwrap().is_empty());
    service.stop().await;
}

#[tokio::test]
async fn several_run_at_a_time_in_processes_that_are_used_again() {
    let bench = Bench::new().await;
    let (service, lambda) = bench.start(|config| config.reserved_concurrency = 3).await;
    for turn in 0..4 {
        invoke(&lambda, InvocationType::Event, &json!({"turn": turn}).to_string()).await;
    }
    let running = [bench.call().await, bench.call().await, bench.call().await];
    let pids: BTreeSet<_> = running
        .iter()
        .map(|call| call.said["pid"].as_u64().unwrap())
        .collect();
    assert_eq!(pids.len(), 3);
    let full = lambda
        .invoke()
        .function_name("probe")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(full.is_too_many_requests_exception(), "{full:?}");
    let [first, second, third] = running;
    let first = first.answer("ok").await;
    let fourth = bench.call().await;
    assert_eq!(
        fourth.said["pid"], first.said["pid"],
        "an idle process is used again"
    );
    let _open = [
        second.answer("ok").await,
        third.answer("ok").await,
        fourth.answer("ok").await,
    ];
    drained(&service).await;
    service.stop().await;
}

#[tokio::test]
async fn one_process_runs_several_at_once_where_it_may() {
    let bench = Bench::new().await;
    let (service, lambda) = bench
        .start(|config| {
            config.reserved_concurrency = 1;
            config.in_process_concurrency = 3;
        })
        .await;
    for _ in 0..3 {
        invoke(&lambda, InvocationType::Event, "{}").await;
    }
    let running = [bench.call().await, bench.call().await, bench.call().await];
    let pids: BTreeSet<_> = running
        .iter()
        .map(|call| call.said["pid"].as_u64().unwrap())
        .collect();
    assert_eq!(pids.len(), 1);
    for call in running {
        let _open = call.answer("ok").await;
    }
    drained(&service).await;
    service.stop().await;
}

#[tokio::test]
async fn a_failing_event_is_tried_twice_more_and_then_given_up() {
    let bench = Bench::new().await;
    let (service, lambda) = bench.start(|_| {}).await;
    let accepted = invoke(&lambda, InvocationType::Event, r#"{"turn": 1}"#).await;
    for _ in 0..3 {
        let call = bench.call().await;
        assert_eq!(call.said("requestId"), accepted.request_id().unwrap());
        let _open = call.answer("fail").await;
    }
    drained(&service).await;
    let mut records = serde_json::to_value(service.on_failure().list().unwrap()).unwrap();
    let timestamp = records[0]["timestamp"].take();
    assert!(
        timestamp
            .as_str()
            .is_some_and(|time| time.len() == 24 && time.ends_with('Z')),
        "{timestamp}"
    );
    let expected = json!([{
        "version": "1.0",
        "timestamp": null,
        "requestContext": {
            "requestId": accepted.request_id().unwrap(),
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:probe:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"turn": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {
            "errorType": records[0]["responsePayload"]["errorType"].clone(),
            "errorMessage": "told to fail",
        },
    }]);
    assert_eq!(records, expected);
    service
        .on_failure()
        .remove(accepted.request_id().unwrap())
        .unwrap();
    assert!(service.on_failure().list().unwrap().is_empty());
    service.stop().await;
}

#[tokio::test]
async fn a_crash_is_a_failure_and_the_retry_gets_a_new_process() {
    let bench = Bench::new().await;
    let (service, lambda) = bench.start(|_| {}).await;
    invoke(&lambda, InvocationType::Event, "{}").await;
    let panicked = bench.call().await.answer("panic").await;
    let again = bench.call().await;
    assert_eq!(
        again.said["pid"], panicked.said["pid"],
        "the runtime survives a panic"
    );
    let crashed = again.answer("exit").await;
    let after = bench.call().await;
    assert_eq!(after.said["requestId"], panicked.said["requestId"]);
    assert_ne!(after.said["pid"], crashed.said["pid"]);
    let _open = after.answer("ok").await;
    drained(&service).await;
    assert!(service.on_failure().list().unwrap().is_empty());
    let log = std::fs::read_to_string(bench.folder.path().join("logs/probe.log")).unwrap();
    let line = format!(
        "[{}] probe runs request {}\n",
        crashed.said["pid"],
        crashed.said("requestId")
    );
    assert!(log.contains(&line), "{log}");
    service.stop().await;
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_killed() {
    let bench = Bench::new().await;
    let (service, lambda) = bench
        .start(|config| {
            config.timeout = Duration::from_millis(200);
            config.maximum_retry_attempts = 1;
        })
        .await;
    invoke(&lambda, InvocationType::Event, "{}").await;
    bench.call().await.answer("hang").await.process_ended().await;
    bench.call().await.answer("hang").await.process_ended().await;
    drained(&service).await;
    let records = service.on_failure().list().unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].request_context.approximate_invoke_count, 2);
    let error = records[0].response_payload.as_ref().unwrap().get();
    assert!(
        error.contains("Sandbox.Timedout") && error.contains("after 0.20 seconds"),
        "{error}"
    );
    service.stop().await;
}

#[tokio::test]
async fn an_event_that_is_too_old_is_given_up_without_a_run() {
    let bench = Bench::new().await;
    let (service, lambda) = bench
        .start(|config| config.maximum_event_age = Duration::ZERO)
        .await;
    invoke(&lambda, InvocationType::Event, "{}").await;
    drained(&service).await;
    let records = service.on_failure().list().unwrap();
    assert_eq!(records[0].request_context.condition, Condition::EventAgeExceeded);
    assert_eq!(records[0].request_context.approximate_invoke_count, 0);
    service.stop().await;
}

#[tokio::test]
async fn a_chain_is_stopped_after_sixteen_rounds() {
    let bench = Bench::new().await;
    let (service, lambda) = bench.start(|_| {}).await;
    invoke(&lambda, InvocationType::Event, r#"{"chain": 1}"#).await;
    for _ in 0..16 {
        let _open = bench.call().await.answer("invoke").await;
    }
    drained(&service).await;
    let records = service.on_failure().list().unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].request_payload.get(), r#"{"chain":1}"#);
    let error = records[0].response_payload.as_ref().unwrap().get();
    assert!(error.contains("RecursiveInvocationException"), "{error}");
    service.stop().await;
}

#[tokio::test]
async fn a_chain_goes_on_where_that_is_allowed() {
    let bench = Bench::new().await;
    let (service, lambda) = bench
        .start(|config| config.recursive_loop = RecursiveLoop::Allow)
        .await;
    invoke(&lambda, InvocationType::Event, "{}").await;
    for _ in 0..19 {
        let _open = bench.call().await.answer("invoke").await;
    }
    let last = bench.call().await;
    assert!(last.said("trace").ends_with(":19"), "{}", last.said("trace"));
    let _open = last.answer("ok").await;
    drained(&service).await;
    assert!(service.on_failure().list().unwrap().is_empty());
    service.stop().await;
}

#[tokio::test]
async fn what_is_not_done_is_delivered_after_a_restart() {
    let bench = Bench::new().await;
    let (service, lambda) = bench.start(|config| config.reserved_concurrency = 1).await;
    let mut accepted = BTreeSet::new();
    for turn in 0..3 {
        let event = invoke(&lambda, InvocationType::Event, &json!({"turn": turn}).to_string()).await;
        accepted.insert(event.request_id().unwrap().to_owned());
    }
    let cut_short = bench.call().await;
    drop(service);
    cut_short.process_ended().await;

    let (service, _) = bench.start(|_| {}).await;
    let mut delivered = BTreeSet::new();
    for _ in 0..3 {
        let call = bench.call().await.answer("ok").await;
        delivered.insert(call.said("requestId").to_owned());
    }
    assert_eq!(delivered, accepted);
    drained(&service).await;
    service.stop().await;
    let (service, _) = bench.start(|_| {}).await;
    drained(&service).await;
    service.stop().await;
}

#[tokio::test]
async fn a_stop_lets_what_runs_finish() {
    let bench = Bench::new().await;
    let (service, lambda) = bench.start(|_| {}).await;
    invoke(&lambda, InvocationType::Event, "{}").await;
    let call = bench.call().await;
    let ((), ended) = tokio::join!(service.stop(), call.answer("ok"));
    ended.process_ended().await;
    let (service, _) = bench.start(|_| {}).await;
    drained(&service).await;
    service.stop().await;
}

#[tokio::test]
async fn failures_are_remembered_over_a_restart() {
    let bench = Bench::new().await;
    let (service, lambda) = bench
        .start(|config| {
            config.retry_waits = vec![Duration::from_hours(1)];
            config.reserved_concurrency = 1;
        })
        .await;
    invoke(&lambda, InvocationType::Event, r#"{"turn": 1}"#).await;
    let _open = bench.call().await.answer("fail").await;
    // There is room for one at a time, so the second begins when the first has failed.
    invoke(&lambda, InvocationType::Event, r#"{"turn": 2}"#).await;
    let _open_too = bench.call().await.answer("ok").await;
    service.stop().await;

    let (service, _) = bench.start(|_| {}).await;
    for _ in 0..2 {
        let _open = bench.call().await.answer("fail").await;
    }
    drained(&service).await;
    let records = service.on_failure().list().unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].request_context.approximate_invoke_count, 3);
    service.stop().await;
}

#[tokio::test]
async fn an_event_may_come_twice_at_once() {
    let bench = Bench::new().await;
    let (service, lambda) = bench.start(|config| config.duplicate_delivery = true).await;
    invoke(&lambda, InvocationType::Event, "{}").await;
    let both = [bench.call().await, bench.call().await];
    assert_eq!(both[0].said["requestId"], both[1].said["requestId"]);
    for call in both {
        let _open = call.answer("ok").await;
    }
    drained(&service).await;
    service.stop().await;
}

#[tokio::test]
async fn an_idle_process_is_stopped() {
    let bench = Bench::new().await;
    let (service, lambda) = bench
        .start(|config| config.idle_time = Duration::from_millis(50))
        .await;
    invoke(&lambda, InvocationType::Event, "{}").await;
    bench.call().await.answer("ok").await.process_ended().await;
    invoke(&lambda, InvocationType::Event, "{}").await;
    let _open = bench.call().await.answer("ok").await;
    drained(&service).await;
    service.stop().await;
}

#[tokio::test]
async fn a_function_gets_lambdas_environment_and_no_other() {
    let bench = Bench::new().await;
    let (service, lambda) = bench.start(|_| {}).await;
    invoke(&lambda, InvocationType::Event, "{}").await;
    let call = bench.call().await.answer("ok").await;
    let names: BTreeSet<_> = call.said["environment"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for name in [
        "PATH",
        "PROBE_ADDRESS",
        "AWS_REGION",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
    ] {
        assert!(names.contains(name), "{name} is missing in {names:?}");
    }
    assert!(
        std::env::var_os("CARGO_MANIFEST_DIR").is_some() && !names.contains("CARGO_MANIFEST_DIR"),
        "{names:?}"
    );
    drained(&service).await;
    service.stop().await;
}
