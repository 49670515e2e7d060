//! What this process told lately. If Redis forgets a ticket before it is a row, the server that
//! told it still knows it (P2 step 9).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::limits::WITNESSES_MAX_TICKETS;
use super::record::Record;

/// The last tickets that this process told its users, as records; cheap to clone, and all clones
/// share them. New and replayed tickets have a bound each: whoever asks for his ticket again and
/// again must not push out new ones.
#[derive(Debug, Clone, Default)]
pub struct Witnesses(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    issued: Latest,
    replayed: Latest,
}

/// The latest records of one kind.
#[derive(Debug, Default)]
struct Latest {
    records: VecDeque<Record>,
    tickets: usize,
}

impl Latest {
    fn add(&mut self, record: Record) {
        self.tickets += record.holders.len();
        self.records.push_back(record);
        while self.tickets > WITNESSES_MAX_TICKETS {
            let Some(oldest) = self.records.pop_front() else { break };
            self.tickets -= oldest.holders.len();
        }
    }
}

impl Witnesses {
    /// Remembers what one call issued and replayed. The oldest ones are forgotten beyond the bound.
    pub fn add(&self, issued: Option<Record>, replayed: Vec<Record>) {
        if issued.is_none() && replayed.is_empty() {
            return;
        }
        let mut told = self.told();
        issued.into_iter().for_each(|record| told.issued.add(record));
        replayed.into_iter().for_each(|record| told.replayed.add(record));
    }

    /// A copy of all of them.
    pub fn all(&self) -> Vec<Record> {
        let told = self.told();
        told.issued.records.iter().chain(&told.replayed.records).cloned().collect()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_beyond_the_bound_and_replays_push_out_no_new_ticket() {
        let witnesses = Witnesses::default();
        let record = Record::decode("1 summer 1 7 1764558001482 issue\n\nu1\nu2").unwrap();
        let fit = WITNESSES_MAX_TICKETS / 2;
        witnesses.add(Some(record.clone()), Vec::new());
        witnesses.add(None, vec![record.clone(); fit + 3]);
        assert_eq!(witnesses.all().len(), 1 + fit);
        for _ in 0..fit + 3 {
            witnesses.add(Some(record.clone()), Vec::new());
        }
        assert_eq!(witnesses.all().len(), 2 * fit);
    }
}
