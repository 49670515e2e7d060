//! The two listeners: the table of routes, and what the handlers share.

mod connection;
mod coupons;
mod edge;
mod export;
mod health;
mod identity;
mod issue;
mod listener;
mod page;
mod problem;
mod refusal;
mod settings;
mod ticket_body;
mod tickets;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, FromRequest, Handler, HttpRequest, Resource, Responder, web};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::auth::{AdminToken, Users};
use crate::domain::limits::ADMIN_CONNECTIONS_MAX;
use crate::issue::Issuer;
use crate::observe::Observer;
use crate::prepare::Preparer;
use crate::settle::Settler;

use listener::Listener;

/// Handles to the verbs, for both listeners.
#[derive(Clone)]
pub struct Services {
    /// Coupons and their changes.
    pub preparer: Preparer,
    /// Tickets after they were issued.
    pub settler: Settler,
    /// What is true right now.
    pub observer: Observer,
    /// Who users are.
    pub users: Arc<Users>,
    /// Who admins are.
    pub admin_token: AdminToken,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
}

/// How the open files of a server are shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// Threads that serve users: as many as wanted, or fewer where files are scarce.
    pub workers: usize,
    /// Connections that each of them serves at once.
    pub worker_connections_max: usize,
}

/// What an operator may change of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long a shutdown waits for requests to end.
    pub grace: Duration,
}

/// Starts the public listener: one issuer a worker, made by `issuer` on the worker's own thread.
///
/// # Errors
/// When the address cannot be listened on.
pub fn serve_public(
    listen: SocketAddr,
    shares: Shares,
    bounds: Bounds,
    services: Services,
    issuer: impl Fn() -> Issuer + Clone + Send + 'static,
) -> std::io::Result<(Server, SocketAddr)> {
    let listener = Listener {
        listen,
        workers: shares.workers,
        worker_connections_max: shares.worker_connections_max,
        keep_alive: bounds.keep_alive,
        grace: bounds.grace,
        // Who closes a connection has gone: a request that still waits then takes no ticket.
        answers_half_closed: false,
    };
    listener.serve(move || {
        App::new()
            .app_data(issuer())
            .app_data(services.users.clone())
            .app_data(web::ThinData(services.clone()))
            .configure(public_routes)
            .default_service(web::to(edge::not_found))
            .wrap(from_fn(edge::request_id_and_fast_ways))
    })
}

/// Starts the admin listener.
///
/// # Errors
/// When the address cannot be listened on.
pub fn serve_admin(
    listen: SocketAddr,
    bounds: Bounds,
    services: Services,
) -> std::io::Result<(Server, SocketAddr)> {
    let listener = Listener {
        listen,
        workers: 1,
        worker_connections_max: ADMIN_CONNECTIONS_MAX,
        keep_alive: bounds.keep_alive,
        grace: bounds.grace,
        answers_half_closed: true,
    };
    listener.serve(move || {
        App::new()
            .app_data(web::ThinData(services.clone()))
            .configure(admin_routes)
            .default_service(web::to(edge::not_found))
            .wrap(from_fn(edge::request_id))
    })
}

/// What a path takes that only shows something.
const SHOWS: &str = "GET, HEAD, OPTIONS";

/// A resource that tells what it takes to `OPTIONS`, and in the answer 405 to everything else.
fn only(path: &str, allow: &'static str) -> Resource {
    let other = move |request: HttpRequest| edge::other_method(request, allow);
    web::resource(path).default_service(web::to(other))
}

/// `GET` and `HEAD` of a resource: the same, and actix leaves the body of the second out.
fn shown<F, Args>(resource: Resource, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    resource.route(web::get().to(handler.clone())).route(web::head().to(handler))
}

fn public_routes(routes: &mut web::ServiceConfig) {
    routes
        // First, so that the constant reply that benchmarks measure pays for nobody else's pattern.
        .service(shown(only("/healthz", SHOWS), health::healthz))
        .service(
            // Only for paths that are escaped or malformed: see `edge::request_id_and_fast_ways`.
            // No HEAD: it would issue a ticket that nobody sees.
            only("/coupons/{id}/issue", "GET, POST, OPTIONS")
                .route(web::get().to(issue::issue_routed))
                .route(web::post().to(issue::issue_routed)),
        )
        .service(shown(only("/coupons/{id}", SHOWS), page::page_routed))
        .service(shown(only("/coupons/{id}/audit", SHOWS), coupons::audit))
        .service(shown(only("/me/tickets", SHOWS), tickets::mine))
        .service(shown(only("/tickets/{ticket_id}", SHOWS), tickets::find))
        .service(shown(only("/readyz", SHOWS), health::readyz))
        .service(shown(only("/", SHOWS), health::public_page));
}

fn admin_routes(routes: &mut web::ServiceConfig) {
    let does = |path: &str| only(path, "POST, OPTIONS");
    let guarded = web::scope("/admin")
        .service(
            shown(only("/coupons", "GET, HEAD, POST, OPTIONS"), coupons::list)
                .route(web::post().to(coupons::create)),
        )
        .service(
            shown(only("/coupons/{id}", "GET, HEAD, PATCH, DELETE, OPTIONS"), coupons::find)
                .route(web::patch().to(coupons::patch))
                .route(web::delete().to(coupons::delete)),
        )
        .service(does("/coupons/{id}/preload").route(web::post().to(coupons::preload)))
        .service(does("/coupons/{id}/restock").route(web::post().to(coupons::restock)))
        .service(does("/coupons/{id}/pause").route(web::post().to(coupons::pause)))
        .service(does("/coupons/{id}/resume").route(web::post().to(coupons::resume)))
        .service(does("/coupons/{id}/close").route(web::post().to(coupons::close)))
        .service(shown(only("/coupons/{id}/stats", SHOWS), coupons::stats))
        .service(shown(only("/coupons/{id}/winners", SHOWS), export::winners))
        .service(does("/tickets/{ticket_id}/cancel").route(web::post().to(tickets::cancel)))
        .default_service(web::to(edge::not_found))
        .wrap(from_fn(identity::admins_only));
    routes
        .service(guarded)
        .service(shown(only("/metrics", SHOWS), health::metrics))
        .service(shown(only("/healthz", SHOWS), health::healthz))
        .service(shown(only("/readyz", SHOWS), health::readyz))
        .service(shown(only("/", SHOWS), health::admin_page));
}
