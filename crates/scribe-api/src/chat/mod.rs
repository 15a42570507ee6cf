//! Chats: requests go on to the chat that is configured, its answers come back as they are, byte for byte as they arrive,
//! and the scribe reads along.
//!
//! - [`agent_lore`] stands in front of a chat of one's own: it knows the document and takes commands;
//! - [`openai`] is a drop-in for a server of `OpenAI`'s kind: requests go on unchanged;
//! - [`asking`] is what both do with a request, [`commands`] what a person wants of the scribe;
//! - [`answering`] passes the answer on and reads it along, [`following`] records the turn;
//! - [`open`] waits for the turns that are open when the service stops.
//!
//! What can go wrong with the scribe does not go wrong with the chat: it is logged, and the answer streams on.

mod agent_lore;
mod answering;
mod asking;
mod commands;
mod following;
mod open;
mod openai;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use open::OpenChats;

use crate::ApiState;

pub(crate) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(agent_lore::ask))
        .routes(routes!(openai::complete))
        .routes(routes!(openai::models))
}
