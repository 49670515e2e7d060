//! What handlers take from a request. Each part is read and checked before the handler runs: the
//! signature of a handler says what its path needs, and a part that does not fit is a
//! [`Problem`](super::problem::Problem).

mod body;
mod caller;
mod path;
mod preconditions;
mod query;

pub(super) use body::{Json, NoBody};
pub(super) use caller::{Admin, admins_only, caller};
pub(super) use path::{CouponPath, LetterPath, TicketPath, invalid_coupon_id};
pub(super) use preconditions::Preconditions;
pub(super) use query::{AlsoDecided, ExportFormat, Page, parameter};
