//! The headers that can make an act conditional.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use actix_web::{FromRequest, HttpRequest};

use super::caller::Admin;
use crate::domain::idempotency_key::IdempotencyKey;
use crate::http::problem::{Code, Problem};
use crate::prepare::Request;

/// `Idempotency-Key` and `If-Match`.
pub(in crate::http) struct Preconditions {
    idempotency_key: Option<IdempotencyKey>,
    if_version: Option<u64>,
}

impl Preconditions {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let idempotency_key = only(headers, "idempotency-key").map(|value| {
            value.and_then(IdempotencyKey::parse).ok_or_else(|| {
                let detail = "Send one Idempotency-Key of 1..=255 printable ASCII bytes.";
                Problem::new(Code::IdempotencyKeyInvalid, detail)
            })
        });
        let if_version = only(headers, "if-match").map(|value| {
            value.and_then(version_of).ok_or_else(|| {
                let detail = "Send one If-Match, and in it the ETag of the coupon.";
                Problem::new(Code::InvalidQuery, detail)
            })
        });
        Ok(Self {
            idempotency_key: idempotency_key.transpose()?,
            if_version: if_version.transpose()?,
        })
    }

    /// Whether the request has a key, by which a retry differs from a second request.
    pub(in crate::http) fn has_key(&self) -> bool {
        self.idempotency_key.is_some()
    }

    /// The request of this admin with these conditions.
    pub(in crate::http) fn of_admin(self, admin: Admin) -> Request {
        let Self { idempotency_key, if_version } = self;
        Request { idempotency_key, if_version, ..Request::by(admin.who) }
    }
}

/// The value of a header; `Some(None)` when it is given twice or is no text. Of two values nobody
/// can say which one was meant.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<Option<&'a str>> {
    let mut values = headers.get_all(name);
    let first = values.next()?;
    Some(first.to_str().ok().filter(|_| values.next().is_none()))
}

fn version_of(etag: &str) -> Option<u64> {
    etag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

impl FromRequest for Preconditions {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request.headers()))
    }
}
