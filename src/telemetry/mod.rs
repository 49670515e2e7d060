//! What the process says about itself: health, metrics and logs.

pub mod health;
pub mod logs;
pub mod loops;
pub mod metrics;
