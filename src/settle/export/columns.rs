//! The columns of an export.

use crate::domain::told::Told;

/// Their names.
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
pub(super) fn values(told: &Told<'_>) -> [String; 10] {
    [
        told.id.to_string(),
        told.coupon_id.to_string(),
        told.user_id.to_string(),
        told.serial.to_string(),
        told.claim.to_string(),
        told.code.to_string(),
        told.receipt.to_string(),
        told.issued_at.to_string(),
        told.expires_at.map(|at| at.to_string()).unwrap_or_default(),
        told.status.word().to_owned(),
    ]
}
