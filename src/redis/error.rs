//! What can go wrong with Redis, by what the caller may conclude from it.

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

/// A failed call to Redis.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is none of Redis.
    #[error("the Redis URL is not usable: {0}")]
    Url(#[source] RedisError),
    /// No connection: nothing was sent, nothing happened.
    #[error("Redis cannot be reached: {0}")]
    Unsent(#[source] RedisError),
    /// Every pooled connection is in use: nothing was sent.
    #[error("no pooled connection to Redis became free in time")]
    PoolExhausted,
    /// Redis refused the call before doing any of it (LOADING, READONLY, OOM …).
    #[error("Redis refused: {0}")]
    Refused(#[source] RedisError),
    /// Sent and not answered: it may have happened, or may happen still.
    #[error("the outcome is unknown: {0}")]
    Unknown(#[source] RedisError),
    /// A reply is not what its script's header promises.
    #[error("Redis replied with a malformed {0}")]
    Malformed(&'static str),
}

/// Codes that Redis gives before a script's first write, so that nothing of it happened.
const REFUSALS: [&str; 10] = [
    "LOADING",
    "READONLY",
    "OOM",
    "MISCONF",
    "NOREPLICAS",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "BUSY",
    "NOAUTH",
    "NOPERM",
];

impl Error {
    /// An error of a call that may have been written.
    pub(crate) fn of_call(error: RedisError) -> Self {
        match error.code() {
            Some(code) if REFUSALS.contains(&code) => Self::Refused(error),
            _ => Self::Unknown(error),
        }
    }

    /// Whether Redis is certain to have changed nothing.
    pub fn is_definite(&self) -> bool {
        !matches!(self, Self::Unknown(_) | Self::Malformed(_))
    }

    /// Whether the server behind the connection may be the wrong one, or the connection is broken.
    /// A server that only cannot write (OOM, MISCONF …), or that a damaged key makes stumble, is
    /// still the right one.
    pub fn doubts_connection(&self) -> bool {
        let wrong_server = ["LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN"];
        match self {
            Self::Refused(error) => error.code().is_some_and(|code| wrong_server.contains(&code)),
            Self::Unknown(error) => error.code().is_none(),
            Self::Malformed(_) => false,
            _ => true,
        }
    }

    /// Whether the stream's consumer group is missing.
    pub(crate) fn is_missing_group(error: &RedisError) -> bool {
        error.code() == Some("NOGROUP")
    }

    /// Whether the script is not in the server's cache.
    pub(crate) fn is_missing_script(error: &RedisError) -> bool {
        error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wrong_server_or_a_broken_connection_is_given_up() {
        let replied = |code: &str| {
            let error = ::redis::make_extension_error(code.to_owned(), Some("said".to_owned()));
            Error::of_call(error).doubts_connection()
        };
        for code in ["LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN"] {
            assert!(replied(code), "{code}");
        }
        for code in ["OOM", "MISCONF", "NOPERM", "WRONGTYPE", "ERR"] {
            assert!(!replied(code), "{code}");
        }
        assert!(!Error::Malformed("issue").doubts_connection());
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(Error::of_call(broken.into()).doubts_connection());
    }
}
