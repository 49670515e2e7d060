//! What a recovery skips is no ticket: it has no place in the order, and nobody can cancel it.

use reqwest::{Method, StatusCode};

use super::{Place, Told, issue_to, recovered, serial};
use crate::support::eventually::eventually_holds;
use crate::support::plain_redis::PlainRedis;
use crate::support::server::{Server, send};

async fn rank(server: &Server, user: &str, serial: u64) -> serde_json::Value {
    let question = server.ask(Method::GET, &format!("/tickets/summer.{serial}"));
    let shown = send(question.header("X-User-Id", user)).await.unwrap().json();
    let mine = server.ask(Method::GET, "/me/tickets").header("X-User-Id", user);
    let mine = send(mine).await.unwrap().json();
    if shown["status"] == "accepted" {
        assert_eq!(mine["tickets"][0], shown);
    }
    shown["rank"].clone()
}

#[tokio::test]
async fn ranks_go_on_over_the_gap_and_a_serial_of_the_gap_is_no_ticket_i4_i5() {
    let place = Place::around(PlainRedis::start(&[]).await).await;
    let server = place.server(&[]).await;
    server.prepare("summer", 30).await;
    let mut told = Told::new();
    issue_to(&server, "summer", 0..5, &mut told).await;
    let () = place.redis.ask("FLUSHALL").await;
    recovered(&server, "summer").await;
    issue_to(&server, "summer", 0..8, &mut told).await;
    for user in 0..8_u64 {
        let (name, of_user) = (format!("u{user}"), serial(&told[&format!("u{user}")]));
        let is_known = async || rank(&server, &name, of_user).await == user + 1;
        eventually_holds("the rank", is_known).await;
    }
    assert!(serial(&told["u5"]) > 30, "behind the gap");
    for of_nobody in [6, 30] {
        let path = format!("/admin/tickets/summer.{of_nobody}/cancel");
        let answer = server.post_as_admin(&path).await;
        let told = (answer.status, answer.code());
        assert_eq!(told, (StatusCode::NOT_FOUND, "ticket_not_found".to_owned()), "{of_nobody}");
    }
}
