//! Knows which users certainly have no ticket of a sold-out coupon: a Bloom filter of its holders
//! (P1 steps 8, 9 and 11). It may mistake another user for a holder, and then Redis is asked; it
//! never misses a holder.

use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fastbloom::BloomFilter;

use crate::domain::limits::FILTERS_MAX_BYTES;
use crate::domain::user::{Claim, UserId, holder_field};

/// With this size one in two thousand other users is mistaken for a holder.
const BITS_PER_HOLDER: usize = 16;

/// The memory that all filters of a process use, including filters that are being built.
#[derive(Default)]
pub(super) struct Room {
    taken_bytes: AtomicUsize,
}

impl Room {
    /// Reserves this much, if there is enough left.
    fn take(&self, bytes: usize) -> bool {
        let take =
            |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= FILTERS_MAX_BYTES);
        self.taken_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// A compact set of holders. Dropping it releases its room.
pub struct HoldersFilter {
    bits: BloomFilter<RandomState>,
    room: Arc<Room>,
    bytes: usize,
}

impl HoldersFilter {
    /// An empty filter for this many holders; `None` if there is no room for it. Its hash has a
    /// secret key, so that nobody can choose a user id that is mistaken for a holder.
    pub(super) fn for_holders(holders: usize, room: &Arc<Room>) -> Option<Self> {
        let holders = holders.max(1);
        let bytes = holders.checked_mul(BITS_PER_HOLDER)?.div_ceil(64) * 8;
        if !room.take(bytes) {
            return None;
        }
        let bits = BloomFilter::with_num_bits(holders * BITS_PER_HOLDER);
        let bits = bits.hasher(RandomState::new()).expected_items(holders);
        Some(Self { bits, room: room.clone(), bytes })
    }

    /// Adds a holder, given by the field of the holders hash.
    pub(super) fn insert(&mut self, field: &str) {
        self.bits.insert(field);
    }

    /// False only if this (user, claim) was not added (I10).
    pub(super) fn may_have(&self, user_id: &UserId, claim: Claim) -> bool {
        match claim {
            Claim::FIRST => self.bits.contains(user_id.as_str()),
            _ => self.bits.contains(holder_field(user_id, claim).as_str()),
        }
    }
}

impl Drop for HoldersFilter {
    fn drop(&mut self) {
        self.room.taken_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_holder_is_ever_taken_for_a_stranger_i10(
            holders in prop::collection::vec(("[a-z\\n]{0,3}[^\\p{Cc}]{1,40}", 1_u8..=100), 1..300),
            expected in 1_usize..400,
        ) {
            let holders: Vec<(UserId, Claim)> = holders
                .iter()
                .filter_map(|(user, claim)| Some((UserId::parse(user)?, Claim::new(*claim)?)))
                .collect();
            // Also if it was created for fewer holders.
            let mut filter = HoldersFilter::for_holders(expected, &Arc::default()).unwrap();
            for (user_id, claim) in &holders {
                filter.insert(&holder_field(user_id, *claim));
            }
            for (user_id, claim) in &holders {
                prop_assert!(filter.may_have(user_id, *claim));
            }
        }
    }

    #[test]
    fn few_strangers_are_taken_for_holders() {
        let room = Arc::<Room>::default();
        let mut filter = HoldersFilter::for_holders(10_000, &room).unwrap();
        (0..10_000).for_each(|number| filter.insert(&format!("holder{number}")));
        let strangers = (0..10_000).map(|number| UserId::parse(&format!("u{number}")).unwrap());
        let taken = strangers.filter(|user_id| filter.may_have(user_id, Claim::FIRST)).count();
        assert!(taken < 100, "{taken} of 10,000");
        assert_eq!(filter.bits.num_bits() / 8, filter.bytes, "what it takes is what it counts");
    }

    #[test]
    fn filters_share_a_room_and_give_their_part_back() {
        let room = Arc::<Room>::default();
        let half = FILTERS_MAX_BYTES / 2 / BITS_PER_HOLDER * 8;
        let first = HoldersFilter::for_holders(half, &room);
        let second = HoldersFilter::for_holders(half, &room);
        assert!(first.is_some() && second.is_some());
        assert!(HoldersFilter::for_holders(1, &room).is_none());
        drop(first);
        assert!(HoldersFilter::for_holders(half, &room).is_some());
        assert!(HoldersFilter::for_holders(usize::MAX, &room).is_none());
        drop(second);
        assert_eq!(room.taken_bytes.load(Ordering::Relaxed), 0);
    }
}
