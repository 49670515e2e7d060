//! What the doctor looks at. Redis and the database are asked each for itself: one that is away or
//! hangs says nothing about the other.

use std::time::Duration;

use super::{Failure, House};
use crate::domain::limits::CONNECTION_WAIT;
use crate::observe::Readiness;

/// Longer than a connection to the database is waited for, so that its own words are told.
const WAIT: Duration = CONNECTION_WAIT.saturating_add(Duration::from_secs(1));

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
    /// Asks Redis and the database at the same time. Each question waits 4 seconds at most.
    pub async fn examine(&self) -> Examination {
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
        let mut readiness = self.observer.readiness();
        if redis.is_ok() {
            let stuck = tokio::time::timeout(WAIT, self.observer.stuck_records()).await;
            readiness.warnings.extend(stuck.ok().flatten());
        }
        Examination { redis, database, told, readiness }
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
