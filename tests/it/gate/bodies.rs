//! Bodies, as the description of the API has them.

use super::*;

/// The parser would read a list as an object's fields in the order in which they stand in our code.
#[tokio::test]
async fn no_list_is_read_as_an_object_anywhere_in_a_body() {
    let world = World::new().await;
    let api = world.api_with(&with_tokens());
    let token = format!("Bearer {}", right("acme", "ann"));
    let document = document();
    let mut tried = Vec::new();
    for (number, route) in routes(&document).iter().enumerate() {
        let ids = conversation(&api, &format!("c{number}")).await;
        for nested in route.nested(&document, &ids) {
            let send = |body: &Value| {
                let request = Request::builder()
                    .method(route.method.as_str())
                    .uri(route.path_with(&ids))
                    .header("authorization", &token)
                    .header("content-type", "application/json")
                    .body(Body::from(body.to_string()));
                send(&api, request.unwrap())
            };
            let what = format!("{} {}", route.path, nested.field);
            let right = send(&nested.right).await;
            assert!(right.status.is_success(), "{what}: {}", right.body);
            let wrong = send(&nested.wrong).await;
            assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{what}: {}", wrong.body);
            assert_eq!(
                wrong.json()["error"]["field"],
                nested.field,
                "{what}: {}",
                wrong.body
            );
            tried.push(what);
        }
    }
    assert_eq!(tried, ["/api/chat/background-doc/start messages[0]"]);
}
