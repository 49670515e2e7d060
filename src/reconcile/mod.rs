//! Whether Redis may have forgotten something. This release proves that it has not, or fails
//! closed: if a recovery would be needed, it answers `recovering`, issues nothing and loads
//! nothing over the data.

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
