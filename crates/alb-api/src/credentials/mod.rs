//! AccessKeys and where they come from.

#[cfg(feature = "client")]
mod cache;
#[cfg(feature = "client")]
mod default;
#[cfg(feature = "client")]
mod ecs_role;
#[cfg(feature = "client")]
mod fetch;
#[cfg(feature = "client")]
mod oidc;
#[cfg(feature = "client")]
mod profile;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

#[cfg(feature = "client")]
pub use default::DefaultCredentials;
#[cfg(feature = "client")]
pub use ecs_role::{EcsRoleConfig, EcsRoleCredentials};
#[cfg(feature = "client")]
pub use oidc::{OidcConfig, OidcCredentials};
#[cfg(feature = "client")]
pub use profile::ProfileCredentials;
use secrecy::{ExposeSecret, SecretString};

use crate::CredentialsError;

/// A future on the heap, so that traits with asynchronous methods can be objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An AccessKey, with a security token when it is a temporary one. `Debug` shows the first characters of the id only.
#[derive(Clone)]
pub struct Credentials {
    access_key_id: String,
    access_key_secret: SecretString,
    security_token: Option<SecretString>,
}

impl Credentials {
    /// A lasting AccessKey.
    pub fn new(access_key_id: impl Into<String>, access_key_secret: impl Into<String>) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            access_key_secret: SecretString::from(access_key_secret.into()),
            security_token: None,
        }
    }

    /// Makes it a temporary AccessKey.
    pub fn with_security_token(mut self, token: impl Into<String>) -> Self {
        self.security_token = Some(SecretString::from(token.into()));
        self
    }

    /// The AccessKey id.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The AccessKey secret itself.
    pub fn access_key_secret(&self) -> &str {
        self.access_key_secret.expose_secret()
    }

    /// The security token itself.
    pub fn security_token(&self) -> Option<&str> {
        self.security_token.as_ref().map(ExposeSecret::expose_secret)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start: String = self.access_key_id.chars().take(4).collect();
        f.debug_struct("Credentials")
            .field("access_key_id", &format_args!("{start}…"))
            .field("temporary", &self.security_token.is_some())
            .finish_non_exhaustive()
    }
}

/// Where credentials come from. Asked before every request, so that renewed ones are used at once; a provider that has
/// to fetch them keeps them.
pub trait CredentialsProvider: fmt::Debug + Send + Sync + 'static {
    /// Credentials that are valid now.
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, CredentialsError>>;
}

/// Credentials that never change.
#[derive(Clone, Debug)]
pub struct StaticCredentials(Arc<Credentials>);

impl StaticCredentials {
    /// Always these.
    pub fn new(credentials: Credentials) -> Self {
        Self(Arc::new(credentials))
    }
}

impl CredentialsProvider for StaticCredentials {
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, CredentialsError>> {
        let credentials = Arc::clone(&self.0);
        Box::pin(async move { Ok(credentials) })
    }
}

/// Credentials from the environment: `ALIBABA_CLOUD_ACCESS_KEY_ID`, `ALIBABA_CLOUD_ACCESS_KEY_SECRET` and, for temporary
/// ones, `ALIBABA_CLOUD_SECURITY_TOKEN`. An empty variable counts as unset.
#[derive(Clone, Debug)]
pub struct EnvironmentCredentials(Result<Arc<Credentials>, CredentialsError>);

impl EnvironmentCredentials {
    /// Reads this process's environment, once. What is missing is reported when credentials are asked for.
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads variables from elsewhere.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| {
            lookup(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let need = |name: &str| {
            get(name).ok_or_else(|| {
                CredentialsError::permanent(format!(
                    "environment variable {name} is not set: set it to your AccessKey"
                ))
            })
        };
        let read = || {
            let credentials = Credentials::new(
                need("ALIBABA_CLOUD_ACCESS_KEY_ID")?,
                need("ALIBABA_CLOUD_ACCESS_KEY_SECRET")?,
            );
            Ok(Arc::new(match get("ALIBABA_CLOUD_SECURITY_TOKEN") {
                Some(token) => credentials.with_security_token(token),
                None => credentials,
            }))
        };
        Self(read())
    }
}

impl CredentialsProvider for EnvironmentCredentials {
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, CredentialsError>> {
        let credentials = self.0.clone();
        Box::pin(async move { credentials })
    }
}
