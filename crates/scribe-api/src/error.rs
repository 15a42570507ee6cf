//! The one shape of every answer that is not a success. Clients never see internals; operators find them in the log.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, StatusCode};
use scribe_core::IdError;
use scribe_core::turn::{TriggerState, TurnError};
use scribe_engine::conversations::{ConversationError, FailedTurnError};
use scribe_trigger::RecordError;
use serde::Serialize;
use utoipa::ToSchema;

/// The envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorEnvelope {
    /// What went wrong.
    pub error: ErrorBody,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorBody {
    /// A word for programs.
    pub code: &'static str,
    /// A sentence for people: what is wrong and what helps.
    pub message: String,
    /// Which field of the request, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
}

/// An answer that is not a success.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    body: ErrorBody,
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            body: ErrorBody {
                code,
                message: message.into(),
                field: None,
            },
            header: None,
        }
    }

    /// A header that tells programs what the message tells people.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    pub(crate) fn field(field: &'static str, message: impl std::fmt::Display) -> Self {
        let mut error = Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_field",
            format!("{field} {message}"),
        );
        error.body.field = Some(field.to_owned());
        error
    }

    /// For answers in another shape.
    pub(crate) fn into_parts(self) -> (StatusCode, ErrorBody) {
        (self.status, self.body)
    }

    /// Names the field that it is about.
    pub(crate) fn about(mut self, field: Option<&str>) -> Self {
        self.body.field = field.map(str::to_owned);
        self
    }

    pub(crate) fn id(field: &'static str) -> impl Fn(IdError) -> Self {
        move |error| Self::field(field, error)
    }

    pub(crate) fn no_scribe() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no_scribe",
            "this conversation has no scribe; start one with POST /api/chat/background-doc/start",
        )
    }

    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "this is a defect of ours; the request may be repeated",
        )
    }

    fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "a service behind the scribe is out of reach; nothing is lost, send the same request again",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(ErrorEnvelope { error: self.body })).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("2"));
        }
        if let Some(header) = self.header {
            let (name, value) = *header;
            headers.insert(name, value);
        }
        response
    }
}

impl From<ConversationError> for ApiError {
    fn from(error: ConversationError) -> Self {
        match error {
            ConversationError::Ledger(_) | ConversationError::Documents(_) => {
                tracing::error!("a request was answered 503: {}", chain(&error));
                Self::unavailable()
            }
            ConversationError::DocumentGone(_) => Self::new(
                StatusCode::GONE,
                "document_gone",
                "the document of this conversation was deleted; start the scribe in another conversation",
            ),
            ConversationError::Contended => Self::new(
                StatusCode::CONFLICT,
                "contended",
                "others changed the same at the same moment; try again",
            ),
        }
    }
}

impl From<FailedTurnError> for ApiError {
    fn from(error: FailedTurnError) -> Self {
        match error {
            FailedTurnError::Conversation(error) => error.into(),
            FailedTurnError::NoScribe => Self::no_scribe(),
            FailedTurnError::Unknown(_) => Self::new(
                StatusCode::NOT_FOUND,
                "no_turn",
                "nothing is known of this turn; GET …/turns lists those that are",
            ),
            FailedTurnError::NotFailed { state, .. } => Self::new(
                StatusCode::CONFLICT,
                "not_failed",
                match state {
                    TriggerState::Processed => "this turn is in the document",
                    TriggerState::Pending | TriggerState::Processing => "this turn waits to be written",
                    TriggerState::Incomplete => "this turn never became whole, so there is nothing to write",
                    TriggerState::Failed => "this turn is being changed by somebody else; try again",
                },
            ),
            FailedTurnError::TextLost(_) => Self::new(
                StatusCode::CONFLICT,
                "text_lost",
                "the text of this turn is lost; send the turn again under the same messageId",
            ),
        }
    }
}

impl From<RecordError> for ApiError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Texts(TurnError::Empty) => Self::field(
                "userMessage",
                "and assistantResponse are both empty; a turn needs at least one of them",
            ),
            RecordError::Texts(TurnError::TooLarge { .. }) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "turn_too_large", error.to_string())
            }
            RecordError::ReplacesItself { .. } => Self::field("replaces", "must name another turn"),
            RecordError::Encoded { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "turn_too_large", error.to_string())
            }
            RecordError::OtherText { .. } => {
                let conflict = Self::new(
                    StatusCode::CONFLICT,
                    "other_text",
                    "messageId was recorded before with other texts; a new turn needs a new id",
                );
                conflict.about(Some("messageId"))
            }
            RecordError::Unavailable { .. } => {
                tracing::error!("a turn was answered 503: {}", chain(&error));
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "the turn may not have been taken; send it again under the same messageId, it counts once",
                )
            }
        }
    }
}

/// An error with its sources, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

pub(crate) async fn not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "no_route", "there is no such route")
}

pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this route takes another method",
    )
}

pub(crate) fn panicked(_panic: Box<dyn std::any::Any + Send>) -> Response {
    // The panic hook has printed where; its message may hold a text and goes nowhere else.
    ApiError::internal().into_response()
}
