//! `ClientToken`: the same token with the same parameters gives the first answer again.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::api::{ApiError, ApiResult};

/// Caller, operation, token.
type Key = (String, String, String);

/// Tokens that were used. How long the cloud remembers them is not documented; here it is the last `keep` of them.
#[derive(Debug)]
pub(crate) struct Tokens {
    state: Mutex<State>,
    keep: usize,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    by_age: VecDeque<Key>,
}

#[derive(Debug)]
struct Entry {
    params: BTreeMap<String, String>,
    /// `None` while the first call is being worked on.
    answer: Option<Value>,
}

/// What to do with a call that carries a token.
pub(crate) enum Begin<'a> {
    /// It is the first: act, then [`Pending::done`].
    First(Pending<'a>),
    /// It repeats an earlier one: this was the answer.
    Again(Value),
}

/// A token whose first call is being worked on; forgotten when the call fails.
pub(crate) struct Pending<'a> {
    tokens: &'a Tokens,
    key: Option<Key>,
}

impl Tokens {
    pub(crate) fn new(keep: usize) -> Self {
        Self {
            state: Mutex::default(),
            keep: keep.max(1),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks a token up and notes it.
    ///
    /// # Errors
    /// `IdempotenceProcessing` while the first call is being worked on, `IdempotenceSignatureMismatch` when the
    /// parameters differ from the first call's (the name is documented for the sister product NLB; for ALB unverified).
    pub(crate) fn begin(
        &self,
        caller: &str,
        operation: &str,
        token: &str,
        params: &BTreeMap<String, String>,
    ) -> ApiResult<Begin<'_>> {
        let key = (caller.to_owned(), operation.to_owned(), token.to_owned());
        let mut state = self.lock();
        match state.entries.get(&key) {
            Some(entry) if entry.params != *params => Err(ApiError::bad_request(
                "IdempotenceSignatureMismatch",
                "The idempotence token of request is same with the prev one, but the signature is different.",
            )),
            Some(Entry { answer: None, .. }) => Err(ApiError::bad_request(
                "IdempotenceProcessing",
                "The previous idempotence request is processing, please try again later.",
            )),
            Some(Entry {
                answer: Some(answer), ..
            }) => Ok(Begin::Again(answer.clone())),
            None => {
                let entry = Entry {
                    params: params.clone(),
                    answer: None,
                };
                state.entries.insert(key.clone(), entry);
                Ok(Begin::First(Pending {
                    tokens: self,
                    key: Some(key),
                }))
            }
        }
    }
}

impl Pending<'_> {
    /// Keeps the answer for those who repeat the call.
    pub(crate) fn done(mut self, answer: &Value) {
        let Some(key) = self.key.take() else { return };
        let mut state = self.tokens.lock();
        if let Some(entry) = state.entries.get_mut(&key) {
            entry.answer = Some(answer.clone());
        }
        state.by_age.push_back(key);
        if state.by_age.len() > self.tokens.keep
            && let Some(oldest) = state.by_age.pop_front()
        {
            state.entries.remove(&oldest);
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.tokens.lock().entries.remove(&key);
        }
    }
}
