//! Addresses to listen on, in the forms that people use.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};

/// Reads `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080` or any other name of this machine, and
/// `:8080` for all of its IPv4 addresses.
///
/// # Errors
/// A sentence that lists these forms.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Some(port) = text.strip_prefix(':').and_then(|port| port.parse().ok()) {
        return Ok((Ipv4Addr::UNSPECIFIED, port).into());
    }
    let addresses: Vec<SocketAddr> = text
        .to_socket_addrs()
        .map_err(|_| "must be ADDRESS:PORT, NAME:PORT or :PORT".to_owned())?
        .collect();
    let address = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
    address.copied().ok_or_else(|| "has no address".to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_address_is_read_as_people_write_it() {
        for (text, address) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            ("localhost:80", "127.0.0.1:80"),
            (":80", "0.0.0.0:80"),
        ] {
            assert_eq!(super::address(text).unwrap().to_string(), address, "{text}");
        }
        for text in ["", "localhost", ":", ":99999", "127.0.0.1", "80"] {
            assert!(super::address(text).is_err(), "{text}");
        }
    }
}
