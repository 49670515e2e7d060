//! Exactly N tickets, whichever server serves or persists, and whoever hangs up (I1 I2 I5 I10).

use crate::support::crowd::{Crowd, Told};
use crate::support::exact::assert_exactly;
use crate::support::server::Server;
use crate::support::site::{Dialect, Site};

async fn rush(servers: &[Server], total: usize) -> Told {
    let addresses: Vec<&str> = servers.iter().map(|server| server.public.as_str()).collect();
    servers[0].prepare("summer", total as u64).await;
    let crowd = Crowd::new(&addresses, "summer");
    crowd.rush(0..total * 3 / 2).await;
    let told = crowd.told();
    assert_eq!(told.sold_out.len(), total / 2, "everybody else was told that it is sold out");
    told
}

/// Half as many again want a ticket, at one server that persists too.
async fn assert_exact_on_one(dialect: Dialect, total: usize) {
    let site = Site::start(dialect).await;
    let servers = [site.server(&[]).await];
    let told = rush(&servers, total).await;
    assert_exactly(&servers[0], "summer", total, &told).await;
}

/// The same at three servers, of which one persists, beside a worker.
async fn assert_exact_on_three(dialect: Dialect, total: usize) {
    let site = Site::start(dialect).await;
    let without = [("FIRSTCOME_PERSISTER", "off")];
    let servers =
        [site.server(&[]).await, site.server(&without).await, site.server(&without).await];
    let _worker = site.worker(&[]);
    let told = rush(&servers, total).await;
    for server in &servers {
        assert_exactly(server, "summer", total, &told).await;
    }
}

#[tokio::test]
async fn of_1500_users_exactly_1000_win_on_one_server_and_sqlite_i1_i2_i5_i10() {
    assert_exact_on_one(Dialect::Sqlite, 1_000).await;
}

#[tokio::test]
async fn of_1500_users_exactly_1000_win_on_one_server_and_postgres_i1_i2_i5_i10() {
    assert_exact_on_one(Dialect::Postgres, 1_000).await;
}

#[tokio::test]
async fn of_1500_users_exactly_1000_win_on_three_servers_and_sqlite_i1_i2_i5_i10() {
    assert_exact_on_three(Dialect::Sqlite, 1_000).await;
}

#[tokio::test]
async fn of_1500_users_exactly_1000_win_on_three_servers_and_postgres_i1_i2_i5_i10() {
    assert_exact_on_three(Dialect::Postgres, 1_000).await;
}

#[tokio::test]
async fn of_15000_users_exactly_10000_win_on_one_server_and_sqlite_i1_i2_i5_i10() {
    assert_exact_on_one(Dialect::Sqlite, 10_000).await;
}

#[tokio::test]
async fn of_15000_users_exactly_10000_win_on_three_servers_and_postgres_i1_i2_i5_i10() {
    assert_exact_on_three(Dialect::Postgres, 10_000).await;
}
