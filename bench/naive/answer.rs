//! What all designs tell: a ticket, sold out, or that something failed.

use std::error::Error;

use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse};

/// What a request came to.
pub enum Outcome {
    /// The user's ticket has this serial, from now on or since before.
    Ticket(i64),
    /// There is none left.
    SoldOut,
}

/// Why there is no outcome.
pub type Failure = Box<dyn Error>;

/// The answer to a request for a ticket.
pub fn answer(outcome: Result<Outcome, Failure>) -> HttpResponse {
    match outcome {
        Ok(Outcome::Ticket(serial)) => {
            json(HttpResponse::Ok(), format!("{{\"error\":null,\"serial\":{serial}}}"))
        }
        Ok(Outcome::SoldOut) => {
            json(HttpResponse::Conflict(), "{\"error\":\"sold_out\"}".to_owned())
        }
        Err(failure) => HttpResponse::ServiceUnavailable().body(failure.to_string()),
    }
}

/// The answer to an audit: what is issued by the counter, and to how many users.
pub fn audit(counts: Result<(i64, i64), Failure>) -> HttpResponse {
    match counts {
        Ok((issued, holders)) => {
            let ok = issued == holders;
            let body = format!("{{\"ok\":{ok},\"issued\":{issued},\"holders\":{holders}}}");
            json(HttpResponse::Ok(), body)
        }
        Err(failure) => HttpResponse::ServiceUnavailable().body(failure.to_string()),
    }
}

/// The answer to a coupon's creation.
pub fn created(created: Result<(), Failure>) -> HttpResponse {
    match created {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(failure) => HttpResponse::ServiceUnavailable().body(failure.to_string()),
    }
}

/// That the process answers.
pub async fn healthy() -> HttpResponse {
    HttpResponse::Ok().finish()
}

/// The user, as a gateway would name them.
pub fn user_id(request: &HttpRequest) -> &str {
    let value = request.headers().get("x-user-id");
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn json(mut response: actix_web::HttpResponseBuilder, body: String) -> HttpResponse {
    response.content_type(ContentType::json()).body(body)
}
