//! What handlers take of a request, each read and judged before the handler runs: a signature says
//! what a path needs, and what does not fit is a [`Problem`](super::problem::Problem).

mod body;
mod caller;
mod path;
mod preconditions;
mod query;

pub(super) use body::{Json, NoBody};
pub(super) use caller::{Admin, admins_only, caller};
pub(super) use path::{CouponPath, TicketPath, invalid_coupon_id};
pub(super) use preconditions::Preconditions;
pub(super) use query::{ExportFormat, Page, parameter};
