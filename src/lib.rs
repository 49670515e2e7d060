pub mod config;
pub mod domain;
pub mod redis;
pub mod store;
