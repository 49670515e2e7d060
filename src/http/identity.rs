//! Who asks: the user of a public request, and the guard of the admin paths.

use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HeaderName};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, web};

use super::Services;
use super::problem::{Code, Problem};
use crate::auth::{Caller, Unknown, Users};

static USER_ID: HeaderName = HeaderName::from_static("x-user-id");

/// Who a request comes from; see [`Users::identify`].
pub(super) fn caller(request: &HttpRequest) -> Result<Caller, Problem> {
    let Some(users) = request.app_data::<Arc<Users>>() else {
        return Err(Problem::new(Code::Internal, "This listener knows no users."));
    };
    let mut named = request.headers().get_all(&USER_ID).map(|value| value.as_bytes());
    let header = named.next();
    if named.next().is_some() {
        // A gateway that appends its own would leave the caller's in front of it.
        return Err(Problem::new(Code::InvalidUserId, "X-User-Id is given twice."));
    }
    let query = match (header, request.query_string()) {
        (Some(_), _) | (None, "") => None,
        (None, text) => parameter(text, "user_id")?,
    };
    let peer = request.peer_addr().map(|address| address.ip());
    users.identify(peer, header, query.as_deref()).map_err(|unknown| match unknown {
        Unknown::Malformed => Problem::new(
            Code::InvalidUserId,
            "A user id is 1..=128 bytes of UTF-8 without control characters.",
        ),
        Unknown::Joined => Problem::new(
            Code::InvalidUserId,
            "X-User-Id contains a comma. A proxy may have joined two headers, so it is not clear \
             which user is meant.",
        ),
        Unknown::LostPlus => Problem::new(
            Code::InvalidUserId,
            "user_id contains a space where a + was probably meant. In a query, + means a space: \
             write %2B instead.",
        ),
        Unknown::Missing => Problem::new(Code::Unauthenticated, "X-User-Id is missing."),
        Unknown::Untrusted => Problem::new(
            Code::UntrustedProxy,
            "Only trusted proxies may name a user, and this request came from another address.",
        ),
    })
}

/// A parameter of the query, decoded; given twice it is malformed, because two places could read
/// two values.
pub(super) fn parameter(query: &str, name: &str) -> Result<Option<String>, Problem> {
    let malformed = |detail: String| Problem::new(Code::InvalidQuery, detail);
    let pairs = web::Query::<Vec<(String, String)>>::from_query(query)
        .map_err(|error| malformed(error.to_string()))?;
    let mut values = pairs.into_inner().into_iter().filter(|(key, _)| key == name);
    let value = values.next().map(|(_, value)| value);
    if values.next().is_some() {
        return Err(malformed(format!("The parameter {name} is given twice.")));
    }
    // Decoding puts this character for bytes that are not UTF-8: two users would become one.
    if value.as_ref().is_some_and(|value| value.contains(char::REPLACEMENT_CHARACTER)) {
        return Err(malformed(format!("The parameter {name} is not UTF-8.")));
    }
    Ok(value)
}

/// Lets only admins pass.
pub(super) async fn admins_only(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let authorization = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes());
    let admitted = request
        .app_data::<web::ThinData<Services>>()
        .is_some_and(|services| services.admin_token.admits(authorization));
    if !admitted {
        let detail = "Authorization: Bearer <admin token> is missing or wrong.";
        let response = Problem::new(Code::Unauthenticated, detail)
            .response_with(("WWW-Authenticate", "Bearer"));
        return Ok(request.into_response(response));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
