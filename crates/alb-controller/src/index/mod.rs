//! The index: what the API server has, what was made of it, and what must be looked at again when one object changes.
//!
//! Synchronous and without I/O: watch events go in through [`Index::apply`], and [`Index::settle`] says what is wanted
//! now of which gateway and which server pool. One task owns it, so there is no lock.

mod followed;
mod objects;
mod settle;
mod store;
mod wanted;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use alb_model::ObjectRef;
use albconfig_crd::{AlbConfig, Reading};
use ingress_translate::{AccountCertificates, Compiled, Settings, parse_tls_secret};
use k8s_openapi::api::networking::v1::Ingress;

use self::followed::Followed;
use self::objects::{Objects, Slice};
pub(crate) use self::settle::by_object;
use self::store::Changed;
pub(crate) use self::store::Key;
pub(crate) use self::wanted::{Claim, FollowedWish, GatewayChange, Pool, PoolKey, Settled, WantedGateway};
use crate::account::Need;
use crate::feed::Change;

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct Index {
    settings: Settings,
    objects: Objects,
    ingresses: HashMap<Key, Entry>,
    /// Which Ingresses read an object, so that its change recompiles those and no others.
    readers: HashMap<Read, BTreeSet<Key>>,
    /// Ingresses of an AlbConfig, by its name.
    members: BTreeMap<Arc<str>, BTreeSet<Key>>,
    gateways: BTreeMap<Arc<str>, WantedGateway>,
    /// What the assembly of a gateway read beside its Ingresses.
    assembled: BTreeMap<Arc<str>, Assembly>,
    pools: BTreeMap<PoolKey, Pool>,
    /// Pools fed by a Service.
    pools_of: HashMap<Key, BTreeSet<PoolKey>>,
    followed: Followed,
    dirty: Dirty,
}

/// What was made of one Ingress.
#[derive(Debug, Default)]
struct Entry {
    albconfig: Option<Arc<str>>,
    compiled: Option<Compiled>,
    reads: BTreeSet<Read>,
}

/// What the assembly of a gateway read beside its Ingresses.
#[derive(Debug, Default)]
struct Assembly {
    reads: BTreeSet<Read>,
    /// Whether it has listeners that take certificates of the account.
    discovers: bool,
    /// Whether a host lacks a certificate of the account.
    lacks: bool,
}

/// An object that a translation read.
type Read = ObjectRef;

/// What must be looked at again.
#[derive(Debug, Default)]
struct Dirty {
    ingresses: BTreeSet<Key>,
    gateways: BTreeSet<Arc<str>>,
    services: BTreeSet<Key>,
}

impl Index {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            objects: Objects::default(),
            ingresses: HashMap::new(),
            readers: HashMap::new(),
            members: BTreeMap::new(),
            gateways: BTreeMap::new(),
            assembled: BTreeMap::new(),
            pools: BTreeMap::new(),
            pools_of: HashMap::new(),
            followed: Followed::default(),
            dirty: Dirty::default(),
        }
    }

    /// Whether the first list of every kind is complete. Before that nothing may be decided: what is not listed yet
    /// would look deleted.
    pub(crate) fn is_synced(&self) -> bool {
        self.objects.are_synced()
    }

    /// Whether [`Self::settle`] has anything to do.
    pub(crate) fn is_dirty(&self) -> bool {
        !(self.dirty.ingresses.is_empty() && self.dirty.gateways.is_empty() && self.dirty.services.is_empty())
    }

    /// Takes in one watch event.
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Ingress(event) => {
                for change in self.objects.ingresses.apply(event, |ingress| ingress) {
                    if differs(&change, ingress_input) {
                        self.dirty.ingresses.insert(change.key);
                    }
                }
            }
            Change::IngressClass(event) => {
                let changes = self.objects.classes.apply(event, |class| class);
                if changes.iter().any(|c| {
                    differs(c, |class| {
                        (class.spec.clone(), class.metadata.annotations.clone())
                    })
                }) {
                    // Classes are few and rarely change, and the default class concerns Ingresses that name none.
                    self.dirty
                        .ingresses
                        .extend(self.objects.ingresses.iter().map(|(key, _)| key.clone()));
                }
            }
            Change::Service(event) => {
                for change in self.objects.services.apply(event, |service| service) {
                    if differs(&change, |s| (s.spec.clone(), s.metadata.annotations.clone())) {
                        self.touch("Service", &change.key);
                        self.dirty.services.insert(change.key);
                    }
                }
            }
            Change::EndpointSlice(event) => {
                for change in self.objects.slices.apply(event, Slice::from) {
                    if change.old != change.new {
                        self.dirty.services.extend(self.objects.move_slice(&change));
                    }
                }
            }
            Change::Secret(event) => {
                for change in self
                    .objects
                    .secrets
                    .apply(event, |secret| parse_tls_secret(&secret))
                {
                    if change.old != change.new {
                        self.touch("Secret", &change.key);
                    }
                }
            }
            Change::AlbConfig(event) => {
                for change in self.objects.albconfigs.apply(event, |reading| reading) {
                    if differs(&change, albconfig_input) {
                        self.dirty.gateways.insert(change.key.name);
                    }
                }
            }
        }
    }

    /// The wanted state of a gateway.
    pub(crate) fn gateway(&self, albconfig: &str) -> Option<&WantedGateway> {
        self.gateways.get(albconfig)
    }

    /// Ingresses that belong to a gateway.
    pub(crate) fn members(&self, albconfig: &str) -> impl Iterator<Item = &Key> {
        self.members.get(albconfig).into_iter().flatten()
    }

    /// The wanted servers of all pools of a gateway.
    pub(crate) fn pools(&self, albconfig: &str) -> impl Iterator<Item = (&PoolKey, &Pool)> {
        self.pools
            .iter()
            .filter(move |(key, _)| &*key.albconfig == albconfig)
    }

    /// The wanted servers of a pool.
    pub(crate) fn pool(&self, key: &PoolKey) -> Option<&Pool> {
        self.pools.get(key)
    }

    /// What is wanted in a server group of somebody else.
    pub(crate) fn followed(&self, group: &str) -> FollowedWish {
        self.followed.wish(group)
    }

    /// Takes in whose servers a server group of somebody else has; whether some are left behind.
    pub(crate) fn found_followers(&mut self, group: &Arc<str>, services: &BTreeSet<Key>) -> bool {
        self.followed.found(group, services)
    }

    /// Forgets a server group of somebody else in which nothing of ours is left; whether nothing is to be there, either.
    pub(crate) fn forget_followed(&mut self, group: &str) -> bool {
        self.followed.forget(group)
    }

    /// An Ingress as the API server has it.
    pub(crate) fn ingress(&self, key: &Key) -> Option<&Arc<Ingress>> {
        self.objects.ingresses.get(key)
    }

    /// An AlbConfig as the API server has it.
    pub(crate) fn albconfig(&self, name: &str) -> Option<&AlbConfig> {
        let reading = self.objects.albconfigs.get(&Key::new("", name))?;
        Some(&reading.albconfig)
    }

    /// Takes in what certificates the account has now.
    pub(crate) fn set_account(&mut self, account: AccountCertificates) {
        if self.objects.account.as_deref() == Some(&account) {
            return;
        }
        self.objects.account = Some(Arc::new(account));
        let concerned = self.assembled.iter().filter(|(_, assembly)| assembly.discovers);
        self.dirty
            .gateways
            .extend(concerned.map(|(name, _)| name.clone()));
    }

    /// How urgently the account's certificates are needed.
    pub(crate) fn need_of_account(&self) -> Need {
        let needs = self.assembled.values().map(|assembly| match assembly {
            Assembly { lacks: true, .. } => Need::Lacking,
            Assembly { discovers: true, .. } => Need::Fresh,
            _ => Need::None,
        });
        needs.max().unwrap_or_default()
    }

    /// Uid of an object that may get Events.
    pub(crate) fn uid(&self, kind: &str, key: &Key) -> Option<String> {
        match kind {
            "Ingress" => self.objects.ingresses.get(key)?.metadata.uid.clone(),
            "AlbConfig" => self.objects.albconfigs.get(key)?.albconfig.metadata.uid.clone(),
            "IngressClass" => self.objects.classes.get(key)?.metadata.uid.clone(),
            "Service" => self.objects.services.get(key)?.metadata.uid.clone(),
            _ => None,
        }
    }

    fn touch(&mut self, kind: &str, key: &Key) {
        let object = settle::object(kind, key);
        if let Some(readers) = self.readers.get(&object) {
            self.dirty.ingresses.extend(readers.iter().cloned());
        }
        let reads = |assembly: &&Assembly| assembly.reads.contains(&object);
        let gateways = self.assembled.iter().filter(|(_, assembly)| reads(assembly));
        self.dirty.gateways.extend(gateways.map(|(name, _)| name.clone()));
    }
}

/// Whether what `input` takes of the object changed; a status of our own making must not come back as news.
fn differs<V, T: PartialEq>(change: &Changed<V>, input: impl Fn(&V) -> T) -> bool {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => input(old) != input(new),
        _ => true,
    }
}

/// What a translation reads of an Ingress. The generation stands for the spec.
fn ingress_input(ingress: &Ingress) -> impl PartialEq + use<> {
    let meta = &ingress.metadata;
    (
        meta.uid.clone(),
        meta.generation,
        ingress.spec.clone(),
        meta.annotations.clone(),
        meta.labels.clone(),
        meta.deletion_timestamp.clone(),
    )
}

/// What a gateway depends on of an AlbConfig. The generation is part of it because the conditions name it.
fn albconfig_input(reading: &Reading) -> impl PartialEq + use<> {
    let meta = &reading.albconfig.metadata;
    (meta.uid.clone(), meta.generation, meta.deletion_timestamp.clone())
}
