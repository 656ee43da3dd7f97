//! Throttling, injected faults, jobs that fail, and the endpoints that steer.

use std::time::Duration;

use alb_api::ErrorClass;
use alb_api::alb::*;
use alb_sim::{Config, Fault, Rate, Throttle};
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn above_the_rate_the_answer_says_how_long_to_wait() {
    let setup = start_with(Config {
        throttle: Some(Throttle {
            per_operation: Some(Rate {
                per_second: 5.0,
                burst: 2,
            }),
            ..Throttle::default()
        }),
        ..Config::default()
    })
    .await;
    let list = ListServerGroups::default();
    for _ in 0..2 {
        setup.client.send(&list).await.unwrap();
    }
    let error = setup.client.send(&list).await.unwrap_err();
    assert_eq!(
        (error.code(), error.http_status()),
        (Some("Throttling.Api"), Some(400))
    );
    let ErrorClass::Throttled {
        retry_after: Some(wait),
    } = error.class()
    else {
        panic!("{error:?}");
    };
    assert!(
        wait > Duration::ZERO && wait <= Duration::from_millis(200),
        "{wait:?}"
    );
    setup.client.send(&ListLoadBalancers::default()).await.unwrap();
    tokio::time::sleep(wait).await;
    setup.client.send(&list).await.unwrap();
    let raw = setup.raw("ListListeners", &[]).await;
    assert_eq!(raw.code(), "OK");
    setup.raw("ListListeners", &[]).await;
    let raw = setup.raw("ListListeners", &[]).await;
    let header = raw.headers["x-ratelimit-user-api"].to_str().unwrap();
    assert!(header.starts_with("Limit:2,Remain:0,TimeLeft:"), "{header}");
}

#[tokio::test]
async fn a_lost_response_has_an_effect_and_a_refused_connection_has_none() {
    let setup = start().await;
    setup.sim.inject(Fault::disconnect().on("CreateServerGroup"));
    let create = create_server_group("web");
    assert!(setup.client.send(&create).await.unwrap_err().code().is_none());
    assert!(setup.sim.state()["server_groups"].as_object().unwrap().is_empty());

    setup
        .sim
        .inject(Fault::lost_response().on("CreateServerGroup").skip(1));
    setup.client.send(&create).await.unwrap();
    let error = setup.client.send(&create).await.unwrap_err();
    assert!(error.class().is_transient(), "{error:?}");
    assert_eq!(setup.sim.state()["server_groups"].as_object().unwrap().len(), 2);
    let codes: Vec<(String, bool, bool)> = setup
        .sim
        .calls()
        .into_iter()
        .map(|call| (call.code, call.took_effect, call.fault))
        .collect();
    let lost = "Disconnected".to_owned();
    assert_eq!(
        codes,
        [
            (lost.clone(), false, true),
            ("OK".into(), true, false),
            (lost, true, true)
        ]
    );
    assert!(setup.sim.faults().is_empty());
}

#[tokio::test]
async fn every_documented_passing_error_can_be_injected() {
    let setup = start().await;
    for (status, code, transient) in [
        (400, "SystemBusy", true),
        (400, "IdempotenceProcessing", true),
        (400, "Throttling.User", true),
        (400, "IncorrectStatus.Listener", true),
        (400, "ResourceInConfiguring.ServerGroup", true),
        (503, "ServiceUnavailable", true),
        (500, "-22031", true),
        (403, "Forbidden.RAM", false),
    ] {
        setup.sim.inject(Fault::error(status, code));
        let error = setup.client.send(&create_server_group("web")).await.unwrap_err();
        assert_eq!((error.code(), error.http_status()), (Some(code), Some(status)));
        assert_eq!(error.class().is_transient(), transient, "{code}");
    }
    assert!(setup.sim.state()["server_groups"].as_object().unwrap().is_empty());
}

#[tokio::test]
async fn a_failed_job_takes_back_what_the_call_has_marked() {
    let setup = start().await;
    let gateway = setup.gateway().await;
    let failed = || Fault::failed_job("SystemBusy");
    let wait = async |job: Option<String>| {
        let job = job.unwrap();
        let ended = setup
            .client
            .wait_job(&job, Duration::from_millis(5), DEADLINE)
            .await;
        assert_eq!(ended.unwrap_err().code(), Some("SystemBusy"));
    };
    setup.sim.inject(failed());
    let rules = create_rules(&gateway.listener, vec![rule(1, "a.example.com", &gateway.group)]);
    wait(setup.client.send(&rules).await.unwrap().job_id).await;
    setup.sim.inject(failed());
    let add = AddServersToServerGroup {
        server_group_id: gateway.group.clone(),
        servers: vec![server("10.0.0.1", 80)],
        ..Default::default()
    };
    wait(setup.client.send(&add).await.unwrap().job_id).await;
    setup.sim.inject(failed());
    let listener = setup
        .client
        .send(&create_listener(&gateway.balancer, &gateway.group, 81))
        .await
        .unwrap();
    wait(listener.job_id).await;
    setup.sim.inject(failed());
    let delete = DeleteListener {
        listener_id: gateway.listener.clone(),
        ..Default::default()
    };
    wait(setup.client.send(&delete).await.unwrap().job_id).await;

    let state = setup.sim.state();
    let listeners = state["load_balancers"][&gateway.balancer]["Listeners"]
        .as_object()
        .unwrap();
    assert_eq!(listeners.keys().collect::<Vec<_>>(), [&gateway.listener]);
    assert_eq!(listeners[&gateway.listener]["Rules"], json!([]));
    assert_eq!(listeners[&gateway.listener]["ListenerStatus"], "Running");
    assert_eq!(state["server_groups"][&gateway.group]["Servers"], json!([]));
    // All is as it was: the same calls work now.
    setup.client.send(&rules).await.unwrap();
    setup.client.send(&add).await.unwrap();

    setup.sim.inject(failed());
    let broken = setup
        .client
        .send(&create_load_balancer())
        .await
        .unwrap()
        .load_balancer_id;
    setup.settle().await;
    let shown = setup
        .ok("GetLoadBalancerAttribute", &[("LoadBalancerId", &broken)])
        .await;
    assert_eq!(shown.text("LoadBalancerStatus"), "CreateFailed");
    setup
        .ok("DeleteLoadBalancer", &[("LoadBalancerId", &broken)])
        .await;
}

#[tokio::test]
async fn the_admin_endpoints_show_and_steer() {
    let setup = start().await;
    let url = |path: &str| format!("{}/sim/{path}", setup.sim.endpoint());
    let http = setup.http();
    let get = async |path: &str| -> Value { http.get(url(path)).send().await.unwrap().json().await.unwrap() };

    let fault = json!({"operation": "ListServerGroups", "kind": "error", "http_status": 503, "code": "ServiceUnavailable"});
    http.post(url("faults")).json(&fault).send().await.unwrap();
    assert_eq!(get("faults").await.as_array().unwrap().len(), 1);
    assert_eq!(setup.raw("ListServerGroups", &[]).await.status, 503);
    http.post(url("faults"))
        .json(&json!([fault, fault]))
        .send()
        .await
        .unwrap();
    http.delete(url("faults")).send().await.unwrap();
    assert_eq!(setup.raw("ListServerGroups", &[]).await.code(), "OK");
    let bad = http
        .post(url("faults"))
        .json(&json!({"kind": "explode"}))
        .send()
        .await
        .unwrap();
    assert!(bad.status().is_client_error());

    let calls = get("calls").await;
    assert_eq!(calls.as_array().unwrap().len(), 2);
    assert_eq!(
        (calls[0]["action"].as_str(), calls[0]["fault"].as_bool()),
        (Some("ListServerGroups"), Some(true))
    );
    http.delete(url("calls")).send().await.unwrap();
    assert!(setup.sim.calls().is_empty());

    let addresses = json!({"sockets": {"10.0.0.1:80": "127.0.0.1:4000"}, "loopback_octets": true});
    http.put(url("addresses")).json(&addresses).send().await.unwrap();
    let resolve = |server: &str| {
        setup
            .sim
            .addresses()
            .resolve(server.parse().unwrap())
            .unwrap()
            .to_string()
    };
    assert_eq!(resolve("10.0.0.1:80"), "127.0.0.1:4000");
    assert_eq!(resolve("10.1.2.3:80"), "127.1.2.3:80");

    http.put(url("quotas"))
        .json(&json!({"load_balancers": 0}))
        .send()
        .await
        .unwrap();
    let error = setup.client.send(&create_load_balancer()).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Quota);
    assert_eq!(get("state").await["quotas"]["load_balancers"], 0);
    assert_eq!(http.get(url("nothing")).send().await.unwrap().status(), 404);
    for path in ["health", "access-log"] {
        assert!(
            http.get(url(path)).send().await.unwrap().status().is_success(),
            "{path}"
        );
    }
}

#[tokio::test]
async fn private_keys_are_neither_recorded_nor_shown() {
    let setup = start().await;
    let made = rcgen::generate_simple_self_signed(vec!["a.example.com".to_owned()]).unwrap();
    let key = made.signing_key.serialize_pem();
    let upload = [("Name", "a"), ("Cert", &made.cert.pem()), ("Key", &key)]
        .map(|(name, value)| (name, value.to_owned()));
    let params: Vec<(&str, &str)> = upload
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let answer = setup.raw_as("2020-04-07", "UploadUserCertificate", &params).await;
    assert_eq!(answer.code(), "OK");
    let id = answer.body["CertId"].to_string();
    let detail = setup
        .raw_as("2020-04-07", "GetUserCertificateDetail", &[("CertId", &id)])
        .await;
    assert_eq!(detail.text("CertIdentifier"), format!("{id}-cn-hangzhou"));
    let secret = key.lines().nth(1).unwrap();
    let everything = format!(
        "{:?} {} {:?} {}",
        setup.sim.calls(),
        setup.sim.state(),
        setup.sim.world(),
        detail.body
    );
    assert!(everything.contains("BEGIN CERTIFICATE"));
    assert!(!everything.contains(secret) && !everything.contains("PRIVATE KEY"));
}
