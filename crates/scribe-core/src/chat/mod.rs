//! A chat, as far as the scribe reads along: what was asked, and what was answered.
//!
//! Everything here is fed with what others send and receive: the body of a request, and the bytes of an answer in
//! whatever pieces they come. Nothing is waited for, nothing is sent, and nothing of it changes what passes by.
//!
//! - [`AnswerReader`] collects the assistant's text from a stream, and says at its end whether it is whole;
//! - [`ChatRequest`] understands a request's messages and puts a message in front without touching the others;
//! - [`turn_id`] names the turn, so that a client's retry is the same one;
//! - [`context`] is what the model that answers is told of the document;
//! - [`command`] finds "start the scribe" and its like, by rules.

mod answer;
mod command;
mod context;
mod data_stream;
mod ids;
mod pieces;
mod raw;
mod request;
mod sse;

pub use answer::{AnswerReader, Finding, Form, Incompletion};
pub use command::{Command, Commanded, command, default_title, is_invisible, is_misunderstood, was_stopped};
pub use context::{News, context};
pub use ids::{other_answer_id, turn_id};
pub use request::{Asked, ChatRequest, RequestError, Shape};
