//! Several hosts in one URL, of which one takes writes, and later another one.

use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use firstcome::domain::ticket::{Serial, TicketId};

use super::{coupon_id, record};
use crate::support::eventually::{eventually_holds, eventually_ok};
use crate::support::postgres::OwnPostgres;
use crate::support::store::open;

async fn connections(postgres: &OwnPostgres) -> i64 {
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    let sql = "SELECT COUNT(*) FROM pg_stat_activity
               WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

#[tokio::test]
async fn rows_go_on_at_the_host_that_takes_writes_now_without_a_restart_i3() {
    let (one, two) = tokio::join!(OwnPostgres::start(), OwnPostgres::start());
    // As a copy would have it.
    open(&two.url(), 2).await.unwrap().close().await;
    two.restart_as_standby();
    let two_url = two.url();
    let (_, second) = two_url.split_once("host=").unwrap();
    let store = open(&format!("{},{second}", one.url()), 4).await.unwrap();
    let persist = async |serial: u64| {
        let user = format!("u{serial}");
        let record = record("summer", serial, &[&user]);
        eventually_ok("the row", async || store.persist(std::slice::from_ref(&record)).await).await;
        let id = TicketId { coupon_id: coupon_id("summer"), serial: Serial(serial) };
        assert!(store.find_ticket(&id).await.unwrap().is_some());
    };
    persist(1).await;

    // The first becomes a standby, as after a failover; the second takes its place.
    one.restart_as_standby();
    two.promote();
    persist(2).await;
    assert!(connections(&two).await > 0);
    eventually_holds("no connection to the first", async || connections(&one).await == 0).await;

    // The second hangs without a word; the first is the primary again.
    two.hang();
    one.promote();
    persist(3).await;
    two.go_on();
    eventually_holds("no connection to the second", async || connections(&two).await == 0).await;
    assert!(connections(&one).await > 0);
    store.close().await;
}
