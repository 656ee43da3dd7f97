//! A simulator with its clients, and short forms of the calls that most tests begin with.

use std::collections::BTreeMap;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use alb_api::alb::*;
use alb_api::{Client, Credentials, StaticCredentials};
use alb_sim::{AlbSim, Config, DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, Fault};
use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

pub(crate) struct Setup {
    pub(crate) sim: AlbSim,
    pub(crate) client: Client,
    http: reqwest::Client,
}

/// An answer to a request that was signed by hand.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Raw {
    pub(crate) fn code(&self) -> &str {
        self.body["Code"].as_str().unwrap_or("OK")
    }

    pub(crate) fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_default().to_owned()
    }
}

pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

pub(crate) async fn start() -> Setup {
    start_with(Config::default()).await
}

pub(crate) async fn start_with(config: Config) -> Setup {
    install_crypto();
    let sim = AlbSim::start(config).await.unwrap();
    let credentials = Credentials::new(DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET);
    let client = Client::builder("cn-hangzhou")
        .endpoint_all(sim.endpoint())
        .credentials(StaticCredentials::new(credentials))
        .build()
        .unwrap();
    Setup {
        sim,
        client,
        http: reqwest::Client::new(),
    }
}

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// The query string of a request signed by V1, composed from the published rules.
pub(crate) fn signed_v1(method: &str, key: &str, secret: &str, params: &[(&str, &str)]) -> String {
    static NONCE: AtomicU64 = AtomicU64::new(0);
    let nonce = format!("test-{}", NONCE.fetch_add(1, Ordering::Relaxed));
    let timestamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut all: BTreeMap<&str, &str> = BTreeMap::from([
        ("Format", "JSON"),
        ("AccessKeyId", key),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", nonce.as_str()),
        ("Timestamp", timestamp.as_str()),
    ]);
    all.extend(params.iter().copied());
    let pairs: Vec<String> = all
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
        .collect();
    let query = pairs.join("&");
    let to_sign = format!("{method}&%2F&{}", escape(&query));
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(format!("{secret}&").as_bytes()).unwrap();
    mac.update(to_sign.as_bytes());
    let signature = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    format!("{query}&Signature={}", escape(&signature))
}

impl Setup {
    /// An ALB call signed by V1, all parameters in the query.
    pub(crate) async fn raw(&self, action: &str, params: &[(&str, &str)]) -> Raw {
        self.raw_as("2020-06-16", action, params).await
    }

    pub(crate) async fn raw_as(&self, version: &str, action: &str, params: &[(&str, &str)]) -> Raw {
        let mut all = vec![("Action", action), ("Version", version)];
        all.extend(params);
        let query = signed_v1("GET", DEFAULT_ACCESS_KEY_ID, DEFAULT_ACCESS_KEY_SECRET, &all);
        self.get(&query).await
    }

    /// A raw call that must succeed.
    pub(crate) async fn ok(&self, action: &str, params: &[(&str, &str)]) -> Raw {
        let raw = self.raw(action, params).await;
        assert_eq!(raw.code(), "OK", "{action} {params:?}: {}", raw.body);
        raw
    }

    pub(crate) async fn get(&self, query: &str) -> Raw {
        let url = format!("{}/?{query}", self.sim.endpoint());
        read(self.http.get(url).send().await.unwrap()).await
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Waits until no job is under way.
    pub(crate) async fn settle(&self) {
        until("all jobs have ended", || self.sim.is_settled()).await;
    }

    pub(crate) async fn load_balancer(&self) -> String {
        let id = self
            .client
            .send(&create_load_balancer())
            .await
            .unwrap()
            .load_balancer_id;
        self.settle().await;
        id
    }

    pub(crate) async fn server_group(&self, name: &str) -> String {
        let answer = self.client.send(&create_server_group(name)).await.unwrap();
        self.settle().await;
        answer.server_group_id
    }

    pub(crate) async fn listener(&self, balancer: &str, group: &str, port: i32) -> String {
        let answer = self
            .client
            .send(&create_listener(balancer, group, port))
            .await
            .unwrap();
        self.settle().await;
        answer.listener_id
    }

    /// A load balancer, a server group and an HTTP listener that forwards to it.
    pub(crate) async fn gateway(&self) -> Gateway {
        let balancer = self.load_balancer().await;
        let group = self.server_group("default-group").await;
        let listener = self.listener(&balancer, &group, 80).await;
        Gateway {
            balancer,
            group,
            listener,
        }
    }
}

pub(crate) struct Gateway {
    pub(crate) balancer: String,
    pub(crate) group: String,
    pub(crate) listener: String,
}

pub(crate) async fn read(response: reqwest::Response) -> Raw {
    Raw {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.json().await.unwrap_or_default(),
    }
}

/// Polls a condition until it holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < DEADLINE, "not in {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Makes the next call's job last long enough to look at what is under way.
pub(crate) fn slow_job() -> Fault {
    Fault::slow_job(Duration::from_millis(600))
}

pub(crate) fn zones() -> Vec<ZoneMapping> {
    [("vsw-sim-a", "cn-hangzhou-h"), ("vsw-sim-b", "cn-hangzhou-i")]
        .map(|(vswitch, zone)| ZoneMapping {
            vswitch_id: vswitch.into(),
            zone_id: zone.into(),
            ..Default::default()
        })
        .to_vec()
}

pub(crate) fn create_load_balancer() -> CreateLoadBalancer {
    CreateLoadBalancer {
        address_type: "Internet".into(),
        vpc_id: "vpc-sim".into(),
        load_balancer_edition: "Standard".into(),
        load_balancer_billing_config: LoadBalancerBillingConfig {
            pay_type: "PostPay".into(),
            ..Default::default()
        },
        zone_mappings: zones(),
        load_balancer_name: Some("lb".into()),
        ..Default::default()
    }
}

pub(crate) fn create_server_group(name: &str) -> CreateServerGroup {
    CreateServerGroup {
        server_group_name: name.into(),
        server_group_type: Some("Ip".into()),
        vpc_id: Some("vpc-sim".into()),
        health_check_config: HealthCheckConfig {
            health_check_enabled: false,
            ..Default::default()
        },
        ..Default::default()
    }
}

pub(crate) fn create_listener(balancer: &str, group: &str, port: i32) -> CreateListener {
    CreateListener {
        load_balancer_id: balancer.into(),
        listener_port: port,
        listener_protocol: "HTTP".into(),
        default_actions: vec![DefaultAction {
            kind: "ForwardGroup".into(),
            forward_group_config: DefaultForwardGroupConfig {
                server_group_tuples: vec![ServerGroupTarget {
                    server_group_id: group.into(),
                }],
            },
        }],
        ..Default::default()
    }
}

pub(crate) fn rule(priority: i32, host: &str, group: &str) -> CreateRulesRule {
    CreateRulesRule {
        priority,
        rule_name: format!("rule-{priority}"),
        rule_conditions: vec![RuleCondition {
            kind: "Host".into(),
            host_config: Some(Values {
                values: vec![host.into()],
            }),
            ..Default::default()
        }],
        rule_actions: vec![RuleAction {
            kind: "ForwardGroup".into(),
            order: 1,
            forward_group_config: Some(ForwardGroupConfig {
                server_group_tuples: vec![ServerGroupTuple {
                    server_group_id: group.into(),
                    ..Default::default()
                }],
                ..Default::default()
            }),
            ..Default::default()
        }],
        ..Default::default()
    }
}

pub(crate) fn create_rules(listener: &str, rules: Vec<CreateRulesRule>) -> CreateRules {
    CreateRules {
        listener_id: listener.into(),
        rules,
        ..Default::default()
    }
}

pub(crate) fn server(ip: &str, port: i32) -> BackendServer {
    BackendServer {
        server_id: ip.into(),
        server_ip: Some(ip.into()),
        server_type: "Ip".into(),
        port: Some(port),
        weight: Some(100),
        ..Default::default()
    }
}
