//! What this process told lately. If Redis forgets a ticket before it is a row, the server that
//! told it still knows it (P2 step 9).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::coupon::CouponId;
use super::limits::WITNESSES_MAX_TICKETS;
use super::record::Record;
use super::ticket::Serial;

/// The last tickets that this process told its users, as records; cheap to clone, and all clones
/// share them. New and replayed tickets have a bound each: whoever asks for his ticket again and
/// again must not push out new ones.
#[derive(Debug, Clone, Default)]
pub struct Witnesses(Arc<Mutex<Told>>);

/// The greatest serial of a coupon that a process told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub coupon_id: CouponId,
    pub last_serial: Serial,
}

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
    /// How many of the newest records are in no mark yet.
    unmarked: usize,
    /// The marks of records that were forgotten before.
    forgotten: Marks,
}

type Marks = HashMap<CouponId, Serial>;

impl Latest {
    fn add(&mut self, record: Record) {
        self.tickets += record.holders.len();
        self.records.push_back(record);
        self.unmarked += 1;
        while self.tickets > WITNESSES_MAX_TICKETS {
            let Some(oldest) = self.records.pop_front() else { break };
            self.tickets -= oldest.holders.len();
            if self.unmarked > self.records.len() {
                self.unmarked = self.records.len();
                mark(&mut self.forgotten, &oldest);
            }
        }
    }

    fn take_marks(&mut self) -> Marks {
        let mut marks = std::mem::take(&mut self.forgotten);
        let newest = self.records.iter().rev().take(self.unmarked);
        newest.for_each(|record| mark(&mut marks, record));
        self.unmarked = 0;
        marks
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

    /// The marks of all that was told since the last call. They cost nothing while users are
    /// answered.
    pub fn take_marks(&self) -> Vec<Mark> {
        let mut told = self.told();
        let [mut marks, replayed] = [told.issued.take_marks(), told.replayed.take_marks()];
        drop(told);
        for (coupon_id, told) in replayed {
            let known = marks.entry(coupon_id).or_insert(told);
            *known = (*known).max(told);
        }
        let mark = |(coupon_id, last_serial)| Mark { coupon_id, last_serial };
        marks.into_iter().map(mark).collect()
    }

    /// The greatest serial of each coupon among them.
    pub fn last_serials(&self) -> HashMap<CouponId, Serial> {
        let told = self.told();
        let mut last = Marks::new();
        let records = told.issued.records.iter().chain(&told.replayed.records);
        records.for_each(|record| mark(&mut last, record));
        last
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mark(marks: &mut Marks, record: &Record) {
    let last = record.first_serial.0 + (record.holders.len() as u64).saturating_sub(1);
    let told = Serial(last);
    match marks.get_mut(&record.coupon_id) {
        Some(known) => *known = (*known).max(told),
        None => drop(marks.insert(record.coupon_id.clone(), told)),
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

    #[test]
    fn a_mark_is_the_greatest_serial_also_of_what_was_forgotten_since() {
        let witnesses = Witnesses::default();
        let record = |text: &str| Record::decode(text).unwrap();
        let issued = |text| witnesses.add(Some(record(text)), Vec::new());
        let marks = || {
            let mut marks = witnesses.take_marks();
            marks.sort_by(|one, other| one.coupon_id.as_str().cmp(other.coupon_id.as_str()));
            let words = |mark: &Mark| format!("{} {}", mark.coupon_id, mark.last_serial);
            marks.iter().map(words).collect::<Vec<_>>()
        };
        issued("1 summer 1 7 1764558001482 issue\n\nu1\nu2");
        issued("1 summer 1 5 1764558001482 issue\n\nu3\nu4");
        witnesses.add(None, vec![record("1 winter 1 3 1764558001482 issue\n\nu1")]);
        assert_eq!(marks(), ["summer 8", "winter 3"]);
        assert_eq!(marks(), [""; 0], "nothing was told since");

        issued("1 autumn 1 90 1764558001482 issue\n\nu1");
        let many = record("1 summer 2 21 1764558001482 issue\n\nu1\nu2");
        for _ in 0..WITNESSES_MAX_TICKETS / 2 {
            witnesses.add(Some(many.clone()), Vec::new());
        }
        assert_eq!(marks(), ["autumn 90", "summer 22"]);
    }
}
