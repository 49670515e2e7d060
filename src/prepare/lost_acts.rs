//! Looks for acts that Redis has and the database lost.

use futures_util::stream::{self, StreamExt as _};

use super::Preparer;
use super::refusal::Refusal;
use crate::domain::coupon::CouponId;
use crate::domain::limits::PAGE_DEFAULT_ROWS;
use crate::lua::audit;

/// So many coupons are looked at together: a distant database takes its time for each.
const CHECKS_AT_ONCE: usize = 8;

impl Preparer {
    /// Fails when the coupon's last act in Redis is no row of the database. Rows come first, so it
    /// always is one, unless the database lost it.
    pub(super) async fn check_not_diverged(&self, id: &CouponId) -> Result<(), Refusal> {
        let audit::Reply::Balance(balance) = audit::audit(&self.redis, id).await? else {
            return Ok(());
        };
        let act = self.store.find_act(id, balance.act_no).await?;
        if act.is_some_and(|act| act.token() == balance.act_token) {
            self.diverged.remove(id);
            return Ok(());
        }
        Err(self.diverged_of(id))
    }

    /// Looks at every coupon once, for acts that the database lost; they are told as the relay
    /// tells them. It writes nothing, and finishes nothing.
    ///
    /// # Errors
    /// When Redis or the database is away. What concerns one coupon only is told by others.
    pub async fn look_for_diverged(&self) -> Result<(), Refusal> {
        let mut after = None;
        loop {
            let page = self.list(after.as_ref(), PAGE_DEFAULT_ROWS).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.definition.id.clone());
            let checks = page.iter().map(|coupon| self.check_not_diverged(&coupon.definition.id));
            let mut checks = stream::iter(checks).buffer_unordered(CHECKS_AT_ONCE);
            while let Some(checked) = checks.next().await {
                checked.or_else(|refusal| match refusal.concerns_all() {
                    true => Err(refusal),
                    false => Ok(()),
                })?;
            }
        }
    }

    /// The refusal of an act of this coupon, which is remembered.
    pub(super) fn diverged_of(&self, id: &CouponId) -> Refusal {
        self.diverged.add(id);
        Refusal::Diverged
    }
}
