//! The nouns of the program as pure values: no IO, and nothing here reads a clock.

pub mod act;
pub mod act_refusal;
pub mod back_off;
pub mod blame;
pub mod code;
pub mod coupon;
pub mod coupon_body;
pub mod dead_letter;
pub mod doubt;
pub mod epoch;
pub mod generation;
pub mod idempotency_key;
pub mod issued_ticket;
pub mod limits;
pub mod outcome;
pub mod record;
pub mod ticket;
pub mod time;
pub mod user;
pub mod who;
pub mod witnesses;
