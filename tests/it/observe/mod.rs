//! What a server says about itself, and that it says it whatever hangs.

mod backlog;
mod full;
mod hung;
mod in_the_clear;
mod ladder;
mod list;
mod page;
mod standby;
