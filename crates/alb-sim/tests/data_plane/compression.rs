//! Compression of answers by the load balancer.

use std::io::Read;
use std::time::Duration;

use alb_model::{Action, Condition, FixedResponse};
use bytes::Bytes;
use flate2::read::{GzDecoder, MultiGzDecoder};
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

use crate::support::*;

fn page() -> String {
    "<p>All work and no play makes a long page.</p>\n".repeat(200)
}

fn unpack(compressed: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(compressed).read_to_string(&mut text).unwrap();
    text
}

async fn typed(
    content_type: &'static str,
    length: usize,
    extra: Option<(&'static str, &'static str)>,
) -> Backend {
    Backend::start(move |_| async move {
        let mut response = Response::new(full(page()[..length].to_owned()));
        let headers = response.headers_mut();
        headers.insert("content-type", content_type.parse().unwrap());
        if let Some((name, value)) = extra {
            headers.insert(name, value.parse().unwrap());
        }
        response
    })
    .await
}

#[tokio::test]
async fn a_long_text_is_compressed_for_who_takes_gzip() {
    let backend = typed("text/html; charset=utf-8", page().len(), Some(("etag", "\"v1\""))).await;
    let mut lab = Lab::start(gateway(group([backend.server(100)])));
    let ask = async |lab: &Lab, accept: &str| {
        let request = client().get(lab.url("/")).header("accept-encoding", accept);
        request.send().await.unwrap()
    };
    let response = ask(&lab, "br, gzip").await;
    let headers = response.headers().clone();
    assert_eq!(headers["content-encoding"], "gzip");
    assert_eq!(headers["vary"], "Accept-Encoding");
    assert_eq!(headers["etag"], "W/\"v1\"");
    let compressed = response.bytes().await.unwrap();
    assert!(compressed.len() < page().len() / 10, "{}", compressed.len());
    assert_eq!(unpack(&compressed), page());

    let plain = ask(&lab, "br").await;
    assert!(!plain.headers().contains_key("content-encoding"));
    assert_eq!(plain.headers()["etag"], "\"v1\"");
    assert_eq!(plain.text().await.unwrap(), page());

    lab.change(|gw| gw.listeners[0].gzip = false).await;
    let plain = ask(&lab, "gzip").await;
    assert!(!plain.headers().contains_key("content-encoding"));
    assert_eq!(plain.text().await.unwrap(), page());
}

#[tokio::test]
async fn what_does_not_gain_is_left_alone() {
    for (content_type, length, extra) in [
        ("image/png", page().len(), None),
        ("application/grpc", page().len(), None),
        ("text/plain", 1023, None),
        ("text/plain", page().len(), Some(("content-encoding", "br"))),
        (
            "text/plain",
            page().len(),
            Some(("cache-control", "no-transform")),
        ),
    ] {
        let backend = typed(content_type, length, extra).await;
        let lab = Lab::start(gateway(group([backend.server(100)])));
        let request = client().get(lab.url("/")).header("accept-encoding", "gzip");
        let response = request.send().await.unwrap();
        assert_ne!(
            response
                .headers()
                .get("content-encoding")
                .map(reqwest::header::HeaderValue::as_bytes),
            Some(&b"gzip"[..]),
            "{content_type} {length} {extra:?}"
        );
        assert_eq!(response.bytes().await.unwrap(), page()[..length]);
    }
}

#[tokio::test]
async fn a_head_request_and_other_statuses_keep_their_length() {
    let backend = Backend::start(|request| async move {
        let mut response = Response::new(full(page()));
        if request.uri().path() == "/error" {
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        }
        let content_type = "text/plain".parse().unwrap();
        response.headers_mut().insert("content-type", content_type);
        response
    })
    .await;
    let lab = Lab::start(gateway(group([backend.server(100)])));
    for (method, path) in [(http::Method::HEAD, "/"), (http::Method::GET, "/error")] {
        let request = client().request(method, lab.url(path));
        let response = request.header("accept-encoding", "gzip").send().await.unwrap();
        assert!(!response.headers().contains_key("content-encoding"));
        assert_eq!(response.headers()["content-length"], page().len().to_string());
    }
}

/// What arrives of a page that is not finished can be read at once.
#[tokio::test]
async fn a_server_that_streams_still_streams_when_compressed() {
    let (pieces, received) = mpsc::unbounded_channel::<Bytes>();
    let received = std::sync::Arc::new(tokio::sync::Mutex::new(received));
    let backend = Backend::start(move |_| {
        let received = std::sync::Arc::clone(&received);
        async move {
            let body = StreamBody::new(futures::stream::poll_fn(move |cx| {
                let mut received = received.try_lock().unwrap();
                received
                    .poll_recv(cx)
                    .map(|p| p.map(|p| Ok::<_, hyper::Error>(Frame::data(p))))
            }));
            let mut response = Response::new(BodyExt::boxed(body));
            let content_type = "text/plain".parse().unwrap();
            response.headers_mut().insert("content-type", content_type);
            response
        }
    })
    .await;
    let lab = Lab::start(gateway(group([backend.server(100)])));
    let request = client().get(lab.url("/")).header("accept-encoding", "gzip");
    let mut response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let mut compressed = Vec::new();
    let mut said = String::new();
    for piece in ["one ", "two ", "three"] {
        pieces.send(Bytes::from(piece)).unwrap();
        said += piece;
        let mut read = String::new();
        while read != said {
            let chunk = tokio::time::timeout(Duration::from_secs(30), response.chunk()).await;
            compressed.extend_from_slice(&chunk.unwrap().unwrap().unwrap());
            read.clear();
            // The stream is not over: the decoder gives what there is, then complains.
            let _ = MultiGzDecoder::new(&compressed[..]).read_to_string(&mut read);
        }
    }
    drop(pieces);
    while let Some(chunk) = response.chunk().await.unwrap() {
        compressed.extend_from_slice(&chunk);
    }
    assert_eq!(unpack(&compressed), "one two three");
}

#[tokio::test]
async fn a_fixed_answer_is_compressed_like_any_other() {
    let mut gw = gateway(group([]));
    gw.listeners[0].rules = vec![
        rule(
            "rule-1",
            1,
            [Condition::path(["/*"])],
            [Action::FixedResponse(FixedResponse {
                content: "x".repeat(1024),
                content_type: "text/plain".into(),
                ..FixedResponse::default()
            })],
        )
        .into(),
    ];
    let lab = Lab::start(gw);
    let request = client().get(lab.url("/")).header("accept-encoding", "gzip");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(unpack(&response.bytes().await.unwrap()), "x".repeat(1024));
}
