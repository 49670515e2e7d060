//! The ticket that an act restores.

use crate::domain::act::Change;
use crate::domain::coupon::CouponId;
use crate::domain::ticket::{Serial, Ticket};
use crate::domain::time::UnixMs;
use crate::domain::user::{Claim, UserId};

/// The ticket of an act; `None` when the row of the act is damaged.
pub(super) fn ticket_of(coupon_id: &CouponId, change: &Change) -> Option<Ticket> {
    let Change::Restore { epoch, serial, user_id, claim, issued_at_ms } = change else {
        return None;
    };
    Some(Ticket {
        coupon_id: coupon_id.clone(),
        epoch: *epoch,
        serial: Serial(*serial),
        user_id: UserId::parse(user_id)?,
        claim: Claim::new(*claim)?,
        issued_at: UnixMs(*issued_at_ms),
    })
}
