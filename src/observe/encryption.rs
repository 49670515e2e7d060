//! Whether the connections to Redis and to the database are encrypted: a version of TLS, such as
//! `TLSv1.3`, or why there is none. The answers are for people.

use std::net::IpAddr;

use crate::redis::Redis;
use crate::redis::tls;
use crate::store::Store;

/// Of the connections to Redis.
pub(super) async fn of_redis(redis: &Redis) -> String {
    told(tls::tls_version(redis).await.map_err(|error| error.to_string()))
}

/// Of the connections to the database.
pub(super) async fn of_database(store: &dyn Store) -> String {
    told(store.tls_version().await.map_err(|error| error.to_string()))
}

fn told(version: Result<Option<String>, String>) -> String {
    match version {
        Ok(version) => version.unwrap_or_else(|| "not encrypted".to_owned()),
        Err(error) => format!("unknown ({error})"),
    }
}

/// A warning about a password that may go to these hosts unencrypted, if they are other machines.
pub(super) fn password_in_the_clear(
    whose: &str,
    mut hosts: impl Iterator<Item = String>,
    mend: &str,
) -> Option<String> {
    let is_here = |host: &str| {
        host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
    };
    hosts.find(|host| !is_here(host.trim_matches(['[', ']']))).map(|host| {
        format!("the password of {whose} may go to {host} unencrypted: use {mend} in the URL")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_safe_on_its_way_only_within_this_machine() {
        let warns = |host: &str| {
            let hosts = ["localhost".to_owned(), host.to_owned()].into_iter();
            password_in_the_clear("Redis", hosts, "rediss://").is_some()
        };
        for here in ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"] {
            assert!(!warns(here), "{here}");
        }
        for other in ["10.0.0.1", "redis.example", "localhost.example", "::2", "0.0.0.0"] {
            assert!(warns(other), "{other}");
        }
    }
}
