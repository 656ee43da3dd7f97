//! Somebody who sends requests all the time and notices every wrong answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alb_sim::AlbSim;
use anyhow::{Context, Result};
use examples::backend::Echo;
use examples::stack;
use tokio::task::JoinHandle;

/// What a request gets when nothing listens.
pub const NOBODY: &str = "nobody listens";
/// Pause between two rounds: connections are new each time, so a round costs some milliseconds anyway.
const PAUSE: Duration = Duration::from_millis(2);
/// How long a request may take.
const LIMIT: Duration = Duration::from_secs(10);

/// A request, what it got before a change, and what it gets after it.
#[derive(Clone, Debug)]
pub struct Probe {
    /// URL as a client writes it, such as `http://shop.example.com/cart`.
    pub url: &'static str,
    /// Answers that are right until the first new one.
    pub old: Vec<String>,
    /// Answers that are right from then on.
    pub new: Vec<String>,
}

impl Probe {
    /// Answers are `200 app`, a status alone, or [`NOBODY`]; several that are all right are separated by ` | `.
    pub fn new(url: &'static str, old: &str, new: &str) -> Self {
        let list = |text: &str| text.split(" | ").map(str::to_owned).collect();
        Self {
            url,
            old: list(old),
            new: list(new),
        }
    }

    /// Also looks at the certificate: answers are followed by ` cert` and the certificate's number.
    fn with_certificate(answer: &str, certificate: Option<&[u8]>) -> String {
        match certificate {
            Some(der) => format!("{answer} {}", fingerprint(der)),
            None => answer.to_owned(),
        }
    }
}

/// A short name of a certificate.
pub fn fingerprint(der: &[u8]) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    der.hash(&mut hasher);
    format!("cert-{:08x}", hasher.finish() as u32)
}

/// A wrong answer.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// The request; empty for what is wrong with the prober itself.
    pub url: &'static str,
    /// What it got.
    pub answer: String,
    /// Whether it had got a new answer before.
    pub turned: bool,
    /// What it should have got.
    pub expected: String,
}

/// Asks all the time; see [`Prober::stop`].
#[derive(Debug)]
pub struct Prober {
    task: JoinHandle<()>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: usize,
    /// Probes whose first new answer has come.
    turned: Vec<bool>,
    wrong: Vec<Wrong>,
    last: Vec<String>,
}

impl Prober {
    /// Starts asking.
    pub fn start(sim: Arc<AlbSim>, probes: Vec<Probe>) -> Self {
        let seen = Arc::new(Mutex::new(Seen {
            turned: vec![false; probes.len()],
            last: vec![String::new(); probes.len()],
            ..Seen::default()
        }));
        let task = tokio::spawn({
            let seen = seen.clone();
            async move {
                let mut clients = BTreeMap::new();
                loop {
                    for (index, probe) in probes.iter().enumerate() {
                        let answer = match ask(&sim, &mut clients, probe.url).await {
                            Ok(answer) => answer,
                            Err(error) => format!("failed: {error:#}"),
                        };
                        judge(&seen, index, probe, answer);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
        Self { task, seen }
    }

    /// Whether every request got its new answer at last.
    pub fn has_turned(&self, probes: &[Probe]) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        probes
            .iter()
            .zip(&seen.last)
            .all(|(probe, last)| probe.new.contains(last))
    }

    /// Stops asking. Gives the number of requests and what was wrong.
    pub async fn stop(self) -> (usize, Vec<Wrong>) {
        self.task.abort();
        // It ends with the abort; a panic in it is a finding.
        let panicked = match self.task.await {
            Err(error) if error.is_panic() => vec![Wrong {
                url: "",
                answer: format!("the prober panicked: {error}"),
                turned: false,
                expected: String::new(),
            }],
            _ => Vec::new(),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wrong = std::mem::take(&mut seen.wrong);
        wrong.extend(panicked);
        (seen.requests, wrong)
    }
}

fn judge(seen: &Mutex<Seen>, index: usize, probe: &Probe, answer: String) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.requests += 1;
    let (is_old, is_new) = (probe.old.contains(&answer), probe.new.contains(&answer));
    let turned = seen.turned[index];
    let expected = match (is_old, is_new) {
        (false, false) => Some(format!("{:?} or {:?}", probe.old, probe.new)),
        (true, false) if turned => Some(format!("no old answer again, but {:?}", probe.new)),
        _ => None,
    };
    seen.turned[index] |= is_new && !is_old;
    seen.wrong.extend(expected.map(|expected| Wrong {
        url: probe.url,
        answer: answer.clone(),
        turned,
        expected,
    }));
    seen.last[index] = answer;
}

async fn ask(
    sim: &AlbSim,
    clients: &mut BTreeMap<(SocketAddr, String), reqwest::Client>,
    url: &str,
) -> Result<String> {
    let mut url = reqwest::Url::parse(url)?;
    let host = url.host_str().context("a host")?.to_owned();
    let port = url.port_or_known_default().context("a port")?;
    let found = stack::load_balancers(sim).into_iter().next();
    let Some(address) = found.and_then(|id| stack::listener(sim, &id, port)) else {
        return Ok(NOBODY.into());
    };
    let client = match clients.get(&(address, host.clone())) {
        Some(client) => client.clone(),
        None => {
            let client = reqwest::Client::builder()
                .tls_danger_accept_invalid_certs(true)
                .tls_info(true)
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .pool_max_idle_per_host(0)
                .resolve(&host, address)
                .timeout(LIMIT)
                .build()?;
            clients.insert((address, host.clone()), client.clone());
            client
        }
    };
    url.set_port(Some(address.port())).ok().context("a port")?;
    let response = match client.get(url).header("host", &host).send().await {
        Ok(response) => response,
        // The listener went after the look at its address: before the connection, or with it.
        Err(error) if error.is_connect() || error.is_request() && !error.is_timeout() => {
            return Ok(NOBODY.into());
        }
        Err(error) => return Err(error.into()),
    };
    let status = response.status().as_u16();
    let certificate = response
        .extensions()
        .get::<reqwest::tls::TlsInfo>()
        .and_then(|info| info.peer_certificate().map(<[u8]>::to_vec));
    let answer = if status == 200 {
        let echo: Echo = response.json().await?;
        format!("200 {}", echo.app)
    } else {
        status.to_string()
    };
    Ok(Probe::with_certificate(&answer, certificate.as_deref()))
}
