//! What the API refuses for good costs only what needs it.

use std::collections::BTreeSet;
use std::sync::Arc;

use alb_api::ErrorClass;
use alb_controller::cloud::observe;
use alb_model::{Condition, Listener, ObjectRef, Origin, ServerGroupKey};
use alb_sim::{AlbSim, Fault};

use crate::shop::{group, origin, rule, shop};
use crate::{
    Certificates, REQUESTS, advance, answers, arrive, assert_arrived, client, converge, ownership, planned,
    start,
};

#[tokio::test]
async fn a_refused_rule_costs_only_itself() {
    let certificates = Certificates::new();
    let sim = start().await;
    let client = client(&sim);
    let mut wanted = shop();
    // A path with a character that ALB refuses.
    let mut bad = rule("shop.example.com", "/bad%path", "shop");
    bad.origins.push(origin("bad"));
    wanted.listeners[0].rules.insert(0, bad.into());
    let done = converge(&client, &certificates, &Some(wanted)).await.unwrap();
    assert_eq!(done.refused.len(), 1, "{done:?}");
    assert_eq!(done.refused[0].origins, [origin("bad")].into());
    let world = sim.world();
    let there = world.load_balancers.values().next().unwrap();
    assert_eq!(there.listeners[0].rules.len(), 3);
    assert_eq!(there.listeners[1].rules.len(), 3);
    sim.shutdown().await;
}

#[tokio::test]
async fn a_quota_is_reported_with_the_objects_it_hurts_and_not_retried() {
    let certificates = Certificates::new();
    let sim = start().await;
    let client = client(&sim);
    arrive(&client, &certificates, &Some(shop())).await;
    sim.inject(
        Fault::error(400, "QuotaExceeded.LoadBalancerRulesNum")
            .on("CreateRules")
            .forever(),
    );
    let mut wanted = shop();
    let mut late = rule("late.example.com", "/*", "shop");
    late.origins.push(origin("late"));
    wanted.listeners[0].rules.push(late.into());
    sim.clear_calls();
    let stopped = converge(&client, &certificates, &Some(wanted)).await.unwrap_err();
    assert_eq!(stopped.error.class(), Some(ErrorClass::Quota));
    assert_eq!(
        stopped.missing,
        BTreeSet::from([ObjectRef::clone(&origin("late").object)])
    );
    assert_eq!(stopped.too_many_rules, Some(1));
    assert_eq!(sim.calls().iter().filter(|c| c.is_write()).count(), 1);
    sim.shutdown().await;
}

/// A group that cannot be had leaves out the rules that need it, in calls of many rules, too.
#[tokio::test]
async fn a_refused_server_group_costs_only_the_rules_that_need_it() {
    for operation in ["CreateServerGroup", "AddServersToServerGroup"] {
        let certificates = Certificates::new();
        let sim = start().await;
        let client = client(&sim);
        arrive(&client, &certificates, &Some(shop())).await;
        let mut wanted = shop();
        let (key, api) = group("api", 2);
        wanted.server_groups.insert(key, api);
        for listener in &mut wanted.listeners {
            let mut needs = rule("shop.example.com", "/api/*", "api");
            needs.origins.push(origin("api"));
            let mut late = rule("late.example.com", "/*", "cart");
            late.origins.push(origin("late"));
            // What goes to cart goes to api from now on, and nothing to the blog any more.
            let first = Arc::make_mut(&mut listener.rules[0]);
            first.actions = needs.actions.clone();
            first.origins.push(origin("cart"));
            let later = [needs, rule("shop.example.com", "/*", "shop"), late];
            listener.rules.splice(1.., later.map(Arc::new));
        }
        let wish = Some(wanted);
        let mut observed = observe(&client, &ownership(), None).await.unwrap();
        sim.inject(Fault::error(400, "QuotaExceeded.ServerGroupsNum").on(operation));
        sim.clear_calls();
        let stopped = advance(&client, &certificates, &wish, &mut observed)
            .await
            .unwrap_err();
        assert_eq!(stopped.error.class(), Some(ErrorClass::Quota), "{operation}");
        let hurt = ["api", "cart"]
            .map(|name| ObjectRef::clone(&origin(name).object))
            .into();
        assert_eq!(stopped.missing, hurt, "{operation}");
        assert!(stopped.is_known);
        let world = sim.world();
        let there = world.load_balancers.values().next().unwrap();
        let names = |listener: &Listener| -> Vec<String> {
            let hosts = listener.rules.iter().map(|rule| format!("{:?}", rule.conditions));
            hosts.collect()
        };
        for listener in &there.listeners {
            let names = names(listener);
            let has = |text: &str| names.iter().any(|name| name.contains(text));
            assert!(has("late") && !has("/api"), "{operation}: {names:?}");
            assert!(
                has("/cart"),
                "{operation}: an old version stays while the new one cannot be made"
            );
        }
        let read = observe(&client, &ownership(), None).await.unwrap();
        let rest = |observed| planned(observed, &wish).0.steps;
        assert_eq!(rest(&observed), rest(&read), "{operation}: what is known is so");
        // The next attempt makes the rest.
        advance(&client, &certificates, &wish, &mut observed)
            .await
            .unwrap();
        assert_arrived(&sim, &client, &wish, operation).await;
        sim.shutdown().await;
    }
}

/// Two rules become one that the API refuses: both stay, and the group that they need; what has nothing to do with it
/// changes all the same.
#[tokio::test]
async fn an_old_rule_stays_while_its_successor_is_refused() {
    let certificates = Certificates::new();
    let sim = start().await;
    let client = client(&sim);
    let mut before = shop();
    for listener in &mut before.listeners {
        listener.rules.push(rule("news.example.com", "/*", "blog").into());
    }
    arrive(&client, &certificates, &Some(before)).await;
    let there = |sim: &AlbSim| {
        let world = sim.world();
        answers(world.load_balancers.values().next().map(|g| &**g))
    };
    let old = there(&sim);

    let mut wanted = shop();
    for listener in &mut wanted.listeners {
        let mut both = rule("blog.example.com", "/*", "shop");
        both.conditions[0] = Condition::host(["blog.example.com", "news.example.com"]);
        both.origins.push(origin("both"));
        // The cart goes, too.
        listener.rules = vec![both.into(), listener.rules[1].clone()];
    }
    for name in ["blog", "cart"] {
        let key = ServerGroupKey(format!("default/{name}/80").into());
        wanted.server_groups.remove(&key);
    }
    let wish = Some(wanted);
    for operation in ["CreateRules", "UpdateRulesAttribute"] {
        sim.inject(Fault::error(400, "IllegalParam.Values").on(operation).forever());
    }
    let mut observed = observe(&client, &ownership(), None).await.unwrap();
    sim.clear_calls();
    let done = advance(&client, &certificates, &wish, &mut observed)
        .await
        .unwrap();
    let origins: Vec<&[Origin]> = done.refused.iter().map(|r| r.origins.as_slice()).collect();
    assert_eq!(origins, [[origin("both")], [origin("both")]], "{done:?}");
    let calls = sim.calls();
    let failed: Vec<_> = calls.iter().filter(|call| !call.is_ok() && !call.fault).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let new = answers(wish.as_ref());
    let expected: Vec<&String> = old
        .iter()
        .zip(&new)
        .zip(REQUESTS.iter().cycle())
        .map(|((old, new), (host, _))| match *host {
            "blog.example.com" | "news.example.com" => old,
            _ => new,
        })
        .collect();
    assert_eq!(there(&sim).iter().collect::<Vec<_>>(), expected);

    sim.clear_faults();
    advance(&client, &certificates, &wish, &mut observed)
        .await
        .unwrap();
    assert_arrived(&sim, &client, &wish, "taken").await;
    assert_eq!(there(&sim), new);
    sim.shutdown().await;
}
