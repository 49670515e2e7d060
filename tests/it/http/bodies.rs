//! Bodies that are too large, too deep, cut off, or not what they say they are.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use crate::support::server::{Answer, Server, send};

use super::{assert_problem, changes_nothing};

const CREATE: &str = "/admin/coupons";
const RESTOCK: &str = "/admin/coupons/summer/restock";

#[tokio::test]
async fn a_json_bomb_is_refused_before_it_costs_anything_i4() {
    let keys = |count: usize| {
        let keys: Vec<String> = (0..count).map(|number| format!("\"k{number}\":1")).collect();
        format!("{{{}}}", keys.join(","))
    };
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let in_a_field = |value: &str| format!("{{\"id\":\"new\",\"name\":\"N\",\"total\":{value}}}");
    let (megabyte, spaces) = ("x".repeat(1 << 20), " ".repeat(1 << 20));
    let cases = [
        ("depth 100,000", nested(100_000), 413, "body_too_large"),
        ("depth 30,000", nested(30_000), 422, "validation_failed"),
        ("depth 30,000 in a field", in_a_field(&nested(30_000)), 422, "validation_failed"),
        ("depth 30,000 of objects", "{\"a\":".repeat(12_000), 422, "validation_failed"),
        ("100,000 keys", keys(100_000), 413, "body_too_large"),
        ("5,000 keys", keys(5_000), 422, "validation_failed"),
        ("a megabyte", in_a_field(&format!("\"{megabyte}\"")), 413, "body_too_large"),
        ("a megabyte of nothing", spaces, 413, "body_too_large"),
        (
            "60 KB for a number",
            in_a_field(&format!("\"{}\"", &megabyte[..60_000])),
            422,
            "validation_failed",
        ),
    ];
    changes_nothing(async |server| {
        for (what, body, status, code) in &cases {
            let answer = sent(server, CREATE, "application/json", body.clone()).await;
            assert_problem(what, &answer, *status, code);
            assert!(answer.body.len() < 2_000, "{what}: a short answer");
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused_i4() {
    let definition = "{\"id\":\"new\",\"name\":\"N\",\"total\":5}";
    let utf_16: Vec<u8> = definition.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: Vec<(&str, &str, Vec<u8>, &str)> = vec![
        ("nothing", CREATE, Vec::new(), "invalid_json"),
        ("text", CREATE, b"hello".to_vec(), "invalid_json"),
        ("a form", CREATE, b"id=new&total=5".to_vec(), "invalid_json"),
        ("cut off", CREATE, definition[..20].into(), "invalid_json"),
        ("two objects", CREATE, definition.repeat(2).into(), "invalid_json"),
        ("a comma too many", CREATE, b"{\"id\":\"new\",}".to_vec(), "invalid_json"),
        ("UTF-16", CREATE, utf_16, "invalid_json"),
        ("no UTF-8", CREATE, b"{\"id\":\"\xff\"}".to_vec(), "invalid_json"),
        ("a byte order mark", CREATE, format!("\u{feff}{definition}").into(), "invalid_json"),
        ("null", CREATE, b"null".to_vec(), "validation_failed"),
        ("a string", CREATE, b"\"new\"".to_vec(), "validation_failed"),
        ("the values alone", CREATE, b"[\"new\",\"N\",5]".to_vec(), "validation_failed"),
        ("the value alone", RESTOCK, b"[500]".to_vec(), "validation_failed"),
        ("a number", RESTOCK, b"500".to_vec(), "validation_failed"),
        ("twice", RESTOCK, b"{\"delta\":1,\"delta\":2}".to_vec(), "validation_failed"),
        (
            "a key twice",
            CREATE,
            b"{\"id\":\"new\",\"id\":\"new\",\"name\":\"N\",\"total\":5}".to_vec(),
            "validation_failed",
        ),
    ];
    changes_nothing(async |server| {
        for (what, path, body, code) in &cases {
            let answer = sent(server, path, "application/json", body.clone()).await;
            let status = if *code == "invalid_json" { 400 } else { 422 };
            assert_problem(what, &answer, status, code);
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_must_say_that_it_is_json_and_an_act_without_a_body_takes_none_i4() {
    changes_nothing(async |server| {
        let definition = "{\"id\":\"new\",\"name\":\"N\",\"total\":5}";
        for media_type in [
            "text/plain",
            "text/json",
            "application/jsonx",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=json",
            "application/json, text/plain",
            "",
        ] {
            let answer = sent(server, CREATE, media_type, definition).await;
            assert_problem(media_type, &answer, 415, "unsupported_media_type");
        }
        let request = server.ask_as_admin(Method::POST, CREATE).body(definition);
        let answer = send(request).await.unwrap();
        assert_problem("no type", &answer, 415, "unsupported_media_type");
        for media_type in ["application/json; charset=utf-8", "Application/JSON"] {
            let answer = sent(server, CREATE, media_type, "{").await;
            assert_problem(media_type, &answer, 400, "invalid_json");
        }
        for act in ["preload", "pause", "resume", "release", "close"] {
            let path = format!("/admin/coupons/summer/{act}");
            for body in ["[]", "null", "{\"total\":5}", "x", "{}{}"] {
                let answer = sent(server, &path, "application/json", body).await;
                assert_problem(&format!("{act} {body}"), &answer, 422, "validation_failed");
            }
        }
        let answer = sent(server, "/admin/tickets/summer.1/cancel", "", "x").await;
        assert_problem("a body of a cancel", &answer, 422, "validation_failed");
        let answer = sent(server, "/admin/coupons/summer/preload", "", " {} ").await;
        assert_eq!(answer.status, 200, "preloaded before: {answer:?}");
    })
    .await;
}

async fn sent(
    server: &Server,
    path: &str,
    media_type: &str,
    body: impl Into<reqwest::Body>,
) -> Answer {
    let request = server.ask_as_admin(Method::POST, path).header(CONTENT_TYPE, media_type);
    send(request.header("Idempotency-Key", "a-body").body(body)).await.unwrap()
}

#[tokio::test]
async fn a_condition_that_is_given_twice_is_refused_and_changes_nothing_i4() {
    changes_nothing(async |server| {
        for (name, values, code) in [
            ("Idempotency-Key", ["one", "two"], "idempotency_key_invalid"),
            ("If-Match", ["\"2\"", "\"3\""], "invalid_query"),
        ] {
            let request = server.ask_as_admin(Method::POST, "/admin/coupons/summer/restock");
            let request = request.header("Idempotency-Key", "key").header(name, values[0]);
            let request = request.header(CONTENT_TYPE, "application/json").body(r#"{"delta":5}"#);
            let answer = send(request.header(name, values[1])).await.unwrap();
            assert_problem(name, &answer, 400, code);
        }
    })
    .await;
}
