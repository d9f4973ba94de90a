//! Ports without an answer, what a server can do to a connection at once, and the link in between.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use testbed::faults::{black_hole, refused_port};
use testbed::link::Link;
use testbed::{Scenario, World};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::client::{HOST, assume, tls};

#[tokio::test]
async fn a_refused_port_refuses() {
    let port = refused_port().unwrap();
    let error = TcpStream::connect(port.address()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_black_hole_swallows() {
    let hole = black_hole().await.unwrap();
    for _ in 0..3 {
        assert!(timeout(Duration::from_millis(300), TcpStream::connect(hole.address())).await.is_err());
    }
}

async fn accepting(how: &str) -> World {
    World::start(&Scenario::parse(&format!("sts.accept = \"{how}\"")).unwrap()).await
}

#[tokio::test]
async fn sts_breaks_off_before_tls() {
    for (how, kind, text) in [
        ("refused", ErrorKind::ConnectionRefused, ""),
        ("reset", ErrorKind::ConnectionReset, ""),
        ("plain-http", ErrorKind::InvalidData, "InvalidContentType"),
        ("garbage", ErrorKind::InvalidData, "InvalidContentType"),
    ] {
        let world = accepting(how).await;
        let error = tls(world.sts().address(), &world.ca_pem(), HOST).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{how}: {error:?}");
        assert!(format!("{error:?}").contains(text), "{how}: {error:?}");
    }
}

#[tokio::test]
async fn sts_says_nothing() {
    let world = accepting("hang").await;
    let mut stream = TcpStream::connect(world.sts().address()).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    while world.sts().connections() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stream.try_read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);

    let world = accepting("black-hole").await;
    assert!(timeout(Duration::from_millis(300), TcpStream::connect(world.sts().address())).await.is_err());
}

/// A server that sends back what it gets, and resets the connection when it gets an `R`.
async fn echo() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

async fn serve_echo(listener: TcpListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut buffer = [0; 1000];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if buffer[..count].contains(&b'R') {
            stream.set_zero_linger().unwrap();
            return;
        }
        stream.write_all(&buffer[..count]).await.unwrap();
    }
}

#[tokio::test]
async fn a_link_takes_its_time_and_keeps_the_order() {
    for round_trip in [Duration::ZERO, Duration::from_millis(40)] {
        let listener = echo().await;
        let link = Link::start(listener.local_addr().unwrap(), round_trip).await.unwrap();
        tokio::spawn(serve_echo(listener));
        let started = Instant::now();
        let mut stream = TcpStream::connect(link.address()).await.unwrap();
        let sent: Vec<u8> =
            (0..200_u8).collect::<Vec<_>>().into_iter().filter(|byte| *byte != b'R').collect();
        for chunk in sent.chunks(7) {
            stream.write_all(chunk).await.unwrap();
        }
        let mut received = vec![0; sent.len()];
        stream.read_exact(&mut received[..1]).await.unwrap();
        assert!(started.elapsed() >= 2 * round_trip, "one for the connect, one for the echo");
        stream.read_exact(&mut received[1..]).await.unwrap();
        assert_eq!(sent, received);
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read(&mut received).await.unwrap(), 0, "the end is passed on");
    }
}

#[tokio::test]
async fn a_link_passes_a_reset_on() {
    let listener = echo().await;
    let link = Link::start(listener.local_addr().unwrap(), Duration::from_millis(2)).await.unwrap();
    tokio::spawn(serve_echo(listener));
    let mut stream = TcpStream::connect(link.address()).await.unwrap();
    stream.write_all(b"R").await.unwrap();
    let error = stream.read(&mut [0; 1]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_world_can_be_far_away() {
    let scenario = "sts.round_trip = \"30ms\"\nsts.assume = [{ fault = \"reset\" }]\nsts.identity = []";
    let world = World::start(&Scenario::parse(scenario).unwrap()).await;
    let started = Instant::now();
    let mut stream = tls(world.sts().address(), &world.ca_pem(), HOST).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(60), "one round trip for TCP, one for TLS 1.3");
    let reset = crate::client::post(&mut stream, "Action=AssumeRoleWithWebIdentity", &[]).await;
    assert_eq!(reset.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let near = World::start(&Scenario::default()).await;
    assert_eq!(assume(&near, &[]).await.status, 200);
}
