//! The first code that every request reaches: its id, the two fast paths (a ticket, and the page
//! of a coupon), and the answers for paths and methods that do not exist.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{ALLOW, CACHE_CONTROL};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse};
use tracing::Instrument as _;

use super::connection::{Answer, Handled, Turn};
use super::issue;
use super::page;
use super::problem::{Code, Problem};
use super::request_id::{REQUEST_ID, id_of};

/// Gives every response, and every log line of its request, the `X-Request-Id` of the request, or
/// a new one.
pub(super) async fn request_id(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<Answer<BoxBody>>, Error> {
    let handled = Turn::begin(&request);
    let id = id_of(&request);
    let span = tracing::info_span!("request", request_id = id.to_str().unwrap_or_default());
    let mut response = next.call(request).instrument(span).await?;
    response.headers_mut().insert(REQUEST_ID, id);
    Ok(Handled::answer(handled, response))
}

/// Does the same on the public listener, and finds the two paths that a million people request
/// before the table of routes, with its regular expressions, is searched. A request that is not
/// certainly for one of them is left to the table, whose handlers give the same answers.
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

/// The answer for a path that does not exist. `*` is not a path: `OPTIONS *` asks what the server
/// supports.
pub(super) async fn not_found(request: HttpRequest, allow: &str) -> HttpResponse {
    if request.path() == "*" {
        return other_method(request, allow).await;
    }
    Problem::new(Code::NotFound, "There is nothing at this path.").response()
}

/// The answer for a method that a path does not support. The simplest check of a load balancer is
/// `OPTIONS`.
pub(super) async fn other_method(request: HttpRequest, allow: &str) -> HttpResponse {
    if *request.method() == Method::OPTIONS {
        return HttpResponse::NoContent()
            .insert_header((ALLOW, allow))
            .insert_header((CACHE_CONTROL, "no-store"))
            .finish();
    }
    let detail = format!("This path supports {allow}.");
    Problem::new(Code::MethodNotAllowed, detail).response_with(("Allow", allow))
}
