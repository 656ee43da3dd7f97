//! Who owns a host and path.

use std::collections::hash_map::Entry;

use alb_model::{
    Action, BackendProtocol, Condition, Direction, Listener, ListenerProtocol, Origin, ServerGroupRef,
};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::Assembly;
use super::placement::Claim;
use crate::codes::Code;
use crate::fragment::{CompiledRule, HostMatch, PathMatch};

/// What two paths contend for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slot<'a> {
    is_default: bool,
    direction: Direction,
    host: &'a HostMatch,
    path: &'a PathMatch,
    extra_hosts: &'a [String],
    extra_paths: &'a [String],
    conditions: &'a [Condition],
}

impl<'a> Slot<'a> {
    pub(super) fn of(rule: &'a CompiledRule, is_default: bool) -> Self {
        Self {
            is_default,
            direction: rule.direction,
            host: &rule.host,
            path: &rule.path,
            extra_hosts: &rule.extra_hosts,
            extra_paths: &rule.extra_paths,
            conditions: &rule.conditions,
        }
    }
}

pub(super) fn origin(claim: &Claim<'_>) -> Origin {
    Origin {
        object: claim.ingress.object.clone(),
        field: claim.rule.field.clone(),
    }
}

impl<'a> Assembly<'a> {
    /// Gives each slot of a listener to its oldest valid claim, and one that only answers 503 to nobody else's harm.
    pub(super) fn claims(&mut self, claims: Vec<Claim<'a>>, listener: &Listener) -> Vec<Claim<'a>> {
        let mut owners: FxHashMap<Slot<'a>, Claim<'a>> =
            FxHashMap::with_capacity_and_hasher(claims.len(), FxBuildHasher);
        let mut kept = Vec::with_capacity(claims.len());
        for valid in [true, false] {
            for claim in claims.iter().filter(|claim| claim.rule.valid == valid) {
                if !self.fits_protocol(claim, listener) {
                    continue;
                }
                match owners.entry(Slot::of(claim.rule, claim.is_default)) {
                    Entry::Vacant(slot) => {
                        slot.insert(*claim);
                        kept.push(*claim);
                    }
                    // One that does not work has been reported as such.
                    Entry::Occupied(_) if !valid => {}
                    Entry::Occupied(slot) => self.lost(claim, slot.get()),
                }
            }
        }
        kept
    }

    fn lost(&mut self, claim: &Claim<'_>, owner: &Claim<'_>) {
        let owner_origin = origin(owner);
        let (object, field) = (&claim.ingress.object, claim.rule.field.clone());
        let what = format!(
            "host {:?} and path {:?}",
            claim.rule.host.text(),
            claim.rule.path.text()
        );
        if object == &owner_origin.object {
            let message = format!(
                "{what} stand in {} already, which is served; remove one",
                owner_origin.field
            );
            self.report(Code::PathRepeated, object, field.clone(), message);
        } else if claim.is_default {
            let message = format!(
                "{} already gives the default backend; remove one",
                owner_origin.object
            );
            self.report(Code::DefaultBackendConflict, object, field.clone(), message);
        } else {
            let message = format!(
                "{what} belong to the older {}, {}; change host or path",
                owner_origin.object, owner_origin.field
            );
            self.report(Code::PathConflict, object, field.clone(), message);
        }
        self.mark(claim, |served| served.lost_to = Some(owner_origin));
    }

    /// Notes what became of a path.
    pub(super) fn mark(&mut self, claim: &Claim<'_>, note: impl FnOnce(&mut super::ServedRule)) {
        let rules = self.served.get_mut(claim.at.0);
        if let Some(served) = rules.and_then(|rules| rules.get_mut(claim.at.1)) {
            note(served);
        }
    }

    /// HTTPS servers stand behind HTTPS listeners only, gRPC servers behind HTTPS and QUIC ones.
    pub(super) fn fits_protocol(&mut self, claim: &Claim<'_>, listener: &Listener) -> bool {
        let protocol = claim.ingress.protocol;
        let fits = match protocol {
            BackendProtocol::Http => true,
            BackendProtocol::Https => listener.protocol == ListenerProtocol::Https,
            BackendProtocol::Grpc => listener.protocol != ListenerProtocol::Http,
        };
        if fits || redirects(claim, listener) || !has_own_servers(claim) {
            return true;
        }
        let message = format!(
            "{protocol} servers cannot stand behind listener {}/{}; list the host in spec.tls, or set listen-ports to an \
             HTTPS port",
            listener.port, listener.protocol
        );
        let (object, field) = (&claim.ingress.object, claim.rule.field.clone());
        self.report(Code::BackendProtocolMismatch, object, field, message);
        false
    }
}

/// Whether a path is answered by servers of Services: `backend-protocol` is about those.
fn has_own_servers(claim: &Claim<'_>) -> bool {
    let mut groups = claim.rule.actions.iter().flat_map(Action::server_groups);
    groups.any(|group| matches!(group, ServerGroupRef::Managed(_)))
}

/// Whether `ssl-redirect` replaces a path's answer on a listener.
pub(super) fn redirects(claim: &Claim<'_>, listener: &Listener) -> bool {
    claim.ingress.listen.ssl_redirect
        && listener.protocol == ListenerProtocol::Http
        && claim.rule.direction == Direction::Request
}
