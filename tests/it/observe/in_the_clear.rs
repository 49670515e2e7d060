//! A password that may go to another machine unencrypted is a warning, wherever an operator looks.

use std::path::Path;

use crate::support::eventually::eventually_holds;
use crate::support::plain_redis::PlainRedis;
use crate::support::postgres::{OwnPostgres, PASSWORD};
use crate::support::server::{Server, command};

/// Names that lead to this machine without saying so: for the house it is another one. Each client
/// takes one of them only.
const REDIS_ELSEWHERE: &str = "127.1";
const DATABASE_ELSEWHERE: &str = "0.0.0.0";

/// What the doctor says, and its exit code.
fn doctor(dir: &Path, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let ended = command(dir, variables).arg("doctor").output().unwrap();
    (ended.status.code(), String::from_utf8(ended.stdout).unwrap())
}

/// The server works, and says this in `/readyz` as doctor does, beside nothing else.
async fn assert_warned(variables: &[(&str, &str)], warning: &str) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), variables).await.ready().await;
    let told = async || server.get("/readyz").await.json();
    let is_told = async || told().await["warnings"] == serde_json::json!([warning]);
    eventually_holds(warning, is_told).await;
    let (code, said) = doctor(dir.path(), variables);
    assert_eq!(code, Some(1), "{said}");
    let unsafe_lines: Vec<&str> = said.lines().filter(|line| line.contains("unsafe")).collect();
    assert_eq!(unsafe_lines, [format!("unsafe: {warning}")], "{said}");
}

/// Nothing is said by either.
async fn assert_well(variables: &[(&str, &str)]) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), variables).await.ready().await;
    let said = || doctor(dir.path(), variables);
    let is_well = async || said().0 == Some(0);
    eventually_holds("all is well", is_well).await;
    let readiness = server.get("/readyz").await;
    assert_eq!(readiness.json()["warnings"], serde_json::json!([]), "{}", readiness.body);
}

#[tokio::test]
async fn of_the_database_by_readyz_and_doctor_unless_the_url_insists_on_tls() {
    let (database, _) = OwnPostgres::start_with_tls().await;
    let here = database.url_by_tcp(PASSWORD);
    let elsewhere = here.replace("@localhost:", &format!("@{DATABASE_ELSEWHERE}:"));
    let warning = format!(
        "the password of the database may go to {DATABASE_ELSEWHERE} unencrypted: use \
         sslmode=verify-full or sslmode=require in the URL"
    );
    assert_warned(&[("DATABASE_URL", &elsewhere)], &warning).await;
    for safe in [here, format!("{elsewhere}?sslmode=require")] {
        assert_well(&[("DATABASE_URL", &safe)]).await;
    }
}

#[tokio::test]
async fn of_redis_by_readyz_and_doctor() {
    let redis = PlainRedis::start(&["--requirepass", "secret"]).await;
    let url = |host: &str| format!("redis://:secret@{host}:{}", redis.port);
    let warning = format!(
        "the password of Redis may go to {REDIS_ELSEWHERE} unencrypted: use rediss:// in the URL"
    );
    assert_warned(&[("REDIS_URL", &url(REDIS_ELSEWHERE))], &warning).await;
}
