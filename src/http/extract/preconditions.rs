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
        let idempotency_key = headers.get("idempotency-key").map(|value| {
            value.to_str().ok().and_then(IdempotencyKey::parse).ok_or_else(|| {
                let detail = "An Idempotency-Key is 1..=255 printable ASCII bytes.";
                Problem::new(Code::IdempotencyKeyInvalid, detail)
            })
        });
        let if_version = headers.get("if-match").map(|value| {
            version_of(value.to_str().unwrap_or_default()).ok_or_else(|| {
                Problem::new(Code::InvalidQuery, "If-Match must be the ETag of the coupon.")
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
