//! The world changes while requests are under way: none may notice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use alb_model::{Condition, ListenerProtocol, ServerGroup, ServerGroupKey, ServerGroupRef};
use http::Request;
use hyper::body::Incoming;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::support::*;

/// Clients that ask without pause; every answer must be 200.
struct Load {
    stop: Arc<AtomicBool>,
    /// Answers that each client got.
    answers: Arc<Vec<AtomicUsize>>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    const CLIENTS: usize = 6;

    /// With `unsafe_methods`, half of the requests must not be repeated.
    fn start(lab: &Lab, unsafe_methods: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answers = Arc::new(
            (0..Self::CLIENTS)
                .map(|_| AtomicUsize::new(0))
                .collect::<Vec<_>>(),
        );
        let run = |index: usize| {
            let (stop, answers, url) = (Arc::clone(&stop), Arc::clone(&answers), lab.url("/"));
            let client = client();
            tokio::spawn(async move {
                let mut failures = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    let request = if unsafe_methods && index.is_multiple_of(2) {
                        client.post(&url).body("pay once")
                    } else {
                        client.get(&url)
                    };
                    match request.send().await {
                        Ok(response) if response.status() == 200 => {
                            if let Err(error) = response.bytes().await {
                                failures.push(format!("{error:?}"));
                            }
                        }
                        Ok(response) => failures.push(response.text().await.unwrap_or_default()),
                        Err(error) => failures.push(format!("{error:?}")),
                    }
                    answers[index].fetch_add(1, Ordering::SeqCst);
                }
                failures
            })
        };
        let clients = (0..Self::CLIENTS).map(run).collect();
        Self {
            stop,
            answers,
            clients,
        }
    }

    /// Waits until every client has got this many more answers. After one, every request is younger than the call.
    async fn more(&self, n: usize) {
        for answers in self.answers.iter() {
            let goal = answers.load(Ordering::SeqCst) + n;
            eventually("more answers", async || answers.load(Ordering::SeqCst) >= goal).await;
        }
    }

    async fn finish(self) {
        self.stop.store(true, Ordering::SeqCst);
        for client in self.clients {
            assert_eq!(client.await.unwrap(), Vec::<String>::new());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_removed_server_costs_no_request_of_any_kind() {
    for keepalive in [true, false] {
        let mut current = Backend::echo("0").await;
        let mut lab = Lab::start(gateway(ServerGroup {
            upstream_keepalive: keepalive,
            ..group([current.server(100)])
        }));
        let load = Load::start(&lab, true);
        for _ in 0..6 {
            load.more(3).await;
            let next = Backend::echo("n").await;
            let server = next.server(100);
            lab.change(|gw| group_of(gw, "sgp-default").servers = vec![server])
                .await;
            let old = std::mem::replace(&mut current, next);
            // What began before the change may still be on its way.
            load.more(1).await;
            let last = old.hits();
            load.more(2).await;
            assert_eq!(old.hits(), last, "nothing new goes to a removed server");
            old.stop().await;
        }
        load.finish().await;
        lab.plane.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_stops_before_its_removal_is_applied_costs_no_repeatable_request() {
    for keepalive in [true, false] {
        let mut current = Backend::echo("0").await;
        let mut lab = Lab::start(gateway(ServerGroup {
            upstream_keepalive: keepalive,
            ..group([current.server(100)])
        }));
        let load = Load::start(&lab, false);
        for _ in 0..6 {
            load.more(3).await;
            let next = Backend::echo("n").await;
            let server = next.server(100);
            lab.publish(|gw| group_of(gw, "sgp-default").servers = vec![server]);
            std::mem::replace(&mut current, next).stop().await;
        }
        load.more(1).await;
        load.finish().await;
        lab.plane.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rules_and_groups_change_under_load_without_a_failed_request() {
    let mut backend = Backend::echo("0").await;
    let mut gw = gateway(group([]));
    add_group(&mut gw, "sgp-0", group([backend.server(100)]));
    gw.listeners[0].rules = vec![catch_all("rule-0", [forward([target("sgp-0", 100)])]).into()];
    let mut lab = Lab::start(gw);
    let port = lab.addr(80);
    let load = Load::start(&lab, false);
    for round in 1..=12_u16 {
        load.more(2).await;
        // Another rule, another group, another server; the old ones are deleted at once.
        let next = Backend::echo("n").await;
        let server = next.server(100);
        lab.publish(|gw| {
            let id = format!("sgp-{round}");
            let old = ServerGroupKey(format!("sgp-{}", round - 1).into());
            gw.server_groups.remove(&old);
            add_group(gw, &id, group([server]));
            let other = [Condition::host(["other.example"])];
            gw.listeners[0].rules = vec![
                rule("rule-x", 1, other, [forward([target(&id, 100)])]).into(),
                catch_all(&format!("rule-{round}"), [forward([target(&id, 100)])]).into(),
            ];
        });
        std::mem::replace(&mut backend, next).stop().await;
    }
    load.more(1).await;
    load.finish().await;
    assert_eq!(lab.addr(80), port, "the listener keeps its socket");
}

#[tokio::test]
async fn a_request_under_way_finishes_on_a_removed_server_rule_and_listener() {
    let (arrived, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (arrived_at, gate) = (Arc::clone(&arrived), Arc::clone(&go));
    let backend = Backend::start(move |request: Request<Incoming>| {
        let (arrived, gate) = (Arc::clone(&arrived_at), Arc::clone(&gate));
        async move {
            arrived.notify_one();
            gate.notified().await;
            echo("old", request).await
        }
    })
    .await;
    let mut lab = Lab::start(gateway(group([backend.server(100)])));
    let addr = lab.addr(80);
    let url = lab.url("/");
    let request = tokio::spawn(async move { name(&client(), &url).await });
    arrived.notified().await;
    lab.change(|gw| {
        gw.listeners.clear();
        gw.server_groups.clear();
    })
    .await;
    assert_eq!(lab.plane.listener_addr(LB, 80, ListenerProtocol::Http), None);
    eventually("the socket is closed", async || {
        tokio::net::TcpStream::connect(addr).await.is_err()
    })
    .await;
    go.notify_one();
    assert_eq!(request.await.unwrap(), "old");
}

#[tokio::test]
async fn listeners_come_and_keep_their_sockets() {
    let backend = Backend::echo("b").await;
    let mut lab = Lab::start(gateway(group([backend.server(100)])));
    let first = lab.addr(80);
    lab.change(|gw| {
        gw.listeners.insert(0, listener(8080, ListenerProtocol::Http));
        gw.listeners.push(listener(443, ListenerProtocol::Quic));
    })
    .await;
    assert_eq!(lab.addr(80), first);
    let second = lab.addr(8080);
    assert_ne!(first, second);
    assert_eq!(
        lab.plane.listener_addr(LB, 443, ListenerProtocol::Quic),
        None,
        "no HTTP/3"
    );
    for addr in [first, second] {
        assert_eq!(name(&client(), &format!("http://{addr}/")).await, "b");
    }
    let ports: Vec<_> = lab.plane.access_log().iter().map(|e| e.listener_port).collect();
    assert_eq!(ports, [80, 8080]);
}

#[tokio::test]
async fn a_slow_starting_server_takes_its_share_step_by_step() {
    let (old, new) = (Backend::echo("old").await, Backend::echo("new").await);
    let mut gw = gateway(group([old.server(100)]));
    group_of(&mut gw, "sgp-default").slow_start_s = Some(2);
    let mut lab = Lab::start(gw);
    // The first server has to be done with its own slow start.
    let client = client();
    let start = std::time::Instant::now();
    eventually("two seconds", async || {
        start.elapsed() >= Duration::from_millis(2100)
    })
    .await;
    let added = new.server(100);
    lab.change(|gw| group_of(gw, "sgp-default").servers.push(added))
        .await;
    for _ in 0..20 {
        name(&client, &lab.url("/")).await;
    }
    let early = new.hits();
    assert!(early < 8, "{early} of 20");
    eventually("an equal share", async || {
        let before = new.hits();
        for _ in 0..10 {
            name(&client, &lab.url("/")).await;
        }
        new.hits() - before == 5
    })
    .await;
}

#[tokio::test]
async fn shutting_down_lets_requests_finish_and_closes_the_sockets() {
    let backend = Backend::start(|request| async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        echo("b", request).await
    })
    .await;
    let mut gw = gateway(group([backend.server(100)]));
    gw.listeners[0].default_group = ServerGroupRef::Id("sgp-default".into());
    let lab = Lab::start(gw);
    let (addr, url, hits) = (lab.addr(80), lab.url("/"), Arc::clone(&backend.hits));
    let request = tokio::spawn(async move { name(&client(), &url).await });
    eventually("the request arrives", async || hits.load(Ordering::SeqCst) == 1).await;
    lab.plane.shutdown().await;
    assert_eq!(request.await.unwrap(), "b");
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}
