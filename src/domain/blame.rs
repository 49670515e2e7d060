//! What caused a failed call to the database.

/// The cause of a failed call to the database, which decides whether repeating it can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The database or the network: trying again later may help.
    Outage,
    /// The value: the database refuses it at every attempt.
    Value,
    /// A row: it has content that this program never writes.
    Row,
}
