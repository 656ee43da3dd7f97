//! Requests through the ALB, written byte for byte as a case says: no client library tidies up paths, hosts or headers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use examples::backend::Echo;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::{HeaderMap, Method, Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A request and how its connection is made.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Method.
    pub method: Method,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// `Host` header; empty is the socket's address.
    pub host: String,
    /// Port of the listener, as configured.
    pub port: u16,
    /// Path and query, sent as they stand.
    pub target: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// Server name of the TLS handshake; `None` is the host.
    pub sni: Option<String>,
    /// Offer HTTP/2 (TLS only).
    pub http2: bool,
    /// Address to connect from; `None` leaves it to the system.
    pub from: Option<IpAddr>,
    /// Certificate that the server must show, or have signed; `None` takes any.
    pub trust: Option<CertificateDer<'static>>,
}

impl Ask {
    /// A GET of an `http://` or `https://` URL. What follows the authority is sent as it stands.
    ///
    /// # Errors
    /// When it is no such URL.
    pub fn get(url: &str) -> Result<Self> {
        let (scheme, rest) = url
            .split_once("://")
            .with_context(|| format!("{url}: no scheme"))?;
        let tls = match scheme {
            "http" => false,
            "https" => true,
            _ => bail!("{url}: unknown scheme"),
        };
        let (authority, target) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, port.parse()?),
            None => (authority, if tls { 443 } else { 80 }),
        };
        Ok(Self {
            method: Method::GET,
            tls,
            host: host.to_owned(),
            port,
            target: target.to_owned(),
            headers: Vec::new(),
            sni: None,
            http2: false,
            from: None,
            trust: None,
        })
    }

    /// With this method.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// What the demo application saw, if one answered.
    pub echo: Option<Echo>,
    /// Certificate the server showed.
    pub certificate: Option<CertificateDer<'static>>,
}

impl Reply {
    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Application that answered, or nothing.
    pub fn app(&self) -> &str {
        self.echo.as_ref().map_or("", |echo| &echo.app)
    }

    /// A header as the server saw it, or nothing.
    pub fn seen(&self, name: &str) -> &str {
        self.echo
            .as_ref()
            .and_then(|echo| echo.headers.get(name))
            .map_or("", String::as_str)
    }

    /// Status and who answered, or where it leads: `200 shop`, `308 https://…`, `404`.
    pub fn summary(&self) -> String {
        format!("{} {}{}", self.status, self.app(), self.header("location"))
            .trim_end()
            .to_owned()
    }
}

async fn connect(address: SocketAddr, ask: &Ask) -> Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let Some(from) = ask.from {
        socket.bind((from, 0).into())?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A TLS connection to a listener's socket, as a request asks for it.
///
/// # Errors
/// When there is none.
pub async fn connect_tls(address: SocketAddr, ask: &Ask) -> Result<TlsStream<TcpStream>> {
    let stream = connect(address, ask).await?;
    let name = ask.sni.as_ref().unwrap_or(&ask.host);
    let name = ServerName::try_from(name.clone()).with_context(|| format!("{name}: no server name"))?;
    let connector = TlsConnector::from(Arc::new(client_config(ask)?));
    connector.connect(name, stream).await.context("TLS")
}

/// Sends a request to a listener's socket on a connection of its own.
///
/// # Errors
/// When there is no connection or no answer.
pub async fn send(address: SocketAddr, ask: &Ask) -> Result<Reply> {
    if !ask.tls {
        let stream = connect(address, ask).await?;
        return over_http1(stream, address, ask).await;
    }
    let stream = connect_tls(address, ask).await?;
    let session = stream.get_ref().1;
    let certificate = session
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map(|leaf| leaf.clone().into_owned());
    let mut reply = if session.alpn_protocol() == Some(b"h2") {
        over_http2(stream, ask).await?
    } else {
        over_http1(stream, address, ask).await?
    };
    reply.certificate = certificate;
    Ok(reply)
}

async fn over_http1<S>(stream: S, address: SocketAddr, ask: &Ask) -> Result<Reply>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let host = if ask.host.is_empty() {
        address.to_string()
    } else {
        ask.host.clone()
    };
    let request = request(ask, &ask.target).header("host", host);
    let reply = read(
        sender
            .send_request(request.body(Full::<Bytes>::default())?)
            .await?,
    )
    .await;
    connection.abort();
    reply
}

async fn over_http2<S>(stream: S, ask: &Ask) -> Result<Reply>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let uri = format!("https://{}{}", ask.host, ask.target);
    let request = request(ask, &uri).version(Version::HTTP_2);
    let reply = read(
        sender
            .send_request(request.body(Full::<Bytes>::default())?)
            .await?,
    )
    .await;
    connection.abort();
    reply
}

fn request(ask: &Ask, uri: &str) -> hyper::http::request::Builder {
    let mut request = Request::builder().method(ask.method.clone()).uri(uri);
    for (name, value) in &ask.headers {
        request = request.header(name, value);
    }
    request
}

async fn read(response: hyper::Response<hyper::body::Incoming>) -> Result<Reply> {
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let is_json = head
        .headers
        .get("content-type")
        .is_some_and(|t| t == "application/json");
    let echo: Option<Echo> = is_json.then(|| serde_json::from_slice(&body).ok()).flatten();
    Ok(Reply {
        status: head.status.as_u16(),
        headers: head.headers,
        echo: echo.filter(|echo| !echo.app.is_empty()),
        body,
        certificate: None,
    })
}

fn client_config(ask: &Ask) -> Result<rustls::ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let mut config = if let Some(trusted) = &ask.trust {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(trusted.clone())?;
        builder.with_root_certificates(roots).with_no_client_auth()
    } else {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth()
    };
    if ask.http2 {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(config)
}

/// Takes whatever certificate is shown; a test looks at it afterwards.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
