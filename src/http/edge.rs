//! What every request meets first: its id, the fast ways to a ticket and to the page of a coupon,
//! the bounds of its body, and the answers for paths and methods that do not exist.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, web};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::connection::{Answer, Handled, Turn};
use super::issue;
use super::page;
use super::problem::{Code, Problem};
use super::settings::BODY_WITHIN;
use crate::domain::limits::ADMIN_BODY_MAX_BYTES;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// An empty, longer or unprintable id of the caller is replaced.
const REQUEST_ID_MAX_BYTES: usize = 128;
/// Most bodies of the public listener are shorter, and then written without growing.
const BODY_USUAL_BYTES: usize = 512;
/// What is told of a body that does not fit.
const DETAIL_MAX_CHARS: usize = 300;

/// Gives every response the request's `X-Request-Id`, or a new one.
pub(super) async fn request_id(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<Answer<BoxBody>>, Error> {
    let handled = Turn::begin(&request);
    let id = id_of(&request);
    let mut response = next.call(request).await?;
    response.headers_mut().insert(REQUEST_ID, id);
    Ok(Handled::answer(handled, response))
}

/// The same on the public listener, where the two paths that a million people ask for are found
/// before the table of routes, with its regular expressions, is searched. What is not certainly one
/// of them is left to the table, whose handlers give the same answers.
pub(super) async fn request_id_and_fast_ways(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<Answer<BoxBody>>, Error> {
    let handled = Turn::begin(&request);
    let id = id_of(&request);
    let mut response = if let Some(coupon_id) = issue::coupon_of(request.request()) {
        let response = issue::issue(request.request(), coupon_id).await;
        request.into_response(response)
    } else if let Some(coupon_id) = page::coupon_of(request.request()) {
        let response = page::page(request.request(), &coupon_id).await;
        request.into_response(response)
    } else {
        next.call(request).await?
    };
    response.headers_mut().insert(REQUEST_ID, id);
    Ok(Handled::answer(handled, response))
}

fn id_of(request: &ServiceRequest) -> HeaderValue {
    let given = request.headers().get(&REQUEST_ID).filter(|id| {
        (1..=REQUEST_ID_MAX_BYTES).contains(&id.len())
            && id.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    given.cloned().unwrap_or_else(new_request_id)
}

/// Unique without a system call: the thread's start and address, and a count.
pub(super) fn new_request_id() -> HeaderValue {
    thread_local! {
        static COUNT: Cell<u64> = const { Cell::new(0) };
        static THREAD: [u8; 16] = {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let place = COUNT.with(|count| std::ptr::from_ref(count) as u64);
            hex_digits((since.as_nanos() as u64) ^ place.rotate_left(32))
        };
    }
    let count = COUNT.with(|count| count.replace(count.get() + 1));
    let mut id = [0; 32];
    THREAD.with(|thread| id[..16].copy_from_slice(thread));
    id[16..].copy_from_slice(&hex_digits(count));
    HeaderValue::from_bytes(&id).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

/// By hand, because every request pays for it: 9 ns, and 15 ns by `data-encoding`.
fn hex_digits(number: u64) -> [u8; 16] {
    std::array::from_fn(|place| b"0123456789abcdef"[(number >> (60 - 4 * place)) as usize & 15])
}

/// A body of an answer, as JSON.
pub(super) fn written(body: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::with_capacity(BODY_USUAL_BYTES);
    // Every field is text or a number: writing them to memory cannot fail.
    let _ = serde_json::to_writer(&mut text, body);
    text
}

/// The answer for a path that does not exist. `*` is not a path: it asks what the server can do.
pub(super) async fn not_found(request: HttpRequest) -> HttpResponse {
    if request.path() == "*" {
        return other_method(request, "GET, HEAD, POST, PATCH, DELETE, OPTIONS").await;
    }
    Problem::new(Code::NotFound, "There is nothing at this path.").response()
}

/// The answer for a method that does nothing at a path. A balancer's plainest check is `OPTIONS`.
pub(super) async fn other_method(request: HttpRequest, allow: &'static str) -> HttpResponse {
    if *request.method() == Method::OPTIONS {
        return HttpResponse::NoContent()
            .insert_header((ALLOW, allow))
            .insert_header((CACHE_CONTROL, "no-store"))
            .finish();
    }
    let detail = format!("This path takes {allow}.");
    Problem::new(Code::MethodNotAllowed, detail).response_with(("Allow", allow))
}

/// The body as JSON of this shape, within the bounds of size and time.
pub(super) async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<T, Problem> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        let detail = "The body must be application/json, and Content-Type must say so.";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    let body = body(payload).await?;
    let is_object = body.trim_ascii_start().starts_with(b"{");
    if !is_object && serde_json::from_slice::<IgnoredAny>(&body).is_ok() {
        // An array of the values alone would be read as the fields in their sequence.
        return Err(Problem::new(Code::ValidationFailed, "The body must be a JSON object."));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(&body);
    let read = serde_path_to_error::deserialize(&mut deserializer);
    let value = read.map_err(|error| {
        let pointer = error.path().iter().map(|segment| format!("/{segment}")).collect::<String>();
        does_not_fit(&pointer, error.inner())
    })?;
    deserializer.end().map_err(|error| does_not_fit("", &error))?;
    Ok(value)
}

/// Why a body is not what it should be, with a pointer to the field where that is known.
fn does_not_fit(pointer: &str, error: &serde_json::Error) -> Problem {
    let code = if error.is_data() { Code::ValidationFailed } else { Code::InvalidJson };
    // The sentence quotes the value that does not fit, however long it is.
    let detail: String = error.to_string().chars().take(DETAIL_MAX_CHARS).collect();
    let problem = Problem::new(code, detail.clone());
    match error.is_data() && !pointer.is_empty() {
        true => problem.with_faults(vec![(pointer, detail)]),
        false => problem,
    }
}

/// Accepts no body, or an empty JSON object.
pub(super) async fn no_body(payload: web::Payload) -> Result<(), Problem> {
    let body = body(payload).await?;
    let text = body.trim_ascii();
    let is_object = text.starts_with(b"{");
    if text.is_empty() || is_object && serde_json::from_slice::<Nothing>(text).is_ok() {
        return Ok(());
    }
    Err(Problem::new(Code::ValidationFailed, "Send no body to this path, or {}."))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

async fn body(payload: web::Payload) -> Result<web::Bytes, Problem> {
    let read = payload.to_bytes_limited(ADMIN_BODY_MAX_BYTES);
    match tokio::time::timeout(BODY_WITHIN, read).await {
        Ok(Ok(Ok(body))) => Ok(body),
        Ok(Ok(Err(_))) => Err(Problem::new(Code::InvalidJson, "The body was cut off.")),
        Ok(Err(_)) => {
            let detail = format!("A body may have at most {ADMIN_BODY_MAX_BYTES} bytes.");
            Err(Problem::new(Code::BodyTooLarge, detail))
        }
        Err(_) => Err(Problem::new(Code::BodyTooSlow, "The body did not arrive in time.")),
    }
}
