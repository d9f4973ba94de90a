//! Ports behind which nothing answers: one that refuses, and one that swallows.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A loopback port on which nothing listens. It stays bound, so that nobody else gets it meanwhile.
#[derive(Debug)]
pub struct RefusedPort {
    address: SocketAddr,
    _bound: TcpSocket,
}

/// A port that refuses connections for as long as the value lives.
///
/// # Errors
/// If no socket can be bound.
pub fn refused_port() -> io::Result<RefusedPort> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::from(Ipv4Addr::LOCALHOST), 0).into())?;
    Ok(RefusedPort { address: socket.local_addr()?, _bound: socket })
}

impl RefusedPort {
    /// Where connections are refused.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A listener whose queue is full: Linux drops further SYNs, as a firewall without manners does.
#[derive(Debug)]
pub struct BlackHole {
    address: SocketAddr,
    _listener: TcpListener,
    _filler: TcpStream,
}

/// An address at which a connect neither succeeds nor fails for as long as the value lives.
///
/// # Errors
/// If no socket can be bound.
pub async fn black_hole() -> io::Result<BlackHole> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::from(Ipv4Addr::LOCALHOST), 0).into())?;
    // A backlog of zero has room for one connection.
    let listener = socket.listen(0)?;
    let address = listener.local_addr()?;
    let filler = TcpStream::connect(address).await?;
    Ok(BlackHole { address, _listener: listener, _filler: filler })
}

impl BlackHole {
    /// Where connects hang.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
