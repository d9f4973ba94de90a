//! An HTTP proxy that tunnels by CONNECT to the servers of a world, and its faults.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Duration;

use crate::link;
use crate::task::{Task, Tasks};

const LONGEST_HEAD: usize = 64 * 1024;

/// How the proxy answers a CONNECT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// With a tunnel.
    #[default]
    Normal,
    /// With a tunnel for who sends these `user:password`, else with 407.
    Auth(String),
    /// With 403.
    Refuse,
    /// Not at all.
    Hang,
    /// With bytes that are no HTTP.
    Garbage,
    /// By closing the connection.
    Close,
}

/// A CONNECT that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// `HOST:PORT`
    pub target: String,
    /// Whether credentials came with it.
    pub credentials: bool,
}

/// A running proxy; it ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    _task: Task,
}

#[derive(Debug)]
struct State {
    routes: HashMap<String, SocketAddr>,
    mode: Mode,
    connects: Mutex<Vec<Connect>>,
}

impl Proxy {
    /// Starts it at a free port of this address with routes from `HOST:PORT` to addresses; it knows no other target.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start(listen: IpAddr, routes: HashMap<String, SocketAddr>, mode: Mode) -> io::Result<Self> {
        let listener = TcpListener::bind((listen, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { routes, mode, connects: Mutex::default() });
        let serving = Arc::clone(&state);
        let task = Task::spawn(async move {
            let mut connections = Tasks::default();
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&serving);
                connections.spawn(async move {
                    connection(stream, &state).await.ok();
                });
            }
        });
        Ok(Self { address, state, _task: task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The CONNECTs so far.
    #[must_use]
    pub fn connects(&self) -> Vec<Connect> {
        self.state.connects.lock().unwrap().clone()
    }
}

async fn connection(mut client: TcpStream, state: &State) -> io::Result<()> {
    let (head, rest) = read_head(&mut client).await?;
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let credentials = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("proxy-authorization").then(|| value.trim().to_owned())
    });
    if method != "CONNECT" {
        return say(&mut client, "405 Method Not Allowed", "Allow: CONNECT\r\n").await;
    }
    let connect = Connect { target: target.to_owned(), credentials: credentials.is_some() };
    state.connects.lock().unwrap().push(connect);
    match &state.mode {
        Mode::Normal => {}
        Mode::Auth(wanted) => {
            if credentials != Some(format!("Basic {}", BASE64.encode(wanted))) {
                let header = "Proxy-Authenticate: Basic realm=\"testbed\"\r\n";
                return say(&mut client, "407 Proxy Authentication Required", header).await;
            }
        }
        Mode::Refuse => return say(&mut client, "403 Forbidden", "").await,
        Mode::Hang => std::future::pending().await,
        Mode::Garbage => {
            client.write_all(b"\x00\xff\x13garbage\x7f\r\n\r\n").await?;
            return client.shutdown().await;
        }
        Mode::Close => return Ok(()),
    }
    let Some(address) = state.routes.get(target) else {
        return say(&mut client, "502 Bad Gateway", "").await;
    };
    let mut server = match TcpStream::connect(address).await {
        Ok(server) => server,
        Err(_) => return say(&mut client, "502 Bad Gateway", "").await,
    };
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    server.write_all(&rest).await?;
    link::relay(client, server, Duration::ZERO).await;
    Ok(())
}

/// The head of the request, and what came after it.
async fn read_head(client: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&read).into_owned(), rest));
        }
        if read.len() > LONGEST_HEAD || client.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

async fn say(client: &mut TcpStream, status: &str, header: &str) -> io::Result<()> {
    let answer = format!("HTTP/1.1 {status}\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n");
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}
