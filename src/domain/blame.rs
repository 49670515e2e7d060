//! Whose fault it is that the database did not do what it was asked.

/// What the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The surroundings': asking again later may help.
    Outage,
    /// The value's: no database holds it, however often it is asked.
    Value,
    /// A row's: it holds what the house never writes.
    Row,
}
