//! Random sequences of everything that may happen to a coupon, over the real scripts in a real
//! Redis, against a model of a hundred lines. A failure is shrunk to the shortest sequence that
//! still fails. `PROPTEST_CASES=3000 cargo test --test it model` looks longer.

mod expected;
mod real;
mod run;
mod steps;

use std::sync::atomic::Ordering::SeqCst;

use proptest::test_runner::{Config, TestError, TestRunner};
use proptest_state_machine::ReferenceStateMachine as _;
use tokio::sync::Mutex;

use expected::Coupon;
use real::{Real, TooSlow};
use steps::{Sequences, Step};

/// Number of sequences, unless the environment sets another one.
const CASES: u32 = 128;
const STEPS_MAX: usize = 40;
/// A case starts again when the machine stalled for longer than an embargo.
const TRIES: usize = 20;

#[test]
fn any_sequence_of_acts_and_issues_keeps_the_promises_i1_i2_i4_i5_i10() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let real = Mutex::new(runtime.block_on(Real::start()));
    let told = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = told.unwrap_or(CASES);
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 4_096, ..Config::default() };
    let sequences = Sequences::sequential_strategy(1..=STEPS_MAX);
    let result = TestRunner::new(config).run(&sequences, |(coupon, steps, seen)| {
        runtime.block_on(async {
            let mut real = real.lock().await;
            for _ in 0..TRIES {
                real.begin().await;
                // A failure is shrunk first by the steps that were not reached.
                let reach = |steps| seen.iter().for_each(|seen| seen.store(steps, SeqCst));
                if run(&mut real, coupon.clone(), &steps, reach).await.is_ok() {
                    return;
                }
            }
            panic!("the machine is too slow: no case ends while its holds last");
        });
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, (_, steps, _))) => panic!("{reason}\nafter {steps:#?}"),
        Err(TestError::Abort(reason)) => panic!("aborted: {reason}"),
    }
}

async fn run(
    real: &mut Real,
    mut coupon: Coupon,
    steps: &[Step],
    reach: impl Fn(usize),
) -> Result<(), TooSlow> {
    for (number, step) in (1..).zip(steps) {
        reach(number);
        let before = coupon.clone();
        coupon.apply(step);
        real.take(step, &before, &coupon).await?;
    }
    real.end(&coupon).await;
    Ok(())
}
