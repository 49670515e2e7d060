//! The pages for people who open a listener in a browser: its paths, and commands to paste.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, web};

use super::route::Route;

pub(super) type Page = Arc<str>;

/// The page of the public listener at this address.
pub(super) fn public(routes: &[Route], public: SocketAddr) -> Page {
    format!(
        "firstcome: N tickets for those who come first.\n\n{}\n\
         To get a ticket of the coupon summer:\n\n{}",
        lines(routes),
        issue(public)
    )
    .into()
}

/// The page of the admin listener, with the address of the public one; a worker has none.
pub(super) fn admin(routes: &[Route], public: Option<SocketAddr>) -> Page {
    let first = "firstcome coupon create summer --total 10000\n  firstcome coupon preload summer";
    format!(
        "firstcome: the admin listener. Every path under /admin needs the header\n\
         Authorization: Bearer <admin token>.\n\n{}\nThe first commands:\n\n  {first}\n{}",
        lines(routes),
        public.map(issue).unwrap_or_default()
    )
    .into()
}

/// `GET /`.
pub(super) async fn show(page: web::ThinData<Page>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")))
        .body(page.to_string())
}

fn issue(public: SocketAddr) -> String {
    format!("  curl -H 'X-User-Id: ada' http://{public}/coupons/summer/issue\n")
}

/// One line per path and group of methods.
fn lines(routes: &[Route]) -> String {
    let width = routes.iter().map(|route| route.path.len()).max().unwrap_or_default();
    let lines = routes.iter().flat_map(|route| {
        let line = |(methods, says): &(String, &str)| {
            format!("  {methods:<8}  {:<width$}  {says}\n", route.path)
        };
        route.lines.iter().map(line).collect::<Vec<_>>()
    });
    lines.collect()
}
