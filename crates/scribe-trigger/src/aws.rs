//! What all clients of AWS share: the HTTP client they send with, and the words for what goes wrong.

use aws_sdk_lambda::config::SharedHttpClient;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// An HTTP client over rustls on ring, the one TLS stack that is built in.
#[must_use]
pub fn https_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// What an operator needs to know of a failed call, in one line.
///
/// The SDK's own description holds the whole response, headers and body. This goes into logs and into the reasons of
/// turns, so it says no more than the status and the code.
#[must_use]
pub fn describe<E: ProvideErrorMetadata>(error: &SdkError<E>) -> String {
    match error {
        SdkError::ServiceError(failed) => {
            let code = failed.err().code().unwrap_or("no error code");
            format!("status {}, {code}", failed.raw().status().as_u16())
        }
        SdkError::TimeoutError(_) => "no answer in time".into(),
        SdkError::DispatchFailure(failed) if failed.is_timeout() => "no connection in time".into(),
        SdkError::DispatchFailure(failed) if failed.is_io() => "not reached, or the connection broke".into(),
        SdkError::DispatchFailure(_) => {
            "the request could not be sent; are credentials and region set?".into()
        }
        SdkError::ResponseError(_) => "the answer could not be read".into(),
        _ => "the request could not be built".into(),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::config::http::HttpResponse;
    use aws_sdk_lambda::error::ErrorMetadata;
    use aws_sdk_lambda::operation::invoke::InvokeError;
    use aws_sdk_lambda::primitives::SdkBody;

    use super::*;

    #[test]
    fn no_body_reaches_a_description() {
        let response = HttpResponse::new(403.try_into().unwrap(), SdkBody::from("a secret"));
        let metadata = ErrorMetadata::builder()
            .code("AccessDenied")
            .message("a secret")
            .build();
        let error: SdkError<InvokeError> = SdkError::service_error(InvokeError::generic(metadata), response);
        assert_eq!(describe(&error), "status 403, AccessDenied");
    }
}
