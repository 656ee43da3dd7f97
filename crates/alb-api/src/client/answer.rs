//! From HTTP responses to answers and errors.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::Answer;
use crate::credentials::Credentials;
use crate::{Action, ApiError, DecodeError, Error};

/// Longest message kept of an error, in characters.
const MAX_MESSAGE_CHARS: usize = 1000;

/// Headers that tell a throttled caller how long to wait: by user and API, and by user.
const RATE_LIMIT_HEADERS: [&str; 2] = ["x-ratelimit-user-api", "x-ratelimit-user"];

pub(super) fn read(
    action: Action,
    response: &http::Response<Bytes>,
    credentials: &Credentials,
) -> Result<Answer, Error> {
    let http_status = response.status().as_u16();
    let json: Option<Value> = serde_json::from_slice(response.body()).ok();
    let members = json.as_ref().and_then(Value::as_object);
    let request_id = members
        .and_then(|members| text(members, "RequestId"))
        .or_else(|| {
            response
                .headers()
                .get("x-acs-request-id")?
                .to_str()
                .ok()
                .map(str::to_owned)
        })
        .unwrap_or_default();
    if response.status().is_success() {
        return match json {
            Some(json @ Value::Object(_)) => Ok(Answer {
                http_status,
                request_id,
                json,
            }),
            _ => {
                let source = DecodeError::new("", "the body is not a JSON object");
                Err(Error::Decode {
                    action,
                    request_id,
                    http_status,
                    source,
                })
            }
        };
    }
    let get = |name: &str| members.and_then(|members| text(members, name));
    let message = get("Message").unwrap_or_else(|| String::from_utf8_lossy(response.body()).into_owned());
    Err(Error::Api(Box::new(ApiError {
        action,
        http_status,
        code: scrub(
            &get("Code").unwrap_or_else(|| format!("HTTP {http_status}")),
            credentials,
        ),
        message: scrub(&message, credentials),
        request_id,
        retry_after: retry_after(response.headers()),
    })))
}

/// A member by name; some gateways write names in lower case.
fn text(members: &Map<String, Value>, name: &str) -> Option<String> {
    let value = members.get(name).or_else(|| {
        members
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })?;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Removes what must not be shown: servers may repeat parts of a request in their message.
fn scrub(text: &str, credentials: &Credentials) -> String {
    if text.contains("PRIVATE KEY") {
        return "[redacted: the message repeats a private key]".to_owned();
    }
    let mut clean: String = text.chars().take(MAX_MESSAGE_CHARS).collect();
    if text.chars().nth(MAX_MESSAGE_CHARS).is_some() {
        clean.push('…');
    }
    for secret in [
        Some(credentials.access_key_secret()),
        credentials.security_token(),
    ]
    .into_iter()
    .flatten()
    {
        for form in [secret.to_owned(), crate::flatten::encode(secret)] {
            if !form.is_empty() {
                clean = clean.replace(&form, "[redacted]");
            }
        }
    }
    clean
}

/// The greatest `TimeLeft` of the rate limit headers, `Limit:1,Remain:0,TimeLeft:2000,Reset:1234`. The unit is taken to
/// be milliseconds; sample values suggest it, no documentation says it.
fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    RATE_LIMIT_HEADERS
        .iter()
        .filter_map(|name| headers.get(*name)?.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|field| field.split_once(':'))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("TimeLeft"))
        .filter_map(|(_, value)| value.trim().parse().ok())
        .map(Duration::from_millis)
        .max()
}
