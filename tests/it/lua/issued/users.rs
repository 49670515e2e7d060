//! User ids of every kind: a script looks for nothing inside of them.

use firstcome::lua::issue::Answer;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::record::{records, told};
use crate::support::records::tickets_of;
use crate::support::stage::Stage;

/// Every user asks for claims 1 and 2 and once more for 1: tickets, records and replays agree.
async fn assert_apart(users: &[String]) {
    let stage = Stage::with_definition(|definition| {
        definition.total = 1_000;
        definition.per_user_limit = 2;
    })
    .await;
    for part in users.chunks(100) {
        let claims = [1, 2, 1];
        let group: Vec<(&str, u8)> =
            part.iter().flat_map(|user| claims.map(|claim| (user.as_str(), claim))).collect();
        let answered = stage.answered(&group).await;
        for (answers, user) in answered.answers.chunks(3).zip(part) {
            let [Answer::Issued(one), Answer::Issued(_), Answer::Replayed(again)] = answers else {
                panic!("{user:?}: {answers:?}")
            };
            assert_eq!(one, again);
        }
        let record = records(&stage).await.remove(0);
        assert_eq!(tickets_of(&record).collect::<Vec<_>>(), told(&stage, &group, &answered));
    }
    assert_eq!(stage.balance().await.holders, 2 * users.len() as u64);
}

#[tokio::test]
async fn odd_ids_are_users_of_their_own_i2_i10() {
    let odd = [
        " ",
        "  ",
        "x",
        "xx",
        "1",
        "2",
        "01",
        "1:a",
        "x1:a",
        "x1:miiwm9u2:3",
        ":",
        "::",
        ",",
        "1,2",
        "nil",
        "false",
        "*",
        "-",
        "--",
        "%d",
        "%s%n",
        "\\n",
        "\\",
        "'",
        "\"",
        "]]",
        "${jndi}",
        "{s01}",
        "é",
        "e\u{301}",
        "홍길동",
        "👩‍👩‍👧",
        "a\u{202e}b",
        "\u{2028}",
        "\u{feff}",
        "\u{10ffff}",
        "A",
        "a",
        "a ",
        " a",
    ];
    let mut users: Vec<String> = odd.iter().map(|user| (*user).to_owned()).collect();
    users.extend(["x".repeat(128), "é".repeat(64), "💾".repeat(32), " ".repeat(128)]);
    // Every byte that an ASCII id may hold.
    users.extend((' '..='~').map(|letter| format!("b{letter}")));
    assert_apart(&users).await;
}

#[tokio::test]
async fn any_ids_are_users_of_their_own_i2_i10() {
    let text = proptest::collection::btree_set("\\PC{1,32}", 100);
    let mut runner = TestRunner::default();
    let users = text.prop_filter("128 bytes without control characters", |users| {
        let fits = |user: &String| firstcome::domain::user::UserId::parse(user).is_some();
        users.iter().all(fits)
    });
    let users = users.new_tree(&mut runner).unwrap().current();
    assert_apart(&users.into_iter().collect::<Vec<_>>()).await;
}
