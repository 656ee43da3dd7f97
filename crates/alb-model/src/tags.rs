//! Tags of a resource.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Text;

/// Tags of a resource, sorted by key. A list: a resource has a handful, 20 at most, and a gateway has thousands of
/// resources, for which a tree's nodes would be most of their memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tags(Vec<(Text, Text)>);

impl Tags {
    /// No tags.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    fn place(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(key))
    }

    /// The value of a tag. Looks at one after the other: of a handful of keys, most differ in length already, while a
    /// search by halves compares texts that start alike.
    pub fn get(&self, key: &str) -> Option<&Text> {
        let found = self.0.iter().find(|(known, _)| known.as_str() == key);
        found.map(|(_, value)| value)
    }

    /// Whether there is a tag of this key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets a tag; gives the value it had.
    pub fn insert(&mut self, key: Text, value: Text) -> Option<Text> {
        // Most are set in their order.
        if self.0.last().is_none_or(|(last, _)| *last < key) {
            self.0.push((key, value));
            return None;
        }
        match self.place(&key) {
            Ok(place) => Some(std::mem::replace(&mut self.0[place].1, value)),
            Err(place) => {
                self.0.insert(place, (key, value));
                None
            }
        }
    }

    /// Changes the value of a tag that is there; whether it is.
    pub fn set(&mut self, key: &str, value: Text) -> bool {
        let found = self.0.iter_mut().find(|(known, _)| known.as_str() == key);
        found.map(|(_, old)| *old = value).is_some()
    }

    /// Removes a tag; gives the value it had.
    pub fn remove(&mut self, key: &str) -> Option<Text> {
        let place = self.place(key).ok()?;
        Some(self.0.remove(place).1)
    }

    /// Keeps the tags for which this holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&Text, &Text) -> bool) {
        self.0.retain(|(key, value)| keep(key, value));
    }

    /// Makes room for so many more.
    pub fn reserve(&mut self, more: usize) {
        self.0.reserve_exact(more);
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Text, &Text)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::ops::Index<&str> for Tags {
    type Output = Text;

    /// The value of a tag.
    ///
    /// # Panics
    /// There is no such tag.
    fn index(&self, key: &str) -> &Text {
        match self.get(key) {
            Some(value) => value,
            None => panic!("no tag {key}"),
        }
    }
}

impl Extend<(Text, Text)> for Tags {
    fn extend<I: IntoIterator<Item = (Text, Text)>>(&mut self, tags: I) {
        for (key, value) in tags {
            self.insert(key, value);
        }
    }
}

impl FromIterator<(Text, Text)> for Tags {
    /// Of several with one key, the last holds.
    fn from_iter<I: IntoIterator<Item = (Text, Text)>>(tags: I) -> Self {
        let mut all: Vec<(Text, Text)> = tags.into_iter().collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(&mut later.1, &mut earlier.1);
            }
            same
        });
        Self(all)
    }
}

impl<const N: usize> From<[(Text, Text); N]> for Tags {
    fn from(tags: [(Text, Text); N]) -> Self {
        tags.into_iter().collect()
    }
}

impl IntoIterator for Tags {
    type Item = (Text, Text);
    type IntoIter = std::vec::IntoIter<(Text, Text)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Tags;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of tags")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tags, A::Error> {
                let mut tags = Tags::new();
                while let Some((key, value)) = map.next_entry()? {
                    tags.insert(key, value);
                }
                Ok(tags)
            }
        }
        deserializer.deserialize_map(Map)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn pairs() -> impl Strategy<Value = Vec<(Text, Text)>> {
        let text = || "[a-d]{0,2}".prop_map(Text::from);
        proptest::collection::vec((text(), text()), 0..8)
    }

    proptest! {
        #[test]
        fn a_map_in_all_but_memory(made in pairs(), more in pairs(), gone in "[a-d]{0,2}", set in "[a-d]{0,2}") {
            let mut map: BTreeMap<Text, Text> = made.iter().cloned().collect();
            let mut tags: Tags = made.into_iter().collect();
            map.extend(more.iter().cloned());
            tags.extend(more);
            prop_assert_eq!(tags.remove(&gone), map.remove(&*gone));
            let known = map.get_mut(&*set).map(|value| *value = "new".into());
            prop_assert_eq!(tags.set(&set, "new".into()), known.is_some());
            tags.retain(|_, value| value != "a");
            map.retain(|_, value| value != "a");
            prop_assert!(tags.iter().eq(map.iter()));
            prop_assert!(map.iter().all(|(key, value)| tags.get(key) == Some(value)));
            prop_assert_eq!(tags.contains_key("b"), map.contains_key("b"));
            let json = serde_json::to_string(&tags).expect("texts");
            prop_assert_eq!(&json, &serde_json::to_string(&map).expect("texts"));
            prop_assert_eq!(serde_json::from_str::<Tags>(&json).expect("the same"), tags);
        }
    }
}
