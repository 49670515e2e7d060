//! How many tickets of a coupon the database has, by what became of them.

/// Counts over a coupon's rows; they read all of them, so they are for admins and tests. That no
/// two rows have the same user and claim (I2) is a constraint of the table and not counted again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub rows: u64,
    pub cancelled: u64,
    /// The greatest serial, also of a parked ticket; 0 without tickets.
    pub last_serial: u64,
    pub contested: u64,
    /// Tickets that are parked: undecided dead letters without a row.
    pub parked: u64,
}

impl Counts {
    /// Tickets that were issued, as far as the database knows.
    pub fn issued(&self) -> u64 {
        self.rows + self.contested + self.parked
    }

    /// Tickets whose stock was not returned; it is never given again (I1).
    pub fn out(&self) -> u64 {
        self.issued().saturating_sub(self.cancelled)
    }
}
