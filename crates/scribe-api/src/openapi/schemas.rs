//! How core's types look on the wire. Core itself does not know; `#[schema(value_type = …)]` names these instead.
#![expect(dead_code, reason = "these types are described, never made")]

use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// What [`scribe_core::ids`] takes. `.` and `..` are no ids.
const ID: &str = r"^(?!\.\.?$)[A-Za-z0-9._-]+$";

fn id(pattern: impl Into<String>, description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .pattern(Some(pattern))
        .min_length(Some(1))
        .max_length(Some(scribe_core::ids::MAX_ID_BYTES))
        .into()
}

/// Any id.
pub(crate) enum Id {}

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        id(ID, "An id.")
    }
}

impl ToSchema for Id {}

/// The id of a conversation. Words of the routes are none.
pub(crate) enum ConversationId {}

impl PartialSchema for ConversationId {
    fn schema() -> RefOr<Schema> {
        let words = scribe_core::ids::ROUTE_WORDS.join("|");
        let pattern = format!(r"^(?!(\.\.?|{words})$)[A-Za-z0-9._-]+$");
        id(pattern, "The id of a conversation; words of the routes are none.")
    }
}

impl ToSchema for ConversationId {}

/// A sentence for the scribe: one line, as `settings.rs` checks it.
pub(crate) enum Instructions {}

impl PartialSchema for Instructions {
    fn schema() -> RefOr<Schema> {
        // Blanks around it are taken away, whatever they are; inside no control character is taken.
        const BLANKS: &str = r"[\t\n\x0b\f\r\x85 ]*";
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(
                "A sentence for the scribe, in one line; an empty one takes it away.",
            ))
            .pattern(Some(format!(r"^{BLANKS}[^\x00-\x1f\x7f-\x9f]*{BLANKS}$")))
            .max_length(Some(scribe_core::prompt::MAX_INSTRUCTIONS_CHARS))
            .into()
    }
}

impl ToSchema for Instructions {}

/// A time, ISO 8601.
pub(crate) enum Time {}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl ToSchema for Time {}

/// A turn's place in its conversation: microseconds since 1970, below 2^53.
#[derive(ToSchema)]
pub(crate) struct Seq(u64);

/// How a document is written.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum Style {
    Default,
    Literary,
    Factual,
    Conversational,
}

/// How a document is to be written; `auto` is what the conversation shows.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum StyleChoice {
    Auto,
    Default,
    Literary,
    Factual,
    Conversational,
}

/// What is suggested for a block.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum SuggestedAction {
    Replace,
    Delete,
    Insert,
}

/// Who wrote a block last.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum BlockAuthor {
    Human,
    Scribe,
}

/// How a turn reaches the function; `off` and `none` where nothing was recorded.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum Delivery {
    Invoked,
    Deferred,
    Direct,
    Off,
    None,
}

/// A message of a conversation.
#[derive(ToSchema)]
pub(crate) struct Message {
    role: Role,
    content: String,
}

/// Who said it.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
enum Role {
    User,
    Assistant,
}

/// Numbers of tokens.
#[derive(ToSchema)]
struct Tokens {
    /// The prompts, cached parts included.
    prompt: u64,
    /// What of them the model's server had in its cache.
    cached: u64,
    /// The answers.
    output: u64,
}

/// What a turn has cost.
#[derive(ToSchema)]
pub(crate) struct Usage {
    /// Calls of the model.
    calls: u32,
    /// How many of them the tokens are known of.
    metered: u32,

    #[schema(nullable = false)]
    tokens: Option<Tokens>,
}

/// What the turns in a document have cost.
#[derive(ToSchema)]
struct Cost {
    /// How many turns all tokens are known of.
    turns: u64,
    calls: u64,
    metered: u64,
    tokens: Tokens,
}

/// When things happened to a turn, in milliseconds since 1970.
#[derive(ToSchema)]
pub(crate) struct TurnTimes {
    #[schema(nullable = false)]
    recorded: Option<u64>,
    #[schema(nullable = false)]
    claimed: Option<u64>,
    #[schema(nullable = false)]
    finished: Option<u64>,
}

/// A conversation's scribe.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct Session {
    conversation_id: ConversationId,
    text_asset_id: Id,
    slug: String,
    title: String,
    scribe_enabled: bool,
    /// When the scribe last changed the document.
    last_update_at: Time,
    user_id: Id,
    tenant_id: Id,
    created_at: Time,
    /// How many turns of this conversation are in the document.
    message_count: u64,
    /// The document, where it is known without reading S3.
    #[schema(nullable = false)]
    current_content: Option<String>,
}

/// A document. Other programs may have put more into it.
#[derive(ToSchema)]
pub(crate) struct MediaAsset {
    id: Id,
    media_type: String,
    title: String,
    /// Markdown.
    content: String,
    created_at: Time,
    updated_at: Time,
    metadata: Metadata,
}

/// What is known of a document. Other programs may have put more into it.
#[derive(ToSchema)]
struct Metadata {
    slug: String,
    source: String,
    status: String,
    scribe_enabled: bool,
    #[schema(nullable = false)]
    conversation_id: Option<ConversationId>,
    categories: Vec<String>,
    style: Style,
    #[schema(nullable = false)]
    instructions: Option<String>,
    #[schema(nullable = false)]
    last_scribe_update: Option<Time>,
    #[schema(nullable = false)]
    last_message_id: Option<String>,
    #[schema(nullable = false)]
    scribe_version: Option<String>,
    /// To be read only.
    scribe_usage: Cost,
}
