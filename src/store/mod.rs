//! The database. Definitions, acts and generations are written here first; tickets as soon as they
//! are persisted.
//!
//! One small trait for each of them, in the file with its statements, written once for every
//! [`dialect::Dialect`]; the folder of a dialect has only what differs. The same tests run over
//! all dialects.

mod acts;
mod archives;
mod batch;
mod coupons;
mod decide;
mod dialect;
mod error;
mod generations;
mod health;
mod installation;
mod last_commit;
mod open;
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
pub use coupons::Coupons;
pub use decide::{Cancelled, Intended, after};
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
pub use tickets::{Counts, Tickets, UserCursor};

/// What the rest of the program needs from a database. Every method is one transaction or one
/// statement with a time-out; lists are bounded by their `limit_rows`.
pub trait Store:
    Coupons
    + Acts
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
        + Acts
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
