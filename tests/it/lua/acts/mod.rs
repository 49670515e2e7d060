//! The promises of the scripts of all acts, whatever they change. The file of each script runs all
//! of these tests by [`promises_of_every_act`].
//!
//! The stage is a coupon of 10 tickets with version 1 and act 1, of which `ada` holds serial 1. The
//! act under test is act 2.

mod close;
pub mod embargo;
mod pause;
mod resume;

use firstcome::lua::{ActArgs, ActReply};
use firstcome::redis::{Error, Result};
use redis::cmd;

use crate::support::packed::Place;
use crate::support::stage::{Stage, words};

/// The tests of one act; `$act` takes a stage and the arguments of every act, `$stage` makes the
/// stage when it is not that of every act.
macro_rules! promises_of_every_act {
    ($act:path) => {
        $crate::lua::acts::promises_of_every_act!($act, $crate::lua::acts::stage);
    };
    ($act:path, $stage:path) => {
        #[tokio::test]
        async fn a_coupon_that_is_not_there_is_unknown_and_nothing_is_written_i4() {
            $crate::lua::acts::unknown($act).await;
        }

        #[tokio::test]
        async fn another_generation_epoch_or_number_and_a_recovery_change_nothing_i4() {
            $crate::lua::acts::refused_without_a_trace($act, $stage().await).await;
        }

        #[tokio::test]
        async fn once_applied_it_is_counted_and_its_repetition_changes_nothing_i4() {
            $crate::lua::acts::repeated($act, $stage().await).await;
        }

        #[tokio::test]
        async fn it_still_works_after_script_flush() {
            $crate::lua::acts::after_script_flush($act, $stage().await).await;
        }

        #[tokio::test]
        async fn without_a_field_that_it_needs_it_is_recovering_and_changes_nothing_i4() {
            $crate::lua::acts::without_a_field($act, $stage().await).await;
        }

        #[tokio::test]
        async fn a_key_of_another_type_is_left_as_it_is_i4() {
            $crate::lua::acts::failing_without_a_trace($act, $stage().await).await;
        }
    };
}
pub(crate) use promises_of_every_act;

/// The stage of every act.
pub async fn stage() -> Stage {
    let stage = Stage::with(10).await;
    stage.issue("ada").await;
    stage
}

/// Runs the act, which must not fail, and returns the words of its script.
async fn said(
    act: impl AsyncFn(&Stage, ActArgs<'_>) -> Result<ActReply>,
    stage: &Stage,
    args: ActArgs<'_>,
) -> String {
    words(&act(stage, args).await.unwrap())
}

pub async fn unknown(act: impl AsyncFn(&Stage, ActArgs<'_>) -> Result<ActReply>) {
    let stage = Stage::empty().await;
    assert_eq!(said(&act, &stage, stage.act(2)).await, "unknown");
    assert_eq!(stage.world().await, []);
}

pub async fn refused_without_a_trace(
    act: impl AsyncFn(&Stage, ActArgs<'_>) -> Result<ActReply>,
    mut stage: Stage,
) {
    let before = stage.world().await;
    let own = stage.accepted.clone();
    for replid in ["0".repeat(40), String::new(), own.replid[..39].to_owned()] {
        stage.accepted.replid = replid;
        assert_eq!(said(&act, &stage, stage.act(2)).await, "other_generation");
    }
    stage.accepted = own;

    assert!(stage.world().await == before);
    stage.set_field("epoch", "10").await;
    let before = stage.world().await;
    stage.accepted.epoch = 9;
    assert_eq!(said(&act, &stage, stage.act(2)).await, "stale_epoch 10");
    stage.accepted.epoch = 10;

    for act_no in [0, 3, 11, 1 << 53] {
        assert_eq!(said(&act, &stage, stage.act(act_no)).await, "out_of_order 1");
    }
    // Its number and its token are those of the last act: its reply was lost. An act with its
    // number and another token is another act.
    assert_eq!(said(&act, &stage, stage.act(1)).await, "applied 1 10 10");
    for token in ["0123456789abcdee", "", "applied"] {
        let other = ActArgs { token, ..stage.act(1) };
        assert_eq!(said(&act, &stage, other).await, "diverged 1");
    }
    assert!(stage.world().await == before, "a refused act left a trace");

    stage.set_field("state", "recovering").await;
    let before = stage.world().await;
    assert_eq!(said(&act, &stage, stage.act(2)).await, "recovering");
    assert!(stage.world().await == before, "an act changed a coupon that is recovering");
}

pub async fn repeated(act: impl AsyncFn(&Stage, ActArgs<'_>) -> Result<ActReply>, stage: Stage) {
    let first = said(&act, &stage, stage.act(2)).await;
    let balance = stage.balance().await;
    let told = format!("applied 2 {} {}", balance.total, balance.remaining);
    assert_eq!((&first, balance.version, balance.act_no), (&told, 2, 2));
    let there = balance.remaining + balance.withheld + balance.issued;
    assert_eq!(balance.total, there - balance.returned);

    let before = stage.world().await;
    assert_eq!(said(&act, &stage, stage.act(2)).await, first);
    assert!(stage.world().await == before, "a repeated act left a trace");

    let second = said(&act, &stage, stage.act(3)).await;
    let is_next = second.starts_with("applied 3 ") || second.starts_with("refused ");
    assert!(is_next || second == first, "neither the next version nor nothing to do: {second}");
    let before = stage.world().await;
    assert_eq!(said(&act, &stage, stage.act(2)).await, "out_of_order 3");
    assert_eq!(said(&act, &stage, stage.act(3)).await, second);
    assert!(stage.world().await == before, "an act that came late left a trace");
}

pub async fn after_script_flush(
    act: impl AsyncFn(&Stage, ActArgs<'_>) -> Result<ActReply>,
    stage: Stage,
) {
    for act_no in [2, 3] {
        stage.flush_scripts().await;
        let said = said(&act, &stage, stage.act(act_no)).await;
        assert!(said.starts_with("applied "), "{said}");
    }
}

pub async fn without_a_field(
    act: impl AsyncFn(&Stage, ActArgs<'_>) -> Result<ActReply>,
    stage: Stage,
) {
    let whole: Vec<(Vec<u8>, Vec<u8>)> = stage.private.ask(cmd("HGETALL").arg(stage.hash())).await;
    let stock: Vec<u8> = stage.private.ask(cmd("HGET").arg(stage.holders()).arg("")).await;
    let fields = ["terms", "act_no", "act_token", "act_result"];
    for name in Place::all().chain(fields) {
        stage.lose_field(name).await;
        let before = stage.world().await;
        let mut is_refused = true;
        for act_no in [1, 2] {
            let reply = act(&stage, stage.act(act_no)).await;
            let said = reply.map_or_else(|error| error.to_string(), |reply| words(&reply));
            let expected = if name == "terms" { "unknown" } else { "recovering" };
            // What needs no stock is tested by `needs_no_stock`.
            is_refused = said == expected;
            let is_stock = matches!(Place::of(name), Some(Place::Stock(_)));
            assert!(
                is_refused || is_stock && said.starts_with("applied "),
                "{act_no} {name}: {said}"
            );
        }
        let is_same = stage.world().await == before;
        assert!(is_same || !is_refused, "an act without {name} left a trace");
        stage.delete(&stage.hash()).await;
        stage.private.ask::<()>(cmd("HSET").arg(stage.hash()).arg(&whole)).await;
        stage.private.ask::<()>(cmd("HSET").arg(stage.holders()).arg("").arg(&stock)).await;
    }
}

pub async fn failing_without_a_trace(
    act: impl AsyncFn(&Stage, ActArgs<'_>) -> Result<ActReply>,
    stage: Stage,
) {
    stage.spoil(&stage.hash()).await;
    let before = stage.world().await;
    act(&stage, stage.act(2)).await.unwrap_err();
    assert!(stage.world().await == before, "an act on a key of another type left a trace");
}

/// Lost or damaged holders, and a key of another type in their place, do not hold it up.
pub async fn needs_no_stock(
    act: impl AsyncFn(&Stage, ActArgs<'_>) -> Result<ActReply>,
    first: impl AsyncFn(&Stage) -> Result<ActReply>,
    state: &str,
) {
    for damage in 0..3 {
        let stage = stage().await;
        match damage {
            0 => stage.delete(&stage.holders()).await,
            1 => stage.lose_field("issued").await,
            _ => stage.spoil(&stage.holders()).await,
        }
        assert_eq!(words(&first(&stage).await.unwrap()), "applied 2 10 0", "damage {damage}");
        assert_eq!(said(&act, &stage, stage.act(2)).await, "applied 3 10 0", "damage {damage}");
        assert_eq!(stage.field("state").await, state);
    }
}

/// Without memory the act is refused as a whole.
pub async fn needs_memory(act: impl AsyncFn(&Stage, ActArgs<'_>) -> Result<ActReply>) {
    let stage = stage().await;
    stage.fill_memory().await;
    let before = stage.world().await;
    let reply = act(&stage, stage.act(2)).await;
    assert!(matches!(reply, Err(Error::Refused(_))), "{reply:?}");
    assert!(stage.world().await == before, "an act without memory left a trace");
}

/// Without memory, and without a proven life when it comes before its row, the act is in force, and
/// its own act then takes its mark away.
pub async fn nothing_holds_it_up(
    act: impl AsyncFn(&Stage, ActArgs<'_>) -> Result<ActReply>,
    first: impl AsyncFn(&Stage) -> Result<ActReply>,
    state: &str,
) {
    let stage = stage().await;
    stage.fill_memory().await;
    assert_eq!(words(&first(&stage).await.unwrap()), "applied 2 10 9");
    let balance = stage.balance().await;
    assert_eq!((balance.state.as_str(), balance.version, balance.act_no), (state, 2, 1));
    assert!(balance.unwritten.is_some());
    assert_eq!(stage.field("act_result").await, "applied 1 10 10", "the last act is kept");
    // The act that follows it is the next.
    assert_eq!(said(&act, &stage, stage.act(2)).await, "applied 3 10 9");
    let balance = stage.balance().await;
    assert_eq!((balance.state.as_str(), balance.unwritten), (state, None));

    let stage = Stage::empty().await;
    assert_eq!(words(&first(&stage).await.unwrap()), "unknown");
    assert_eq!(stage.world().await, [], "nothing is made where nothing is");
}

/// An act that is refused leaves its number and its result, and nothing else.
pub async fn assert_refused(
    stage: &Stage,
    act_no: u64,
    reason: &str,
    act: impl AsyncFn() -> Result<ActReply>,
) {
    let but = ["act_no", "act_token", "act_result"];
    let [hash, ..] = stage.keys();
    let others = async || {
        let mut world = stage.world().await;
        world.retain(|(key, _)| *key != hash);
        (world, stage.fields_but(&but).await)
    };
    let before = others().await;
    let result = format!("refused {reason}");
    for _ in 0..2 {
        assert_eq!(words(&act().await.unwrap()), result);
        assert!(others().await == before, "a refused act changed more than its result");
        assert_eq!(stage.field("act_no").await, act_no.to_string());
        assert_eq!(stage.field("act_result").await, result);
    }
}
