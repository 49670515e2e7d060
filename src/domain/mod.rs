//! The nouns: what things are. Pure values without IO; nothing here reads a clock.

pub mod act;
pub mod back_off;
pub mod blame;
pub mod code;
pub mod coupon;
pub mod doubt;
pub mod generation;
pub mod limits;
pub mod record;
pub mod ticket;
pub mod time;
pub mod told;
pub mod user;
