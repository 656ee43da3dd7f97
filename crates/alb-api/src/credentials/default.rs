//! Which source of credentials an environment asks for.

use std::path::PathBuf;
use std::sync::Arc;

use super::{
    BoxFuture, Credentials, CredentialsProvider, EcsRoleConfig, EcsRoleCredentials, EnvironmentCredentials,
    OidcConfig, OidcCredentials, ProfileCredentials,
};
use crate::{CredentialsError, Error};

/// Credentials from where the environment says, decided once, in the order of Alibaba Cloud's SDKs:
///
/// 1. `ALIBABA_CLOUD_ACCESS_KEY_ID` is set: the [environment](EnvironmentCredentials);
/// 2. `ALIBABA_CLOUD_ROLE_ARN`, `ALIBABA_CLOUD_OIDC_PROVIDER_ARN` and `ALIBABA_CLOUD_OIDC_TOKEN_FILE` are set:
///    [RRSA](OidcCredentials);
/// 3. `ALIBABA_CLOUD_CONFIG_FILE`, or else `~/.aliyun/config.json`, exists: that [file](ProfileCredentials), profile
///    `ALIBABA_CLOUD_PROFILE`; not with `ALIBABA_CLOUD_CLI_PROFILE_DISABLED=true`;
/// 4. else the [role of the machine](EcsRoleCredentials); not with `ALIBABA_CLOUD_ECS_METADATA_DISABLED=true`.
#[derive(Clone, Debug)]
pub struct DefaultCredentials(Arc<dyn CredentialsProvider>);

impl DefaultCredentials {
    /// Decides by this process's environment.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Decides by variables from elsewhere.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let get = |name: &str| {
            lookup(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let is_true = |name: &str| get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if get("ALIBABA_CLOUD_ACCESS_KEY_ID").is_some() {
            return Ok(Self(Arc::new(EnvironmentCredentials::from_lookup(get))));
        }
        if let Some(config) = OidcConfig::from_lookup(get) {
            return Ok(Self(Arc::new(OidcCredentials::new(config)?)));
        }
        if !is_true("ALIBABA_CLOUD_CLI_PROFILE_DISABLED") {
            let home = || get("HOME").map(|home| PathBuf::from(home).join(".aliyun/config.json"));
            let file = get("ALIBABA_CLOUD_CONFIG_FILE").map(PathBuf::from).or_else(home);
            if let Some(file) = file.filter(|file| file.is_file()) {
                return Ok(Self(Arc::new(ProfileCredentials::new(
                    file,
                    get("ALIBABA_CLOUD_PROFILE"),
                ))));
            }
        }
        if !is_true("ALIBABA_CLOUD_ECS_METADATA_DISABLED") {
            let config = EcsRoleConfig {
                role_name: get("ALIBABA_CLOUD_ECS_METADATA"),
                allow_v1: !is_true("ALIBABA_CLOUD_IMDSV1_DISABLED"),
                ..EcsRoleConfig::default()
            };
            return Ok(Self(Arc::new(EcsRoleCredentials::new(config)?)));
        }
        // Says which variables to set.
        Ok(Self(Arc::new(EnvironmentCredentials::from_lookup(get))))
    }
}

impl CredentialsProvider for DefaultCredentials {
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, CredentialsError>> {
        self.0.credentials()
    }
}
