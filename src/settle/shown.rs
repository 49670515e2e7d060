//! A ticket as it is shown.

use crate::domain::code::Proof;
use crate::domain::ticket::{Status, Ticket};
use crate::domain::time::UnixMs;
use crate::domain::told::Told;

/// A ticket with all that is derived from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What was issued.
    pub ticket: Ticket,
    /// Its code and receipt.
    pub proof: Proof,
    /// When it stops being valid.
    pub expires_at: Option<UnixMs>,
    /// Where it stands now.
    pub status: Status,
}

impl Shown {
    /// Its fields on the wire.
    pub fn told(&self) -> Told<'_> {
        Told::of(&self.ticket, &self.proof, self.expires_at, self.status)
    }
}
