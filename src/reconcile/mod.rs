//! When Redis may have forgotten. This release proves that it has not, or fails closed: whatever
//! would need a recovery answers `recovering`, issues nothing and loads nothing over it.

mod acceptance;
mod counted;
mod dry_runs;
mod error;
mod heartbeat;
mod judge;
mod kept;
mod lost;
mod notes;
mod prover;
mod rowless;
mod serials;
mod sweep;
mod unproven;

pub use judge::Topology;
pub use notes::{HeartbeatFile, HeartbeatRow};
pub use prover::Prover;
pub use sweep::Sweep;
