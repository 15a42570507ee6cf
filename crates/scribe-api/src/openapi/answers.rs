//! Answers that are not a success, as the document describes them: one type for each status, all with the envelope.
//! What can go wrong with a request, and in which words, stands in `error.rs`.

use std::collections::BTreeMap;

use http::StatusCode;
use utoipa::IntoResponses;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $description:literal $(, $header:literal: $kind:ident)?;)*) => {
        $(
            $(#[$doc])*
            pub(crate) enum $name {}

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    let answer = Ref::from_response_name(stringify!($name));
                    BTreeMap::from([(StatusCode::$status.as_str().to_owned(), answer.into())])
                }
            }
        )*

        /// All of them, by name.
        pub(super) fn all() -> BTreeMap<String, RefOr<Response>> {
            let envelope = || Content::new(Some(Ref::from_schema_name("ErrorEnvelope")));
            BTreeMap::from([$({
                let answer = ResponseBuilder::new().description($description).content("application/json", envelope());
                $(let answer = answer.header($header, header(Type::$kind));)?
                (stringify!($name).to_owned(), answer.build().into())
            }),*])
        }
    };
}

fn header(kind: Type) -> Header {
    let schema = ObjectBuilder::new().schema_type(kind).build();
    HeaderBuilder::new().schema(Some(schema)).build()
}

answers! {
    /// Every route with parameters or a body has it, and need not name it.
    BadRequest = BAD_REQUEST, "The request is wrong; `field` names the part of it.";
    /// Every route behind the gate has it, and need not name it.
    Unauthorized = UNAUTHORIZED, "Nobody is named, or not validly.", "www-authenticate": String;
    /// Every route has it, and need not name it.
    Forbidden = FORBIDDEN, "Without authentication the service answers only programs and pages of its own machine.";
    /// It is not there, or it is another tenant's.
    NotFound = NOT_FOUND, "There is no such thing, or it is another tenant's.";
    /// It stands otherwise than the request assumes.
    Conflict = CONFLICT, "It stands otherwise than the request assumes; `code` says how.";
    /// It was deleted.
    Gone = GONE, "The document was deleted.";
    /// A save is not based on what is there.
    BaseUnknown = PRECONDITION_FAILED, "No version of the document has the ETag that the save is based on, or others \
wrote since and it is not to be merged; `code` says which.";
    /// A save says what it is based on.
    BaseMissing = PRECONDITION_REQUIRED, "If-Match is missing.";
    /// It is not as the caller knows it.
    Changed = PRECONDITION_FAILED, "It has changed since; the ETag is that of what is there now, if it is there.", "etag": String;
    /// Every route with a body has it, and need not name it.
    BodyTooLarge = PAYLOAD_TOO_LARGE, "The body is too large.";
    /// Every route with a body has it, and need not name it.
    NotJson = UNSUPPORTED_MEDIA_TYPE, "The body is not of the type that this route reads.";
    /// Every route behind the gate has it, and need not name it.
    TooManyRequests = TOO_MANY_REQUESTS, "The tenant asks too often.", "retry-after": Integer;
    /// Every route has it, and need not name it.
    Defect = INTERNAL_SERVER_ERROR, "A defect of ours.";
    /// A service behind the scribe is out of reach.
    Unavailable = SERVICE_UNAVAILABLE, "A service behind the scribe is out of reach; the request may be repeated.", "retry-after": Integer;
}
