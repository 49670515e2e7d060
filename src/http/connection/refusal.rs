//! The answers to bytes that are no valid request. The parser's refusals have no body; here they
//! get one, like every other refusal.

use std::time::SystemTime;

use actix_web::ResponseError as _;
use actix_web::http::StatusCode;
use actix_web::http::header::HttpDate;

use super::head::TooLarge;
use crate::http::problem::{Code, Problem};
use crate::http::request_id::new_request_id;

/// The refusal for a head that is too large.
pub(super) fn of_too_large(part: TooLarge) -> Vec<u8> {
    match part {
        TooLarge::Path => told(Code::PathTooLong, "The first line of the request is too long."),
        TooLarge::Fields => told(Code::HeadersTooLarge, HEADERS_TOO_LARGE),
    }
}

/// The refusal for a head that did not arrive in time.
pub(super) fn of_too_slow() -> Vec<u8> {
    told(Code::HeadersTooSlow, "The headers did not arrive in time.")
}

/// The refusal that replaces the parser's, which begins with these bytes.
pub(super) fn in_place_of(answer: &[u8]) -> Vec<u8> {
    let status = answer.get(9..12).and_then(|digits| StatusCode::from_bytes(digits).ok());
    match status {
        Some(StatusCode::REQUEST_TIMEOUT) => of_too_slow(),
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE) => {
            told(Code::HeadersTooLarge, HEADERS_TOO_LARGE)
        }
        _ => told(Code::MalformedRequest, MALFORMED),
    }
}

const MALFORMED: &str = "This is not a valid HTTP request, or it could be read in two ways.";
const HEADERS_TOO_LARGE: &str = "There are too many headers, or they are too long.";

fn told(code: Code, detail: &str) -> Vec<u8> {
    let problem = Problem::new(code, detail);
    let (status, body) = (problem.status_code(), problem.body());
    let retry_after = problem.retry_after_seconds();
    let retry_after = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n"));
    let head = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: application/problem+json\r\nCache-Control: no-store\r\n\
         X-Request-Id: {}\r\nDate: {}\r\n{}Connection: close\r\nContent-Length: {}\r\n\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        new_request_id().to_str().unwrap_or_default(),
        HttpDate::from(SystemTime::now()),
        retry_after.unwrap_or_default(),
        body.len(),
    );
    [head.as_bytes(), &body].concat()
}
