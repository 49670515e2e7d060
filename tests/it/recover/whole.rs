//! The whole Redis forgot.

use std::path::Path;

use firstcome::domain::coupon::CouponId;
use firstcome::domain::limits::COUNT_SILENCE;
use firstcome::redis::keys::Keys;

use super::{Place, Told, assert_gives_the_rest, assert_persisted, issue_to, recovered};
use crate::support::eventually::eventually_holds;
use crate::support::plain_redis::PlainRedis;
use crate::support::postgres;

/// A server that told 20 of 50 tickets, which are rows.
async fn told_some(place: &Place) -> (crate::support::server::Server, Told) {
    let server = place.server(&[]).await;
    server.prepare("summer", 50).await;
    let mut told = Told::new();
    issue_to(&server, "summer", 0..20, &mut told).await;
    assert_persisted(&server, "summer", 20).await;
    (server, told)
}

#[tokio::test]
async fn a_redis_with_factory_settings_that_comes_back_empty_is_recovered_i1_i2_i3_i5_i10() {
    let mut place = Place::around(PlainRedis::factory().await).await;
    let (server, mut told) = told_some(&place).await;
    place.redis.crash(|dir| drop(std::fs::remove_file(dir.join("dump.rdb")))).await;
    recovered(&server, "summer").await;
    assert_gives_the_rest(&server, "summer", 50, &mut told).await;
}

#[tokio::test]
async fn a_redis_that_was_flushed_is_recovered_as_often_as_that_happens_i1_i2_i5_i10() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let (server, mut told) = told_some(&place).await;
    for some in [30, 40] {
        let () = place.redis.ask("FLUSHALL").await;
        recovered(&server, "summer").await;
        issue_to(&server, "summer", 0..some, &mut told).await;
        assert_persisted(&server, "summer", some).await;
    }
    assert_gives_the_rest(&server, "summer", 50, &mut told).await;
}

#[tokio::test]
async fn a_redis_that_restarts_from_an_older_snapshot_is_recovered_i1_i2_i5_i10() {
    let mut place = Place::around(PlainRedis::factory().await).await;
    let (server, mut told) = told_some(&place).await;
    let () = place.redis.ask("SAVE").await;
    issue_to(&server, "summer", 20..30, &mut told).await;
    assert_persisted(&server, "summer", 30).await;
    place.redis.crash(|_| ()).await;
    recovered(&server, "summer").await;
    assert_gives_the_rest(&server, "summer", 50, &mut told).await;
}

#[tokio::test]
async fn a_redis_that_restarts_on_an_older_append_only_file_is_recovered_i1_i2_i5_i10() {
    let mut place = Place::around(PlainRedis::start(&[]).await).await;
    let (server, mut told) = told_some(&place).await;
    let older = tempfile::tempdir().unwrap();
    place.redis.crash(|dir| copy(&dir.join("appendonlydir"), older.path())).await;
    recovered(&server, "summer").await;
    issue_to(&server, "summer", 20..30, &mut told).await;
    assert_persisted(&server, "summer", 30).await;
    place.redis.crash(|dir| copy(older.path(), &dir.join("appendonlydir"))).await;
    recovered(&server, "summer").await;
    assert_gives_the_rest(&server, "summer", 50, &mut told).await;
}

#[tokio::test]
async fn a_recovery_waits_for_a_database_that_is_away_and_loses_nothing_of_what_was_told_i1_i2_i10()
{
    let mut place = Place::around(PlainRedis::factory().await).await;
    let (server, mut told) = told_some(&place).await;
    postgres::close_to_all(&place.database_url).await;
    issue_to(&server, "summer", 20..30, &mut told).await;
    place.redis.crash(|dir| drop(std::fs::remove_file(dir.join("dump.rdb")))).await;
    let refused = async || server.issue("summer", "new").await.code() == "recovering";
    eventually_holds("that nothing is issued", refused).await;
    postgres::open_to_all(&place.database_url).await;
    recovered(&server, "summer").await;
    assert_gives_the_rest(&server, "summer", 50, &mut told).await;
}

#[tokio::test]
async fn a_redis_with_a_coupon_of_another_database_is_never_taken_over_i1_i3() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let (server, mut told) = told_some(&place).await;
    let foreign = Keys::new("fc").coupon(&CouponId::parse("foreign").unwrap());
    let swap = "redis.call('FLUSHALL')redis.call('HSET',KEYS[1],'terms','x')";
    let () = place.redis.ask(&format!("EVAL {swap} 1 {foreign}")).await;
    let is_told = async || server.get("/readyz").await.body.contains("flushed");
    eventually_holds("the reason", is_told).await;
    // The recoverer looks twice per second, and begins when nobody has counted for COUNT_SILENCE.
    let looks = async || server.metric("firstcome_loop_steps_total{loop=\"recoverer\"").await;
    let enough = looks().await + 2.0 * COUNT_SILENCE.as_secs_f64() + 3.0;
    eventually_holds("more looks than that", async || looks().await >= enough).await;
    assert_eq!(server.issue("summer", "new").await.code(), "recovering");
    assert_eq!(place.redis.ask::<u64>("DBSIZE").await, 1, "nothing is loaded");
    let () = place.redis.ask(&format!("DEL {foreign}")).await;
    recovered(&server, "summer").await;
    assert_gives_the_rest(&server, "summer", 50, &mut told).await;
}

/// Replaces all files of a folder.
pub(super) fn copy(from: &Path, to: &Path) {
    for old in std::fs::read_dir(to).unwrap() {
        std::fs::remove_file(old.unwrap().path()).unwrap();
    }
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[tokio::test]
async fn tickets_that_were_told_and_in_no_row_are_known_to_the_server_that_told_them_i1_i2_i10() {
    let mut place = Place::around(PlainRedis::factory().await).await;
    let server = place.server(&[("FIRSTCOME_PERSISTER", "off")]).await;
    server.prepare("summer", 50).await;
    let mut told = Told::new();
    issue_to(&server, "summer", 0..20, &mut told).await;
    place.redis.crash(|dir| drop(std::fs::remove_file(dir.join("dump.rdb")))).await;
    recovered(&server, "summer").await;
    assert_persisted(&server, "summer", 20).await;
    issue_to(&server, "summer", 0..50, &mut told).await;
    let late = server.issue("summer", "late").await;
    assert_eq!(late.code(), "sold_out", "{}", late.body);
}
