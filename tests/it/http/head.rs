//! `HEAD` is `GET` without the body, and `OPTIONS` tells what a path takes: balancers, containers
//! and monitors ask so.

use reqwest::{Method, StatusCode};

use crate::support::raw;
use crate::support::server::{Answer, TOKEN, send};

use super::{assert_problem, changes_nothing};

const PUBLIC: [&str; 10] = [
    "/healthz",
    "/readyz",
    "/docs/errors",
    "/",
    "/coupons/summer",
    "/coupons/summer/audit",
    "/me/tickets",
    "/tickets/summer.1",
    "/coupons/nothing",
    "/tickets/summer.9",
];
const ADMIN: [&str; 11] = [
    "/healthz",
    "/readyz",
    "/docs/errors",
    "/",
    "/metrics",
    "/admin/coupons",
    "/admin/coupons/summer",
    "/admin/coupons/summer/acts",
    "/admin/coupons/summer/stats",
    "/admin/coupons/summer/winners",
    "/admin/coupons/nothing/winners",
];
/// What differs from one answer to the next, and the length of what holds a time or a figure.
const VARIES: [&str; 2] = ["date", "x-request-id"];

#[tokio::test]
async fn head_is_get_without_the_body_on_every_path_that_only_shows_i4() {
    changes_nothing(async |server| {
        let head = format!("X-User-Id: ada\r\nAuthorization: Bearer {TOKEN}\r\n");
        let public = PUBLIC.map(|path| (&server.public, path));
        for (base, path) in public.into_iter().chain(ADMIN.map(|path| (&server.admin, path))) {
            let ask = async |method: &str| -> Answer {
                let lines = format!("Host: x\r\nConnection: close\r\n{head}\r\n");
                let bytes = format!("{method} {path} HTTP/1.1\r\n{lines}");
                raw::exchange(base, bytes.as_bytes()).await.expect(path)
            };
            let (get, head) = (ask("GET").await, ask("HEAD").await);
            assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
            let kept = |answer: &Answer| {
                let mut headers = answer.headers.clone();
                headers.retain(|name, _| !VARIES.contains(&name.as_str()));
                if path == "/metrics" {
                    headers.insert("content-length".into(), "it varies".into());
                }
                headers
            };
            assert_eq!(kept(&head), kept(&get), "{path}");
            let has_length = head.headers.contains_key("content-length");
            assert_eq!(has_length, path != "/admin/coupons/summer/winners", "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn options_tells_what_a_path_takes_and_does_nothing_i4() {
    changes_nothing(async |server| {
        for (path, allow) in [
            ("/healthz", "GET, HEAD, OPTIONS"),
            ("/coupons/summer/issue", "GET, POST, OPTIONS"),
            ("*", "GET, HEAD, POST, PATCH, DELETE, OPTIONS"),
        ] {
            for version in ["1.0", "1.1"] {
                let lines = "Host: x\r\nConnection: close\r\nX-User-Id: mallory\r\n";
                let bytes = format!("OPTIONS {path} HTTP/{version}\r\n{lines}\r\n");
                let answer = raw::exchange(&server.public, bytes.as_bytes()).await.expect(path);
                assert_eq!(answer.status, StatusCode::NO_CONTENT, "{path}");
                assert_eq!(answer.headers["allow"], allow, "{path}");
                assert!(!answer.headers.contains_key("content-length"), "{path}");
            }
        }
        let plainest = raw::exchange(&server.public, b"OPTIONS / HTTP/1.0\r\n\r\n").await;
        assert_eq!(plainest.unwrap().status, StatusCode::NO_CONTENT, "HAProxy's httpchk");
        let answer = send(server.ask(Method::OPTIONS, "/nothing")).await.unwrap();
        assert_problem("no path", &answer, 404, "not_found");
    })
    .await;
}
