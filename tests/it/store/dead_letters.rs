//! What cannot be a row is a dead letter, in the transaction of its neighbours (I3, I9).

use firstcome::domain::record::{Malformed, Record, Undecodable};
use firstcome::domain::ticket::Serial;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::{Database, coupon_id, draft, execute, find, for_each_store, record};
use crate::support::store::{accept, refuse};

/// One ticket per user, from serial 1 on.
fn crowd(users: usize) -> Record {
    let users: Vec<String> = (1..=users).map(|user| format!("u{user}")).collect();
    record("summer", 1, &users.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Rows, parked tickets, and dead letters of all kinds.
async fn kept(database: &Database) -> (u64, u64, u64) {
    let counts = database.store.counts(&coupon_id("summer")).await.unwrap();
    (counts.rows, counts.parked, database.store.count_dead_letters().await.unwrap())
}

#[tokio::test]
async fn what_comes_again_is_parked_once_i9() {
    for_each_store(async |database| {
        let store = &database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        refuse(&database.url, "tickets", "user_id = 'u3'").await;
        let place = "1-1 of shard 3".to_owned();
        let undecodable = Undecodable { place, raw: vec![0, 255], malformed: Malformed("version") };
        for _ in 0..3 {
            let undecodable = std::slice::from_ref(&undecodable);
            let done = store.persist_or_park(&[crowd(5)], undecodable).await.unwrap();
            assert_eq!((done.parked.len(), done.contested.len()), (2, 0));
            assert_eq!(kept(database).await, (4, 1, 2));
        }
        assert_eq!(find(&**store, "summer").await.persisted, 4);
        let letters = store.list_dead_letters("", false, 10).await.unwrap();
        let whole = letters.iter().find(|letter| letter.ticket_id.is_none()).unwrap();
        assert_eq!(
            (whole.raw.as_slice(), whole.class.as_str()),
            ([0, 255].as_slice(), "undecodable")
        );
        assert!(whole.reason.starts_with("1-1 of shard 3: "), "{whole:?}");
        // The row comes after all: the ticket is parked no more, so it is not out twice.
        accept(&database.url, "tickets").await;
        let done = store.persist_or_park(&[crowd(5)], &[]).await.unwrap();
        assert_eq!((done.inserted, done.replayed, done.parked.len()), (1, 4, 0));
        assert_eq!(kept(database).await, (5, 0, 2));
    })
    .await;
}

#[tokio::test]
async fn a_record_with_numbers_that_fit_no_column_is_parked_as_a_whole_i3() {
    for_each_store(async |database| {
        let store = &database.store;
        assert!(store.insert_coupon(&draft("summer")).await.unwrap());
        let epoch = Record { epoch: u32::MAX, ..record("summer", 7, &["u7", "u8"]) };
        let serial = Record { first_serial: Serial(u64::MAX), ..record("summer", 7, &["u7"]) };
        let batch = [crowd(5), epoch.clone(), serial];
        let done = store.persist_or_park(&batch, &[]).await.unwrap();
        assert_eq!((done.inserted, done.parked.len()), (5, 2));
        assert_eq!(kept(database).await, (5, 0, 2));
        let letters = store.list_dead_letters("", false, 10).await.unwrap();
        assert!(letters.iter().any(|letter| letter.raw == epoch.encode().as_bytes()));
    })
    .await;
}

#[tokio::test]
async fn two_tickets_of_one_holder_are_parked_and_count_as_one_holder_i2() {
    for_each_store(async |database| {
        let store = &database.store;
        refuse(&database.url, "tickets", "user_id = 'u1'").await;
        let both = [record("summer", 1, &["u1"]), record("summer", 2, &["u1"])];
        let done = store.persist_or_park(&both, &[]).await.unwrap();
        assert_eq!(done.parked.len(), 2);
        assert_eq!(kept(database).await, (0, 1, 2));
        let parked = store.parked_tickets(&coupon_id("summer"), "", 10).await.unwrap();
        assert_eq!(parked.len(), 1);
        let after = store.parked_tickets(&coupon_id("summer"), &parked[0].id, 10).await.unwrap();
        assert_eq!(after, []);
    })
    .await;
}

/// Counts the statements that insert tickets; a sequence forgets nothing at a rollback.
const COUNTED: &str = "CREATE SEQUENCE tries;
     CREATE FUNCTION tried() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN PERFORM nextval(''tries''); RETURN NULL; END';
     CREATE TRIGGER tried BEFORE INSERT ON tickets FOR EACH STATEMENT EXECUTE FUNCTION tried()";

#[tokio::test]
async fn one_bad_ticket_costs_two_statements_for_each_halving_i3() {
    for_each_store(async |database| {
        if !database.url.starts_with("postgres") {
            return;
        }
        refuse(&database.url, "tickets", "user_id = 'u700'").await;
        execute(&database.url, COUNTED).await;
        let done = database.store.persist_or_park(&[crowd(1_024)], &[]).await.unwrap();
        assert_eq!((done.inserted, done.parked.len()), (1_023, 1));
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        let tries = sqlx::query_scalar::<_, i64>("SELECT last_value FROM tries");
        let tries = tries.fetch_one(&mut connection).await.unwrap();
        // The whole batch twice, then two halves for each of the 10 halvings.
        assert_eq!(tries, 2 + 2 * 10);
    })
    .await;
}

/// A constraint that PostgreSQL checks only at the commit, unless it is told otherwise.
const DEFERRED: &str = "CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN RAISE ''no'' USING ERRCODE = ''23514''; END';
     CREATE CONSTRAINT TRIGGER refused AFTER INSERT ON tickets DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW WHEN (NEW.user_id = 'u3') EXECUTE FUNCTION refused()";

/// A trigger that swallows a row without an error.
const SWALLOWED: &str = "CREATE FUNCTION swallowed() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN RETURN NULL; END';
     CREATE TRIGGER swallowed BEFORE INSERT ON tickets
         FOR EACH ROW WHEN (NEW.user_id = 'u3') EXECUTE FUNCTION swallowed()";

#[tokio::test]
async fn a_ticket_that_is_refused_at_the_commit_or_swallowed_is_parked_alone_i3() {
    for (sql, class) in [(DEFERRED, "23514"), (SWALLOWED, "corrupt")] {
        for_each_store(async |database| {
            if !database.url.starts_with("postgres") {
                return;
            }
            execute(&database.url, sql).await;
            let done = database.store.persist_or_park(&[crowd(5)], &[]).await.unwrap();
            assert_eq!((done.inserted, done.parked.len()), (4, 1));
            assert_eq!(kept(database).await, (4, 1, 1));
            let letters = database.store.list_dead_letters("", false, 10).await.unwrap();
            assert_eq!(letters[0].class, class);
        })
        .await;
    }
}
