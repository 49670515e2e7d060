//! Exit codes: 1 refused, 2 usage, 3 missing or unreachable, 4 in use.

use std::net::TcpListener;

use crate::support::eventually::eventually_ok;
use crate::support::postgres::{close_to_all, fresh_database, fresh_database_in, open_to_all};
use crate::support::redis::PrivateRedis;
use crate::support::server::{Server, command};

use super::{done, made, run, run_with};

#[test]
fn what_is_used_wrongly_ends_with_2_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for words in [
        "",
        "issue",
        "serve --nothing",
        "serve --demo=0",
        "serve --demo=1000000001",
        "serve --demo 5",
        "coupon",
        "coupon create summer",
        "coupon create a.b --total 1",
        "coupon create summer --total -1",
        "coupon create summer --total 1e3",
        "coupon create summer --total 0x10",
        "coupon create summer --total 18446744073709551616",
        "coupon create summer --total 1 --per-user-limit 256",
        "coupon create summer --total 1 --opens-at tomorrow",
        "coupon create summer --total 1 --valid-for P1Y",
        "coupon preload a/b",
        "coupon window summer --opens-at never",
        "coupon restock summer",
        "coupon restock summer 1.5",
        "coupon winners summer --format xml",
        "ticket cancel summer",
        "ticket cancel summer.01",
        "audit",
        "doctor --key",
        "coupon list --key-prefix a:b",
        "coupon list --auth jwt",
        "coupon list --trusted-proxies 10.0.0.0/33",
        "coupon list --listen 8080",
        "coupon list --batch-max-tickets 0",
        "coupon list --log a=b=c",
        "coupon list --database-url mysql://localhost/x --redis-url x",
    ] {
        let ended = run(dir.path(), words);
        assert_eq!(ended.code, Some(2), "{words}: {ended:?}");
        assert!(!ended.err.is_empty() && ended.out.is_empty(), "{words}: {ended:?}");
    }
    let mut no_keys = command(dir.path(), &[("REDIS_URL", "redis://127.0.0.1:1")]);
    no_keys.env_remove("FIRSTCOME_CODE_KEYS");
    let ended = run_with(no_keys, "coupon list");
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("doctor --new-key"), "it says how to go on: {ended:?}");
    assert_eq!(dir.path().read_dir().unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_refused_ends_with_1_and_says_why() {
    let dir = made(&[]).await;
    done(dir.path(), "coupon create draft --total 5");
    for (words, why) in [
        ("coupon create zero --total 0", "--total must be"),
        ("coupon create much --total 1000000001", "total"),
        ("coupon create none --total 5 --per-user-limit 0", "--per-user-limit must be 1..=100"),
        (
            "coupon create over --total 5 --opens-at 2030-01-02T00:00:00Z \
             --closes-at 2030-01-01T00:00:00Z",
            "--closes-at must be later than --opens-at",
        ),
        ("coupon show nothing", "no such coupon"),
        (
            "coupon pause draft",
            "draft is a draft; preload it first: `firstcome coupon preload draft`",
        ),
        ("coupon stats draft", "draft is a draft"),
        ("coupon restock draft 0", "DELTA must be"),
        ("coupon stats nothing", "no such coupon"),
        ("audit draft", "draft is a draft"),
        ("audit nothing", "no such coupon"),
        ("ticket cancel draft.1", "no such ticket"),
    ] {
        let ended = run(dir.path(), words);
        assert_eq!(ended.code, Some(1), "{words}: {ended:?}");
        assert!(ended.err.starts_with("firstcome: ") && ended.err.contains(why), "{ended:?}");
        assert_eq!(ended.out, "", "{words}");
    }
}

#[test]
fn what_is_missing_or_unreachable_ends_with_3() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below_a_file = format!("sqlite:{}/firstcome.db", file.display());
    // Nothing listens on port 1.
    for variables in [
        [("FIRSTCOME_REDIS_SERVER", "/nonexistent")],
        [("FIRSTCOME_REDIS_SERVER", "/dev/null")],
        [("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing")],
        [("DATABASE_URL", below_a_file.as_str())],
        [("REDIS_URL", "redis://127.0.0.1:1/")],
        [("REDIS_URL", "redis+unix:///nonexistent/redis.sock")],
        [("FIRSTCOME_DATA_DIR", file.to_str().unwrap())],
    ] {
        let is_awaited = variables[0].0 == "REDIS_URL" || variables[0].1.starts_with("postgres:");
        for verb in ["coupon list", "audit summer", "doctor", "serve"] {
            // A server waits for Redis and PostgreSQL to come up; a command for nobody.
            if verb == "serve" && is_awaited {
                continue;
            }
            let ended = run_with(command(&dir.path().join("new"), &variables), verb);
            assert_eq!(ended.code, Some(3), "{variables:?} {verb}: {ended:?}");
            assert!(ended.err.contains("firstcome: "), "{ended:?}");
            // The doctor tells what it found out all the same.
            assert!(verb == "doctor" || ended.out.is_empty(), "{ended:?}");
        }
    }
}

#[tokio::test]
async fn only_a_server_makes_a_database_and_starts_a_redis_where_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    for words in [
        "migrate",
        "doctor",
        "audit summer",
        "ticket cancel summer.1",
        "coupon list",
        "coupon create summer --total 1",
        "coupon pause summer --now",
    ] {
        let ended = run(&data_dir, words);
        assert_eq!((ended.code, ended.out.as_str()), (Some(3), ""), "{words}: {ended:?}");
        assert_eq!(ended.err.lines().count(), 1, "{words}: {ended:?}");
        for way in ["firstcome serve", "FIRSTCOME_DATA_DIR", "REDIS_URL and DATABASE_URL"] {
            assert!(ended.err.contains(way), "{words}: {way}: {ended:?}");
        }
        assert!(!data_dir.exists(), "{words}");
    }
    let redis = PrivateRedis::start().await;
    let ended = run_with(command(&data_dir, &[("REDIS_URL", redis.url())]), "coupon list");
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(!data_dir.exists() && ended.err.contains("firstcome serve"), "{ended:?}");
}

#[tokio::test]
async fn a_directory_in_use_ends_with_4_and_a_port_in_use_with_3_and_the_owner_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", 2).await;
    let second = run(dir.path(), "serve");
    assert_eq!((second.code, second.out.as_str()), (Some(4), ""), "{second:?}");
    assert!(second.err.contains("in use"), "{second:?}");
    assert_eq!(server.issue("summer", "ada").await.json()["ticket"]["serial"], 1);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let other = tempfile::tempdir().unwrap();
    for name in ["FIRSTCOME_LISTEN", "FIRSTCOME_ADMIN_LISTEN"] {
        let ended = run_with(command(other.path(), &[(name, &address)]), "serve");
        assert_eq!(ended.code, Some(3), "{name}: {ended:?}");
        assert!(ended.err.contains(&address), "{name}: {ended:?}");
    }
}

#[tokio::test]
async fn an_empty_variable_is_none_and_an_address_may_have_a_name() {
    let dir = tempfile::tempdir().unwrap();
    let variables = [
        ("REDIS_URL", ""),
        ("DATABASE_URL", ""),
        ("FIRSTCOME_WORKERS", ""),
        ("FIRSTCOME_CODE_KEYS", ""),
        ("FIRSTCOME_MIGRATE", ""),
        ("FIRSTCOME_LISTEN", "localhost:0"),
        ("FIRSTCOME_ADMIN_LISTEN", "localhost:0"),
    ];
    let server = Server::start(dir.path(), &variables).await.ready().await;
    server.prepare("summer", 1).await;
    assert_eq!(server.issue("summer", "ada").await.status, 200);
    let wrong = run_with(command(dir.path(), &[("FIRSTCOME_LISTEN", "localhost")]), "serve");
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.err.contains("NAME:PORT"), "{wrong:?}");
}

#[tokio::test]
async fn a_database_that_refuses_the_set_up_ends_a_server_and_a_worker_with_3_and_one_sentence() {
    let right = fresh_database().await;
    let encoded = fresh_database_in("EUC_KR").await;
    let no_role = right.replace("firstcome@", "nobody:secret@");
    for (url, why) in [(encoded, "createdb --encoding=UTF8"), (no_role, "nobody")] {
        for verb in ["serve", "worker", "migrate", "coupon list"] {
            let dir = tempfile::tempdir().unwrap();
            // A command starts no Redis where none was.
            let redis_url = if verb == "coupon list" { "redis://127.0.0.1:1" } else { "" };
            let variables = [("DATABASE_URL", url.as_str()), ("REDIS_URL", redis_url)];
            let ended = run_with(command(dir.path(), &variables), verb);
            assert_eq!((ended.code, ended.out.as_str()), (Some(3), ""), "{verb}: {ended:?}");
            assert!(ended.err.contains(why) && !ended.err.contains("secret"), "{ended:?}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let by_others = [("DATABASE_URL", right.as_str()), ("FIRSTCOME_MIGRATE", "off")];
    let behind = run_with(command(dir.path(), &by_others), "serve");
    assert_eq!(behind.code, Some(3), "{behind:?}");
    assert!(behind.err.contains("firstcome migrate"), "{behind:?}");
    // Only the database is needed for it, and no life of a Redis is taken for the database's.
    let away = [("DATABASE_URL", right.as_str()), ("REDIS_URL", "redis://127.0.0.1:1")];
    let migrated = run_with(command(dir.path(), &away), "migrate");
    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    drop(Server::start(dir.path(), &by_others).await.ready().await);
}

#[tokio::test]
async fn a_server_whose_database_is_away_listens_waits_and_issues_when_it_comes() {
    let url = fresh_database().await;
    close_to_all(&url).await;
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[("DATABASE_URL", &url)]).await;
    assert_eq!(server.get("/healthz").await.status, 200);
    let readiness = server.get("/readyz").await;
    assert_eq!(readiness.status, 503, "{readiness:?}");
    assert!(readiness.body.contains("database"), "{readiness:?}");
    open_to_all(&url).await;
    let server = server.ready().await;
    server.prepare("summer", 2).await;
    assert_eq!(server.issue("summer", "ada").await.status, 200);
}

#[tokio::test]
async fn a_coupon_is_stopped_by_a_command_while_the_database_is_away() {
    let url = fresh_database().await;
    let dir = tempfile::tempdir().unwrap();
    let variables = [("DATABASE_URL", url.as_str())];
    let server = Server::start(dir.path(), &variables).await.ready().await;
    for (verb, answer) in [("pause", "paused"), ("close", "closed")] {
        server.prepare(verb, 2).await;
        assert_eq!(server.issue(verb, "ada").await.status, 200);
        close_to_all(&url).await;
        let words = format!("coupon {verb} {verb} --now");
        let ended = run_with(command(dir.path(), &variables), &words);
        assert_eq!(ended.code, Some(0), "{verb}: {ended:?}");
        assert_eq!(server.issue(verb, "bob").await.code(), answer);
        let without = run_with(command(dir.path(), &variables), &format!("coupon {verb} {verb}"));
        assert_eq!(without.code, Some(3), "only --now does without the database: {without:?}");
        open_to_all(&url).await;
        eventually_ok("the database's return", async || {
            let again = run_with(command(dir.path(), &variables), "coupon list");
            if again.code == Some(0) { Ok(()) } else { Err(again.err) }
        })
        .await;
    }
}
