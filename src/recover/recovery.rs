//! A recovery that this process leads.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use crate::domain::coupon::{CouponId, Shard};
use crate::domain::generation::Generation;
use crate::lua::recover::Stopped;

/// What it has done, and what is left.
pub(super) struct Recovery {
    pub(super) epoch: u32,
    /// The generation that began it.
    pub(super) generation_no: u64,
    pub(super) begun_at: Instant,
    /// The coupons that are not done, and what they had.
    pub(super) left: VecDeque<(CouponId, Stopped)>,
    /// The shards whose records are rows.
    pub(super) drained: BTreeSet<Shard>,
}

impl Recovery {
    /// A recovery of these stopped coupons that begins now.
    pub(super) fn of(next: &Generation, left: VecDeque<(CouponId, Stopped)>) -> Self {
        let Generation { epoch, generation_no, .. } = *next;
        Self { epoch, generation_no, begun_at: Instant::now(), left, drained: BTreeSet::new() }
    }
}
