//! List: selectors, pages, and old revisions.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{State, Target};
use crate::json;
use crate::selectors::Selection;
use crate::status::{ApiError, ApiResult};
use crate::store::{Key, Objects, TooOld};

/// How the revision of a list is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RevisionMatch {
    #[default]
    NotOlderThan,
    Exact,
}

/// The query of a list.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListOptions {
    pub(crate) selection: Selection,
    /// 0 = no limit.
    pub(crate) limit: usize,
    pub(crate) token: String,
    pub(crate) revision: Option<u64>,
    pub(crate) revision_match: RevisionMatch,
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) items: Vec<Arc<Value>>,
    pub(crate) revision: u64,
    /// Continue token and the number of items after this page.
    pub(crate) rest: Option<(String, usize)>,
}

const EXPIRED_TOKEN: &str = "The provided continue parameter is too old to display a consistent list result. You can \
start a new list without the continue parameter.";

impl State {
    pub(crate) fn list(&self, target: &Target, options: &ListOptions) -> ApiResult<Page> {
        let storage = &target.resource.storage;
        let (revision, after) = self.starting_point(options)?;
        let now = self.store.revision();
        if revision > now {
            let mut error = ApiError::new(
                504,
                "Timeout",
                format!("Too large resource version: {revision}, current: {now}"),
            );
            error.retry_after_s = Some(1);
            return Err(error.with_causes(vec![crate::status::Cause {
                reason: "ResourceVersionTooLarge",
                message: "Too large resource version".to_owned(),
                field: String::new(),
            }]));
        }
        let old: Objects;
        let all: Box<dyn Iterator<Item = (&Key, &Arc<Value>)>> = if revision == now {
            Box::new(self.store.iter(storage, &target.namespace))
        } else {
            old = self
                .store
                .at(storage, revision)
                .map_err(|error| too_old(error, !options.token.is_empty()))?;
            let namespace = &target.namespace;
            Box::new(
                old.iter()
                    .filter(move |(key, _)| namespace.is_empty() || key.0 == *namespace),
            )
        };
        let mut chosen = all
            .filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after))
            .filter(|(key, _)| target.name.is_empty() || key.1 == target.name)
            .filter(|(_, object)| options.selection.matches(object));
        let limit = if options.limit == 0 {
            usize::MAX
        } else {
            options.limit
        };
        let mut items = Vec::new();
        let mut last = None;
        for (key, object) in chosen.by_ref().take(limit) {
            items.push(object.clone());
            last = Some(key.clone());
        }
        let remaining = chosen.count();
        let rest = last
            .filter(|_| remaining > 0)
            .map(|key| (encode(revision, &key), remaining));
        Ok(Page {
            items,
            revision,
            rest,
        })
    }

    fn starting_point(&self, options: &ListOptions) -> ApiResult<(u64, Option<Key>)> {
        if !options.token.is_empty() {
            let (revision, key) =
                decode(&options.token).ok_or_else(|| ApiError::bad_request("continue key is not valid"))?;
            return Ok((revision, Some(key)));
        }
        let now = self.store.revision();
        Ok(match (options.revision, options.revision_match) {
            (Some(revision), RevisionMatch::Exact) => (revision, None),
            (Some(revision), RevisionMatch::NotOlderThan) if revision > now => (revision, None),
            _ => (now, None),
        })
    }
}

pub(crate) fn too_old(error: TooOld, paging: bool) -> ApiError {
    if paging {
        return ApiError::expired(EXPIRED_TOKEN);
    }
    ApiError::expired(format!(
        "too old resource version: {} ({})",
        error.asked, error.oldest
    ))
}

fn encode(revision: u64, key: &Key) -> String {
    let token = json!({"v": "meta.k8s.io/v1", "rv": revision, "ns": key.0, "name": key.1});
    URL_SAFE_NO_PAD.encode(token.to_string())
}

fn decode(token: &str) -> Option<(u64, Key)> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let token: Value = serde_json::from_slice(&bytes).ok()?;
    let text = |key: &str| json::text(&token, &[key]).to_owned();
    Some((token["rv"].as_u64()?, (text("ns"), text("name"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_a_round_trip_and_nonsense_is_refused() {
        let key = ("ns".to_owned(), "a".to_owned());
        assert_eq!(decode(&encode(7, &key)), Some((7, key)));
        assert_eq!(decode("nonsense"), None);
    }
}
