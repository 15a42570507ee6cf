//! What tokens may call tenants and people: whatever an identity provider calls them, and each one is another.

use super::*;

#[tokio::test]
async fn claims_that_are_no_names_name_nobody() {
    let world = World::new().await;
    let api = world.api_with(&with_tokens());
    let ids = conversation(&api, "c1").await;
    let documents = routes(&document());
    let route = documents
        .iter()
        .find(|route| route.path == "/api/media-assets/{id}" && route.method == "GET");
    let route = route.unwrap();
    let long = "a".repeat(1025);
    for odd in [
        json!(""),
        json!(long),
        json!(7.5),
        json!(null),
        json!(true),
        json!(["acme"]),
        json!({ "acme": "acme" }),
    ] {
        for claim in ["tenant", "sub"] {
            let mut claims = claims("acme", "ann");
            claims[claim] = odd.clone();
            let answer = ask(&api, route, &ids, &hs256(&claims, SECRET)).await;
            check_refusal(&answer, "token_not_valid", &format!("{claim} {odd}"));
        }
    }
    for claim in ["tenant", "sub", "exp"] {
        let mut claims = claims("acme", "ann");
        claims.as_object_mut().unwrap().remove(claim);
        let answer = ask(&api, route, &ids, &hs256(&claims, SECRET)).await;
        check_refusal(&answer, "token_not_valid", claim);
    }
}

/// Whatever a tenant is called, it has a place of its own, and what others are called opens none of it.
#[tokio::test]
async fn tenants_and_people_may_be_called_anything() {
    let world = World::new().await;
    let api = world.api_with(&with_tokens());
    conversation(&api, "c1").await;
    let others = [
        " ",
        ".",
        "..",
        "acme/",
        "/acme",
        "../acme",
        "acme/conversations",
        "acme ",
        " acme",
        "acme\n",
        "acme\u{0}",
        "acmé",
        "{acme}",
        "acme%2f",
        "acme_x2F_",
        "acme_x5F_x2F_x5F_",
        "*",
        "Acme",
        "ACME",
        "acme.",
        "acme-",
        "auth0|5f7c8ec7c33c6c004bbafe82",
        "google-oauth2|1234",
        "ann@example.com",
        "https://id.example/t?id=7#x",
        "default",
        "7",
        &"a".repeat(129),
        &"a".repeat(130),
        &"|".repeat(1024),
    ];
    let start = json!({ "conversationId": "c1", "title": "Emon" });
    let mut documents = Vec::new();
    for name in others {
        let token = right(name, name);
        // The conversation of the same name is another one: it is new.
        let started = post(&api, "start", &token, &start).await;
        assert_eq!(started.status, StatusCode::CREATED, "{name:?}: {}", started.body);
        documents.push((token, started.json()["textAssetId"].as_str().unwrap().to_owned()));
    }
    for (asker, (token, _)) in documents.iter().enumerate() {
        for (owner, (_, asset)) in documents.iter().enumerate() {
            let request = Request::get(format!("/api/media-assets/{asset}")).header("x-api-key", token);
            let answer = send(&api, request.body(Body::empty()).unwrap()).await;
            let wanted = if asker == owner {
                StatusCode::OK
            } else {
                StatusCode::NOT_FOUND
            };
            assert_eq!(
                answer.status, wanted,
                "{:?} reads {:?}",
                others[asker], others[owner]
            );
        }
    }
    // Its own name is nobody's to write otherwise: in the body it may stand as the token has it.
    let token = right("https://id.example/t", "auth0|5f7c");
    let body = json!({
        "conversationId": "c2", "title": "Emon", "tenantId": "https://id.example/t", "userId": "auth0|5f7c"
    });
    let started = post(&api, "start", &token, &body).await;
    assert_eq!(started.status, StatusCode::CREATED, "{}", started.body);
    let path = format!(
        "/api/media-assets/{}/versions",
        started.json()["textAssetId"].as_str().unwrap()
    );
    let versions = Request::get(path).header("x-api-key", token).body(Body::empty());
    let versions = send(&api, versions.unwrap()).await.json();
    assert_eq!(
        versions["versions"][0]["author"]["user"], "auth0_x7C_5f7c",
        "{versions}"
    );
}
