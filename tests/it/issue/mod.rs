//! Issuing through real servers: exactly N, and the same answer again.

mod cost;
mod crash;
mod exactly;
mod filters;
mod lease;
mod missing;
mod overload;
mod queue;
mod shutdown;
mod threads;
mod told;
mod verdict;

use reqwest::StatusCode;

use crate::support::server::Server;

#[tokio::test]
async fn a_user_asking_twice_gets_the_same_ticket_byte_for_byte_i2_i10() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]).await.ready().await;
    server.prepare("summer", 2).await;
    let first = server.issue("summer", "ada").await;
    let again = server.issue("summer", "ada").await;
    assert_eq!((first.status, again.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(first.body, again.body);
    assert_eq!(first.headers["idempotency-replayed"], "false");
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(first.json()["ticket"]["serial"], 1);
}
