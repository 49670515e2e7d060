//! What is no request: each refusal of the parser has a body, a code and a request id, and ends its
//! connection. A walk through RFC 9110 and 9112.

use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::raw;
use crate::support::server::{Answer, Server, TOKEN};

use super::{SOON, assert_problem, changes_nothing};

const START: &str = "GET /coupons/summer/issue HTTP/1.1\r\nHost: x\r\nX-User-Id: mallory\r\n";

/// Malformed, with the section that says so.
const MALFORMED: [(&str, &str); 24] = [
    ("9112 3.2, no Host", "GET /healthz HTTP/1.1\r\n\r\n"),
    ("9112 3.2, two Hosts", "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
    ("9112 3, no version", "GET /healthz\r\nHost: x\r\n\r\n"),
    ("9112 3, no path", "GET HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("9112 3, a blank in the path", "GET /heal thz HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("9112 2.3, version 9.9", "GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n"),
    ("9113 3.4, HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("9110 9.1, a method that is no token", "G(T /healthz HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("9112 5.1, a blank before the colon", "GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n"),
    ("9112 5.2, a folded line", "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n"),
    ("9112 2.2, a blank first line", "GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n"),
    ("9110 5.1, a name that is no token", "GET /healthz HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n"),
    ("9110 5.1, no name", "GET /healthz HTTP/1.1\r\nHost: x\r\n: c\r\n\r\n"),
    ("9110 5.5, a zero", "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n"),
    ("9112 2.2, a bare return", "GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n"),
    (
        "9112 6.3, both lengths",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\
      Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "9110 8.6, two lengths",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\
      Content-Length: 2\r\n\r\n12",
    ),
    ("9110 8.6, a length with a sign", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\n1"),
    (
        "9112 6.1, chunked is not last",
        "POST / HTTP/1.1\r\nHost: x\r\n\
      Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    ),
    (
        "9112 6.1, an unknown coding",
        "POST / HTTP/1.1\r\nHost: x\r\n\
      Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "9112 6.1, chunked and HTTP/1.0",
        "POST / HTTP/1.0\r\nHost: x\r\n\
      Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("TLS", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\r\n\r\n"),
    ("no text at all", "\u{1}\u{2}\u{3}\r\n\r\n"),
    ("SSH", "SSH-2.0-OpenSSH_9.2\r\n\r\n"),
];

/// Fine, though few send it.
const FINE: [(&str, &str); 10] = [
    ("9112 2.2, blank lines before it", "\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n"),
    ("9112 2.2, bare line feeds", "GET /healthz HTTP/1.1\nHost: x\n"),
    ("9112 3.2.2, an absolute path", "GET http://x/healthz HTTP/1.1\r\nHost: x\r\n"),
    ("9112 2.3, HTTP/1.0 without Host", "GET /healthz HTTP/1.0\r\n"),
    ("9110 5.5, no value", "GET /healthz HTTP/1.1\r\nHost: x\r\nA:\r\n"),
    ("9110 5.5, other bytes", "GET /healthz HTTP/1.1\r\nHost: x\r\nA: \u{e9}\r\n"),
    ("9110 10.1.1, an unknown Expect", "GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: 9\r\n"),
    ("9110 12.5.1, nothing acceptable", "GET /healthz HTTP/1.1\r\nHost: x\r\nAccept: a/b\r\n"),
    ("9110 14.2, a Range", "GET /healthz HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\n"),
    ("9110 7.8, h2c", "GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n"),
];

/// Fails unless the refusal is whole, and says how long it is.
#[track_caller]
fn assert_refused(what: &str, answer: Option<Answer>, status: u16, code: &str) {
    let answer = answer.unwrap_or_else(|| panic!("{what}: no answer"));
    assert_problem(what, &answer, status, code);
    assert_eq!(answer.headers["content-length"], answer.body.len().to_string(), "{what}");
    assert_eq!(answer.headers["connection"], "close", "{what}");
    assert!(answer.headers.contains_key("date"), "{what}");
}

#[tokio::test]
async fn what_is_no_request_is_refused_as_everything_else_and_ends_its_connection_i4() {
    changes_nothing(async |server| {
        for base in [&server.public, &server.admin] {
            for (what, bytes) in MALFORMED {
                // What follows is not read as a request.
                let bytes = format!("{bytes}{START}\r\n");
                let answer = raw::exchange(base, bytes.as_bytes()).await;
                assert_refused(what, answer, 400, "malformed_request");
                // Neither when the connection has served a request before.
                let before = "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
                let all = raw::converse(base, format!("{before}{bytes}").as_bytes()).await;
                let all = String::from_utf8_lossy(&all).into_owned();
                let (first, second) = all.split_once("\r\n\r\n").unwrap();
                assert!(first.starts_with("HTTP/1.1 200"), "{what}: {first}");
                assert_refused(what, raw::answer(second.as_bytes()), 400, "malformed_request");
            }
        }
        for (what, start) in FINE {
            let bytes = format!("{start}Connection: close\r\n\r\n");
            let answer = raw::exchange(&server.public, bytes.as_bytes()).await.expect(what);
            assert_eq!(answer.status.as_u16(), 200, "{what}");
            assert_eq!(answer.body, "{\"status\":\"ok\"}", "{what}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_by_the_part_that_is_i4() {
    changes_nothing(async |server| {
        let long = "x".repeat(70 * 1_024);
        let many: String = (0..97).map(|number| format!("A-{number}: b\r\n")).collect();
        let path = format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n");
        for base in [&server.public, &server.admin] {
            for (what, bytes, status, code) in [
                ("a path", path.clone(), 414, "path_too_long"),
                ("a path without end", format!("GET /{long}"), 414, "path_too_long"),
                ("a field", format!("{START}A: {long}\r\n\r\n"), 431, "headers_too_large"),
                ("a field without end", format!("{START}A: {long}"), 431, "headers_too_large"),
                ("97 fields", format!("{START}{many}\r\n"), 431, "headers_too_large"),
            ] {
                let answer = raw::exchange(base, bytes.as_bytes()).await;
                assert_refused(what, answer, status, code);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_head_that_does_not_come_is_given_up_also_after_other_requests_i4() {
    changes_nothing(async |server| {
        let address = server.public.strip_prefix("http://").unwrap();
        let ask = async |before: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let bytes = format!("{before}GET /healthz HTTP/1.1\r\nHo");
            stream.write_all(bytes.as_bytes()).await.unwrap();
            let mut told = Vec::new();
            stream.read_to_end(&mut told).await.unwrap();
            String::from_utf8_lossy(&told).into_owned()
        };
        let since = Instant::now();
        let ok = "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        let (first, second) = tokio::join!(ask(""), ask(ok));
        let (_, second) = second.split_once("\r\n\r\n").unwrap();
        for (what, told) in [("the first request", first.as_str()), ("a later one", second)] {
            assert_refused(what, raw::answer(told.as_bytes()), 408, "headers_too_slow");
        }
        assert!(since.elapsed() < SOON);
    })
    .await;
}

/// Sends the head, waits for the first answer, and sends the body only if that is `100 Continue`;
/// what was told in all.
async fn expect_continue(base: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(base.strip_prefix("http://").unwrap()).await.unwrap();
    let fields = "Host: x\r\nConnection: close\r\nExpect: 100-continue\r\n";
    let head = format!("{head}\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut told = Vec::new();
    let answered = async {
        while !told.ends_with(b"\r\n\r\n") {
            told.push(stream.read_u8().await.unwrap());
        }
        if told.starts_with(b"HTTP/1.1 100 ") {
            stream.write_all(body.as_bytes()).await.unwrap();
        }
        stream.read_to_end(&mut told).await.unwrap();
    };
    tokio::time::timeout(SOON, answered).await.expect("100, or an answer");
    String::from_utf8(told).unwrap()
}

#[tokio::test]
async fn whoever_waits_for_100_gets_it_or_the_answer_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    let create = format!(
        "POST /admin/coupons HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json"
    );
    let summer = "{\"id\":\"summer\",\"name\":\"Summer\",\"total\":2}";
    let created = expect_continue(&server.admin, &create, summer).await;
    let (first, rest) = created.split_once("\r\n\r\n").unwrap();
    assert_eq!(first, "HTTP/1.1 100 Continue");
    assert!(rest.starts_with("HTTP/1.1 201"), "{created}");
    server.post_as_admin("/admin/coupons/summer/preload").await;
    let large = "x".repeat(2_000);
    let stranger = create.replace(TOKEN, "a-token-that-nobody-knows");
    let issue = "POST /coupons/summer/issue HTTP/1.1\r\nX-User-Id: ada";
    for (what, base, head, body, status) in [
        ("no right", &server.admin, stranger.as_str(), summer, "401"),
        ("a body that is read over", &server.public, issue, "{}", "200"),
        ("a body that is too large", &server.public, issue, large.as_str(), "413"),
        ("no body", &server.public, issue, "", "200"),
    ] {
        let told = expect_continue(base, head, body).await;
        let is_continued = told.starts_with("HTTP/1.1 100 Continue\r\n\r\n");
        let told = told.trim_start_matches("HTTP/1.1 100 Continue\r\n\r\n");
        assert!(told.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {told}");
        assert_eq!(told.matches("HTTP/1.1 ").count(), 1, "{what} {is_continued}: {told}");
    }
}
