//! Redis behind TLS.

use std::net::TcpListener;

use firstcome::redis::tls;
use firstcome::redis::{Redis, Settings};

use crate::support::certificates::Certificates;
use crate::support::eventually::eventually_holds;
use crate::support::plain_redis::PlainRedis;
use crate::support::server::{Server, command};

/// A Redis that also listens with TLS, and its `rediss://` URL.
async fn redis_with_tls(certificates: &Certificates) -> (PlainRedis, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = port.to_string();
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let redis = PlainRedis::start(&[
        "--tls-port",
        &port,
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &path(&certificates.certificate),
        "--tls-key-file",
        &path(&certificates.key),
        "--tls-ca-cert-file",
        &path(&certificates.authority),
    ])
    .await;
    (redis, format!("rediss://localhost:{port}"))
}

#[tokio::test]
async fn tickets_are_issued_and_persisted_through_tls_and_doctor_names_its_version() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(dir.path());
    let (_redis, url) = redis_with_tls(&certificates).await;
    let variables = [
        ("REDIS_URL", url.as_str()),
        ("FIRSTCOME_REDIS_CA_FILE", certificates.authority.to_str().unwrap()),
    ];
    let server = Server::start(dir.path(), &variables).await.ready().await;
    server.prepare("summer", 1).await;
    assert_eq!(server.issue("summer", "ada").await.status, 200);
    assert_eq!(server.issue("summer", "bob").await.code(), "sold_out");
    eventually_holds("the row", async || server.stats("summer").await["persisted"] == 1).await;
    let doctor = command(dir.path(), &variables).arg("doctor").output().unwrap();
    let said = String::from_utf8(doctor.stdout).unwrap();
    assert!(said.contains("Redis: TLSv1.3"), "{said}");
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(dir.path());
    let (_redis, url) = redis_with_tls(&certificates).await;
    let strange = tempfile::tempdir().unwrap();
    let other = Certificates::make(strange.path()).authority;
    let database = format!("sqlite:{}", dir.path().join("none.db").display());
    let servers = [("REDIS_URL", url.as_str()), ("DATABASE_URL", &database)];
    for variables in [
        servers.to_vec(),
        [&servers[..], &[("FIRSTCOME_REDIS_CA_FILE", other.to_str().unwrap())]].concat(),
    ] {
        let doctor = command(dir.path(), &variables).arg("doctor").output().unwrap();
        let said = String::from_utf8(doctor.stderr).unwrap();
        assert_eq!(doctor.status.code(), Some(3), "{said}");
        assert!(said.contains("certificate"), "{said}");
    }
    let no_file = [("REDIS_URL", url.as_str()), ("FIRSTCOME_REDIS_CA_FILE", "/nonexistent")];
    let doctor = command(dir.path(), &no_file).arg("doctor").output().unwrap();
    assert_eq!(doctor.status.code(), Some(2), "{doctor:?}");
}

#[tokio::test]
async fn a_password_that_crosses_the_network_in_the_clear_is_known() {
    let told = |url: &str| {
        let redis = Redis::new(&Settings {
            url: url.to_owned(),
            authorities_pem: None,
            key_prefix: "fc".to_owned(),
            response_timeout: std::time::Duration::from_secs(1),
            pool_max_connections: 2,
        });
        tls::host_told_in_the_clear(&redis.unwrap())
    };
    assert_eq!(told("redis://:secret@10.0.0.1:6379").unwrap(), "10.0.0.1");
    assert_eq!(told("redis://me:secret@redis.example:6379").unwrap(), "redis.example");
    for safe in [
        "redis://10.0.0.1:6379",
        "rediss://:secret@redis.example:6379",
        "redis+unix:///run/redis.sock?pass=secret",
    ] {
        assert_eq!(told(safe), None, "{safe}");
    }
}
