//! What the process is given, and what it gives itself when nothing was set: secrets and limits.

pub mod open_files;
pub mod secrets;
