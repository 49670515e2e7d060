//! Tickets that `lua/issue.lua` issues: races, records, the users and numbers at their bounds, and
//! a Redis that lost or spoilt a part.

mod damage;
mod memory;
mod numbers;
mod races;
mod record;
mod users;
