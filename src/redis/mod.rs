//! Redis: how it is reached, and the private one of the embedded set-up.

pub mod local;
