//! gRPC: HTTP/2 to the server without TLS, streams and trailers unchanged.

use alb_model::{BackendProtocol, ServerGroup};
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::mpsc;

use crate::support::*;
use crate::tls::{certificate, connect, https};

/// Echoes messages as they come, then says how it went in the trailers.
async fn grpc_echo(request: Request<Incoming>) -> Response<AnyBody> {
    assert_eq!(request.version(), http::Version::HTTP_2);
    assert_eq!(request.headers()["te"], "trailers");
    let authority = request.uri().authority().unwrap().to_string();
    let trailers = async move {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        trailers.insert("x-authority", authority.parse().unwrap());
        Some(Ok(trailers))
    };
    let mut response = Response::new(request.into_body().with_trailers(trailers).boxed());
    let content_type = "application/grpc".parse().unwrap();
    response.headers_mut().insert("content-type", content_type);
    response
}

#[tokio::test]
async fn grpc_streams_both_ways_and_ends_with_trailers() {
    let backend = Backend::start(grpc_echo).await;
    let (pem, der) = certificate(&["grpc.example"]);
    let mut gw = gateway(ServerGroup {
        protocol: BackendProtocol::Grpc,
        ..group([backend.server(100)])
    });
    https(&mut gw, &["1-cn"]);
    let mut lab = Lab::start(gw);
    lab.world.certificates.insert("1-cn".into(), pem);
    lab.change(|_| ()).await;

    let stream = connect(lab.addr(443), "grpc.example", &[&der], &["h2"])
        .await
        .unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    for _ in 0..3 {
        let (messages, mut received) = mpsc::unbounded_channel::<Frame<Bytes>>();
        let body = StreamBody::new(futures::stream::poll_fn(move |cx| {
            received
                .poll_recv(cx)
                .map(|frame| frame.map(Ok::<_, hyper::Error>))
        }));
        let request = Request::post("https://grpc.example/pkg.Service/Method")
            .header("te", "trailers")
            .header("content-type", "application/grpc")
            .body(body.boxed_unsync())
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/grpc");
        let mut answer = response.into_body();
        for message in ["first", "second"] {
            messages.send(Frame::data(Bytes::from(message))).unwrap();
            let frame = tokio::time::timeout(DEADLINE, answer.frame()).await.unwrap();
            assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), message);
        }
        drop(messages);
        let end = answer.collect().await.unwrap();
        let trailers = end.trailers().unwrap();
        assert_eq!(trailers["grpc-status"], "0");
        assert_eq!(trailers["x-authority"], "grpc.example");
    }
}
