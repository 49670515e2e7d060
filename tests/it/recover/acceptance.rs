//! 2,000 of 5,000 tickets are told and are rows when Redis forgets, each time in another way, with
//! and without the database.

use std::time::Instant;

use firstcome::domain::coupon::CouponId;
use firstcome::redis::keys::Keys;
use reqwest::StatusCode;

use super::whole::copy;
use super::{Place, assert_persisted, recovered};
use crate::support::crowd::{Crowd, Told};
use crate::support::eventually::eventually_holds;
use crate::support::plain_redis::PlainRedis;
use crate::support::postgres;
use crate::support::server::Server;

const TOTAL: usize = 5_000;
const BEFORE: usize = 2_000;

/// How Redis forgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// It is killed, and comes back without its data.
    Empty,
    /// `FLUSHALL`.
    Flushed,
    /// The keys of the coupon are deleted.
    Keys,
    /// It is killed, and comes back with an older append-only file.
    Older,
}

async fn rush(server: &Server, coupon: &str, users: usize) -> Told {
    let crowd = Crowd::new(&[&server.public], coupon);
    crowd.rush(0..users).await;
    crowd.told()
}

/// Tells 2,000 of 5,000, lets Redis forget, and gives the rest when it is back.
async fn forgets(place: &mut Place, server: &Server, coupon: &str, loss: Loss, is_away: bool) {
    server.prepare(coupon, TOTAL as u64).await;
    let older = tempfile::tempdir().unwrap();
    if loss == Loss::Older {
        place.redis.crash(|dir| copy(&dir.join("appendonlydir"), older.path())).await;
        eventually_holds("that it is accepted", async || {
            server.get("/readyz").await.status == StatusCode::OK
        })
        .await;
    }
    let before = rush(server, coupon, BEFORE).await;
    assert_persisted(server, coupon, BEFORE).await;
    if is_away {
        postgres::close_to_all(&place.database_url).await;
    }
    let since = Instant::now();
    match loss {
        Loss::Empty => {
            place.redis.crash(|dir| drop(std::fs::remove_file(dir.join("dump.rdb")))).await;
        }
        Loss::Flushed => place.redis.ask("FLUSHALL").await,
        Loss::Keys => {
            let id = CouponId::parse(coupon).unwrap();
            let [hash, holders, ..] = Keys::new("fc").of_coupon(&id);
            let () = place.redis.ask(&format!("DEL {hash} {holders}")).await;
        }
        Loss::Older => {
            place.redis.crash(|dir| copy(older.path(), &dir.join("appendonlydir"))).await;
        }
    }
    if is_away {
        let is_refused = async || server.issue(coupon, "new").await.code() == "recovering";
        eventually_holds("that nothing is issued", is_refused).await;
        if loss == Loss::Keys {
            assert_eq!(server.issue("other", "ada").await.status, StatusCode::OK);
        }
        postgres::open_to_all(&place.database_url).await;
    }
    recovered(server, coupon).await;
    eprintln!("{loss:?}, database away: {is_away}: back after {} ms", since.elapsed().as_millis());

    let told = rush(server, coupon, TOTAL + 10).await;
    assert_eq!((told.tickets.len(), told.sold_out.len()), (TOTAL, 10), "{loss:?}");
    for (user, body) in &before.tickets {
        assert_eq!(told.tickets.get(user), Some(body), "{loss:?}: {user}");
    }
    assert_persisted(server, coupon, TOTAL).await;
    let audit = server.get(&format!("/coupons/{coupon}/audit")).await;
    assert_eq!(audit.json()["ok"], true, "{loss:?}: {}", audit.body);
}

#[tokio::test]
async fn a_redis_with_factory_settings_may_forget_anything_at_any_time_i1_i2_i3_i5_i10() {
    let mut place = Place::around(PlainRedis::factory().await).await;
    let server = place.server(&[]).await;
    server.prepare("other", 10).await;
    assert_eq!(server.issue("other", "ada").await.status, StatusCode::OK);
    for (number, loss) in [Loss::Empty, Loss::Flushed, Loss::Keys].into_iter().enumerate() {
        for is_away in [false, true] {
            forgets(&mut place, &server, &format!("c{number}-{is_away}"), loss, is_away).await;
        }
    }
}

#[tokio::test]
async fn a_redis_may_come_back_with_an_older_append_only_file_i1_i2_i3_i5_i10() {
    let mut place = Place::around(PlainRedis::start(&[]).await).await;
    let server = place.server(&[]).await;
    for is_away in [false, true] {
        forgets(&mut place, &server, &format!("c-{is_away}"), Loss::Older, is_away).await;
    }
}
