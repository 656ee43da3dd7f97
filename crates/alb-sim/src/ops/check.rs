//! Checks that many operations share.

use std::fmt::Display;
use std::ops::RangeInclusive;

use alb_model::limits;

use crate::api::{ApiError, ApiResult};
use crate::state::Tags;
use crate::wire::Tag;

pub(super) fn one_of(path: &str, value: &str, allowed: &[&str]) -> ApiResult<()> {
    if allowed.contains(&value) {
        Ok(())
    } else {
        Err(ApiError::illegal(
            path,
            format_args!("{value:?} is none of {}", allowed.join(", ")),
        ))
    }
}

/// An optional value that must be one of `allowed`.
pub(super) fn optional_one_of(path: &str, value: Option<&String>, allowed: &[&str]) -> ApiResult<()> {
    value.map_or(Ok(()), |value| one_of(path, value, allowed))
}

pub(super) fn range<T: TryInto<i64> + Copy + Display>(
    path: &str,
    value: i64,
    range: &RangeInclusive<T>,
) -> ApiResult<()> {
    let bound = |end: &T| (*end).try_into().unwrap_or(i64::MAX);
    if (bound(range.start())..=bound(range.end())).contains(&value) {
        Ok(())
    } else {
        Err(ApiError::illegal(
            path,
            format_args!("{value} is not in {}-{}", range.start(), range.end()),
        ))
    }
}

pub(super) fn optional_range<T: TryInto<i64> + Copy + Display>(
    path: &str,
    value: Option<i64>,
    allowed: &RangeInclusive<T>,
) -> ApiResult<()> {
    value.map_or(Ok(()), |value| range(path, value, allowed))
}

pub(super) fn at_most(path: &str, count: usize, max: usize) -> ApiResult<()> {
    if count <= max {
        Ok(())
    } else {
        Err(ApiError::illegal(
            path,
            format_args!("{count} elements are more than {max} in one call"),
        ))
    }
}

pub(super) fn length(path: &str, value: &str, chars: &RangeInclusive<usize>) -> ApiResult<()> {
    let count = value.chars().count();
    if chars.contains(&count) {
        Ok(())
    } else {
        Err(ApiError::illegal(
            path,
            format_args!(
                "{count} characters, allowed are {}-{}",
                chars.start(),
                chars.end()
            ),
        ))
    }
}

/// Names of load balancers, server groups, rules and ACLs: 2–128 characters, a letter first, then letters, digits,
/// `.`, `_`, `-` (OpenAPI: `LoadBalancerName`).
pub(super) fn name(path: &str, value: &str) -> ApiResult<()> {
    length(path, value, &limits::NAME_CHARS)?;
    if !value.starts_with(char::is_alphabetic) {
        return Err(ApiError::illegal(path, "it must start with a letter"));
    }
    match value
        .chars()
        .find(|c| !(c.is_alphanumeric() || matches!(c, '.' | '_' | '-')))
    {
        Some(c) => Err(ApiError::illegal(
            path,
            format_args!("{c:?} is not allowed; write letters, digits, '.', '_' and '-'"),
        )),
        None => Ok(()),
    }
}

/// Most tags of one resource.
pub(super) const MAX_TAGS: usize = 20;

/// Reads tags of a call: at most 20, keys and values at most 128 characters, not starting with `aliyun` or `acs:`,
/// without `http://` and `https://`.
pub(super) fn tags(tags: Option<&[Tag]>) -> ApiResult<Tags> {
    let tags = tags.unwrap_or_default();
    at_most("Tag", tags.len(), MAX_TAGS)?;
    let mut checked = Tags::new();
    for (i, tag) in tags.iter().enumerate() {
        let path = |part: &str| format!("Tag.{}.{part}", i + 1);
        if tag.key.is_empty() {
            return Err(ApiError::missing(&path("Key")));
        }
        for (part, text) in [("Key", &tag.key), ("Value", &tag.value)] {
            length(&path(part), text, &(0..=128))?;
            let reserved = text.starts_with("aliyun") || text.starts_with("acs:");
            if reserved || text.contains("http://") || text.contains("https://") {
                return Err(ApiError::illegal(
                    &path(part),
                    "it must not start with aliyun or acs:, nor contain http:// or https://",
                ));
            }
        }
        if checked.insert(tag.key.clone(), tag.value.clone()).is_some() {
            return Err(ApiError::bad_request(
                "DuplicatedParam.TagKey",
                format!("The param of TagKey is duplicated: {}.", tag.key),
            ));
        }
    }
    Ok(checked)
}

/// Tags as answers show them.
pub(super) fn render_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
}

/// Whether a resource has all the tags of a filter; a filter without a value asks for the key only.
pub(super) fn has_tags(tags: &Tags, filter: &[Tag]) -> bool {
    filter.iter().all(|wanted| {
        tags.get(&wanted.key)
            .is_some_and(|value| wanted.value.is_empty() || *value == wanted.value)
    })
}

/// Whether a list filter names a value; an empty filter names all.
pub(super) fn named(filter: &[String], value: &str) -> bool {
    filter.is_empty() || filter.iter().any(|wanted| wanted == value)
}
