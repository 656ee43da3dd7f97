//! Whole gateways: everything is made before it is referred to, nothing is made twice, nothing of ours is left over, and
//! what is not ours is not touched.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub,
    dead_code
)]

#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "../common/mod.rs"]
mod common;

mod cuts;
mod edits;
mod kept;
mod limits;
mod order;

use alb_model::Gateway;
use alb_plan::{Observed, Plan, Step, plan};
use common::{Cloud, options};

fn made(gateway: &Gateway) -> (Observed, Cloud) {
    let mut cloud = Cloud::default();
    let mut observed = Observed::default();
    cloud.converge(&mut observed, gateway, &options());
    (observed, cloud)
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(Step::describe).collect()
}

fn actions(observed: &Observed, desired: &Gateway) -> Vec<&'static str> {
    let made = plan(observed, desired, &options());
    let mut cloud = Cloud::default();
    let mut ids = made.ids.clone();
    made.steps
        .iter()
        .map(|step| {
            let response = cloud.answer(step, &ids);
            let action = step.request(&ids).unwrap().action();
            ids.learn(step, &response);
            action
        })
        .collect()
}
