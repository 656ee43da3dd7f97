//! Bodies, connections and copies on their way to a server.

use std::convert::Infallible;
use std::sync::Arc;

use alb_model::{Action, BackendProtocol, ServerGroup, ServerGroupRef, TrafficMirror};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::support::*;

type Chunks = mpsc::UnboundedReceiver<&'static str>;

fn streamed(mut chunks: Chunks) -> StreamBody<impl futures::Stream<Item = Result<Frame<Bytes>, Infallible>>> {
    StreamBody::new(futures::stream::poll_fn(move |cx| {
        chunks
            .poll_recv(cx)
            .map(|c| c.map(|c| Ok(Frame::data(Bytes::from(c)))))
    }))
}

#[tokio::test]
async fn bodies_stream_in_both_directions_at_once() {
    // The server answers each piece of the request as it arrives.
    let backend = Backend::start(|request: Request<hyper::body::Incoming>| async move {
        let shout = request.into_body().map_frame(|frame| {
            frame.map_data(|data| Bytes::from(String::from_utf8_lossy(&data).to_uppercase()))
        });
        Response::new(shout.boxed())
    })
    .await;
    let lab = Lab::start(gateway(group([backend.server(100)])));

    let stream = TcpStream::connect(lab.addr(80)).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let (pieces, chunks) = mpsc::unbounded_channel();
    pieces.send("one").unwrap();
    let request = Request::post("/")
        .header("host", "a.example")
        .body(streamed(chunks))
        .unwrap();
    let mut answer = sender.send_request(request).await.unwrap().into_body();
    let mut next = async || {
        let frame = tokio::time::timeout(DEADLINE, answer.frame()).await.unwrap()?;
        Some(frame.unwrap().into_data().unwrap())
    };
    assert_eq!(next().await.unwrap(), "ONE");
    pieces.send("two").unwrap();
    assert_eq!(next().await.unwrap(), "TWO");
    drop(pieces);
    assert_eq!(next().await, None);
}

#[tokio::test]
async fn a_body_of_unknown_length_arrives_whatever_the_method() {
    let backend = Backend::echo("b").await;
    let lab = Lab::start(gateway(group([backend.server(100)])));
    for method in ["GET", "DELETE", "POST", "PROPFIND"] {
        let pieces = futures::stream::iter(["in ", "pieces"].map(Ok::<_, Infallible>));
        let method: reqwest::Method = method.parse().unwrap();
        let request = client()
            .request(method.clone(), lab.url("/"))
            .header("transfer-encoding", "chunked")
            .body(reqwest::Body::wrap(StreamBody::new(futures::StreamExt::map(
                pieces,
                |p| p.map(|p| Frame::data(Bytes::from(p))),
            ))));
        let seen: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(seen["body"], "in pieces", "{method}");
        assert_eq!(seen["method"], method.as_str());
    }
}

#[tokio::test]
async fn a_large_body_arrives_whole_with_its_length() {
    let backend = Backend::start(|request: Request<hyper::body::Incoming>| async move {
        let length = request.headers().get("content-length").cloned();
        let mut response = Response::new(request.into_body().boxed());
        response.headers_mut().insert("x-length", length.unwrap());
        response
    })
    .await;
    let lab = Lab::start(gateway(group([backend.server(100)])));
    let sent: Vec<u8> = (0..8_000_000_u32).map(|n| (n % 251) as u8).collect();
    let response = client()
        .post(lab.url("/"))
        .body(sent.clone())
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["x-length"], "8000000");
    assert!(response.bytes().await.unwrap() == sent);
}

#[tokio::test]
async fn connections_to_servers_are_kept_only_with_keepalive() {
    // Each connection has its own client port.
    for (keepalive, expected) in [(true, 1), (false, 5)] {
        let listener = tokio::net::TcpListener::bind((LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let accepted = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = Arc::clone(&accepted);
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let service = hyper::service::service_fn(|_| async {
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("hi"))))
                });
                let serving = hyper::server::conn::http1::Builder::new();
                tokio::spawn(serving.serve_connection(TokioIo::new(stream), service));
            }
        });
        let lab = Lab::start(gateway(ServerGroup {
            upstream_keepalive: keepalive,
            ..group([server_at(addr, 100)])
        }));
        let client = client();
        for _ in 0..5 {
            let response = client.get(lab.url("/")).send().await.unwrap();
            assert_eq!(response.text().await.unwrap(), "hi");
        }
        let connections = accepted.load(std::sync::atomic::Ordering::SeqCst);
        assert!(
            connections == expected || (keepalive && connections < 5),
            "{keepalive}: {connections}"
        );
        server.abort();
    }
}

#[tokio::test]
async fn a_mirror_gets_a_copy_and_its_answer_is_dropped() {
    let (seen, mut copies) = mpsc::unbounded_channel();
    let mirror = Backend::start(move |request| {
        let seen = seen.clone();
        async move {
            let answer = echo("mirror", request).await;
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let _ = seen.send(serde_json::from_slice::<serde_json::Value>(&body).unwrap());
            Response::new(full("never shown"))
        }
    })
    .await;
    let backend = Backend::echo("b").await;
    let mut gw = gateway(group([backend.server(100)]));
    add_group(&mut gw, "sgp-mirror", group([mirror.server(100)]));
    add_group(&mut gw, "sgp-dead", group([server_at(refusing().await, 100)]));
    let groups = ["sgp-mirror", "sgp-dead"].map(|id| ServerGroupRef::Id(id.into()));
    gw.listeners[0].rules = vec![
        catch_all(
            "rule-1",
            [
                Action::TrafficMirror(TrafficMirror {
                    groups: groups.into(),
                }),
                forward([target("sgp-default", 100)]),
            ],
        )
        .into(),
    ];
    let lab = Lab::start(gw);
    for method in ["POST", "GET"] {
        let body = if method == "POST" { "payload" } else { "" };
        let method: reqwest::Method = method.parse().unwrap();
        let request = client().request(method.clone(), lab.url("/x?y=z")).body(body);
        let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!((&answer["name"], &answer["body"]), (&"b".into(), &body.into()));
        let copy = tokio::time::timeout(DEADLINE, copies.recv())
            .await
            .unwrap()
            .unwrap();
        for field in ["method", "target", "body"] {
            assert_eq!(copy[field], answer[field], "{field}");
        }
    }
}

#[tokio::test]
async fn a_server_behind_tls_needs_no_trusted_certificate() {
    let (chain, key) = crate::tls::self_signed(&["whatever.invalid"]);
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind((LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let stream = acceptor.accept(stream).await.unwrap();
            let service = hyper::service::service_fn(|_| async {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("over TLS"))))
            });
            let serving = hyper::server::conn::http1::Builder::new();
            tokio::spawn(serving.serve_connection(TokioIo::new(stream), service));
        }
    });
    let lab = Lab::start(gateway(ServerGroup {
        protocol: BackendProtocol::Https,
        ..group([server_at(addr, 100)])
    }));
    let response = client().get(lab.url("/")).send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "over TLS");
    server.abort();
}
