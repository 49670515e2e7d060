//! Two cells behind docs/nginx-cells.conf: each is a server with its own Redis and database.

use reqwest::StatusCode;
use serde_json::Value;

use crate::support::nginx::Nginx;
use crate::support::server::{Answer, Server, send};
use crate::support::site::{Dialect, Site};

/// Two cells, and nginx in front of them.
struct Cells {
    servers: [Server; 2],
    nginx: Nginx,
    _sites: [Site; 2],
}

impl Cells {
    async fn start() -> Self {
        let sites = [Site::start(Dialect::Sqlite).await, Site::start(Dialect::Sqlite).await];
        let servers = [sites[0].server(&[]).await, sites[1].server(&[]).await];
        let nginx = Nginx::before([&servers[0].public, &servers[1].public]).await;
        Self { servers, nginx, _sites: sites }
    }

    async fn get(&self, path: &str, user: &str) -> Answer {
        let request = reqwest::Client::new().get(format!("{}{path}", self.nginx.url));
        send(request.header("X-User-Id", user)).await.unwrap()
    }

    async fn issue(&self, coupon: &str, user: &str) -> Answer {
        self.get(&format!("/coupons/{coupon}/issue"), user).await
    }
}

fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer["ticket"][name].as_str().unwrap()
}

#[tokio::test]
async fn each_coupon_is_served_by_its_cell() {
    let cells = Cells::start().await;
    for (server, coupon) in cells.servers.iter().zip(["spring", "autumn"]) {
        server.prepare(coupon, 10).await;
        let ticket = cells.issue(coupon, "ann").await.json();
        assert_eq!(text(&ticket, "coupon_id"), coupon);
        assert_eq!(server.stats(coupon).await["issued"], 1);
        let path = format!("/tickets/{}", text(&ticket, "id"));
        assert_eq!(cells.get(&path, "ann").await.status, StatusCode::OK);
        assert_eq!(cells.get(&format!("/coupons/{coupon}"), "ann").await.json()["remaining"], 9);
    }
}

#[tokio::test]
async fn a_hot_coupon_in_two_cells_gives_each_user_one_ticket_and_no_more_than_its_stock_i1_i2() {
    let cells = Cells::start().await;
    for (server, part) in cells.servers.iter().zip(["summer-1", "summer-2"]) {
        server.prepare(part, 20).await;
    }
    let mut won = [0, 0];
    for number in 0..80 {
        let user = format!("user-{number}");
        let first = cells.issue("summer", &user).await;
        assert_eq!(first.body, cells.issue("summer", &user).await.body, "the same again (I10)");
        if first.status == StatusCode::OK {
            let part = text(&first.json(), "coupon_id").to_owned();
            won[usize::from(part == "summer-2")] += 1;
        } else {
            assert_eq!(first.code(), "sold_out");
        }
    }
    assert_eq!(won, [20, 20], "both parts are used up");
}

#[tokio::test]
async fn while_a_cell_is_away_its_users_are_not_sent_to_the_other_one_i2() {
    let mut cells = Cells::start().await;
    for (server, part) in cells.servers.iter().zip(["summer-1", "summer-2"]) {
        server.prepare(part, 20).await;
    }
    let users: Vec<String> = (0..10).map(|number| format!("user-{number}")).collect();
    let mut parts = Vec::new();
    for user in &users {
        parts.push(text(&cells.issue("summer", user).await.json(), "coupon_id").to_owned());
    }
    cells.servers[1].kill();
    for (user, part) in users.iter().zip(&parts) {
        let status = cells.issue("summer", user).await.status;
        let expected = if part == "summer-1" { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
        assert_eq!(status, expected, "{user} of {part}");
    }
    assert!(parts.iter().any(|part| part == "summer-2"), "{parts:?}");
}
