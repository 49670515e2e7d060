//! How many connections are open. An idle one is kept for long, so that a balancer never sends into
//! one that just ended; when users crowd in, each answer is the last on its connection instead, so
//! that idle ones never keep out who comes next.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::dev::{Extensions, ServiceResponse};
use actix_web::http::ConnectionType;

/// The connections of a listener.
#[derive(Clone)]
pub(super) struct Crowd {
    open: Arc<AtomicUsize>,
    crowded_from: usize,
}

/// One of them, for as long as it is open.
struct Present(Crowd);

impl Crowd {
    /// Of a listener that has room for so many connections. The last quarter is for those that are
    /// closed after an answer.
    pub(super) fn new(connections_max: usize) -> Self {
        Self { open: Arc::default(), crowded_from: connections_max / 4 * 3 }
    }

    /// Counts connections, as `on_connect` of the server.
    pub(super) fn counting(self) -> impl Fn(&dyn Any, &mut Extensions) + Send + Sync {
        move |_, extensions| {
            self.open.fetch_add(1, Ordering::Relaxed);
            extensions.insert(Present(self.clone()));
        }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Makes this answer the last one on its connection when connections are scarce.
pub(super) fn part_when_crowded<B>(response: &mut ServiceResponse<B>) {
    let present = response.request().conn_data::<Present>();
    let is_crowded = present
        .is_some_and(|Present(crowd)| crowd.open.load(Ordering::Relaxed) > crowd.crowded_from);
    if is_crowded {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
}
