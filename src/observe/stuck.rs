//! Records that a persister cannot write, as Redis shows them to every process.

use crate::domain::limits::ROWS_LATE;
use crate::redis::Redis;
use crate::redis::stuck::{self, Stuck};

/// A sentence about them, if there are any or if that cannot be found out.
pub(super) async fn told(redis: &Redis) -> Option<String> {
    match stuck::stuck_records(redis, ROWS_LATE).await {
        Ok(stuck) => stuck.as_ref().map(sentence),
        Err(error) => Some(format!("it is not known whether records are refused: {error}")),
    }
}

fn sentence(stuck: &Stuck) -> String {
    let Stuck { records, are_more, example } = stuck;
    let why = match &example.record {
        Ok(_) => "its record is whole, so the database refuses it or is away".to_owned(),
        Err(malformed) => malformed.to_string(),
    };
    let more = if *are_more { " or more" } else { "" };
    format!(
        "{records}{more} records are held by a persister for more than {} s and have no rows, \
         among them {} of shard {}: {why}",
        ROWS_LATE.as_secs(),
        example.id,
        example.shard.number()
    )
}
