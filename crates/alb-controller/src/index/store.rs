//! One kind of objects as the API server has them, kept by feeding it watch events.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use kube::runtime::watcher::Event;

/// Namespace and name; the namespace is empty for cluster-scoped objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Namespace; empty for cluster-scoped objects.
    pub(crate) namespace: Arc<str>,
    /// Name.
    pub(crate) name: Arc<str>,
}

impl Key {
    /// Makes a key.
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The key of an object.
    pub(crate) fn of<K: kube::Resource>(object: &K) -> Self {
        let meta = object.meta();
        Self::new(
            meta.namespace.as_deref().unwrap_or_default(),
            meta.name.as_deref().unwrap_or_default(),
        )
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.namespace.hash(state);
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// What happened to an object, as seen by those who depend on it.
#[derive(Debug)]
pub(crate) struct Changed<V> {
    pub(crate) key: Key,
    pub(crate) old: Option<Arc<V>>,
    pub(crate) new: Option<Arc<V>>,
}

/// Objects of one kind. A relist replaces the content in one step when it is complete, so that a reader never sees a
/// half-listed world and takes what is not yet listed for deleted.
#[derive(Debug)]
pub(crate) struct Store<V> {
    live: HashMap<Key, Arc<V>>,
    relist: Option<HashMap<Key, Arc<V>>>,
    synced: bool,
}

impl<V> Default for Store<V> {
    fn default() -> Self {
        Self {
            live: HashMap::new(),
            relist: None,
            synced: false,
        }
    }
}

impl<V> Store<V> {
    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<V>> {
        self.live.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &Arc<V>)> {
        self.live.iter()
    }

    /// Whether the first list is complete.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced
    }

    /// Applies one watch event; `keep` turns the object into what is kept of it. Returns what changed.
    pub(crate) fn apply<K: kube::Resource>(
        &mut self,
        event: Event<K>,
        keep: impl Fn(K) -> V,
    ) -> Vec<Changed<V>> {
        match event {
            Event::Init => {
                self.relist = Some(HashMap::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                let key = Key::of(&object);
                let value = Arc::new(keep(object));
                self.relist.get_or_insert_with(HashMap::new).insert(key, value);
                Vec::new()
            }
            Event::InitDone => {
                self.synced = true;
                self.replace()
            }
            Event::Apply(object) => {
                let key = Key::of(&object);
                let new = Arc::new(keep(object));
                let old = self.live.insert(key.clone(), new.clone());
                vec![Changed {
                    key,
                    old,
                    new: Some(new),
                }]
            }
            Event::Delete(object) => {
                let key = Key::of(&object);
                let old = self.live.remove(&key);
                vec![Changed { key, old, new: None }]
            }
        }
    }

    fn replace(&mut self) -> Vec<Changed<V>> {
        let mut before = std::mem::replace(&mut self.live, self.relist.take().unwrap_or_default());
        let mut changes: Vec<_> = self
            .live
            .iter()
            .map(|(key, new)| Changed {
                key: key.clone(),
                old: before.remove(key),
                new: Some(new.clone()),
            })
            .collect();
        changes.extend(before.into_iter().map(|(key, old)| Changed {
            key,
            old: Some(old),
            new: None,
        }));
        changes
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn object(name: &str, value: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.into());
        object.metadata.namespace = Some("ns".into());
        object.data = Some([("v".to_owned(), value.to_owned())].into());
        object
    }

    fn value(object: ConfigMap) -> String {
        object.data.unwrap_or_default().remove("v").unwrap_or_default()
    }

    #[test]
    fn a_relist_takes_effect_only_when_it_is_complete_and_reports_what_vanished() {
        let mut store = Store::default();
        for event in [
            Event::Init,
            Event::InitApply(object("a", "1")),
            Event::InitApply(object("b", "1")),
        ] {
            assert!(store.apply(event, value).is_empty());
        }
        assert!(!store.is_synced());
        assert_eq!(store.apply(Event::InitDone, value).len(), 2);
        assert!(store.is_synced());

        for event in [Event::Init, Event::InitApply(object("b", "2"))] {
            assert!(store.apply(event, value).is_empty());
        }
        assert_eq!(
            store.iter().count(),
            2,
            "the old content stays while the relist runs"
        );
        let mut changes = store.apply(Event::InitDone, value);
        changes.sort_by(|x, y| x.key.cmp(&y.key));
        let seen: Vec<_> = changes
            .iter()
            .map(|c| (&*c.key.name, c.old.as_deref().cloned(), c.new.as_deref().cloned()))
            .collect();
        assert_eq!(
            seen,
            [
                ("a", Some("1".into()), None),
                ("b", Some("1".to_owned()), Some("2".to_owned()))
            ]
        );
    }

    #[test]
    fn a_deleted_object_is_gone_and_its_last_state_is_reported() {
        let mut store = Store::default();
        store.apply(Event::Apply(object("a", "1")), value);
        let changes = store.apply(Event::Delete(object("a", "1")), value);
        assert_eq!(changes[0].old.as_deref().map(String::as_str), Some("1"));
        assert!(changes[0].new.is_none());
        assert!(store.get(&Key::new("ns", "a")).is_none());
    }
}
