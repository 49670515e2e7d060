pub mod domain;
pub mod lua;
pub mod redis;
pub mod telemetry;
