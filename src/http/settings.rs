//! The bounds of both listeners: time-outs and waiting connections.

use std::time::Duration;

/// Connections that wait to be accepted.
pub(super) const ACCEPT_BACKLOG: u32 = 4_096;
/// How long a client has to send its headers, so that a slow one cannot occupy a worker.
pub(super) const HEADERS_WITHIN: Duration = Duration::from_secs(5);
/// How long a client has to send its body.
pub(super) const BODY_WITHIN: Duration = Duration::from_secs(5);
/// How long a client that still sends after its answer has to stop.
pub(super) const DISCONNECT_WITHIN: Duration = Duration::from_secs(1);
