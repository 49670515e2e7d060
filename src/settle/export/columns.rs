//! The columns of an export.

use crate::domain::issued_ticket::TicketBody;
use crate::domain::ticket::Status;

pub(super) const COLUMNS: [&str; 10] = [
    "id",
    "coupon_id",
    "user_id",
    "serial",
    "claim",
    "code",
    "receipt",
    "issued_at",
    "expires_at",
    "status",
];

/// The values of a ticket in the order of [`COLUMNS`].
pub(super) fn values(body: &TicketBody<'_>) -> [String; 10] {
    [
        body.id.to_string(),
        body.coupon_id.to_string(),
        body.user_id.to_string(),
        body.serial.to_string(),
        body.claim.to_string(),
        body.code.to_string(),
        body.receipt.to_string(),
        body.issued_at.to_string(),
        body.expires_at.map(|at| at.to_string()).unwrap_or_default(),
        body.status.map_or("", Status::word).to_owned(),
    ]
}
