//! The servers of one group: changes of pods, apart from everything else.

use std::collections::{BTreeMap, BTreeSet};

use alb_model::Server;

/// Servers that one call takes, by current documentation; older documentation says 40.
pub const SERVERS_PER_CALL: usize = alb_model::limits::SERVERS_PER_CALL;

/// One call that changes servers of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerStep {
    /// Add servers.
    Add(Vec<Server>),
    /// Exchange servers in one call.
    Replace {
        /// To add.
        added: Vec<Server>,
        /// To remove.
        removed: Vec<Server>,
    },
    /// Change weight or description.
    Update(Vec<Server>),
    /// Remove servers.
    Remove(Vec<Server>),
}

impl ServerStep {
    /// Number of servers it names.
    pub fn len(&self) -> usize {
        match self {
            Self::Add(servers) | Self::Update(servers) | Self::Remove(servers) => servers.len(),
            Self::Replace { added, removed } => added.len() + removed.len(),
        }
    }

    /// Whether it names no server.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same change in two calls, for an API that refuses the size of one. `None` for a single server.
    ///
    /// An exchange splits into an addition and a removal.
    pub fn split(&self) -> Option<[Self; 2]> {
        let halves = |servers: &[Server]| {
            let (a, b) = servers.split_at(servers.len() / 2);
            (servers.len() > 1).then(|| [a.to_vec(), b.to_vec()])
        };
        match self {
            Self::Add(servers) => halves(servers).map(|h| h.map(Self::Add)),
            Self::Update(servers) => halves(servers).map(|h| h.map(Self::Update)),
            Self::Remove(servers) => halves(servers).map(|h| h.map(Self::Remove)),
            Self::Replace { added, removed } => {
                Some([Self::Add(added.clone()), Self::Remove(removed.clone())])
            }
        }
    }

    /// Applies the change to a list of servers.
    pub fn apply(&self, servers: &mut Vec<Server>) {
        let (added, removed): (&[Server], &[Server]) = match self {
            Self::Add(added) | Self::Update(added) => (added, &[]),
            Self::Remove(removed) => (&[], removed),
            Self::Replace { added, removed } => (added, removed),
        };
        servers.retain(|s| {
            !removed.iter().any(|r| r.identity() == s.identity())
                && !added.iter().any(|a| a.identity() == s.identity())
        });
        servers.extend(added.iter().cloned());
        servers.sort();
    }
}

/// The calls that take a group's servers from `observed` to `desired`, at most [`SERVERS_PER_CALL`] in each: additions
/// before removals, so that the group is never smaller than both lists have in common plus what is already added. One
/// `Replace` when additions and removals fit into one call.
///
/// ```
/// use alb_model::Server;
/// use alb_plan::{plan_servers, ServerStep};
///
/// let server = |ip: &str, weight| Server { id: ip.into(), ip: ip.into(), port: 80, weight, ..Server::default() };
/// let before = [server("10.0.0.1", 100)];
/// assert!(plan_servers(&before, &before).is_empty());
/// assert_eq!(
///     plan_servers(&before, &[server("10.0.0.1", 0)]),
///     [ServerStep::Update(vec![server("10.0.0.1", 0)])],
/// );
/// ```
pub fn plan_servers(observed: &[Server], desired: &[Server]) -> Vec<ServerStep> {
    let index = |servers: &[Server]| -> BTreeMap<(String, String, u16), Server> {
        servers
            .iter()
            .map(|s| ((s.id.clone(), s.ip.clone(), s.port), s.clone()))
            .collect()
    };
    let (there, wanted) = (index(observed), index(desired));
    let mut added = Vec::new();
    let mut updated = Vec::new();
    for (identity, server) in &wanted {
        match there.get(identity) {
            None => added.push(server.clone()),
            Some(found) => {
                let described = server.description.is_empty() || server.description == found.description;
                if server.weight != found.weight || !described {
                    updated.push(server.clone());
                }
            }
        }
    }
    let removed: Vec<Server> = there
        .iter()
        .filter(|(identity, _)| !wanted.contains_key(identity))
        .map(|(_, server)| server.clone())
        .collect();

    let batches = |servers: Vec<Server>, step: fn(Vec<Server>) -> ServerStep| -> Vec<ServerStep> {
        servers
            .chunks(SERVERS_PER_CALL)
            .map(|chunk| step(chunk.to_vec()))
            .collect()
    };
    let mut steps = Vec::new();
    if !added.is_empty() && !removed.is_empty() && added.len() + removed.len() <= SERVERS_PER_CALL {
        steps.push(ServerStep::Replace { added, removed });
        steps.extend(batches(updated, ServerStep::Update));
    } else {
        steps.extend(batches(added, ServerStep::Add));
        steps.extend(batches(updated, ServerStep::Update));
        steps.extend(batches(removed, ServerStep::Remove));
    }
    steps
}

/// The calls that make our servers `desired` in a group in which others have theirs. Servers that are not `ours` are neither
/// removed nor changed, also where one is wanted: then it is there already.
///
/// ```
/// use alb_model::Server;
/// use alb_plan::{ServerStep, plan_servers_beside};
///
/// let server = |ip: &str, description: &str| Server {
///     id: ip.into(),
///     ip: ip.into(),
///     port: 80,
///     description: description.into(),
///     ..Server::default()
/// };
/// let there = [server("10.0.0.1", "theirs"), server("10.0.0.2", "ours"), server("10.0.0.3", "")];
/// let wanted = [server("10.0.0.3", "ours")];
/// let ours = |server: &Server| server.description == "ours";
/// assert_eq!(
///     plan_servers_beside(&there, &wanted, ours),
///     [ServerStep::Remove(vec![server("10.0.0.2", "ours")])],
/// );
/// ```
pub fn plan_servers_beside(
    observed: &[Server],
    desired: &[Server],
    ours: impl Fn(&Server) -> bool,
) -> Vec<ServerStep> {
    let (own, others): (Vec<Server>, Vec<Server>) = observed.iter().cloned().partition(ours);
    let taken: BTreeSet<_> = others.iter().map(Server::identity).collect();
    let wanted: Vec<Server> = desired
        .iter()
        .filter(|server| !taken.contains(&server.identity()))
        .cloned()
        .collect();
    plan_servers(&own, &wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(n: usize, weight: u16) -> Server {
        let ip = format!("10.0.{}.{}", n / 250, n % 250);
        Server {
            id: format!("eni-{n}"),
            ip,
            port: 8080,
            weight,
            ..Server::default()
        }
    }

    fn range(from: usize, to: usize, weight: u16) -> Vec<Server> {
        (from..to).map(|n| server(n, weight)).collect()
    }

    fn converges(before: &[Server], after: &[Server]) -> Vec<ServerStep> {
        let steps = plan_servers(before, after);
        let mut now = before.to_vec();
        for step in &steps {
            assert!(!step.is_empty() && step.len() <= SERVERS_PER_CALL);
            step.apply(&mut now);
        }
        let mut after = after.to_vec();
        after.sort();
        assert_eq!(now, after);
        steps
    }

    #[test]
    fn a_rolling_update_is_one_exchange() {
        let steps = converges(&range(0, 3, 100), &range(1, 4, 100));
        assert!(matches!(&steps[..], [ServerStep::Replace { added, removed }]
            if added.len() == 1 && removed.len() == 1));
    }

    #[test]
    fn large_changes_are_batched_and_add_before_they_remove() {
        let steps = converges(&range(0, 500, 100), &range(400, 900, 100));
        let kinds: Vec<&str> = steps
            .iter()
            .map(|s| match s {
                ServerStep::Add(_) => "add",
                ServerStep::Remove(_) => "remove",
                ServerStep::Update(_) => "update",
                ServerStep::Replace { .. } => "replace",
            })
            .collect();
        assert_eq!(kinds, ["add", "add", "remove", "remove"]);
    }

    #[test]
    fn weights_change_in_one_call() {
        let mut after = range(0, 100, 100);
        after[3].weight = 0;
        assert_eq!(converges(&range(0, 100, 100), &after).len(), 1);
    }

    /// Whatever is there and wanted, of three servers each: the others' servers stay as they are, and ours become what is
    /// wanted where nobody else has the place.
    #[test]
    fn servers_of_others_stay_as_they_are() {
        let described = |n: usize, weight, description: &str| Server {
            description: description.into(),
            ..server(n, weight)
        };
        let ours = |server: &Server| server.description == "ours";
        for case in 0..4_usize.pow(3) * 2_usize.pow(3) {
            let (there, wanted) = (case % 64, case / 64);
            let before: Vec<_> = (0..3)
                .filter_map(|n| match there / 4_usize.pow(n) % 4 {
                    0 => None,
                    1 => Some(described(n as usize, 1, "ours")),
                    2 => Some(described(n as usize, 0, "ours")),
                    _ => Some(described(n as usize, 7, "")),
                })
                .collect();
            let desired: Vec<_> = (0..3)
                .filter(|n| wanted >> n & 1 == 1)
                .map(|n| described(n, 1, "ours"))
                .collect();
            let mut now = before.clone();
            for step in plan_servers_beside(&before, &desired, ours) {
                step.apply(&mut now);
            }
            let (own, others): (Vec<_>, Vec<_>) = now.into_iter().partition(ours);
            let foreign: Vec<_> = before.into_iter().filter(|s| !ours(s)).collect();
            let free = |s: &Server| foreign.iter().all(|f| f.identity() != s.identity());
            assert_eq!(
                own,
                desired.into_iter().filter(free).collect::<Vec<_>>(),
                "{case}"
            );
            assert_eq!(others, foreign, "{case}");
        }
    }

    #[test]
    fn a_step_splits_until_single_servers() {
        let step = ServerStep::Add(range(0, 5, 1));
        let [a, b] = step.split().unwrap();
        assert_eq!((a.len(), b.len()), (2, 3));
        assert_eq!(ServerStep::Add(range(0, 1, 1)).split(), None);
        let exchange = ServerStep::Replace {
            added: range(0, 1, 1),
            removed: range(1, 2, 1),
        };
        assert!(matches!(
            exchange.split(),
            Some([ServerStep::Add(_), ServerStep::Remove(_)])
        ));
    }
}
