//! A DNS server on loopback, over UDP and TCP, that knows a few names and can misbehave.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::{Duration, Instant};

use crate::task::{Task, Tasks, wait_until};

/// The record type of IPv4 addresses.
pub const A: u16 = 1;
/// The record type of IPv6 addresses.
pub const AAAA: u16 = 28;

const TTL: u32 = 60;

/// How the server answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Known names resolve, others do not exist.
    #[default]
    Normal,
    /// No name exists.
    Nxdomain,
    /// Every query fails.
    Servfail,
    /// Every query is refused.
    Refused,
    /// No answer ever.
    Silent,
    /// Every name exists and has no address.
    Empty,
    /// Answers that are no DNS messages.
    Garbage,
    /// As normal for IPv4; for IPv6 no answer ever, as some middleboxes do it.
    SilentForIpv6,
}

/// Names and their addresses.
#[derive(Clone, Debug)]
pub struct Record {
    /// A name, or with a leading dot all names under it.
    pub name: String,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
}

impl Record {
    /// This name, or all names under it if it begins with a dot, at one address.
    #[must_use]
    pub fn new(name: &str, address: IpAddr) -> Self {
        Self { name: name.to_owned(), addresses: vec![address] }
    }

    fn covers(&self, name: &str) -> bool {
        if self.name.starts_with('.') { name.ends_with(&self.name) } else { name == self.name }
    }
}

/// How a query came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In a datagram.
    Udp,
    /// On a connection.
    Tcp,
}

/// A query that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The name, in lower case, without the last dot.
    pub name: String,
    /// The record type: [`A`], [`AAAA`] or another.
    pub record_type: u16,
    /// How it came.
    pub transport: Transport,
}

/// A running DNS server; it ends when dropped.
#[derive(Debug)]
pub struct Dns {
    address: SocketAddr,
    state: Arc<State>,
    _tasks: [Task; 2],
}

#[derive(Debug)]
struct State {
    records: Vec<Record>,
    mode: Mutex<Mode>,
    delay: Duration,
    queries: Mutex<Vec<Query>>,
}

impl Dns {
    /// Starts it at a free port of this address; each answer takes the delay.
    ///
    /// # Errors
    /// If no port is free for both UDP and TCP.
    pub async fn start(
        listen: IpAddr,
        records: Vec<Record>,
        mode: Mode,
        delay: Duration,
    ) -> io::Result<Self> {
        let (udp, tcp) = bind(listen).await?;
        let address = udp.local_addr()?;
        let state = Arc::new(State { records, mode: Mutex::new(mode), delay, queries: Mutex::default() });
        let tasks = [
            Task::spawn(serve_udp(udp, Arc::clone(&state))),
            Task::spawn(serve_tcp(tcp, Arc::clone(&state))),
        ];
        Ok(Self { address, state, _tasks: tasks })
    }

    /// Where it listens, by UDP and by TCP.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it answers in this way.
    pub fn set_mode(&self, mode: Mode) {
        *self.state.mode.lock().unwrap() = mode;
    }

    /// The queries so far.
    #[must_use]
    pub fn queries(&self) -> Vec<Query> {
        self.state.queries.lock().unwrap().clone()
    }
}

/// One free port for both. The kernel picks it for UDP, so TCP may have lost it to somebody else.
async fn bind(listen: IpAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut last = None;
    for _ in 0..20 {
        let udp = UdpSocket::bind((listen, 0)).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

async fn serve_udp(socket: UdpSocket, state: Arc<State>) {
    let socket = Arc::new(socket);
    let mut answers = Tasks::default();
    let mut buffer = vec![0; 64 * 1024];
    while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
        let Some(answer) = state.answer(&buffer[..length], Transport::Udp) else {
            continue;
        };
        let (socket, delay) = (Arc::clone(&socket), state.delay);
        answers.spawn(async move {
            wait_until(Instant::now() + delay).await;
            // A client that no longer waits is none of the server's business.
            socket.send_to(&answer, client).await.ok();
        });
    }
}

async fn serve_tcp(listener: TcpListener, state: Arc<State>) {
    let mut connections = Tasks::default();
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        connections.spawn(async move {
            connection(stream, &state).await.ok();
        });
    }
}

async fn connection(mut stream: TcpStream, state: &State) -> io::Result<()> {
    loop {
        let length = stream.read_u16().await?;
        let mut query = vec![0; usize::from(length)];
        stream.read_exact(&mut query).await?;
        if let Some(answer) = state.answer(&query, Transport::Tcp) {
            wait_until(Instant::now() + state.delay).await;
            let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
            stream.write_all(&[&length.to_be_bytes(), answer.as_slice()].concat()).await?;
        }
    }
}

impl State {
    /// Records the query and answers it; what is no query gets no answer.
    fn answer(&self, message: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let (name, record_type, question) = parse(message)?;
        let query = Query { name: name.clone(), record_type, transport };
        self.queries.lock().unwrap().push(query);
        const NO_ERROR: u8 = 0;
        const SERVFAIL: u8 = 2;
        const NXDOMAIN: u8 = 3;
        const REFUSED: u8 = 5;
        let mode = *self.mode.lock().unwrap();
        let record = self.records.iter().find(|record| record.covers(&name));
        let (code, addresses) = match (mode, record) {
            (Mode::Silent, _) => return None,
            (Mode::SilentForIpv6, _) if record_type == AAAA => return None,
            (Mode::Garbage, _) => return Some(b"\xffthis is no DNS message\x00\xfe".to_vec()),
            (Mode::Servfail, _) => (SERVFAIL, &[][..]),
            (Mode::Refused, _) => (REFUSED, &[][..]),
            (Mode::Empty, _) => (NO_ERROR, &[][..]),
            (Mode::Normal | Mode::SilentForIpv6, Some(record)) => (NO_ERROR, record.addresses.as_slice()),
            (Mode::Nxdomain, _) | (Mode::Normal | Mode::SilentForIpv6, None) => (NXDOMAIN, &[][..]),
        };
        let addresses: Vec<Vec<u8>> = addresses
            .iter()
            .filter_map(|address| match address {
                IpAddr::V4(address) if record_type == A => Some(address.octets().to_vec()),
                IpAddr::V6(address) if record_type == AAAA => Some(address.octets().to_vec()),
                _ => None,
            })
            .collect();
        let count = u16::try_from(addresses.len()).ok()?;
        // The id and the wish for recursion come back; the answer is one, and recursion was available.
        let mut answer = vec![message[0], message[1], 0x80 | (message[2] & 0x01), 0x80 | code];
        for section in [1, count, 0, 0] {
            answer.extend(section.to_be_bytes());
        }
        answer.extend(question);
        for address in addresses {
            answer.extend([0xc0, 12]);
            answer.extend(record_type.to_be_bytes());
            answer.extend(1_u16.to_be_bytes());
            answer.extend(TTL.to_be_bytes());
            answer.extend(u16::try_from(address.len()).ok()?.to_be_bytes());
            answer.extend(address);
        }
        Some(answer)
    }
}

/// The name, the type and the bytes of a query's one question.
fn parse(message: &[u8]) -> Option<(String, u16, &[u8])> {
    let header = message.get(..12)?;
    let is_query = header[2] & 0x80 == 0;
    if !is_query || header[4..6] != [0, 1] {
        return None;
    }
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        match length {
            0 => break,
            1..64 => labels.push(String::from_utf8_lossy(message.get(at..at + length)?).to_ascii_lowercase()),
            _ => return None,
        }
        at += length;
    }
    let record_type = u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]);
    Some((labels.join("."), record_type, message.get(12..at + 4)?))
}
