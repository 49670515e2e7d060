//! Coupons: the public audit, and what admins do with coupons.

use actix_web::http::header::ETAG;
use actix_web::{HttpResponse, web};

use super::bodies::{PatchBody, uncached};
use super::extract::{Admin, CouponPath, Json, Page, Preconditions};
use super::problem::Problem;
use super::services::Services;
use crate::domain::coupon::{Coupon, CouponId, Definition};
use crate::domain::coupon_body::{CouponBody, CouponPage};

type Answer = Result<HttpResponse, Problem>;
type Verbs = web::ThinData<Services>;

/// `GET /coupons/{id}/audit`: the balance at this instant.
pub(super) async fn audit(CouponPath(id): CouponPath, verbs: Verbs) -> Answer {
    Ok(uncached(&verbs.observer.audit(&id).await?))
}

/// `GET /admin/coupons/{id}/stats`.
pub(super) async fn stats(CouponPath(id): CouponPath, verbs: Verbs) -> Answer {
    Ok(uncached(&verbs.observer.stats(&id).await?))
}

/// `POST /admin/coupons`.
pub(super) async fn create(Json(definition): Json<Definition>, verbs: Verbs) -> Answer {
    let coupon = verbs.preparer.create(definition).await?;
    let location = format!("/admin/coupons/{}", coupon.definition.id);
    Ok(HttpResponse::Created()
        .insert_header(("Location", location))
        .insert_header((ETAG, etag(&coupon)))
        .json(CouponBody::of(&coupon, "draft")))
}

/// `GET /admin/coupons?cursor=&limit=`.
pub(super) async fn list(page: Page, verbs: Verbs) -> Answer {
    let after = page.after(CouponId::parse)?;
    let rows = verbs.preparer.list(after.as_ref(), page.limit_rows).await?;
    let states = verbs.observer.states(&rows).await;
    let coupons =
        rows.iter().zip(states).map(|(row, state)| CouponBody::of(row, state.state)).collect();
    let next_cursor = page.last(&rows).map(|coupon| &coupon.definition.id);
    Ok(uncached(&CouponPage { coupons, next_cursor }))
}

/// `GET /admin/coupons/{id}`.
pub(super) async fn find(CouponPath(id): CouponPath, verbs: Verbs) -> Answer {
    let coupon = verbs.preparer.find(&id).await?;
    shown(&verbs, &coupon).await
}

/// `PATCH /admin/coupons/{id}`.
pub(super) async fn patch(
    CouponPath(id): CouponPath,
    admin: Admin,
    preconditions: Preconditions,
    Json(body): Json<PatchBody>,
    verbs: Verbs,
) -> Answer {
    let request = preconditions.of_admin(admin);
    let coupon = verbs.preparer.patch(&id, &body.into(), &request).await?;
    shown(&verbs, &coupon).await
}

/// `DELETE /admin/coupons/{id}`: drafts only.
pub(super) async fn delete(CouponPath(id): CouponPath, verbs: Verbs) -> Answer {
    verbs.preparer.delete(&id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A coupon in its current state, with its version as `ETag`.
pub(super) async fn shown(services: &Services, coupon: &Coupon) -> Answer {
    let state = services.observer.state(coupon).await;
    let body = CouponBody::of(coupon, state);
    Ok(HttpResponse::Ok().insert_header((ETAG, etag(coupon))).json(body))
}

fn etag(coupon: &Coupon) -> String {
    format!("\"{}\"", coupon.version)
}
