//! `lua/turn.lua`.

use redis::cmd;

use firstcome::domain::limits::TURN_LEASE;
use firstcome::lua::turn::{Args, Reply, Step, turn};

use crate::support::stage::{LONG_MS, Stage};

async fn by(stage: &Stage, token: &str, step: Step) -> Reply {
    let args = Args { accepted: &stage.accepted, token, step };
    turn(stage.redis(), &args).await.unwrap()
}

async fn ask(stage: &Stage, token: &str) -> Reply {
    by(stage, token, Step::Ask).await
}

fn readers(stage: &Stage) -> String {
    stage.redis().keys().readers()
}

/// Puts them in line, with what is left of their time.
async fn put(stage: &Stage, waiting: &[(&str, i64)]) {
    let now_ms = now_ms(stage).await;
    let places = waiting.iter().map(|(token, rest_ms)| format!("{token}:{}", now_ms + rest_ms));
    let text = places.collect::<Vec<_>>().join(",");
    stage.private.ask::<()>(cmd("SET").arg(readers(stage)).arg(text)).await;
}

async fn now_ms(stage: &Stage) -> i64 {
    let (seconds, micros): (i64, i64) = stage.private.ask(&cmd("TIME")).await;
    seconds * 1_000 + micros / 1_000
}

#[tokio::test]
async fn whoever_came_first_has_the_turn_until_they_pass_it_on_or_leave() {
    let stage = Stage::empty().await;
    assert_eq!(ask(&stage, "a").await, Reply::Turn);
    assert_eq!(ask(&stage, "b").await, Reply::Wait(1));
    assert_eq!(ask(&stage, "c").await, Reply::Wait(2));
    assert_eq!(ask(&stage, "b").await, Reply::Wait(1), "asking again keeps the place");
    assert_eq!(ask(&stage, "a").await, Reply::Turn);
    assert_eq!(by(&stage, "a", Step::Pass).await, Reply::Wait(2));
    assert_eq!(ask(&stage, "b").await, Reply::Turn);
    assert_eq!(by(&stage, "b", Step::Leave).await, Reply::Left);
    assert_eq!(ask(&stage, "a").await, Reply::Wait(1));
    assert_eq!(by(&stage, "c", Step::Leave).await, Reply::Left);
    assert_eq!(by(&stage, "a", Step::Pass).await, Reply::Turn, "nobody else wants it");
    assert_eq!(by(&stage, "a", Step::Leave).await, Reply::Left);
    assert_eq!(by(&stage, "a", Step::Leave).await, Reply::Left);
    assert_eq!(ask(&stage, "d").await, Reply::Turn);
}

#[tokio::test]
async fn whoever_is_silent_for_longer_than_the_lease_has_gone() {
    let stage = Stage::empty().await;
    put(&stage, &[("dead", -1), ("late", LONG_MS), ("alive", 2_000)]).await;
    assert_eq!(ask(&stage, "a").await, Reply::Wait(1), "the clock of the late one stepped back");
    let ends_in_ms: i64 = stage.private.ask(cmd("PTTL").arg(readers(&stage))).await;
    assert!(ends_in_ms > 0 && ends_in_ms <= TURN_LEASE.as_millis() as i64, "{ends_in_ms}");
    put(&stage, &[("alive", -1), ("a", -1), ("b", 2_000)]).await;
    assert_eq!(ask(&stage, "a").await, Reply::Turn, "late, and nobody took the place");
}

#[tokio::test]
async fn no_more_wait_than_there_are_places() {
    let stage = Stage::empty().await;
    for number in 0..64 {
        let told = ask(&stage, &format!("s{number}")).await;
        assert_eq!(told, if number == 0 { Reply::Turn } else { Reply::Wait(number) });
    }
    assert_eq!(ask(&stage, "more").await, Reply::Wait(64));
    assert_eq!(ask(&stage, "more").await, Reply::Wait(64), "asked again, it has no place yet");
    assert_eq!(by(&stage, "s0", Step::Leave).await, Reply::Left);
    assert_eq!(ask(&stage, "more").await, Reply::Wait(63));
}

#[tokio::test]
async fn another_life_changes_nothing_i4() {
    let mut stage = Stage::empty().await;
    let before = stage.world().await;
    stage.accepted.replid = "0".repeat(40);
    for step in [Step::Ask, Step::Pass, Step::Leave] {
        assert_eq!(by(&stage, "a", step).await, Reply::OtherGeneration);
    }
    assert!(stage.world().await == before);
}
