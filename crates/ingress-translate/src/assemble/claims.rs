//! Who owns a host and path.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use alb_model::{Action, BackendProtocol, Listener, ListenerProtocol, ObjectRef, Origin, ServerGroupRef};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

use super::Assembly;
use super::placement::Claim;
use crate::codes::Code;
use crate::fragment::CompiledRule;

/// What two paths contend for: the same requests of a listener.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'a> {
    rule: &'a CompiledRule,
    is_default: bool,
}

impl<'a> Slot<'a> {
    pub(super) fn of(claim: &Claim<'a>) -> Self {
        Self {
            rule: claim.rule,
            is_default: claim.is_default,
        }
    }

    fn hash_value(&self) -> u64 {
        FxBuildHasher.hash_one(self)
    }
}

impl PartialEq for Slot<'_> {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.rule, other.rule);
        self.is_default == other.is_default
            && a.path == b.path
            && a.host == b.host
            && a.extra == b.extra
            && a.is_response == b.is_response
            && a.has_other_conditions == b.has_other_conditions
            && (!a.has_other_conditions || a.other_conditions() == b.other_conditions())
    }
}

impl Eq for Slot<'_> {}

impl Hash for Slot<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.is_default.hash(state);
        self.rule.host.hash(state);
        self.rule.path.hash(state);
        self.rule.extra.hash(state);
        // What most rules do not have; looking for it costs a cache miss.
        if self.rule.has_other_conditions {
            self.rule.other_conditions().hash(state);
        }
    }
}

pub(super) fn origin(claim: &Claim<'_>) -> Origin {
    Origin {
        object: Arc::clone(&claim.ingress.object),
        field: claim.rule.field.clone(),
    }
}

/// The claims that are served on a listener, one for each slot.
pub(super) struct Owners<'a> {
    pub(super) claims: Vec<Claim<'a>>,
    /// Places in `claims`, by slot.
    places: HashTable<u32>,
}

impl<'a> Owners<'a> {
    /// Who has a slot, by place in `claims`.
    pub(super) fn find(&self, slot: &Slot<'a>) -> Option<u32> {
        let same = |place: &u32| {
            self.claims
                .get(*place as usize)
                .is_some_and(|owner| Slot::of(owner) == *slot)
        };
        self.places.find(slot.hash_value(), same).copied()
    }
}

impl<'a> Assembly<'a> {
    /// Gives each slot of a listener to its oldest valid claim, and one that only answers 503 to nobody else's harm.
    pub(super) fn claims(&mut self, claims: Vec<Claim<'a>>, listener: &Listener) -> Owners<'a> {
        let mut places: HashTable<u32> = HashTable::with_capacity(claims.len());
        let mut kept: Vec<Claim<'a>> = Vec::with_capacity(claims.len());
        for valid in [true, false] {
            for claim in claims.iter().filter(|claim| claim.rule.valid == valid) {
                if !self.fits_protocol(claim, listener) {
                    continue;
                }
                let slot = Slot::of(claim);
                let place = places.entry(
                    slot.hash_value(),
                    |place| Slot::of(&kept[*place as usize]) == slot,
                    |place| Slot::of(&kept[*place as usize]).hash_value(),
                );
                match place {
                    Entry::Vacant(place) => {
                        place.insert(kept.len() as u32);
                        kept.push(*claim);
                    }
                    // One that does not work has been reported as such.
                    Entry::Occupied(_) if !valid => {}
                    Entry::Occupied(place) => {
                        let owner = kept[*place.get() as usize];
                        self.lost(claim, &owner);
                    }
                }
            }
        }
        Owners { claims: kept, places }
    }

    fn lost(&mut self, claim: &Claim<'_>, owner: &Claim<'_>) {
        let owner_origin = origin(owner);
        let (object, field): (&ObjectRef, _) = (&claim.ingress.object, &claim.rule.field);
        let what = format!(
            "host {:?} and path {:?}",
            claim.rule.host.text(),
            claim.rule.path.text()
        );
        if *object == *owner_origin.object {
            let message = format!(
                "{what} stand in {} already, which is served; remove one",
                owner_origin.field
            );
            self.report(Code::PathRepeated, object, field, message);
        } else if claim.is_default {
            let message = format!(
                "{} already gives the default backend; remove one",
                owner_origin.object
            );
            self.report(Code::DefaultBackendConflict, object, field, message);
        } else {
            let message = format!(
                "{what} belong to the older {}, {}; change host or path",
                owner_origin.object, owner_origin.field
            );
            self.report(Code::PathConflict, object, field, message);
        }
        self.mark(claim, |served| served.lost_to = Some(Box::new(owner_origin)));
    }

    /// Notes what became of a path.
    pub(super) fn mark(&mut self, claim: &Claim<'_>, note: impl FnOnce(&mut super::ServedRule)) {
        let rules = self.served.get_mut(claim.at.0 as usize);
        if let Some(served) = rules.and_then(|rules| rules.get_mut(claim.at.1 as usize)) {
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
        let (object, field) = (&claim.ingress.object, &claim.rule.field);
        self.report(Code::BackendProtocolMismatch, object, field, message);
        false
    }
}

/// Whether a path is answered by servers of Services: `backend-protocol` is about those.
fn has_own_servers(claim: &Claim<'_>) -> bool {
    let mut groups = claim.rule.rule.actions.iter().flat_map(Action::server_groups);
    groups.any(|group| matches!(group, ServerGroupRef::Managed(_)))
}

/// Whether `ssl-redirect` replaces a path's answer on a listener.
pub(super) fn redirects(claim: &Claim<'_>, listener: &Listener) -> bool {
    claim.ingress.listen.ssl_redirect
        && listener.protocol == ListenerProtocol::Http
        && !claim.rule.is_response
}
