//! What the process reports about itself: health, metrics and logs.

pub mod health;
pub mod logs;
pub mod loops;
pub mod metrics;
