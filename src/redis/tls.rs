//! Encryption of the connection to Redis.

use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use ::redis::ConnectionAddr;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::Redis;

/// The version of TLS that the server and this process agree on, such as `TLSv1.3`; `None` if the
/// connection is not encrypted. Makes a handshake on a connection of its own.
///
/// # Errors
/// When the handshake fails, or the server does not answer within the response time-out.
pub async fn tls_version(redis: &Redis) -> io::Result<Option<String>> {
    let server = redis.servers.last();
    let ConnectionAddr::TcpTls { host, port, .. } = server.client.get_connection_info().addr()
    else {
        return Ok(None);
    };
    let (host, port) = (host.clone(), *port);
    let (authorities, limit) = (redis.authorities_pem.clone(), redis.response_timeout);
    let shake = move || shake_hands(&host, port, authorities.as_deref(), limit);
    let version = tokio::task::spawn_blocking(shake).await.map_err(io::Error::other)??;
    Ok(Some(version))
}

/// The host to which the password is sent unencrypted, if there is one.
pub fn host_told_in_the_clear(redis: &Redis) -> Option<String> {
    let server = redis.servers.last();
    let info = server.client.get_connection_info();
    let ConnectionAddr::Tcp(host, _) = info.addr() else { return None };
    info.redis_settings().password().is_some().then(|| host.clone())
}

fn shake_hands(
    host: &str,
    port: u16,
    authorities_pem: Option<&[u8]>,
    limit: Duration,
) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    match authorities_pem {
        Some(pem) => {
            for authority in CertificateDer::pem_slice_iter(pem) {
                let authority = authority.map_err(io::Error::other)?;
                roots.add(authority).map_err(io::Error::other)?;
            }
        }
        None => {
            // Certificates that cannot be read are ignored.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let address = (host, port).to_socket_addrs()?.next();
    let address = address.ok_or_else(|| io::Error::other("the host has no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    let version = session.protocol_version();
    version
        .map(|version| format!("{version:?}").replace('_', "."))
        .ok_or_else(|| io::Error::other("no version was agreed on"))
}
