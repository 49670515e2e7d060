//! The form of every refusal and error: RFC 9457 `application/problem+json` with a stable code.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;

use crate::domain::coupon::CouponId;
use crate::domain::outcome::OutcomeWord;
use crate::domain::time::UnixMs;

/// Most bodies are shorter, so they are written without reallocation.
const BODY_USUAL_BYTES: usize = 512;

/// Every code; docs/errors.md explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// A word for the end of a request for a ticket; some other requests end with the same words.
    Outcome(OutcomeWord),
    TicketNotFound,
    InvalidCouponId,
    InvalidTicketId,
    InvalidUserId,
    InvalidClaim,
    InvalidQuery,
    Unauthenticated,
    UntrustedProxy,
    SpeculativeRequest,
    TooEarly,
    NotFound,
    MethodNotAllowed,
    MalformedRequest,
    PathTooLong,
    HeadersTooLarge,
    HeadersTooSlow,
    InvalidJson,
    ValidationFailed,
    BodyTooLarge,
    BodyTooSlow,
    UnsupportedMediaType,
    IdempotencyKeyRequired,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    VersionConflict,
    CouponExists,
    NotDraft,
    UseRestock,
    BelowIssued,
    TotalTooLarge,
    AlreadyClosed,
    Archived,
    NotRestored,
    Superseded,
    Diverged,
    ActInProgress,
    DeadLetterNotFound,
    AlreadyDecided,
    StillRefused,
    InProgress,
    DatabaseUnavailable,
    RedisUnavailable,
    Internal,
}

impl Code {
    /// The stable word.
    pub(super) fn word(self) -> &'static str {
        self.row().0
    }

    /// Code, status, title, and after how many seconds a retry may help.
    fn row(self) -> (&'static str, u16, &'static str, Option<u64>) {
        match self {
            Self::Outcome(outcome) => outcome.row(),
            Self::TicketNotFound => ("ticket_not_found", 404, "No such ticket", None),
            Self::InvalidCouponId => ("invalid_coupon_id", 400, "Malformed coupon id", None),
            Self::InvalidTicketId => ("invalid_ticket_id", 400, "Malformed ticket id", None),
            Self::InvalidUserId => ("invalid_user_id", 400, "Malformed user id", None),
            Self::InvalidClaim => ("invalid_claim", 400, "Malformed claim", None),
            Self::InvalidQuery => ("invalid_query", 400, "Malformed query", None),
            Self::Unauthenticated => ("unauthenticated", 401, "Unauthenticated", None),
            Self::UntrustedProxy => ("untrusted_proxy", 401, "Untrusted proxy", None),
            Self::SpeculativeRequest => ("speculative_request", 403, "Speculative request", None),
            Self::TooEarly => ("too_early", 425, "Too early", Some(0)),
            Self::NotFound => ("not_found", 404, "Not found", None),
            Self::MethodNotAllowed => ("method_not_allowed", 405, "Method not allowed", None),
            Self::MalformedRequest => ("malformed_request", 400, "Malformed request", None),
            Self::PathTooLong => ("path_too_long", 414, "Path too long", None),
            Self::HeadersTooLarge => ("headers_too_large", 431, "Headers too large", None),
            Self::HeadersTooSlow => ("headers_too_slow", 408, "Headers too slow", Some(1)),
            Self::InvalidJson => ("invalid_json", 400, "Malformed JSON", None),
            Self::ValidationFailed => ("validation_failed", 422, "Validation failed", None),
            Self::BodyTooLarge => ("body_too_large", 413, "Body too large", None),
            Self::BodyTooSlow => ("body_too_slow", 408, "Body too slow", None),
            Self::UnsupportedMediaType => {
                ("unsupported_media_type", 415, "Unsupported media type", None)
            }
            Self::IdempotencyKeyRequired => {
                ("idempotency_key_required", 400, "Idempotency-Key required", None)
            }
            Self::IdempotencyKeyInvalid => {
                ("idempotency_key_invalid", 400, "Malformed Idempotency-Key", None)
            }
            Self::IdempotencyKeyReused => {
                ("idempotency_key_reused", 422, "Idempotency-Key reused", None)
            }
            Self::VersionConflict => ("version_conflict", 412, "Version conflict", None),
            Self::CouponExists => ("coupon_exists", 409, "Coupon exists", None),
            Self::NotDraft => ("not_draft", 409, "Not a draft", None),
            Self::UseRestock => ("use_restock", 409, "Use restock", None),
            Self::BelowIssued => ("below_issued", 409, "Total below issued tickets", None),
            Self::TotalTooLarge => ("total_too_large", 409, "Total too large", None),
            Self::AlreadyClosed => ("already_closed", 409, "Already closed", None),
            Self::Archived => ("archived", 409, "Archived", None),
            Self::NotRestored => ("not_restored", 409, "Not restored", None),
            Self::Superseded => ("superseded", 409, "Paused meanwhile", None),
            Self::Diverged => ("diverged", 409, "Database and Redis differ", None),
            Self::ActInProgress => ("act_in_progress", 409, "Another change in progress", Some(1)),
            Self::DeadLetterNotFound => ("dead_letter_not_found", 404, "No such dead letter", None),
            Self::AlreadyDecided => ("already_decided", 409, "Already decided", None),
            Self::StillRefused => ("still_refused", 409, "Still refused", None),
            Self::InProgress => ("in_progress", 409, "Ticket in progress", Some(1)),
            Self::DatabaseUnavailable => {
                ("database_unavailable", 503, "Database unavailable", Some(2))
            }
            Self::RedisUnavailable => ("redis_unavailable", 503, "Redis unavailable", Some(2)),
            Self::Internal => ("internal", 500, "Internal error", None),
        }
    }
}

/// One field that has an invalid value.
#[derive(Debug, Serialize)]
struct Fault {
    pointer: String,
    detail: String,
}

/// A refusal or an error as it is sent; boxed, because most requests succeed.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Problem(Box<Fields>);

#[derive(Debug, Serialize)]
struct Fields {
    r#type: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    /// The code again: `JSON.parse(body).error === null` tells a ticket from everything else.
    error: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    coupon_id: Option<CouponId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    opens_at: Option<UnixMs>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    retryable: bool,
    #[serde(skip)]
    retry_after_seconds: Option<u64>,
}

impl Problem {
    /// A problem with this code and this sentence.
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        let (word, status, title, retry_after_seconds) = code.row();
        Self(Box::new(Fields {
            r#type: format!("/docs/errors#{word}"),
            title,
            status,
            code: word,
            error: word,
            detail: detail.into(),
            coupon_id: None,
            opens_at: None,
            errors: Vec::new(),
            retryable: retry_after_seconds.is_some(),
            retry_after_seconds,
        }))
    }

    /// Adds the coupon that the problem is about.
    pub(super) fn of_coupon(mut self, id: &CouponId) -> Self {
        self.0.coupon_id = Some(id.clone());
        self
    }

    /// Adds the invalid fields: a pointer and a sentence for each.
    pub(super) fn with_faults(mut self, faults: Vec<(&str, String)>) -> Self {
        let fault =
            |(pointer, detail): (&str, String)| Fault { pointer: pointer.to_owned(), detail };
        self.0.errors = faults.into_iter().map(fault).collect();
        self
    }

    /// Adds the time of opening, and the seconds until then as `Retry-After`.
    pub(super) fn opening(mut self, opens_at: UnixMs, opens_in_ms: u64) -> Self {
        self.0.opens_at = Some(opens_at);
        self.0.retry_after_seconds = Some(opens_in_ms.div_ceil(1_000).max(1));
        self
    }

    /// The response. It is never cached, because a restock may come at any time.
    pub(super) fn response(&self) -> HttpResponse {
        self.builder().body(written(self))
    }

    /// The response with one more header.
    pub(super) fn response_with(&self, header: (&'static str, &str)) -> HttpResponse {
        self.builder().insert_header(header).body(written(self))
    }

    /// After how many seconds a retry may help.
    pub(super) fn retry_after_seconds(&self) -> Option<u64> {
        self.0.retry_after_seconds
    }

    /// The body alone, for [`response_of`].
    pub(super) fn body(&self) -> Bytes {
        written(self).into()
    }

    fn builder(&self) -> HttpResponseBuilder {
        let mut response = builder(self.status_code());
        if let Some(seconds) = self.0.retry_after_seconds {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        response
    }
}

/// The response of a problem whose body was written earlier and that has no `Retry-After`.
pub(super) fn response_of(code: Code, body: Bytes) -> HttpResponse {
    let (_, status, ..) = code.row();
    builder(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)).body(body)
}

/// The value as JSON.
pub(super) fn written(body: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::with_capacity(BODY_USUAL_BYTES);
    // Every field is text or a number, so writing to memory cannot fail.
    let _ = serde_json::to_writer(&mut text, body);
    text
}

fn builder(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static("application/problem+json")));
    response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")));
    response
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {}", self.0.code, self.0.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        self.response()
    }
}
