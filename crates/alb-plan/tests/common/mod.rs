//! A load balancer of nothing but rules, and gateways made by chance.

use std::collections::BTreeMap;

use alb_model::{
    Action, Condition, Direction, FixedResponse, Gateway, Listener, ListenerRouter, Request, Rule, Scheme,
    ServerGroup, ServerGroupKey, ServerGroupRef,
};
use alb_plan::{Observed, Options, Ownership, Plan, Resolved, Response, Step, StepOp, plan};

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
pub const PATHS: [&str; 8] = ["/", "/a", "/a/*", "/a/b", "/*", "/b", "~*^/a", "/?"];
pub const REQUEST_HOSTS: [&str; 5] = ["a.com", "b.com", "x.a.com", "y.a.com", "other.org"];
pub const REQUEST_PATHS: [&str; 5] = ["/", "/a", "/a/b", "/b", "/c/d"];
pub const METHODS: [&str; 2] = ["GET", "POST"];
pub const ENVS: [&str; 2] = ["", "canary"];

pub fn conditions(chance: &mut Chance) -> Vec<Condition> {
    let mut out = Vec::new();
    if !chance.one_in(4) {
        let count = 1 + usize::from(chance.one_in(4));
        out.push(Condition::host((0..count).map(|_| *chance.pick(&HOSTS))));
    }
    if out.is_empty() || !chance.one_in(4) {
        let count = 1 + usize::from(chance.one_in(3));
        out.push(Condition::path((0..count).map(|_| *chance.pick(&PATHS))));
    }
    if chance.one_in(5) {
        out.push(Condition::Method {
            values: vec![(*chance.pick(&METHODS)).into()],
        });
    }
    if chance.one_in(5) {
        out.push(Condition::Header {
            key: "x-env".into(),
            values: vec!["canary".into()],
        });
    }
    out
}

pub fn actions(chance: &mut Chance) -> Vec<Action> {
    if chance.one_in(3) {
        let key = *chance.pick(&["one", "two", "three"]);
        vec![Action::forward_to(ServerGroupRef::managed(key))]
    } else {
        vec![Action::FixedResponse(FixedResponse {
            code: 200 + chance.below(60) as u16,
            ..FixedResponse::default()
        })]
    }
}

pub fn rule(chance: &mut Chance) -> Rule {
    Rule {
        conditions: conditions(chance),
        actions: actions(chance),
        ..Rule::default()
    }
}

pub fn gateway(rules: Vec<Rule>, default_group: &str) -> Gateway {
    let groups = ["one", "two", "three", "none", "other"];
    Gateway {
        server_groups: groups
            .iter()
            .map(|key| {
                let group = ServerGroup {
                    name: (*key).to_owned(),
                    ..ServerGroup::default()
                };
                (ServerGroupKey((*key).to_owned()), group)
            })
            .collect(),
        listeners: vec![Listener {
            default_group: ServerGroupRef::managed(default_group),
            rules,
            ..Listener::default()
        }],
        ..Gateway::default()
    }
}

/// Something like an edit: rules inserted, removed, moved, changed.
pub fn edited(old: &[Rule], chance: &mut Chance, new: fn(&mut Chance) -> Rule) -> Vec<Rule> {
    let mut rules = old.to_vec();
    for _ in 0..=chance.below(6) {
        match chance.below(5) {
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
                rules[at].actions = new(chance).actions;
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
        let mut ids = plan.ids.clone();
        for step in plan.steps.iter().take(steps) {
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

/// Which of a set of requests each list of conditions matches, by `alb_model`'s routing. One bit for each request.
pub struct Matcher {
    pub requests: Vec<(&'static str, &'static str, &'static str, &'static str)>,
    masks: BTreeMap<Vec<Condition>, u128>,
    answers: Vec<String>,
    numbers: BTreeMap<String, usize>,
}

impl Default for Matcher {
    fn default() -> Self {
        let mut requests = Vec::new();
        for host in REQUEST_HOSTS {
            for path in REQUEST_PATHS {
                for method in METHODS {
                    requests.extend(ENVS.map(|env| (host, path, method, env)));
                }
            }
        }
        assert!(requests.len() <= 128);
        Self {
            requests,
            masks: BTreeMap::new(),
            answers: Vec::new(),
            numbers: BTreeMap::new(),
        }
    }
}

impl Matcher {
    pub fn mask(&mut self, conditions: &[Condition]) -> u128 {
        if let Some(known) = self.masks.get(conditions) {
            return *known;
        }
        let only = gateway(
            vec![Rule {
                conditions: conditions.to_vec(),
                actions: vec![Action::FixedResponse(FixedResponse::default())],
                ..Rule::default()
            }],
            "none",
        );
        let router = ListenerRouter::new(&only.listeners[0]);
        let mut mask = 0;
        for (bit, (host, path, method, env)) in self.requests.iter().enumerate() {
            let headers = [("x-env", *env)];
            let request = Request {
                method,
                scheme: Scheme::Http,
                host,
                port: 80,
                path,
                query: "",
                headers: if env.is_empty() { &[] } else { &headers },
                source_ip: std::net::IpAddr::from([192, 0, 2, 1]),
            };
            mask |= u128::from(router.decide(&request).rule.is_some()) << bit;
        }
        self.masks.insert(conditions.to_vec(), mask);
        mask
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

    /// What each request gets from a table, the default answer last.
    pub fn decide(&self, table: &mut [Entry], default: usize) -> Vec<usize> {
        table.sort_by_key(|entry| entry.priority);
        let mut out = vec![default; self.requests.len()];
        let mut open = u128::MAX >> (128 - self.requests.len());
        for entry in table.iter().filter(|e| e.direction == Direction::Request) {
            let mut hit = open & entry.mask;
            open &= !hit;
            while hit != 0 {
                out[hit.trailing_zeros() as usize] = entry.answer;
                hit &= hit - 1;
            }
        }
        out
    }
}

/// One rule of a running table.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: String,
    pub priority: u16,
    pub direction: Direction,
    pub mask: u128,
    pub answer: usize,
}
