//! The life of a coupon as admins lead it, through the admin API of real servers.

mod acts;
mod cancel;
mod crash;
mod damaged;
mod dead_letters;
mod diverged;
mod draft;
mod live;
mod log;
mod looks;
mod rowless;
mod spreadsheets;
mod stops;
mod tickets;
mod two;
mod winners;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::eventually::eventually_holds;
use crate::support::server::{Answer, Server, send};

/// An embedded server in a folder of its own.
async fn server(variables: &[(&str, &str)]) -> (TempDir, Server) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), variables).await.ready().await;
    (dir, server)
}

async fn create(server: &Server, definition: &Value) -> Answer {
    server.send_as_admin(Method::POST, "/admin/coupons", definition).await
}

async fn patch(server: &Server, id: &str, body: &Value) -> Answer {
    server.send_as_admin(Method::PATCH, &format!("/admin/coupons/{id}"), body).await
}

/// As [`patch`], if the coupon still has this ETag.
async fn patch_if(server: &Server, id: &str, etag: &str, body: &Value) -> Answer {
    let request = server.ask_as_admin(Method::PATCH, &format!("/admin/coupons/{id}"));
    send(request.header("If-Match", etag).json(body)).await.unwrap()
}

/// `pause`, `resume`, `close` or `preload`.
async fn act(server: &Server, id: &str, word: &str) -> Answer {
    server.post_as_admin(&format!("/admin/coupons/{id}/{word}")).await
}

async fn cancel(server: &Server, ticket: &str) -> Answer {
    server.post_as_admin(&format!("/admin/tickets/{ticket}/cancel")).await
}

/// The state at this instant; the public page may still tell the one of a moment ago.
async fn state(server: &Server, id: &str) -> String {
    let seen = server.get_as_admin(&format!("/admin/coupons/{id}")).await.json();
    seen["state"].as_str().unwrap_or_default().to_owned()
}

/// Waits until everybody sees this state.
async fn shows(server: &Server, id: &str, state: &str) {
    eventually_holds(state, async || {
        server.get(&format!("/coupons/{id}")).await.json()["state"] == state
    })
    .await;
}

/// The user's ticket as the user sees it.
async fn ticket(server: &Server, user: &str, ticket: &str) -> Answer {
    let request = server.ask(Method::GET, &format!("/tickets/{ticket}"));
    send(request.header("X-User-Id", user)).await.unwrap()
}

/// Waits until every ticket of the coupon is a row.
async fn rows_are_there(server: &Server, id: &str) {
    eventually_holds("the rows", async || {
        let stats = server.stats(id).await;
        stats["rows"] == stats["issued"] && stats["shard_records"] == 0
    })
    .await;
}

/// Fails unless the balance holds and these figures are in it.
async fn assert_balance(server: &Server, id: &str, expected: &Value) {
    let stats = server.stats(id).await;
    assert_eq!((&stats["ok"], &stats["faults"]), (&json!(true), &json!([])), "{stats}");
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&stats[name], value, "{name} of {stats}");
    }
}
