//! What this process told lately. If Redis forgets a ticket before it is a row, the server that
//! told it still knows it (P2 step 9).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::limits::WITNESSES_MAX_TICKETS;
use super::record::Record;

/// The last tickets that this process told its users, as records; cheap to clone, and all clones
/// share them.
#[derive(Debug, Clone, Default)]
pub struct Witnesses(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    records: VecDeque<Record>,
    tickets: usize,
}

impl Witnesses {
    /// Remembers a record. The oldest ones are forgotten beyond the bound.
    pub fn add(&self, record: Record) {
        let mut told = self.told();
        told.tickets += record.holders.len();
        told.records.push_back(record);
        while told.tickets > WITNESSES_MAX_TICKETS {
            let Some(oldest) = told.records.pop_front() else { break };
            told.tickets -= oldest.holders.len();
        }
    }

    /// A copy of all of them, the oldest first.
    pub fn all(&self) -> Vec<Record> {
        self.told().records.iter().cloned().collect()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_beyond_the_bound() {
        let witnesses = Witnesses::default();
        let record = Record::decode("1 summer 1 7 1764558001482 issue\n\nu1\nu2").unwrap();
        let fit = WITNESSES_MAX_TICKETS / 2;
        for _ in 0..fit + 3 {
            witnesses.add(record.clone());
        }
        assert_eq!(witnesses.all().len(), fit);
    }
}
