//! The configuration file of Alibaba Cloud's command-line tool.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::cache::{Cached, Fetch, Temporary};
use super::{BoxFuture, Credentials, CredentialsProvider};
use crate::{CredentialsError, Sensitive, lenient};

/// How long what was read counts; it is read again 3 minutes earlier.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(5);

/// Credentials from `~/.aliyun/config.json`, a profile of mode `AK` or `StsToken`. The file is read again every two
/// minutes, so that it may be a mounted Secret that rotates.
#[derive(Debug)]
pub struct ProfileCredentials(Cached<Source>);

#[derive(Debug)]
struct Source {
    path: PathBuf,
    profile: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Configuration {
    current: String,
    profiles: Vec<Profile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Profile {
    name: String,
    mode: String,
    access_key_id: String,
    access_key_secret: Sensitive,
    sts_token: Sensitive,
}

impl ProfileCredentials {
    /// Reads this file when asked; without a profile's name, the file's current profile.
    pub fn new(path: impl Into<PathBuf>, profile: Option<String>) -> Self {
        Self(Cached::new(Source {
            path: path.into(),
            profile,
        }))
    }
}

impl CredentialsProvider for ProfileCredentials {
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, CredentialsError>> {
        Box::pin(self.0.get())
    }
}

impl Fetch for Source {
    fn fetch(&self) -> BoxFuture<'_, Result<Temporary, CredentialsError>> {
        Box::pin(async {
            let credentials = Arc::new(read(&self.path, self.profile.as_deref())?);
            Ok(Temporary {
                credentials,
                expires_at: Timestamp::now() + GOOD_FOR,
            })
        })
    }
}

fn read(path: &Path, profile: Option<&str>) -> Result<Credentials, CredentialsError> {
    let file = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| CredentialsError::transient(format!("{file} cannot be read: {error}")))?;
    let json = serde_json::from_str(&text)
        .map_err(|error| CredentialsError::permanent(format!("{file} is not JSON: line {}", error.line())))?;
    let configuration: Configuration =
        lenient::from_value(json).map_err(|error| CredentialsError::permanent(format!("{file}: {error}")))?;
    let name = profile.unwrap_or(&configuration.current);
    let profile = configuration
        .profiles
        .into_iter()
        .find(|profile| profile.name == name)
        .ok_or_else(|| CredentialsError::permanent(format!("{file} has no profile {name:?}")))?;
    let credentials = Credentials::new(profile.access_key_id, profile.access_key_secret.expose());
    match profile.mode.as_str() {
        "AK" => Ok(credentials),
        "StsToken" => Ok(credentials.with_security_token(profile.sts_token.expose())),
        mode => Err(CredentialsError::permanent(format!(
            "profile {name:?} in {file} has mode {mode:?}; this client reads the modes AK and StsToken"
        ))),
    }
}
