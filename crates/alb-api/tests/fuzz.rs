//! Fuzzing of the signer: any text gives a signature, and the canonical form is that of a second implementation.
//!
//! Runs for `FUZZ_SECONDS` (5 unless said otherwise) with a random seed, which a failure prints; `FUZZ_SEED=S` starts from
//! that one.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::{Duration, Instant, SystemTime};

use alb_api::sign::{CanonicalRequest, payload_hash, sign_v1, string_to_sign_v1};

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % bound.max(1) as u64).unwrap()
    }

    fn text(&mut self) -> String {
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
        (0..self.below(6))
            .map(|_| match self.below(3) {
                0 => char::from_u32(self.below(0x1_0000) as u32)
                    .map(String::from)
                    .unwrap_or_default(),
                _ => WORDS[self.below(WORDS.len())].to_owned(),
            })
            .collect()
    }

    fn pairs(&mut self) -> Vec<(String, String)> {
        (0..self.below(6)).map(|_| (self.text(), self.text())).collect()
    }

    fn headers(&mut self) -> Vec<(String, String)> {
        const NAMES: &[&str] = &[
            "host",
            "Host",
            "content-type",
            "x-acs-date",
            "X-Acs-Action",
            "user-agent",
            "authorization",
        ];
        let mut headers: Vec<_> = (0..self.below(6))
            .map(|_| (NAMES[self.below(NAMES.len())].to_owned(), self.text()))
            .collect();
        headers.extend(self.pairs());
        headers
    }
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
fn run(random: &mut Random) {
    let (method, path, secret) = (random.text(), random.text(), random.text());
    let (mut query, mut headers, body) = (random.pairs(), random.headers(), random.text());
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
            method: &method,
            path: &path,
            query: &query,
            headers: &headers,
            payload_hash: &hash,
        };
        (
            request.text(),
            request.signature(&secret),
            request.authorization("id", &secret),
        )
    };
    let first = sign(&query, &headers);
    assert_eq!(first.0, canonical(&method, &path, &query, &headers, &hash));
    assert!(first.2.ends_with(&first.1));
    let v1 = string_to_sign_v1(&method, &query);
    assert_eq!(v1, format!("{method}&%2F&{}", encoded(&query_of(&query))));
    let signed_v1 = sign_v1(&method, &query, &secret);

    query.reverse();
    headers.reverse();
    assert_eq!(sign(&query, &headers), first, "the order of parameters matters");
    assert_eq!(sign_v1(&method, &query, &secret), signed_v1);
    query.push(("another".into(), "parameter".into()));
    assert_ne!(sign(&query, &headers).1, first.1, "a parameter is not signed");
    assert_ne!(sign_v1(&method, &query, &secret), signed_v1);
}

#[test]
fn any_text_is_signed_as_documented() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().expect("a number"))
    };
    let time = Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(5));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut seed = number("FUZZ_SEED").unwrap_or(now.as_micros() as u64);
    let (start, mut runs) = (Instant::now(), 0_u64);
    while runs == 0 || start.elapsed() < time {
        let outcome = std::panic::catch_unwind(|| run(&mut Random(seed)));
        if let Err(panic) = outcome {
            eprintln!("FUZZ_SEED={seed} fails");
            std::panic::resume_unwind(panic);
        }
        runs += 1;
        seed = seed.wrapping_add(1);
    }
    println!("signer: {runs} inputs in {:?}", start.elapsed());
}
