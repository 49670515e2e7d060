//! The bounds of both listeners: time-outs and waiting connections.

use std::time::Duration;

/// Connections that wait to be accepted.
pub(super) const ACCEPT_BACKLOG: u32 = 4_096;
/// A client must have sent its headers after this long, so that slow ones cannot hold a worker.
pub(super) const HEADERS_WITHIN: Duration = Duration::from_secs(5);
/// A client must have sent its body after this long.
pub(super) const BODY_WITHIN: Duration = Duration::from_secs(5);
/// A client that still sends after its answer has this long to stop.
pub(super) const DISCONNECT_WITHIN: Duration = Duration::from_secs(1);
