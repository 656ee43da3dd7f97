//! Watch responses: a stream of JSON lines.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, Interval};

use super::accept::Form;
use super::respond::{self, Body};
use super::server::Server;
use crate::api::Target;
use crate::api::list::{ListOptions, too_old};
use crate::api::watch::{Cursor, WatchEvent};
use crate::kinds::Resource;
use crate::status::{ApiError, ApiResult};
use crate::table::{self, IncludeObject};

/// A watch without `timeoutSeconds` ends after this time, as on an API server (30 to 60 minutes there).
const DEFAULT_TIMEOUT_S: u64 = 1800;

/// What the client asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wants {
    pub(super) form: Form,
    pub(super) include: IncludeObject,
    pub(super) bookmarks: bool,
    pub(super) initial: Option<bool>,
    pub(super) timeout_s: Option<u64>,
}

/// Starts a watch.
pub(super) fn open(
    server: &Arc<Server>,
    target: &Target,
    options: &ListOptions,
    wants: Wants,
) -> ApiResult<Response<Body>> {
    if wants.initial == Some(true) && !wants.bookmarks {
        return Err(ApiError::new(
            422,
            "Invalid",
            "ListOptions.meta.k8s.io \"\" is invalid: allowWatchBookmarks: Forbidden: allowWatchBookmarks is required when \
sendInitialEvents is set",
        ));
    }
    let changed = server.revision.subscribe();
    let dropped = server.dropped.subscribe();
    let started = server.read(|state| state.watch(target, options, wants.initial));
    let (cursor, events) = match started {
        Ok(started) => started,
        // Too old a revision is told inside the stream, as the API server's watch cache does.
        Err(error) if error.code == 410 => {
            let mut out = Vec::new();
            line(&mut out, "ERROR", &error.to_value());
            return Ok(respond::with_type(200, "application/json", respond::full(out)));
        }
        Err(error) => return Err(error),
    };
    let period = Duration::from_secs(server.bookmark_interval_s);
    let timeout = Duration::from_secs(
        wants
            .timeout_s
            .filter(|seconds| *seconds > 0)
            .unwrap_or(DEFAULT_TIMEOUT_S),
    );
    let mut watch = Watch {
        encoder: Encoder {
            resource: target.resource.clone(),
            wants,
            columns_sent: false,
        },
        server: server.clone(),
        cursor,
        changed,
        dropped,
        deadline: Instant::now() + timeout,
        ticks: tokio::time::interval_at(Instant::now() + period, period),
        ended: false,
    };
    let mut first = watch.encoder.events(&events);
    if wants.initial == Some(true) {
        watch.encoder.bookmark(watch.cursor.revision, true, &mut first);
    }
    let head = stream::iter((!first.is_empty()).then(|| Bytes::from(first)));
    let tail = stream::unfold(watch, |mut watch| async move {
        watch.next().await.map(|bytes| (bytes, watch))
    });
    let frames = futures::StreamExt::map(futures::StreamExt::chain(head, tail), |bytes: Bytes| {
        Ok::<_, Infallible>(Frame::data(bytes))
    });
    Ok(respond::with_type(
        200,
        "application/json",
        StreamBody::new(frames).boxed_unsync(),
    ))
}

struct Watch {
    server: Arc<Server>,
    cursor: Cursor,
    changed: watch::Receiver<u64>,
    dropped: watch::Receiver<u64>,
    deadline: Instant,
    ticks: Interval,
    encoder: Encoder,
    ended: bool,
}

impl Watch {
    /// The next bytes to send, or `None` when the watch is over.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.ended {
            self.changed.borrow_and_update();
            match self.server.read(|state| state.poll(&mut self.cursor)) {
                Ok(events) if events.is_empty() => {}
                Ok(events) => return Some(self.encoder.events(&events).into()),
                Err(error) => {
                    self.ended = true;
                    let mut out = Vec::new();
                    line(&mut out, "ERROR", &too_old(error, false).to_value());
                    return Some(out.into());
                }
            }
            tokio::select! {
                changed = self.changed.changed() => self.ended = changed.is_err(),
                _ = self.dropped.changed() => self.ended = true,
                () = self.server.stop.cancelled() => self.ended = true,
                () = tokio::time::sleep_until(self.deadline) => {
                    self.ended = true;
                    return self.bookmark();
                }
                _ = self.ticks.tick() => {
                    if let Some(bytes) = self.bookmark() {
                        return Some(bytes);
                    }
                }
            }
        }
        None
    }

    fn bookmark(&mut self) -> Option<Bytes> {
        if !self.encoder.wants.bookmarks {
            return None;
        }
        let mut out = Vec::new();
        self.encoder.bookmark(self.cursor.revision, false, &mut out);
        Some(out.into())
    }
}

struct Encoder {
    resource: Arc<Resource>,
    wants: Wants,
    /// Only the first Table of a watch has column definitions.
    columns_sent: bool,
}

impl Encoder {
    fn events(&mut self, events: &[WatchEvent]) -> Vec<u8> {
        let mut out = Vec::new();
        let now = Timestamp::now();
        for (kind, object) in events {
            let name = kind.name();
            match self.wants.form {
                Form::Table => {
                    let row = table::row(&self.resource, object, self.wants.include, now);
                    let revision = crate::json::text(object, &["metadata", "resourceVersion"]);
                    let table = self.table(vec![row], revision);
                    line(&mut out, name, &table);
                }
                Form::PartialMetadata => line(&mut out, name, &table::partial(object)),
                _ => line(&mut out, name, &self.resource.view(object)),
            }
        }
        out
    }

    fn table(&mut self, rows: Vec<Value>, revision: &str) -> Value {
        let columns = (!self.columns_sent).then(|| table::definitions(&self.resource));
        self.columns_sent = true;
        table::table(columns, rows, json!({"resourceVersion": revision}))
    }

    fn bookmark(&mut self, revision: u64, initial_end: bool, out: &mut Vec<u8>) {
        let mut metadata = json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self.wants.form {
            Form::Table => {
                // The marker of the end of the initial events sits on a row's object.
                let marker = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                    "metadata": metadata});
                let rows = if initial_end {
                    vec![json!({"cells": [], "object": marker})]
                } else {
                    Vec::new()
                };
                self.table(rows, &revision.to_string())
            }
            Form::PartialMetadata => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
            }
            _ => {
                json!({"kind": self.resource.kind, "apiVersion": self.resource.api_version(), "metadata": metadata})
            }
        };
        line(out, "BOOKMARK", &object);
    }
}

fn line(out: &mut Vec<u8>, kind: &str, object: &Value) {
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
    // Writing a Value into memory cannot fail.
    let _ = serde_json::to_writer(&mut *out, object);
    out.extend_from_slice(b"}\n");
}
