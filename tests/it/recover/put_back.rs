//! The database is put back to an older copy while Redis lives (P2 step 13).

use reqwest::{Method, StatusCode};

use super::{Told, assert_persisted, issue_to};
use crate::support::eventually::eventually_holds;
use crate::support::postgres;
use crate::support::server::{Server, send};
use crate::support::site::{Dialect, Site};

const AUTO: [(&str, &str); 1] = [("FIRSTCOME_RECOVERY", "auto")];

async fn stop(mut server: Server) {
    server.terminate();
    server.ended().await;
}

/// Copies the files of the database from one name to another one.
fn copy_files(site: &Site, from: &str, to: &str) {
    for ending in ["", "-wal", "-shm"] {
        let of = |name| site.data_dir().join(format!("{name}{ending}"));
        let _ = std::fs::remove_file(of(to));
        if of(from).exists() {
            std::fs::copy(of(from), of(to)).unwrap();
        }
    }
}

/// Ten users have tickets, one of them a cancelled one, and the database is copied.
async fn ten_and_a_copy(site: &Site, told: &mut Told) {
    let server = site.server(&AUTO).await;
    server.prepare("summer", 30).await;
    issue_to(&server, "summer", 0..10, told).await;
    assert_persisted(&server, "summer", 10).await;
    let cancelled = server.post_as_admin("/admin/tickets/summer.3/cancel").await;
    assert_eq!(cancelled.status, StatusCode::OK, "{}", cancelled.body);
    told.remove("u2");
    stop(server).await;
    match site.database_url.starts_with("sqlite") {
        true => copy_files(site, "site.db", "copy.db"),
        false => postgres::copy(&site.database_url).await,
    }
}

/// Everybody has the same ticket, in Redis and as a row, and nobody's ticket changed.
async fn all_is_back(server: &Server, told: &mut Told) {
    assert_persisted(server, "summer", 20).await;
    for (user, body) in &*told {
        assert_eq!(server.issue("summer", user).await.body, *body);
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let path = format!("/tickets/{}", body["ticket"]["id"].as_str().unwrap());
        let look = server.ask(Method::GET, &path).header("X-User-Id", user);
        let shown = send(look).await.unwrap().json();
        assert_eq!(
            (&shown["status"], &shown["code"]),
            (&"accepted".into(), &body["ticket"]["code"])
        );
        assert_eq!(shown["rank"], body["ticket"]["serial"]);
    }
    assert_eq!(server.issue("summer", "u2").await.code(), "ticket_cancelled");
    let stats = server.stats("summer").await;
    assert_eq!((&stats["ok"], &stats["cancelled"]), (&true.into(), &1.into()), "{stats}");
    assert_eq!((&stats["epoch"], &stats["persisted"]), (&1.into(), &20.into()), "{stats}");
}

#[tokio::test]
async fn rows_that_a_file_lost_come_again_from_redis_at_the_next_start_i3_i9_i10() {
    let site = Site::start(Dialect::Sqlite).await;
    let mut told = Told::new();
    ten_and_a_copy(&site, &mut told).await;
    let server = site.server(&AUTO).await;
    for user in (10..20).map(|user| user..user + 1) {
        issue_to(&server, "summer", user, &mut told).await;
    }
    assert_persisted(&server, "summer", 20).await;
    stop(server).await;
    copy_files(&site, "copy.db", "site.db");
    let server = site.server(&AUTO).await;
    all_is_back(&server, &mut told).await;
}

#[tokio::test]
async fn rows_that_postgresql_lost_come_again_while_the_servers_live_i3_i9_i10() {
    let site = Site::start(Dialect::Postgres).await;
    let mut told = Told::new();
    ten_and_a_copy(&site, &mut told).await;
    let server = site.server(&AUTO).await;
    for user in (10..20).map(|user| user..user + 1) {
        issue_to(&server, "summer", user, &mut told).await;
    }
    assert_persisted(&server, "summer", 20).await;
    postgres::close_to_all(&site.database_url).await;
    let is_away = async || !server.get("/readyz").await.json()["warnings"].to_string().eq("[]");
    eventually_holds("an outage", is_away).await;
    // A ticket that was told meanwhile is in the stream.
    let late = server.issue("summer", "late").await;
    assert_eq!(late.status, StatusCode::OK, "{}", late.body);
    postgres::put_back(&site.database_url).await;
    assert_persisted(&server, "summer", 21).await;
    told.remove("late");
    let ok = async || server.get("/coupons/summer/audit").await.json()["ok"] == true;
    eventually_holds("the audit", ok).await;
    assert_eq!(server.issue("summer", "late").await.body, late.body);
    for (user, body) in &told {
        assert_eq!(server.issue("summer", user).await.body, *body);
    }
    let server_stats = server.stats("summer").await;
    assert_eq!((&server_stats["ok"], &server_stats["epoch"]), (&true.into(), &1.into()));
}
