//! When all scripts are run dry: once in every life, soon after a call was refused, and every 30
//! seconds, because rights change too.

use std::time::{Duration, Instant};

use crate::lua::dry_run::{Outcome, dry_run};
use crate::redis::generation::Accepted;
use crate::redis::{Error, Redis, Result};

/// How often without another reason.
const EVERY: Duration = Duration::from_secs(30);

/// Remembers the last dry run.
pub(super) struct DryRuns {
    redis: Redis,
    /// The life in which all scripts ran, and when.
    ran: Option<(Accepted, Instant)>,
}

impl DryRuns {
    pub(super) fn new(redis: Redis) -> Self {
        Self { redis, ran: None }
    }

    /// The result of a dry run in this life, now or a short time ago. A Redis that cannot write
    /// now is asked again at the next look; the heartbeat reports that it cannot write.
    pub(super) async fn outcome(&mut self, accepted: &Accepted) -> Result<Outcome> {
        let was_refused = self.redis.generation().was_refused();
        let is_recent = |(life, at): &(Accepted, Instant)| life == accepted && at.elapsed() < EVERY;
        if !was_refused && self.ran.as_ref().is_some_and(is_recent) {
            return Ok(Outcome::Ran);
        }
        self.ran = None;
        match dry_run(&self.redis, accepted).await {
            Ok(Outcome::Ran) => self.ran = Some((accepted.clone(), Instant::now())),
            Err(Error::Refused(_)) => {}
            other => return other,
        }
        Ok(Outcome::Ran)
    }
}
