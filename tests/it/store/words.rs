//! The words of columns: those of later releases fit into the tables of this one.

use firstcome::store::Error;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use super::{Database, draft, find, for_each_store};

/// Whether the database takes this statement of somebody else.
async fn takes(database: &Database, sql: &str) -> bool {
    let sql = AssertSqlSafe(sql.to_owned());
    match database.store.dialect() {
        "sqlite" => {
            let mut other = SqliteConnection::connect(&database.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut other).await.is_ok()
        }
        _ => {
            let mut other = PgConnection::connect(&database.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut other).await.is_ok()
        }
    }
}

#[tokio::test]
async fn the_words_of_later_releases_fit_and_are_no_outage_for_this_one() {
    for_each_store(async |database| {
        let store = &database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        for (state, is_a_word) in [("loading", true), ("recovering", true), ("lost", false)] {
            let sql = format!("UPDATE coupons SET state = '{state}'");
            assert_eq!(takes(database, &sql).await, is_a_word, "{state}");
        }
        let unread = store.find_coupon(&draft("summer").definition.id).await;
        assert!(matches!(unread, Err(Error::Corrupt(_))), "{unread:?}");
        assert!(takes(database, "UPDATE coupons SET state = 'draft'").await);
        assert_eq!(find(&**store, "summer").await, draft("summer"));

        let ticket = "INSERT INTO tickets (serial, issued_at_ms, epoch, claim, coupon_id, user_id,
             source, status) VALUES (1, 1, 1, 1, 'summer', 'ada', 'issue', ";
        assert!(!takes(database, &format!("{ticket} 'lost')")).await);
        assert!(takes(database, &format!("{ticket} 'redeemed')")).await);
        let contested = "INSERT INTO contested (coupon_id, epoch, serial, user_id, claim,
             issued_at_ms, source, reason, seen_at_ms)
             VALUES ('summer', 1, 1, 'eve', 1, 1, 'issue', 'a later reason', 1)";
        assert!(takes(database, contested).await);
        let generation =
            "INSERT INTO generations (generation_no, epoch, run_id, replid, durability,
             reason, accepted_heartbeat, heartbeat, seen_at_ms)
             VALUES (1, 1, 'r', 'r', 'acknowledged', 'later', 1, 1, 1)";
        assert!(takes(database, generation).await);
    })
    .await;
}
