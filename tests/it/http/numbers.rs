//! Fields of definitions: numbers that are none, or too large to be exact, and all else.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use crate::support::server::{Answer, Server, send};

use super::{USED_KEY, assert_problem, changes_nothing};

/// What is no number from 1 to 100, or to 10^9, however JSON writes it.
const NO_NUMBERS: [&str; 17] = [
    "0",
    "-1",
    "-0",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551616",
    "1e3",
    "1E0",
    "1.5",
    "1.0",
    "\"0x10\"",
    "\"10\"",
    "null",
    "true",
    "[1]",
    "{}",
];
/// What is no JSON at all.
const NO_JSON: [&str; 7] = ["NaN", "Infinity", "0x10", "+1", "01", "1.", ""];

const INSTANT: &str = "2026-12-01T12:00:00+09:00";

#[tokio::test]
async fn a_number_is_whole_exact_and_within_its_bounds_or_the_body_is_refused_i1_i4() {
    changes_nothing(async |server| {
        for number in NO_NUMBERS {
            for (what, answer) in with_number(server, number).await {
                let what = format!("{what} {number}");
                assert_problem(&what, &answer, 422, "validation_failed");
            }
        }
        for number in NO_JSON {
            for (what, answer) in with_number(server, number).await {
                assert_problem(&format!("{what} {number}"), &answer, 400, "invalid_json");
            }
        }
        let rest = "\"id\":\"new\",\"name\":\"N\"";
        for field in ["\"total\":1000000001", "\"total\":1,\"per_user_limit\":101"] {
            let answer = create(server, &format!("{{{rest},{field}}}")).await;
            assert_problem(field, &answer, 422, "validation_failed");
        }
        for delta in ["1000000001", "-1000000001", "-9223372036854775808"] {
            let answer = restock(server, &format!("{{\"delta\":{delta}}}")).await;
            assert_problem(delta, &answer, 422, "validation_failed");
        }
        assert_eq!(restock(server, "{\"delta\":999999999}").await.code(), "total_too_large");
        assert_eq!(restock(server, "{\"delta\":-10}").await.code(), "below_issued", "I1");
    })
    .await;
}

/// The answers to bodies with this number in every place that takes one.
async fn with_number(server: &Server, number: &str) -> Vec<(&'static str, Answer)> {
    let patch = async |id: &str, body: String| {
        let path = format!("/admin/coupons/{id}");
        sent(server, Method::PATCH, &path, &body).await
    };
    let rest = "\"id\":\"new\",\"name\":\"New\"";
    let mut answers = vec![
        ("total", create(server, &format!("{{{rest},\"total\":{number}}}")).await),
        (
            "per_user_limit",
            create(server, &format!("{{{rest},\"total\":1,\"per_user_limit\":{number}}}")).await,
        ),
        ("total of a draft", patch("winter", format!("{{\"total\":{number}}}")).await),
        ("limit of a draft", patch("winter", format!("{{\"per_user_limit\":{number}}}")).await),
        ("limit, live", patch("summer", format!("{{\"per_user_limit\":{number}}}")).await),
    ];
    if number != "-1" {
        answers.push(("delta", restock(server, &format!("{{\"delta\":{number}}}")).await));
    }
    answers
}

#[tokio::test]
async fn a_field_out_of_bounds_or_unknown_is_named_and_changes_nothing_i4() {
    changes_nothing(async |server| {
        let name_max = "x".repeat(201);
        for (pointer, field) in [
            ("/name", json!({ "name": "" })),
            ("/name", json!({ "name": name_max })),
            ("/name", json!({ "name": "a\nb" })),
            ("/name", json!({ "name": "a\u{0}b" })),
            ("/total", json!({ "total": 0 })),
            ("/per_user_limit", json!({ "per_user_limit": 0 })),
            ("/closes_at", window("2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z")),
            ("/closes_at", window("2030-01-02T00:00:00Z", "2030-01-01T00:00:00Z")),
        ] {
            for answer in refused(server, &field).await {
                assert_problem(pointer, &answer, 422, "validation_failed");
                let body = answer.json();
                assert_eq!(body["errors"][0]["pointer"], pointer, "{field}");
                let detail = body["detail"].as_str().unwrap();
                assert!(detail.starts_with(&pointer[1..]), "names the field: {detail}");
            }
        }
        for field in [
            json!({ "id": "a b" }),
            json!({ "id": "x".repeat(65) }),
            json!({ "id": "" }),
            json!({ "id": null }),
            json!({ "name": null }),
            json!({ "name": 5 }),
            json!({ "kind": "granted" }),
            json!({ "supply": "codes" }),
            json!({ "stock": 5 }),
            json!({ "Total": 5 }),
            json!({ "state": "open" }),
        ] {
            for answer in refused(server, &field).await {
                assert_problem(&field.to_string(), &answer, 422, "validation_failed");
            }
        }
        for (pointer, example, field) in [
            ("/opens_at", INSTANT, json!({ "opens_at": "tomorrow" })),
            ("/opens_at", INSTANT, json!({ "opens_at": 1_764_558_000 })),
            ("/opens_at", INSTANT, json!({ "opens_at": "2026-12-01T12:00:00+0900" })),
            ("/opens_at", INSTANT, json!({ "opens_at": "2026-12-01T12:00:00" })),
            ("/closes_at", INSTANT, json!({ "closes_at": "2026-13-01T00:00:00Z" })),
            ("/closes_at", INSTANT, json!({ "closes_at": "1969-12-31T23:59:59.9999Z" })),
            ("/valid_for", "P7D", json!({ "valid_for": "P1Y" })),
            ("/valid_for", "P7D", json!({ "valid_for": "P0D" })),
            ("/valid_for", "P7D", json!({ "valid_for": 86_400 })),
        ] {
            for answer in refused(server, &field).await {
                assert_problem(pointer, &answer, 422, "validation_failed");
                let fault = &answer.json()["errors"][0];
                assert_eq!(fault["pointer"], pointer, "{field}");
                let detail = answer.json()["detail"].as_str().unwrap().to_owned();
                assert!(detail.starts_with(&pointer[1..]) && !detail.contains("line"), "{detail}");
                assert!(fault["detail"].as_str().unwrap().contains(example), "{fault}");
            }
        }
        for missing in ["{}", "{\"id\":\"new\"}", "{\"id\":\"new\",\"total\":5}"] {
            assert_problem(missing, &create(server, missing).await, 422, "validation_failed");
        }
        let patched = sent(server, Method::PATCH, "/admin/coupons/winter", "{}").await;
        assert_eq!(patched.status, 200, "an empty patch is fine: {patched:?}");
    })
    .await;
}

fn window(opens_at: &str, closes_at: &str) -> serde_json::Value {
    json!({ "opens_at": opens_at, "closes_at": closes_at })
}

/// The answers to a definition and to two patches with this field.
async fn refused(server: &Server, field: &serde_json::Value) -> Vec<Answer> {
    let mut definition = json!({ "id": "new", "name": "New", "total": 5 });
    let fields = field.as_object().unwrap().clone();
    definition.as_object_mut().unwrap().extend(fields);
    let mut answers = vec![create(server, &definition.to_string()).await];
    for path in ["/admin/coupons/winter", "/admin/coupons/summer"] {
        answers.push(sent(server, Method::PATCH, path, &field.to_string()).await);
    }
    answers
}

async fn create(server: &Server, body: &str) -> Answer {
    sent(server, Method::POST, "/admin/coupons", body).await
}

async fn restock(server: &Server, body: &str) -> Answer {
    sent(server, Method::POST, "/admin/coupons/summer/restock", body).await
}

async fn sent(server: &Server, method: Method, path: &str, body: &str) -> Answer {
    let request = server.ask_as_admin(method, path).header(CONTENT_TYPE, "application/json");
    let key = format!("{USED_KEY}-{body}").replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    send(request.header("Idempotency-Key", &key[..key.len().min(200)]).body(body.to_owned()))
        .await
        .unwrap()
}
