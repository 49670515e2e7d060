//! The database: definitions, acts and generations first; tickets as soon as they are persisted.
//!
//! One small trait for each of them, in the file that has their statements, written once for every
//! [`dialect::Dialect`]; the folder of a dialect holds only what differs. One test text runs over
//! all of them.

mod acts;
mod batch;
mod coupons;
mod decide;
mod dialect;
mod error;
mod generations;
mod health;
mod last_commit;
mod open;
mod pool;
mod postgres;
mod records;
mod rehearsal;
mod rows;
mod schema;
mod settings;
mod sqlite;
mod tickets;

pub use acts::Acts;
pub use batch::Persisted;
pub use coupons::Coupons;
pub use decide::{Cancelled, Intended};
pub use error::{Error, Result};
pub use generations::Generations;
pub use health::Health;
pub use open::new;
pub use records::Records;
pub use rows::TicketRow;
pub use settings::{Migrations, Settings};
pub use tickets::{Counts, Tickets, UserCursor};

/// What the house asks of a database. Every method is one transaction or one statement, bounded in
/// time; lists are bounded by their `limit_rows`.
pub trait Store: Coupons + Acts + Tickets + Generations + Records + Health {}

impl<S: Coupons + Acts + Tickets + Generations + Records + Health> Store for S {}
