//! Plans that are cut off and made anew.

use alb_plan::{Observed, ServerStep, Step, StepOp, plan, plan_delete};

use crate::common::shop::shop;
use crate::common::{Cloud, options};
use crate::edits::EDITS;
use crate::{lines, made};

/// Cut a plan anywhere, look again, plan again: it arrives at the same place.
#[test]
fn any_prefix_of_any_change_converges_without_orphans() {
    let mut cuts = 0;
    for (what, edit, _) in EDITS {
        for back in [false, true] {
            let mut edited = shop();
            edit(&mut edited);
            let (from, to) = if back { (edited, shop()) } else { (shop(), edited) };
            let (observed, _) = made(&from);
            let whole = plan(&observed, &to, &options());
            for cut in 0..=whole.steps.len() {
                let (mut halfway, mut cloud) = (observed.clone(), Cloud::after(1_000));
                cloud.run(&whole, &mut halfway, cut);
                cloud.converge(&mut halfway, &to, &options());
                let rest = plan(&halfway, &to, &options());
                assert!(rest.is_empty(), "{what}, cut at {cut}: {:?}", lines(&rest));
                assert_eq!(
                    halfway.server_groups.len(),
                    to.server_groups.len(),
                    "{what}, cut at {cut}"
                );
                assert_eq!(
                    halfway.certificates.len(),
                    to.certificates.len(),
                    "{what}, cut at {cut}"
                );
                assert_eq!(halfway.acls.len(), to.acls.len(), "{what}, cut at {cut}");
                assert_eq!(
                    halfway.listeners.len(),
                    to.listeners.len(),
                    "{what}, cut at {cut}"
                );
                cuts += 1;
            }
        }
    }
    println!("{cuts} cuts");
}

#[test]
fn creation_and_deletion_survive_any_cut() {
    let whole = plan(&Observed::default(), &shop(), &options());
    for cut in 0..=whole.steps.len() {
        let (mut observed, mut cloud) = (Observed::default(), Cloud::default());
        cloud.run(&whole, &mut observed, cut);
        let mut finished = observed.clone();
        cloud.converge(&mut finished, &shop(), &options());
        assert!(
            plan(&finished, &shop(), &options()).is_empty(),
            "creation cut at {cut}"
        );

        // A gateway that goes before it is complete leaves nothing.
        let going = plan_delete(&observed, &options());
        for second in 0..=going.steps.len() {
            let (mut rest, mut cloud) = (observed.clone(), Cloud::after(1_000));
            cloud.run(&going, &mut rest, second);
            let again = plan_delete(&rest, &options());
            cloud.run(&again, &mut rest, usize::MAX);
            assert_eq!(
                rest,
                Observed::default(),
                "creation cut at {cut}, deletion at {second}"
            );
        }
    }
}

#[test]
fn a_group_whose_servers_are_missing_gets_them_before_rules_use_it() {
    let whole = plan(&Observed::default(), &shop(), &options());
    let created = |s: &Step| matches!(&s.op, StepOp::CreateServerGroup { key, .. } if key.0.contains("shop"));
    let cut = whole.steps.iter().position(created).unwrap() + 1;
    let (mut observed, mut cloud) = (Observed::default(), Cloud::default());
    cloud.run(&whole, &mut observed, cut);
    let rest = plan(&observed, &shop(), &options());
    let adds: usize = rest
        .steps
        .iter()
        .filter_map(|s| match &s.op {
            StepOp::Servers {
                step: ServerStep::Add(servers),
                ..
            } => Some(servers.len()),
            _ => None,
        })
        .sum();
    assert_eq!(
        adds, 3,
        "the group that was made before the cut, and no other that is filled"
    );
}
