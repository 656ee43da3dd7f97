//! Test hooks: the record of requests, and faults to inject.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use regex::Regex;

use crate::error::{Error, Result};
use crate::status::ApiError;

/// A request the server has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// Kubernetes verb: get, list, watch, create, update, patch, delete, deletecollection; for other paths the HTTP
    /// method in lower case.
    pub verb: String,
    /// Path without the query.
    pub path: String,
    /// Query string, without `?`.
    pub query: String,
    /// `User-Agent` header, or "".
    pub user_agent: String,
    /// HTTP status of the answer.
    pub status: u16,
}

impl Request {
    /// True for the verbs that change something.
    pub fn is_write(&self) -> bool {
        matches!(
            self.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        )
    }
}

#[derive(Debug)]
struct Fault {
    verb: String,
    path: Regex,
    status: u16,
    left: usize,
}

#[derive(Debug, Default)]
struct Inner {
    log: VecDeque<Request>,
    total: u64,
    faults: Vec<Fault>,
}

/// The hooks of one server.
#[derive(Debug)]
pub(crate) struct Hooks {
    inner: Mutex<Inner>,
    capacity: usize,
}

impl Hooks {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            inner: Mutex::default(),
            capacity,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn record(&self, request: Request) {
        let mut inner = self.lock();
        inner.total += 1;
        inner.log.push_back(request);
        while inner.log.len() > self.capacity {
            inner.log.pop_front();
        }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.lock().log.iter().cloned().collect()
    }

    pub(crate) fn total(&self) -> u64 {
        self.lock().total
    }

    pub(crate) fn clear(&self) {
        self.lock().log.clear();
    }

    pub(crate) fn fail_next(&self, verb: &str, path: &str, status: u16, count: usize) -> Result<()> {
        let path = Regex::new(path).map_err(|source| Error::Pattern {
            pattern: path.to_owned(),
            source: Box::new(source),
        })?;
        self.lock().faults.push(Fault {
            verb: verb.to_owned(),
            path,
            status,
            left: count,
        });
        Ok(())
    }

    /// The error a request shall get, if a fault waits for it.
    pub(crate) fn fault(&self, verb: &str, path: &str) -> Option<ApiError> {
        let mut inner = self.lock();
        let fits = |fault: &Fault| (fault.verb == "*" || fault.verb == verb) && fault.path.is_match(path);
        let index = inner.faults.iter().position(fits)?;
        let fault = &mut inner.faults[index];
        let status = fault.status;
        fault.left = fault.left.saturating_sub(1);
        if fault.left == 0 {
            inner.faults.remove(index);
        }
        Some(injected(status))
    }
}

fn injected(status: u16) -> ApiError {
    let reason = match status {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    };
    let mut error = ApiError::new(status, reason, format!("injected fault: HTTP {status}"));
    if status == 429 {
        error.retry_after_s = Some(1);
    }
    error
}
