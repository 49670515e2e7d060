//! The two listeners: the table of routes, and what the handlers share.

mod coupons;
mod edge;
mod export;
mod health;
mod identity;
mod issue;
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
use actix_web::{App, HttpServer, web};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::auth::{AdminToken, Users};
use crate::config::open_files::Shares;
use crate::domain::code::CodeKeys;
use crate::domain::limits::ADMIN_CONNECTIONS_MAX;
use crate::issue::Issuer;
use crate::observe::Observer;
use crate::prepare::Preparer;
use crate::settle::Settler;

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
    /// The code keys that this server has.
    pub keys: Arc<CodeKeys>,
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
}

/// Starts the public listener: one issuer a worker, made by `issuer` on the worker's own thread.
///
/// # Errors
/// When the address cannot be listened on.
pub fn serve_public(
    listen: SocketAddr,
    shares: Shares,
    grace: Duration,
    services: Services,
    issuer: impl Fn() -> Issuer + Clone + Send + 'static,
) -> std::io::Result<(Server, SocketAddr)> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(issuer())
            .app_data(services.users.clone())
            .app_data(web::ThinData(services.clone()))
            .configure(public_routes)
            .default_service(web::to(edge::not_found))
            .wrap(from_fn(edge::request_id_and_issue))
    })
    .workers(shares.workers)
    .max_connections(shares.worker_connections_max)
    .backlog(settings::ACCEPT_BACKLOG)
    .client_request_timeout(settings::HEADERS_WITHIN)
    .keep_alive(settings::KEEP_ALIVE)
    // Who closes a connection has gone: a request that still waits then takes no ticket.
    .h1_allow_half_closed(false)
    .shutdown_timeout(grace.as_secs().max(1))
    .disable_signals()
    .bind(listen)?;
    let address = server.addrs().first().copied().unwrap_or(listen);
    Ok((server.run(), address))
}

/// Starts the admin listener.
///
/// # Errors
/// When the address cannot be listened on.
pub fn serve_admin(
    listen: SocketAddr,
    grace: Duration,
    services: Services,
) -> std::io::Result<(Server, SocketAddr)> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::ThinData(services.clone()))
            .configure(admin_routes)
            .default_service(web::to(edge::not_found))
            .wrap(from_fn(edge::request_id))
    })
    .workers(1)
    .max_connections(ADMIN_CONNECTIONS_MAX)
    .client_request_timeout(settings::HEADERS_WITHIN)
    .keep_alive(settings::KEEP_ALIVE)
    .shutdown_timeout(grace.as_secs().max(1))
    .disable_signals()
    .bind(listen)?;
    let address = server.addrs().first().copied().unwrap_or(listen);
    Ok((server.run(), address))
}

/// A resource whose other methods answer 405 with these in `Allow`.
fn only(path: &str, allow: &'static str) -> actix_web::Resource {
    web::resource(path).default_service(web::to(move || edge::method_not_allowed(allow)))
}

fn public_routes(routes: &mut web::ServiceConfig) {
    routes
        // First, so that the constant reply that benchmarks measure pays for nobody else's pattern.
        .service(only("/healthz", "GET").route(web::get().to(health::healthz)))
        .service(
            // Only for paths that are escaped or malformed: see `edge::request_id_and_issue`.
            only("/coupons/{id}/issue", "GET, POST")
                .route(web::get().to(issue::issue_routed))
                .route(web::post().to(issue::issue_routed)),
        )
        .service(only("/coupons/{id}", "GET").route(web::get().to(coupons::public_view)))
        .service(only("/coupons/{id}/audit", "GET").route(web::get().to(coupons::audit)))
        .service(only("/me/tickets", "GET").route(web::get().to(tickets::mine)))
        .service(only("/tickets/{ticket_id}", "GET").route(web::get().to(tickets::find)))
        .service(only("/readyz", "GET").route(web::get().to(health::readyz)))
        .service(only("/", "GET").route(web::get().to(health::public_page)));
}

fn admin_routes(routes: &mut web::ServiceConfig) {
    let guarded = web::scope("/admin")
        .service(
            only("/coupons", "GET, POST")
                .route(web::get().to(coupons::list))
                .route(web::post().to(coupons::create)),
        )
        .service(
            only("/coupons/{id}", "GET, PATCH, DELETE")
                .route(web::get().to(coupons::find))
                .route(web::patch().to(coupons::patch))
                .route(web::delete().to(coupons::delete)),
        )
        .service(only("/coupons/{id}/preload", "POST").route(web::post().to(coupons::preload)))
        .service(only("/coupons/{id}/restock", "POST").route(web::post().to(coupons::restock)))
        .service(only("/coupons/{id}/pause", "POST").route(web::post().to(coupons::pause)))
        .service(only("/coupons/{id}/resume", "POST").route(web::post().to(coupons::resume)))
        .service(only("/coupons/{id}/close", "POST").route(web::post().to(coupons::close)))
        .service(only("/coupons/{id}/stats", "GET").route(web::get().to(coupons::stats)))
        .service(only("/coupons/{id}/winners", "GET").route(web::get().to(export::winners)))
        .service(only("/tickets/{ticket_id}/cancel", "POST").route(web::post().to(tickets::cancel)))
        .default_service(web::to(edge::not_found))
        .wrap(from_fn(identity::admins_only));
    routes
        .service(guarded)
        .service(only("/metrics", "GET").route(web::get().to(health::metrics)))
        .service(only("/healthz", "GET").route(web::get().to(health::healthz)))
        .service(only("/readyz", "GET").route(web::get().to(health::readyz)))
        .service(only("/", "GET").route(web::get().to(health::admin_page)));
}
