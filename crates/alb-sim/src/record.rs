//! The record of calls: who called what, when, and how it ended.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// One call of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallRecord {
    /// Position in the order of arrival, from 1.
    pub seq: u64,
    /// When it arrived.
    pub time: Timestamp,
    /// Milliseconds until it was answered.
    pub duration_ms: u64,
    /// Who called; empty when the signature was not accepted.
    pub access_key_id: String,
    /// Product and version, such as `alb-2020-06-16`.
    pub product: String,
    /// Operation, such as `CreateRules`.
    pub action: String,
    /// Flat parameters without the common ones. Private keys are left out.
    pub params: BTreeMap<String, String>,
    /// `OK`, the error code, or `Disconnected` when the connection was closed without an answer.
    pub code: String,
    /// Error message; empty when there is none.
    pub message: String,
    /// HTTP status; 0 when the connection was closed without an answer.
    pub http_status: u16,
    /// Id of the request, as the answer gave it.
    pub request_id: String,
    /// Ids of the resources it created or named, such as a listener's, the most specific first.
    pub resource_ids: Vec<String>,
    /// Id of the job it started.
    pub job_id: Option<String>,
    /// Whether it changed something: false for refused calls, dry runs and repetitions of an earlier call.
    pub took_effect: bool,
    /// Whether it repeated an earlier call by its `ClientToken` and got that one's answer.
    pub replayed: bool,
    /// Whether an injected fault struck it.
    pub fault: bool,
}

impl CallRecord {
    /// Whether the operation changes something, successful or not.
    pub fn is_write(&self) -> bool {
        !["Get", "List", "Describe"]
            .iter()
            .any(|verb| self.action.starts_with(verb))
    }

    /// Whether it was answered with success.
    pub fn is_ok(&self) -> bool {
        self.code == "OK"
    }
}

/// All records, bounded.
#[derive(Debug)]
pub(crate) struct Records {
    state: Mutex<State>,
    keep: usize,
}

#[derive(Debug, Default)]
struct State {
    arrived: u64,
    calls: VecDeque<CallRecord>,
}

impl Records {
    pub(crate) fn new(keep: usize) -> Self {
        Self {
            state: Mutex::default(),
            keep: keep.max(1),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of a call that has just arrived.
    pub(crate) fn arrive(&self) -> u64 {
        let mut state = self.lock();
        state.arrived += 1;
        state.arrived
    }

    /// Keeps the record of a call that has ended.
    pub(crate) fn push(&self, record: CallRecord) {
        let mut state = self.lock();
        if state.calls.len() == self.keep {
            state.calls.pop_front();
        }
        // Calls end in nearly the order in which they arrive.
        let place = state.calls.iter().rposition(|earlier| earlier.seq < record.seq);
        state.calls.insert(place.map_or(0, |place| place + 1), record);
    }

    /// The calls that have ended, in the order of their arrival.
    pub(crate) fn list(&self) -> Vec<CallRecord> {
        self.lock().calls.iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.lock().calls.clear();
    }
}

/// Parameters that are secrets.
const SECRET: [&str; 3] = ["Key", "EncryptPrivateKey", "SignPrivateKey"];

/// Whether a call carries secrets in its parameters.
pub(crate) fn is_secret(name: &str) -> bool {
    SECRET.contains(&name)
}
