//! Tests of the look-ups.

use std::cell::Cell;

use futures_util::future::{join, join_all, poll_immediate};
use tokio::task::yield_now;

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn id(text: &str) -> CouponId {
    CouponId::parse(text).unwrap()
}

/// A counted look-up that yields once, and ends with this result.
async fn look(count: &Cell<u32>, result: impl Fn(u32) -> Result<u32, u32>) -> Result<u32, u32> {
    count.set(count.get() + 1);
    yield_now().await;
    result(count.get())
}

#[tokio::test]
async fn a_hundred_who_ask_at_one_time_cost_one_look_up_and_later_ones_none() {
    let (lookups, count) = (Lookups::new(10, LONG), Cell::new(0));
    let (one, other) = (id("one"), id("other"));
    let answers = join_all((0..100).map(|_| lookups.get(&one, look(&count, Ok)))).await;
    assert!(answers.iter().all(|answer| *answer == Ok(1)));
    assert_eq!(lookups.get(&one, look(&count, Ok)).await, Ok(1));
    assert_eq!(lookups.get(&other, look(&count, Ok)).await, Ok(2), "each coupon by itself");
}

#[tokio::test]
async fn a_failure_is_told_to_all_who_waited_and_is_not_remembered() {
    let (lookups, count) = (Lookups::new(10, LONG), Cell::new(0));
    let coupon = id("one");
    let answers = join_all((0..100).map(|_| lookups.get(&coupon, look(&count, Err)))).await;
    assert!(answers.iter().all(|answer| *answer == Err(1)), "{answers:?}");
    assert_eq!(lookups.get(&coupon, look(&count, Ok)).await, Ok(2));
}

#[tokio::test]
async fn an_answer_whose_life_is_over_is_looked_up_again() {
    let (lookups, count) = (Lookups::new(10, Duration::ZERO), Cell::new(0));
    let coupon = id("one");
    for number in 1..=3 {
        let both =
            join(lookups.get(&coupon, look(&count, Ok)), lookups.get(&coupon, look(&count, Ok)));
        assert_eq!(both.await, (Ok(number), Ok(number)), "who waited is content with it");
    }
}

#[tokio::test]
async fn who_stops_waiting_leaves_the_look_up_to_the_next_in_line() {
    let (lookups, count) = (Lookups::new(10, LONG), Cell::new(0));
    let coupon = id("one");
    let mut first = Box::pin(lookups.get(&coupon, look(&count, Ok)));
    assert_eq!(poll_immediate(&mut first).await, None, "it looks");
    let mut second = Box::pin(lookups.get(&coupon, look(&count, Ok)));
    assert_eq!(poll_immediate(&mut second).await, None, "it waits");
    assert_eq!(count.get(), 1);
    drop(first);
    assert_eq!(second.await, Ok(2));
}

#[tokio::test]
async fn what_is_remembered_is_bounded_however_many_coupons_are_asked_for() {
    let (lookups, count) = (Lookups::new(16, LONG), Cell::new(0));
    for number in 0..1_000 {
        let coupon = id(&format!("c{number}"));
        lookups.get(&coupon, look(&count, Ok)).await.unwrap();
    }
    assert!(lookups.ended.len() <= 32, "{}", lookups.ended.len());
}
