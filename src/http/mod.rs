//! The two listeners.
//!
//! A request for a ticket (`/coupons/{id}/issue`) takes a path of its own: `edge.rs` finds it
//! before the table of routes is searched, and `issue.rs` reads from the request only what it
//! needs. Every other request goes through the table (`routes.rs`) to a handler whose signature
//! says what it takes (`extract/`).

mod acts;
mod bodies;
mod connection;
mod coupons;
mod dead_letters;
mod edge;
mod errors_page;
mod export;
mod extract;
mod health;
mod issue;
mod listener;
mod page;
mod pages;
mod problem;
mod refusal;
mod request_id;
mod route;
mod routes;
mod services;
mod settings;
mod ticket_body;
mod tickets;

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, web};

use crate::domain::limits::ADMIN_CONNECTIONS_MAX;
use crate::issue::Issuer;

use extract::admins_only;
use listener::Listener;
use route::{Route, allow_of};
pub use services::Services;

/// The prefix of all paths that only admins may use.
const GUARDED: &str = "/admin";

/// How the open files of a server are divided among its workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// Threads that serve users: as many as the operator wants, or fewer where files are scarce.
    pub workers: usize,
    /// Connections that each worker serves at once.
    pub worker_connections_max: usize,
}

/// The settings of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub keep_alive: Duration,
    /// How long a shutdown waits for requests that have begun.
    pub grace: Duration,
}

/// Starts the public listener. `issuer` makes one issuer per worker, on the worker's own thread.
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
        // A client that closes its side has left: its waiting request then takes no ticket.
        answers_half_closed: false,
    };
    listener.serve(move |address| {
        let routes = routes::public();
        App::new()
            .app_data(issuer())
            .app_data(services.users.clone())
            .app_data(web::ThinData(services.clone()))
            .app_data(web::ThinData(pages::public(&routes, address)))
            .configure(configure(routes))
            .wrap(from_fn(edge::request_id_and_fast_ways))
    })
}

/// Starts the admin listener. Its page names the public listener of this process.
///
/// # Errors
/// When the address cannot be listened on.
pub fn serve_admin(
    listen: SocketAddr,
    public: Option<SocketAddr>,
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
    listener.serve(move |_| {
        let routes = routes::admin();
        App::new()
            .app_data(web::ThinData(services.clone()))
            .app_data(web::ThinData(pages::admin(&routes, public)))
            .configure(configure(routes))
            .wrap(from_fn(edge::request_id))
    })
}

/// Adds the routes of a listener.
fn configure(routes: Vec<Route>) -> impl FnOnce(&mut web::ServiceConfig) {
    let allow = allow_everywhere();
    let nothing = move || {
        let allow = allow.clone();
        web::to(move |request: HttpRequest| {
            let allow = allow.clone();
            async move { edge::not_found(request, &allow).await }
        })
    };
    move |config| {
        let (guarded, open): (Vec<Route>, Vec<Route>) =
            routes.into_iter().partition(|route| route.path.starts_with(GUARDED));
        if !guarded.is_empty() {
            let scope = web::scope(GUARDED).default_service(nothing());
            let routes = guarded.into_iter().map(|route| route.resource(GUARDED));
            config.service(
                routes.fold(scope, |scope, one| scope.service(one)).wrap(from_fn(admins_only)),
            );
        }
        open.into_iter().for_each(|route| {
            config.service(route.resource(""));
        });
        config.default_service(nothing());
    }
}

/// The answer to `OPTIONS *`: the methods of both listeners.
fn allow_everywhere() -> String {
    let mut all = routes::public();
    all.extend(routes::admin());
    allow_of(&all)
}
