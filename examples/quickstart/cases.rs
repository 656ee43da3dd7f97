//! The demo's requests: what is asked, and what should come back.

use std::fmt;

/// One request, or many, and what should answer.
pub(crate) struct Case {
    pub(crate) url: &'static str,
    pub(crate) ask: Ask,
    pub(crate) expected: Expected,
    pub(crate) why: &'static str,
}

/// How it is asked.
#[derive(Clone, Copy)]
pub(crate) enum Ask {
    /// A GET.
    Get,
    /// A GET with a header.
    GetWith(&'static str, &'static str),
    /// So many GETs, one after another.
    Gets(usize),
    /// A gRPC call that says this.
    Say(&'static str),
}

/// What an answer must be.
pub(crate) enum Expected {
    App(&'static str),
    Redirect(&'static str),
    Status(u16),
    /// How many of the answers come from each application, by name.
    Split(&'static [(&'static str, usize)]),
    Message(&'static str),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(app) => write!(f, "200 {app}"),
            Self::Redirect(to) => write!(f, "308 {to}"),
            Self::Status(status) => write!(f, "{status}"),
            Self::Split(parts) => {
                let parts: Vec<_> = parts.iter().map(|(app, n)| format!("{n} × {app}")).collect();
                f.write_str(&parts.join(", "))
            }
            Self::Message(text) => f.write_str(text),
        }
    }
}

impl Case {
    /// The request as a person would describe it.
    pub(crate) fn request(&self) -> String {
        let url = self.url;
        match self.ask {
            Ask::Get => format!("GET {url}"),
            Ask::GetWith(name, value) => format!("GET {url} ({name}: {value})"),
            Ask::Gets(times) => format!("{times} × GET {url}"),
            Ask::Say(text) => format!("gRPC {url}{} {text:?}", examples::grpc::ECHO),
        }
    }
}

const fn get(url: &'static str, expected: Expected, why: &'static str) -> Case {
    Case {
        url,
        ask: Ask::Get,
        expected,
        why,
    }
}

use Expected::{App, Message, Redirect, Split, Status};

pub(crate) const CASES: &[Case] = &[
    get("http://shop.example.com/", App("shop"), "exact host, prefix /"),
    get("http://shop.example.com/cart/7", App("shop"), "anything below /"),
    get(
        "http://shop.example.com/news",
        App("blog"),
        "a longer prefix wins",
    ),
    get(
        "http://shop.example.com/news/42",
        App("blog"),
        "below the longer prefix",
    ),
    get(
        "http://shop.example.com/news/offers",
        App("shop"),
        "an exact path wins",
    ),
    get(
        "http://shop.example.com/newspaper",
        App("shop"),
        "prefixes go by elements",
    ),
    get("http://acme.apps.example.com/", App("blog"), "wildcard host"),
    get(
        "http://a.b.apps.example.com/",
        Status(404),
        "a wildcard is one label",
    ),
    get(
        "http://apps.example.com/",
        Status(404),
        "a wildcard needs a label",
    ),
    get(
        "http://secure.example.com/login?next=1",
        Redirect("https://secure.example.com/login?next=1"),
        "ssl-redirect",
    ),
    get(
        "https://secure.example.com/login",
        App("shop"),
        "TLS from a Secret",
    ),
    Case {
        url: "http://shop.example.com/",
        ask: Ask::GetWith("X-Canary", "always"),
        expected: App("shop-next"),
        why: "header canary",
    },
    Case {
        url: "http://shop.example.com/",
        ask: Ask::GetWith("X-Canary", "never"),
        expected: App("shop"),
        why: "header canary declined",
    },
    Case {
        url: "http://sale.example.com/",
        ask: Ask::Gets(100),
        expected: Split(&[("shop", 80), ("shop-next", 20)]),
        why: "weighted canary",
    },
    Case {
        url: "https://quotes.apps.example.com",
        ask: Ask::Say("hello"),
        expected: Message("quotes on 10.0.4.1 heard \"hello\""),
        why: "gRPC over HTTP/2",
    },
    get("http://wrong.example.com/", Status(503), "wrong on purpose"),
    get("http://unknown.example.com/", Status(404), "nobody's host"),
];
