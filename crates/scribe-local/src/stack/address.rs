//! Where people find the API: `SCRIBE_ADDR`.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;

/// Reads `SCRIBE_ADDR`.
///
/// # Errors
/// If it is neither `address:port` nor `localhost:port`.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let localhost = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let address = localhost.map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    address
        .or_else(|| text.parse().ok())
        .ok_or_else(|| "write address:port, such as 127.0.0.1:3000".to_owned())
}

/// Listens there.
pub(crate) async fn listen_for_people(address: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!(
                "SCRIBE_ADDR: another program listens on {address}; stop it, or choose another address, such as \
                 SCRIBE_ADDR={}:{}",
                address.ip(),
                address.port().checked_add(1).unwrap_or(3000)
            )
        }
        Err(error) => Err(error).with_context(|| format!("SCRIBE_ADDR: can't listen on {address}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        assert_eq!(
            parse_address("localhost:3001").unwrap().to_string(),
            "127.0.0.1:3001"
        );
        assert_eq!(parse_address("[::1]:3000").unwrap().to_string(), "[::1]:3000");
        assert!(parse_address("3000").is_err());
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let refusal = listen_for_people(address).await.unwrap_err().to_string();
        assert!(
            refusal.contains("SCRIBE_ADDR") && refusal.contains(&address.to_string()),
            "{refusal}"
        );
    }
}
