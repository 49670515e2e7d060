//! Every server that issues has a row, and marks of what it told.

use std::time::{Duration, Instant};

use firstcome::domain::coupon::CouponId;
use firstcome::domain::limits::WITNESS_WAIT;
use firstcome::store::SeenProcess;

use super::{Place, Told, assert_persisted, issue_to, recovered};
use crate::support::eventually::eventually_holds;
use crate::support::plain_redis::PlainRedis;
use crate::support::store::open;

#[tokio::test]
async fn a_server_has_a_row_with_its_marks_until_it_has_ended_and_all_it_told_is_in_rows_i3() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let store = open(&place.database_url, 2).await.unwrap();
    let rows = async || store.processes(10).await.unwrap();
    let no_persister = [("FIRSTCOME_PERSISTER", "off")];
    let mut server = place.server(&no_persister).await;
    assert_eq!(rows().await.len(), 1, "before anything was issued");
    server.prepare("summer", 50).await;
    issue_to(&server, "summer", 0..20, &mut Told::new()).await;
    let id = CouponId::parse("summer").unwrap();
    let has_mark = async || {
        let mark = store.greatest_mark(&id).await.unwrap();
        mark.is_some_and(|serial| serial.0 == 20)
    };
    eventually_holds("the mark", has_mark).await;

    issue_to(&server, "summer", 20..21, &mut Told::new()).await;
    server.terminate();
    server.ended().await;
    assert!(rows().await[0].is_ended);
    assert_eq!(store.greatest_mark(&id).await.unwrap().unwrap().0, 21);
    assert_eq!(store.find_coupon(&id).await.unwrap().unwrap().persisted, 21, "it told them");

    let mut killed = place.server(&no_persister).await;
    issue_to(&killed, "summer", 21..22, &mut Told::new()).await;
    killed.kill();
    let server = place.server(&no_persister).await;
    let is_silent = async || {
        let rows = rows().await;
        let gone = |row: &&SeenProcess| row.silent_for > Duration::from_secs(7);
        rows.iter().filter(gone).count() == 2
    };
    eventually_holds("the silence of both", is_silent).await;
    assert_eq!(rows().await.len(), 3, "the ticket of the one that was killed has no row");
    drop(server);
    let server = place.server(&[]).await;
    assert_persisted(&server, "summer", 22).await;
    let is_alone = async || rows().await.len() == 1;
    eventually_holds("that the others are forgotten", is_alone).await;
}

#[tokio::test]
async fn a_recovery_waits_for_silent_servers_only_and_for_what_living_ones_told_i1_i3_i10() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let no_persister = [("FIRSTCOME_PERSISTER", "off")];
    let servers = [place.server(&no_persister).await, place.server(&no_persister).await];
    servers[0].prepare("summer", 50).await;
    let mut told = Told::new();
    issue_to(&servers[0], "summer", 0..10, &mut told).await;
    issue_to(&servers[1], "summer", 10..20, &mut told).await;
    let () = place.redis.ask("FLUSHALL").await;
    let begins = async || {
        let ready = servers[0].get("/readyz").await.body + &servers[1].get("/readyz").await.body;
        ready.contains("being recovered")
    };
    eventually_holds("the recovery", begins).await;
    let since = Instant::now();
    recovered(&servers[0], "summer").await;
    assert!(since.elapsed() < WITNESS_WAIT, "{:?}", since.elapsed());
    issue_to(&servers[1], "summer", 0..50, &mut told).await;
    assert_eq!(servers[0].issue("summer", "late").await.code(), "sold_out");
}
