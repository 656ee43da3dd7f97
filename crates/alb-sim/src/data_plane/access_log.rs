//! The access log: the last requests, newest last.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use alb_model::ListenerProtocol;
use jiff::Timestamp;
use serde::Serialize;

/// One request. It is written when the head of the response is ready, before the client sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessLogEntry {
    /// When the request arrived.
    pub time: Timestamp,
    /// Load balancer id.
    pub load_balancer_id: String,
    /// Listener id; empty when the world gives none.
    pub listener_id: String,
    /// Port of the listener as configured, not the loopback port.
    pub listener_port: u16,
    /// Protocol of the listener.
    pub listener_protocol: ListenerProtocol,
    /// Id of the rule that took the request; `None` is the default action, or an answer given before any rule.
    pub rule_id: Option<String>,
    /// Name of that rule.
    pub rule_name: Option<String>,
    /// Server group that the request was forwarded to.
    pub server_group_id: Option<String>,
    /// Server that answered, or was tried last, as `ip:port` of the server group's entry.
    pub server: Option<String>,
    /// The client's socket.
    pub client: SocketAddr,
    /// Method.
    pub method: String,
    /// Host as the client sent it.
    pub host: String,
    /// Path without query.
    pub path: String,
    /// Query without `?`; empty for none.
    pub query: String,
    /// Status sent to the client.
    pub status: u16,
    /// Connections and requests to servers that were tried; 0 when nothing was forwarded.
    pub attempts: u32,
    /// Microseconds from the request's arrival to the head of the response.
    pub duration_us: u64,
    /// Why the load balancer itself answered with an error.
    pub error: Option<String>,
}

const SHARDS: usize = 16;

/// A ring of entries, spread over shards so that connections do not wait for each other.
#[derive(Debug)]
pub(super) struct AccessLog {
    next: AtomicU64,
    per_shard: usize,
    shards: Vec<Mutex<VecDeque<(u64, AccessLogEntry)>>>,
}

impl AccessLog {
    /// Keeps about the last `capacity` entries.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            next: AtomicU64::new(0),
            per_shard: capacity.div_ceil(SHARDS),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    pub(super) fn push(&self, entry: AccessLogEntry) {
        let sequence = self.next.fetch_add(1, Ordering::Relaxed);
        let shard = &self.shards[sequence as usize % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if shard.len() == self.per_shard {
            shard.pop_front();
        }
        shard.push_back((sequence, entry));
    }

    /// All kept entries in the order they were written.
    pub(super) fn entries(&self) -> Vec<AccessLogEntry> {
        let mut all: Vec<_> = self
            .shards
            .iter()
            .flat_map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .collect();
        all.sort_by_key(|(sequence, _)| *sequence);
        all.into_iter().map(|(_, entry)| entry).collect()
    }
}
