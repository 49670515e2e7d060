//! Secrets are told to nobody: not in logs at their loudest, not in metrics, errors or help.

use std::fs::File;
use std::path::Path;

use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::support::server::{CODE_KEYS, Server, TOKEN, command, send};

const GUESS: &str = "a-wrong-guess-of-somebody-0123456789";

/// What must be nowhere: the token, the key, and what a stranger guessed.
fn assert_none_in(what: &str, text: &str) {
    let key = CODE_KEYS.split_once(':').unwrap().1;
    for secret in [TOKEN, key, GUESS] {
        assert!(!text.contains(secret), "{what} tells {secret}");
    }
}

#[tokio::test]
async fn neither_logs_nor_metrics_nor_errors_tell_a_secret_and_json_logs_are_json() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let variables = [("FIRSTCOME_LOG", "trace"), ("FIRSTCOME_LOG_FORMAT", "json")];
    let mut command = command(dir.path(), &variables);
    command.arg("serve").stderr(File::create(&log).unwrap());
    let mut server = Server::start_from(command).ready().await;
    server.prepare("summer", 5).await;
    server.issue("summer", "ada").await;
    for authorization in [format!("Bearer {GUESS}"), format!("Basic {TOKEN}")] {
        let url = format!("{}/admin/coupons", server.admin);
        let request = reqwest::Client::new().get(url).header(AUTHORIZATION, authorization);
        assert_none_in("an error", &send(request).await.unwrap().body);
    }
    let create = json!({ "id": "summer", "name": "S", "total": 1 });
    for answer in [
        server.send_as_admin(Method::POST, "/admin/coupons", &create).await,
        server.get_as_admin("/metrics").await,
        server.get_as_admin("/admin/coupons").await,
        server.get("/readyz").await,
        server.get("/nothing").await,
    ] {
        assert_none_in("an answer", &answer.body);
    }
    server.terminate();
    assert!(server.ended().await.success());

    let text = std::fs::read_to_string(&log).unwrap();
    // Crates below us may log what they were given by the wire; ours is what is asked for at debug.
    let mut ours = 0;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        for field in ["timestamp", "level", "target"] {
            assert!(line[field].is_string(), "{field} of {line}");
        }
        ours += usize::from(line["target"].as_str().unwrap().starts_with("firstcome"));
        assert_none_in("a log line", &line.to_string());
    }
    assert!(ours > 0, "it said something");
}

#[test]
fn neither_help_nor_a_failed_start_tells_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [&["--help"][..], &["serve", "--help"], &["coupon", "create", "--help"], &[]] {
        let ended = command(dir.path(), &[]).args(arguments).output().unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        assert_none_in("help", &String::from_utf8(said).unwrap());
    }
    // Nothing listens on port 1.
    let away = "redis://127.0.0.1:1/";
    let redis = format!("redis://:{GUESS}@127.0.0.1:1/");
    let database = format!("postgres://user:{GUESS}@127.0.0.1:1/name");
    let no_key = format!("k1:{GUESS}");
    let odd = format!("mysql://user:{GUESS}@127.0.0.1/name");
    for variables in [
        vec![("REDIS_URL", redis.as_str())],
        vec![("REDIS_URL", away), ("DATABASE_URL", database.as_str())],
        vec![("REDIS_URL", away), ("DATABASE_URL", odd.as_str())],
        vec![("REDIS_URL", away), ("DATABASE_URL", GUESS)],
        vec![("REDIS_URL", GUESS)],
        vec![("FIRSTCOME_CODE_KEYS", no_key.as_str())],
        vec![("FIRSTCOME_CODE_KEYS", GUESS)],
    ] {
        let (code, said) = failed(dir.path(), &variables);
        assert!(matches!(code, Some(2 | 3)), "{variables:?}: {code:?} {said}");
        assert!(said.contains("firstcome: ") || said.contains("error: "), "{said}");
        assert_none_in("a failure", &said);
    }
}

fn failed(dir: &Path, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let ended = command(dir, variables).args(["coupon", "list"]).output().unwrap();
    let said = String::from_utf8([ended.stdout, ended.stderr].concat()).unwrap();
    (ended.status.code(), said)
}
