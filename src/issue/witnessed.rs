//! What the users of one call are told, for the witnesses of this process.

use crate::domain::coupon::CouponId;
use crate::domain::record::{Record, SOURCE_ISSUE};
use crate::domain::user::{Claim, UserId};
use crate::domain::witnesses::Witnesses;
use crate::lua::issue::{Answer, Answered};
use crate::redis::holders::HeldTicket;

/// Remembers the tickets of these answers: new ones as the record that the script wrote, and each
/// replayed one by itself, because the server that issued it may be gone.
pub(super) fn witness(
    witnesses: &Witnesses,
    coupon_id: &CouponId,
    holders: &[(UserId, Claim)],
    answered: &Answered,
) {
    let record = |held: &HeldTicket, holder: (UserId, Claim)| Record {
        coupon_id: coupon_id.clone(),
        epoch: held.epoch,
        first_serial: held.serial,
        issued_at: held.issued_at,
        source: SOURCE_ISSUE.to_owned(),
        holders: vec![holder],
    };
    let (mut issued, mut replayed): (Option<Record>, _) = (None, Vec::new());
    for (answer, holder) in answered.answers.iter().zip(holders) {
        match (answer, &mut issued) {
            (Answer::Issued(_), Some(issued)) => issued.holders.push(holder.clone()),
            (Answer::Issued(held), none) => *none = Some(record(held, holder.clone())),
            (Answer::Replayed(held), _) => replayed.push(record(held, holder.clone())),
            _ => {}
        }
    }
    witnesses.add(issued, replayed);
}
