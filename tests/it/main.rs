//! The integration tests: one binary, so that it links once, against real servers of its own.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod app;
mod chaos;
mod cli;
mod embedded;
mod http;
mod issue;
mod lua;
mod model;
mod observe;
mod persist;
mod prepare;
mod reconcile;
mod recover;
mod redis;
mod store;
mod support;
