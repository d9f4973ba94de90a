//! A TCP relay that is as far away as one likes, so that loopback costs what a real network costs.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};

use crate::task::{Task, Tasks, wait_until};

/// A relay in front of a server; it ends when dropped.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    _task: Task,
}

impl Link {
    /// Relays from a new loopback port to the target, which then is this round trip away.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start(target: SocketAddr, round_trip: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Self::start_on(listener, target, round_trip)
    }

    pub(crate) fn start_on(
        listener: TcpListener,
        target: SocketAddr,
        round_trip: Duration,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let task = Task::spawn(async move {
            let mut connections = Tasks::default();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(async move {
                    match TcpStream::connect(target).await {
                        Ok(server) => relay(client, server, round_trip).await,
                        Err(_) => reset(client),
                    }
                });
            }
        });
        Ok(Self { address, _task: task })
    }

    /// Where the relay listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Ends a connection as a killed process or a firewall does.
pub(crate) fn reset(stream: TcpStream) {
    // Without effect on a connection that is gone already, which is what is wanted.
    stream.set_zero_linger().ok();
}

enum Event {
    Bytes(Bytes),
    End,
    Reset,
}

/// Passes everything on in both directions, ends and resets too. The client's first bytes wait for
/// the round trip that a TCP handshake takes; then each direction takes half a round trip.
pub(crate) async fn relay(mut client: TcpStream, mut server: TcpStream, round_trip: Duration) {
    let connected = Instant::now() + round_trip;
    // Bytes are to be delayed on purpose and by nothing else; a socket without the option still works.
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    // Borrowed halves: an owned one sends a FIN when it is dropped, and a reset must not follow a FIN.
    let (client_read, client_write) = client.split();
    let (server_read, server_write) = server.split();
    let up = one_way(client_read, server_write, connected, round_trip / 2);
    let down = one_way(server_read, client_write, Instant::now(), round_trip / 2);
    if tokio::try_join!(up, down).is_err() {
        reset(client);
        reset(server);
    }
}

/// Fails once one of the two ends is reset.
async fn one_way(
    mut from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    not_before: Instant,
    delay: Duration,
) -> io::Result<()> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let read = async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let event = match from.read(&mut buffer).await {
                Ok(0) => Event::End,
                Ok(count) => Event::Bytes(Bytes::copy_from_slice(&buffer[..count])),
                Err(_) => Event::Reset,
            };
            let last = !matches!(event, Event::Bytes(_));
            let due = Instant::now().max(not_before) + delay;
            if sender.send((due, event)).is_err() || last {
                return Ok(());
            }
        }
    };
    tokio::try_join!(read, write(to, receiver)).map(|_| ())
}

async fn write(
    mut to: WriteHalf<'_>,
    mut events: mpsc::UnboundedReceiver<(Instant, Event)>,
) -> io::Result<()> {
    while let Some((due, event)) = events.recv().await {
        wait_until(due).await;
        match event {
            Event::Bytes(bytes) => to.write_all(&bytes).await?,
            Event::End => to.shutdown().await?,
            Event::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
    Ok(())
}
