//! Compression of answers (`GzipEnabled`).
//!
//! The API documents the switch and nothing else. Unverified on a real instance are therefore the content types, the
//! statuses (both as nginx and its kin have them), the least size (that of Alibaba Cloud's CDN), and that fixed
//! responses are compressed like the answers of servers. Brotli is not modelled.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header, request};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;

use super::body::{Body, BodyError};

/// Content types that are compressed.
const CONTENT_TYPES: &[&str] = &[
    "application/atom+xml",
    "application/javascript",
    "application/json",
    "application/rss+xml",
    "application/x-javascript",
    "application/xml",
    "text/css",
    "text/html",
    "text/plain",
    "text/xml",
];

/// Statuses whose answers are compressed.
const STATUSES: &[StatusCode] = &[StatusCode::OK, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND];

/// An answer whose length is known is compressed from this number of bytes on.
const LEAST_BYTES: u64 = 1024;

/// Whether a client that sent this head takes gzip.
pub(super) fn accepted(request: &request::Parts) -> bool {
    request.method != Method::HEAD && request.version >= Version::HTTP_11 && accepts_gzip(&request.headers)
}

/// `gzip` or `*` with a quality above 0; the name counts before the asterisk (RFC 9110 §12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut any = None;
    let codings = headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    for coding in codings {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts
            .find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")))
            .map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
        if name.eq_ignore_ascii_case("gzip") {
            return quality > 0.0;
        }
        if name == "*" {
            any = Some(quality > 0.0);
        }
    }
    any.unwrap_or(false)
}

/// Compresses an answer if it is one to compress.
pub(super) fn gzip(response: Response<Body>) -> Response<Body> {
    if !is_compressible(&response) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let headers = &mut head.headers;
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::ACCEPT_RANGES);
    weaken_etag(headers);
    Response::from_parts(head, GzipBody::new(body).boxed_unsync())
}

fn is_compressible(response: &Response<Body>) -> bool {
    let headers = response.headers();
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    let content_type = text(header::CONTENT_TYPE).and_then(|t| t.split(';').next());
    let length = text(header::CONTENT_LENGTH)
        .and_then(|length| length.parse().ok())
        .or_else(|| response.body().size_hint().exact());
    STATUSES.contains(&response.status())
        && !headers.contains_key(header::CONTENT_ENCODING)
        && !text(header::CACHE_CONTROL).is_some_and(|c| c.contains("no-transform"))
        && content_type.is_some_and(|found| {
            CONTENT_TYPES
                .iter()
                .any(|known| known.eq_ignore_ascii_case(found.trim()))
        })
        && length.is_none_or(|length| length >= LEAST_BYTES)
}

/// The compressed form has other bytes: a strong validator no longer holds.
fn weaken_etag(headers: &mut HeaderMap) {
    let weak = headers
        .get(header::ETAG)
        .filter(|tag| !tag.as_bytes().starts_with(b"W/"))
        .and_then(|tag| HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).ok());
    if let Some(weak) = weak {
        headers.insert(header::ETAG, weak);
    }
}

/// Compresses what the inner body gives, and passes it on whenever the inner body pauses, so that a server that streams
/// stays a server that streams.
struct GzipBody {
    inner: Body,
    /// `None` once the compressed stream has ended.
    encoder: Option<GzEncoder<Vec<u8>>>,
    /// Whether something went in since the last flush.
    unflushed: bool,
    trailers: Option<HeaderMap>,
}

impl GzipBody {
    fn new(inner: Body) -> Self {
        Self {
            inner,
            encoder: Some(GzEncoder::new(Vec::new(), Compression::fast())),
            unflushed: false,
            trailers: None,
        }
    }

    /// Compressed bytes that are ready, once there are enough to be worth a frame.
    fn ready(&mut self, at_least: usize) -> Option<Bytes> {
        let output = self.encoder.as_mut()?.get_mut();
        (output.len() >= at_least.max(1)).then(|| std::mem::take(output).into())
    }

    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        if let Some(encoder) = &mut self.encoder {
            encoder.write_all(data)?;
            self.unflushed = true;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(encoder) = self.encoder.as_mut().filter(|_| self.unflushed) {
            encoder.flush()?;
            self.unflushed = false;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<Option<Bytes>> {
        let Some(encoder) = self.encoder.take() else {
            return Ok(None);
        };
        Ok(Some(encoder.finish()?.into()))
    }
}

/// Compressed bytes that make a frame while more may follow at once.
const FRAME_BYTES: usize = 16 * 1024;

impl http_body::Body for GzipBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while self.encoder.is_some() {
            let Poll::Ready(next) = Pin::new(&mut self.inner).poll_frame(cx) else {
                self.flush()?;
                return self
                    .ready(1)
                    .map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))));
            };
            match next.transpose()? {
                Some(frame) => match frame.into_data() {
                    Ok(data) => {
                        self.write(&data)?;
                        if let Some(bytes) = self.ready(FRAME_BYTES) {
                            return Poll::Ready(Some(Ok(Frame::data(bytes))));
                        }
                    }
                    Err(other) => self.trailers = other.into_trailers().ok(),
                },
                None => {
                    if let Some(bytes) = self.finish()? {
                        return Poll::Ready(Some(Ok(Frame::data(bytes))));
                    }
                }
            }
        }
        Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn gzip_is_taken_by_who_says_so() {
        for (value, expected) in [
            ("gzip", true),
            ("GZIP", true),
            ("deflate, gzip;q=0.5", true),
            ("*", true),
            ("br, *;q=0.1", true),
            ("gzip;q=0", false),
            ("gzip;q=0, *", false),
            ("*, gzip;q=0.0", false),
            ("*;q=0", false),
            ("br", false),
            ("gzip;q=high", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]);
            assert_eq!(accepts_gzip(&headers), expected, "{value:?}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
