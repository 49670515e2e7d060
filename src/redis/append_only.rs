//! The append-only file of a Redis that restarted.

use ::redis::cmd;

use super::facts::Facts;
use super::{Error, Redis, Result};
use crate::domain::generation::Generation;

/// Lets a new process of Redis begin a new append-only file, and does not wait for its end. Call it
/// before anything is written into a life that follows this generation (I3, I9).
///
/// A power cut can leave the beginning of a call at the end of the file: `MULTI` and some commands,
/// but no `EXEC`. Redis does not run them when it loads the file, but if the cut went through a
/// command, it leaves the whole commands there. The next call, appended behind them, completes
/// them, so they run at the next restart: a record comes back whose serial another user has. Redis
/// 7.0.15 does so; <https://github.com/valkey-io/valkey/pull/4342> mends it in Valkey. Into a new
/// file nothing of that is copied.
pub(crate) async fn renew(redis: &Redis, facts: &Facts, last: &Generation) {
    if facts.run_id == last.run_id || !facts.has_whole_file {
        return;
    }
    if let Err(error) = rewrite(redis).await {
        tracing::warn!(
            %error,
            "Redis began no new append-only file: if a power cut left half a call at the end of \
             the old one, that half may run at the next restart"
        );
    }
}

async fn rewrite(redis: &Redis) -> Result<()> {
    let mut connection = redis.pooled().await?;
    let begun = cmd("BGREWRITEAOF").query_async(&mut connection).await.map_err(Error::of_call);
    match begun {
        Err(Error::Refused(error)) if error.to_string().contains("already in progress") => Ok(()),
        begun => begun,
    }
}
