//! When all scripts are run dry: in every life once, soon after a call was refused, and now and
//! then, because rights change too.

use std::time::{Duration, Instant};

use crate::lua::dry_run::{Outcome, dry_run};
use crate::redis::generation::Accepted;
use crate::redis::{Error, Redis, Result};

/// How often without a reason.
const EVERY: Duration = Duration::from_secs(30);

/// Remembers the last dry run.
pub(super) struct DryRuns {
    redis: Redis,
    /// The life in which everything ran, and when.
    ran: Option<(Accepted, Instant)>,
}

impl DryRuns {
    pub(super) fn new(redis: Redis) -> Self {
        Self { redis, ran: None }
    }

    /// How a dry run ends in this life, or ended a short time ago. A Redis that cannot write now
    /// is asked again at the next look; that it cannot, the heartbeat tells.
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
