//! Coupons: what everybody may see of them, and what admins do with them.

use actix_web::http::header::{ETAG, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Deserializer};

use super::Services;
use super::edge::{json, no_body};
use super::identity::parameter;
use super::issue::invalid_coupon_id;
use super::problem::{Code, Problem};
use super::tickets::{limit, private};
use crate::domain::act::{Applied, Change};
use crate::domain::coupon::{Coupon, CouponId, Definition};
use crate::domain::coupon_body::{AppliedBody, CouponBody, CouponPage};
use crate::domain::idempotency_key::IdempotencyKey;
use crate::domain::time::{UnixMs, ValidFor};
use crate::domain::who::Who;
use crate::prepare::{Patch, Request};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RestockBody {
    delta: i64,
}

/// An absent field is left alone, and `null` removes it where a coupon can be without it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatchBody {
    #[serde(default, deserialize_with = "present")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    total: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    per_user_limit: Option<u8>,
    #[serde(default, deserialize_with = "present")]
    valid_for: Option<Option<ValidFor>>,
    #[serde(default, deserialize_with = "present")]
    opens_at: Option<Option<UnixMs>>,
    #[serde(default, deserialize_with = "present")]
    closes_at: Option<Option<UnixMs>>,
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

type Answer = Result<HttpResponse, Problem>;

/// `GET /coupons/{id}`.
pub(super) async fn public_view(request: HttpRequest, services: web::ThinData<Services>) -> Answer {
    let id = coupon_id(&request)?;
    Ok(private(&services.observer.public_view(&id).await?))
}

/// `GET /coupons/{id}/audit`: the balance at this instant.
pub(super) async fn audit(request: HttpRequest, services: web::ThinData<Services>) -> Answer {
    let id = coupon_id(&request)?;
    Ok(private(&services.observer.audit(&id).await?))
}

/// `GET /admin/coupons/{id}/stats`.
pub(super) async fn stats(request: HttpRequest, services: web::ThinData<Services>) -> Answer {
    let id = coupon_id(&request)?;
    Ok(private(&services.observer.stats(&id).await?))
}

/// `POST /admin/coupons`.
pub(super) async fn create(
    request: HttpRequest,
    payload: web::Payload,
    services: web::ThinData<Services>,
) -> Answer {
    let definition: Definition = json(&request, payload).await?;
    let coupon = services.preparer.create(definition).await?;
    let location = format!("/admin/coupons/{}", coupon.definition.id);
    let body = CouponBody::of(&coupon, "draft");
    Ok(HttpResponse::Created()
        .insert_header(("Location", location))
        .insert_header((ETAG, etag(&coupon)))
        .json(body))
}

/// `GET /admin/coupons?cursor=&limit=`.
pub(super) async fn list(request: HttpRequest, services: web::ThinData<Services>) -> Answer {
    let query = request.query_string();
    let after = match parameter(query, "cursor")? {
        Some(text) => Some(CouponId::parse(&text).ok_or_else(|| {
            Problem::new(Code::InvalidQuery, "cursor must be the next_cursor of a page before.")
        })?),
        None => None,
    };
    let limit_rows = limit(query)?;
    let coupons = services.preparer.list(after.as_ref(), limit_rows).await?;
    let states = services.observer.states(&coupons).await;
    let bodies =
        coupons.iter().zip(states).map(|(coupon, state)| CouponBody::of(coupon, state)).collect();
    let next = coupons.last().filter(|_| coupons.len() == limit_rows as usize);
    let next_cursor = next.map(|coupon| &coupon.definition.id);
    Ok(private(&CouponPage { coupons: bodies, next_cursor }))
}

/// `GET /admin/coupons/{id}`.
pub(super) async fn find(request: HttpRequest, services: web::ThinData<Services>) -> Answer {
    let coupon = services.preparer.find(&coupon_id(&request)?).await?;
    shown(&services, &coupon).await
}

/// `PATCH /admin/coupons/{id}`.
pub(super) async fn patch(
    request: HttpRequest,
    payload: web::Payload,
    services: web::ThinData<Services>,
) -> Answer {
    let id = coupon_id(&request)?;
    let asked = asked(request.headers())?;
    let body: PatchBody = json(&request, payload).await?;
    let patch = Patch {
        name: body.name,
        total: body.total,
        valid_for: body.valid_for,
        per_user_limit: body.per_user_limit,
        opens_at: body.opens_at,
        closes_at: body.closes_at,
    };
    let coupon = services.preparer.patch(&id, &patch, &asked).await?;
    shown(&services, &coupon).await
}

/// `DELETE /admin/coupons/{id}`: drafts only.
pub(super) async fn delete(request: HttpRequest, services: web::ThinData<Services>) -> Answer {
    services.preparer.delete(&coupon_id(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /admin/coupons/{id}/preload`.
pub(super) async fn preload(
    request: HttpRequest,
    payload: web::Payload,
    services: web::ThinData<Services>,
) -> Answer {
    let id = coupon_id(&request)?;
    no_body(payload).await?;
    let coupon = services.preparer.preload(&id, Who::Admin).await?;
    shown(&services, &coupon).await
}

/// `POST /admin/coupons/{id}/restock`; needs an `Idempotency-Key`.
pub(super) async fn restock(
    request: HttpRequest,
    payload: web::Payload,
    services: web::ThinData<Services>,
) -> Answer {
    let id = coupon_id(&request)?;
    let asked = asked(request.headers())?;
    let body: RestockBody = json(&request, payload).await?;
    if asked.idempotency_key.is_none() {
        let detail = "A restock needs an Idempotency-Key, so that a retry is not a second restock.";
        return Err(Problem::new(Code::IdempotencyKeyRequired, detail));
    }
    Ok(applied(&id, services.preparer.restock(&id, body.delta, &asked).await?))
}

/// `POST /admin/coupons/{id}/pause`.
pub(super) async fn pause(
    request: HttpRequest,
    payload: web::Payload,
    services: web::ThinData<Services>,
) -> Answer {
    change_state(request, payload, services, Change::Pause).await
}

/// `POST /admin/coupons/{id}/resume`.
pub(super) async fn resume(
    request: HttpRequest,
    payload: web::Payload,
    services: web::ThinData<Services>,
) -> Answer {
    change_state(request, payload, services, Change::Resume).await
}

/// `POST /admin/coupons/{id}/close`.
pub(super) async fn close(
    request: HttpRequest,
    payload: web::Payload,
    services: web::ThinData<Services>,
) -> Answer {
    change_state(request, payload, services, Change::Close).await
}

async fn change_state(
    request: HttpRequest,
    payload: web::Payload,
    services: web::ThinData<Services>,
    change: Change,
) -> Answer {
    let id = coupon_id(&request)?;
    let asked = asked(request.headers())?;
    no_body(payload).await?;
    Ok(applied(&id, services.preparer.change_state(&id, change, &asked, false).await?))
}

pub(super) fn coupon_id(request: &HttpRequest) -> Result<CouponId, Problem> {
    CouponId::parse(request.match_info().query("id")).ok_or_else(invalid_coupon_id)
}

/// `Idempotency-Key` and `If-Match` of an act.
fn asked(headers: &HeaderMap) -> Result<Request, Problem> {
    let key = match headers.get("idempotency-key") {
        None => None,
        Some(value) => {
            Some(value.to_str().ok().and_then(IdempotencyKey::parse).ok_or_else(|| {
                let detail = "An Idempotency-Key is 1..=255 printable ASCII bytes.";
                Problem::new(Code::IdempotencyKeyInvalid, detail)
            })?)
        }
    };
    let if_version = match headers.get("if-match") {
        None => None,
        Some(value) => Some(version_of(value.to_str().unwrap_or_default()).ok_or_else(|| {
            Problem::new(Code::InvalidQuery, "If-Match must be the ETag of the coupon.")
        })?),
    };
    Ok(Request { idempotency_key: key, if_version, who: Who::Admin })
}

fn version_of(etag: &str) -> Option<u64> {
    etag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

fn etag(coupon: &Coupon) -> String {
    format!("\"{}\"", coupon.version)
}

async fn shown(services: &Services, coupon: &Coupon) -> Answer {
    let state = services.observer.state(coupon).await;
    Ok(HttpResponse::Ok().insert_header((ETAG, etag(coupon))).json(CouponBody::of(coupon, state)))
}

fn applied(id: &CouponId, coupon: Applied) -> HttpResponse {
    private(&AppliedBody::of(id, coupon))
}
