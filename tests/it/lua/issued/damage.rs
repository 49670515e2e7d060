//! A Redis that lost a key or holds another type under its name: nothing is written (I4).

use firstcome::lua::audit::Balance;
use firstcome::lua::issue::{Answer, Reply};
use redis::cmd;

use crate::support::packed::Place;
use crate::support::stage::Stage;

#[tokio::test]
async fn a_coupon_that_lost_its_holders_or_its_counter_is_recovering_i2_i4() {
    for position in [1, 3] {
        let stage = Stage::with(10).await;
        stage.issue("ada").await;
        stage.delete(&stage.keys()[position]).await;
        let before = stage.world().await;
        let reply = stage.ask(&[("ada", 1), ("bob", 1)]).await.unwrap();
        assert_eq!(reply, Reply::Recovering, "key {position}");
        assert!(stage.world().await == before, "key {position}");
    }
}

#[tokio::test]
async fn holders_without_the_empty_field_of_preload_are_not_believed_i2_i4() {
    let stage = Stage::with(10).await;
    stage.issue("ada").await;
    let [_, holders, ..] = stage.keys();
    stage.delete(&holders).await;
    stage.private.ask::<()>(cmd("HSET").arg(&holders).arg("bob").arg("1:a")).await;
    let before = stage.world().await;
    assert_eq!(stage.ask(&[("ada", 1)]).await.unwrap(), Reply::Recovering);
    assert!(stage.world().await == before);
}

#[tokio::test]
async fn a_counter_that_is_no_number_is_lost_i4() {
    let stage = Stage::with(10).await;
    let [.., unpersisted] = stage.keys();
    stage.private.ask::<()>(cmd("SET").arg(&unpersisted).arg("many")).await;
    let before = stage.world().await;
    assert_eq!(stage.ask(&[("ada", 1)]).await.unwrap(), Reply::Recovering);
    assert!(stage.world().await == before);
}

#[tokio::test]
async fn a_coupon_that_lost_any_field_gives_no_ticket_and_is_recovering_i4() {
    let stage = Stage::with(10).await;
    stage.issue("ada").await;
    let terms: String = stage.private.ask(cmd("HGET").arg(stage.hash()).arg("terms")).await;
    let stock: String = stage.private.ask(cmd("HGET").arg(stage.holders()).arg("")).await;
    for name in Place::all().chain(["terms"]) {
        stage.lose_field(name).await;
        let before = stage.world().await;
        for group in [[("ada", 1), ("bob", 1)], [("cyd", 1), ("dan", 2)]] {
            let reply = stage.ask(&group).await;
            let expected = if name == "terms" { Reply::Unknown } else { Reply::Recovering };
            assert_eq!(reply.map_err(|error| error.to_string()), Ok(expected), "without {name}");
        }
        assert!(stage.world().await == before, "written without {name}");
        stage.set_field("terms", &terms).await;
        stage.private.ask::<()>(cmd("HSET").arg(stage.holders()).arg("").arg(&stock)).await;
    }
    assert!(matches!(stage.issue("bob").await, Answer::Issued(next) if next.serial.0 == 2));
}

#[tokio::test]
async fn a_key_of_another_type_is_an_error_before_the_first_write_i4() {
    for position in 0..4 {
        let stage = Stage::with(10).await;
        stage.issue("ada").await;
        stage.spoil(&stage.keys()[position]).await;
        let before = stage.world().await;
        stage.ask(&[("bob", 1)]).await.unwrap_err();
        assert!(stage.world().await == before, "key {position}");
    }
}

#[tokio::test]
async fn a_right_that_is_taken_away_leaves_no_record_of_a_ticket_that_nobody_has_i4_i9() {
    for right in ["xadd", "hset"] {
        let stage = Stage::with(10).await;
        stage.issue("ada").await;
        let before = stage.balance().await;
        stage.allow(&format!("-{right}")).await;
        for _ in 0..2 {
            let error = stage.ask(&[("bob", 1), ("cyd", 1)]).await.unwrap_err();
            assert!(error.is_reply(), "{right}: {error}");
        }
        stage.allow(&format!("+{right}")).await;
        let after = stage.balance().await;
        assert_eq!(Balance { now: before.now, ..after }, before, "{right}");
        assert!(matches!(stage.issue("dan").await, Answer::Issued(next) if next.serial.0 == 2));
    }
}

#[tokio::test]
async fn without_the_right_to_count_the_backlog_a_ticket_is_whole_and_told_at_the_retry_i3_i10() {
    let stage = Stage::with(10).await;
    stage.allow("-incrby").await;
    stage.ask(&[("ada", 1)]).await.unwrap_err();
    let told = stage.issue("ada").await;
    assert!(matches!(told, Answer::Replayed(held) if held.serial.0 == 1), "{told:?}");
    let balance = stage.balance().await;
    assert_eq!((balance.issued, balance.holders, balance.shard_records), (1, 1, 1));
}

#[tokio::test]
async fn a_restart_on_its_own_data_is_another_generation_that_knows_everybody_i3_i10() {
    let mut stage = Stage::with(10).await;
    let Answer::Issued(held) = stage.issue("ada").await else { panic!("no ticket") };
    stage.private.crash_and_restart().await;
    let before = stage.world().await;
    assert_eq!(stage.ask(&[("ada", 1)]).await.unwrap(), Reply::OtherGeneration);
    assert!(stage.world().await == before);
    stage.accepted = stage.private.accepted().await;
    assert_eq!(stage.issue("ada").await, Answer::Replayed(held));
    assert!(matches!(stage.issue("bob").await, Answer::Issued(next) if next.serial.0 == 2));
}
