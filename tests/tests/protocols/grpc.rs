//! gRPC with messages both ways while a call goes on.

use std::convert::Infallible;
use std::future::ready;

use anyhow::{Context, Result, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use e2e::{LIMIT, Stack};
use examples::{grpc, stack};
use futures::channel::mpsc;
use futures::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;

use crate::{Server, http2_connection, https, ingress, servers, system};

type AnyBody = UnsyncBoxBody<Bytes, hyper::Error>;

/// Sends each message back as it comes, and a status at the end.
fn echo_stream(pod: &str, request: Request<Incoming>) -> Response<AnyBody> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    trailers.insert("x-server", pod.parse().unwrap());
    let messages = BodyStream::new(request.into_body()).filter_map(|frame| async {
        match frame {
            Ok(frame) => frame.into_data().ok().map(|data| Ok(Frame::data(data))),
            Err(error) => Some(Err(error)),
        }
    });
    let all = messages.chain(stream::iter([Ok(Frame::trailers(trailers))]));
    let mut response = Response::new(StreamBody::new(all).boxed_unsync());
    let kind = "application/grpc".parse().unwrap();
    response.headers_mut().insert("content-type", kind);
    response
}

async fn grpc_server(stack: &Stack, pod: &'static str) -> Result<Server> {
    Server::start(stack, pod, move |connection| async move {
        let service = service_fn(move |request| ready(Ok::<_, Infallible>(echo_stream(pod, request))));
        let builder = http2::Builder::new(TokioExecutor::new());
        // It ends when the ALB hangs up.
        let _ = builder.serve_connection(TokioIo::new(connection), service).await;
    })
    .await
}

/// A call under way, with messages both ways.
struct Call {
    messages: mpsc::UnboundedSender<Bytes>,
    answer: Incoming,
    /// What came of the next answer.
    heard: BytesMut,
}

impl Call {
    async fn start(stack: &Stack, path: &str) -> Result<Self> {
        let ask = https("rpc.example.com")?;
        let mut sender = http2_connection(stack, &ask).await?;
        let (messages, queue) = mpsc::unbounded();
        let body = StreamBody::new(queue.map(|data| Ok::<_, Infallible>(Frame::data(data)))).boxed_unsync();
        let request = Request::post(format!("https://{}{path}", ask.host))
            .version(Version::HTTP_2)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(body)?;
        let response = tokio::time::timeout(LIMIT, sender.send_request(request)).await??;
        ensure!(response.status() == 200, "{}", response.status());
        let answer = response.into_body();
        let heard = BytesMut::new();
        Ok(Self {
            messages,
            answer,
            heard,
        })
    }

    /// Says something and wants to hear it, while the call goes on.
    async fn talk(&mut self, said: &str) -> Result<()> {
        self.messages.unbounded_send(grpc::encode(said)?)?;
        let length = grpc::encode(said)?.len();
        while self.heard.len() < length {
            let frame = tokio::time::timeout(LIMIT, self.answer.frame()).await?;
            let data = frame.context("the call ended")??.into_data();
            self.heard.put(data.ok().context("trailers before the end")?);
        }
        let heard = grpc::decode(&self.heard.split_to(length))?;
        ensure!(heard == said, "heard {heard:?}, not {said:?}");
        Ok(())
    }

    /// Ends the call; gives status and server.
    async fn end(self) -> Result<(String, String)> {
        drop(self.messages);
        let rest = tokio::time::timeout(LIMIT, self.answer.collect()).await??;
        let trailers = rest.trailers().context("no trailers")?;
        let text = |name: &str| trailers[name].to_str().map(str::to_owned);
        Ok((text("grpc-status")?, text("x-server")?))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_streams_go_on_while_rules_and_servers_change() -> Result<()> {
    let (stack, _) = system().await?;
    let (_echo, _other) = (
        grpc_server(&stack, "10.0.0.1").await?,
        grpc_server(&stack, "10.0.1.1").await?,
    );
    for (name, pod) in [("echo", "10.0.0.1"), ("other", "10.0.1.1")] {
        stack.endpoints(name, &[("http", 80, 8080)], &[pod]).await?;
    }
    let annotations = [
        ("backend-protocol", "grpc"),
        ("connection-drain-enabled", "true"),
        ("connection-drain-timeout", "900"),
    ];
    ingress(&stack, "rpc.example.com", &annotations, &[("/demo.Echo", "echo")]).await?;
    servers(&stack, &["10.0.0.1"]).await?;
    // gRPC needs HTTP/2, which listeners speak over TLS only: there is no rule on port 80, and the Ingress is told.
    told(&stack, "rpc.example.com", "BackendProtocolMismatch").await?;
    stack
        .answers("http://rpc.example.com/demo.Echo/Say", "404")
        .await?;
    let mut call = Call::start(&stack, "/demo.Echo/Say").await?;
    call.talk("hello").await?;

    let both = [("/demo.Echo", "echo"), ("/demo.Other", "other")];
    ingress(&stack, "rpc.example.com", &annotations, &both).await?;
    servers(&stack, &["10.0.0.1", "10.0.1.1"]).await?;
    call.talk("a rule came").await?;
    let other = stack::until("the other method", LIMIT, || async {
        Ok(Call::start(&stack, "/demo.Other/Say").await.ok())
    });
    let mut other = other.await?;
    other.talk("hello").await?;
    assert_eq!(other.end().await?, ("0".into(), "10.0.1.1".into()));

    let _new = grpc_server(&stack, "10.0.0.2").await?;
    stack
        .endpoints("echo", &[("http", 80, 8080)], &["10.0.0.2"])
        .await?;
    servers(&stack, &["10.0.0.2", "10.0.1.1"]).await?;
    call.talk("a server left").await?;
    assert_eq!(call.end().await?, ("0".into(), "10.0.0.1".into()));
    let mut new = Call::start(&stack, "/demo.Echo/Say").await?;
    new.talk("hello").await?;
    assert_eq!(new.end().await?, ("0".into(), "10.0.0.2".into()));
    stack.finish().await
}

/// Waits for a finding of an Ingress.
async fn told(stack: &Stack, ingress: &str, code: &str) -> Result<()> {
    let events = Api::<Event>::namespaced(stack.kube.clone(), &stack.name);
    let about = ListParams::default().fields(&format!("regarding.name={ingress},regarding.kind=Ingress"));
    stack::until(
        &format!("an Event {code} for Ingress {ingress}"),
        LIMIT,
        || async {
            let all = events.list(&about).await?.items;
            let told = all.iter().any(|event| event.reason.as_deref() == Some(code));
            Ok(told.then_some(()))
        },
    )
    .await
}
