//! A listener: its threads, its connections, and the server that reads requests from them.

use std::fmt::Debug;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use actix_http::{HttpService, Request, Response};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt as _, map_config};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Server, fn_service};
use actix_web::rt::net::TcpStream;
use tokio::net::TcpSocket;

use super::connection::{Connection, Room};
use super::settings::{ACCEPT_BACKLOG, DISCONNECT_WITHIN, HEADERS_WITHIN};

/// A listener and its bounds.
pub(super) struct Listener {
    pub(super) listen: SocketAddr,
    pub(super) workers: usize,
    pub(super) worker_connections_max: usize,
    pub(super) keep_alive: Duration,
    /// How long a shutdown waits for requests that have begun.
    pub(super) grace: Duration,
    /// Whether a request is still answered when its client has closed its side.
    pub(super) answers_half_closed: bool,
}

impl Listener {
    /// Serves an application. It is made once per worker, on the worker's own thread, with
    /// the address of the listener.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub(super) fn serve<I, S, B>(
        self,
        application: impl Fn(SocketAddr) -> I + Send + Clone + 'static,
    ) -> std::io::Result<(Server, SocketAddr)>
    where
        I: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = AppConfig> + 'static,
        S::Error: Into<Error>,
        S::InitError: Debug,
        S::Response: Into<Response<B>>,
        B: MessageBody + 'static,
    {
        let listener = bound_to(self.listen)?;
        let address = listener.local_addr()?;
        let server = Server::build()
            .workers(self.workers)
            .max_concurrent_connections(self.worker_connections_max)
            .shutdown_timeout(self.grace.as_secs().max(1))
            .disable_signals();
        let stopping = server.graceful_shutdown_signal();
        let serve = move || {
            let room = Rc::new(Room::new(self.worker_connections_max));
            let stopping = stopping.clone();
            let application = application(address).into_factory().map_err(|error| {
                let error: Error = error.into();
                error.error_response()
            });
            let requests = HttpService::build()
                // actix-web does this too; without it a stop waits for idle connections.
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .keep_alive(self.keep_alive)
                .client_request_timeout(HEADERS_WITHIN)
                .client_disconnect_timeout(DISCONNECT_WITHIN)
                .h1_allow_half_closed(self.answers_half_closed)
                .on_connect_ext(|connection: &Connection, data| {
                    data.insert(connection.turn());
                })
                .h1(map_config(application, |()| AppConfig::default()));
            fn_service(move |socket: TcpStream| {
                let peer = socket.peer_addr().ok();
                let connection = Connection::new(socket, &room);
                std::future::ready(Ok((connection, peer)))
            })
            .and_then(requests)
        };
        let server = server.listen("http", listener, serve)?;
        Ok((server.run(), address))
    }
}

/// A listening socket with a queue for connections that are not accepted yet.
fn bound_to(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(ACCEPT_BACKLOG)?.into_std()
}
