//! Temporary credentials: fetched once for all callers, renewed before they expire.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::{BoxFuture, Credentials};
use crate::CredentialsError;

/// Renewal starts when less than this is left.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_secs(180);

/// Credentials with less than this left are not used: the request has to arrive in time.
const UNUSABLE_BEFORE: SignedDuration = SignedDuration::from_secs(10);

/// How long a failed renewal is not repeated while the old credentials are still good.
const RENEWAL_PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// Credentials and the time they are good until.
#[derive(Clone, Debug)]
pub(super) struct Temporary {
    pub(super) credentials: Arc<Credentials>,
    pub(super) expires_at: Timestamp,
}

/// A source of temporary credentials.
pub(super) trait Fetch: fmt::Debug + Send + Sync + 'static {
    fn fetch(&self) -> BoxFuture<'_, Result<Temporary, CredentialsError>>;
}

/// Keeps what a source gave.
#[derive(Debug)]
pub(super) struct Cached<F> {
    source: F,
    held: RwLock<Option<Held>>,
    renewing: Mutex<()>,
}

#[derive(Clone, Debug)]
struct Held {
    temporary: Temporary,
    renew_at: Timestamp,
}

impl Held {
    fn is_usable(&self, now: Timestamp) -> bool {
        self.temporary.expires_at.duration_since(now) > UNUSABLE_BEFORE
    }
}

impl<F: Fetch> Cached<F> {
    pub(super) fn new(source: F) -> Self {
        Self {
            source,
            held: RwLock::new(None),
            renewing: Mutex::new(()),
        }
    }

    /// Good credentials. One caller renews; the others go on with the old ones, or wait when those have run out.
    pub(super) async fn get(&self) -> Result<Arc<Credentials>, CredentialsError> {
        let _renewing = match self.held() {
            Some(held) if held.renew_at > Timestamp::now() => return Ok(held.temporary.credentials),
            Some(held) if held.is_usable(Timestamp::now()) => match self.renewing.try_lock() {
                Ok(guard) => guard,
                Err(_) => return Ok(held.temporary.credentials),
            },
            _ => self.renewing.lock().await,
        };
        // Somebody else may have renewed them meanwhile.
        let before = self.held();
        if let Some(held) = before.as_ref().filter(|held| held.renew_at > Timestamp::now()) {
            return Ok(Arc::clone(&held.temporary.credentials));
        }
        match (self.source.fetch().await, before) {
            (Ok(temporary), _) => Ok(self.hold(temporary)),
            (Err(error), Some(held)) if held.is_usable(Timestamp::now()) => {
                tracing::warn!(%error, "credentials could not be renewed, the old ones are still good");
                let renew_at = Timestamp::now() + RENEWAL_PAUSE;
                let credentials = Arc::clone(&held.temporary.credentials);
                self.set(Held { renew_at, ..held });
                Ok(credentials)
            }
            (Err(error), _) => Err(error),
        }
    }

    fn hold(&self, temporary: Temporary) -> Arc<Credentials> {
        let renew_at = temporary.expires_at - RENEW_BEFORE;
        let credentials = Arc::clone(&temporary.credentials);
        self.set(Held { temporary, renew_at });
        credentials
    }

    fn held(&self) -> Option<Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, held: Held) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }
}
