//! `firstcome` issues limited coupons to whoever comes first: N tickets, a million people, one
//! second, and exactly N of them get one.
//!
//! The modules follow the life of a coupon. An admin *prepares* it; a ticket is *issued*, then
//! *persisted*, later *settled*; we *observe* everything, *reconcile* what Redis
//! has, *recover* what it forgot, and *archive* what is over.
//! ARCHITECTURE.md tells the story of one coupon, and which module keeps which promise.

pub mod domain;

pub mod config;
pub mod lookups;
pub mod telemetry;

pub mod auth;
pub mod embedded;
pub mod redis;
pub mod store;

pub mod lua;

pub mod archive;
pub mod issue;
pub mod observe;
pub mod persist;
pub mod prepare;
pub mod reconcile;
pub mod recover;
pub mod settle;

pub mod http;

pub mod app;
pub mod cli;
