//! What a pooler or a server says of one connection costs one retry on another.

use firstcome::store::open;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::{draft, find};
use crate::support::postgres::fresh_database;

/// The first connection that inserts a coupon fails with this code, at each try; others do not.
/// Sequences remember the connection and the tries: nothing rolls them back.
fn broken(code: &str) -> String {
    format!(
        "CREATE SEQUENCE broken;
         CREATE SEQUENCE tries;
         CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             PERFORM nextval('tries');
             IF (SELECT NOT is_called FROM broken) THEN
                 PERFORM setval('broken', pg_backend_pid());
             END IF;
             IF (SELECT last_value FROM broken) = pg_backend_pid() THEN
                 RAISE EXCEPTION 'this connection is broken' USING ERRCODE = '{code}';
             END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER break BEFORE INSERT ON coupons FOR EACH ROW EXECUTE FUNCTION break();"
    )
}

#[tokio::test]
async fn what_only_its_connection_is_blamed_for_costs_one_retry_on_another() {
    // A statement that is gone, or is there already, a confused pooler, an old plan.
    for code in ["26000", "42P05", "08P01", "0A000"] {
        let url = fresh_database().await;
        let store = open(&url, 1).await.unwrap();
        let mut owner = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(broken(code))).execute(&mut owner).await.unwrap();
        let inserted = store.insert_coupon(&draft("summer")).await;
        assert!(inserted.as_ref().is_ok_and(|is_new| *is_new), "{code}: {inserted:?}");
        assert_eq!(find(&*store, "summer").await, draft("summer"), "{code}");
        let tries = sqlx::query_scalar("SELECT last_value FROM tries");
        let tries: i64 = tries.fetch_one(&mut owner).await.unwrap();
        assert_eq!(tries, 2, "{code}");
        owner.close().await.unwrap();
        store.close().await;
    }
}
