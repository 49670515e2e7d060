//! The embedded set-up: its private Redis, and what it keeps in the data directory.

mod data_dir;
mod redis;
