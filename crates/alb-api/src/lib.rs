//! Client for the OpenAPI of Alibaba Cloud's Application Load Balancer (ALB), with the few operations of Certificate
//! Management Service (CAS) and Virtual Private Cloud (VPC) that a gateway needs: typed requests and answers, request
//! signatures, and errors that say what to do about them.
//!
//! ```
//! use alb_api::alb::{CreateRules, CreateRulesRule, RuleAction, RuleCondition, Values};
//! use alb_api::flatten::{encode_pairs, parameters};
//! use alb_api::{ErrorClass, OperationKind, classify};
//!
//! // Operations are plain values. What they send is known without sending it.
//! let create = CreateRules {
//!     listener_id: "lsn-1".into(),
//!     rules: vec![CreateRulesRule {
//!         priority: 10,
//!         rule_name: "hello".into(),
//!         rule_conditions: vec![RuleCondition {
//!             kind: "Host".into(),
//!             host_config: Some(Values { values: vec!["hello.example".into()] }),
//!             ..Default::default()
//!         }],
//!         rule_actions: vec![RuleAction { kind: "FixedResponse".into(), order: 1, ..Default::default() }],
//!         ..Default::default()
//!     }],
//!     ..Default::default()
//! };
//! let sent = parameters(&create)?;
//! assert_eq!(encode_pairs(&sent.query), "ListenerId=lsn-1");
//! assert!(encode_pairs(&sent.body).contains("Rules.1.RuleConditions.1.HostConfig.Values.1=hello.example"));
//!
//! // Error codes have one of seven meanings for a caller.
//! assert_eq!(classify("IncorrectStatus.Listener", Some(409), OperationKind::Create), ErrorClass::Conflict);
//! # Ok::<(), alb_api::Error>(())
//! ```
//!
//! # Sending
//!
//! With the feature `client`, which is on by default:
//!
#![cfg_attr(feature = "client", doc = "```no_run")]
#![cfg_attr(not(feature = "client"), doc = "```ignore")]
//! # async fn run() -> Result<(), alb_api::Error> {
//! use std::time::Duration;
//!
//! use alb_api::Client;
//! use alb_api::alb::{DeleteRules, ListRules};
//!
//! // Credentials come from where the environment says, unless a provider is given.
//! let client = Client::builder("cn-hangzhou").user_agent("my-controller/1.0").build()?;
//! let list = ListRules { listener_ids: vec!["lsn-1".into()], ..Default::default() };
//! let rules = client.all_pages(list).await?;
//!
//! let rule_ids = rules.into_iter().filter(|rule| rule.rule_name == "hello").map(|rule| rule.rule_id).collect();
//! let delete = DeleteRules { rule_ids, ..Default::default() };
//! match client.send(&delete).await {
//!     Ok(answer) => {
//!         let job = answer.job_id.unwrap_or_default();
//!         client.wait_job(&job, Duration::from_secs(1), Duration::from_secs(60)).await?;
//!     }
//!     Err(error) if error.class().is_transient() => println!("try again later: {error}"),
//!     Err(error) => return Err(error),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! One `Client::send` is one HTTP request. Repeating is left to the caller, who knows what else
//! is going on: [`Error::class`] says whether it may help, [`Error::may_have_taken_effect`] whether the change may have
//! happened all the same.
//!
//! # Without the client
//!
//! With `default-features = false` the crate is pure code without I/O: [operations](Operation),
//! [signatures](sign), the [wire form](flatten) in both directions, and error [classes](classify). That is what a
//! planner, a simulator or another transport needs.

pub mod alb;
pub mod cas;
#[cfg(feature = "client")]
pub mod client;
pub mod credentials;
mod encode;
mod error;
pub mod flatten;
pub mod lenient;
mod operation;
mod sensitive;
pub mod sign;
pub mod vpc;

#[cfg(feature = "client")]
pub use client::{Client, ClientBuilder};
pub use credentials::{Credentials, CredentialsProvider, EnvironmentCredentials, StaticCredentials};
pub use error::{
    Action, ApiError, CredentialsError, Error, ErrorClass, JobFailure, Source, TransportError, classify,
};
pub use lenient::DecodeError;
pub use operation::{Operation, OperationKind, Paged, Product};
pub use sensitive::Sensitive;
