//! What refers to which server group.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::Listener;

/// Something that refers to a server group, pending changes included.
#[derive(Debug)]
pub(crate) struct Reference {
    /// The load balancer it belongs to.
    pub(crate) load_balancer_id: String,
    /// What it is, for messages.
    pub(crate) by: String,
}

type ByGroup = HashMap<String, Arc<[Reference]>>;

/// All listeners by id, with an index of the groups that they and their rules refer to. The index is made when it is asked
/// for after a change: there are many more calls that ask (every change of servers does) than calls that change rules.
#[derive(Default)]
pub(crate) struct Listeners {
    all: BTreeMap<String, Listener>,
    references: RefCell<Option<ByGroup>>,
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.all.fmt(f)
    }
}

impl Deref for Listeners {
    type Target = BTreeMap<String, Listener>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl DerefMut for Listeners {
    fn deref_mut(&mut self) -> &mut Self::Target {
        *self.references.get_mut() = None;
        &mut self.all
    }
}

impl Listeners {
    /// What refers to a group.
    pub(super) fn references_to(&self, group_id: &str) -> Arc<[Reference]> {
        let mut references = self.references.borrow_mut();
        let references = references.get_or_insert_with(|| index(&self.all));
        references.get(group_id).cloned().unwrap_or_else(|| Arc::new([]))
    }
}

fn index(listeners: &BTreeMap<String, Listener>) -> ByGroup {
    let mut found: HashMap<&str, Vec<Reference>> = HashMap::new();
    for listener in listeners.values() {
        let own: BTreeSet<&str> = listener.server_groups().collect();
        let own = std::iter::once((own, format!("listener {}", listener.id)));
        let rules = listener.rules.values().map(|rule| {
            let groups: BTreeSet<&str> = rule.server_groups().collect();
            (groups, format!("rule {}", rule.id))
        });
        for (groups, by) in own.chain(rules) {
            for group in groups {
                found.entry(group).or_default().push(Reference {
                    load_balancer_id: listener.load_balancer_id.clone(),
                    by: by.clone(),
                });
            }
        }
    }
    let shared = |(group, references): (&str, Vec<Reference>)| (group.to_owned(), references.into());
    found.into_iter().map(shared).collect()
}
