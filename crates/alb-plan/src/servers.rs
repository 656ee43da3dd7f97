//! The servers of one group: changes of pods, apart from everything else.

use std::collections::BTreeMap;

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
