//! A client just big enough to ask STS something, and to see how a connection ends.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use testbed::clock::amz_date;
use testbed::form::encode;
use testbed::iam::Session;
use testbed::sigv4::{Signable, signature};
use testbed::sts::Sts;
use testbed::{World, sts};
use time::OffsetDateTime;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) const HOST: &str = "sts.eu-west-1.amazonaws.com";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/payments-checkout";

/// An answer, as text.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (other, value) = line.split_once(": ")?;
            other.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The text of the first element of this name.
    pub(crate) fn element(&self, name: &str) -> &str {
        let (_, rest) =
            self.body.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name}: {self:?}"));
        rest.split("</").next().unwrap()
    }

    /// Status, code and message.
    pub(crate) fn error(&self) -> (u16, &str, &str) {
        (self.status, self.element("Code"), self.element("Message"))
    }
}

pub(crate) async fn tls(address: SocketAddr, ca: &str, name: &str) -> io::Result<TlsStream<TcpStream>> {
    handshake(TcpStream::connect(address).await?, ca, name).await
}

pub(crate) async fn handshake(stream: TcpStream, ca: &str, name: &str) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Sends a form and reads one answer; the connection stays open.
pub(crate) async fn post(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    form: &str,
    headers: &[(String, String)],
) -> io::Result<Reply> {
    send(stream, "POST /", form, headers).await
}

/// Sends a request with this method and path, and reads one answer; the connection stays open.
pub(crate) async fn send(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    target: &str,
    body: &str,
    headers: &[(String, String)],
) -> io::Result<Reply> {
    let mut request = format!("{target} HTTP/1.1\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).await?;
    let mut read = Vec::new();
    let head = loop {
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let body = read.split_off(end + 4);
            break String::from_utf8(std::mem::replace(&mut read, body)).unwrap();
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let mut reply = Reply { status: head[9..12].parse().unwrap(), head, body: String::new() };
    let length: usize = reply.header("content-length").unwrap_or("0").parse().unwrap();
    let have = read.len();
    read.resize(length.max(have), 0);
    stream.read_exact(&mut read[have..]).await?;
    reply.body = String::from_utf8(read).unwrap();
    Ok(reply)
}

pub(crate) fn host() -> Vec<(String, String)> {
    vec![("host".to_owned(), HOST.to_owned())]
}

/// AssumeRoleWithWebIdentity as the probe would ask for it, with these fields in place of the usual.
pub(crate) fn assume_form(token: &str, other: &[(&str, Option<&str>)]) -> String {
    let mut fields = vec![
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", ROLE),
        ("RoleSessionName", "probe"),
        ("WebIdentityToken", token),
        ("DurationSeconds", "900"),
    ];
    for (name, value) in other {
        fields.retain(|(field, _)| field != name);
        fields.extend(value.map(|value| (*name, value)));
    }
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

pub(crate) async fn assume(world: &World, other: &[(&str, Option<&str>)]) -> Reply {
    let mut stream = tls(world.sts().address(), &world.ca_pem(), HOST).await.unwrap();
    post(&mut stream, &assume_form(world.token(), other), &host()).await.unwrap()
}

pub(crate) const IDENTITY_FORM: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// The headers of a signed GetCallerIdentity.
pub(crate) fn signed(session: &Session, at: OffsetDateTime) -> Vec<(String, String)> {
    signed_for(session, at, (HOST, "eu-west-1", "sts"), IDENTITY_FORM)
}

/// The headers of a signed form for the service on this host, in this region.
pub(crate) fn signed_for(
    session: &Session,
    at: OffsetDateTime,
    (host, region, service): (&str, &str, &str),
    form: &str,
) -> Vec<(String, String)> {
    let date = amz_date(at);
    let mut headers = vec![("host".to_owned(), host.to_owned())];
    headers.push(("x-amz-date".to_owned(), date.clone()));
    headers.push(("x-amz-security-token".to_owned(), session.session_token.clone()));
    let names: Vec<String> = headers.iter().map(|(name, _)| name.clone()).collect();
    let request = Signable { method: "POST", path: "/", query: "", headers: &headers, body: form.as_bytes() };
    let canonical = request.canonical(&names).unwrap();
    let signature = signature(&session.secret_access_key, &date, region, service, &canonical);
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{}/{region}/{service}/aws4_request, SignedHeaders={}, Signature={signature}",
        session.access_key_id,
        &date[..8],
        names.join(";"),
    );
    headers.push(("authorization".to_owned(), authorization));
    headers
}

/// An STS that speaks plain HTTP and answers by this script.
pub(crate) async fn scripted(steps: Vec<sts::Step>) -> Sts {
    Sts::start(sts::Config { assume: steps, ..sts::Config::default() }).await.unwrap()
}
