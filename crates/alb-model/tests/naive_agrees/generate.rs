//! Random gateways, and requests that have a fair chance to meet their rules. The same seed gives the same ones on every
//! machine.

use std::net::IpAddr;

use alb_model::{
    Action, Condition, Cors, Direction, FixedResponse, Forward, Gateway, HeaderValueType, InsertHeader,
    KeyValue, Listener, ListenerProtocol, Redirect, RedirectCode, RemoveHeader, Request, Rewrite, Rule,
    Scheme, ServerGroupRef, Target, Texts, TrafficLimit, TrafficMirror,
};

const LABELS: &[&str] = &["a", "b", "ab", "shop", "A"];
const DOMAINS: &[&str] = &["x.com", "y.x.com", "b.org", "X.com"];
const SEGMENTS: &[&str] = &["${host}", "a", "b", "ab", "Ab", "1", "12", "aé"];
const VALUES: &[&str] = &["1", "2", "v1", "v2", "V1", "", "a=b", "canary"];
const SOURCES: &[&str] = &[
    "10.0.0.1",
    "10.9.0.1",
    "192.168.1.1",
    "2001:db8::1",
    "::1",
    "::ffff:10.0.0.1",
];
const BLOCKS: &[&str] = &[
    "10.0.0.0/8",
    "10.0.0.1",
    "10.0.0.1/32",
    "192.168.0.0/23",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/32",
    "::1",
    "10.0.0.0/33",
    "moon",
];
/// Pieces of expressions; repetition only of single characters, whose groups every engine sees alike.
const PIECES: &[&str] = &[
    "/a",
    "/b",
    "/[ab]",
    "/.",
    "/[0-9]+",
    "/(a|b)",
    "/(.*)",
    "/([^/]*)",
    "a?",
    "b*",
    "(/|$)(.*)",
    "(a|ab)(.*)",
    r"\.",
];
const INVALID_EXPRESSIONS: &[&str] = &["(", "[a", "*a", "a)"];

/// `SplitMix64`.
pub(crate) struct Random(u64);

/// A request that owns its texts.
pub(crate) struct OwnedRequest {
    method: &'static str,
    host: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    source: IpAddr,
}

impl OwnedRequest {
    pub(crate) fn headers(&self) -> Vec<(&str, &str)> {
        self.headers
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect()
    }

    pub(crate) fn request<'a>(
        &'a self,
        listener: &Listener,
        headers: &'a [(&'a str, &'a str)],
    ) -> Request<'a> {
        let secure = listener.protocol != ListenerProtocol::Http;
        Request {
            method: self.method,
            scheme: if secure { Scheme::Https } else { Scheme::Http },
            host: &self.host,
            port: listener.port,
            path: &self.path,
            query: &self.query,
            headers,
            source_ip: self.source,
        }
    }
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn choose(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }

    fn text(&mut self, from: &[&'static str]) -> String {
        self.choose(from).to_owned()
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    fn several<T>(&mut self, least: usize, most: usize, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = least + self.below(most - least + 1);
        (0..count).map(|_| one(self)).collect()
    }

    fn texts(&mut self, least: usize, most: usize, mut one: impl FnMut(&mut Self) -> String) -> Texts {
        self.several(least, most, |random| one(random).into()).into()
    }

    pub(crate) fn gateway(&mut self) -> Gateway {
        let most = *self.pick(&[3, 12, 40]);
        let mut listener = |port, protocol| Listener {
            port,
            protocol,
            default_group: ServerGroupRef::managed("default"),
            ..Listener::default().with_rules(self.rules(most))
        };
        let listeners = vec![
            listener(80, ListenerProtocol::Http),
            listener(443, ListenerProtocol::Https),
            listener(8443, ListenerProtocol::Https),
        ];
        Gateway {
            listeners,
            ..Gateway::default()
        }
    }

    fn rules(&mut self, most: usize) -> Vec<Rule> {
        let with_priorities = self.percent(60);
        let missing = if self.percent(90) { 0 } else { 10 };
        self.several(0, most, |random| {
            let response = random.percent(25);
            let least = usize::from(!random.percent(2));
            Rule {
                priority: (with_priorities && !random.percent(missing)).then(|| 1 + random.below(60) as u16),
                direction: if response {
                    Direction::Response
                } else {
                    Direction::Request
                },
                conditions: random.several(least, 3, |r| r.condition(response)),
                actions: if response {
                    random.several(1, 3, Self::header_edit)
                } else {
                    random.actions()
                },
                ..Rule::default()
            }
        })
    }

    fn condition(&mut self, response: bool) -> Condition {
        let most = if self.percent(2) { 0 } else { 3 };
        let least = most.min(1);
        match self.below(if response { 18 } else { 15 }) {
            0..=4 => Condition::Host {
                values: self.texts(least, most, Self::host_value),
            },
            5..=9 => Condition::Path {
                values: self.texts(least, most, Self::path_value),
            },
            10 => Condition::Header {
                key: self.header_name().into(),
                values: self.texts(least, most, Self::value),
            },
            11 => Condition::QueryString {
                values: self.several(least, most, Self::pair),
            },
            12 => Condition::Cookie {
                values: self.several(least, most, Self::pair),
            },
            13 => Condition::Method {
                values: self.texts(least, 2, |r| r.text(&["GET", "POST", "PUT"])),
            },
            14 if self.percent(90) => Condition::SourceIp {
                values: self.texts(least, most, |r| r.text(BLOCKS)),
            },
            15 | 16 => Condition::ResponseHeader {
                key: self.header_name().into(),
                values: self.texts(least, most, Self::value),
            },
            _ => Condition::ResponseStatusCode {
                values: self.texts(least, most, |r| r.text(&["200", "404", "4*", "5??", "*", "50?"])),
            },
        }
    }

    fn host_value(&mut self) -> String {
        let (label, domain) = (self.text(LABELS), self.text(DOMAINS));
        match self.below(12) {
            0..=4 => format!("{label}.{domain}"),
            5 => domain,
            6..=8 => format!("*.{domain}"),
            9 => format!("{label}*.{domain}"),
            10 => format!("{label}?.*.com"),
            _ => format!("*{domain}"),
        }
    }

    fn literal_path(&mut self) -> String {
        let mut path: String = self.several(0, 3, |r| format!("/{}", r.text(SEGMENTS))).concat();
        if path.is_empty() || self.percent(10) {
            path.push('/');
        }
        path
    }

    fn path_value(&mut self) -> String {
        let path = self.literal_path();
        match self.below(16) {
            0..=4 => path,
            5..=7 => format!("{}/*", path.trim_end_matches('/')),
            8 => format!("{path}*"),
            9 => format!("*{path}"),
            10 => path.replacen('a', "?", 1),
            11 => path.replacen('/', "/*/", 1),
            12 => format!("~*{}", self.text(INVALID_EXPRESSIONS)),
            _ => {
                let pieces: String = self.several(1, 3, |r| r.text(PIECES)).concat();
                let start = if self.percent(70) { "^" } else { "" };
                let end = if self.percent(30) { "$" } else { "" };
                let other = if self.percent(10) { "|/b" } else { "" };
                format!("~*{start}{pieces}{end}{other}")
            }
        }
    }

    fn header_name(&mut self) -> String {
        self.text(&["X-Env", "x-tag", "X-TAG"])
    }

    fn value(&mut self) -> String {
        let value = self.text(VALUES);
        match self.below(6) {
            0 => format!("{value}*"),
            1 => format!("*{value}"),
            2 => "v?".into(),
            _ => value,
        }
    }

    fn pair(&mut self) -> KeyValue {
        KeyValue::new(self.text(&["k", "K", "user"]), self.value())
    }

    fn group(&mut self) -> ServerGroupRef {
        ServerGroupRef::managed(self.text(&["g1", "g2", "g3"]))
    }

    fn actions(&mut self) -> Vec<Action> {
        let mut actions = self.several(0, 3, |random| match random.below(8) {
            0 => Action::TrafficLimit(TrafficLimit {
                qps: Some(1 + random.below(9) as u32),
                per_ip_qps: None,
            }),
            1 => Action::TrafficMirror(TrafficMirror {
                groups: random.several(1, 2, Self::group),
            }),
            2 => Action::Cors(Box::new(Cors {
                allow_origin: vec![random.text(VALUES)],
                ..Cors::default()
            })),
            3 | 4 => Action::Rewrite(Box::new(random.rewrite())),
            _ => random.header_edit(),
        });
        match self.below(20) {
            0 => {}
            1..=4 => actions.push(Action::Redirect(Box::new(self.redirect()))),
            5..=7 => actions.push(Action::FixedResponse(FixedResponse {
                code: 400 + self.below(200) as u16,
                content_type: "text/plain".into(),
                content: self.text(VALUES),
            })),
            _ => actions.push(Action::Forward(Forward {
                targets: self
                    .several(1, 3, |r| Target {
                        group: r.group(),
                        weight: r.below(101) as u16,
                    })
                    .into(),
                sticky_timeout_s: self.percent(10).then_some(60),
            })),
        }
        if self.percent(5) {
            let late = self.header_edit();
            actions.push(late);
        }
        actions
    }

    fn rewrite(&mut self) -> Rewrite {
        Rewrite {
            host: self.text(&["${host}", "${host}", "new.com", "${1}.x.com"]),
            path: self.text(&[
                "${path}",
                "/new",
                "/p${path}",
                "/g/${1}",
                "/g/${1}/${2}",
                "/g/${1}",
                "/${9}${x}${",
            ]),
            query: self.text(&["${query}", "${query}", "a=1&${query}", ""]),
        }
    }

    fn redirect(&mut self) -> Redirect {
        Redirect {
            protocol: self.text(&["${protocol}", "HTTPS", "http"]),
            host: self.text(&["${host}", "new.com", "www.${host}"]),
            port: self.text(&["${port}", "443", "80", "8443"]),
            path: self.text(&["${path}", "/new", "/p${path}", "/${host}/${1}", "${query}"]),
            query: self.text(&["${query}", "a=1&${query}", "", "p=${port}&s=${protocol}"]),
            code: *self.pick(RedirectCode::ALL),
        }
    }

    fn header_edit(&mut self) -> Action {
        if self.percent(30) {
            return Action::RemoveHeader(RemoveHeader {
                key: self.header_name(),
            });
        }
        let value_type = *self.pick(HeaderValueType::ALL);
        let value = match value_type {
            HeaderValueType::UserDefined => self.text(VALUES),
            HeaderValueType::ReferenceHeader => self.header_name(),
            HeaderValueType::SystemDefined => {
                self.text(&["ClientSrcIp", "SLBId", "SLBPort", "Protocol", "Moon"])
            }
        };
        Action::InsertHeader(InsertHeader {
            key: self.header_name(),
            value,
            value_type,
            keeps_existing: self.percent(20),
        })
    }

    /// A request that mostly keeps to what some rule of the listener asks for.
    pub(crate) fn request(&mut self, listener: &Listener) -> OwnedRequest {
        let mut request = OwnedRequest {
            method: self.choose(&["GET", "POST", "PUT", "get"]),
            host: self.concrete_host(),
            path: self.literal_path(),
            query: self.several(0, 2, Self::parameter).join("&"),
            headers: self.several(0, 2, |r| (r.header_name(), r.text(VALUES))),
            source: self.choose(SOURCES).parse().expect("an address"),
        };
        if self.percent(50) {
            let separator = self.choose(&["; ", ";", " ; "]);
            let cookies = self.several(0, 2, Self::parameter).join(separator);
            request.headers.push((self.text(&["Cookie", "cookie"]), cookies));
        }
        if listener.rules.is_empty() || self.percent(15) {
            return request;
        }
        let rule = self.pick(&listener.rules);
        for condition in &rule.conditions {
            if !self.percent(95) {
                continue;
            }
            match condition {
                Condition::Host { values } if !values.is_empty() => {
                    let value = self.pick(values).clone();
                    request.host = self.concrete(&value);
                }
                Condition::Path { values } if !values.is_empty() => {
                    let value = self.pick(values).clone();
                    request.path = self.concrete_path(&value);
                }
                Condition::Header { key, values } if !values.is_empty() => {
                    let value = self.pick(values).clone();
                    request.headers.push((key.to_string(), self.concrete(&value)));
                }
                Condition::QueryString { values } if !values.is_empty() => {
                    let pair = self.pick(values).clone();
                    request.query = format!("{}&{}={}", request.query, pair.key, self.concrete(&pair.value));
                }
                Condition::Cookie { values } if !values.is_empty() => {
                    let pair = self.pick(values).clone();
                    let cookie = format!("z=1; {}={}", pair.key, self.concrete(&pair.value));
                    request.headers.push(("cookie".into(), cookie));
                }
                Condition::Method { values } if !values.is_empty() => {
                    let wanted = self.pick(values).clone();
                    request.method = ["GET", "POST", "PUT"]
                        .into_iter()
                        .find(|m| *m == wanted)
                        .expect("a known one");
                }
                _ => {}
            }
        }
        request
    }

    fn concrete_host(&mut self) -> String {
        match self.below(10) {
            0 => String::new(),
            1 => self.text(DOMAINS),
            _ => format!("{}.{}", self.text(LABELS), self.text(DOMAINS)),
        }
    }

    fn parameter(&mut self) -> String {
        let (key, value) = (self.text(&["k", "K", "user"]), self.text(VALUES));
        if self.percent(10) {
            key
        } else {
            format!("{key}={value}")
        }
    }

    /// A text that a wildcard pattern matches.
    fn concrete(&mut self, pattern: &str) -> String {
        let mut out = String::new();
        for c in pattern.chars() {
            match c {
                '*' => out += &self.text(&["", "a", "b", "a.b", "/a", "1"]),
                '?' => out += &self.text(&["a", "1", "é"]),
                c => out.push(c),
            }
        }
        out
    }

    fn concrete_path(&mut self, value: &str) -> String {
        let Some(expression) = value.strip_prefix("~*") else {
            return self.concrete(value);
        };
        // Not a sampler of expressions: the pieces are chosen so that short paths often match.
        let mut out = String::new();
        for piece in expression.split('/').skip(1) {
            out.push('/');
            out += &match piece.chars().next() {
                Some(c @ ('a' | 'b')) => c.to_string(),
                _ if piece.starts_with("[0-9]") => self.text(&["1", "12"]),
                _ => self.text(&["a", "b", "ab", "a/b"]),
            };
        }
        out
    }

    /// Status and headers of a backend's answer.
    pub(crate) fn response(&mut self) -> (u16, Vec<(String, String)>) {
        let status = *self.pick(&[200, 404, 403, 500, 503]);
        (status, self.several(0, 2, |r| (r.header_name(), r.text(VALUES))))
    }
}
