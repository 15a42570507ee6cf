//! A script that touches a key without declaring it is refused, by the watch that every Redis of these tests has.

use redis::{FromRedisValue, Script};

use crate::world::RedisServer;

async fn run<T: FromRedisValue>(redis: &RedisServer, text: &str, keys: &[&str]) -> T {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let script = Script::new(text);
    let mut call = script.prepare_invoke();
    for key in keys {
        call.key(key);
    }
    call.arg("k:{a}:3").invoke_async(&mut connection).await.unwrap()
}

#[tokio::test]
async fn every_way_to_touch_an_undeclared_key_is_refused() {
    let mut redis = RedisServer::start();
    for (text, keys, said) in [
        ("return redis.call('GET', 'k')", &[][..], "GET touched k,"),
        (
            "return redis.call('GET', ARGV[1])",
            &["k:{a}:1"],
            "GET touched k:{a}:3,",
        ),
        (
            "return redis.call('GET', KEYS[1] .. '0')",
            &["k:{a}:1"],
            "GET touched k:{a}:10,",
        ),
        (
            "return redis.pcall('get', KEYS[1] .. '\\n\"é')",
            &["k"],
            "GET touched k\n\"é,",
        ),
        (
            "return redis.call('MGET', KEYS[1], KEYS[2], 'z{a}')",
            &["k{a}", "l{a}"],
            "MGET touched z{a},",
        ),
        (
            "redis.call('SET', KEYS[1], 1) redis.call('RENAME', KEYS[1], 'k2')",
            &["k"],
            "RENAME touched k2,",
        ),
        (
            "redis.call('MSET', KEYS[1], 'z', 'y', KEYS[1])",
            &["k"],
            "MSET touched y,",
        ),
        (
            "return redis.call('SORT', KEYS[1], 'BY', 'w_*')",
            &["s"],
            "SORT touched a key that can't be seen,",
        ),
        (
            "return redis.call('OBJECT', 'ENCODING', 'y')",
            &["k"],
            "OBJECT touched a key that can't be seen,",
        ),
        (
            "return redis.call('GET', KEYS[1])",
            &["k:{a}:1", "k:{b}:1"],
            "keys of several slots are declared",
        ),
    ] {
        run::<redis::Value>(&redis, text, keys).await;
        let refused = redis.watch().take_refused();
        assert_eq!(refused.len(), 1, "{text}: {refused:?}");
        assert!(
            refused.iter().all(|refused| refused.starts_with(said)),
            "{text}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn declared_keys_and_no_keys_are_fine() {
    let mut redis = RedisServer::start();
    let text = "redis.call('MSET', KEYS[1], 'not-a-key', KEYS[2], KEYS[1]) redis.call('TIME') \
                redis.call('PUBLISH', ARGV[1], 'x') return redis.call('ZRANGE', KEYS[3], 0, -1)";
    run::<Vec<String>>(&redis, text, &["k{a}", "l{a}", "m{a}"]).await;
    assert_eq!(redis.watch().take_refused().len(), 0);
    assert_eq!(redis.watch().ran().into_iter().collect::<Vec<_>>(), [text]);
}

#[tokio::test]
#[should_panic(expected = "GET touched elsewhere, which is not declared")]
async fn a_test_whose_scripts_do_that_fails() {
    let redis = RedisServer::start();
    run::<redis::Value>(&redis, "return redis.call('GET', 'elsewhere')", &["k"]).await;
}

#[tokio::test]
#[should_panic(expected = "GET touched elsewhere, which is not declared")]
async fn it_fails_too_where_redis_was_started_again() {
    let mut redis = RedisServer::start();
    redis.kill();
    redis.restart();
    run::<redis::Value>(&redis, "return redis.call('GET', 'elsewhere')", &["k"]).await;
}
