//! Services in server groups of somebody else: what is wanted there, and what people are told.

use std::collections::BTreeSet;
use std::sync::Arc;

use alb_model::{Diagnostic, ObjectRef, Severity};
use concurrency_scheduler::Priority;
use ingress_translate::FollowedGroup;
use tracing::{info, warn};

use super::Run;
use super::outcome::LASTING;
use super::resync::Resyncs;
use crate::index::{FollowedWish, Key};
use crate::jobs::{Job, JobKey, RS};
use crate::report::Told;
use crate::work::{Failed, GROUP_UNUSABLE};

/// Seconds until a group that can't be used, or a quota that is used up, is looked at again, at most.
const REFUSED_INTERVAL_S: u64 = 60;

/// What the index's task remembers of server groups of somebody else.
#[derive(Debug, Default)]
pub(super) struct Following {
    /// When each is next compared with what is wanted.
    pub(super) resyncs: Resyncs,
    /// What Services were told. Apart from what they are told as backends of Ingresses: neither clears the other.
    told: Told,
    /// Whether servers that were left behind are being looked for.
    searching: bool,
}

impl Run {
    /// Makes our servers in a group what the index wants.
    pub(super) fn follow(&mut self, group: &Arc<str>, priority: Priority) {
        let wish = Arc::new(self.index.followed(group));
        self.shared.followed.insert(group.clone(), wish);
        self.followed.resyncs.plan(group, self.options.resync_interval);
        self.submit(RS, JobKey::Followed(group.clone()), Job::Followed, priority);
    }

    /// Looks once, when it is known what is wanted, for what was left behind before the start.
    pub(super) fn find_marked(&mut self) {
        if !std::mem::replace(&mut self.followed.searching, true) {
            self.submit(RS, JobKey::Marked, Job::Marked, Priority::Resync);
        }
    }

    pub(super) fn marked(&mut self, group: &Arc<str>, services: &BTreeSet<Key>) {
        if self.index.found_followers(group, services) {
            info!(%group, "servers were left behind in a server group of somebody else");
            self.follow(group, Priority::Normal);
        }
    }

    /// What came of one attempt.
    pub(super) fn followed(&mut self, group: &Arc<str>, wish: &Arc<FollowedWish>, failed: Option<&Failed>) {
        let Some(failed) = failed else {
            for (service, _) in &wish.servers {
                self.tell_follower(&object(service), BTreeSet::new());
            }
            // Only if nothing else has come to be wanted meanwhile.
            let current = self.shared.followed.get(group).map(|current| current.clone());
            let is_current = current.is_some_and(|current| Arc::ptr_eq(&current, wish));
            if is_current && wish.servers.is_empty() && self.index.forget_followed(group) {
                self.shared.followed.remove(group);
                self.followed.resyncs.cancel(group);
            }
            return;
        };
        let Failed {
            code,
            message,
            attempt,
            passing,
            ..
        } = failed;
        warn!(%group, code, message, attempt, "change of servers failed");
        if !passing {
            let soon = REFUSED_INTERVAL_S.min(self.options.resync_interval);
            self.followed.resyncs.hasten(group, soon);
        }
        if *passing && *attempt < LASTING {
            return;
        }
        let message = if *code == GROUP_UNUSABLE {
            message.clone()
        } else {
            format!("its endpoints are not, or not all, in server group {group}: {message}")
        };
        for (service, _) in &wish.servers {
            let object = object(service);
            let finding = Diagnostic::new(
                Severity::Error,
                *code,
                object.clone(),
                FollowedGroup::field(),
                &*message,
            );
            self.tell_follower(&object, BTreeSet::from([finding]));
        }
    }

    /// Tells a Service all there is to say of its place in a group.
    pub(super) fn tell_follower(&mut self, object: &ObjectRef, findings: BTreeSet<Diagnostic>) {
        let news = self.followed.told.news(object, findings);
        self.publish(object, news);
    }
}

fn object(service: &Key) -> ObjectRef {
    ObjectRef::new("Service", &*service.namespace, &*service.name)
}
