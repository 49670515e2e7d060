//! The database. Definitions, acts and generations are written here first; tickets as soon as they
//! are persisted.
//!
//! One small trait for each of them, in the file with its statements, written once for every
//! [`dialect::Dialect`]; the folder of a dialect has only what differs. The same tests run over
//! all dialects.

mod acts;
mod archives;
mod batch;
mod counts;
mod coupons;
mod dead_letters;
mod decide;
mod deciding;
mod dialect;
mod error;
mod generations;
mod health;
mod inserting;
mod installation;
mod last_commit;
mod letter;
mod letter_row;
mod open;
mod parking;
mod pool;
mod postgres;
mod processes;
mod ranks;
mod records;
mod recoveries;
mod rehearsal;
mod rows;
mod schema;
mod settings;
mod sqlite;
mod tickets;

pub use acts::Acts;
pub use archives::{Archive, Archives};
pub use batch::Persisted;
pub use counts::Counts;
pub use coupons::Coupons;
pub use dead_letters::DeadLetters;
pub use decide::{Cancelled, Intended, after};
pub use deciding::{Decided, Decisions};
pub use error::{Error, Result};
pub use generations::Generations;
pub use health::Health;
pub use installation::Installation;
pub use open::new;
pub use processes::{Processes, SeenProcess};
pub use ranks::Ranks;
pub use records::Records;
pub use recoveries::Recoveries;
pub use rows::TicketRow;
pub use settings::{Migrations, Settings};
pub use tickets::{Tickets, UserCursor};

/// What the rest of the program needs from a database. Every method is one transaction or one
/// statement with a time-out; lists are bounded by their `limit_rows`.
pub trait Store:
    Coupons
    + Decisions
    + Tickets
    + Ranks
    + Archives
    + Generations
    + Installation
    + Records
    + Recoveries
    + Health
{
}

impl<S> Store for S where
    S: Coupons
        + Decisions
        + Tickets
        + Ranks
        + Archives
        + Generations
        + Installation
        + Records
        + Recoveries
        + Health
{
}
