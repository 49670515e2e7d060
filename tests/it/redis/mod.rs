//! The private Redis of the embedded set-up.

mod local;
