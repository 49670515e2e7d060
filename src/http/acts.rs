//! //! The changes that admins make to a live coupon, and the list of them.

use actix_web::{HttpResponse, web};

use super::bodies::{RestockBody, uncached};
use super::coupons::shown;
use super::extract::{Admin, CouponPath, Json, NoBody, Page, Preconditions};
use super::problem::{Code, Problem};
use super::services::Services;
use crate::domain::act::Change;
use crate::domain::coupon::CouponId;
use crate::domain::coupon_body::AppliedBody;
use crate::prepare::{ActBody, ActPage, Request};

type Answer = Result<HttpResponse, Problem>;
type Verbs = web::ThinData<Services>;

/// `GET /admin/coupons/{id}/acts?cursor=&limit=`: every change of the coupon, oldest first.
pub(super) async fn list(CouponPath(id): CouponPath, page: Page, verbs: Verbs) -> Answer {
    // An act number is stored as an `i64`, so no act has a number above that.
    let number = |text: &str| text.parse::<i64>().ok().and_then(|number| number.try_into().ok());
    let after = page.after(number)?.unwrap_or_default();
    let acts = verbs.preparer.acts(&id, after, page.limit_rows).await?;
    let next_cursor = page.last(&acts).map(|last| last.act.act_no.to_string());
    Ok(uncached(&ActPage { acts: acts.iter().map(ActBody::of).collect(), next_cursor }))
}

/// `POST /admin/coupons/{id}/preload`.
pub(super) async fn preload(
    CouponPath(id): CouponPath,
    admin: Admin,
    _: NoBody,
    verbs: Verbs,
) -> Answer {
    let coupon = verbs.preparer.preload(&id, admin.who).await?;
    shown(&verbs, &coupon).await
}

/// `POST /admin/coupons/{id}/restock`; needs an `Idempotency-Key`.
pub(super) async fn restock(
    CouponPath(id): CouponPath,
    admin: Admin,
    preconditions: Preconditions,
    Json(body): Json<RestockBody>,
    verbs: Verbs,
) -> Answer {
    if !preconditions.has_key() {
        let detail = "A restock needs an Idempotency-Key, so that a retry is not a second restock.";
        return Err(Problem::new(Code::IdempotencyKeyRequired, detail));
    }
    let request = preconditions.of_admin(admin);
    let applied = verbs.preparer.restock(&id, body.delta, &request).await?;
    Ok(uncached(&AppliedBody::of(&id, applied)))
}

/// `POST /admin/coupons/{id}/pause`.
pub(super) async fn pause(
    CouponPath(id): CouponPath,
    admin: Admin,
    preconditions: Preconditions,
    _: NoBody,
    verbs: Verbs,
) -> Answer {
    change_state(&id, Change::Pause, &preconditions.of_admin(admin), &verbs).await
}

/// `POST /admin/coupons/{id}/resume`.
pub(super) async fn resume(
    CouponPath(id): CouponPath,
    admin: Admin,
    preconditions: Preconditions,
    _: NoBody,
    verbs: Verbs,
) -> Answer {
    change_state(&id, Change::Resume, &preconditions.of_admin(admin), &verbs).await
}

/// `POST /admin/coupons/{id}/release`.
pub(super) async fn release(
    CouponPath(id): CouponPath,
    admin: Admin,
    preconditions: Preconditions,
    _: NoBody,
    verbs: Verbs,
) -> Answer {
    let applied = verbs.preparer.release(&id, &preconditions.of_admin(admin)).await?;
    Ok(uncached(&AppliedBody::of(&id, applied)))
}

/// `POST /admin/coupons/{id}/close`.
pub(super) async fn close(
    CouponPath(id): CouponPath,
    admin: Admin,
    preconditions: Preconditions,
    _: NoBody,
    verbs: Verbs,
) -> Answer {
    change_state(&id, Change::Close, &preconditions.of_admin(admin), &verbs).await
}

async fn change_state(
    id: &CouponId,
    change: Change,
    request: &Request,
    services: &Services,
) -> Answer {
    let applied = services.preparer.change_state(id, change, request, false).await?;
    Ok(uncached(&AppliedBody::of(id, applied)))
}
