//! The body of a request, bounded in size and time.

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::domain::limits::ADMIN_BODY_MAX_BYTES;
use crate::http::problem::{Code, Problem};
use crate::http::settings::BODY_WITHIN;

/// The longest detail about a body that does not have the expected form.
const DETAIL_MAX_CHARS: usize = 300;

/// A JSON object of this form.
pub(in crate::http) struct Json<T>(pub(in crate::http) T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = says_json(request.headers());
        let body = body(request, payload);
        async move {
            if !is_json {
                let detail = "The body must be application/json, and Content-Type must say so.";
                return Err(Problem::new(Code::UnsupportedMediaType, detail));
            }
            read(&body.await?).map(Self)
        }
        .boxed_local()
    }
}

/// No body, or an empty JSON object.
pub(in crate::http) struct NoBody;

impl FromRequest for NoBody {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = body(request, payload);
        async move {
            let body = body.await?;
            let text = body.trim_ascii();
            let is_object = text.starts_with(b"{");
            if text.is_empty() || is_object && serde_json::from_slice::<Nothing>(text).is_ok() {
                return Ok(Self);
            }
            Err(Problem::new(
                Code::ValidationFailed,
                "Send no body to this path, or an empty object: {}.",
            ))
        }
        .boxed_local()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

fn says_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let is_object = body.trim_ascii_start().starts_with(b"{");
    if !is_object && serde_json::from_slice::<IgnoredAny>(body).is_ok() {
        // `serde` would read an array as the fields in their order.
        return Err(Problem::new(Code::ValidationFailed, "The body must be a JSON object."));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut deserializer);
    let value = read.map_err(|error| {
        let pointer = error.path().iter().map(|segment| format!("/{segment}")).collect::<String>();
        does_not_fit(&pointer, error.inner())
    })?;
    deserializer.end().map_err(|error| does_not_fit("", &error))?;
    Ok(value)
}

/// The problem with a body that does not have the expected form, with a pointer to the field where
/// it is known.
fn does_not_fit(pointer: &str, error: &serde_json::Error) -> Problem {
    let code = if error.is_data() { Code::ValidationFailed } else { Code::InvalidJson };
    let sentence = error.to_string();
    if !error.is_data() {
        return Problem::new(code, sentence);
    }
    // The pointer says where the fault is. The sentence quotes the value, however long it is.
    let place = format!(" at line {} column {}", error.line(), error.column());
    let detail: String = sentence.replace(&place, "").chars().take(DETAIL_MAX_CHARS).collect();
    match pointer.trim_start_matches('/').replace('/', ".").as_str() {
        "" => Problem::new(code, detail),
        field => {
            Problem::new(code, format!("{field}: {detail}")).with_faults(vec![(pointer, detail)])
        }
    }
}

fn body(
    request: &HttpRequest,
    payload: &mut Payload,
) -> impl Future<Output = Result<web::Bytes, Problem>> + use<> {
    let payload = web::Payload::from_request(request, payload);
    async move {
        let cut_off = || Problem::new(Code::InvalidJson, "The body was cut off.");
        let payload = payload.await.map_err(|_| cut_off())?;
        let read = payload.to_bytes_limited(ADMIN_BODY_MAX_BYTES);
        match tokio::time::timeout(BODY_WITHIN, read).await {
            Ok(Ok(Ok(body))) => Ok(body),
            Ok(Ok(Err(_))) => Err(cut_off()),
            Ok(Err(_)) => {
                let detail = format!("A body may have at most {ADMIN_BODY_MAX_BYTES} bytes.");
                Err(Problem::new(Code::BodyTooLarge, detail))
            }
            Err(_) => Err(Problem::new(Code::BodyTooSlow, "The body did not arrive in time.")),
        }
    }
}
