//! The ids in a path.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use crate::domain::coupon::CouponId;
use crate::domain::ticket::TicketId;
use crate::http::problem::{Code, Problem};

/// The coupon id in a path: `{id}`.
pub(in crate::http) struct CouponPath(pub(in crate::http) CouponId);

impl FromRequest for CouponPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = CouponId::parse(request.match_info().query("id"));
        ready(id.map(Self).ok_or_else(invalid_coupon_id))
    }
}

/// The id of a dead letter in a path, whatever it is: `{letter_id}`.
pub(in crate::http) struct LetterPath(pub(in crate::http) String);

impl FromRequest for LetterPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().query("letter_id");
        let is_one = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let unknown = || Problem::new(Code::DeadLetterNotFound, "there is no such dead letter");
        ready(is_one.then(|| Self(id.to_owned())).ok_or_else(unknown))
    }
}

/// The ticket id in a path: `{ticket_id}`.
pub(in crate::http) struct TicketPath(pub(in crate::http) TicketId);

impl FromRequest for TicketPath {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = TicketId::parse(request.match_info().query("ticket_id"));
        ready(id.map(Self).ok_or_else(|| {
            Problem::new(Code::InvalidTicketId, "A ticket id is <coupon_id>.<serial>.")
        }))
    }
}

/// The answer for a coupon id outside its character set.
pub(in crate::http) fn invalid_coupon_id() -> Problem {
    Problem::new(Code::InvalidCouponId, "A coupon id matches [A-Za-z0-9_-]{1,64}.")
}
