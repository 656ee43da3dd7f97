//! Stickiness cookies: of a server within its group, and of a group within its rule.
//!
//! Names and formats of ALB's own cookies are not documented. `SERVERID` is the name that Alibaba Cloud's load balancers
//! insert; the name of the group cookie and both formats are this simulator's (unverified).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{SystemTime, UNIX_EPOCH};

use alb_model::Sticky;
use http::{HeaderMap, HeaderValue, header};

use super::server::Server;

/// Cookie that ALB inserts for [`Sticky::Insert`].
pub(super) const SERVER_COOKIE: &str = "SERVERID";
/// Cookie that keeps a client on the group it got first.
pub(super) const GROUP_COOKIE: &str = "SERVERGROUPID";

/// The first cookie of this name in a request.
fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// Token of an inserted cookie, `token.issued`, unless its time is over.
fn unexpired_token(headers: &HeaderMap, name: &str, timeout_s: u32) -> Option<u64> {
    let (token, issued_s) = value(headers, name)?.split_once('.')?;
    let age_s = now_s().checked_sub(issued_s.parse().ok()?)?;
    (age_s < u64::from(timeout_s)).then(|| u64::from_str_radix(token, 16).ok())?
}

fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn inserted(name: &str, token: u64, timeout_s: u32) -> Option<HeaderValue> {
    let issued_s = now_s();
    HeaderValue::try_from(format!(
        "{name}={token:016x}.{issued_s}; Path=/; Max-Age={timeout_s}; HttpOnly"
    ))
    .ok()
}

/// The server that a request's cookie asks for.
pub(super) fn sticky_server(sticky: Option<&Sticky>, headers: &HeaderMap) -> Option<u64> {
    match sticky? {
        Sticky::Insert { timeout_s } => unexpired_token(headers, SERVER_COOKIE, *timeout_s),
        Sticky::Server { cookie } => u64::from_str_radix(value(headers, cookie)?, 16).ok(),
    }
}

/// Makes the response keep the client on this server. `asked` is what the request's cookie asked for.
pub(super) fn keep_server(
    sticky: Option<&Sticky>,
    asked: Option<u64>,
    server: &Server,
    response: &mut HeaderMap,
) {
    match sticky {
        None => {}
        Some(Sticky::Insert { timeout_s }) => {
            if asked != Some(server.token)
                && let Some(cookie) = inserted(SERVER_COOKIE, server.token, *timeout_s)
            {
                response.append(header::SET_COOKIE, cookie);
            }
        }
        Some(Sticky::Server { cookie }) => rewrite(cookie, server.token, response),
    }
}

/// Replaces the value of the server's own cookie.
fn rewrite(name: &str, token: u64, response: &mut HeaderMap) {
    let rewritten: Vec<HeaderValue> = response
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|line| rewritten(line, name, token).unwrap_or_else(|| line.clone()))
        .collect();
    response.remove(header::SET_COOKIE);
    for line in rewritten {
        response.append(header::SET_COOKIE, line);
    }
}

fn rewritten(line: &HeaderValue, name: &str, token: u64) -> Option<HeaderValue> {
    let line = line.to_str().ok()?;
    let (pair, attributes) = line.split_once(';').map_or((line, None), |(p, a)| (p, Some(a)));
    let (key, _) = pair.split_once('=')?;
    if key.trim() != name {
        return None;
    }
    let attributes = attributes.map(|a| format!(";{a}")).unwrap_or_default();
    HeaderValue::try_from(format!("{name}={token:016x}{attributes}")).ok()
}

/// Stands for a group in cookies.
fn group_token(group_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    group_id.hash(&mut hasher);
    hasher.finish()
}

/// Whether a request's cookie asks for this group.
pub(super) fn asks_for_group(headers: &HeaderMap, timeout_s: u32, group_id: &str) -> bool {
    unexpired_token(headers, GROUP_COOKIE, timeout_s) == Some(group_token(group_id))
}

/// Makes the response keep the client on this group.
pub(super) fn keep_group(timeout_s: u32, group_id: &str, response: &mut HeaderMap) {
    if let Some(cookie) = inserted(GROUP_COOKIE, group_token(group_id), timeout_s) {
        response.append(header::SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn request(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(cookie).unwrap())])
    }

    #[test]
    fn an_inserted_cookie_counts_until_its_time_is_over() {
        let sticky = Sticky::Insert { timeout_s: 100 };
        let asked = |age_s: u64| {
            let cookie = format!("a=b; SERVERID=00000000000000ff.{}; c=d", now_s() - age_s);
            sticky_server(Some(&sticky), &request(&cookie))
        };
        assert_eq!(asked(0), Some(255));
        assert_eq!(asked(90), Some(255));
        assert_eq!(asked(100), None);
        for malformed in ["", "SERVERID=", "SERVERID=zz.1", "SERVERID=ff", "SERVERID=ff.-1"] {
            assert_eq!(
                sticky_server(Some(&sticky), &request(malformed)),
                None,
                "{malformed}"
            );
        }
    }

    #[test]
    fn a_rewritten_cookie_keeps_its_attributes_and_others_stay() {
        let mut response = HeaderMap::new();
        for line in ["other=1; Path=/", "JSESSIONID=abc; Path=/app; Secure", "flag"] {
            response.append(header::SET_COOKIE, HeaderValue::from_static(line));
        }
        rewrite("JSESSIONID", 255, &mut response);
        let lines: Vec<_> = response
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|l| l.to_str().unwrap())
            .collect();
        assert_eq!(
            lines,
            [
                "other=1; Path=/",
                "JSESSIONID=00000000000000ff; Path=/app; Secure",
                "flag"
            ]
        );
    }
}
