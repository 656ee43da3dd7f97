//! Query parameters of API requests.

use crate::api::FieldValidation;
use crate::api::list::{ListOptions, RevisionMatch};
use crate::kinds::Resource;
use crate::selectors::{FieldSelector, LabelSelector, Selection};
use crate::status::{ApiError, ApiResult};

/// Decoded `key=value` pairs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|part| !part.is_empty());
        Self(
            pairs
                .map(|part| part.split_once('=').unwrap_or((part, "")))
                .map(|(key, value)| (decode(key), decode(value)))
                .collect(),
        )
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self, key: &str) -> &str {
        self.get(key).unwrap_or_default()
    }

    /// `true`, `1` and friends; present without a value counts as true.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        self.get(key)
            .map(|value| !matches!(value, "false" | "0" | "f" | "F" | "False"))
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> ApiResult<Option<T>> {
        match self.get(key).filter(|value| !value.is_empty()) {
            None => Ok(None),
            Some(value) => value.parse().map(Some).map_err(|_| {
                ApiError::bad_request(format!(
                    "invalid query parameter {key}={value:?}: must be a number"
                ))
            }),
        }
    }

    pub(crate) fn timeout_s(&self) -> ApiResult<Option<u64>> {
        self.number("timeoutSeconds")
    }

    pub(crate) fn dry_run(&self) -> ApiResult<bool> {
        match self.get("dryRun") {
            None | Some("") => Ok(false),
            Some("All") => Ok(true),
            Some(other) => Err(ApiError::new(
                422,
                "Invalid",
                format!(" \"\" is invalid: dryRun: Unsupported value: {other:?}: supported values: \"All\""),
            )),
        }
    }

    /// The API server's default is Warn.
    pub(crate) fn validation(&self) -> ApiResult<FieldValidation> {
        match self.get("fieldValidation") {
            None | Some("" | "Warn") => Ok(FieldValidation::Warn),
            Some("Ignore") => Ok(FieldValidation::Ignore),
            Some("Strict") => Ok(FieldValidation::Strict),
            Some(other) => Err(ApiError::new(
                422,
                "Invalid",
                format!(
                    " \"\" is invalid: fieldValidation: Unsupported value: {other:?}: supported values: \"\", \
\"Ignore\", \"Strict\", \"Warn\""
                ),
            )),
        }
    }

    pub(crate) fn selection(&self, resource: &Resource) -> ApiResult<Selection> {
        Ok(Selection {
            labels: LabelSelector::parse(self.text("labelSelector")).map_err(ApiError::bad_request)?,
            fields: FieldSelector::parse(self.text("fieldSelector"), resource)
                .map_err(ApiError::bad_request)?,
        })
    }

    pub(crate) fn list_options(&self, resource: &Resource) -> ApiResult<ListOptions> {
        let revision_match = match self.text("resourceVersionMatch") {
            "" | "NotOlderThan" => RevisionMatch::NotOlderThan,
            "Exact" => RevisionMatch::Exact,
            other => {
                return Err(ApiError::new(
                    422,
                    "Invalid",
                    format!(
                        "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Unsupported value: {other:?}: \
supported values: \"Exact\", \"NotOlderThan\""
                    ),
                ));
            }
        };
        let revision = match self.get("resourceVersion").filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| {
                ApiError::bad_request(format!(
                    "Invalid value: {text:?}: strconv.ParseUint: invalid syntax"
                ))
            })?),
        };
        if revision == Some(0) && revision_match == RevisionMatch::Exact {
            return Err(ApiError::bad_request(
                "resourceVersionMatch: Forbidden: resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"",
            ));
        }
        Ok(ListOptions {
            selection: self.selection(resource)?,
            limit: self.number("limit")?.unwrap_or(0),
            token: self.text("continue").to_owned(),
            revision,
            revision_match,
        })
    }
}

/// Percent-decodes, with `+` as a space.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let hex = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (bytes[index], hex(index + 1), hex(index + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                index += 3;
                continue;
            }
            (b'+', _, _) => out.push(b' '),
            (byte, _, _) => out.push(byte),
        }
        index += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        let query = Query::parse("labelSelector=a%3Db%2Cc+in+%28d%29&watch&x=%zz");
        assert_eq!(query.text("labelSelector"), "a=b,c in (d)");
        assert_eq!(query.flag("watch"), Some(true));
        assert_eq!(query.text("x"), "%zz");
    }
}
