//! Cross-origin resource sharing, answered and completed by the load balancer.
//!
//! Unverified on a real instance: preflights are answered with 204; a preflight from a foreign origin gets that answer
//! without `Access-Control-*` headers; with credentials, `*` is answered with the request's origin.

use alb_model::Cors;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};

use super::body::{self, Body};

/// Seconds a preflight may be cached unless the rule says otherwise (ALB documentation: `cors-max-age`).
const DEFAULT_MAX_AGE_S: i32 = 172_800;

/// The answer to a preflight; `None` for any other request.
pub(super) fn preflight(cors: &Cors, method: &Method, headers: &HeaderMap) -> Option<Response<Body>> {
    let is_preflight = method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !is_preflight {
        return None;
    }
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let Some(allowed) = allowed_origin(cors, headers) else {
        return Some(response);
    };
    let answer = response.headers_mut();
    set_origin(cors, allowed, answer);
    set_list(answer, header::ACCESS_CONTROL_ALLOW_METHODS, &cors.allow_methods);
    set_list(answer, header::ACCESS_CONTROL_ALLOW_HEADERS, &cors.allow_headers);
    let max_age = cors.max_age_s.unwrap_or(DEFAULT_MAX_AGE_S);
    answer.insert(header::ACCESS_CONTROL_MAX_AGE, max_age.into());
    Some(response)
}

/// Completes the answer to any other request. The server's own `Access-Control-*` headers are replaced.
pub(super) fn complete(cors: &Cors, request: &HeaderMap, response: &mut HeaderMap) {
    let Some(allowed) = allowed_origin(cors, request) else {
        return;
    };
    for name in [
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
    ] {
        response.remove(name);
    }
    set_origin(cors, allowed, response);
    set_list(
        response,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        &cors.expose_headers,
    );
}

fn set_origin(cors: &Cors, allowed: HeaderValue, response: &mut HeaderMap) {
    if allowed != "*" {
        response.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    if cors.allow_credentials {
        let yes = HeaderValue::from_static("true");
        response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
    }
}

fn set_list(response: &mut HeaderMap, name: HeaderName, values: &[String]) {
    if values.is_empty() {
        return;
    }
    if let Ok(value) = HeaderValue::try_from(values.join(", ")) {
        response.insert(name, value);
    }
}

/// The value of `Access-Control-Allow-Origin`, if the request's origin is allowed.
fn allowed_origin(cors: &Cors, request: &HeaderMap) -> Option<HeaderValue> {
    let origin = request.get(header::ORIGIN)?;
    let text = origin.to_str().ok()?;
    if cors.allow_origin.iter().any(|pattern| pattern == "*") {
        let any = HeaderValue::from_static("*");
        return Some(if cors.allow_credentials {
            origin.clone()
        } else {
            any
        });
    }
    cors.allow_origin
        .iter()
        .any(|pattern| origin_matches(pattern, text))
        .then(|| origin.clone())
}

/// `scheme://host[:port]`; the leftmost label of the pattern may be `*`, for any number of labels.
fn origin_matches(pattern: &str, origin: &str) -> bool {
    match pattern.split_once("://*.") {
        None => pattern.eq_ignore_ascii_case(origin),
        Some((scheme, domain)) => {
            let Some((origin_scheme, host)) = origin.split_once("://") else {
                return false;
            };
            let host = host.to_ascii_lowercase();
            let below = host.strip_suffix(&domain.to_ascii_lowercase());
            scheme.eq_ignore_ascii_case(origin_scheme)
                && below.is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_match_exactly_or_below_a_wildcard_label() {
        for (pattern, origin, expected) in [
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "HTTPS://A.example", true),
            ("https://a.example", "http://a.example", false),
            ("https://a.example", "https://a.example:8443", false),
            ("https://*.example:8443", "https://a.example:8443", true),
            ("https://*.example", "https://a.b.example", true),
            ("https://*.example", "https://example", false),
            ("https://*.example", "https://.example", false),
            ("https://*.example", "https://evilexample", false),
            ("https://*.example", "null", false),
        ] {
            assert_eq!(origin_matches(pattern, origin), expected, "{pattern} {origin}");
        }
    }
}
