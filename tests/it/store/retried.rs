//! What a pooler or a server says of one connection costs one retry on another.

use firstcome::store::Error;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::{draft, find};
use crate::support::postgres::fresh_database;
use crate::support::store::open;

/// The first connection that inserts a coupon fails with this code and sentence, at each try;
/// others do not. Sequences remember the connection and the tries: nothing rolls them back.
fn broken(code: &str, sentence: &str) -> String {
    format!(
        "CREATE SEQUENCE broken;
         CREATE SEQUENCE tries;
         CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             PERFORM nextval('tries');
             IF (SELECT NOT is_called FROM broken) THEN
                 PERFORM setval('broken', pg_backend_pid());
             END IF;
             IF (SELECT last_value FROM broken) = pg_backend_pid() THEN
                 RAISE EXCEPTION '{sentence}' USING ERRCODE = '{code}';
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER break BEFORE INSERT ON coupons FOR EACH ROW EXECUTE FUNCTION break();"
    )
}

/// Whether the first coupon could be inserted, and in how many tries.
async fn inserted(code: &str, sentence: &str) -> (Result<bool, Error>, i64) {
    let url = fresh_database().await;
    let store = open(&url, 1).await.unwrap();
    let mut owner = PgConnection::connect(&url).await.unwrap();
    let broken = AssertSqlSafe(broken(code, sentence));
    sqlx::raw_sql(broken).execute(&mut owner).await.unwrap();
    let inserted = store.insert_coupon(&draft("summer")).await;
    if inserted.is_ok() {
        assert_eq!(find(&*store, "summer").await, draft("summer"), "{code}");
    }
    let tries = sqlx::query_scalar("SELECT last_value FROM tries");
    let tries = tries.fetch_one(&mut owner).await.unwrap();
    owner.close().await.unwrap();
    store.close().await;
    (inserted, tries)
}

#[tokio::test]
async fn what_only_its_connection_is_blamed_for_costs_one_retry_on_another() {
    // A statement that is gone, or is there already. For an old plan see `store::suited`.
    for code in ["26000", "42P05"] {
        let (inserted, tries) = inserted(code, "this prepared statement is broken").await;
        assert!(inserted.as_ref().is_ok_and(|is_new| *is_new), "{code}: {inserted:?}");
        assert_eq!(tries, 2, "{code}");
    }
}

#[tokio::test]
async fn a_pooler_that_has_no_connection_to_lend_is_away_and_loses_none() {
    // What else PostgreSQL does not support is no old plan either.
    for (code, sentence) in [("08P01", "query_wait_timeout"), ("0A000", "cannot do that")] {
        let (inserted, tries) = inserted(code, sentence).await;
        assert!(inserted.is_err(), "{code}: {inserted:?}");
        assert_eq!(tries, 1, "{code}");
    }
}
