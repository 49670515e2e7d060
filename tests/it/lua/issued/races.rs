//! Users who ask at the same time over several connections, and within one call.

use firstcome::lua::issue::{Answer, Answered};
use futures_util::future::join_all;

use crate::support::stage::Stage;

/// Each group in a call and on a connection of its own, all at once.
async fn at_once(stage: &Stage, groups: &[Vec<(&str, u8)>]) -> Vec<Answered> {
    join_all(groups.iter().map(|group| stage.answered(group))).await
}

fn issued(answers: &[Answered]) -> Vec<u64> {
    let all = answers.iter().flat_map(|answered| &answered.answers);
    let serials = all.filter_map(|answer| match answer {
        Answer::Issued(held) => Some(held.serial.0),
        _ => None,
    });
    let mut serials: Vec<u64> = serials.collect();
    serials.sort_unstable();
    serials
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_user_racing_with_himself_gets_one_ticket_and_is_told_it_every_time_i2_i10() {
    let stage = Stage::with(100).await;
    for round in 1..=20 {
        let user = format!("u{round}");
        let told = at_once(&stage, &vec![vec![(user.as_str(), 1)]; 12]).await;
        assert_eq!(issued(&told), [round]);
        let mut held_tickets = told.iter().map(|answered| match answered.answers[0] {
            Answer::Issued(held) | Answer::Replayed(held) => held,
            other => panic!("{other:?}"),
        });
        let first = held_tickets.next().unwrap();
        assert!(held_tickets.all(|held| held == first));
    }
    assert_eq!(stage.balance().await.issued, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_users_racing_for_the_last_ticket_one_gets_it_i1() {
    let stage = Stage::with(1).await;
    let told = at_once(&stage, &[vec![("ada", 1)], vec![("bob", 1)]]).await;
    assert_eq!(issued(&told), [1]);
    let sold_out = told.iter().filter(|answered| answered.answers == [Answer::SoldOut]);
    assert_eq!(sold_out.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_calls_issue_exactly_the_stock_with_serials_from_1_without_a_hole_i1_i5() {
    let stage = Stage::with(500).await;
    let users: Vec<String> = (0..750).map(|n| format!("u{n}")).collect();
    // Every user is in two calls.
    let group = |part: &[String]| -> Vec<(String, u8)> {
        part.iter().map(|user| (user.clone(), 1)).collect()
    };
    let mut groups: Vec<Vec<(String, u8)>> = users.chunks(25).map(group).collect();
    groups.extend(users.chunks(30).map(group));
    let groups: Vec<Vec<(&str, u8)>> = groups
        .iter()
        .map(|group| group.iter().map(|(user, claim)| (user.as_str(), *claim)).collect())
        .collect();
    let mut told = Vec::new();
    for part in groups.chunks(12) {
        told.extend(at_once(&stage, part).await);
    }
    assert_eq!(issued(&told), (1..=500).collect::<Vec<_>>());
    let balance = stage.balance().await;
    assert_eq!((balance.available, balance.holders, balance.shard_unpersisted), (0, 500, 500));
}

#[tokio::test]
async fn the_same_claim_twice_in_a_call_is_one_ticket_and_two_answers_i2() {
    let stage = Stage::with_definition(|definition| definition.per_user_limit = 2).await;
    let group = [("ada", 1), ("ada", 2), ("ada", 1), ("bob", 1), ("ada", 2), ("bob", 1)];
    let answered = stage.answered(&group).await;
    let [
        Answer::Issued(one),
        Answer::Issued(two),
        Answer::Replayed(one_again),
        Answer::Issued(three),
        Answer::Replayed(two_again),
        Answer::Replayed(three_again),
    ] = answered.answers[..]
    else {
        panic!("{answered:?}")
    };
    assert_eq!((one, two, three), (one_again, two_again, three_again));
    assert_eq!([one, two, three].map(|held| held.serial.0), [1, 2, 3]);
    let balance = stage.balance().await;
    assert_eq!((balance.available, balance.holders, balance.shard_unpersisted), (7, 3, 3));
}

#[tokio::test]
async fn the_last_tickets_go_to_the_first_of_a_call_and_holders_come_through_i1_i10() {
    let stage = Stage::with(3).await;
    stage.issue("ada").await;
    let group = [("bob", 1), ("eve", 1), ("kim", 1), ("ada", 1), ("eve", 1), ("kim", 1)];
    let answers = stage.answered(&group).await.answers;
    assert!(matches!(answers[0], Answer::Issued(held) if held.serial.0 == 2));
    assert!(matches!(answers[1], Answer::Issued(held) if held.serial.0 == 3));
    assert!(matches!(answers[3], Answer::Replayed(held) if held.serial.0 == 1));
    assert!(matches!(answers[4], Answer::Replayed(held) if held.serial.0 == 3));
    assert_eq!((answers[2], answers[5]), (Answer::SoldOut, Answer::SoldOut));
}
