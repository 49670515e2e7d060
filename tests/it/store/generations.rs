//! Generations (P2).

use firstcome::domain::generation::{Durability, Generation};
use firstcome::domain::time::UnixMs;
use firstcome::store::Error;

use super::{execute, for_each_store};

fn generation(generation_no: u64) -> Generation {
    Generation {
        generation_no,
        epoch: 1,
        run_id: "a".repeat(40),
        replid: "b".repeat(40),
        durability: Durability::Always,
        reason: "first".to_owned(),
        accepted_heartbeat: 7,
        heartbeat: 7,
        seen_at: UnixMs(10),
        refused_run_id: None,
    }
}

#[tokio::test]
async fn of_many_servers_that_append_a_generation_exactly_one_is_first() {
    for_each_store(async |database| {
        let other = database.open_again().await;
        assert_eq!(database.store.last_generation().await.unwrap(), None);
        for number in 1..=10 {
            let mine = generation(number);
            let theirs = Generation { run_id: "c".repeat(40), ..generation(number) };
            let (one, two) = tokio::join!(
                database.store.append_generation(&mine),
                other.append_generation(&theirs)
            );
            let (one, two) = (one.unwrap(), two.unwrap());
            assert!(one != two, "generation {number}: {one} {two}");
            let winner = if one { mine } else { theirs };
            assert_eq!(other.last_generation().await.unwrap(), Some(winner));
        }
        other.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_generation_follows_the_last_one_without_a_gap() {
    for_each_store(async |database| {
        let store = &database.store;
        assert!(!store.append_generation(&generation(2)).await.unwrap());
        assert!(store.append_generation(&generation(1)).await.unwrap());
        assert!(!store.append_generation(&generation(1)).await.unwrap());
        assert!(!store.append_generation(&generation(3)).await.unwrap());
        assert_eq!(store.last_generation().await.unwrap(), Some(generation(1)));
    })
    .await;
}

#[tokio::test]
async fn a_heartbeat_only_grows_and_only_in_the_last_generation() {
    for_each_store(async |database| {
        let store = &database.store;
        assert!(!store.beat(1, 8, UnixMs(20)).await.unwrap());
        assert!(store.append_generation(&generation(1)).await.unwrap());
        assert!(store.beat(1, 9, UnixMs(20)).await.unwrap());
        assert!(store.beat(1, 8, UnixMs(30)).await.unwrap());
        let last = store.last_generation().await.unwrap().expect("it stands");
        assert_eq!((last.heartbeat, last.seen_at), (9, UnixMs(30)));
        assert!(store.append_generation(&generation(2)).await.unwrap());
        assert!(!store.beat(1, 99, UnixMs(40)).await.unwrap());
        assert_eq!(store.last_generation().await.unwrap(), Some(generation(2)));
    })
    .await;
}

#[tokio::test]
async fn generations_are_told_in_their_order_and_a_process_that_was_refused_is_beaten_no_more() {
    for_each_store(async |database| {
        let store = &database.store;
        for number in 1..=3 {
            assert!(store.append_generation(&generation(number)).await.unwrap());
        }
        let told = store.generations_from(2, 10).await.unwrap();
        assert_eq!(told, [generation(2), generation(3)]);
        assert_eq!(store.generations_from(1, 2).await.unwrap(), [generation(1), generation(2)]);
        assert_eq!(store.generations_from(4, 10).await.unwrap(), []);

        let refused = |run_id: &str| Generation {
            refused_run_id: Some(run_id.to_owned()),
            heartbeat: 8,
            ..generation(3)
        };
        store.refuse_life(3, "another").await.unwrap();
        assert!(store.beat(3, 8, UnixMs(10)).await.unwrap(), "another one was refused");
        assert_eq!(store.last_generation().await.unwrap(), Some(refused("another")));
        let ours = "a".repeat(40);
        store.refuse_life(3, &ours).await.unwrap();
        assert!(!store.beat(3, 9, UnixMs(20)).await.unwrap());
        assert_eq!(store.last_generation().await.unwrap(), Some(refused(&ours)));
    })
    .await;
}

#[tokio::test]
async fn only_a_taken_number_makes_a_generation_come_second() {
    for_each_store(async |database| {
        let store = &database.store;
        execute(&database.url, "CREATE UNIQUE INDEX one_for_each_life ON generations (run_id)")
            .await;
        assert!(store.append_generation(&generation(1)).await.unwrap());
        assert!(!store.append_generation(&generation(1)).await.unwrap());
        let refused = store.append_generation(&generation(2)).await;
        assert!(matches!(refused, Err(Error::Data(_))), "{refused:?}");
    })
    .await;
}
