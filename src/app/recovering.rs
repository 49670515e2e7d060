//! A recovery that an operator orders, beside the servers or without any.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Context, Failure};
use crate::domain::coupon::CouponId;
use crate::recover::Mandate;
use crate::redis::generation::Life;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// It gives up when nothing has changed for this long.
const GIVES_UP_AFTER: Duration = Duration::from_secs(20);

/// Recovers what Redis lacks and these coupons, as far as this mandate allows; returns when nothing
/// is left to recover. `tell` gets a sentence whenever something has changed.
///
/// # Errors
/// [`Failure::Refused`] with the reason, when the mandate does not cover the doubt, or when nothing
/// goes on for 20 seconds.
pub async fn recover(
    context: &Context,
    mandate: Mandate,
    ordered: Vec<CouponId>,
    tell: impl Fn(&str),
) -> Result<(), Failure> {
    let mut prover = context.prover().visiting();
    let mut recoverer = context.recoverer().mandated(mandate).ordered(ordered);
    let (mut told, mut since) = (String::new(), Instant::now());
    loop {
        prover.step().await;
        recoverer.step().await;
        let life = context.redis.generation().current();
        let sentence = match (life, recoverer.left(), recoverer.failure()) {
            (Life::Proven(_), ..) if recoverer.is_done() => return Ok(()),
            (Life::Proven(_), 0, Some(failure)) => failure.to_owned(),
            (Life::Proven(_), 0, None) => "looking for coupons to recover".to_owned(),
            (Life::Proven(_), left, _) => format!("coupons that are being recovered: {left}"),
            (Life::Doubtful(doubt), ..) if doubt.may_be_accepted() && !mandate.covers(&doubt) => {
                return Err(Failure::Refused(format!(
                    "{doubt}; if this is the right Redis, and no server uses another one, \
                     `firstcome reconcile --accept-generation` recovers"
                )));
            }
            (Life::Doubtful(doubt), ..) => doubt.to_string(),
        };
        if sentence != told {
            tell(&sentence);
            (told, since) = (sentence, Instant::now());
        }
        if since.elapsed() > GIVES_UP_AFTER {
            return Err(Failure::Refused(format!("the recovery does not go on: {told}")));
        }
        sleep(PAUSE).await;
    }
}
