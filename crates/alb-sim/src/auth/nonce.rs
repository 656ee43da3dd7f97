//! Memory of signature nonces.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::MAX_SKEW_S;

/// Nonces that were used within the time in which a request's date is still accepted.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    nonces: BTreeSet<(String, String)>,
    by_age: VecDeque<(i64, (String, String))>,
}

impl Nonces {
    /// Notes the nonce; `false` when this key has used it before.
    pub(crate) fn first_use(&self, access_key_id: &str, nonce: &str, now: Timestamp) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // A date may lie ahead of us by the allowed skew, and is then accepted for twice as long.
        let oldest = now.as_second() - 2 * MAX_SKEW_S;
        while seen.by_age.front().is_some_and(|(used, _)| *used < oldest) {
            if let Some((_, entry)) = seen.by_age.pop_front() {
                seen.nonces.remove(&entry);
            }
        }
        let entry = (access_key_id.to_owned(), nonce.to_owned());
        if !seen.nonces.insert(entry.clone()) {
            return false;
        }
        seen.by_age.push_back((now.as_second(), entry));
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_nonce_is_good_once_per_key_and_forgotten_when_its_date_would_be_refused() {
        let nonces = Nonces::default();
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        assert!(nonces.first_use("a", "n", at(1000)));
        assert!(!nonces.first_use("a", "n", at(1000)));
        assert!(!nonces.first_use("a", "n", at(1000 + 2 * MAX_SKEW_S)));
        assert!(nonces.first_use("b", "n", at(1000)));
        assert!(nonces.first_use("a", "n", at(1001 + 2 * MAX_SKEW_S)));
        assert_eq!(nonces.seen.lock().unwrap().by_age.len(), 1);
    }
}
