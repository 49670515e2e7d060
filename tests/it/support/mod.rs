//! What several tests need.

pub mod eventually;
pub mod processes;
