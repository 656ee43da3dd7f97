//! The objects, their revisions, and a bounded window of what changed.
//!
//! One counter numbers all writes, as etcd's does. Each collection keeps its last changes with the object before and
//! after; watches read that log by position (no queue per watcher), and a list at an older revision is the current
//! state with the later changes undone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use crate::json;

/// Namespace ("" for cluster scope) and name.
pub(crate) type Key = (String, String);

/// Objects of a collection in key order.
pub(crate) type Objects = BTreeMap<Key, Arc<Value>>;

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Added,
    Modified,
    Deleted,
}

/// One entry of a collection's log.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    pub(crate) kind: ChangeKind,
    pub(crate) key: Key,
    /// The object after the change; for a deletion its last state, with the revision of the deletion.
    pub(crate) object: Arc<Value>,
    pub(crate) previous: Option<Arc<Value>>,
}

#[derive(Debug, Default)]
struct Collection {
    objects: Objects,
    log: VecDeque<Change>,
    /// Revision of the newest change that left the log.
    dropped_through: u64,
}

/// The revision asked for is older than the log reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooOld {
    pub(crate) asked: u64,
    pub(crate) oldest: u64,
}

/// All collections.
#[derive(Debug)]
pub(crate) struct Store {
    collections: BTreeMap<String, Collection>,
    revision: u64,
    /// Nothing at or before this revision can be asked for.
    compacted: u64,
    /// Changes kept for each collection.
    window: usize,
}

impl Store {
    pub(crate) fn new(window: usize) -> Self {
        Self {
            collections: BTreeMap::new(),
            revision: 1,
            compacted: 0,
            window: window.max(1),
        }
    }

    /// Revision of the last write.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn get(&self, storage: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let key = (namespace.to_owned(), name.to_owned());
        self.collections.get(storage)?.objects.get(&key).cloned()
    }

    /// Objects of a collection, of one namespace or of all ("").
    pub(crate) fn iter<'a>(
        &'a self,
        storage: &str,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        let objects = self
            .collections
            .get(storage)
            .map(|collection| &collection.objects);
        let start = (namespace.to_owned(), String::new());
        objects
            .into_iter()
            .flat_map(move |objects| objects.range(start.clone()..))
            .take_while(move |(key, _)| namespace.is_empty() || key.0 == namespace)
    }

    /// Names of all collections that hold something or once did.
    pub(crate) fn collections(&self) -> Vec<String> {
        self.collections.keys().cloned().collect()
    }

    /// Writes an object under its own namespace and name and returns it with its new `resourceVersion`.
    pub(crate) fn put(&mut self, storage: &str, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        json::set(
            &mut object,
            &["metadata", "resourceVersion"],
            Value::String(self.revision.to_string()),
        );
        let key = key_of(&object);
        let object = Arc::new(object);
        let collection = self.collections.entry(storage.to_owned()).or_default();
        let previous = collection.objects.insert(key.clone(), object.clone());
        let kind = if previous.is_some() {
            ChangeKind::Modified
        } else {
            ChangeKind::Added
        };
        let change = Change {
            revision: self.revision,
            kind,
            key,
            object: object.clone(),
            previous,
        };
        collection.record(change, self.window);
        object
    }

    /// Removes an object; returns its last state, which carries the revision of the removal.
    pub(crate) fn remove(&mut self, storage: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let key = (namespace.to_owned(), name.to_owned());
        let collection = self.collections.get_mut(storage)?;
        let previous = collection.objects.remove(&key)?;
        self.revision += 1;
        let mut last = (*previous).clone();
        json::set(
            &mut last,
            &["metadata", "resourceVersion"],
            Value::String(self.revision.to_string()),
        );
        let object = Arc::new(last);
        let change = Change {
            revision: self.revision,
            kind: ChangeKind::Deleted,
            key,
            object: object.clone(),
            previous: Some(previous),
        };
        collection.record(change, self.window);
        Some(object)
    }

    /// The collection as it stood at a revision.
    pub(crate) fn at(&self, storage: &str, revision: u64) -> Result<Objects, TooOld> {
        self.check_age(storage, revision)?;
        let Some(collection) = self.collections.get(storage) else {
            return Ok(Objects::new());
        };
        let mut objects = collection.objects.clone();
        for change in collection
            .log
            .iter()
            .rev()
            .take_while(|change| change.revision > revision)
        {
            match &change.previous {
                Some(previous) => objects.insert(change.key.clone(), previous.clone()),
                None => objects.remove(&change.key),
            };
        }
        Ok(objects)
    }

    /// Refuses revisions that a new watch or list can no longer start from.
    pub(crate) fn check_age(&self, storage: &str, revision: u64) -> Result<(), TooOld> {
        let dropped = self
            .collections
            .get(storage)
            .map_or(0, |collection| collection.dropped_through);
        let oldest = dropped.max(self.compacted);
        if revision < oldest {
            Err(TooOld {
                asked: revision,
                oldest,
            })
        } else {
            Ok(())
        }
    }

    /// Changes after a revision, for a running watch. Fails only when some of them are gone.
    pub(crate) fn changes_after(&self, storage: &str, revision: u64) -> Result<Vec<Change>, TooOld> {
        let Some(collection) = self.collections.get(storage) else {
            return Ok(Vec::new());
        };
        if collection.dropped_through > revision {
            return Err(TooOld {
                asked: revision,
                oldest: collection.dropped_through,
            });
        }
        let start = collection
            .log
            .partition_point(|change| change.revision <= revision);
        Ok(collection.log.range(start..).cloned().collect())
    }

    /// Forgets all history: older revisions answer 410 from now on.
    pub(crate) fn compact(&mut self) {
        self.compacted = self.revision;
        for collection in self.collections.values_mut() {
            if let Some(last) = collection.log.back() {
                collection.dropped_through = last.revision;
            }
            collection.log.clear();
        }
    }
}

impl Collection {
    fn record(&mut self, change: Change, window: usize) {
        self.log.push_back(change);
        while self.log.len() > window {
            if let Some(dropped) = self.log.pop_front() {
                self.dropped_through = dropped.revision;
            }
        }
    }
}

/// Namespace and name of an object.
pub(crate) fn key_of(object: &Value) -> Key {
    let text = |field: &str| json::text(object, &["metadata", field]).to_owned();
    (text("namespace"), text("name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(name: &str, value: i64) -> Value {
        json!({"metadata": {"name": name, "namespace": "ns"}, "value": value})
    }

    #[test]
    fn an_old_revision_is_the_present_with_later_changes_undone() {
        let mut store = Store::new(10);
        store.put("things", object("a", 1));
        let then = store.revision();
        store.put("things", object("a", 2));
        store.put("things", object("b", 1));
        store.remove("things", "ns", "a");
        let old = store.at("things", then).unwrap();
        assert_eq!(
            old.values()
                .map(|value| value["value"].clone())
                .collect::<Vec<_>>(),
            [json!(1)]
        );
    }

    #[test]
    fn the_log_is_bounded_and_says_when_it_is_too_short() {
        let mut store = Store::new(2);
        for value in 0..5 {
            store.put("things", object("a", value));
        }
        let now = store.revision();
        assert_eq!(store.changes_after("things", now - 2).unwrap().len(), 2);
        assert_eq!(
            store.changes_after("things", now - 3),
            Err(TooOld {
                asked: now - 3,
                oldest: now - 2
            })
        );
        assert!(store.at("things", now - 3).is_err());
    }

    #[test]
    fn compaction_refuses_new_readers_but_not_watches_that_are_up_to_date() {
        let mut store = Store::new(10);
        store.put("things", object("a", 1));
        let seen = store.revision();
        store.put("others", object("x", 1));
        store.compact();
        assert!(store.check_age("things", seen).is_err());
        assert_eq!(store.changes_after("things", seen), Ok(Vec::new()));
    }

    impl PartialEq for Change {
        fn eq(&self, other: &Self) -> bool {
            self.revision == other.revision
        }
    }
}
