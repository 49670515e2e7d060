//! Errors of calls to Redis, divided by what the caller may conclude from them.

use ::redis::{ErrorKind, RedisError, ServerErrorKind};

/// The result of a call to Redis.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed call to Redis.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is not a usable URL of Redis.
    #[error(
        "REDIS_URL is not usable: {0}. It is redis://[user:password@]host[:port][/number], \
         rediss://… for TLS, or redis+unix:///path[?db=number&user=…&pass=…], of one server; or \
         redis+sentinel://[user:password@]host[:port],…/name[/number] of its Sentinels; unset it \
         for a private Redis. Cluster is not supported"
    )]
    Url(String),
    /// No connection: nothing was sent, nothing happened.
    #[error("Redis cannot be reached: {0}")]
    Unsent(#[source] RedisError),
    /// Redis refused the connection before a call was sent: wrong password, or no such database.
    #[error("Redis does not let us in: {0}")]
    Denied(#[source] RedisError),
    /// Every pooled connection is in use: nothing was sent.
    #[error("no pooled connection to Redis became free in time")]
    PoolExhausted,
    /// Redis refused the call before doing any of it (LOADING, READONLY, OOM …).
    #[error("Redis refused: {0}")]
    Refused(#[source] RedisError),
    /// Sent and not answered: Redis may have run the call, or may still run it.
    #[error("the outcome is unknown: {0}")]
    Unknown(#[source] RedisError),
    /// Redis has another generation than the proven one, so its data must not be used here.
    #[error("Redis has another life than the one that was proven")]
    OtherGeneration,
    /// A reply does not have the form of the script's header.
    #[error("Redis replied with a malformed {0}")]
    Malformed(&'static str),
}

/// Codes that Redis gives only if the call wrote nothing: before it runs a command, or a script
/// before its first write.
const REFUSALS: [&str; 17] = [
    "ASK",
    "BUSY",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "DENIED",
    "EXECABORT",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOREPLICAS",
    "NOSCRIPT",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "WRONGPASS",
];

/// Codes of a server that is not, or no longer, the right one, or that no longer accepts our login.
/// A new connection may find the right one.
const WRONG_SERVER: [&str; 8] =
    ["ASK", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MOVED", "NOAUTH", "READONLY", "TRYAGAIN"];

/// The beginning of an `ERR` after which Redis closes the connection without running anything. For
/// instance, a connection that is not authenticated may not send long calls.
const HUNG_UP: [&str; 2] = ["Protocol error", "max number of clients reached"];
/// The beginning of other `ERR` replies before which Redis ran nothing.
const NOT_RUN: [&str; 2] = ["unknown command", "wrong number of arguments"];

impl Error {
    /// An error while connecting.
    pub(crate) fn of_connecting(error: RedisError) -> Self {
        // The redis crate does not pass on the error code of a refused password.
        let is_refused = error.kind() == ErrorKind::AuthenticationFailed || error.code().is_some();
        let passes = error.code() == Some("LOADING") || begins(&error, &HUNG_UP);
        match is_refused && !passes {
            true => Self::Denied(error),
            false => Self::Unsent(error),
        }
    }

    /// An error of a single command: if it is a reply of Redis, the command changed nothing.
    pub(crate) fn of_call(error: RedisError) -> Self {
        match error.code() {
            Some(_) => Self::Refused(error),
            None => Self::Unknown(error),
        }
    }

    /// An error of a script whose first write is in this line. Redis names the line that failed: if
    /// it is this one or an earlier one, nothing was written. A later failure may have written a
    /// part, unless the code says that it did not.
    pub(crate) fn of_script(error: RedisError, first_write: usize) -> Self {
        let Some(code) = error.code() else { return Self::Unknown(error) };
        let is_refused = match failed_line(&error) {
            _ if REFUSALS.contains(&code) => true,
            Some(line) => line <= first_write,
            // This refuses the call itself, before the script runs.
            None if code == "NOPERM" => true,
            None => begins(&error, &HUNG_UP) || begins(&error, &NOT_RUN),
        };
        match is_refused {
            true => Self::Refused(error),
            false => Self::Unknown(error),
        }
    }

    /// Whether Redis is certain to have changed nothing.
    pub fn is_definite(&self) -> bool {
        !matches!(self, Self::Unknown(_) | Self::Malformed(_))
    }

    /// Whether this is a reply of Redis.
    pub fn is_reply(&self) -> bool {
        match self {
            Self::Denied(_) => true,
            Self::Refused(error) | Self::Unknown(error) => error.code().is_some(),
            _ => false,
        }
    }

    /// Whether the server behind the connection may be the wrong one, or the connection is broken.
    /// A server is still the right one if it only cannot write (OOM, MISCONF …), denies us a
    /// command, or fails at a damaged key.
    pub fn doubts_connection(&self) -> bool {
        match self {
            Self::Refused(error) => {
                let is_wrong = error.code().is_some_and(|code| WRONG_SERVER.contains(&code));
                is_wrong || begins(error, &HUNG_UP)
            }
            Self::Unknown(error) => error.code().is_none(),
            Self::Malformed(_) => false,
            _ => true,
        }
    }

    /// Whether the script is not in the server's cache.
    pub(crate) fn is_missing_script(error: &RedisError) -> bool {
        error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
    }
}

/// Whether the error is an `ERR` that begins with one of these texts.
fn begins(error: &RedisError, texts: &[&str]) -> bool {
    let detail = error.detail().unwrap_or_default();
    error.code() == Some("ERR") && texts.iter().any(|text| detail.starts_with(text))
}

/// The line of a script that failed: `… script: <sha>, on @user_script:<line>.`
pub(super) fn failed_line(error: &RedisError) -> Option<usize> {
    let (_, rest) = error.detail()?.rsplit_once("user_script:")?;
    let digits = rest.split(|sign: char| !sign.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replied(code: &str, detail: &str) -> RedisError {
        ::redis::make_extension_error(code.to_owned(), Some(detail.to_owned()))
    }

    #[test]
    fn only_the_wrong_server_or_a_broken_connection_is_given_up() {
        let doubts = |code: &str| Error::of_script(replied(code, "said"), 1).doubts_connection();
        for code in WRONG_SERVER {
            assert!(doubts(code), "{code}");
        }
        for code in ["OOM", "MISCONF", "NOPERM", "CROSSSLOT", "WRONGTYPE", "ERR"] {
            assert!(!doubts(code), "{code}");
        }
        assert!(!Error::Malformed("issue").doubts_connection());
        let broken = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert!(Error::of_script(broken.into(), 1).doubts_connection());
    }

    /// The words are repeated here, so that a test fails if one is removed above.
    #[test]
    fn what_redis_says_of_a_call_that_wrote_nothing_is_definite_wherever_a_script_failed_i4() {
        let words = "ASK BUSY CLUSTERDOWN CROSSSLOT DENIED EXECABORT LOADING MASTERDOWN MISCONF \
                     MOVED NOAUTH NOREPLICAS NOSCRIPT OOM READONLY TRYAGAIN WRONGPASS";
        let is_definite =
            |code: &str, detail: &str| Error::of_script(replied(code, detail), 20).is_definite();
        for code in words.split(' ') {
            assert!(is_definite(code, "said"), "{code}");
            assert!(is_definite(code, "script: 0a1b, on @user_script:21."), "{code} in a script");
        }
        assert!(is_definite("NOPERM", "User m3 has no permissions to run the 'evalsha' command"));
        for detail in [
            "can't run this command script: 0a1b, on @user_script:20.",
            "unknown command 'EVALSHA', with args beginning with: ",
            "wrong number of arguments for 'evalsha' command",
            "Protocol error: unauthenticated bulk length",
            "max number of clients reached",
        ] {
            assert!(is_definite("ERR", detail), "{detail}");
        }
        assert!(!is_definite("WRONGTYPE", "script: 0a1b, on @user_script:21."));
    }

    #[test]
    fn a_script_that_failed_after_its_first_write_may_have_left_a_part_i4() {
        let denied = |line: usize| {
            let text = format!("can't run this command script: 0a1b, on @user_script:{line}.");
            Error::of_script(replied("ERR", &text), 20).is_definite()
        };
        assert!(denied(3) && denied(20) && !denied(21));
        let newer = |line: usize| {
            let text = format!("ACL failure in script: … script: 0a1b, on @user_script:{line}.");
            Error::of_script(replied("NOPERM", &text), 20).is_definite()
        };
        assert!(newer(20) && !newer(21));
        assert!(!Error::of_script(replied("ERR", "something else"), 20).is_definite());
        let full = Error::of_script(replied("ERR", "max number of clients reached"), 20);
        assert!(full.is_definite() && full.doubts_connection());
    }
}
