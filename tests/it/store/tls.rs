//! PostgreSQL by TCP: TLS and passwords.

use std::process::Output;
use std::time::Duration;

use firstcome::store::{Migrations, Settings, new};

use crate::support::certificates::Certificates;
use crate::support::eventually::eventually_holds;
use crate::support::postgres::{OwnPostgres, PASSWORD};
use crate::support::redis::PrivateRedis;
use crate::support::server::{Server, command};

/// How a process with this database ends, which must not wait for a better one.
async fn ended(url: &str, verb: &str) -> Output {
    let (dir, redis) = (tempfile::tempdir().unwrap(), PrivateRedis::start().await);
    let mut process = command(dir.path(), &[("REDIS_URL", redis.url()), ("DATABASE_URL", url)]);
    process.args(verb.split(' '));
    let process = tokio::process::Command::from(process).kill_on_drop(true).output();
    let ended = tokio::time::timeout(Duration::from_secs(20), process).await;
    ended.unwrap_or_else(|_| panic!("{verb} waits")).unwrap()
}

#[tokio::test]
async fn tickets_are_persisted_through_tls_whose_version_doctor_names() {
    let (database, certificates) = OwnPostgres::start_with_tls().await;
    let authority = certificates.authority.display();
    let dir = tempfile::tempdir().unwrap();
    for mode in ["require".to_owned(), format!("verify-full&sslrootcert={authority}")] {
        let url = format!("{}?sslmode={mode}", database.url_by_tcp(PASSWORD));
        let variables = [("DATABASE_URL", url.as_str())];
        let server = Server::start(dir.path(), &variables).await.ready().await;
        let coupon = &mode[..3];
        server.prepare(coupon, 1).await;
        assert_eq!(server.issue(coupon, "ada").await.status, 200);
        eventually_holds("the row", async || server.stats(coupon).await["persisted"] == 1).await;
        let doctor = command(dir.path(), &variables).arg("doctor").output().unwrap();
        let said = String::from_utf8(doctor.stdout).unwrap();
        assert!(said.contains("database: TLSv1.3"), "{said}");
        assert!(!said.contains("password"), "{said}");
    }
}

#[tokio::test]
async fn a_database_that_nobody_vouches_for_ends_every_start_with_3_and_one_sentence() {
    let (database, _) = OwnPostgres::start_with_tls().await;
    let strange = tempfile::tempdir().unwrap();
    let other = Certificates::make(strange.path()).authority;
    let by_name = database.url_by_tcp(PASSWORD);
    let other = other.display();
    for (url, why) in [
        (format!("{by_name}?sslmode=verify-full&sslrootcert={other}"), "sslrootcert"),
        (format!("{by_name}?sslmode=verify-full"), "sslrootcert"),
        (format!("{by_name}?sslmode=verify-ca&sslrootcert=/nonexistent"), "/nonexistent"),
    ] {
        for verb in ["serve", "doctor"] {
            let ended = ended(&url, verb).await;
            let said = String::from_utf8(ended.stderr).unwrap();
            assert_eq!(ended.status.code(), Some(3), "{verb} {url}: {said}");
            assert!(said.contains(why) && !said.contains(PASSWORD), "{verb} {url}: {said}");
        }
    }
}

#[tokio::test]
async fn a_wrong_password_ends_every_start_with_3_and_one_sentence() {
    let (database, _) = OwnPostgres::start_with_tls().await;
    let url = database.url_by_tcp("wrong");
    for verb in ["serve", "worker", "coupon list"] {
        let ended = ended(&url, verb).await;
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(3), "{verb}: {said}");
        let is_told = said.contains("password authentication failed");
        assert!(is_told && !said.contains("wrong@"), "{verb}: {said}");
    }
}

#[tokio::test]
async fn a_password_that_may_cross_the_network_in_the_clear_is_known() {
    let told_with = async |url: &str, migrations: Migrations| {
        let settings = Settings {
            url: url.to_owned(),
            pool_max_connections: 2,
            migrations,
            migration_wait: Duration::from_secs(1),
        };
        new(&settings).await.unwrap().hosts_told_in_the_clear()
    };
    let told = async |url: &str| told_with(url, Migrations::Here).await;
    assert_eq!(told("postgres://me:secret@db.example/shop").await, ["db.example"]);
    let both = told("postgres://me:secret@10.0.0.1,10.0.0.2/shop?sslmode=prefer").await;
    assert_eq!(both, ["10.0.0.1", "10.0.0.2"]);
    let owner = Migrations::At("postgres://owner:secret@direct.example/shop".to_owned());
    assert_eq!(told_with("postgres://me@db.example/shop", owner).await, ["direct.example"]);
    for safe in [
        "postgres://me@db.example/shop",
        "postgres://me:secret@db.example/shop?sslmode=require",
        "postgres://me:secret@db.example/shop?sslmode=verify-full",
        "postgres://me:secret@/shop?host=/run/postgresql",
    ] {
        assert_eq!(told(safe).await, Vec::<String>::new(), "{safe}");
    }
}
