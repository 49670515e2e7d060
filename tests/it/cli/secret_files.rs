//! Secrets in files.

use crate::support::postgres::fresh_database;
use crate::support::redis::PrivateRedis;
use crate::support::server::{CODE_KEYS, Server, TOKEN, command};

use super::run_with;

#[tokio::test]
async fn secrets_may_stand_in_files_with_a_line_end_behind_them() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let database = dir.path().join("tickets.db");
    let files = [
        ("FIRSTCOME_ADMIN_TOKEN_FILE", write("token", format!("{TOKEN}\n"))),
        ("FIRSTCOME_CODE_KEYS_FILE", write("keys", format!("{CODE_KEYS}\n"))),
        ("DATABASE_URL_FILE", write("database", format!("sqlite:{}\r\n", database.display()))),
    ];
    let mut serve = command(dir.path(), &[]);
    serve.env_remove("FIRSTCOME_ADMIN_TOKEN").env_remove("FIRSTCOME_CODE_KEYS").arg("serve");
    serve.envs(files.clone());
    let server = Server::start_from(serve).ready().await;
    server.prepare("summer", 1).await;
    assert_eq!(server.issue("summer", "ada").await.status, 200);
    assert!(database.exists());

    let mut twice = command(dir.path(), &[]);
    twice.envs(files.clone());
    let ended = run_with(twice, "coupon list");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("FIRSTCOME_ADMIN_TOKEN or FIRSTCOME_ADMIN_TOKEN_FILE"), "{ended:?}");
}

#[test]
fn a_file_without_a_secret_is_wrong_usage_and_is_not_quoted() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    std::fs::write(&empty, " \n").unwrap();
    let long = dir.path().join("long");
    std::fs::write(&long, "secret".repeat(11_000)).unwrap();
    for path in [empty.as_path(), long.as_path(), dir.path(), "/nonexistent".as_ref()] {
        let mut list = command(dir.path(), &[]);
        list.env("REDIS_URL_FILE", path);
        let ended = run_with(list, "coupon list");
        assert_eq!(ended.code, Some(2), "{path:?}: {ended:?}");
        assert!(ended.err.contains("REDIS_URL_FILE") && !ended.err.contains("secretsecret"));
    }
}

#[tokio::test]
async fn the_url_of_migrations_may_stand_in_a_file_too() {
    let (url, elsewhere) = (fresh_database().await, fresh_database().await);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("migrate");
    std::fs::write(&file, format!("{elsewhere}\n")).unwrap();
    let variables = [
        ("REDIS_URL", "redis://127.0.0.1:1"),
        ("DATABASE_URL", url.as_str()),
        ("DATABASE_MIGRATE_URL_FILE", file.to_str().unwrap()),
    ];
    let ended = run_with(command(dir.path(), &variables), "coupon list");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.err.contains("DATABASE_MIGRATE_URL migrates another database"), "{ended:?}");
}

#[tokio::test]
async fn the_url_of_redis_may_stand_in_a_file_too() {
    let redis = PrivateRedis::start().await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("redis-url");
    std::fs::write(&file, format!("{}\n", redis.url())).unwrap();
    let variables = [("REDIS_URL_FILE", file.to_str().unwrap())];
    let server = Server::start(dir.path(), &variables).await.ready().await;
    server.prepare("summer", 1).await;
    assert_eq!(server.issue("summer", "ada").await.status, 200);
    let keys = redis.world().await.into_iter().map(|(key, _)| key);
    assert_eq!(keys.filter(|key| key.ends_with("coupon:summer")).count(), 1, "in this Redis");
}
