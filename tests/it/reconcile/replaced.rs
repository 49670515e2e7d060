//! Another Redis came back in its place: empty, older, less durable, or somebody else's.

use std::path::Path;

use reqwest::StatusCode;

use super::{assert_fails_closed, free_port, words};
use crate::support::crowd::{Crowd, Told};
use crate::support::eventually::eventually_holds;
use crate::support::exact::assert_kept;
use crate::support::plain_redis::PlainRedis;
use crate::support::redis::{PrivateRedis, info_of};
use crate::support::server::Server;
use crate::support::site::{Dialect, Site};
use firstcome::redis::facts;

/// A server with a coupon of which one ticket was told and is a row.
pub(super) async fn tell_a_ticket(server: &Server) {
    server.prepare("summer", 50).await;
    assert_eq!(server.issue("summer", "ada").await.status, StatusCode::OK);
    let is_row = async || server.stats("summer").await["rows"] == 1;
    eventually_holds("ada's row", is_row).await;
}

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test]
async fn an_empty_redis_in_its_place_is_refused_i1_i3() {
    let mut site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    tell_a_ticket(&server).await;
    site.redis.crash_and_restart_with(|files| std::fs::remove_dir_all(files).unwrap()).await;
    assert_fails_closed(&site, &server, "heartbeat is behind").await;
}

#[tokio::test]
async fn an_older_copy_in_its_place_is_refused_i1_i3() {
    let mut site = Site::start(Dialect::Postgres).await;
    let server = site.server(&[]).await;
    tell_a_ticket(&server).await;
    let kept = tempfile::tempdir().unwrap();
    copy(&site.redis.files(), kept.path());
    let old = facts::heartbeat(&site.redis.redis).await.unwrap();
    let beat = async || facts::heartbeat(&site.redis.redis).await.unwrap() > old;
    eventually_holds("a beat that the copy lacks", beat).await;
    assert_eq!(server.issue("summer", "bob").await.status, StatusCode::OK);
    let put_back = |files: &Path| {
        std::fs::remove_dir_all(files).unwrap();
        copy(kept.path(), files);
    };
    site.redis.crash_and_restart_with(put_back).await;
    assert_fails_closed(&site, &server, "heartbeat is behind").await;
}

#[tokio::test]
async fn a_copy_that_lacks_tickets_is_refused_even_if_its_heartbeat_is_not_behind_i3_i5() {
    let mut site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    tell_a_ticket(&server).await;
    let kept = tempfile::tempdir().unwrap();
    copy(&site.redis.files(), kept.path());
    assert_eq!(server.issue("summer", "bob").await.status, StatusCode::OK);
    let is_row = async || server.stats("summer").await["rows"] == 2;
    eventually_holds("bob's row", is_row).await;
    drop(server);
    let put_back = |files: &Path| {
        std::fs::remove_dir_all(files).unwrap();
        copy(kept.path(), files);
    };
    site.redis.crash_and_restart_with(put_back).await;
    let () = site.redis.ask(redis::cmd("SET").arg("fc:heartbeat").arg(1_000_000)).await;
    let server = site.listening(&[]).await;
    assert_fails_closed(&site, &server, "lacks tickets").await;
}

#[tokio::test]
async fn a_restart_at_everysec_is_refused_and_a_change_of_the_level_is_not_i3() {
    let mut site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    tell_a_ticket(&server).await;
    let () = site.redis.ask(&words("CONFIG SET appendfsync everysec")).await;
    let is_told =
        async || server.issue("summer", "ada").await.headers["firstcome-durability"] == "everysec";
    eventually_holds("the new level", is_told).await;
    // The private Redis starts at `always` again; what it was before is what counts.
    site.redis.crash_and_restart().await;
    assert_fails_closed(&site, &server, "appendfsync was or is not always").await;
}

#[tokio::test]
async fn a_master_that_was_demoted_and_comes_back_with_other_data_issues_nothing_i1_i5() {
    let site = Site::start(Dialect::Sqlite).await;
    let server = site.server(&[]).await;
    tell_a_ticket(&server).await;
    let mut other = PrivateRedis::start().await;
    let older = site.redis.files();
    other
        .crash_and_restart_with(|files| {
            std::fs::remove_dir_all(files).unwrap();
            copy(&older, files);
        })
        .await;
    assert_eq!(server.issue("summer", "bob").await.status, StatusCode::OK);

    // Its process, and so the server's connections, live on; only the tickets since are gone.
    let port = free_port();
    // Before the prover looks again: the script itself must see it (P2 step 2).
    let () = other.ask(&words("CONFIG SET repl-diskless-sync-delay 0")).await;
    let () = other.ask(&words("CONFIG SET bind 127.0.0.1")).await;
    let () = other.ask(&words(&format!("CONFIG SET port {port}"))).await;
    let () = site.redis.ask(&words(&format!("REPLICAOF 127.0.0.1 {port}"))).await;
    let is_synced = async || site.redis.info("master_link_status").await == "up";
    eventually_holds("the other data", is_synced).await;
    let () = site.redis.ask(&words("REPLICAOF NO ONE")).await;
    let eve = server.issue("summer", "eve").await;
    assert_eq!(eve.code(), "recovering", "bob has the next serial: {}", eve.body);
    assert_fails_closed(&site, &server, "was replaced while it ran").await;
}

#[tokio::test]
async fn a_foreign_redis_with_coupons_is_refused_by_a_fresh_database_i1() {
    let theirs = Site::start(Dialect::Sqlite).await;
    let server = theirs.server(&[]).await;
    tell_a_ticket(&server).await;
    drop(server);
    let ours = Site::start(Dialect::Sqlite).await;
    let url = [("DATABASE_URL", ours.database_url.as_str())];
    let server = theirs.listening(&url).await;
    super::assert_not_ready(&server, "coupons that this database does not know").await;
    let world = theirs.redis.world().await;
    super::assert_recovering(&server, "summer", "ada").await;
    let new = serde_json::json!({ "id": "summer", "name": "ours", "total": 5 });
    let create = server.ask_as_admin(reqwest::Method::POST, "/admin/coupons").json(&new);
    crate::support::server::send(create).await.unwrap();
    let preload = server.post_as_admin("/admin/coupons/summer/preload").await;
    assert_eq!(preload.code(), "recovering", "{}", preload.body);
    assert!(theirs.redis.world().await == world, "something was loaded over it");
}

#[tokio::test]
async fn a_restart_on_its_own_data_goes_on_in_every_server_i2_i3_i5() {
    let mut site = Site::start(Dialect::Postgres).await;
    let servers = [site.server(&[]).await, site.server(&[]).await];
    let addresses = [servers[0].public.clone(), servers[1].public.clone()];
    let crowd = Crowd::new(&[&addresses[0], &addresses[1]], "summer");
    servers[0].prepare("summer", 50).await;
    crowd.rush(0..20).await;
    site.redis.crash_and_restart().await;
    crowd.rush(0..40).await;
    let told: Told = crowd.told();
    for server in &servers {
        assert_kept(server, "summer", &told).await;
    }
}

#[tokio::test]
async fn a_restart_on_an_rdb_file_that_lacks_a_ticket_is_refused_and_not_called_a_promotion_i1_i3()
{
    const LEVEL: &str = "Redis restarted, and appendfsync was or is not always";
    const RDB_ONLY: &str = "a replica may have been promoted, or Redis loaded an RDB file only";
    for had_replica in [false, true] {
        let mut redis = PlainRedis::start(&["--appendonly", "no", "--save", "3600 1"]).await;
        if had_replica {
            // From then on the file says whose data it is, and who loads it looks like a replica.
            let replica = PlainRedis::start(&[]).await;
            let () = redis.ask("CONFIG SET repl-diskless-sync-delay 0").await;
            let () = replica.ask(&format!("REPLICAOF 127.0.0.1 {}", redis.port)).await;
            let is_synced = async || info_of(&replica.url, "master_link_status").await == "up";
            eventually_holds("the replica's data", is_synced).await;
        }
        let dir = tempfile::tempdir().unwrap();
        let url = redis.url.clone();
        let variables = [("REDIS_URL", url.as_str())];
        let server = Server::start(dir.path(), &variables).await.ready().await;
        tell_a_ticket(&server).await;
        let () = redis.ask("SAVE").await;
        assert_eq!(server.issue("summer", "bob").await.status, StatusCode::OK);
        redis.crash(|_| ()).await;
        let is_second = info_of(&redis.url, "master_replid2").await != "0".repeat(40);
        assert!(is_second || !had_replica);
        let sentence = if is_second { RDB_ONLY } else { LEVEL };
        super::assert_not_ready(&server, sentence).await;
        for user in ["ada", "new"] {
            super::assert_recovering(&server, "summer", user).await;
        }
        drop(server);
        let server = Server::start(dir.path(), &variables).await;
        super::assert_not_ready(&server, sentence).await;
        super::assert_recovering(&server, "summer", "new").await;
    }
}
