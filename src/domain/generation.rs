//! One continuous life of the Redis data, and how far it can be trusted (P2).

use serde::Serialize;
use strum::{EnumString, IntoStaticStr};

use super::time::UnixMs;

/// What a reply survives: how Redis writes its append-only file. The greater one is the weaker.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, EnumString, IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Durability {
    /// On disk before the reply: nothing told is lost, even on power loss.
    Always,
    /// On disk within seconds: a crash may lose what was told last.
    Everysec,
    /// Nothing survives, or only what a snapshot holds.
    None,
}

impl Durability {
    /// The word in rows, `/readyz` and the header `Firstcome-Durability`.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// A life of Redis that was proven and written down. The rows are append-only; the last one counts.
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
    /// Why it was accepted: `first`, `empty`, `restart`, `replica_attached`, `durability_changed`.
    pub reason: String,
    /// The heartbeat that it was accepted with.
    pub accepted_heartbeat: u64,
    /// The greatest heartbeat that the database saw (P2 step 8).
    pub heartbeat: u64,
    /// When it was accepted, or counted last.
    pub seen_at: UnixMs,
    /// The process of Redis that was refused last, and is never to be accepted.
    pub refused_run_id: Option<String>,
}
