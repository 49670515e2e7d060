//! Tickets that conflict with another ticket where only one may be. This must never happen: two
//! users were told of the same ticket (I2, I5). So this process reports it until it ends.

use std::collections::BTreeSet;

use crate::domain::limits::CONTESTED_MAX;
use crate::domain::ticket::TicketId;

/// Those that this process found. One that comes again counts once.
#[derive(Default)]
pub(super) struct Contested {
    /// At the bound, further ids are not remembered.
    ids: BTreeSet<TicketId>,
    first: Option<TicketId>,
}

impl Contested {
    /// Adds the contested tickets of a batch that was written.
    pub(super) fn add(&mut self, ids: &[TicketId]) {
        for id in ids {
            self.first.get_or_insert_with(|| id.clone());
            if self.ids.len() < CONTESTED_MAX {
                self.ids.insert(id.clone());
            }
        }
    }

    /// A sentence about them, if there are any.
    pub(super) fn sentence(&self) -> Option<String> {
        let first = self.first.as_ref()?;
        let more = if self.ids.len() < CONTESTED_MAX { "" } else { " or more" };
        let are = if self.ids.len() == 1 { "ticket is" } else { "tickets are" };
        Some(format!(
            "{}{more} {are} contested: the row of another ticket exists instead; the first \
             one is {first}",
            self.ids.len()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_and_the_first_one_stays_the_first() {
        let mut contested = Contested::default();
        assert_eq!(contested.sentence(), None);
        for serial in (1..=CONTESTED_MAX as u64 + 10).rev() {
            contested.add(&[TicketId::parse(&format!("summer.{serial}")).unwrap()]);
        }
        let said = contested.sentence().unwrap();
        assert!(said.starts_with("1000 or more tickets are contested: "), "{said}");
        assert!(said.ends_with(" summer.1010"), "{said}");
    }
}
