//! Reading bodies that have a limit.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("the body has {0} bytes")]
    TooLarge(usize),
    #[error("the body broke off: {0}")]
    Broken(String),
}

/// Reads a body of at most `limit` bytes. A longer one is read to its end as well, without being kept: a client
/// that is still sending would not see the answer.
pub(super) async fn read_body(mut body: Body, limit: usize) -> Result<Bytes, ReadError> {
    let mut content = BytesMut::new();
    let mut bytes = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame
            .map_err(|error| ReadError::Broken(error.to_string()))?
            .into_data()
        else {
            continue;
        };
        bytes += data.len();
        if bytes <= limit {
            content.extend_from_slice(&data);
        }
    }
    if bytes > limit {
        Err(ReadError::TooLarge(bytes))
    } else {
        Ok(content.freeze())
    }
}
