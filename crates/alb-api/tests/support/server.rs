//! An HTTP server on a loopback socket that answers as a closure says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use alb_api::flatten::decode_pairs;
use alb_api::sign::{CanonicalRequest, payload_hash};
use alb_api::{Client, ClientBuilder, Credentials, StaticCredentials};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const ACCESS_KEY_ID: &str = "LTAI-test";
pub(crate) const ACCESS_KEY_SECRET: &str = "the-secret/of+the=test";
pub(crate) const SECURITY_TOKEN: &str = "the-token/of+the=test";

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Which request it is, from 0.
    pub(crate) number: usize,
    /// Method and path, such as `POST /`.
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
    /// Query parameters.
    pub(crate) query: BTreeMap<String, String>,
    /// Form parameters.
    pub(crate) form: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn action(&self) -> &str {
        &self.headers["x-acs-action"]
    }

    /// The `Authorization` header that this request should have, by the signer that the published vectors check.
    pub(crate) fn expected_authorization(&self) -> String {
        let query: Vec<(&str, &str)> = self
            .query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let payload_hash = payload_hash(self.body.as_bytes());
        let canonical = CanonicalRequest {
            method: "POST",
            path: "/",
            query: &query,
            headers: &headers,
            payload_hash: &payload_hash,
        };
        canonical.authorization(ACCESS_KEY_ID, ACCESS_KEY_SECRET)
    }
}

/// What the server does with a request.
pub(crate) enum Reply {
    /// Answers.
    Json(u16, String),
    /// Answers with further headers.
    With(u16, Vec<(&'static str, &'static str)>, String),
    /// Answers with the start of a body, then closes.
    Truncated(String),
    /// Closes after the whole request was read.
    Close,
    /// Never answers.
    Hang,
}

impl Reply {
    pub(crate) fn ok(json: serde_json::Value) -> Self {
        Self::Json(200, json.to_string())
    }

    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "RequestId": "REQ-1", "Code": code, "Message": message });
        Self::Json(status, body.to_string())
    }
}

/// A running server; it stops when dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (seen, count, reply) = (Arc::clone(&requests), Arc::clone(&connections), Arc::new(reply));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let (seen, reply) = (Arc::clone(&seen), Arc::clone(&reply));
                tokio::spawn(async move { serve(stream, &seen, &*reply).await });
            }
        });
        Self {
            url,
            requests,
            connections,
            task,
        }
    }

    /// A client for this server, with temporary credentials.
    pub(crate) fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        let credentials =
            Credentials::new(ACCESS_KEY_ID, ACCESS_KEY_SECRET).with_security_token(SECURITY_TOKEN);
        Client::builder("cn-hangzhou")
            .endpoint_all(&self.url)
            .credentials(StaticCredentials::new(credentials))
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    reply: &(impl Fn(&Request) -> Reply + Sync),
) {
    let mut buffer = Vec::new();
    while let Some(mut request) = read(&mut stream, &mut buffer).await {
        {
            let mut seen = seen.lock().unwrap();
            request.number = seen.len();
            seen.push(request.clone());
        }
        let (status, headers, body) = match reply(&request) {
            Reply::Json(status, body) => (status, Vec::new(), body),
            Reply::With(status, headers, body) => (status, headers, body),
            Reply::Truncated(body) => {
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len() + 100
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                return;
            }
            Reply::Close => return,
            Reply::Hang => std::future::pending().await,
        };
        let mut head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n");
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.extend(["content-length: ", &body.len().to_string(), "\r\n\r\n", &body]);
        if stream.write_all(head.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The next request; `None` when the client closes.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
    let mut lines = head.lines();
    let (method, rest) = lines.next().unwrap().split_once(' ').unwrap();
    let target = rest.split(' ').next().unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (target, query) = (format!("{method} {path}"), query.to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .map_or(0, |value| value.parse().unwrap());
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(buffer.drain(..length).collect()).unwrap();
    let pairs = |text: &str| decode_pairs(text).unwrap().into_iter().collect();
    Some(Request {
        number: 0,
        target,
        query: pairs(&query),
        form: pairs(&body),
        headers,
        body,
    })
}
