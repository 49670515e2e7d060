//! A Redis whose life is in doubt, and that is not recovered: its records become rows, and a coupon
//! can be stopped, if it has the id of our installation.

use reqwest::{Method, StatusCode};

use super::by_hand::reconcile;
use super::{Place, Told, assert_gives_the_rest, assert_persisted, issue_to};
use crate::support::eventually::eventually_holds;
use crate::support::plain_redis::PlainRedis;
use crate::support::server::{Server, send};

const ASK: (&str, &str) = ("FIRSTCOME_RECOVERY", "ask");

/// Ten tickets that wait in the stream of a Redis, whose life is in doubt when it comes back from
/// its snapshot. Nobody but the stream and the holders knows them.
async fn in_doubt(before_the_snapshot: &str) -> (Place, Told) {
    let mut place = Place::around(PlainRedis::factory().await).await;
    let mut server = place.server(&[ASK, ("FIRSTCOME_PERSISTER", "off")]).await;
    server.prepare("summer", 30).await;
    let mut told = Told::new();
    issue_to(&server, "summer", 0..10, &mut told).await;
    server.kill();
    let () = place.redis.ask(before_the_snapshot).await;
    let () = place.redis.ask("SAVE").await;
    place.redis.crash(|_| ()).await;
    (place, told)
}

/// All keys and values, also when a consumer was seen.
async fn contents(redis: &PlainRedis) -> String {
    // A hash has its fields in any order.
    let script = "local\tkeys=redis.call('KEYS','*')table.sort(keys)local\tall=''\
        for\t_,key\tin\tipairs(keys)do\t\
        local\tvalue=redis.pcall('HGETALL',key)\
        if\tvalue.err\tthen\tvalue={redis.sha1hex(redis.call('DUMP',key))}end\t\
        table.sort(value)all=all..key..'='..table.concat(value,',')..';'end\treturn\tall";
    redis.ask(&format!("EVAL {script} 0")).await
}

async fn assert_in_doubt(server: &Server) {
    let is_told = async || server.get("/readyz").await.body.contains("Redis restarted");
    eventually_holds("the doubt", is_told).await;
}

#[tokio::test]
async fn told_tickets_of_a_doubtful_redis_become_rows_and_its_coupons_can_be_stopped_i3_i8_i9_i10()
{
    let (place, mut told) = in_doubt("PING").await;
    let server = place.listening(&[ASK]).await;
    assert_in_doubt(&server).await;
    assert_persisted(&server, "summer", 10).await;
    assert_eq!(server.issue("summer", "u0").await.code(), "recovering");
    let winners = server.get_as_admin("/admin/coupons/summer/winners?format=ndjson").await;
    assert_eq!(winners.body.lines().count(), 10, "{}", winners.body);
    let paused = server.post_as_admin("/admin/coupons/summer/pause").await;
    assert_eq!(paused.status, StatusCode::OK, "{}", paused.body);
    assert_eq!(server.get("/coupons/summer").await.json()["state"], "paused");

    // The pause stays through the recovery.
    let (output, _) = reconcile(&place, "--apply").await;
    assert!(output.status.success(), "{output:?}");
    let is_paused = async || server.issue("summer", "new").await.code() == "paused";
    eventually_holds("the coupon as it was", is_paused).await;
    issue_to(&server, "summer", 0..10, &mut told).await;
    let resumed = server.post_as_admin("/admin/coupons/summer/resume").await;
    assert_eq!(resumed.status, StatusCode::OK, "{}", resumed.body);
    assert_gives_the_rest(&server, "summer", 30, &mut told).await;
}

#[tokio::test]
async fn a_doubtful_redis_without_the_id_of_our_installation_is_touched_by_nothing_i9() {
    for without_our_id in ["DEL fc:installation", "SET fc:installation 0123456789abcdef"] {
        let (place, _) = in_doubt(without_our_id).await;
        let before = contents(&place.redis).await;
        let server = place.listening(&[ASK]).await;
        let is_closed = async || server.get("/readyz").await.body.contains("recovering: ");
        eventually_holds("a reason", is_closed).await;
        let pause = server.post_as_admin("/admin/coupons/summer/pause").await;
        assert_eq!(pause.code(), "recovering", "{}", pause.body);
        let steps = async || server.metric("firstcome_loop_steps_total{loop=\"prover\"").await;
        let enough = steps().await + 3.0;
        eventually_holds("more looks", async || steps().await >= enough).await;
        assert_eq!(contents(&place.redis).await, before, "{without_our_id}");
    }
}

#[tokio::test]
async fn a_told_ticket_that_redis_forgot_and_no_row_has_yet_is_never_called_unknown_i3_i10() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let server = place.server(&[ASK, ("FIRSTCOME_PERSISTER", "off")]).await;
    server.prepare("summer", 30).await;
    issue_to(&server, "summer", 0..1, &mut Told::new()).await;
    let () = place.redis.ask("FLUSHALL").await;
    let look_up = server.ask(Method::GET, "/tickets/summer.1").header("X-User-Id", "u0");
    let found = send(look_up).await.unwrap();
    assert_eq!(found.code(), "recovering", "{}", found.body);
    let cancelled = server.post_as_admin("/admin/tickets/summer.1/cancel").await;
    assert_eq!(cancelled.code(), "recovering", "{}", cancelled.body);
}
