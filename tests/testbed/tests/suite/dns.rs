//! The DNS server, asked over UDP and TCP, in each of its modes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use testbed::dns::{A, AAAA, Dns, Mode, Query, Record, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn start(mode: Mode) -> Dns {
    let records = vec![
        Record::new(".amazonaws.com", LOCALHOST),
        Record { name: "both.example".into(), addresses: vec![LOCALHOST, "::1".parse().unwrap()] },
    ];
    Dns::start(LOCALHOST, records, mode, Duration::ZERO).await.unwrap()
}

fn question(name: &str, record_type: u16) -> Vec<u8> {
    let mut message = vec![0xab, 0xcd, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).unwrap());
        message.extend(label.bytes());
    }
    message.push(0);
    message.extend(record_type.to_be_bytes());
    message.extend([0, 1]);
    message
}

async fn udp(server: SocketAddr, message: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind((LOCALHOST, 0)).await.unwrap();
    socket.send_to(message, server).await.unwrap();
    let mut answer = vec![0; 512];
    let length = socket.recv(&mut answer).await.unwrap();
    answer.truncate(length);
    answer
}

/// The response code and the last bytes: those of the address, if there is one.
fn outcome(answer: &[u8]) -> (u8, usize, Ipv4Addr) {
    assert_eq!(answer[..2], [0xab, 0xcd]);
    assert_eq!(answer[2], 0x81, "a response to a query that wished recursion");
    let last: [u8; 4] = answer[answer.len() - 4..].try_into().unwrap();
    (answer[3] & 0x0f, usize::from(answer[7]), last.into())
}

#[tokio::test]
async fn knows_its_names() {
    let dns = start(Mode::Normal).await;
    let ask = async |name, kind| outcome(&udp(dns.address(), &question(name, kind)).await);
    assert_eq!(ask("sts.eu-west-1.amazonaws.com", A).await, (0, 1, Ipv4Addr::LOCALHOST));
    assert_eq!(ask("STS.Amazonaws.com", A).await, (0, 1, Ipv4Addr::LOCALHOST));
    assert_eq!(ask("sts.amazonaws.com", AAAA).await.1, 0);
    assert_eq!(ask("both.example", AAAA).await, (0, 1, Ipv4Addr::new(0, 0, 0, 1)));
    for unknown in ["amazonaws.com.evil.example", "notamazonaws.com", "sub.both.example"] {
        assert_eq!(ask(unknown, A).await.0, 3, "{unknown}");
    }
    let first =
        Query { name: "sts.eu-west-1.amazonaws.com".into(), record_type: A, transport: Transport::Udp };
    assert_eq!(dns.queries()[0], first);
    assert_eq!(dns.queries()[1].name, "sts.amazonaws.com");
}

#[tokio::test]
async fn speaks_tcp_on_the_same_port() {
    let dns = start(Mode::Normal).await;
    let mut stream = TcpStream::connect(dns.address()).await.unwrap();
    for _ in 0..2 {
        let message = question("sts.amazonaws.com", A);
        stream.write_u16(u16::try_from(message.len()).unwrap()).await.unwrap();
        stream.write_all(&message).await.unwrap();
        let length = stream.read_u16().await.unwrap();
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(outcome(&answer), (0, 1, Ipv4Addr::LOCALHOST));
    }
    assert_eq!(dns.queries()[1].transport, Transport::Tcp);
}

#[tokio::test]
async fn misbehaves_as_told() {
    for (mode, code) in [(Mode::Nxdomain, 3), (Mode::Servfail, 2), (Mode::Refused, 5), (Mode::Empty, 0)] {
        let dns = start(mode).await;
        let answer = udp(dns.address(), &question("sts.amazonaws.com", A)).await;
        assert_eq!((outcome(&answer).0, outcome(&answer).1), (code, 0), "{mode:?}");
    }
    let garbage = start(Mode::Garbage).await;
    assert_ne!(udp(garbage.address(), &question("sts.amazonaws.com", A)).await[..2], [0xab, 0xcd]);
}

#[tokio::test]
async fn changes_while_it_runs() {
    let dns = start(Mode::Normal).await;
    let code = async || outcome(&udp(dns.address(), &question("sts.amazonaws.com", A)).await).0;
    assert_eq!(code().await, 0);
    dns.set_mode(Mode::Servfail);
    assert_eq!(code().await, 2);
    dns.set_mode(Mode::Normal);
    assert_eq!(code().await, 0);
}

/// A silent server still hears: the second of two servers answers a query sent after that to the first.
#[tokio::test]
async fn records_what_it_does_not_answer() {
    let dns = start(Mode::Silent).await;
    let socket = UdpSocket::bind((LOCALHOST, 0)).await.unwrap();
    socket.send_to(&question("sts.amazonaws.com", A), dns.address()).await.unwrap();
    while dns.queries().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(socket.try_recv(&mut [0; 512]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn what_is_no_query_gets_no_answer() {
    let dns = start(Mode::Normal).await;
    let socket = UdpSocket::bind((LOCALHOST, 0)).await.unwrap();
    let mut truncated = question("sts.amazonaws.com", A);
    truncated.truncate(20);
    for junk in [&b""[..], b"junk", &truncated, &[0xff; 64]] {
        socket.send_to(junk, dns.address()).await.unwrap();
    }
    assert_eq!(outcome(&udp(dns.address(), &question("sts.amazonaws.com", A)).await).0, 0);
    assert_eq!(dns.queries().len(), 1);
}
