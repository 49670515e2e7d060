//! `firstcome doctor`: is it safe to issue tickets with this set-up?

use super::output::say;
use crate::app::{Context, Database, Examination, Failure};
use crate::config::Settings;
use crate::embedded::secrets;

/// Prints a key for `FIRSTCOME_CODE_KEYS`. Its id has four random digits, so that two keys seldom
/// have the same id.
pub(super) fn print_new_key() -> Result<(), Failure> {
    let digits = secrets::random_hex()?;
    let id = secrets::random_hex()?;
    say(format_args!("k{}:{digits}", &id[..4]))
}

/// Prints what is wrong and what could be better, and fails when something is wrong. For a server
/// that cannot be reached it prints the reason, and still prints what the other server says.
pub(super) async fn examine(settings: &Settings) -> Result<(), Failure> {
    let context = Context::of_verb(settings, Database::Unasked).await?;
    let Examination { redis, database, told, readiness, unseen } = Examination::of(&context).await;
    let is_started_here = context.has_started_redis();
    context.close().await;
    for (name, reached) in [("Redis", &redis), ("database", &database)] {
        match reached {
            Ok(encryption) => say(format_args!("{name}: {encryption}"))?,
            Err(failure) => say(format_args!("{name}: not reached: {failure}"))?,
        }
    }
    say(format_args!("durability: {}", readiness.durability))?;
    for line in told {
        say(line)?;
    }
    for reason in &readiness.reasons {
        say(format_args!("wrong: {reason}"))?;
    }
    for warning in &readiness.warnings {
        say(format_args!("unsafe: {warning}"))?;
    }
    for sentence in &unseen {
        say(sentence)?;
    }
    redis.and(database)?;
    if readiness.reasons.is_empty() && readiness.warnings.is_empty() {
        return say(match (is_started_here, unseen.is_empty()) {
            (true, _) => {
                "nothing wrong was seen; no server runs here: this command started Redis itself"
            }
            (false, true) => "all is well",
            (false, false) => "nothing wrong was seen",
        });
    }
    Err(Failure::Refused("this set-up could lose or refuse tickets".to_owned()))
}
