//! Exit codes: 1 refused, 2 usage, 3 missing or unreachable, 4 in use.

use std::net::TcpListener;

use crate::support::server::{Server, command};

use super::{done, run, run_with};

#[test]
fn what_is_used_wrongly_ends_with_2_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for words in [
        "",
        "issue",
        "serve --nothing",
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

#[test]
fn what_is_refused_ends_with_1_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    done(dir.path(), "coupon create draft --total 5");
    for (words, why) in [
        ("coupon create zero --total 0", "total"),
        ("coupon create much --total 1000000001", "total"),
        ("coupon create none --total 5 --per-user-limit 0", "per_user_limit"),
        (
            "coupon create over --total 5 --opens-at 2030-01-02T00:00:00Z \
             --closes-at 2030-01-01T00:00:00Z",
            "closes_at",
        ),
        ("coupon show nothing", "no such coupon"),
        ("coupon pause draft", "no such coupon"),
        ("coupon stats draft", "no such coupon"),
        ("coupon restock draft 0", "delta"),
        ("audit draft", "no such coupon"),
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
        let is_server_missing = variables[0].0 != "REDIS_URL";
        for verb in ["coupon list", "audit summer", "doctor", "serve"] {
            // A server waits for its Redis to come up; a command has nobody to wait for.
            if verb == "serve" && !is_server_missing {
                continue;
            }
            let ended = run_with(command(&dir.path().join("new"), &variables), verb);
            assert_eq!(ended.code, Some(3), "{variables:?} {verb}: {ended:?}");
            assert!(ended.err.contains("firstcome: ") && ended.out.is_empty(), "{ended:?}");
        }
    }
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
