//! Watch: a cursor into a collection's log.

use std::sync::Arc;

use serde_json::Value;

use super::list::{ListOptions, RevisionMatch, too_old};
use super::{State, Target};
use crate::selectors::Selection;
use crate::status::ApiResult;
use crate::store::{Change, ChangeKind, TooOld};

/// Type of a watch event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    Added,
    Modified,
    Deleted,
}

impl EventKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One event: what happened and the object (stored form).
pub(crate) type WatchEvent = (EventKind, Arc<Value>);

/// A running watch.
#[derive(Debug)]
pub(crate) struct Cursor {
    target: Target,
    selection: Selection,
    /// Everything up to here was delivered.
    pub(crate) revision: u64,
}

impl State {
    /// Starts a watch. With no revision (or 0, or when asked for initial events) the present state comes first.
    pub(crate) fn watch(
        &self,
        target: &Target,
        options: &ListOptions,
        initial: Option<bool>,
    ) -> ApiResult<(Cursor, Vec<WatchEvent>)> {
        let from = options.revision.filter(|revision| *revision > 0);
        let wants_state = initial.unwrap_or(from.is_none());
        let now = self.store.revision();
        let mut events = Vec::new();
        let revision = if wants_state {
            let list = ListOptions {
                selection: options.selection.clone(),
                revision: from,
                revision_match: RevisionMatch::NotOlderThan,
                ..ListOptions::default()
            };
            let page = self.list(target, &list)?;
            events.extend(page.items.into_iter().map(|object| (EventKind::Added, object)));
            now
        } else {
            let revision = from.unwrap_or(now);
            self.store
                .check_age(&target.resource.storage, revision)
                .map_err(|error| too_old(error, false))?;
            revision
        };
        let cursor = Cursor {
            target: target.clone(),
            selection: options.selection.clone(),
            revision,
        };
        Ok((cursor, events))
    }

    /// Events since the last call.
    pub(crate) fn poll(&self, cursor: &mut Cursor) -> Result<Vec<WatchEvent>, TooOld> {
        let changes = self
            .store
            .changes_after(&cursor.target.resource.storage, cursor.revision)?;
        // A watch from the future stays silent until that revision is reached.
        cursor.revision = cursor.revision.max(self.store.revision());
        Ok(changes.iter().filter_map(|change| cursor.event(change)).collect())
    }
}

impl Cursor {
    /// The event a change makes for this watch: entering or leaving the selection counts as added or deleted.
    fn event(&self, change: &Change) -> Option<WatchEvent> {
        let Target { namespace, name, .. } = &self.target;
        if !namespace.is_empty() && change.key.0 != *namespace || !name.is_empty() && change.key.1 != *name {
            return None;
        }
        let was = change
            .previous
            .as_ref()
            .is_some_and(|object| self.selection.matches(object));
        let is = change.kind != ChangeKind::Deleted && self.selection.matches(&change.object);
        let kind = match (was, is) {
            (false, true) => EventKind::Added,
            (true, true) => EventKind::Modified,
            (true, false) => EventKind::Deleted,
            (false, false) => return None,
        };
        if kind != EventKind::Deleted || change.kind == ChangeKind::Deleted {
            return Some((kind, change.object.clone()));
        }
        // Left the selection: the last state that matched, at the revision of the change.
        let mut last = change.previous.as_deref().cloned().unwrap_or_default();
        crate::json::set(
            &mut last,
            &["metadata", "resourceVersion"],
            Value::String(change.revision.to_string()),
        );
        Some((kind, Arc::new(last)))
    }
}
