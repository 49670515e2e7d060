//! Whether Redis may have forgotten something. It is proven that it has not, or the service fails
//! closed until a recovery: it answers `recovering`, issues nothing and loads nothing over the
//! data.

mod acceptance;
mod counted;
mod dry_runs;
mod error;
mod heartbeat;
mod judge;
mod kept;
mod lost;
mod notes;
mod prefix;
mod prover;
mod rowless;
mod serials;
mod sweep;
mod unproven;

pub use judge::Topology;
pub use notes::{HeartbeatFile, HeartbeatRow};
pub use prover::Prover;
pub use sweep::Sweep;
