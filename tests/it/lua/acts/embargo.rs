//! The embargo: nobody can get stock that returns to a coupon without any for 150 ms (P1 step 2).

use firstcome::domain::limits::{EMBARGO_MS, LEASE_MAX_MS};
use firstcome::domain::time::UnixMs;
use firstcome::lua::ActReply;
use firstcome::lua::issue::{Answer, Answered};
use firstcome::redis::Result;

use redis::cmd;

use crate::support::eventually::eventually;
use crate::support::stage::{LONG_MS, RENEW, Stage};

/// When the embargo ends.
pub async fn embargo_until(stage: &Stage) -> UnixMs {
    UnixMs(stage.field("embargo_until_ms").await.parse().unwrap())
}

/// Restarts the embargo, for 150 ms from now, and returns its end.
pub async fn renew(stage: &Stage) -> UnixMs {
    let mut eval = cmd("EVAL");
    eval.arg(RENEW).arg(1).arg(stage.holders());
    UnixMs(stage.private.ask(&eval).await)
}

/// `Some` if the embargo is not over yet: then all earlier checks happened during it. A test of an
/// embargo repeats until it was quick enough.
pub async fn still(stage: &Stage) -> Option<()> {
    (stage.balance().await.now < embargo_until(stage).await).then_some(())
}

/// Makes the embargo look as after the clock of Redis stepped back by an hour: it would last longer
/// than any embargo may.
pub async fn step_clock_back(stage: &Stage) {
    let until = embargo_until(stage).await;
    stage.set_field("embargo_until_ms", until.0 + LONG_MS).await;
}

/// Ends the embargo.
pub async fn end(stage: &Stage) {
    stage.set_field("embargo_until_ms", stage.balance().await.now.0).await;
}

/// Runs an act that adds stock to a coupon without any, and asserts that it is under an embargo for
/// 150 ms of Redis's time from then on, and available afterwards.
pub async fn assert_held(stage: &Stage, stock: u64, act: impl AsyncFn() -> Result<ActReply>) {
    let from = stage.balance().await;
    assert_eq!((from.available, from.embargoed), (0, 0));
    act().await.unwrap();
    let to = stage.balance().await;
    let until = embargo_until(stage).await;
    let hold_ms = EMBARGO_MS as i64;
    assert!((from.now.0 + hold_ms..=to.now.0 + hold_ms).contains(&until.0), "{until:?}");
    assert_eq!(to.available, if to.now < until { 0 } else { stock });
    assert_eq!((to.remaining, to.version), (stock, from.version + 1));

    let first = eventually("the end of the hold", async || {
        let answered = stage.answered(&[("late", 1)]).await;
        assert_exact(&answered, until).then_some(answered)
    })
    .await;
    assert!(first.now >= until);
    assert_eq!(stage.balance().await.remaining, stock - 1);
    assert_eq!(stage.field("embargoed").await, "0");
}

/// Whether this answer is a ticket, which it must be exactly from the end of the embargo on. Until
/// then its lease ends with the embargo (P1 step 4).
fn assert_exact(answered: &Answered, until: UnixMs) -> bool {
    let is_issued = matches!(answered.answers[0], Answer::Issued(_));
    assert_eq!(is_issued, answered.now >= until, "{answered:?}");
    if !is_issued {
        assert_eq!(answered.answers, [Answer::SoldOut]);
        let rest_ms = u64::try_from(until.0 - answered.now.0 - 1).unwrap();
        assert_eq!(answered.lease_ms, rest_ms.min(LEASE_MAX_MS));
    }
    is_issued
}
