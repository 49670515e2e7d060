//! The caller: the user of a public request, the admin of a request under `/admin`.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HeaderName};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage as _, HttpRequest, web};

use super::query::parameter;
use crate::auth::{Caller, Unknown, Users};
use crate::domain::who::Who;
use crate::http::problem::{Code, Problem};
use crate::http::services::Services;

static USER_ID: HeaderName = HeaderName::from_static("x-user-id");

/// The user who sent a request; see [`Users::identify`].
pub(in crate::http) fn caller(request: &HttpRequest) -> Result<Caller, Problem> {
    let Some(users) = request.app_data::<Arc<Users>>() else {
        return Err(Problem::new(Code::Internal, "This listener serves no users."));
    };
    let mut named = request.headers().get_all(&USER_ID).map(|value| value.as_bytes());
    let header = named.next();
    if named.next().is_some() {
        // A gateway that appends its own header leaves the client's header in front of it.
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

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request))
    }
}

/// An admin whom [`admins_only`] has accepted.
#[derive(Clone, Copy)]
pub(in crate::http) struct Admin {
    /// The word for this admin in the acts.
    pub(in crate::http) who: Who,
}

impl FromRequest for Admin {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get().copied().ok_or_else(not_admitted))
    }
}

/// Accepts only requests of admins, whatever path they are for.
pub(in crate::http) async fn admins_only(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let authorization = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes());
    let admitted = request
        .app_data::<web::ThinData<Services>>()
        .is_some_and(|services| services.admin_token.admits(authorization));
    if !admitted {
        let response = not_admitted().response_with(("WWW-Authenticate", "Bearer"));
        return Ok(request.into_response(response));
    }
    request.extensions_mut().insert(Admin { who: Who::Admin });
    Ok(next.call(request).await?.map_into_boxed_body())
}

fn not_admitted() -> Problem {
    let detail = "Authorization: Bearer <admin token> is missing or wrong.";
    Problem::new(Code::Unauthenticated, detail)
}
