//! The way from containers to the stand-ins: the same ports, on the address of Docker's bridge.
//!
//! A container that `sam local invoke` starts can't reach 127.0.0.1 of its host, but it can reach the bridge. Each
//! connection there is copied, byte for byte, to the same port of 127.0.0.1. Only containers of this machine come
//! in this way.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Docker's default bridge.
const INTERFACE: &str = "docker0";

/// The address of Docker's bridge, if there is one.
pub(crate) fn address() -> Option<Ipv4Addr> {
    let mut interfaces = nix::ifaddrs::getifaddrs()
        .ok()?
        .filter(|interface| interface.interface_name == INTERFACE);
    interfaces.find_map(|bridge| Some(bridge.address?.as_sockaddr_in()?.ip()))
}

/// Copies connections until dropped.
#[derive(Debug, Default)]
pub(crate) struct Bridge {
    forwarders: JoinSet<()>,
}

impl Bridge {
    /// Forwards connections to `port` of `from` to the same port of 127.0.0.1.
    pub(crate) async fn forward(&mut self, from: Ipv4Addr, port: u16) -> anyhow::Result<()> {
        let listener = TcpListener::bind((from, port))
            .await
            .with_context(|| format!("can't listen on {from}:{port}"))?;
        self.forwarders.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => {
                            connections.spawn(copy(stream, port));
                        }
                        // Out of file descriptors, mostly: those in use must get their chance to end.
                        Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                    },
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(())
    }
}

/// Either side's end ends the other; neither has anything to say about it.
async fn copy(mut outside: TcpStream, port: u16) {
    if let Ok(mut inside) = TcpStream::connect(("127.0.0.1", port)).await {
        let _ = copy_bidirectional(&mut outside, &mut inside).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn connections_are_copied_both_ways() {
        let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = inside.local_addr().unwrap().port();
        let mut bridge = Bridge::default();
        let outside = Ipv4Addr::new(127, 0, 0, 2);
        bridge.forward(outside, port).await.unwrap();
        let mut client = TcpStream::connect((outside, port)).await.unwrap();
        client.write_all(b"ping").await.unwrap();
        let (mut server, _) = inside.accept().await.unwrap();
        let mut word = [0; 4];
        server.read_exact(&mut word).await.unwrap();
        server.write_all(&word).await.unwrap();
        drop(server);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"ping");
    }
}
