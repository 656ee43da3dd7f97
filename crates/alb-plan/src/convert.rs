//! Between the model's values and the API's, in both directions.

pub(crate) mod listener;
pub(crate) mod rule;
pub(crate) mod server_group;

use std::str::FromStr;

use alb_api::alb::Tag;
use alb_model::Tags;

/// Tags for a request.
pub(crate) fn tags(tags: &Tags) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag {
            key: key.to_string(),
            value: value.to_string(),
        })
        .collect()
}

/// Tags from an answer.
pub(crate) fn tag_map(tags: &[Tag]) -> Tags {
    tags.iter()
        .map(|tag| (tag.key.as_str().into(), tag.value.as_str().into()))
        .collect()
}

/// Reads one of an enumeration's values; the default for a value this version does not know.
pub(crate) fn known<T: FromStr + Default>(text: &str) -> T {
    text.parse().unwrap_or_default()
}

pub(crate) fn filled(text: Option<&String>) -> Option<String> {
    text.filter(|t| !t.is_empty()).cloned()
}

pub(crate) fn unsigned(number: Option<i32>) -> Option<u32> {
    number.and_then(|n| u32::try_from(n).ok())
}

pub(crate) fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
