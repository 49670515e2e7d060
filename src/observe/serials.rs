//! A set of serials, one bit each.

use crate::domain::ticket::Serial;

/// Which serials up to a last one were seen.
pub(super) struct Serials {
    last: u64,
    words: Vec<u64>,
}

impl Serials {
    /// An empty set of serials from 1 to this one.
    pub(super) fn up_to(last: u64) -> Self {
        Self { last, words: vec![0; (last / 64 + 1) as usize] }
    }

    /// Whether the set can have this serial.
    pub(super) fn reach(&self, serial: u64) -> bool {
        (1..=self.last).contains(&serial)
    }

    /// Adds a serial; one that is out of reach is ignored.
    pub(super) fn see(&mut self, serial: u64) {
        if self.reach(serial) {
            self.words[(serial / 64) as usize] |= 1 << (serial % 64);
        }
    }

    /// Whether the set has this serial.
    pub(super) fn have(&self, serial: u64) -> bool {
        self.reach(serial) && self.words[(serial / 64) as usize] >> (serial % 64) & 1 == 1
    }

    /// How many serials from this one on the set does not have, and the first of them.
    pub(super) fn unseen_from(&self, first: Serial) -> (u64, u64) {
        let mut unseen = (first.0..=self.last).filter(|serial| !self.have(*serial));
        match unseen.next() {
            Some(serial) => (1 + unseen.count() as u64, serial),
            None => (0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_knows_what_it_has_and_what_it_lacks() {
        let mut serials = Serials::up_to(130);
        for serial in (1..=130).filter(|serial| ![5, 64, 128].contains(serial)) {
            serials.see(serial);
        }
        serials.see(131);
        assert!(serials.have(63) && !serials.have(64) && !serials.have(131) && !serials.have(0));
        assert_eq!(serials.unseen_from(Serial(1)), (3, 5));
        assert_eq!(serials.unseen_from(Serial(65)), (1, 128));
        assert_eq!(serials.unseen_from(Serial(129)), (0, 0));
        assert_eq!(Serials::up_to(0).unseen_from(Serial(1)), (0, 0));
    }
}
