//! Fuzzing of the signer: any text gives a signature, and the canonical form is that of a second implementation.
//!
//! As a test it runs for `FUZZ_SECONDS` (5 unless said otherwise) with random inputs; a failure prints the input, made as
//! small as it gets, and `BOLERO_RANDOM_SEED`, which repeats it. Optimized, until it is stopped:
//! `cargo bolero test -p alb-api any_text_is_signed_as_documented --engine random --sanitizer NONE`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::Duration;

use alb_api::sign::{CanonicalRequest, payload_hash, sign_v1, string_to_sign_v1};
use bolero::generator::{ValueGenerator, produce};
use bolero::one_value_of;

type Pairs = Vec<(String, String)>;

/// What a request is made of.
#[derive(Clone, Debug)]
struct Input {
    method: String,
    path: String,
    secret: String,
    query: Pairs,
    headers: Pairs,
    body: String,
}

fn inputs() -> impl ValueGenerator<Output = Input> {
    (text(), text(), text(), pairs(), headers(), text()).map_gen(
        |(method, path, secret, query, headers, body)| Input {
            method,
            path,
            secret,
            query,
            headers,
            body,
        },
    )
}

/// Words that matter to the signer, and any characters.
fn text() -> impl ValueGenerator<Output = String> {
    const WORDS: &[&str] = &[
        "a",
        "A",
        "x-acs-",
        "%",
        "+",
        " ",
        "=",
        "&",
        "\u{e4}",
        "\n",
        ",",
        "~",
        "*",
        "\u{1f600}",
        "[0]",
        "",
    ];
    let part = (0..3_u8, one_value_of(WORDS), 0..0x1_0000_u32).map_gen(|(kind, word, code)| match kind {
        0 => char::from_u32(code).map(String::from).unwrap_or_default(),
        _ => word.to_owned(),
    });
    produce::<Vec<String>>()
        .with()
        .len(0..6_usize)
        .values(part)
        .map_gen(|parts| parts.concat())
}

fn pairs() -> impl ValueGenerator<Output = Pairs> {
    produce::<Pairs>().with().len(0..6_usize).values((text(), text()))
}

/// Headers that are signed and others.
fn headers() -> impl ValueGenerator<Output = Pairs> {
    const NAMES: &[&str] = &[
        "host",
        "Host",
        "content-type",
        "x-acs-date",
        "X-Acs-Action",
        "user-agent",
        "authorization",
    ];
    let named = (one_value_of(NAMES), text()).map_gen(|(name, value)| (name.to_owned(), value));
    let named = produce::<Pairs>().with().len(0..6_usize).values(named);
    (named, pairs()).map_gen(|(named, more)| [named, more].concat())
}

/// RFC 3986: everything but letters, digits and `- _ . ~`, byte by byte.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            _ => out.extend(["%".to_owned(), format!("{byte:02X}")]),
        }
    }
    out
}

fn query_of(pairs: &[(String, String)]) -> String {
    let mut sorted: Vec<_> = pairs.to_vec();
    sorted.sort();
    let parts: Vec<String> = sorted
        .iter()
        .map(|(k, v)| format!("{}={}", encoded(k), encoded(v)))
        .collect();
    parts.join("&")
}

/// The canonical text, written from the documentation of signature V3.
fn canonical(
    method: &str,
    path: &str,
    query: &[(String, String)],
    headers: &[(String, String)],
    hash: &str,
) -> String {
    let mut names: Vec<String> = headers
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .filter(|name| ["host", "content-type"].contains(&name.as_str()) || name.starts_with("x-acs-"))
        .collect();
    names.sort();
    names.dedup();
    let lines: Vec<String> = names
        .iter()
        .map(|name| {
            let mut values: Vec<&str> = headers
                .iter()
                .filter(|(other, _)| other.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim())
                .collect();
            values.sort_unstable();
            format!("{name}:{}\n", values.join(","))
        })
        .collect();
    let path = if path.is_empty() { "/" } else { path };
    format!(
        "{method}\n{path}\n{}\n{}\n{}\n{hash}",
        query_of(query),
        lines.concat(),
        names.join(";")
    )
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect()
}

/// One input: canonical forms agree, do not depend on the order of parameters, and what is signed decides the signature.
fn check(input: &Input) {
    let Input {
        method,
        path,
        secret,
        query,
        headers,
        body,
    } = input;
    let (mut query, mut headers) = (query.clone(), headers.clone());
    let hash = payload_hash(body.as_bytes());
    assert!(
        hash.len() == 64
            && hash
                .bytes()
                .all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
    );
    let sign = |query: &[(String, String)], headers: &[(String, String)]| {
        let (query, headers) = (borrowed(query), borrowed(headers));
        let request = CanonicalRequest {
            method,
            path,
            query: &query,
            headers: &headers,
            payload_hash: &hash,
        };
        (
            request.text(),
            request.signature(secret),
            request.authorization("id", secret),
        )
    };
    let first = sign(&query, &headers);
    assert_eq!(first.0, canonical(method, path, &query, &headers, &hash));
    assert!(first.2.ends_with(&first.1));
    let v1 = string_to_sign_v1(method, &query);
    assert_eq!(v1, format!("{method}&%2F&{}", encoded(&query_of(&query))));
    let signed_v1 = sign_v1(method, &query, secret);

    query.reverse();
    headers.reverse();
    assert_eq!(sign(&query, &headers), first, "the order of parameters matters");
    assert_eq!(sign_v1(method, &query, secret), signed_v1);
    query.push(("another".into(), "parameter".into()));
    assert_ne!(sign(&query, &headers).1, first.1, "a parameter is not signed");
    assert_ne!(sign_v1(method, &query, secret), signed_v1);
}

#[test]
fn any_text_is_signed_as_documented() {
    let seconds = std::env::var("FUZZ_SECONDS").map_or(5, |text| text.parse().expect("a number"));
    bolero::check!()
        .with_test_time(Duration::from_secs(seconds))
        .with_generator(inputs())
        .for_each(check);
}
