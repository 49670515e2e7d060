//! Pages of tickets.

use firstcome::domain::limits::COUNT_PAGE_ROWS;
use firstcome::domain::record::Record;
use firstcome::domain::ticket::Serial;
use firstcome::store::{Counts, UserCursor};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, raw_sql};

use super::{Database, claim, coupon_id, for_each_store, record, user_id};

#[tokio::test]
async fn a_users_tickets_come_in_pages_by_coupon_and_claim() {
    for_each_store(async |database| {
        let store = &database.store;
        let mut records: Vec<Record> =
            ["b", "_", "a", "B"].iter().map(|id| record(id, 1, &["u1", "u2", "u1"])).collect();
        for given in &mut records {
            given.holders[2].1 = claim(10);
        }
        store.persist(&records).await.unwrap();
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = store.tickets_of_user(&user_id("u1"), after.as_ref(), 3).await.unwrap();
            let Some(last) = page.last().map(|row| row.ticket.clone()) else { break };
            after = Some(UserCursor { coupon_id: last.coupon_id, claim: last.claim });
            seen.extend(page.into_iter().map(|row| row.ticket.id().to_string()));
        }
        assert_eq!(seen, ["B.1", "B.3", "_.1", "_.3", "a.1", "a.3", "b.1", "b.3"]);
        assert_eq!(store.tickets_of_user(&user_id("u3"), None, 3).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_coupons_tickets_come_in_pages_by_serial() {
    for_each_store(async |database| {
        let store = &database.store;
        let records = [
            record("summer", 9, &["u3", "u4"]),
            record("summer", 1, &["u1"]),
            record("summer", 100, &["u5"]),
            record("summer2", 5, &["u1"]),
        ];
        store.persist(&records).await.unwrap();
        let mut seen = Vec::new();
        loop {
            let after = Serial(seen.last().copied().unwrap_or(0));
            let page = store.tickets_of_coupon(&coupon_id("summer"), after, 2).await.unwrap();
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|row| row.ticket.serial.0));
        }
        assert_eq!(seen, [1, 9, 10, 100]);
    })
    .await;
}

#[tokio::test]
async fn a_coupon_without_rows_counts_nothing() {
    for_each_store(async |database| {
        let counts = database.store.counts(&coupon_id("none")).await.unwrap();
        assert_eq!(counts, Counts::default());
    })
    .await;
}

/// So many tickets of a coupon, more at once than a record can carry. Each second serial is one,
/// and the last two are cancelled.
async fn fill(database: &Database, coupon: &str, tickets: u32) {
    let sql = AssertSqlSafe(format!(
        "INSERT INTO tickets (coupon_id, epoch, serial, user_id, claim, issued_at_ms, source,
                status, cancelled_at_ms)
            WITH RECURSIVE numbers (n) AS
                (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {tickets})
            SELECT '{coupon}', 1, 2 * n, 'u' || n, 1, 0, 'issue',
                CASE WHEN n > {tickets} - 2 THEN 'cancelled' ELSE 'accepted' END,
                CASE WHEN n > {tickets} - 2 THEN 0 END
            FROM numbers"
    ));
    match database.store.dialect() {
        "sqlite" => {
            let mut connection = SqliteConnection::connect(&database.url).await.unwrap();
            raw_sql(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        _ => {
            let mut connection = PgConnection::connect(&database.url).await.unwrap();
            raw_sql(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_coupon_with_more_rows_than_one_statement_counts_is_counted_to_its_end() {
    for_each_store(async |database| {
        let tickets = COUNT_PAGE_ROWS + 1;
        fill(database, "summer", tickets).await;
        fill(database, "winter", 3).await;
        let (rows, last_serial) = (u64::from(tickets), 2 * u64::from(tickets));
        let expected = Counts { rows, cancelled: 2, last_serial, contested: 0, parked: 0 };
        assert_eq!(database.store.counts(&coupon_id("summer")).await.unwrap(), expected);
    })
    .await;
}
