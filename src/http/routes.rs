//! The table of routes: it lists every path of both listeners.

use actix_web::http::Method;

use super::route::Route;
use super::{
    acts, coupons, dead_letters, errors_page, export, health, issue, page, pages, tickets,
};

/// The paths of the public listener.
pub(super) fn public() -> Vec<Route> {
    vec![
        // First, so that the constant reply that benchmarks measure pays for no other pattern.
        Route::at("/healthz").shows("the process answers", health::healthz),
        // For paths that are escaped or malformed only: see `edge::request_id_and_fast_ways`.
        // No HEAD: it would issue a ticket without showing it to anybody.
        Route::at("/coupons/{id}/issue").with(
            &[Method::GET, Method::POST],
            "one ticket, or why not; the header X-User-Id names the user",
            issue::issue_routed,
        ),
        Route::at("/coupons/{id}")
            .shows("state, remaining, opens_at, server_time", page::page_routed),
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
    let mut routes = coupons_and_tickets();
    routes.extend(of_dead_letters());
    routes.extend([
        Route::at("/metrics").shows("for Prometheus", health::metrics),
        Route::at("/healthz").shows("the process answers", health::healthz),
        Route::at("/readyz").shows("whether it can serve, and why not", health::readyz),
        Route::at("/docs/errors").shows("what each error means, and what to do", errors_page::show),
        Route::at("/").shows("this page", pages::show),
    ]);
    routes
}

fn coupons_and_tickets() -> Vec<Route> {
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
                "changes window, limit per user and name; of a draft any field",
                coupons::patch,
            )
            .with(&[Method::DELETE], "deletes a draft", coupons::delete),
        Route::at("/admin/coupons/{id}/preload").with(
            &[Method::POST],
            "loads it into Redis, so that its tickets can be issued",
            acts::preload,
        ),
        Route::at("/admin/coupons/{id}/restock").with(
            &[Method::POST],
            r#"adds stock: {"delta":500}, with an Idempotency-Key"#,
            acts::restock,
        ),
        Route::at("/admin/coupons/{id}/pause").with(&[Method::POST], "pauses issuing", acts::pause),
        Route::at("/admin/coupons/{id}/resume").with(
            &[Method::POST],
            "resumes issuing",
            acts::resume,
        ),
        Route::at("/admin/coupons/{id}/release").with(
            &[Method::POST],
            "releases the stock that a recovery withheld",
            acts::release,
        ),
        Route::at("/admin/coupons/{id}/close").with(
            &[Method::POST],
            "ends issuing; this cannot be undone",
            acts::close,
        ),
        Route::at("/admin/coupons/{id}/acts")
            .shows("who changed what, and the results, in pages", acts::list),
        Route::at("/admin/coupons/{id}/stats")
            .shows("the balance, with its rows counted one by one", coupons::stats),
        Route::at("/admin/coupons/{id}/winners")
            .shows("every ticket; format=csv|ndjson|xlsx|csv-excel", export::winners),
        Route::at("/admin/tickets/{ticket_id}/cancel").with(
            &[Method::POST],
            "returns its stock; its claim and its serial are not used again",
            tickets::cancel,
        ),
        Route::at("/admin/tickets/restore").with(
            &[Method::POST],
            "gives a lost ticket to its user again; the body is the ticket as the user got it",
            tickets::restore,
        ),
    ]
}

fn of_dead_letters() -> Vec<Route> {
    vec![
        Route::at("/admin/dead-letters")
            .shows("tickets that the database refused; all=true: also decided", dead_letters::list),
        Route::at("/admin/dead-letters/{letter_id}").shows("one of them", dead_letters::find),
        Route::at("/admin/dead-letters/{letter_id}/replay").with(
            &[Method::POST],
            "inserts its tickets again",
            dead_letters::replay,
        ),
        Route::at("/admin/dead-letters/{letter_id}/drop").with(
            &[Method::POST],
            r#"cancels its ticket and returns the stock: {"reason":"a test"}"#,
            dead_letters::drop,
        ),
    ]
}
