//! Methods, tokens, queries and conditional headers that are not what a path takes.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use serde_json::json;

use crate::support::raw;
use crate::support::server::{Answer, Server, TOKEN, send};

use super::{USED_KEY, assert_problem, changes_nothing};

const SHOWS: &str = "GET, HEAD, OPTIONS";
const DOES: &str = "POST, OPTIONS";
const PUBLIC_PATHS: [(&str, &str); 9] = [
    ("/coupons/summer/issue", "GET, POST, OPTIONS"),
    ("/coupons/summer", SHOWS),
    ("/coupons/summer/audit", SHOWS),
    ("/me/tickets", SHOWS),
    ("/tickets/summer.1", SHOWS),
    ("/healthz", SHOWS),
    ("/readyz", SHOWS),
    ("/docs/errors", SHOWS),
    ("/", SHOWS),
];
const ADMIN_PATHS: [(&str, &str); 22] = [
    ("/admin/coupons", "GET, HEAD, POST, OPTIONS"),
    ("/admin/coupons/summer", "GET, HEAD, PATCH, DELETE, OPTIONS"),
    ("/admin/coupons/summer/preload", DOES),
    ("/admin/coupons/summer/restock", DOES),
    ("/admin/coupons/summer/pause", DOES),
    ("/admin/coupons/summer/resume", DOES),
    ("/admin/coupons/summer/release", DOES),
    ("/admin/coupons/summer/close", DOES),
    ("/admin/coupons/summer/acts", SHOWS),
    ("/admin/coupons/summer/stats", SHOWS),
    ("/admin/coupons/summer/winners", SHOWS),
    ("/admin/tickets/summer.1/cancel", DOES),
    ("/admin/tickets/restore", DOES),
    ("/admin/dead-letters", SHOWS),
    ("/admin/dead-letters/0f", SHOWS),
    ("/admin/dead-letters/0f/replay", DOES),
    ("/admin/dead-letters/0f/drop", DOES),
    ("/metrics", SHOWS),
    ("/healthz", SHOWS),
    ("/readyz", SHOWS),
    ("/docs/errors", SHOWS),
    ("/", SHOWS),
];
const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"];

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_405_with_allow_and_changes_nothing_i4() {
    changes_nothing(async |server| {
        for (path, allow) in PUBLIC_PATHS {
            let ask = |method| server.ask(method, path).header("X-User-Id", "mallory");
            refuse_all_but(allow, path, ask).await;
        }
        for (path, allow) in ADMIN_PATHS {
            refuse_all_but(allow, path, |method| server.ask_as_admin(method, path)).await;
        }
    })
    .await;
}

async fn refuse_all_but(allow: &str, path: &str, ask: impl Fn(Method) -> reqwest::RequestBuilder) {
    for word in METHODS.into_iter().filter(|word| !allow.split(", ").any(|one| one == *word)) {
        let method = Method::from_bytes(word.as_bytes()).unwrap();
        let answer = send(ask(method)).await.unwrap();
        let what = format!("{word} {path}");
        assert_eq!(answer.headers.get("allow").map(String::as_str), Some(allow), "{what}");
        match word {
            "HEAD" => assert_eq!((answer.status.as_u16(), answer.body.as_str()), (405, "")),
            _ => assert_problem(&what, &answer, 405, "method_not_allowed"),
        }
    }
}

#[tokio::test]
async fn without_the_whole_token_nothing_of_the_admin_listener_is_told_or_changed_i4() {
    changes_nothing(async |server| {
        let (bearer, last) = (format!("Bearer {TOKEN}"), &TOKEN[..TOKEN.len() - 1]);
        let wrong: [Vec<u8>; 12] = [
            "".into(),
            "Bearer".into(),
            "Bearer ".into(),
            TOKEN.into(),
            format!("Basic {TOKEN}").into(),
            format!("Token {TOKEN}").into(),
            format!("Bearer  {TOKEN}").into(),
            format!("Bearer {last}").into(),
            format!("Bearer {last}x").into(),
            format!("Bearer {TOKEN}x").into(),
            format!("Bearer {}", TOKEN.to_uppercase()).into(),
            b"Bearer \xff\xfe".to_vec(),
        ];
        for (path, _) in ADMIN_PATHS.iter().filter(|(path, _)| path.starts_with("/admin")) {
            for method in [Method::GET, Method::POST, Method::PATCH, Method::DELETE] {
                let url = format!("{}{path}", server.admin);
                let bare = reqwest::Client::new().request(method.clone(), &url);
                assert_unauthenticated(&send(bare).await.unwrap());
            }
            for value in &wrong {
                let value = HeaderValue::from_bytes(value).unwrap();
                let url = format!("{}{path}", server.admin);
                let request = reqwest::Client::new().post(&url).header(AUTHORIZATION, value);
                assert_unauthenticated(&send(request).await.unwrap());
            }
        }
        for path in ["/admin/nothing", "/admin", "/admin/"] {
            let answer = raw::get(&server.admin, path, b"").await;
            assert!(matches!(answer.status.as_u16(), 401 | 404), "{path}: {answer:?}");
        }
        let answer = server.get_as_admin("/admin/nothing").await;
        assert_problem("an admin is told", &answer, 404, "not_found");
        for (path, _) in ADMIN_PATHS.iter().filter(|(path, _)| path.starts_with("/admin")) {
            let request = server.ask(Method::POST, path).header(AUTHORIZATION, &bearer);
            let answer = send(request).await.unwrap();
            assert_problem("the public listener", &answer, 404, "not_found");
        }
    })
    .await;
}

#[track_caller]
fn assert_unauthenticated(answer: &Answer) {
    assert_problem("without the token", answer, 401, "unauthenticated");
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn a_cursor_a_limit_and_a_format_are_checked_i4() {
    changes_nothing(async |server| {
        let limits = ["0", "-1", "1001", "4294967297", "1e3", "0x10", "1.5", "ten", "", "%00"];
        let mut queries: Vec<String> =
            limits.iter().map(|limit| format!("limit={limit}")).collect();
        queries.push("limit=1&limit=2".to_owned());
        queries.push("cursor=a&cursor=b".to_owned());
        for cursor in ["", "a%20b", "..", "%00", "%FF", "%2F"] {
            queries.push(format!("cursor={cursor}"));
        }
        for query in &queries {
            let answer = server.get_as_admin(&format!("/admin/coupons?{query}")).await;
            assert_problem(query, &answer, 400, "invalid_query");
        }
        for cursor in ["summer", "summer.0", "summer.101", "summer.-1", "summer.1.1", ".1", "a b.1"]
        {
            queries.push(format!("cursor={cursor}"));
        }
        for query in &queries {
            let answer = server.get(&format!("/me/tickets?user_id=ada&{query}")).await;
            assert_problem(query, &answer, 400, "invalid_query");
        }
        for query in ["format=", "format=xml", "format=CSV", "format=csv&format=csv", "format=%FF"]
        {
            let answer =
                server.get_as_admin(&format!("/admin/coupons/summer/winners?{query}")).await;
            assert_problem(query, &answer, 400, "invalid_query");
        }
    })
    .await;
}

#[tokio::test]
async fn an_idempotency_key_is_1_to_255_printable_bytes_for_one_change_i4() {
    changes_nothing(async |server| {
        let answer = restock(server, 5, None, None).await;
        assert_problem("none", &answer, 400, "idempotency_key_required");
        let too_long = "k".repeat(256);
        for key in [&b""[..], b"\"\"", b"a\tb", b"\xc3\xa9", b"\xff", too_long.as_bytes()] {
            let what = String::from_utf8_lossy(key);
            let answer = restock(server, 5, Some(key), None).await;
            assert_problem(&what, &answer, 400, "idempotency_key_invalid");
            for act in ["pause", "resume", "release", "close"] {
                let path = format!("/admin/coupons/summer/{act}");
                let request = server.ask_as_admin(Method::POST, &path);
                let answer = send(request.header("Idempotency-Key", key)).await.unwrap();
                assert_problem(&what, &answer, 400, "idempotency_key_invalid");
            }
        }
        let key = Some(USED_KEY.as_bytes());
        let quoted = format!("\"{USED_KEY}\"");
        for answer in [
            restock(server, 2, key, None).await,
            restock(server, -1, Some(quoted.as_bytes()), None).await,
        ] {
            assert_problem("another delta", &answer, 422, "idempotency_key_reused");
        }
        let request = server.ask_as_admin(Method::POST, "/admin/coupons/summer/pause");
        let answer = send(request.header("Idempotency-Key", USED_KEY)).await.unwrap();
        assert_problem("another change", &answer, 422, "idempotency_key_reused");
        assert_eq!(
            restock(server, 1, key, None).await.status,
            200,
            "the same change is the same act"
        );
    })
    .await;
}

#[tokio::test]
async fn if_match_takes_the_etag_of_the_coupon_as_it_is_now_i4() {
    changes_nothing(async |server| {
        let found = server.get_as_admin("/admin/coupons/summer").await;
        let etag = found.headers["etag"].clone();
        let version = found.json()["version"].as_u64().unwrap();
        assert_eq!(etag, format!("\"{version}\""));
        let stale = [format!("\"{}\"", version - 1), format!("\"{}\"", version + 1)];
        let malformed =
            ["", "1", "\"x\"", "\"-1\"", "\"1", "\"\"", "\"99999999999999999999\"", "\u{e9}"];
        let cases = malformed.iter().map(|tag| (*tag, 400, "invalid_query"));
        let cases = cases.chain(stale.iter().map(|tag| (tag.as_str(), 412, "version_conflict")));
        for (tag, status, code) in cases {
            let answer = restock(server, 5, Some(b"if-match"), Some(tag)).await;
            assert_problem(tag, &answer, status, code);
            let patch = server.ask_as_admin(Method::PATCH, "/admin/coupons/summer");
            let patch = patch.header("If-Match", tag.as_bytes());
            let answer = send(patch.json(&json!({ "name": "Other" }))).await.unwrap();
            assert_problem(tag, &answer, status, code);
            for act in ["pause", "resume", "release", "close"] {
                let request =
                    server.ask_as_admin(Method::POST, &format!("/admin/coupons/summer/{act}"));
                let answer = send(request.header("If-Match", tag.as_bytes())).await.unwrap();
                assert_problem(tag, &answer, status, code);
            }
        }
    })
    .await;
}

async fn restock(
    server: &Server,
    delta: i64,
    key: Option<&[u8]>,
    if_match: Option<&str>,
) -> Answer {
    let mut request = server.ask_as_admin(Method::POST, "/admin/coupons/summer/restock");
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    if let Some(tag) = if_match {
        request = request.header("If-Match", tag.as_bytes());
    }
    send(request.json(&json!({ "delta": delta }))).await.unwrap()
}
