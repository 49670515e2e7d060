//! What tests stand on.

pub mod eventually;
pub mod postgres;
pub mod processes;
pub mod redis;
pub mod server;
pub mod stage;
