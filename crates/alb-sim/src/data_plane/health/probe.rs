//! One health check of one server.

use std::net::SocketAddr;
use std::time::Duration;

use alb_model::{HealthCheck, HealthCheckProtocol};
use bytes::Bytes;
use http::{Method, Request, Response, Version, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;

use super::super::body::{self, Body};
use super::super::tls;
use super::super::upstream::Upstream;
use super::{FailureReason, ReasonCode};

/// Checks once; the time limit is for connecting and for the answer together.
pub(super) async fn probe(check: &HealthCheck, upstream: &Upstream, port: u16) -> Result<(), FailureReason> {
    let limit = Duration::from_secs(check.timeout_s.max(1).into());
    let deadline = tokio::time::Instant::now() + limit;
    let failed = FailureReason::new;

    let address = upstream
        .socket(port)
        .map_err(|_| failed(ReasonCode::ConnectFailed))?;
    let stream = tokio::time::timeout_at(deadline, TcpStream::connect(address))
        .await
        .map_err(|_| failed(ReasonCode::ConnectTimeout))?
        .map_err(|_| failed(ReasonCode::ConnectFailed))?;
    let answer = async {
        match check.protocol {
            HealthCheckProtocol::Tcp => Ok(()),
            HealthCheckProtocol::Http => http(check, TokioIo::new(stream), address).await,
            HealthCheckProtocol::Https => {
                let name = ServerName::IpAddress(address.ip().into());
                let stream = tls::to_servers()
                    .connect(name, stream)
                    .await
                    .map_err(|_| failed(ReasonCode::ConnectFailed))?;
                http(check, TokioIo::new(stream), address).await
            }
            HealthCheckProtocol::Grpc => grpc(check, TokioIo::new(stream), address).await,
        }
    };
    tokio::time::timeout_at(deadline, answer)
        .await
        .unwrap_or_else(|_| Err(failed(ReasonCode::RecvResponseTimeout)))
}

async fn http<S>(check: &HealthCheck, io: S, address: SocketAddr) -> Result<(), FailureReason>
where
    S: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
{
    let failed = FailureReason::new;
    let (mut sender, connection) = http1::handshake(io)
        .await
        .map_err(|_| failed(ReasonCode::SendRequestFailed))?;
    let request = request(check, address).ok_or_else(|| failed(ReasonCode::SendRequestFailed))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| {
            failed(if error.is_parse() {
                ReasonCode::ResponseFormatError
            } else {
                ReasonCode::RecvResponseFailed
            })
        })?;
        status_matches(check, &response)
    };
    alongside(connection, exchange).await
}

/// The request of an HTTP or HTTPS check.
fn request(check: &HealthCheck, address: SocketAddr) -> Option<Request<Body>> {
    let version = if check.http_version.eq_ignore_ascii_case("HTTP1.0") {
        Version::HTTP_10
    } else {
        Version::HTTP_11
    };
    let host = match check.host.as_deref() {
        None | Some("" | "$SERVER_IP") => address.ip().to_string(),
        Some(host) => host.to_owned(),
    };
    Request::builder()
        .method(Method::from_bytes(check.method.as_bytes()).unwrap_or(Method::HEAD))
        .uri(&check.path)
        .version(version)
        .header(header::HOST, host)
        .header(header::USER_AGENT, "alb-health-check")
        .header(header::CONNECTION, "close")
        .body(body::empty())
        .ok()
}

fn status_matches(check: &HealthCheck, response: &Response<Incoming>) -> Result<(), FailureReason> {
    let status = response.status().as_u16();
    let class = format!("http_{}xx", status / 100);
    if check.codes.iter().any(|code| code.eq_ignore_ascii_case(&class)) {
        return Ok(());
    }
    Err(mismatch(check, status.to_string()))
}

fn mismatch(check: &HealthCheck, actual: String) -> FailureReason {
    FailureReason {
        code: ReasonCode::ResponseMismatch,
        expected: Some(check.codes.join(",")),
        actual: Some(actual),
    }
}

/// Calls the configured path with an empty message and looks at `grpc-status`.
async fn grpc<S>(check: &HealthCheck, io: S, address: SocketAddr) -> Result<(), FailureReason>
where
    S: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
{
    /// Not compressed, length 0.
    const EMPTY_MESSAGE: &[u8] = &[0; 5];
    let failed = FailureReason::new;
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io)
        .await
        .map_err(|_| failed(ReasonCode::SendRequestFailed))?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{address}{}", check.path))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(body::full(Bytes::from_static(EMPTY_MESSAGE)))
        .map_err(|_| failed(ReasonCode::SendRequestFailed))?;
    let exchange = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|_| failed(ReasonCode::RecvResponseFailed))?;
        grpc_status(response).await
    };
    let status = alongside(connection, exchange).await?;
    let Some(status) = status else {
        return Err(failed(ReasonCode::ResponseFormatError));
    };
    if grpc_code_matches(&check.codes, status) {
        Ok(())
    } else {
        Err(mismatch(check, status.to_string()))
    }
}

/// The `grpc-status` of an answer: in the trailers, or in the headers of one without content.
async fn grpc_status(response: Response<Incoming>) -> Result<Option<u16>, FailureReason> {
    let read = |headers: &http::HeaderMap| headers.get("grpc-status")?.to_str().ok()?.parse().ok();
    if let Some(status) = read(response.headers()) {
        return Ok(Some(status));
    }
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| FailureReason::new(ReasonCode::RecvResponseFailed))?;
        if let Some(trailers) = frame.trailers_ref() {
            return Ok(read(trailers));
        }
    }
    Ok(None)
}

/// Codes are numbers and ranges, such as `0` or `0-99`; none means 0.
fn grpc_code_matches(codes: &[String], status: u16) -> bool {
    let mut numbers = codes
        .iter()
        .flat_map(|c| c.split(','))
        .filter(|c| !c.starts_with("http_"))
        .peekable();
    if numbers.peek().is_none() {
        return status == 0;
    }
    numbers.any(|code| {
        let (low, high) = code.split_once('-').unwrap_or((code, code));
        let bounds = (low.trim().parse::<u16>(), high.trim().parse::<u16>());
        matches!(bounds, (Ok(low), Ok(high)) if (low..=high).contains(&status))
    })
}

/// Drives a connection while the exchange on it runs.
async fn alongside<T>(
    connection: impl Future,
    exchange: impl Future<Output = Result<T, FailureReason>>,
) -> Result<T, FailureReason> {
    let drive = async {
        connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = exchange => result,
        () = drive => Err(FailureReason::new(ReasonCode::RecvResponseFailed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_codes_are_numbers_and_ranges_and_default_to_zero() {
        let matches = |codes: &[&str], status| {
            let codes: Vec<_> = codes.iter().map(ToString::to_string).collect();
            grpc_code_matches(&codes, status)
        };
        assert!(matches(&[], 0) && !matches(&[], 12));
        assert!(matches(&["http_2xx"], 0));
        assert!(matches(&["0-99"], 12));
        assert!(matches(&["0,12"], 12) && !matches(&["0", "12"], 13));
        assert!(!matches(&["x-y"], 0));
    }
}
