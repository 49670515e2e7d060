//! What admins did stays as it was.

use reqwest::{Method, StatusCode};

use super::{Place, Told, assert_persisted, issue_to, recovered};
use crate::support::plain_redis::PlainRedis;
use crate::support::server::{Server, send};

async fn ask(server: &Server, path: &str) -> StatusCode {
    let request = server.ask_as_admin(Method::POST, path).header("Idempotency-Key", path);
    send(request).await.unwrap().status
}

#[tokio::test]
async fn a_pause_a_close_a_cancelled_ticket_and_the_numbers_of_acts_outlive_a_flush_i1_i7_i8() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let server = place.server(&[]).await;
    for coupon in ["open", "paused", "closed"] {
        server.prepare(coupon, 5).await;
        issue_to(&server, coupon, 0..3, &mut Told::new()).await;
        assert_persisted(&server, coupon, 3).await;
    }
    assert_eq!(ask(&server, "/admin/coupons/paused/pause").await, StatusCode::OK);
    assert_eq!(ask(&server, "/admin/coupons/closed/close").await, StatusCode::OK);
    assert_eq!(ask(&server, "/admin/tickets/open.2/cancel").await, StatusCode::OK);
    assert_eq!(server.restock("open", 2, "more").await.status, StatusCode::OK);
    let () = place.redis.ask("FLUSHALL").await;
    for coupon in ["open", "paused", "closed"] {
        recovered(&server, coupon).await;
    }
    for (coupon, code) in [("paused", "paused"), ("closed", "closed")] {
        assert_eq!(server.issue(coupon, "new").await.code(), code);
    }
    assert_eq!(server.issue("open", "u1").await.code(), "ticket_cancelled");
    // 5 + 2, of which two are out.
    assert_eq!(server.stats("open").await["remaining"], 5);
    assert_eq!(server.restock("open", 1, "one").await.status, StatusCode::OK);
    for user in 10..16 {
        assert_eq!(server.issue("open", &format!("n{user}")).await.status, StatusCode::OK);
    }
    assert_eq!(server.issue("open", "late").await.code(), "sold_out");
    assert_eq!(ask(&server, "/admin/coupons/paused/resume").await, StatusCode::OK);
    assert_eq!(server.issue("paused", "new").await.status, StatusCode::OK);
    for coupon in ["open", "paused", "closed"] {
        let audit = server.get(&format!("/coupons/{coupon}/audit")).await;
        assert_eq!(audit.json()["ok"], true, "{}", audit.body);
    }
}
