//! A load balancer of nothing but rules, and gateways made by chance.

use std::collections::BTreeMap;

use alb_model::{
    Action, Condition, Direction, FixedResponse, Forward, Gateway, InsertHeader, KeyValue, Listener,
    ListenerRouter, Redirect, RedirectCode, RemoveHeader, Request, Rewrite, Rule, Scheme, ServerGroup,
    ServerGroupKey, ServerGroupRef, Target,
};
use alb_plan::{Observed, Options, Ownership, Plan, Resolved, Response, Step, StepOp, plan};

use naive::{Probe, takes};

pub mod naive;
pub mod shop;

/// A small, fast, seeded source of chance (xorshift64*), the same on every machine.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize) % n.max(1)
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

pub const HOSTS: [&str; 6] = ["a.com", "b.com", "*.com", "x.a.com", "*.a.com", "?.com"];
pub const PATHS: [&str; 10] = [
    "/",
    "/a",
    "/a/*",
    "/a/b",
    "/*",
    "/b",
    "~*^/a",
    "/?",
    "~*^/(.*)$",
    "~*^/a/(.*)",
];
const REQUEST_HOSTS: [&str; 5] = ["a.com", "b.com", "x.a.com", "y.a.com", "other.org"];
const REQUEST_PATHS: [&str; 5] = ["/", "/a", "/a/b", "/b", "/c/d"];

/// What requests have beside host and path: method, query, headers, last byte of the address, status of the response.
type Rest = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    u8,
    u16,
);
const RESTS: [Rest; 5] = [
    ("GET", "", &[], 1, 200),
    ("POST", "v=2", &[("Cookie", "user=bob")], 1, 404),
    ("GET", "x=1&v=1", &[("X-Env", "canary")], 1, 200),
    ("GET", "", &[("x-env", "c"), ("cookie", "z=1; user=al")], 200, 503),
    ("POST", "v=1", &[("x-env", "none"), ("x-env", "canary")], 200, 500),
];

pub fn conditions(chance: &mut Chance) -> Vec<Condition> {
    let one = |value: &&str| vec![(*value).to_owned()];
    let mut out = Vec::new();
    if !chance.one_in(4) {
        let count = 1 + usize::from(chance.one_in(4));
        out.push(Condition::host((0..count).map(|_| *chance.pick(&HOSTS))));
    }
    if out.is_empty() || !chance.one_in(4) {
        let count = 1 + usize::from(chance.one_in(3));
        out.push(Condition::path((0..count).map(|_| *chance.pick(&PATHS))));
    }
    if chance.one_in(6) {
        let values = one(chance.pick(&["GET", "POST"]));
        out.push(Condition::Method {
            values: values.into_iter().map(Into::into).collect(),
        });
    }
    if chance.one_in(6) {
        let values = one(chance.pick(&["canary", "c*", "?"]));
        out.push(Condition::Header {
            key: "x-env".into(),
            values: values.into_iter().map(Into::into).collect(),
        });
    }
    if chance.one_in(8) {
        let values = vec![KeyValue::new("user", *chance.pick(&["bob", "*", "a?"]))];
        out.push(Condition::Cookie { values });
    }
    if chance.one_in(8) {
        let values = vec![KeyValue::new("v", *chance.pick(&["1", "2", "?"]))];
        out.push(Condition::QueryString { values });
    }
    if chance.one_in(12) {
        let values = one(chance.pick(&["192.0.2.0/25", "192.0.2.200"]));
        out.push(Condition::SourceIp {
            values: values.into_iter().map(Into::into).collect(),
        });
    }
    out
}

/// How a request may be answered.
pub fn actions(chance: &mut Chance) -> Vec<Action> {
    let group = |chance: &mut Chance| ServerGroupRef::managed(*chance.pick(&["one", "two", "three"]));
    match chance.below(9) {
        0 | 1 => vec![Action::forward_to(group(chance))],
        2 | 3 => vec![weighted(chance)],
        4 => vec![Action::Redirect(Box::new(Redirect {
            host: "new.com".into(),
            path: (*chance.pick(&["${path}", "/new"])).into(),
            code: *chance.pick(RedirectCode::ALL),
            ..Redirect::default()
        }))],
        5 => {
            let rewrite = Action::Rewrite(Box::new(Rewrite {
                path: (*chance.pick(&["/${1}", "/r"])).into(),
                ..Rewrite::default()
            }));
            vec![rewrite, Action::forward_to(group(chance))]
        }
        6 => vec![header_edit(chance), Action::forward_to(group(chance))],
        _ => vec![Action::FixedResponse(FixedResponse {
            code: 200 + chance.below(60) as u16,
            ..FixedResponse::default()
        })],
    }
}

fn weighted(chance: &mut Chance) -> Action {
    let stable = *chance.pick(&[0, 10, 50, 90, 100]);
    let target = |group: &str, weight| Target {
        group: ServerGroupRef::managed(group),
        weight,
    };
    Action::Forward(Forward {
        targets: vec![target("one", stable), target("two", 100 - stable)],
        sticky_timeout_s: chance.one_in(4).then_some(60),
    })
}

fn header_edit(chance: &mut Chance) -> Action {
    if chance.one_in(3) {
        return Action::RemoveHeader(RemoveHeader { key: "x-old".into() });
    }
    Action::InsertHeader(InsertHeader {
        key: "x-new".into(),
        value: (*chance.pick(&["1", "2", "3"])).into(),
        ..InsertHeader::default()
    })
}

/// A rule for requests, or now and then for responses.
pub fn rule(chance: &mut Chance) -> Rule {
    let mut conditions = conditions(chance);
    if !chance.one_in(8) {
        return Rule {
            conditions,
            actions: actions(chance),
            ..Rule::default()
        };
    }
    if chance.one_in(2) {
        let values = vec![(*chance.pick(&["200", "5??", "4*"])).to_owned()];
        conditions.push(Condition::ResponseStatusCode {
            values: values.into_iter().map(Into::into).collect(),
        });
    }
    Rule {
        direction: Direction::Response,
        conditions,
        actions: vec![header_edit(chance)],
        ..Rule::default()
    }
}

/// A gateway with one listener.
pub fn gateway(rules: Vec<Rule>, default_group: &str) -> Gateway {
    gateway_of(vec![Listener {
        default_group: ServerGroupRef::managed(default_group),
        rules: rules.into_iter().map(Into::into).collect(),
        ..Listener::default()
    }])
}

pub fn gateway_of(listeners: Vec<Listener>) -> Gateway {
    let groups = ["one", "two", "three", "none", "other"];
    Gateway {
        server_groups: groups
            .iter()
            .map(|key| {
                let group = ServerGroup {
                    name: (*key).into(),
                    ..ServerGroup::default()
                };
                (ServerGroupKey((*key).into()), group.into())
            })
            .collect(),
        listeners,
        ..Gateway::default()
    }
}

/// Something like an edit: rules inserted, removed, moved, changed.
pub fn edited(old: &[Rule], chance: &mut Chance, new: fn(&mut Chance) -> Rule) -> Vec<Rule> {
    let mut rules = old.to_vec();
    for _ in 0..=chance.below(6) {
        match chance.below(6) {
            0 => rules.insert(chance.below(rules.len() + 1), new(chance)),
            1 if !rules.is_empty() => {
                rules.remove(chance.below(rules.len()));
            }
            2 if !rules.is_empty() => {
                let moved = rules.remove(chance.below(rules.len()));
                rules.insert(chance.below(rules.len() + 1), moved);
            }
            3 if !rules.is_empty() => {
                let at = chance.below(rules.len());
                let other = new(chance);
                if other.direction == rules[at].direction {
                    rules[at].actions = other.actions;
                }
            }
            5 => {
                // A weight shifts.
                let weighted =
                    |r: &&mut Rule| matches!(&r.actions[..], [Action::Forward(f)] if f.targets.len() > 1);
                let found: Vec<&mut Rule> = rules.iter_mut().filter(weighted).collect();
                let at = chance.below(found.len());
                if let Some(rule) = found.into_iter().nth(at) {
                    rule.actions = vec![self::weighted(chance)];
                }
            }
            4 if rules.len() > 1 => {
                let (a, b) = (chance.below(rules.len()), chance.below(rules.len()));
                rules.swap(a, b);
            }
            _ => {}
        }
    }
    rules
}

pub fn options() -> Options {
    Options {
        ownership: Ownership::new("c1", "kube-system/alb"),
        ..Options::default()
    }
}

/// Gives ids, as the API does.
#[derive(Default)]
pub struct Cloud {
    last: usize,
}

impl Cloud {
    /// One whose ids start behind those of another.
    pub fn after(last: usize) -> Self {
        Self { last }
    }

    pub fn answer(&mut self, step: &Step, ids: &Resolved) -> Response {
        let request = step
            .request(ids)
            .expect("every reference of a step is made by a step before it");
        let mut id = || {
            self.last += 1;
            format!("id-{}", self.last)
        };
        let rules = match &step.op {
            StepOp::CreateRules { rules, .. } => rules.iter().map(|r| (r.priority.unwrap(), id())).collect(),
            _ => Vec::new(),
        };
        Response {
            id: request.action().starts_with("Create").then(&mut id),
            rules,
            certificate: matches!(step.op, StepOp::UploadCertificate { .. }).then(|| {
                self.last += 1;
                self.last as i64
            }),
            ..Response::default()
        }
    }

    /// Makes the first `steps` calls of a plan.
    pub fn run(&mut self, plan: &Plan, observed: &mut Observed, steps: usize) {
        let steps: Vec<usize> = (0..plan.steps.len().min(steps)).collect();
        self.run_in(plan, observed, &steps);
    }

    /// Makes calls of a plan in this order.
    pub fn run_in(&mut self, plan: &Plan, observed: &mut Observed, order: &[usize]) {
        let mut ids = plan.ids.clone();
        for step in order.iter().map(|n| &plan.steps[*n]) {
            let response = self.answer(step, &ids);
            ids.learn(step, &response);
            observed.apply(step, &response, &ids);
        }
    }

    pub fn converge(&mut self, observed: &mut Observed, desired: &Gateway, options: &Options) -> Plan {
        let made = plan(observed, desired, options);
        self.run(&made, observed, usize::MAX);
        made
    }
}

/// An order of a plan's steps in which each comes after those it waits for, by chance. Steps that could run at the same
/// time never change the same resource.
pub fn any_order(plan: &Plan, chance: &mut Chance) -> Vec<usize> {
    let mut order = Vec::new();
    let mut done = vec![false; plan.steps.len()];
    while order.len() < done.len() {
        let ready: Vec<&Step> = plan
            .steps
            .iter()
            .filter(|s| !done[s.id.0] && s.waits_for.iter().all(|w| done[w.0]))
            .collect();
        let mut resources: Vec<String> = ready.iter().map(|s| s.op.resource()).collect();
        resources.sort();
        resources.dedup();
        assert_eq!(
            resources.len(),
            ready.len(),
            "two calls for one resource at a time"
        );
        let next = chance.pick(&ready).id.0;
        done[next] = true;
        order.push(next);
    }
    order
}

/// Which of a set of requests each list of conditions matches, by the naive evaluator; `alb_model` has to agree. One bit
/// for each request.
pub struct Matcher {
    pub probes: Vec<Probe>,
    /// Lists of conditions with their masks.
    known: Vec<(Vec<Condition>, u128)>,
    index: BTreeMap<(Direction, Vec<Condition>), usize>,
    answers: Vec<String>,
    numbers: BTreeMap<String, usize>,
}

impl Default for Matcher {
    fn default() -> Self {
        let mut probes = Vec::new();
        for host in REQUEST_HOSTS {
            for path in REQUEST_PATHS {
                probes.extend(
                    RESTS.map(|(method, query, headers, last, response_status)| Probe {
                        method,
                        host,
                        path,
                        query,
                        headers,
                        source_ip: std::net::IpAddr::from([192, 0, 2, last]),
                        response_status,
                    }),
                );
            }
        }
        assert!(probes.len() <= 128);
        Self {
            probes,
            known: Vec::new(),
            index: BTreeMap::new(),
            answers: Vec::new(),
            numbers: BTreeMap::new(),
        }
    }
}

impl Matcher {
    pub fn mask(&mut self, conditions: &[Condition]) -> u128 {
        let index = self.index(Direction::Request, conditions);
        self.known[index].1
    }

    /// A number for conditions.
    pub fn index(&mut self, direction: Direction, conditions: &[Condition]) -> usize {
        if let Some(known) = self.index.get(&(direction, conditions.to_vec())) {
            return *known;
        }
        let mask = self.probes.iter().enumerate().fold(0, |mask, (bit, probe)| {
            mask | u128::from(takes(conditions, probe)) << bit
        });
        self.known.push((conditions.to_vec(), mask));
        let index = self.known.len() - 1;
        let alone = Entry {
            id: String::new(),
            priority: 1,
            direction,
            conditions: index,
            answer: 0,
        };
        assert_eq!(self.agreed(&[alone]), 2 * self.probes.len());
        self.index.insert((direction, conditions.to_vec()), index);
        index
    }

    /// A number for an answer.
    pub fn number(&mut self, answer: String) -> usize {
        if let Some(known) = self.numbers.get(&answer) {
            return *known;
        }
        self.answers.push(answer.clone());
        self.numbers.insert(answer, self.answers.len() - 1);
        self.answers.len() - 1
    }

    pub fn answer(&self, number: usize) -> &str {
        &self.answers[number]
    }

    /// What each request gets from a table, and after that each response, the defaults last.
    pub fn decide(&self, table: &[Entry], default: usize, untouched: usize) -> Vec<usize> {
        let mut out = Vec::with_capacity(2 * self.probes.len());
        for (direction, default) in [(Direction::Request, default), (Direction::Response, untouched)] {
            let winners = self.winners(table, direction);
            out.extend(winners.iter().map(|w| w.map_or(default, |at| table[at].answer)));
        }
        out
    }

    /// For each request, the place of the rule that takes it: the lowest priority of those that match.
    fn winners(&self, table: &[Entry], direction: Direction) -> Vec<Option<usize>> {
        let mut places: Vec<usize> = (0..table.len())
            .filter(|at| table[*at].direction == direction)
            .collect();
        places.sort_by_key(|at| table[*at].priority);
        let mut out = vec![None; self.probes.len()];
        let mut open = u128::MAX >> (128 - self.probes.len());
        for at in places {
            let mut hit = open & self.known[table[at].conditions].1;
            open &= !hit;
            while hit != 0 {
                out[hit.trailing_zeros() as usize] = Some(at);
                hit &= hit - 1;
            }
        }
        out
    }

    /// Asks `alb_model`'s routing for the same table; it has to name the same rules. Returns the number of answers.
    pub fn agreed(&self, table: &[Entry]) -> usize {
        let rules = table.iter().map(|entry| Rule {
            priority: Some(entry.priority),
            direction: entry.direction,
            conditions: self.known[entry.conditions].0.clone(),
            actions: match entry.direction {
                Direction::Request => vec![Action::FixedResponse(FixedResponse::default())],
                Direction::Response => vec![Action::InsertHeader(InsertHeader::default())],
            },
            ..Rule::default()
        });
        let router = ListenerRouter::new(&Listener::default().with_rules(rules));
        let requests = self.winners(table, Direction::Request);
        let responses = self.winners(table, Direction::Response);
        for (i, probe) in self.probes.iter().enumerate() {
            let request = Request {
                method: probe.method,
                scheme: Scheme::Http,
                host: probe.host,
                port: 80,
                path: probe.path,
                query: probe.query,
                headers: probe.headers,
                source_ip: probe.source_ip,
            };
            let routed = router.decide(&request).rule;
            assert_eq!(
                routed, requests[i],
                "alb_model and the naive evaluator: {probe:?}"
            );
            let edited = router.decide_response(&request, probe.response_status, &[]).rule;
            assert_eq!(
                edited, responses[i],
                "alb_model and the naive evaluator: response to {probe:?}"
            );
        }
        2 * self.probes.len()
    }
}

/// One rule of a running table.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: String,
    pub priority: u16,
    pub direction: Direction,
    /// Number of its conditions in the [`Matcher`].
    pub conditions: usize,
    pub answer: usize,
}
