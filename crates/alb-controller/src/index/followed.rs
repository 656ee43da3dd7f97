//! Server groups of somebody else in which endpoints of Services are kept (annotation `server-group-id`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use alb_model::{Diagnostic, Server};

use super::{FollowedWish, Key};

/// What a Service asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To be in this group, with these servers.
    Keep { group: Arc<str>, servers: Vec<Server> },
    /// Nothing that can be understood: where it is, it stays as it is.
    Invalid(Diagnostic),
}

/// Which Services are in which groups.
#[derive(Debug, Default)]
pub(super) struct Followed {
    services: HashMap<Key, Asked>,
    /// Services whose servers are in a group, or are to be, or may be still. A group stays until it is told that nothing
    /// of ours is left in it.
    members: BTreeMap<Arc<str>, BTreeSet<Key>>,
}

impl Followed {
    /// What a Service asked for last.
    pub(super) fn asked(&self, service: &Key) -> Option<&Asked> {
        self.services.get(service)
    }

    /// Takes in what a Service asks for now; gives the groups that this concerns.
    pub(super) fn ask(&mut self, service: &Key, now: Option<Asked>) -> BTreeSet<Arc<str>> {
        if self.services.get(service) == now.as_ref() {
            return BTreeSet::new();
        }
        let mut concerned: BTreeSet<Arc<str>> = self
            .members
            .iter()
            .filter(|(_, services)| services.contains(service))
            .map(|(group, _)| group.clone())
            .collect();
        if !matches!(now, Some(Asked::Invalid(_))) {
            for group in &concerned {
                self.leave(group, service);
            }
        }
        if let Some(Asked::Keep { group, .. }) = &now {
            self.join(group, service);
            concerned.insert(group.clone());
        }
        match now {
            Some(now) => self.services.insert(service.clone(), now),
            None => self.services.remove(service),
        };
        concerned
    }

    /// Takes in whose servers a group has; whether this is news that somebody must act on.
    pub(super) fn found(&mut self, group: &Arc<str>, services: &BTreeSet<Key>) -> bool {
        let mut left_behind = false;
        for service in services {
            match self.services.get(service) {
                Some(Asked::Keep { group: wanted, .. }) if wanted == group => {}
                Some(Asked::Invalid(_)) => self.join(group, service),
                _ => left_behind = true,
            }
        }
        if left_behind {
            self.members.entry(group.clone()).or_default();
        }
        left_behind
    }

    /// What is wanted in a group.
    pub(super) fn wish(&self, group: &str) -> FollowedWish {
        let mut wish = FollowedWish::default();
        for service in self.members.get(group).into_iter().flatten() {
            if let Some(Asked::Keep { servers, .. }) = self.services.get(service) {
                wish.servers.push((service.clone(), servers.clone()));
            }
        }
        // Also those that are not known to be in the group: it may have been so before the start.
        let held = self
            .services
            .iter()
            .filter(|(_, asked)| matches!(asked, Asked::Invalid(_)));
        wish.held = held.map(|(service, _)| service.clone()).collect();
        wish
    }

    /// Forgets a group in which nothing of ours is left, unless a Service has come to want it meanwhile.
    pub(super) fn forget(&mut self, group: &str) -> bool {
        let empty = self.members.get(group).is_none_or(BTreeSet::is_empty);
        if empty {
            self.members.remove(group);
        }
        empty
    }

    fn join(&mut self, group: &Arc<str>, service: &Key) {
        self.members
            .entry(group.clone())
            .or_default()
            .insert(service.clone());
    }

    fn leave(&mut self, group: &Arc<str>, service: &Key) {
        if let Some(services) = self.members.get_mut(group) {
            services.remove(service);
        }
    }
}

#[cfg(test)]
mod tests {
    use alb_model::{ObjectRef, Severity};

    use super::*;

    fn key(name: &str) -> Key {
        Key::new("shop", name)
    }

    fn keep(group: &str, ip: &str) -> Asked {
        let servers = vec![Server {
            id: ip.into(),
            ip: ip.into(),
            port: 80,
            ..Server::default()
        }];
        let group = group.into();
        Asked::Keep { group, servers }
    }

    fn invalid() -> Asked {
        let object = ObjectRef::new("Service", "shop", "web");
        let finding = Diagnostic::new(Severity::Error, "AnnotationInvalid", object, "", "no id");
        Asked::Invalid(finding)
    }

    fn groups(names: &[&str]) -> BTreeSet<Arc<str>> {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    #[test]
    fn a_change_concerns_the_group_it_leaves_and_the_one_it_joins() {
        let mut followed = Followed::default();
        assert_eq!(
            followed.ask(&key("web"), Some(keep("sgp-a", "10.0.0.1"))),
            groups(&["sgp-a"])
        );
        assert_eq!(
            followed.ask(&key("web"), Some(keep("sgp-a", "10.0.0.1"))),
            groups(&[])
        );
        assert_eq!(
            followed.ask(&key("web"), Some(keep("sgp-a", "10.0.0.2"))),
            groups(&["sgp-a"])
        );
        assert_eq!(
            followed.ask(&key("web"), Some(keep("sgp-b", "10.0.0.2"))),
            groups(&["sgp-a", "sgp-b"])
        );
        assert_eq!(followed.wish("sgp-a"), FollowedWish::default());
        assert_eq!(followed.wish("sgp-b").servers.len(), 1);
        assert_eq!(followed.ask(&key("web"), None), groups(&["sgp-b"]));
        assert_eq!(followed.wish("sgp-b"), FollowedWish::default());
        assert!(followed.forget("sgp-b"));
        assert_eq!(followed.ask(&key("other"), None), groups(&[]));
    }

    #[test]
    fn what_cannot_be_understood_holds_what_is_there() {
        let mut followed = Followed::default();
        assert_eq!(followed.ask(&key("web"), Some(invalid())), groups(&[]));
        assert!(!followed.found(&"sgp-a".into(), &[key("web")].into()), "held");
        assert_eq!(followed.wish("sgp-a").held, [key("web")].into());
        assert!(!followed.forget("sgp-a"));
        assert_eq!(
            followed.ask(&key("web"), Some(keep("sgp-b", "10.0.0.1"))),
            groups(&["sgp-a", "sgp-b"])
        );
        assert_eq!(followed.wish("sgp-a"), FollowedWish::default());
    }

    #[test]
    fn what_was_left_behind_is_news() {
        let mut followed = Followed::default();
        followed.ask(&key("web"), Some(keep("sgp-b", "10.0.0.1")));
        assert!(!followed.found(&"sgp-b".into(), &[key("web")].into()));
        assert!(followed.found(&"sgp-a".into(), &[key("web")].into()));
        assert!(followed.found(&"sgp-a".into(), &[key("gone")].into()));
    }
}
