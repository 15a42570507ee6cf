//! What a caller of Lambda's invoke API is answered.

use aws_sdk_lambda::error::ProvideErrorMetadata as _;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::bench::{Bench, drained, invoke};

#[tokio::test]
async fn a_caller_may_wait_for_the_answer() {
    let bench = Bench::new().await;
    let (service, lambda) = bench.start(|_| {}).await;
    let ask = || {
        tokio::spawn({
            let lambda = lambda.clone();
            async move { invoke(&lambda, InvocationType::RequestResponse, r#"{"a": 1}"#).await }
        })
    };
    let asked = ask();
    let _open = bench.call().await.answer("ok").await;
    let answer = asked.await.unwrap();
    assert_eq!((answer.status_code(), answer.function_error()), (200, None));
    assert_eq!(answer.payload().unwrap().as_ref(), br#"{"a":1}"#);
    let asked = ask();
    let _open_too = bench.call().await.answer("exit").await;
    let answer = asked.await.unwrap();
    assert_eq!(
        (answer.status_code(), answer.function_error()),
        (200, Some("Unhandled"))
    );
    let error: Value = serde_json::from_slice(answer.payload().unwrap().as_ref()).unwrap();
    assert_eq!(error["errorType"], "Runtime.ExitError");
    assert_eq!(
        invoke(&lambda, InvocationType::DryRun, "{}").await.status_code(),
        204
    );
    service.stop().await;
}

#[tokio::test]
async fn wrong_calls_are_refused_as_lambda_refuses_them() {
    let bench = Bench::new().await;
    let (service, lambda) = bench.start(|_| {}).await;
    let text = |bytes: usize| Blob::new(format!("\"{}\"", "x".repeat(bytes - 2)));
    let event = || {
        lambda
            .invoke()
            .function_name("probe")
            .invocation_type(InvocationType::Event)
    };
    let cases = [
        (
            event().payload(text(1024 * 1024 + 1)),
            413,
            "RequestTooLargeException",
        ),
        (
            lambda
                .invoke()
                .function_name("probe")
                .payload(text(6 * 1024 * 1024 + 1)),
            413,
            "RequestTooLargeException",
        ),
        (event().function_name("other"), 404, "ResourceNotFoundException"),
        (event().qualifier("7"), 404, "ResourceNotFoundException"),
        (
            event().payload(Blob::new("{")),
            400,
            "InvalidRequestContentException",
        ),
        (event().tenant_id("blue"), 400, "InvalidParameterValueException"),
        (
            event().invocation_type("Later".into()),
            400,
            "ValidationException",
        ),
    ];
    for (call, status, code) in cases {
        let error = call.send().await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), status, "{code}");
        let error = error.into_service_error();
        assert_eq!(error.code(), Some(code));
        assert!(
            error.message().is_some_and(|message| !message.is_empty()),
            "{code}"
        );
    }
    let mut connection = TcpStream::connect(service.address()).await.unwrap();
    let unsigned = "POST /2015-03-31/functions/probe/invocations HTTP/1.1\r\n\
                    host: lambda\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    connection.write_all(unsigned.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 403 ") && answer.contains("MissingAuthenticationToken"),
        "{answer}"
    );

    // What is just within the limits is taken.
    assert_eq!(
        event()
            .payload(text(1024 * 1024))
            .send()
            .await
            .unwrap()
            .status_code(),
        202
    );
    let whole_arn = "arn:aws:lambda:us-east-1:000000000000:function:probe:$LATEST";
    assert_eq!(
        event()
            .function_name(whole_arn)
            .send()
            .await
            .unwrap()
            .status_code(),
        202
    );
    for _ in 0..2 {
        let _open = bench.call().await.answer("ok").await;
    }
    drained(&service).await;
    service.stop().await;
}
