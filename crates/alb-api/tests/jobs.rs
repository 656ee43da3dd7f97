//! Waiting for asynchronous jobs, on real sockets.

#![cfg(feature = "client")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "support/server.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod server;

use std::time::Duration;

use alb_api::{Error, ErrorClass};
use serde_json::json;
use server::{Reply, Request, Server};

const POLL: Duration = Duration::from_millis(2);
const LONG: Duration = Duration::from_secs(30);

fn job(status: &str) -> Reply {
    let job = json!({ "Id": "job-1", "ApiName": "CreateRules", "ResourceId": "lsn-1", "Status": status });
    Reply::ok(json!({ "RequestId": "REQ-1", "Jobs": [job] }))
}

#[tokio::test]
async fn a_job_that_is_not_visible_yet_is_waited_for() {
    let server = Server::start(|request| match request.number {
        0..3 => Reply::ok(json!({ "Jobs": [] })),
        3..5 => job("Processing"),
        _ => job("Succeeded"),
    })
    .await;
    let job = server.client().wait_job("job-1", POLL, LONG).await.unwrap();
    assert_eq!(job.status, "Succeeded");
    assert_eq!(server.requests().len(), 6);
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.query["JobIds.1"] == "job-1")
    );
}

#[tokio::test]
async fn other_jobs_do_not_count() {
    let server = Server::start(|request| match request.number {
        0 => Reply::ok(json!({ "Jobs": [{ "Id": "job-2", "Status": "Succeeded" }] })),
        _ => job("Succeeded"),
    })
    .await;
    server.client().wait_job("job-1", POLL, LONG).await.unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn failed_jobs_are_errors_of_the_class_of_their_code() {
    for (code, class) in [
        ("IncorrectStatus.ServerGroup", ErrorClass::Conflict),
        ("QuotaExceeded.RulesNum", ErrorClass::Quota),
        ("SystemBusy", ErrorClass::Retryable),
        ("IllegalParam.Order", ErrorClass::Permanent),
    ] {
        let server = Server::start(move |_| {
            let job = json!({
                "Id": "job-1", "ApiName": "CreateRules", "ResourceId": "lsn-1", "Status": "Failed",
                "ErrorCode": code, "ErrorMessage": "it broke",
            });
            Reply::ok(json!({ "RequestId": "REQ-9", "Jobs": [job] }))
        })
        .await;
        let error = server.client().wait_job("job-1", POLL, LONG).await.unwrap_err();
        assert_eq!(error.class(), class);
        assert_eq!((error.code(), error.request_id()), (Some(code), Some("REQ-9")));
        let text = error.to_string();
        for part in ["job-1", "CreateRules", "lsn-1", code, "it broke"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}

#[tokio::test]
async fn passing_trouble_while_asking_is_waited_out() {
    let server = Server::start(|request| match request.number {
        0 => Reply::Close,
        1 => Reply::error(503, "ServiceUnavailable", "later"),
        2 => Reply::With(
            400,
            vec![("x-ratelimit-user", "TimeLeft:20")],
            json!({ "Code": "Throttling.User", "Message": "slow down" }).to_string(),
        ),
        _ => job("Succeeded"),
    })
    .await;
    let started = std::time::Instant::now();
    server.client().wait_job("job-1", POLL, LONG).await.unwrap();
    assert!(
        started.elapsed() >= Duration::from_millis(20),
        "the wait that the API asked for is kept"
    );
}

#[tokio::test]
async fn a_job_whose_state_cannot_be_read_may_have_succeeded() {
    let server = Server::start(|_| Reply::error(403, "NoPermission", "no")).await;
    let error = server.client().wait_job("job-1", POLL, LONG).await.unwrap_err();
    assert!(matches!(&error, Error::JobUnknown { job_id, .. } if job_id == "job-1"));
    assert_eq!(error.class(), ErrorClass::Permanent);
    assert!(error.may_have_taken_effect());
    assert!(error.to_string().contains("alb:ListAsynJobs"), "{error}");
}

#[tokio::test]
async fn a_job_that_does_not_end_is_given_up_at_the_deadline() {
    for (status, shown) in [("Processing", "Processing"), ("", "not visible")] {
        let server = Server::start(move |_| match status {
            "" => Reply::ok(json!({ "Jobs": [] })),
            status => job(status),
        })
        .await;
        let deadline = Duration::from_millis(30);
        let error = server
            .client()
            .wait_job("job-1", POLL, deadline)
            .await
            .unwrap_err();
        let Error::JobTimeout { status, waited, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(status, shown);
        assert!(*waited >= deadline);
        assert!(error.may_have_taken_effect());
        assert_eq!(error.class(), ErrorClass::Retryable);
    }
}

/// The ids that a request asks for.
fn asked(request: &Request) -> Vec<String> {
    let ids = request
        .query
        .iter()
        .filter(|(name, _)| name.starts_with("JobIds."));
    ids.map(|(_, id)| id.clone()).collect()
}

fn succeeded(ids: &[String]) -> Reply {
    let jobs: Vec<_> = ids
        .iter()
        .map(|id| json!({ "Id": id, "Status": "Succeeded" }))
        .collect();
    Reply::ok(json!({ "RequestId": "REQ-1", "Jobs": jobs }))
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("job-{n}")).collect()
}

#[tokio::test]
async fn those_who_wait_at_the_same_time_ask_together_twenty_at_most() {
    let server = Server::start(|request| succeeded(&asked(request))).await;
    let client = server.client();
    let names = names(50);
    let waits = names.iter().map(|name| client.wait_job(name, POLL, LONG));
    let jobs = futures::future::try_join_all(waits).await.unwrap();
    let ids: Vec<&String> = jobs.iter().map(|job| &job.id).collect();
    assert_eq!(ids, names.iter().collect::<Vec<_>>(), "to each its own job");
    let sizes: Vec<usize> = server.requests().iter().map(|r| asked(r).len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 50);
    assert_eq!(sizes.iter().max(), Some(&20));
    assert_eq!(sizes.len(), 3, "{sizes:?}");
}

#[tokio::test]
async fn an_id_that_is_refused_hurts_only_itself() {
    let server = Server::start(|request| {
        let ids = asked(request);
        if ids.iter().any(|id| id == "job-1") {
            return Reply::error(400, "IllegalParam.JobIds", "what is job-1?");
        }
        succeeded(&ids)
    })
    .await;
    let client = server.client();
    let names = names(3);
    let waits = names.iter().map(|name| client.wait_job(name, POLL, LONG));
    let ended = futures::future::join_all(waits).await;
    let failed: Vec<bool> = ended.iter().map(Result::is_err).collect();
    assert_eq!(failed, [false, true, false]);
    assert!(matches!(&ended[1], Err(Error::JobUnknown { job_id, .. }) if job_id == "job-1"));
}

#[tokio::test]
async fn whoever_asks_for_others_and_is_stopped_leaves_them_to_ask_again() {
    let server = Server::start(|request| succeeded(&asked(request))).await;
    let client = server.client();
    let mut first = Box::pin(client.wait_job("job-0", POLL, LONG));
    assert!(futures::poll!(&mut first).is_pending());
    let mut second = Box::pin(client.wait_job("job-1", POLL, LONG));
    assert!(futures::poll!(&mut second).is_pending());
    drop(first);
    assert_eq!(second.await.unwrap().id, "job-1");
    let sent: Vec<Vec<String>> = server.requests().iter().map(asked).collect();
    assert_eq!(sent, [["job-1"]]);
}
