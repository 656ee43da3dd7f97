//! Attributes of resources in the API's own shape, as calls send them and answers show them.
//!
//! All fields are optional: a call sets what it names, [`merged`] lays it over what is there.

mod listener;
mod load_balancer;
mod rule;
mod server_group;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use listener::*;
pub(crate) use load_balancer::*;
pub(crate) use rule::*;
pub(crate) use server_group::*;

/// Declares structures whose fields are optional, named in the API's spelling, and left out of answers when unset.
macro_rules! wire {
    ($($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident : $ty:ty),* $(,)? })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        pub(crate) struct $name {
            $($(#[$fmeta])* #[serde(skip_serializing_if = "Option::is_none")] pub(crate) $field: Option<$ty>),*
        }
    )* };
}
pub(crate) use wire;

/// A tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// `current` with what `change` sets laid over it: structures field by field, lists as a whole.
pub(crate) fn merged<T: Serialize + DeserializeOwned + Clone>(current: &T, change: &impl Serialize) -> T {
    let (Ok(mut base), Ok(change)) = (serde_json::to_value(current), serde_json::to_value(change)) else {
        return current.clone();
    };
    overlay(&mut base, change);
    serde_json::from_value(base).unwrap_or_else(|_| current.clone())
}

fn overlay(base: &mut Value, change: Value) {
    match (base, change) {
        (Value::Object(base), Value::Object(change)) => {
            for (name, value) in change {
                match base.get_mut(&name) {
                    Some(old) => overlay(old, value),
                    None => {
                        base.insert(name, value);
                    }
                }
            }
        }
        (base, change) => *base = change,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let current = ServerGroupAttributes {
            scheduler: Some("Wrr".into()),
            health_check_config: Some(HealthCheckConfig {
                health_check_path: Some("/".into()),
                health_check_codes: Some(vec!["http_2xx".into(), "http_3xx".into()]),
                ..HealthCheckConfig::default()
            }),
            ..ServerGroupAttributes::default()
        };
        let change = ServerGroupAttributes {
            health_check_config: Some(HealthCheckConfig {
                health_check_codes: Some(vec!["http_4xx".into()]),
                ..HealthCheckConfig::default()
            }),
            ..ServerGroupAttributes::default()
        };
        let after = merged(&current, &change);
        let health = after.health_check_config.unwrap_or_default();
        assert_eq!(after.scheduler.as_deref(), Some("Wrr"));
        assert_eq!(health.health_check_path.as_deref(), Some("/"));
        assert_eq!(health.health_check_codes, Some(vec!["http_4xx".into()]));
    }
}
