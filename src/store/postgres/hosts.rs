//! The hosts in a PostgreSQL URL. Besides what sqlx reads, it accepts forms that users of libpq
//! know: a socket's folder without a host (`postgres://me@/shop?host=/run/postgresql`), and
//! several hosts of which one accepts writes (`postgres://me@one:5432,two:5432/shop`).

use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use crate::domain::limits::CONNECTION_WAIT;
use crate::store::error::{Error, Result, connect_failure};

/// More hosts than any real set-up has.
const HOSTS_MAX: usize = 16;

/// The hosts of a URL in their order; user, database and everything else are the same for each.
///
/// # Errors
/// [`Error::Open`] for a URL that cannot be read. No error contains the URL: it may contain a
/// password.
pub(super) fn hosts(url: &str) -> Result<Vec<PgConnectOptions>> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| unreadable("it lacks ://"))?;
    let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, named) = match authority.rsplit_once('@') {
        Some((user, named)) => (format!("{user}@"), named),
        None => (String::new(), authority),
    };
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    let (mut kept, mut other_hosts, mut ports) = (Vec::new(), Vec::new(), Vec::new());
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("host", hosts)) => other_hosts = hosts.split(',').collect(),
            Some(("port", numbers)) => ports = numbers.split(',').collect(),
            // The host that accepts writes is searched for in any case, and no other would do.
            Some(("target_session_attrs", "any" | "read-write" | "primary")) => {}
            Some(("target_session_attrs", _)) => {
                return Err(unreadable("target_session_attrs must be read-write"));
            }
            Some((name @ ("sslrootcert" | "sslcert" | "sslkey"), path)) => {
                check_file(name, path)?;
                kept.push(parameter);
            }
            _ => kept.push(parameter),
        }
    }
    let named: Vec<&str> = named.split(',').collect();
    let host_at = |place: usize| match named.get(place).or(named.first()) {
        None | Some(&"") => "localhost",
        Some(host) => host,
    };
    let places = named.len().max(other_hosts.len());
    if places > HOSTS_MAX {
        return Err(unreadable("it names more than 16 hosts"));
    }
    let mut hosts = Vec::with_capacity(places);
    for place in 0..places {
        let mut query = kept.clone();
        let other_host = other_hosts.get(place).map(|host| format!("host={host}"));
        let port = ports.get(place).or(ports.first()).map(|port| format!("port={port}"));
        query.extend(other_host.as_deref());
        query.extend(port.as_deref());
        let one = format!("{scheme}://{user}{}{path}?{}", host_at(place), query.join("&"));
        let host = PgConnectOptions::from_str(&one).map_err(connect_failure)?;
        // A start-up parameter that `PgBouncer` refuses, and that no column needs.
        hosts.push(host.extra_float_digits(None));
    }
    Ok(hosts)
}

/// The first of these hosts that accepts writes; if none does, the first one, whose failure is
/// then reported.
pub(super) async fn best(hosts: &[PgConnectOptions]) -> Result<PgConnectOptions> {
    let best = writable(hosts).await.or(hosts.first());
    best.cloned().ok_or_else(|| unreadable("it names no host"))
}

/// The first of these hosts that accepts writes. A single host is not asked.
pub(super) async fn writable(hosts: &[PgConnectOptions]) -> Option<&PgConnectOptions> {
    if let [only] = hosts {
        return Some(only);
    }
    for host in hosts {
        let answered = tokio::time::timeout(CONNECTION_WAIT, takes_writes(host)).await;
        match answered {
            Ok(Ok(true)) => return Some(host),
            Ok(Ok(false)) => tracing::debug!(host = host.get_host(), "this host only reads"),
            Ok(Err(error)) => tracing::debug!(host = host.get_host(), %error, "no answer"),
            Err(_) => tracing::debug!(host = host.get_host(), "no answer in time"),
        }
    }
    None
}

/// Whether both lead to the same server.
pub(super) fn are_same(one: &PgConnectOptions, other: &PgConnectOptions) -> bool {
    let place = |host: &PgConnectOptions| {
        (host.get_host().to_owned(), host.get_port(), host.get_socket().cloned())
    };
    place(one) == place(other)
}

/// The hosts to which a password may go unencrypted, because the URL does not require TLS; each
/// once.
pub(super) fn hosts_told_in_the_clear<'a>(
    hosts: impl IntoIterator<Item = &'a PgConnectOptions>,
) -> Vec<String> {
    let insists = |host: &PgConnectOptions| {
        matches!(
            host.get_ssl_mode(),
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull
        )
    };
    let mut told: Vec<String> = Vec::new();
    for host in hosts {
        let is_in_the_clear = host.get_socket().is_none() && !insists(host);
        let name = host.get_host();
        if is_in_the_clear
            && !told.iter().any(|other| other == name)
            && host.to_url_lossy().password().is_some()
        {
            told.push(name.to_owned());
        }
    }
    told
}

async fn takes_writes(host: &PgConnectOptions) -> std::result::Result<bool, sqlx::Error> {
    let mut connection: PgConnection = host.connect().await?;
    let sql = "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'";
    let takes_writes = sqlx::raw_sql(sql).fetch_one(&mut connection).await?.try_get(0)?;
    connection.close().await?;
    Ok(takes_writes)
}

/// Without this check, a missing file would look like a server that is away.
fn check_file(name: &str, path: &str) -> Result<()> {
    let unreadable = |fault| Error::Open(format!("{name} of the database URL: {fault}"));
    std::fs::File::open(path).map(drop).map_err(|fault| unreadable(format!("{path}: {fault}")))
}

fn unreadable(why: &str) -> Error {
    Error::Open(format!("the database URL cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Host (or socket folder) and port of every entry.
    fn places(url: &str) -> Vec<(String, u16)> {
        let place = |host: &PgConnectOptions| match host.get_socket() {
            Some(socket) => (socket.display().to_string(), host.get_port()),
            None => (host.get_host().to_owned(), host.get_port()),
        };
        hosts(url).unwrap().iter().map(place).collect()
    }

    #[test]
    fn a_socket_may_be_named_in_every_form_that_users_know() {
        for url in [
            "postgres://me@/shop?host=/run/pg&port=6000",
            "postgres://me@localhost/shop?host=/run/pg&port=6000",
            "postgresql:///shop?host=/run/pg&user=me&port=6000",
            "postgres://me@%2Frun%2Fpg:6000/shop",
        ] {
            assert_eq!(places(url), [("/run/pg".to_owned(), 6000)], "{url}");
            assert_eq!(hosts(url).unwrap()[0].get_database(), Some("shop"), "{url}");
            assert_eq!(hosts(url).unwrap()[0].get_username(), "me", "{url}");
        }
    }

    #[test]
    fn several_hosts_stand_in_the_url_or_in_its_query_each_with_its_port() {
        let two = [("one".to_owned(), 1), ("two".to_owned(), 2)];
        for url in [
            "postgres://me:p%40ss@one:1,two:2/shop?target_session_attrs=read-write",
            "postgres://me@/shop?host=one,two&port=1,2",
            "postgres://me@ignored:9/shop?host=one,two&port=1,2&sslmode=disable",
        ] {
            assert_eq!(places(url), two, "{url}");
        }
        assert_eq!(places("postgres://one,two/shop")[1], ("two".to_owned(), 5432));
        let same_port = places("postgres://me@/shop?host=one,two&port=7");
        assert_eq!(same_port, [("one".to_owned(), 7), ("two".to_owned(), 7)]);
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_being_quoted() {
        for url in [
            "postgres:secret",
            "postgres://me:secret@one,two/shop?target_session_attrs=standby",
            "postgres://me:secret@one:port/shop",
            &format!("postgres://me:secret@{}/shop", ["host"; 17].join(",")),
        ] {
            let said = hosts(url).unwrap_err().to_string();
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
