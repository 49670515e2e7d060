//! What the doctor looks at. Redis and the database are asked each for itself: one that is away or
//! hangs says nothing about the other.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Context, Failure};
use crate::domain::limits::CONNECTION_WAIT;
use crate::observe::Readiness;

/// Longer than a connection to the database is waited for, so that its own words are told.
const WAIT: Duration = CONNECTION_WAIT.saturating_add(Duration::from_secs(1));

/// Everything together takes no longer than this.
const EXAMINATION_WAIT: Duration = Duration::from_secs(6);

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
    /// What there was no time to look at to its end, each in a sentence.
    pub unseen: Vec<String>,
}

/// What a look through all that is stored found to warn of, or a sentence why it did not end.
type Look = Result<Option<String>, String>;

impl Examination {
    /// Asks Redis and the database at the same time; each question waits 4 seconds at most. Then
    /// what is stored in them is looked at, as far as 6 seconds in all suffice.
    pub async fn of(context: &Context) -> Self {
        let until = Instant::now() + EXAMINATION_WAIT;
        let redis = async {
            context.redis.ping().await?;
            Ok(context.observer.encryption_of_redis().await)
        };
        let database = async {
            context.store.ping().await?;
            Ok(context.observer.encryption_of_database().await)
        };
        let mut prover = context.prover().only_looking();
        let (redis, database, _) = tokio::join!(
            reached("Redis", redis),
            reached("the database", database),
            tokio::time::timeout(WAIT, prover.step()),
        );
        let told = context.gauges().await.told();
        // In a life of Redis that is not proven any coupon may be missing, and it says so.
        let is_known = context.redis.generation().proven().is_ok();
        let (stuck, contested, lost) = tokio::join!(
            when(redis.is_ok(), in_time(until, "refused records", stuck_records(context))),
            when(database.is_ok(), in_time(until, "contested tickets", contested(context))),
            when(
                redis.is_ok() && database.is_ok() && is_known,
                in_time(until, "lost keys and lost acts", lost_parts(context))
            ),
        );
        let mut readiness = context.observer.readiness();
        let mut unseen = Vec::new();
        for look in [stuck, contested, lost] {
            match look {
                Ok(found) => readiness.warnings.extend(found),
                Err(sentence) => unseen.push(sentence),
            }
        }
        Self { redis, database, told, readiness, unseen }
    }
}

async fn stuck_records(context: &Context) -> Look {
    Ok(context.observer.stuck_records().await)
}

async fn contested(context: &Context) -> Look {
    context.observer.contested().await.map_err(|error| error.to_string())
}

/// Looks at every coupon, as sweep and relay of a server do in turn, and writes nothing. What
/// they find is in the readiness.
async fn lost_parts(context: &Context) -> Look {
    let mut sweep = context.sweep();
    let (swept, compared) = tokio::join!(sweep.whole(), context.preparer.look_for_diverged());
    swept.map_err(|error| error.to_string())?;
    compared.map_err(|refusal| refusal.to_string())?;
    Ok(None)
}

/// The sentence of a look that only makes sense when this is true.
async fn when(it_is: bool, look: impl Future<Output = Look>) -> Look {
    if it_is { look.await } else { Ok(None) }
}

/// As the look, but one that fails is a warning, and only one that has no time left is an error.
async fn in_time(until: Instant, looked_for: &str, look: impl Future<Output = Look>) -> Look {
    let sentence = |why| format!("not everything was looked at, for {looked_for}: {why}");
    match timeout_at(until, look).await {
        Ok(Ok(found)) => Ok(found),
        // What fails is something to mend; a large site that takes its time is not.
        Ok(Err(fault)) => Ok(Some(sentence(fault))),
        Err(_) => Err(sentence(format!("{} s were too short", EXAMINATION_WAIT.as_secs()))),
    }
}

async fn reached(
    who: &str,
    asked: impl Future<Output = Result<String, Failure>>,
) -> Result<String, Failure> {
    let answer = tokio::time::timeout(WAIT, asked).await;
    let silent = || format!("{who} does not answer within {} s", WAIT.as_secs());
    answer.unwrap_or_else(|_| Err(Failure::Missing(silent())))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn a_look_that_takes_too_long_is_told_and_so_is_one_that_fails() {
        let now = Instant::now();
        let told = in_time(now, "lost keys", pending()).await.unwrap_err();
        assert_eq!(told, "not everything was looked at, for lost keys: 6 s were too short");
        let failed = async { Err("Redis is away".to_owned()) };
        let told = in_time(now + WAIT, "lost keys", failed).await.unwrap().unwrap();
        assert_eq!(told, "not everything was looked at, for lost keys: Redis is away");
        assert_eq!(in_time(now + WAIT, "lost keys", async { Ok(None) }).await, Ok(None));
    }
}
