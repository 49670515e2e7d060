//! The integration tests: one binary, against real servers of their own.

mod store;
mod support;
