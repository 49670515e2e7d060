//! What the doctor checks. It asks Redis and the database separately: if one is away or hangs, the
//! other is still examined.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Context, Failure};
use crate::domain::limits::CONNECTION_WAIT;
use crate::observe::Readiness;

/// Longer than the time-out of a connection to the database, so that the database's own error is
/// shown.
const WAIT: Duration = CONNECTION_WAIT.saturating_add(Duration::from_secs(1));

/// The time limit of the whole examination.
const EXAMINATION_WAIT: Duration = Duration::from_secs(6);

/// What Redis and the database said.
pub struct Examination {
    /// Whether the connection to Redis is encrypted; or why Redis was not reached.
    pub redis: Result<String, Failure>,
    /// The same for the database.
    pub database: Result<String, Failure>,
    /// Facts about both servers and their backlog, one per line.
    pub told: Vec<String>,
    /// What `/readyz` of this process would say.
    pub readiness: Readiness,
    /// The checks that ran out of time, one sentence each.
    pub unseen: Vec<String>,
}

/// A warning about the stored data, if a check found something; or a sentence why the check did
/// not finish.
type Look = Result<Option<String>, String>;

impl Examination {
    /// Asks Redis and the database at the same time; each question waits 4 seconds at most. Then
    /// it checks the stored data, as far as 6 seconds in total allow.
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
        // In a life of Redis that is not proven any coupon may be missing, and the readiness says
        // so.
        let is_known = context.redis.generation().proven().is_ok();
        let (stuck, lost) = tokio::join!(
            when(redis.is_ok(), in_time(until, "refused records", stuck_records(context))),
            when(
                redis.is_ok() && database.is_ok() && is_known,
                in_time(until, "lost keys and lost acts", lost_parts(context))
            ),
        );
        let mut readiness = context.observer.readiness();
        let mut unseen = Vec::new();
        for look in [stuck, lost] {
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

/// Checks every coupon, as sweep and relay of a server do in turn, and writes nothing. What they
/// find is in the readiness.
async fn lost_parts(context: &Context) -> Look {
    let mut sweep = context.sweep();
    let (swept, compared) = tokio::join!(sweep.whole(), context.preparer.look_for_diverged());
    swept.map_err(|error| error.to_string())?;
    compared.map_err(|refusal| refusal.to_string())?;
    Ok(None)
}

/// Runs a check only under this condition.
async fn when(it_is: bool, look: impl Future<Output = Look>) -> Look {
    if it_is { look.await } else { Ok(None) }
}

/// Runs a check with a deadline. A check that fails becomes a warning; one that runs out of time
/// becomes an error.
async fn in_time(until: Instant, looked_for: &str, look: impl Future<Output = Look>) -> Look {
    let sentence = |why| format!("the search for {looked_for} was not completed: {why}");
    match timeout_at(until, look).await {
        Ok(Ok(found)) => Ok(found),
        // A failure needs repair; a large site that takes its time does not.
        Ok(Err(fault)) => Ok(Some(sentence(fault))),
        Err(_) => Err(sentence(format!("{} s were not enough", EXAMINATION_WAIT.as_secs()))),
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
        assert_eq!(told, "the search for lost keys was not completed: 6 s were not enough");
        let failed = async { Err("Redis is away".to_owned()) };
        let told = in_time(now + WAIT, "lost keys", failed).await.unwrap().unwrap();
        assert_eq!(told, "the search for lost keys was not completed: Redis is away");
        assert_eq!(in_time(now + WAIT, "lost keys", async { Ok(None) }).await, Ok(None));
    }
}
