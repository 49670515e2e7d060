//! The table of routes: every path of both listeners stands here, and nowhere else.

use actix_web::http::Method;

use super::route::Route;
use super::{acts, coupons, errors_page, export, health, issue, pages, tickets};

/// The paths of the public listener.
pub(super) fn public() -> Vec<Route> {
    vec![
        // First, so that the constant reply that benchmarks measure pays for nobody else's pattern.
        Route::at("/healthz").shows("the process answers", health::healthz),
        // Only for paths that are escaped or malformed: see `edge::request_id_and_issue`.
        // No HEAD: it would issue a ticket that nobody sees.
        Route::at("/coupons/{id}/issue").with(
            &[Method::GET, Method::POST],
            "one ticket, or why not; X-User-Id says who asks",
            issue::issue_routed,
        ),
        Route::at("/coupons/{id}")
            .shows("state, remaining, opens_at, server_time", coupons::public_view),
        Route::at("/coupons/{id}/audit").shows("the balance at this instant", coupons::audit),
        Route::at("/me/tickets").shows("the caller's own tickets", tickets::mine),
        Route::at("/tickets/{ticket_id}").shows("one ticket of the caller", tickets::find),
        Route::at("/readyz").shows("whether it can serve, and why not", health::readyz),
        Route::at("/docs/errors").shows("what each error means, and what to do", errors_page::show),
        Route::at("/").shows("this page", pages::show),
    ]
}

/// The paths of the admin listener.
pub(super) fn admin() -> Vec<Route> {
    vec![
        Route::at("/admin/coupons").shows("all coupons, in pages", coupons::list).with(
            &[Method::POST],
            r#"creates a draft: {"id":"summer","name":"Summer","total":10000}"#,
            coupons::create,
        ),
        Route::at("/admin/coupons/{id}")
            .shows("one coupon", coupons::find)
            .with(
                &[Method::PATCH],
                "changes window, limit per user and name; all of a draft",
                coupons::patch,
            )
            .with(&[Method::DELETE], "deletes a draft", coupons::delete),
        Route::at("/admin/coupons/{id}/preload").with(
            &[Method::POST],
            "puts it into Redis: from now on it can be issued",
            acts::preload,
        ),
        Route::at("/admin/coupons/{id}/restock").with(
            &[Method::POST],
            r#"gives stock: {"delta":500}, with an Idempotency-Key"#,
            acts::restock,
        ),
        Route::at("/admin/coupons/{id}/pause").with(
            &[Method::POST],
            "interrupts issuing",
            acts::pause,
        ),
        Route::at("/admin/coupons/{id}/resume").with(
            &[Method::POST],
            "goes on issuing",
            acts::resume,
        ),
        Route::at("/admin/coupons/{id}/close").with(
            &[Method::POST],
            "ends issuing for good",
            acts::close,
        ),
        Route::at("/admin/coupons/{id}/acts")
            .shows("who changed what, and what came of it, in pages", acts::list),
        Route::at("/admin/coupons/{id}/stats")
            .shows("the balance, with its rows counted one by one", coupons::stats),
        Route::at("/admin/coupons/{id}/winners")
            .shows("every ticket; format=csv|ndjson|xlsx|csv-excel", export::winners),
        Route::at("/admin/tickets/{ticket_id}/cancel").with(
            &[Method::POST],
            "gives its stock back; its claim and its serial stay spent",
            tickets::cancel,
        ),
        Route::at("/metrics").shows("for Prometheus", health::metrics),
        Route::at("/healthz").shows("the process answers", health::healthz),
        Route::at("/readyz").shows("whether it can serve, and why not", health::readyz),
        Route::at("/docs/errors").shows("what each error means, and what to do", errors_page::show),
        Route::at("/").shows("this page", pages::show),
    ]
}
