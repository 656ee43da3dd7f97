//! gRPC over HTTP/2 for one unary method: enough to see that calls pass, without a code generator.
//!
//! The method is `demo.Echo/Say`. Request and answer are the same protobuf message, `message Text { string text = 1; }`;
//! the answer is who answered, and what was said.

use anyhow::{Context, Result, bail};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Empty, Full};

use crate::backend::Echo;

/// Path of the only method that is implemented.
pub const ECHO: &str = "/demo.Echo/Say";

/// Status codes of gRPC that occur here.
const OK: &str = "0";
const INVALID_ARGUMENT: &str = "3";
const UNIMPLEMENTED: &str = "12";

/// Longest text; a length then fits into two bytes.
const MAX_TEXT: usize = 16_383;

/// Whether a request is a gRPC call.
pub fn is_call(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// A text as protobuf, framed: not compressed, length, message.
///
/// # Errors
/// When the text is longer than 16,383 bytes.
pub fn encode(text: &str) -> Result<Bytes> {
    if text.len() > MAX_TEXT {
        bail!("{} bytes are more than {MAX_TEXT}", text.len());
    }
    let mut message = BytesMut::new();
    message.put_u8(0x0a); // field 1, length-delimited
    if text.len() > 0x7f {
        message.put_u8((text.len() & 0x7f) as u8 | 0x80);
        message.put_u8((text.len() >> 7) as u8);
    } else {
        message.put_u8(text.len() as u8);
    }
    message.put_slice(text.as_bytes());
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put(message);
    Ok(frame.freeze())
}

/// The text in a frame made by [`encode`].
///
/// # Errors
/// When it is none.
pub fn decode(frame: &[u8]) -> Result<String> {
    let (&[compressed, a, b, c, d], message) = frame.split_first_chunk::<5>().context("no frame header")?;
    if compressed != 0 {
        bail!("compressed messages are not understood");
    }
    if u32::from_be_bytes([a, b, c, d]) as usize != message.len() {
        bail!("the frame does not hold exactly one message");
    }
    let text = match message {
        [] => message,
        [0x0a, length, rest @ ..] if *length < 0x80 && usize::from(*length) == rest.len() => rest,
        [0x0a, low, high, rest @ ..]
            if *low >= 0x80 && usize::from(low & 0x7f) | (usize::from(*high) << 7) == rest.len() =>
        {
            rest
        }
        _ => bail!("the message is no Text"),
    };
    Ok(std::str::from_utf8(text)?.to_owned())
}

/// The answer of a demo application to a call.
pub(crate) async fn answer(echo: &Echo, request: Request) -> Response {
    if request.uri().path() != ECHO {
        return failure(UNIMPLEMENTED, "only demo.Echo/Say exists");
    }
    let said = match request.into_body().collect().await {
        Ok(body) => decode(&body.to_bytes()),
        Err(error) => Err(error.into()),
    };
    match said.and_then(|said| encode(&format!("{} on {} heard {said:?}", echo.app, echo.pod))) {
        Ok(frame) => {
            let trailers = HeaderMap::from_iter([status(OK)]);
            respond(Body::new(
                Full::new(frame).with_trailers(async move { Some(Ok(trailers)) }),
            ))
        }
        Err(error) => failure(INVALID_ARGUMENT, &error.to_string()),
    }
}

fn status(code: &'static str) -> (header::HeaderName, HeaderValue) {
    (
        header::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static(code),
    )
}

/// An answer without a message has its status in the headers.
fn failure(code: &'static str, message: &str) -> Response {
    let mut response = respond(Body::new(Empty::new()));
    response.headers_mut().extend([status(code)]);
    if let Ok(message) = HeaderValue::from_str(message) {
        response.headers_mut().insert("grpc-message", message);
    }
    response
}

fn respond(body: Body) -> Response {
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Says something to a server, by a client that speaks HTTP/2 to it.
///
/// # Errors
/// When there is no answer, it is none of gRPC, or its status is not 0.
pub async fn say(client: &reqwest::Client, mut url: reqwest::Url, text: &str) -> Result<String> {
    url.set_path(ECHO);
    let response = client
        .post(url)
        .version(reqwest::Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(encode(text)?)
        .send()
        .await?;
    let (status, headers) = (response.status(), response.headers().clone());
    if !is_call(&headers) {
        bail!("status {status} without a gRPC answer");
    }
    let answer = axum::http::Response::<reqwest::Body>::from(response)
        .into_body()
        .collect()
        .await?;
    let code = answer
        .trailers()
        .and_then(|trailers| trailers.get("grpc-status"))
        .or(headers.get("grpc-status"));
    match code.map(HeaderValue::as_bytes) {
        Some(b"0") => decode(&answer.to_bytes()),
        code => bail!(
            "gRPC status {}",
            String::from_utf8_lossy(code.unwrap_or(b"missing"))
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() -> Result<()> {
        for length in [0, 1, 0x7f, 0x80, 0x81, 1000, MAX_TEXT] {
            let text = "x".repeat(length);
            assert_eq!(decode(&encode(&text)?)?, text, "{length}");
        }
        assert!(encode(&"x".repeat(MAX_TEXT + 1)).is_err());
        Ok(())
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for wrong in [
            &b""[..],
            b"\0\0\0\0",
            b"\x01\0\0\0\x02\x0a\0",
            b"\0\0\0\0\x03\x0a\0",
            b"\0\0\0\0\x02\x0a\x01",
            b"\0\0\0\0\x02\x12\0",
            b"\0\0\0\0\x03\x0a\x01\xff",
        ] {
            assert!(decode(wrong).is_err(), "{wrong:?}");
        }
    }
}
