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
    /// Whether the level in force before allows no loss of what was told.
    pub(super) must_keep: bool,
    pub(super) begun_at: Instant,
    /// The coupons that are not done, and what they had.
    pub(super) left: VecDeque<(CouponId, Stopped)>,
    /// The shards whose records are rows.
    pub(super) drained: BTreeSet<Shard>,
}

impl Recovery {
    /// A recovery of these stopped coupons that begins now.
    pub(super) fn of(
        next: &Generation,
        must_keep: bool,
        left: VecDeque<(CouponId, Stopped)>,
    ) -> Self {
        Self {
            epoch: next.epoch,
            generation_no: next.generation_no,
            must_keep,
            begun_at: Instant::now(),
            left,
            drained: BTreeSet::new(),
        }
    }
}
