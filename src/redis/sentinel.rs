//! Sentinels, which know the address of the master: `redis+sentinel://host,host:port/name`. What
//! they say is a hint; whether the server there has the accepted data is decided by its replid (P2
//! step 1).

use std::time::Duration;

use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _,
    RedisError, cmd,
};

use super::error::{Error, Result};

const PORT: u16 = 26_379;
/// How long to wait for one Sentinel, before the next one is asked.
const ANSWER_WAIT: Duration = Duration::from_millis(300);

/// The Sentinels of one master.
#[derive(Debug, Clone)]
pub(super) struct Sentinels {
    addresses: Vec<ConnectionInfo>,
    /// The name that they have for the master.
    name: String,
    /// Login, database and TLS of the master, with an address that is not used.
    template: ConnectionInfo,
}

impl Sentinels {
    /// Reads a URL `redis+sentinel://[user:password@]host[:port],…/name[/number]`, or
    /// `rediss+sentinel://…` for TLS. User and password are those of the master. `None` for a URL
    /// of another scheme.
    ///
    /// # Errors
    /// [`Error::Url`] when it names no host or no master.
    pub(super) fn of_url(url: &str) -> Result<Option<Self>> {
        let (scheme, rest) = match url.split_once("+sentinel://") {
            Some((scheme @ ("redis" | "rediss"), rest)) => (scheme, rest),
            _ => return Ok(None),
        };
        let (login, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
        let wrong = |what: &str| Error::Url(format!("it names no {what}"));
        let (hosts, path) = rest.split_once('/').ok_or_else(|| wrong("master"))?;
        let (name, number) = path.split_once('/').unwrap_or((path, ""));
        if name.is_empty() {
            return Err(wrong("master"));
        }
        if hosts.split(',').any(str::is_empty) {
            return Err(wrong("Sentinel"));
        }
        let unusable = |error: RedisError| Error::Url(error.to_string());
        let at = if login.is_empty() { "" } else { "@" };
        let template = format!("{scheme}://{login}{at}localhost/{number}");
        let template = template.as_str().into_connection_info().map_err(unusable)?;
        let with_port = |host: &str| match host.rsplit_once(':') {
            Some((_, port)) if !port.contains(']') => format!("{scheme}://{host}"),
            _ => format!("{scheme}://{host}:{PORT}"),
        };
        let address = |host| with_port(host).as_str().into_connection_info().map_err(unusable);
        let addresses = hosts.split(',').map(address).collect::<Result<_>>()?;
        Ok(Some(Self { addresses, name: name.to_owned(), template }))
    }

    /// Login, database and TLS of the master.
    pub(super) fn template(&self) -> &ConnectionInfo {
        &self.template
    }

    /// Where the master is, as the first Sentinel says that answers, from this one on. Also returns
    /// which one it was.
    ///
    /// # Errors
    /// [`Error::Unsent`] when none of them knows it.
    pub(super) async fn master(&self, first: usize) -> Result<(usize, ConnectionInfo)> {
        let mut failure = RedisError::from(std::io::Error::other("no Sentinel knows the master"));
        for turn in 0..self.addresses.len() {
            let number = (first + turn) % self.addresses.len();
            match self.ask(&self.addresses[number]).await {
                Ok(Some((host, port))) => return Ok((number, self.at(host, port))),
                Ok(None) => {}
                Err(error) => failure = error,
            }
        }
        Err(Error::Unsent(failure))
    }

    async fn ask(&self, address: &ConnectionInfo) -> ::redis::RedisResult<Option<(String, u16)>> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_WAIT))
            .set_response_timeout(Some(ANSWER_WAIT));
        let client = Client::open(address.clone())?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut question = cmd("SENTINEL");
        question.arg("get-master-addr-by-name").arg(&self.name);
        question.query_async(&mut connection).await
    }

    fn at(&self, host: String, port: u16) -> ConnectionInfo {
        let address = match self.template.addr().clone() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure, tls_params }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        self.template.clone().set_addr(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Option<Sentinels> {
        Sentinels::of_url(url).unwrap()
    }

    #[test]
    fn a_url_names_the_sentinels_and_the_login_of_the_master() {
        let url = "redis+sentinel://ada:p%40ss@one,two:7000,[::1]:7001/tickets/3";
        let sentinels = of(url).unwrap();
        let addresses: Vec<String> =
            sentinels.addresses.iter().map(|info| info.addr().to_string()).collect();
        assert_eq!(addresses, ["one:26379", "two:7000", "::1:7001"]);
        assert_eq!(sentinels.name, "tickets");
        let settings = sentinels.template.redis_settings();
        assert_eq!((settings.username(), settings.password()), (Some("ada"), Some("p@ss")));
        assert_eq!(settings.db(), 3);
        let master = sentinels.at("ten".to_owned(), 6380);
        assert_eq!(master.addr().to_string(), "ten:6380");
        assert_eq!(master.redis_settings().password(), Some("p@ss"));
    }

    #[test]
    fn other_urls_are_none_and_half_of_one_is_an_error() {
        assert!(of("redis://one/0").is_none() && of("redis+unix:///a").is_none());
        for url in ["redis+sentinel://one", "redis+sentinel://one/", "redis+sentinel://one,,/a"] {
            assert!(Sentinels::of_url(url).is_err(), "{url}");
        }
    }
}
