//! Who the user is, in each mode, and request ids.

use std::process::Command;

use reqwest::{Method, StatusCode};

use crate::support::raw;
use crate::support::server::{Server, command, send};

use super::assert_problem;

const ISSUE: &str = "/coupons/summer/issue";
const HEADER_MODE: (&str, &str) = ("FIRSTCOME_AUTH", "header");

#[tokio::test]
async fn an_open_server_believes_the_header_then_the_query_then_tells_an_anonymous_id_i2() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", 10).await;
    let user = async |path: &str, header: Option<&str>| {
        let mut request = server.ask(Method::GET, path).header("Cookie", "X-User-Id=mallory");
        if let Some(user) = header {
            request = request.header("X-User-Id", user);
        }
        let answer = send(request).await.unwrap();
        answer.json()["ticket"]["user_id"].as_str().unwrap().to_owned()
    };
    let by_query = format!("{ISSUE}?user_id=eve");
    assert_eq!(user(ISSUE, Some("ada")).await, "ada");
    assert_eq!(user(&by_query, Some("ada")).await, "ada", "the header wins");
    assert_eq!(user(&by_query, None).await, "eve");
    let (one, other) = (user(ISSUE, None).await, user(ISSUE, None).await);
    assert!(one.starts_with("anonymous-") && one.len() == "anonymous-".len() + 32, "{one}");
    assert_ne!(one, other, "two strangers are two users");
    assert_eq!(user(ISSUE, Some(&one)).await, one, "who was told an id may use it");
    assert_eq!(server.stats("summer").await["issued"], 4);
    no_user(&server).await;
    assert_eq!(server.stats("summer").await["issued"], 4);
    request_ids(&server).await;
}

/// What names two users, or another one than was meant.
async fn no_user(server: &Server) {
    for lines in ["X-User-Id: eve, ada\r\n", "X-User-Id: eve\r\nX-User-Id: ada\r\n"] {
        let answer = raw::get(&server.public, ISSUE, lines.as_bytes()).await;
        assert_problem(lines, &answer, 400, "invalid_user_id");
    }
    for lost in ["ada+news@example.com", "ada%20news@example.com", "+821012345678"] {
        let answer = server.get(&format!("{ISSUE}?user_id={lost}")).await;
        assert_problem(lost, &answer, 400, "invalid_user_id");
        assert!(answer.body.contains("%2B"), "{answer:?}");
    }
    let meant = server.get("/tickets/summer.9?user_id=ada%2Bnews@example.com").await;
    assert_problem("an escaped plus", &meant, 404, "ticket_not_found");
}

async fn request_ids(server: &Server) {
    for (given, kept) in [
        ("a-request_1.2/3", true),
        (&"r".repeat(128), true),
        (&"r".repeat(129), false),
        ("", false),
        ("a b", false),
        ("\u{e9}", false),
    ] {
        for base in [&server.public, &server.admin] {
            for path in ["/healthz", "/nothing", "/coupons/a.b"] {
                let line = format!("X-Request-Id: {given}\r\n");
                let answer = raw::get(base, path, line.as_bytes()).await;
                let told = &answer.headers["x-request-id"];
                assert_eq!(told == given, kept, "{given}: {told}");
                assert!(!told.is_empty() && told.len() <= 128);
            }
        }
    }
    let one = server.get("/healthz").await.headers["x-request-id"].clone();
    assert_ne!(one, server.get("/healthz").await.headers["x-request-id"], "made once");
}

#[tokio::test]
async fn in_header_mode_only_a_trusted_gateway_names_users_i4() {
    let dir = tempfile::tempdir().unwrap();
    let trusting = [HEADER_MODE, ("FIRSTCOME_TRUSTED_PROXIES", "192.0.2.0/24, ::1, 127.0.0.1")];
    let mut server = Server::start(dir.path(), &trusting).await.ready().await;
    server.prepare("summer", 10).await;
    let told = server.issue("summer", "ada").await;
    assert_eq!(told.json()["ticket"]["user_id"], "ada");
    for path in ["/coupons/summer/issue", "/me/tickets", "/tickets/summer.1"] {
        let answer = server.get(&format!("{path}?user_id=ada")).await;
        assert_problem(path, &answer, 401, "unauthenticated");
    }
    let both = "X-User-Id: mallory\r\nX-User-Id: ada\r\n";
    for both in [both, "X-User-Id: mallory, ada\r\n", "X-User-Id: mallory,ada\r\n"] {
        let answer = raw::get(&server.public, ISSUE, both.as_bytes()).await;
        assert_problem("appended by a gateway", &answer, 400, "invalid_user_id");
    }
    server.terminate();
    assert!(server.ended().await.success());

    let wary = [HEADER_MODE, ("FIRSTCOME_TRUSTED_PROXIES", "10.0.0.0/8")];
    let server = Server::start(dir.path(), &wary).await.ready().await;
    for path in ["/coupons/summer/issue", "/me/tickets", "/tickets/summer.1"] {
        let request = server.ask(Method::GET, path).header("X-User-Id", "ada");
        let answer = send(request.header("X-Forwarded-For", "10.0.0.1")).await.unwrap();
        assert_problem(path, &answer, 401, "untrusted_proxy");
    }
    assert_eq!(server.stats("summer").await["issued"], 1);
}

#[tokio::test]
async fn an_open_server_is_refused_off_loopback_unless_it_is_allowed_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let everywhere = ("FIRSTCOME_LISTEN", "0.0.0.0:0");
    for (variables, word) in [
        (vec![everywhere], "FIRSTCOME_AUTH_OPEN_ANYWHERE"),
        (vec![("FIRSTCOME_LISTEN", "[::]:0")], "FIRSTCOME_AUTH_OPEN_ANYWHERE"),
        (vec![everywhere, ("FIRSTCOME_AUTH_OPEN_ANYWHERE", "no")], "must be yes"),
        (vec![everywhere, ("FIRSTCOME_AUTH_OPEN_ANYWHERE", "")], "FIRSTCOME_AUTH_OPEN_ANYWHERE"),
        (vec![HEADER_MODE], "FIRSTCOME_TRUSTED_PROXIES"),
        (vec![HEADER_MODE, ("FIRSTCOME_TRUSTED_PROXIES", "10.0.0.0/33")], "TRUSTED_PROXIES"),
        (vec![("FIRSTCOME_AUTH", "none")], "FIRSTCOME_AUTH"),
        (vec![("FIRSTCOME_ADMIN_TOKEN", "short")], "FIRSTCOME_ADMIN_TOKEN"),
    ] {
        let (code, said) = refused(command(dir.path(), &variables));
        assert_eq!(code, Some(2), "{variables:?}: {said}");
        let named = said.contains(word) || said.contains(&word.to_lowercase().replace('_', "-"));
        assert!(named || said.contains("--trusted-proxies") || said.contains("--auth"), "{said}");
    }
    let allowed = [everywhere, ("FIRSTCOME_AUTH_OPEN_ANYWHERE", "yes")];
    let server = Server::start(dir.path(), &allowed).await.ready().await;
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);
}

/// How `serve` ended that was not to begin, and what it said.
fn refused(mut command: Command) -> (Option<i32>, String) {
    let ended = command.arg("serve").output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}
