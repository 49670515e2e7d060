//! What the doctor looks at. Redis and the database are asked each for itself: one that is away or
//! hangs says nothing about the other.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Failure, House};
use crate::domain::limits::CONNECTION_WAIT;
use crate::observe::Readiness;

/// Longer than a connection to the database is waited for, so that its own words are told.
const WAIT: Duration = CONNECTION_WAIT.saturating_add(Duration::from_secs(1));

/// Everything together takes no longer than this.
const EXAMINATION_WAIT: Duration = Duration::from_secs(6);
const LATE: &str = "there was no time, the doctor ends within seconds";

/// What both servers told.
pub struct Examination {
    /// Whether the way to Redis is encrypted; or why Redis was not reached.
    pub redis: Result<String, Failure>,
    /// The same of the database.
    pub database: Result<String, Failure>,
    /// What they are and what waits in them, a line each.
    pub told: Vec<String>,
    /// What `/readyz` of this process would say.
    pub readiness: Readiness,
}

impl House {
    /// Asks Redis and the database at the same time; each question waits 4 seconds at most. Then
    /// what is stored in them is looked at, as far as 6 seconds in all suffice.
    pub async fn examine(&self) -> Examination {
        let until = Instant::now() + EXAMINATION_WAIT;
        let redis = async {
            self.redis.ping().await?;
            Ok(self.observer.encryption_of_redis().await)
        };
        let database = async {
            self.store.ping().await?;
            Ok(self.observer.encryption_of_database().await)
        };
        let mut prover = self.prover().only_looking();
        let (redis, database, _) = tokio::join!(
            reached("Redis", redis),
            reached("the database", database),
            tokio::time::timeout(WAIT, prover.step()),
        );
        let told = self.gauges().await.told();
        // In a life of Redis that is not proven any coupon may be missing, and it says so.
        let is_known = self.redis.generation().current().is_ok();
        let (stuck, unseen) = tokio::join!(
            when(redis.is_ok(), self.stuck_records(until)),
            when(redis.is_ok() && database.is_ok() && is_known, self.unseen_coupons(until)),
        );
        let mut readiness = self.observer.readiness();
        readiness.warnings.extend(stuck.into_iter().chain(unseen));
        Examination { redis, database, told, readiness }
    }

    async fn stuck_records(&self, until: Instant) -> Option<String> {
        let looked = timeout_at(until, self.observer.stuck_records()).await;
        looked.unwrap_or_else(|_| {
            Some(format!("it is not known whether records are refused: {LATE}"))
        })
    }

    /// Looks at every coupon, as sweep and relay of a server do in turn, and writes nothing. What
    /// they find is in the readiness; this is why they did not look at all.
    async fn unseen_coupons(&self, until: Instant) -> Option<String> {
        let mut sweep = self.sweep();
        let looks = async { tokio::join!(sweep.whole(), self.preparer.look_for_diverged()) };
        let fault = match timeout_at(until, looks).await {
            Ok((Ok(()), Ok(()))) => return None,
            Ok((Err(error), _)) => error.to_string(),
            Ok((_, Err(refusal))) => refusal.to_string(),
            Err(_) => LATE.to_owned(),
        };
        Some(format!("not every coupon was looked at, for lost keys or lost acts: {fault}"))
    }
}

/// The sentence of a look that only makes sense when this is true.
async fn when(it_is: bool, look: impl Future<Output = Option<String>>) -> Option<String> {
    if it_is { look.await } else { None }
}

async fn reached(
    who: &str,
    asked: impl Future<Output = Result<String, Failure>>,
) -> Result<String, Failure> {
    let answer = tokio::time::timeout(WAIT, asked).await;
    let silent = || format!("{who} does not answer within {} s", WAIT.as_secs());
    answer.unwrap_or_else(|_| Err(Failure::Missing(silent())))
}
