//! A generation: one continuous life of the Redis data; and the durability of that data (P2).

use serde::Serialize;
use strum::{EnumString, IntoStaticStr};

use super::time::UnixMs;

/// Which crashes a reply survives: how Redis writes its append-only file. A greater value is a
/// weaker level.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, EnumString, IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Durability {
    /// On disk before the reply: no answer is lost, even on power loss.
    Always,
    /// On disk within seconds: a crash may lose the last answers.
    Everysec,
    /// Nothing survives, or only the data of a snapshot.
    None,
}

impl Durability {
    /// The word in rows, `/readyz` and the header `Firstcome-Durability`.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// The reason for a generation that begins a recovery: it may lack data of the one before.
pub const RECOVERY: &str = "recovery";

/// The reason for a row that accepts nothing yet: it is judged whether this Redis has all that was
/// told. Nobody issues meanwhile.
pub const JUDGING: &str = "judging";

/// The reason for a generation whose data is a prefix of the data before, with all that was told.
pub const PREFIX: &str = "prefix";

/// A life of Redis that was proven and has a row. The rows are append-only; the last one is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// 1, 2, 3 …; appending the next number is the compare-and-set.
    pub generation_no: u64,
    /// Grows only in a recovery.
    pub epoch: u32,
    /// `run_id` of the Redis process.
    pub run_id: String,
    /// `master_replid` of its data.
    pub replid: String,
    /// The level in force when it was proven.
    pub durability: Durability,
    /// Why it was accepted: `first`, `empty`, `restart`, `replica_attached`, `durability_changed`,
    /// `prefix`, `recovery`; or `judging`, which accepts nothing.
    pub reason: String,
    /// The heartbeat that it was accepted with.
    pub accepted_heartbeat: u64,
    /// The greatest heartbeat that was written to the database (P2 step 8).
    pub heartbeat: u64,
    /// When it was accepted, or when a heartbeat was last written.
    pub seen_at: UnixMs,
    /// `run_id` of the Redis process that was refused last; it must never be accepted.
    pub refused_run_id: Option<String>,
}
