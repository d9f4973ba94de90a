//! The proxy in each of its modes, up to a TLS handshake through its tunnel.

use std::net::{IpAddr, Ipv4Addr};

use testbed::proxy::{Connect, Mode, Proxy};
use testbed::{Scenario, World};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{HOST, assume_form, handshake, host, post};

const TARGET: &str = "sts.eu-west-1.amazonaws.com:443";

/// The first line of the answer to a CONNECT, and the connection.
async fn connect(proxy: &Proxy, target: &str, header: &str) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    (line, stream)
}

#[tokio::test]
async fn tunnels_to_sts() {
    let world = World::start(&Scenario::parse("[proxy]\n[sts]\nendpoint = \"none\"").unwrap()).await;
    let proxy = world.proxy().unwrap();
    assert_eq!(world.env()["HTTPS_PROXY"], format!("http://127.0.0.1:{}", proxy.address().port()));
    assert!(!world.env().contains_key("AWS_ENDPOINT_URL_STS"));
    let (line, stream) = connect(proxy, TARGET, "").await;
    assert_eq!(line, "HTTP/1.1 200 Connection established");
    let mut stream = handshake(stream, &world.ca_pem(), HOST).await.unwrap();
    let reply = post(&mut stream, &assume_form(world.token(), &[]), &host()).await.unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(connect(proxy, "other.example:443", "").await.0, "HTTP/1.1 502 Bad Gateway");
    let target = |target: &str| Connect { target: target.to_owned(), credentials: false };
    assert_eq!(proxy.connects(), [target(TARGET), target("other.example:443")]);
}

#[tokio::test]
async fn asks_for_credentials() {
    let scenario =
        "[proxy]\nmode = \"auth\"\ncredentials = \"corp user:p@ss/word\"\nhost = \"proxy.corp.example\"";
    let world = World::start(&Scenario::parse(scenario).unwrap()).await;
    let proxy = world.proxy().unwrap();
    let url = format!("http://corp%20user:p%40ss%2Fword@proxy.corp.example:{}", proxy.address().port());
    assert_eq!(world.env()["HTTPS_PROXY"], url);
    let denied = "HTTP/1.1 407 Proxy Authentication Required";
    assert_eq!(connect(proxy, TARGET, "").await.0, denied);
    assert_eq!(connect(proxy, TARGET, "Proxy-Authorization: Basic d3Jvbmc=\r\n").await.0, denied);
    let right = "proxy-authorization: Basic Y29ycCB1c2VyOnBAc3Mvd29yZA==\r\n";
    assert_eq!(connect(proxy, TARGET, right).await.0, "HTTP/1.1 200 Connection established");
    assert_eq!(proxy.connects().iter().map(|c| c.credentials).collect::<Vec<_>>(), [false, true, true]);
    assert!(world.secrets().iter().any(|secret| secret.value == "p@ss/word"));
}

#[tokio::test]
async fn misbehaves_as_told() {
    let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
    for (mode, expected) in [(Mode::Refuse, "HTTP/1.1 403 Forbidden"), (Mode::Close, "")] {
        let proxy = Proxy::start(loopback, [].into(), mode).await.unwrap();
        assert_eq!(connect(&proxy, TARGET, "").await.0, expected);
        assert_eq!(proxy.connects().len(), 1);
    }
    let garbage = Proxy::start(loopback, [].into(), Mode::Garbage).await.unwrap();
    let (line, _) = connect(&garbage, TARGET, "").await;
    assert!(!line.is_empty() && !line.starts_with("HTTP"), "{line}");

    let hanging = Proxy::start(loopback, [].into(), Mode::Hang).await.unwrap();
    let mut stream = TcpStream::connect(hanging.address()).await.unwrap();
    stream.write_all(format!("CONNECT {TARGET} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
    while hanging.connects().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(stream.try_read(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_refused_proxy_is_a_port_without_a_listener() {
    let world = World::start(&Scenario::parse("proxy.mode = \"refused\"").unwrap()).await;
    assert!(world.proxy().is_none());
    let address = world.env()["HTTPS_PROXY"].trim_start_matches("http://").to_owned();
    let error = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}
