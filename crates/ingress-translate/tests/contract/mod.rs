//! A naive router for Ingresses. It looks at nothing but the Ingresses, one request at a time: no gateway, no rules, no code
//! of the crate.
//!
//! The contract: an exact host goes before a wildcard, a wildcard of more labels before one of fewer, and both before no
//! host; an exact path before a longer prefix before a shorter one; a wildcard stands for one label; prefixes match by
//! element. What the paths of a more specific host do not match falls through to the next host. Of two Ingresses with the
//! same host, path and type the older one is served; of the same age, the first by name. `order` goes before all that;
//! default backends come after all rules. A pattern (`ImplementationSpecific`) is an exact path if it holds no wildcard,
//! else it ranks by what stands before the first wildcard.

/// How a path matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Exact,
    Prefix,
    Pattern,
}

/// One path of an Ingress; an empty host is every host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) host: &'static str,
    pub(crate) kind: Kind,
    pub(crate) path: &'static str,
}

/// How a canary is selected.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    Header(&'static str),
    HeaderValue(&'static str, &'static str),
    Cookie(&'static str),
    HeaderAndCookie(&'static str, &'static str),
    Weight(u16),
}

/// One Ingress; its Service has its own name.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) minute: usize,
    pub(crate) order: u16,
    pub(crate) by: Option<By>,
    pub(crate) default_backend: bool,
    pub(crate) lines: Vec<Line>,
}

impl Made {
    pub(crate) fn weight(&self) -> u16 {
        match self.by {
            Some(By::Weight(weight)) => weight,
            _ => 0,
        }
    }
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) host: &'static str,
    pub(crate) path: &'static str,
    pub(crate) header: Option<(&'static str, &'static str)>,
    pub(crate) cookie: Option<(&'static str, &'static str)>,
}

impl Asked {
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let header = self.header.map(|(name, value)| (name, value.to_owned()));
        let cookie = self
            .cookie
            .map(|(name, value)| ("cookie", format!("{name}={value}")));
        header.into_iter().chain(cookie).collect()
    }
}

/// Who answers, as the tests write it, and what decided that.
pub(crate) struct Expected {
    pub(crate) answer: String,
    pub(crate) by: Vec<&'static str>,
}

/// Names sort as the numbers do.
pub(crate) fn name(index: usize) -> String {
    char::from(b'a' + u8::try_from(index).expect("few Ingresses")).to_string()
}

fn host_matches(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.to_lowercase(), host.to_lowercase());
    match pattern.strip_prefix("*.") {
        _ if pattern.is_empty() => true,
        Some(suffix) => host.split_once('.').is_some_and(|(_, rest)| rest == suffix),
        None => pattern == host,
    }
}

fn elements(text: &str) -> Vec<&str> {
    text.split('/').filter(|element| !element.is_empty()).collect()
}

fn path_matches(line: &Line, path: &str) -> bool {
    match line.kind {
        Kind::Exact => line.path == path,
        Kind::Prefix => elements(path).starts_with(&elements(line.path)),
        Kind::Pattern => wild(line.path, path),
    }
}

/// `*` is any run of characters, `?` exactly one.
fn wild(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            (0..=text.len()).any(|at| text.is_char_boundary(at) && wild(rest, &text[at..]))
        }
        Some(c) => text.chars().next().is_some_and(|first| {
            (c == '?' || c == first) && wild(&pattern[c.len_utf8()..], &text[first.len_utf8()..])
        }),
    }
}

/// Whether two lines contend for the same requests: same host, path and type.
fn same(a: &Line, b: &Line) -> bool {
    let path = |line: &Line| match line.kind {
        Kind::Prefix => line.path.trim_end_matches('/'),
        Kind::Exact | Kind::Pattern => line.path,
    };
    a.host.eq_ignore_ascii_case(b.host) && a.kind == b.kind && path(a) == path(b)
}

/// What goes first among lines that match a request; smaller first.
fn rank(line: &Line) -> (u8, usize, bool, usize) {
    let host = match line.host {
        "" => 2,
        host if host.starts_with('*') => 1,
        _ => 0,
    };
    let labels = if host == 1 {
        line.host.split('.').count()
    } else {
        0
    };
    let fixed = match line.kind {
        Kind::Exact => line.path.len(),
        Kind::Prefix => line.path.trim_end_matches('/').len(),
        Kind::Pattern => line.path.find(['*', '?']).unwrap_or(line.path.len()),
    };
    let exact = match line.kind {
        Kind::Exact => true,
        Kind::Prefix => false,
        Kind::Pattern => !line.path.contains(['*', '?']),
    };
    (host, usize::MAX - labels, !exact, usize::MAX - fixed)
}

/// Numbers of the Ingresses, oldest first.
fn by_age(all: &[Made]) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..all.len()).collect();
    numbers.sort_by_key(|i| (all[*i].minute, *i));
    numbers
}

pub(crate) fn expected(all: &[Made], asked: &Asked) -> Expected {
    let ages = by_age(all);
    let ordinary = || ages.iter().copied().filter(|i| all[*i].by.is_none());
    let mut owners: Vec<(usize, &Line)> = Vec::new();
    let mut contested: Vec<&Line> = Vec::new();
    for (number, line) in ordinary().flat_map(|i| all[i].lines.iter().map(move |line| (i, line))) {
        match owners.iter().find(|(_, owner)| same(owner, line)) {
            None => owners.push((number, line)),
            Some((owner, _)) if *owner != number => contested.push(line),
            Some(_) => {}
        }
    }
    let matching: Vec<(usize, &Line)> = owners
        .into_iter()
        .filter(|(_, line)| host_matches(line.host, asked.host) && path_matches(line, asked.path))
        .collect();
    // Lines of one rank that differ match different requests, or are a pattern and a path of the same text and length:
    // then the texts and ages decide, which the crate documents as host, path, age.
    let best = matching.iter().min_by_key(|(i, line)| {
        let prefix = line.path.trim_end_matches('/');
        let variant = match line.kind {
            Kind::Exact => (0, line.path),
            Kind::Prefix => (1, prefix),
            Kind::Pattern => (2, line.path),
        };
        (all[*i].order, rank(line), line.host.to_lowercase(), variant)
    });
    let Some((base, line)) = best else {
        // The oldest default backend is the listener's.
        return match ordinary().find(|i| all[*i].default_backend) {
            Some(number) => Expected {
                answer: name(number),
                by: vec!["default backend"],
            },
            None => Expected {
                answer: "404".into(),
                by: vec!["404"],
            },
        };
    };
    let mut by = vec![
        match line.host {
            "" => "no host",
            host if host.starts_with('*') => "wildcard host",
            _ => "exact host",
        },
        match line.kind {
            Kind::Exact => "exact path",
            Kind::Prefix => "prefix path",
            Kind::Pattern => "pattern",
        },
    ];
    by.extend(
        contested
            .iter()
            .any(|other| same(other, line))
            .then_some("contested path"),
    );
    let without_order = matching.iter().min_by_key(|(_, line)| rank(line));
    by.extend(
        without_order
            .is_some_and(|(_, first)| !same(first, line))
            .then_some("order"),
    );
    let (answer, canary) = canaried(all, &ages, *base, line, asked);
    by.extend(canary);
    Expected { answer, by }
}

/// The answer of a path with its canaries: by header, oldest first; by cookie; by weight.
fn canaried(
    all: &[Made],
    ages: &[usize],
    base: usize,
    line: &Line,
    asked: &Asked,
) -> (String, Option<&'static str>) {
    let canaries: Vec<(usize, By)> = ages
        .iter()
        .filter(|i| all[**i].lines.iter().any(|other| same(other, line)))
        .filter_map(|i| Some((*i, all[*i].by?)))
        .collect();
    let header = |name: &str| asked.header.filter(|(n, _)| *n == name).map(|(_, value)| value);
    let cookie = |name: &str| asked.cookie.filter(|(n, _)| *n == name).map(|(_, value)| value);
    for (number, by) in &canaries {
        match by {
            By::Header(wanted) | By::HeaderAndCookie(wanted, _) => match header(wanted) {
                Some("always") => return (name(*number), Some("canary by header")),
                Some("never") => return (name(base), Some("refused by header")),
                _ => {}
            },
            By::HeaderValue(wanted, value) if header(wanted) == Some(value) => {
                return (name(*number), Some("canary by header"));
            }
            _ => {}
        }
    }
    for (number, by) in &canaries {
        if let By::Cookie(wanted) | By::HeaderAndCookie(_, wanted) = by {
            match cookie(wanted) {
                Some("always") => return (name(*number), Some("canary by cookie")),
                Some("never") => return (name(base), Some("refused by cookie")),
                _ => {}
            }
        }
    }
    weighted(&canaries, base)
}

/// The shares: a canary whose weight would lead above 100 is left out, and so is a fifth group.
fn weighted(canaries: &[(usize, By)], base: usize) -> (String, Option<&'static str>) {
    let mut sum = 0;
    let mut shares: Vec<(String, u16)> = Vec::new();
    for (number, by) in canaries {
        let By::Weight(weight) = *by else { continue };
        let fits = sum + weight <= 100 && (shares.len() < 4 || sum + weight == 100);
        if weight > 0 && fits {
            sum += weight;
            shares.push((name(*number), weight));
        }
    }
    let what = (!shares.is_empty()).then_some("canary by weight");
    if sum < 100 {
        shares.insert(0, (name(base), 100 - sum));
    }
    let text = match shares.as_slice() {
        [(only, _)] => only.clone(),
        several => {
            let texts: Vec<String> = several
                .iter()
                .map(|(name, share)| format!("{name}:{share}"))
                .collect();
            texts.join(" ")
        }
    };
    (text, what)
}
