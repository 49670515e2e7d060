//! What a server says about itself, and that it says it whatever hangs.

mod full;
mod hung;
mod standby;
