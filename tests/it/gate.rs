//! The gate: every route of the `OpenAPI` document, with every kind of token. A route that is added is in the
//! document, and so it is in these tables.

mod bodies;
mod config;
mod names;
mod requests;
mod tokens;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderMap, Request, StatusCode};
use scribe_api::config::{ApiConfig, ApiKeys, Authentication, JwtConfig};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::world::World;
use requests::{Ids, Route, document, routes};
use tokens::{SECRET, claims, hs256, hs512, in_seconds, right, unsigned, with_header};

const KEY: &str = "sk-of-these-tests-0123456789abcdef";

pub(crate) fn with_tokens() -> ApiConfig {
    ApiConfig {
        authentication: Authentication::Tokens {
            jwt: Some(JwtConfig {
                secret: SECRET.to_owned().into(),
                tenant_claim: "tenant".into(),
                user_claim: "sub".into(),
                issuer: None,
                audience: None,
            }),
            keys: ApiKeys::parse(&format!("acme/ann:{KEY}")).unwrap(),
        },
        ..ApiConfig::default()
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

async fn send(api: &Router, request: Request<Body>) -> Answer {
    let response = api.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let kind = parts
        .headers
        .get("content-type")
        .map(|kind| kind.to_str().unwrap().to_owned());
    // A stream of events has no end.
    let body = if kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
        String::new()
    } else {
        String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap()
    };
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

fn request(route: &Route, ids: &Ids, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder()
        .method(route.method.as_str())
        .uri(route.path_with(ids));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    match route.body_with(&document(), ids) {
        Some(body) => request
            .header("content-type", "application/json")
            .body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    }
    .unwrap()
}

async fn ask(api: &Router, route: &Route, ids: &Ids, token: &str) -> Answer {
    let shown = format!("Bearer {token}");
    send(api, request(route, ids, &[("authorization", &shown)])).await
}

async fn post(api: &Router, path: &str, token: &str, body: &Value) -> Answer {
    let request = Request::post(format!("/api/chat/background-doc/{path}"))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()));
    send(api, request.unwrap()).await
}

/// A conversation of acme's, with a turn that waits.
async fn conversation(api: &Router, name: &str) -> Ids {
    let token = right("acme", "ann");
    let started = post(
        api,
        "start",
        &token,
        &json!({ "conversationId": name, "title": "Emon" }),
    )
    .await;
    assert_eq!(started.status, StatusCode::CREATED, "{}", started.body);
    let ids = Ids {
        conversation: name.to_owned(),
        message: "m1".to_owned(),
        asset: started.json()["textAssetId"].as_str().unwrap().to_owned(),
    };
    let turn = json!({
        "conversationId": name, "messageId": ids.message, "userMessage": "a text", "assistantResponse": "a text"
    });
    assert_eq!(
        post(api, "turns", &token, &turn).await.status,
        StatusCode::ACCEPTED
    );
    ids
}

fn check_refusal(answer: &Answer, code: &str, what: &str) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}: {}", answer.body);
    assert_eq!(answer.json()["error"]["code"], code, "{what}");
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.starts_with("Bearer"), "{what}: {challenge}");
}

/// Everything that is kept: what stands in S3, and Redis' keys.
async fn stored(world: &World) -> (Vec<String>, Vec<String>) {
    let mut keys: Vec<String> = world.redis.command(&["KEYS", "*"]).await;
    keys.sort();
    (world.keys("").await, keys)
}

#[tokio::test]
async fn nobody_passes_without_a_right_token() {
    let world = World::new().await;
    let api = world.api_with(&with_tokens());
    let ids = conversation(&api, "c1").await;
    let token = right("acme", "ann");
    let (signed, _) = token.rsplit_once('.').unwrap();
    let mut expired = claims("acme", "ann");
    expired["exp"] = json!(in_seconds(-3600));
    let wrong: [(&str, String); 6] = [
        (
            "token_not_valid",
            hs256(
                &claims("acme", "ann"),
                "another-secret-of-enough-bytes-0123456789",
            ),
        ),
        ("token_not_valid", format!("{signed}.")),
        ("token_expired", hs256(&expired, SECRET)),
        ("token_not_valid", unsigned(&claims("acme", "ann"))),
        ("token_not_valid", hs512(&claims("acme", "ann"), SECRET)),
        ("token_not_valid", format!("{KEY}x")),
    ];
    let before = stored(&world).await;
    let routes = routes(&document());
    assert!(routes.len() > 10, "the document names no routes");
    for route in routes.iter().filter(|route| !route.is_open) {
        let what = format!("{} {}", route.method, route.path);
        check_refusal(
            &send(&api, request(route, &ids, &[])).await,
            "token_missing",
            &what,
        );
        for (code, token) in &wrong {
            let answer = ask(&api, route, &ids, token).await;
            check_refusal(&answer, code, &what);
            assert!(!answer.body.contains(token.as_str()), "{what}");
        }
    }
    assert_eq!(stored(&world).await, before, "somebody without a token wrote");
    for path in ["/", "/api/nothing", "/api/chat/background-doc/c1/nothing"] {
        let nowhere = Request::get(path).body(Body::empty()).unwrap();
        check_refusal(&send(&api, nowhere).await, "token_missing", path);
    }
}

#[tokio::test]
async fn open_routes_are_the_two_that_tell_nothing_of_anybody() {
    let world = World::new().await;
    let api = world.api_with(&with_tokens());
    let ids = conversation(&api, "c1").await;
    let routes = routes(&document());
    let open = routes.iter().filter(|route| route.is_open);
    let mut paths = Vec::new();
    for route in open {
        assert_eq!(send(&api, request(route, &ids, &[])).await.status, StatusCode::OK);
        paths.push(route.path.as_str());
    }
    assert_eq!(paths, ["/healthz", "/openapi.json"]);
}

#[tokio::test]
async fn right_tokens_and_keys_open_every_route() {
    let world = World::new().await;
    let api = world.api_with(&with_tokens());
    for (number, route) in routes(&document()).iter().enumerate() {
        let what = format!("{} {}", route.method, route.path);
        let token = right("acme", "ann");
        let bearer = format!("Bearer {token}");
        let key = format!("Bearer {KEY}");
        let ways = [
            ("authorization", bearer.as_str()),
            ("authorization", &key),
            ("x-api-key", KEY),
            ("x-api-key", &token),
        ];
        for (way, shown) in ways.into_iter().enumerate() {
            let ids = conversation(&api, &format!("c-{number}-{way}")).await;
            let answer = send(&api, request(route, &ids, &[shown])).await;
            let status = answer.status.as_u16();
            assert!(
                route.names(status),
                "{what} answers {status}, which is not documented"
            );
            assert!(![401, 403, 429, 500].contains(&status), "{what}: {}", answer.body);
            assert!(!route.is_known() || status != 404, "{what}: {}", answer.body);
        }
    }
}

/// What is another's is answered like what does not exist, byte for byte.
#[tokio::test]
async fn what_another_tenant_has_does_not_exist() {
    let world = World::new().await;
    let api = world.api_with(&with_tokens());
    let ids = conversation(&api, "c1").await;
    let absent = Ids {
        conversation: "c9".to_owned(),
        message: "m9".to_owned(),
        asset: "00000000-0000-4000-8000-000000000009".to_owned(),
    };
    let ours = |prefix: &'static str| {
        let world = &world;
        async move { world.keys(prefix).await }
    };
    let before = ours("tenants/acme/").await;
    let stood = owner_sees(&api, &ids).await;
    for (number, route) in routes(&document())
        .iter()
        .enumerate()
        .filter(|(_, route)| !route.is_open)
    {
        let what = format!("{} {}", route.method, route.path);
        // Two tenants that have nothing, so that what one request made is not what the other finds.
        let theirs = ask(&api, route, &ids, &right(&format!("other-{number}"), "ann")).await;
        let nothing = ask(&api, route, &absent, &right(&format!("void-{number}"), "ann")).await;
        let blank = |answer: &Answer, ids: &Ids, tenant: &str| {
            let text = answer.body.replace(&ids.asset, "ASSET").replace(tenant, "TENANT");
            let text = text.replace(&format!("\"{}\"", ids.conversation), "\"CONVERSATION\"");
            let text = text.replace(&format!("\"{}\"", ids.message), "\"MESSAGE\"");
            without_times(serde_json::from_str(&text).unwrap_or_default())
        };
        assert_eq!(theirs.status, nothing.status, "{what}");
        assert_eq!(
            blank(&theirs, &ids, &format!("other-{number}")),
            blank(&nothing, &absent, &format!("void-{number}")),
            "{what}"
        );
        let names = |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&theirs), names(&nothing), "{what}");
    }
    assert_eq!(
        ours("tenants/acme/").await,
        before,
        "another tenant wrote to ours"
    );
    assert_eq!(owner_sees(&api, &ids).await, stood, "another tenant changed ours");
}

/// What the owner sees of a conversation: its session, its turns and its document.
async fn owner_sees(api: &Router, ids: &Ids) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in [
        format!("/api/chat/background-doc/{}", ids.conversation),
        format!("/api/chat/background-doc/{}/turns", ids.conversation),
        format!("/api/media-assets/{}", ids.asset),
    ] {
        let request = Request::get(path).header("x-api-key", KEY).body(Body::empty());
        let answer = send(api, request.unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let mut seen_now = answer.json();
        if let Some(status) = seen_now.get_mut("status") {
            status["waitingForMs"] = Value::Null;
        }
        seen.push(seen_now);
    }
    seen
}

/// Ids that are drawn, and whatever follows the clock.
fn without_times(value: Value) -> Value {
    match value {
        Value::String(text) if uuid::Uuid::parse_str(&text).is_ok() => json!("UUID"),
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => json!("TIME"),
        Value::Number(_) => json!("NUMBER"),
        Value::Array(items) => items.into_iter().map(without_times).collect(),
        Value::Object(fields) => {
            let fields = fields
                .into_iter()
                .map(|(name, value)| (name, without_times(value)));
            Value::Object(fields.collect())
        }
        other => other,
    }
}

#[tokio::test]
async fn only_what_a_token_proves_counts() {
    let world = World::new().await;
    let mut config = with_tokens();
    if let Authentication::Tokens { jwt: Some(jwt), .. } = &mut config.authentication {
        (jwt.issuer, jwt.audience) = (Some("https://login.example".into()), Some("scribe".into()));
    }
    let (plain, strict) = (world.api_with(&with_tokens()), world.api_with(&config));
    let ids = conversation(&plain, "c1").await;
    let documents = routes(&document());
    let route = documents
        .iter()
        .find(|route| route.path == "/api/media-assets/{id}" && route.method == "GET");
    let route = route.unwrap();
    let with = |changes: Value| {
        let mut claims = claims("acme", "ann");
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let hs256_header = json!({ "alg": "HS256" });
    for (api, changes, header, is_right) in [
        (&plain, json!({}), json!({ "alg": "HS256" }), true),
        (
            &plain,
            json!({ "exp": in_seconds(-5) }),
            hs256_header.clone(),
            true,
        ),
        (
            &plain,
            json!({ "exp": in_seconds(600).to_string() }),
            hs256_header.clone(),
            false,
        ),
        (&plain, json!({ "exp": -1 }), hs256_header.clone(), false),
        (
            &plain,
            json!({ "nbf": in_seconds(-600) }),
            hs256_header.clone(),
            true,
        ),
        (
            &plain,
            json!({ "nbf": in_seconds(600) }),
            hs256_header.clone(),
            false,
        ),
        (&plain, json!({ "nbf": "soon" }), hs256_header.clone(), false),
        (&plain, json!({ "aud": "another" }), hs256_header.clone(), false),
        (&plain, json!({}), json!({ "alg": "RS256" }), false),
        (&plain, json!({}), json!({ "alg": "none" }), false),
        (&plain, json!({}), json!({ "alg": "hs256" }), false),
        (
            &plain,
            json!({}),
            json!({ "alg": "HS256", "crit": ["exp"] }),
            false,
        ),
        (&plain, json!({}), json!({}), false),
        (&strict, json!({}), hs256_header.clone(), false),
        (
            &strict,
            json!({ "iss": "https://login.example" }),
            hs256_header.clone(),
            false,
        ),
        (
            &strict,
            json!({ "aud": "scribe", "iss": "https://evil.example" }),
            hs256_header.clone(),
            false,
        ),
        (
            &strict,
            json!({ "aud": "another", "iss": "https://login.example" }),
            hs256_header.clone(),
            false,
        ),
        (
            &strict,
            json!({ "aud": ["a", "scribe"], "iss": "https://login.example" }),
            hs256_header.clone(),
            true,
        ),
    ] {
        let token = with_header(&header, &with(changes.clone()), SECRET);
        let answer = ask(api, route, &ids, &token).await;
        let wanted = if is_right {
            StatusCode::OK
        } else {
            StatusCode::UNAUTHORIZED
        };
        assert_eq!(answer.status, wanted, "{header} {changes}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_body_names_the_caller_or_nobody() {
    let world = World::new().await;
    let api = world.api_with(&with_tokens());
    let token = right("acme", "ann");
    let start = |tenant: &str, user: &str| json!({ "conversationId": "c1", "title": "Emon", "tenantId": tenant, "userId": user });
    for (tenant, user, field) in [("default", "ann", "tenantId"), ("acme", "default-user", "userId")] {
        let answer = post(&api, "start", &token, &start(tenant, user)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        assert_eq!(answer.json()["error"]["field"], field);
    }
    assert_eq!(world.keys("").await, Vec::<String>::new());
    let answer = post(&api, "start", &token, &start("acme", "ann")).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
}
