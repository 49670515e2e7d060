//! Who certainly holds no ticket of a sold-out coupon: a Bloom filter of its holders (P1 steps 8,
//! 9 and 11). It may take a stranger for a holder, who is then asked about in Redis; never a
//! holder for a stranger.

use std::hash::RandomState;

use fastbloom::BloomFilter;

use crate::domain::user::{Claim, UserId, holder_field};

/// At this size one stranger in two thousand is taken for a holder.
const BITS_PER_HOLDER: usize = 16;

/// A compact set of holders.
pub struct HoldersFilter(BloomFilter<RandomState>);

impl HoldersFilter {
    /// An empty filter for this many holders. Its hash has a secret of its own, so nobody can
    /// choose a name that passes for a holder.
    pub(super) fn for_holders(holders: usize) -> Self {
        let bits = BloomFilter::with_num_bits(holders.max(1) * BITS_PER_HOLDER);
        Self(bits.hasher(RandomState::new()).expected_items(holders.max(1)))
    }

    /// What a filter for this many holders takes.
    pub(super) fn bytes_for(holders: usize) -> usize {
        holders.max(1).saturating_mul(BITS_PER_HOLDER).div_ceil(64) * 8
    }

    /// What it takes.
    pub(super) fn bytes(&self) -> usize {
        self.0.num_bits() / 8
    }

    /// Takes a holder in, as the field of the holders hash names them.
    pub(super) fn insert(&mut self, field: &str) {
        self.0.insert(field);
    }

    /// False only when this (user, claim) was not taken in (I10).
    pub(super) fn may_hold(&self, user_id: &UserId, claim: Claim) -> bool {
        match claim {
            Claim::FIRST => self.0.contains(user_id.as_str()),
            _ => self.0.contains(holder_field(user_id, claim).as_str()),
        }
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
            // Also when it was made for fewer.
            let mut filter = HoldersFilter::for_holders(expected);
            for (user_id, claim) in &holders {
                filter.insert(&holder_field(user_id, *claim));
            }
            for (user_id, claim) in &holders {
                prop_assert!(filter.may_hold(user_id, *claim));
            }
        }
    }

    #[test]
    fn few_strangers_are_taken_for_holders() {
        let mut filter = HoldersFilter::for_holders(10_000);
        (0..10_000).for_each(|number| filter.insert(&format!("holder{number}")));
        let strangers = (0..10_000).map(|number| UserId::parse(&format!("u{number}")).unwrap());
        let taken = strangers.filter(|user_id| filter.may_hold(user_id, Claim::FIRST)).count();
        assert!(taken < 100, "{taken} of 10,000");
        assert_eq!(filter.bytes(), HoldersFilter::bytes_for(10_000));
    }
}
