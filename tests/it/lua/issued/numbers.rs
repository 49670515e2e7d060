//! Numbers at their bounds: no digit is lost on the way through Lua.

use firstcome::domain::limits::{GROUP_MAX_REQUESTS, TOTAL_MAX};
use firstcome::domain::ticket::Serial;
use firstcome::lua::issue::Answer;
use proptest::prelude::*;

use super::record::{records, told};
use crate::support::records::tickets_of;
use crate::support::stage::Stage;

#[tokio::test]
async fn a_total_of_a_thousand_millions_counts_down_by_one_i1() {
    let stage = Stage::with(TOTAL_MAX).await;
    let answered = stage.answered(&[("ada", 1)]).await;
    assert_eq!(answered.total, TOTAL_MAX);
    assert_eq!(stage.balance().await.available, TOTAL_MAX - 1);
    assert_eq!(stage.field("remaining").await, "999999999");
}

#[tokio::test]
async fn serials_pass_every_power_of_two_that_numbers_break_at_i5_i10() {
    for last in [0, 9_999, (1 << 31) - 2, (1 << 32) - 2, 999_999_999_998, (1 << 40) - 3] {
        let stage = Stage::with(10).await;
        stage.set_field("last_serial", last).await;
        let group = [("ada", 1), ("bob", 1)];
        let answered = stage.answered(&group).await;
        for (next, answer) in (last + 1..).zip(&answered.answers) {
            assert!(matches!(answer, Answer::Issued(held) if held.serial == Serial(next)));
        }
        assert_eq!(stage.field("last_serial").await, (last + 2).to_string());
        let record = records(&stage).await.remove(0);
        assert_eq!(tickets_of(&record).collect::<Vec<_>>(), told(&stage, &group, &answered));
        let again = stage.issue("bob").await;
        assert!(matches!(again, Answer::Replayed(held) if held.serial == Serial(last + 2)));
    }
}

#[tokio::test]
async fn versions_leases_and_windows_keep_their_digits() {
    let stage = Stage::with(10).await;
    stage.set_field("version", (1_u64 << 53) - 1).await;
    stage.set_field("stock_version", (1_u64 << 53) - 2).await;
    stage.set_field("opens_at_ms", 1_i64).await;
    stage.set_field("closes_at_ms", 253_402_300_799_999_i64).await;
    let answered = stage.answered(&[("ada", 1)]).await;
    assert_eq!((answered.version, answered.lease_ms), ((1 << 53) - 1, 100));
    assert_eq!(answered.stock_version, (1 << 53) - 2);
    assert_eq!(answered.opens_at.unwrap().0, 1);
    assert!(answered.now.0 > 1_700_000_000_000, "{:?}", answered.now);
}

#[tokio::test]
async fn the_time_that_is_held_is_the_time_that_was_told_i10() {
    let stage = Stage::with(1_000).await;
    for n in 0..300 {
        let user = format!("u{n}");
        let Answer::Issued(held) = stage.issue(&user).await else { panic!("no ticket") };
        assert_eq!(stage.issue(&user).await, Answer::Replayed(held));
    }
}

#[tokio::test]
async fn as_many_users_as_a_call_may_carry_are_answered_with_their_claims_i2_i5() {
    let stage = Stage::with_definition(|definition| {
        definition.total = 1_000;
        definition.per_user_limit = 2;
    })
    .await;
    let users: Vec<String> = (0..GROUP_MAX_REQUESTS).map(|n| format!("{n:0>128}")).collect();
    let group: Vec<(&str, u8)> = users.iter().map(|user| (user.as_str(), 2)).collect();
    let answered = stage.answered(&group).await;
    let tickets = told(&stage, &group, &answered);
    assert_eq!(tickets.len(), GROUP_MAX_REQUESTS);
    assert!((1..).zip(&tickets).all(|(serial, ticket)| ticket.serial == Serial(serial)));
    let record = records(&stage).await.remove(0);
    assert_eq!(tickets_of(&record).collect::<Vec<_>>(), tickets);
    let again = stage.answered(&group).await;
    assert!(again.answers.iter().all(|answer| matches!(answer, Answer::Replayed(_))));
}

#[test]
fn the_time_of_a_ticket_is_read_as_it_is_written() {
    // Digit by digit, as the script writes it.
    let sign = |ms: i64, place: u32| char::from(b';' + ((ms >> (6 * place)) & 63) as u8);
    let written = |ms: i64| (0..7).rev().map(|place| sign(ms, place)).collect::<String>();
    proptest!(|(ms in 0..1_i64 << 42, serial in 1..1_u64 << 40)| {
        let text = format!("{serial}:{}", written(ms));
        let held = firstcome::redis::holders::HeldTicket::parse(&text).unwrap();
        prop_assert_eq!((held.issued_at.0, held.serial.0), (ms, serial));
    });
}
