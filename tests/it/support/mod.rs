//! Helpers that the tests share.

pub mod certificates;
pub mod copies;
pub mod crowd;
pub mod eventually;
pub mod exact;
pub mod line;
pub mod nginx;
pub mod operate;
pub mod packed;
pub mod pgbouncer;
pub mod plain_redis;
pub mod postgres;
pub mod processes;
pub mod proxy;
pub mod raw;
pub mod records;
pub mod redis;
pub mod script;
pub mod sentinel;
pub mod server;
pub mod site;
pub mod stage;
pub mod store;
pub mod terminal;
