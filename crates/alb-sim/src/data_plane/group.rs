//! A server group as one version of the world has it, and the choice of a server in it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alb_model::{Scheduler, ServerGroup};
use tokio_util::sync::CancellationToken;

use super::server::{Identity, Server, identity};
use crate::address::AddressMap;

/// A server with its weight.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) server: Arc<Server>,
    pub(super) weight: u16,
}

/// A server group, compiled.
#[derive(Debug)]
pub(super) struct Group {
    id: String,
    config: ServerGroup,
    members: Vec<Member>,
    turns: SmoothRoundRobin,
}

/// What the choice of a server depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice<'a> {
    pub(super) client_ip: IpAddr,
    /// Query of the request, for [`Scheduler::Uch`].
    pub(super) query: &'a str,
    /// Server named by a stickiness cookie.
    pub(super) sticky: Option<u64>,
    /// Servers that could not be reached for this request.
    pub(super) tried: &'a [Arc<Server>],
}

impl Group {
    /// Compiles a group. Servers and turns that `previous` has are taken over.
    pub(super) fn new(
        id: &str,
        config: &ServerGroup,
        previous: Option<&Group>,
        addresses: &Arc<AddressMap>,
        cut: &CancellationToken,
    ) -> Self {
        let known: BTreeMap<&Identity, (usize, &Arc<Server>)> = previous
            .into_iter()
            .flat_map(|group| group.members.iter().enumerate())
            .map(|(index, member)| (&member.server.identity, (index, &member.server)))
            .collect();
        let old_turns = previous.map(|group| group.turns.credits()).unwrap_or_default();

        let mut members: Vec<Member> = Vec::with_capacity(config.servers.len());
        let mut turns = Vec::with_capacity(config.servers.len());
        for server in &config.servers {
            let kept = known
                .get(&identity(server))
                .filter(|(_, known)| known.upstream.protocol() == config.protocol);
            turns.push(
                kept.and_then(|(index, _)| old_turns.get(*index).copied())
                    .unwrap_or(0),
            );
            members.push(Member {
                server: kept.map_or_else(
                    || Server::new(id, server, config.protocol, addresses, cut),
                    |(_, server)| Arc::clone(server),
                ),
                weight: server.weight,
            });
        }
        for member in &members {
            member.server.upstream.set_keepalive(config.upstream_keepalive);
            member.server.check(config.health_check.as_deref());
        }
        Self {
            id: id.to_owned(),
            config: config.clone(),
            members,
            turns: SmoothRoundRobin::new(turns),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn config(&self) -> &ServerGroup {
        &self.config
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Ends the servers that `next` does not have any more; all of them if there is no `next`.
    pub(super) fn retire_missing(&self, next: Option<&Group>) {
        let drain = next.unwrap_or(self).config.connection_drain_s;
        for member in &self.members {
            let stays =
                next.is_some_and(|n| n.members.iter().any(|m| Arc::ptr_eq(&m.server, &member.server)));
            if !stays {
                member.server.retire(drain.map(|s| Duration::from_secs(s.into())));
            }
        }
    }

    /// Chooses a server: the sticky one if it may take traffic, else as the scheduler says. `None` if no server may.
    pub(super) fn choose(&self, choice: &Choice<'_>) -> Option<Arc<Server>> {
        let any_available = self
            .members
            .iter()
            .any(|m| m.weight > 0 && m.server.health.is_available());
        let may_serve = |member: &Member| {
            member.weight > 0
                && (!any_available || member.server.health.is_available())
                && !choice.tried.iter().any(|t| Arc::ptr_eq(t, &member.server))
        };
        if let Some(token) = choice.sticky {
            let sticky = self.members.iter().find(|m| m.server.token == token);
            if let Some(member) = sticky.filter(|m| may_serve(m)) {
                return Some(Arc::clone(&member.server));
            }
        }
        let index = match self.config.scheduler {
            Scheduler::Wrr => self.by_turns(may_serve),
            Scheduler::Wlc => self.least_connections(may_serve),
            Scheduler::Sch => self.by_hash(&choice.client_ip, may_serve),
            Scheduler::Uch => match self.uch_value(choice.query) {
                Some(value) => self.by_hash(&value, may_serve),
                // What ALB does without the parameter is not documented.
                None => self.by_turns(may_serve),
            },
        }?;
        Some(Arc::clone(&self.members[index].server))
    }

    fn by_turns(&self, may_serve: impl Fn(&Member) -> bool) -> Option<usize> {
        self.turns.next(|index| {
            let member = &self.members[index];
            if may_serve(member) { self.share(member) } else { 0 }
        })
    }

    /// A member's share, which grows while it starts slowly. ALB's documentation calls the growth gradual; linear,
    /// from a tenth, is this simulator's reading.
    fn share(&self, member: &Member) -> i64 {
        let weight = i64::from(member.weight) * 1000;
        let Some(ramp) = self.config.slow_start_s.filter(|s| *s > 0) else {
            return weight;
        };
        let ramp = Duration::from_secs(ramp.into());
        let age = member.server.health.available_for();
        if age >= ramp {
            return weight;
        }
        let grown = weight * age.as_millis() as i64 / ramp.as_millis() as i64;
        grown.max(weight / 10)
    }

    fn least_connections(&self, may_serve: impl Fn(&Member) -> bool) -> Option<usize> {
        // (a + 1) / w is least; equal loads go by turns, so that idle servers share.
        let load = |m: &Member| (m.server.active() as u64 + 1) * 1_000_000 / u64::from(m.weight.max(1));
        let least = self.members.iter().filter(|m| may_serve(m)).map(load).min()?;
        self.by_turns(|m| may_serve(m) && load(m) == least)
            // The load has changed meanwhile.
            .or_else(|| self.by_turns(may_serve))
    }

    /// Weighted rendezvous hashing: a server that comes or goes moves only its own share.
    fn by_hash(&self, key: &impl Hash, may_serve: impl Fn(&Member) -> bool) -> Option<usize> {
        let score = |member: &Member| {
            let mut hasher = DefaultHasher::new();
            key.hash(&mut hasher);
            member.server.token.hash(&mut hasher);
            let unit = (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64;
            -f64::from(member.weight) / unit.max(f64::MIN_POSITIVE).ln()
        };
        self.members
            .iter()
            .enumerate()
            .filter(|(_, member)| may_serve(member))
            .max_by(|(_, a), (_, b)| score(a).total_cmp(&score(b)))
            .map(|(index, _)| index)
    }

    fn uch_value<'q>(&self, query: &'q str) -> Option<&'q str> {
        let key = self.config.uch_query_key.as_deref()?;
        query.split('&').find_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name == key).then_some(value)
        })
    }
}

/// Smooth weighted round robin: over any window as long as the sum of the shares, each gets exactly its share, as
/// evenly spread as can be.
#[derive(Debug, Default)]
pub(super) struct SmoothRoundRobin {
    credits: Mutex<Vec<i64>>,
}

impl SmoothRoundRobin {
    pub(super) fn new(credits: Vec<i64>) -> Self {
        Self {
            credits: Mutex::new(credits),
        }
    }

    fn credits(&self) -> Vec<i64> {
        self.credits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The next index; `share` gives the share of each, 0 for those that have none. `None` if all are 0.
    pub(super) fn next(&self, share: impl Fn(usize) -> i64) -> Option<usize> {
        let mut credits = self.credits.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for (index, credit) in credits.iter_mut().enumerate() {
            let share = share(index);
            if share <= 0 {
                continue;
            }
            total += share;
            *credit += share;
            if best.is_none_or(|(_, most)| *credit > most) {
                best = Some((index, *credit));
            }
        }
        let (index, _) = best?;
        credits[index] -= total;
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use alb_model::Server as ServerConfig;

    fn group(config: ServerGroup) -> Group {
        Group::new("sgp-1", &config, None, &Arc::default(), &CancellationToken::new())
    }

    fn servers(weights: &[u16]) -> Vec<ServerConfig> {
        let server = |(index, weight): (usize, &u16)| ServerConfig {
            id: format!("s{index}"),
            ip: "127.0.0.1".into(),
            port: 1000 + index as u16,
            weight: *weight,
            ..ServerConfig::default()
        };
        weights.iter().enumerate().map(server).collect()
    }

    fn choice(client: u8, query: &str) -> Choice<'_> {
        Choice {
            client_ip: IpAddr::from([127, 0, 0, client]),
            query,
            sticky: None,
            tried: &[],
        }
    }

    fn counts(group: &Group, n: usize) -> Vec<usize> {
        let mut counts = vec![0; group.members.len()];
        for _ in 0..n {
            let server = group.choose(&choice(1, "")).unwrap();
            counts[server.identity.2 as usize - 1000] += 1;
        }
        counts
    }

    #[test]
    fn round_robin_gives_each_server_exactly_its_share() {
        let group = group(ServerGroup {
            servers: servers(&[100, 50, 0, 50]),
            ..ServerGroup::default()
        });
        assert_eq!(counts(&group, 4), [2, 1, 0, 1]);
        assert_eq!(counts(&group, 400), [200, 100, 0, 100]);
    }

    #[test]
    fn a_server_that_leaves_does_not_disturb_the_turns_of_the_others() {
        let mut config = ServerGroup {
            servers: servers(&[1, 1, 1]),
            ..ServerGroup::default()
        };
        let before = group(config.clone());
        assert_eq!(counts(&before, 1), [1, 0, 0]);
        config.servers.remove(0);
        let after = Group::new(
            "sgp-1",
            &config,
            Some(&before),
            &Arc::default(),
            &CancellationToken::new(),
        );
        assert!(Arc::ptr_eq(&after.members[0].server, &before.members[1].server));
        let ports: Vec<_> = (0..4)
            .map(|_| after.choose(&choice(1, "")).unwrap().identity.2)
            .collect();
        assert_eq!(ports, [1001, 1002, 1001, 1002]);
    }

    #[test]
    fn a_group_whose_servers_all_have_weight_zero_has_none_to_offer() {
        let group = group(ServerGroup {
            servers: servers(&[0, 0]),
            ..ServerGroup::default()
        });
        assert!(group.choose(&choice(1, "")).is_none());
    }

    #[test]
    fn hashing_keeps_a_client_on_its_server_and_moves_few_when_one_leaves() {
        let mut config = ServerGroup {
            servers: servers(&[100; 5]),
            scheduler: Scheduler::Sch,
            ..ServerGroup::default()
        };
        let chosen = |group: &Group| -> Vec<u16> {
            (0..=255)
                .map(|c| group.choose(&choice(c, "")).unwrap().identity.2)
                .collect()
        };
        let all = chosen(&group(config.clone()));
        assert_eq!(all, chosen(&group(config.clone())));
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 5);
        config.servers.remove(4);
        for (before, after) in all.iter().zip(chosen(&group(config))) {
            assert!(*before == 1004 || *before == after);
        }
    }

    #[test]
    fn parameter_hashing_looks_at_the_named_parameter_only() {
        let group = group(ServerGroup {
            servers: servers(&[100; 5]),
            scheduler: Scheduler::Uch,
            uch_query_key: Some("user".into()),
            ..ServerGroup::default()
        });
        let port = |query: &str| group.choose(&choice(1, query)).unwrap().identity.2;
        assert_eq!(port("user=ann&x=1"), port("x=2&user=ann"));
        let spread: std::collections::BTreeSet<_> = (0..50).map(|n| port(&format!("user={n}"))).collect();
        assert_eq!(spread.len(), 5);
    }

    #[test]
    fn least_connections_counts_what_is_under_way_against_the_weight() {
        let group = group(ServerGroup {
            servers: servers(&[100, 50]),
            scheduler: Scheduler::Wlc,
            ..ServerGroup::default()
        });
        let busy: Vec<_> = (0..30)
            .map(|_| group.choose(&choice(1, "")).unwrap().enter())
            .collect();
        let active: Vec<_> = group.members.iter().map(|m| m.server.active()).collect();
        assert_eq!(active, [20, 10]);
        drop(busy);
        assert_eq!(group.members[0].server.active(), 0);
    }

    #[test]
    fn a_server_named_by_a_cookie_is_kept_unless_it_has_no_weight() {
        let mut config = ServerGroup {
            servers: servers(&[100, 100]),
            ..ServerGroup::default()
        };
        let before = group(config.clone());
        let sticky = Choice {
            sticky: Some(before.members[1].server.token),
            ..choice(1, "")
        };
        for _ in 0..5 {
            assert_eq!(before.choose(&sticky).unwrap().identity.2, 1001);
        }
        config.servers[1].weight = 0;
        let after = Group::new(
            "sgp-1",
            &config,
            Some(&before),
            &Arc::default(),
            &CancellationToken::new(),
        );
        assert_eq!(after.choose(&sticky).unwrap().identity.2, 1000);
    }
}
