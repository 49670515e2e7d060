//! The integration tests: one binary, so that it links once, against real servers of its own.

mod redis;
mod store;
mod support;
