//! From dirty objects to changed wishes.

use std::collections::BTreeSet;
use std::sync::Arc;

use alb_model::{Diagnostic, ObjectRef, Severity};
use ingress_translate::{self as translate, FollowedGroup, Target};
use k8s_openapi::api::networking::v1::Ingress;

use super::followed::Asked;
use super::{Claim, Entry, GatewayChange, Index, Key, Pool, PoolKey, Read, Settled, WantedGateway};

impl Index {
    /// Brings everything up to date and says what changed. Costs as much as changed, plus one assembly for each gateway
    /// concerned.
    pub(crate) fn settle(&mut self) -> Settled {
        let mut settled = Settled::default();
        self.recompile(&mut settled);
        for name in std::mem::take(&mut self.dirty.gateways) {
            self.reassemble(&name, &mut settled);
        }
        for service in std::mem::take(&mut self.dirty.services) {
            self.refill(&service, &mut settled);
            self.follow(&service, &mut settled);
        }
        settled
    }

    /// Ingresses that changed, or something they refer to: where they belong and what they ask for.
    fn recompile(&mut self, settled: &mut Settled) {
        let dirty = std::mem::take(&mut self.dirty.ingresses);
        let (mut entries, mut known) = (Vec::with_capacity(dirty.len()), Vec::new());
        for key in &dirty {
            let now = self.objects.ingresses.get(key);
            let now = now.filter(|ingress| ingress.metadata.deletion_timestamp.is_none());
            let entry = now.map(|ingress| {
                let entry = self.entry(key, ingress, settled);
                if entry.albconfig.is_some() {
                    known.push(Arc::clone(ingress));
                }
                entry
            });
            entries.push(entry);
        }
        // At the start, and when settings of all change, these are many.
        let mut compiled = translate::compile_all(&known, &self.objects, &self.settings).into_iter();
        for (key, mut entry) in dirty.into_iter().zip(entries) {
            if let Some(entry) = entry.as_mut().filter(|entry| entry.albconfig.is_some()) {
                entry.compiled = compiled.next();
                let reads = entry.compiled.iter().flat_map(|compiled| &compiled.reads);
                entry.reads = reads.cloned().collect();
            }
            self.replace(key, entry, settled);
        }
    }

    /// What was made of one Ingress takes the place of what was made of it before.
    fn replace(&mut self, key: Key, entry: Option<Entry>, settled: &mut Settled) {
        let before = self.ingresses.remove(&key);
        let (old, new) = (
            before.as_ref().and_then(|e| e.albconfig.clone()),
            entry.as_ref().and_then(|e| e.albconfig.clone()),
        );
        self.reindex(&key, before.as_ref(), entry.as_ref());
        self.dirty.gateways.extend(old.iter().chain(&new).cloned());
        if old.is_some() && new != old {
            settled.left.push(key.clone());
        }
        if let Some(entry) = entry {
            self.ingresses.insert(key, entry);
        } else {
            settled.findings.insert(object("Ingress", &key), Vec::new());
        }
    }

    /// Where an Ingress belongs; it is compiled later if that is a gateway.
    fn entry(&self, key: &Key, ingress: &Ingress, settled: &mut Settled) -> Entry {
        let target = translate::target(ingress, &self.objects, &self.settings);
        let findings = match target {
            Target::Invalid(findings) => findings,
            Target::AlbConfig(name) => {
                return Entry {
                    albconfig: Some(name.as_str().into()),
                    ..Entry::default()
                };
            }
            Target::None | Target::NotOurs => Vec::new(),
        };
        settled.findings.insert(object("Ingress", key), findings);
        Entry::default()
    }

    fn reindex(&mut self, key: &Key, before: Option<&Entry>, now: Option<&Entry>) {
        let none = BTreeSet::<Read>::new();
        let old = before.map_or(&none, |e| &e.reads);
        let new = now.map_or(&none, |e| &e.reads);
        for read in old.difference(new) {
            if let Some(readers) = self.readers.get_mut(read) {
                readers.remove(key);
                if readers.is_empty() {
                    self.readers.remove(read);
                }
            }
        }
        for read in new.difference(old) {
            self.readers.entry(read.clone()).or_default().insert(key.clone());
        }
        if let Some(albconfig) = before.and_then(|e| e.albconfig.as_ref())
            && let Some(members) = self.members.get_mut(albconfig)
        {
            members.remove(key);
            if members.is_empty() {
                self.members.remove(albconfig);
            }
        }
        if let Some(albconfig) = now.and_then(|e| e.albconfig.clone()) {
            self.members.entry(albconfig).or_default().insert(key.clone());
        }
    }

    /// One gateway: what its AlbConfig and all its Ingresses ask for together.
    fn reassemble(&mut self, name: &Arc<str>, settled: &mut Settled) {
        let members: Vec<_> = self.members.get(name).into_iter().flatten().cloned().collect();
        let Some(reading) = self.objects.albconfigs.get(&Key::new("", name)).cloned() else {
            self.assembled.remove(name);
            if self.gateways.remove(name).is_some() {
                settled.gateways.push(GatewayChange::Gone(name.clone()));
            }
            self.drop_pools(name, &BTreeSet::new());
            if let Some(claim) = self.claim(name, &members) {
                settled.claims.push(claim);
            }
            return;
        };
        let albconfig = Arc::new(reading.albconfig.clone());
        if albconfig.metadata.deletion_timestamp.is_some() && members.is_empty() {
            self.assembled.remove(name);
            self.gateways.remove(name);
            self.drop_pools(name, &BTreeSet::new());
            settled.gateways.push(GatewayChange::Delete(albconfig));
            return;
        }

        let compiled: Vec<_> = members
            .iter()
            .filter_map(|key| self.ingresses.get(key)?.compiled.as_ref())
            .collect();
        let mut findings: Vec<_> = compiled
            .iter()
            .flat_map(|c| c.diagnostics.iter().cloned())
            .collect();
        let created = compiled
            .iter()
            .map(|c| (ObjectRef::clone(&c.object), c.created_s))
            // The gateway's own rules, such as the one that answers 404, go before those of any Ingress.
            .chain([(object("AlbConfig", &Key::new("", name)), i64::MIN)])
            .collect();
        let assembled = translate::assemble_with(&reading, compiled, &self.objects, &self.settings);
        let read = super::Assembly {
            discovers: assembled.discovers,
            lacks: !assembled.undiscovered.is_empty(),
            reads: assembled.reads,
        };
        self.assembled.insert(name.clone(), read);
        findings.extend(assembled.diagnostics);
        let mut pools = BTreeSet::new();
        for (group, backend) in &assembled.backends {
            let key = PoolKey {
                albconfig: name.clone(),
                group: group.clone(),
            };
            let service = Key::new(&backend.namespace, &backend.service);
            self.pools_of
                .entry(service.clone())
                .or_default()
                .insert(key.clone());
            let pool = Pool {
                service: service.clone(),
                port: backend.port.clone(),
                servers: Arc::default(),
            };
            self.pools.entry(key.clone()).or_insert(pool);
            self.dirty.services.insert(service);
            pools.insert(key);
        }
        self.drop_pools(name, &pools);

        if albconfig.metadata.deletion_timestamp.is_some() {
            findings.push(still_in_use(name, &members));
        }
        let is_served = |key: &&Key| {
            let rules = assembled.served.get(&object("Ingress", key));
            rules.is_some_and(|rules| rules.iter().any(|rule| !rule.listeners.is_empty()))
        };
        let served = members.iter().filter(is_served).cloned().collect();
        let wanted = WantedGateway {
            albconfig,
            gateway: Arc::new(assembled.gateway),
            accepted: assembled.accepted,
            held: assembled.held,
            held_rules: assembled.held_rules,
            frozen_load_balancer: assembled.frozen_load_balancer,
            frozen_listeners: assembled.frozen_listeners,
            created,
            findings: Arc::new(findings),
            served: Arc::new(served),
        };
        self.gateways.insert(name.clone(), wanted.clone());
        settled.gateways.push(GatewayChange::Want(wanted));
    }

    /// The wish for an AlbConfig that does not exist, in the name of the oldest Ingress that asks for it.
    fn claim(&self, name: &Arc<str>, members: &[Key]) -> Option<Claim> {
        let age = |key: &&Key| {
            let created = self
                .objects
                .ingresses
                .get(key)
                .and_then(|i| i.metadata.creation_timestamp.clone());
            (created, (*key).clone())
        };
        let oldest = members.iter().min_by_key(age)?;
        let ingress = self.objects.ingresses.get(oldest)?;
        let generated = translate::generated_albconfig(ingress, &self.objects, &self.settings);
        Some(Claim {
            albconfig: name.clone(),
            ingress: oldest.clone(),
            generated: generated.map(Box::new),
        })
    }

    fn drop_pools(&mut self, albconfig: &Arc<str>, keep: &BTreeSet<PoolKey>) {
        let gone: Vec<_> = self
            .pools
            .keys()
            .filter(|key| key.albconfig == *albconfig && !keep.contains(*key))
            .cloned()
            .collect();
        for key in gone {
            let Some(pool) = self.pools.remove(&key) else {
                continue;
            };
            if let Some(pools) = self.pools_of.get_mut(&pool.service) {
                pools.remove(&key);
                if pools.is_empty() {
                    self.pools_of.remove(&pool.service);
                }
            }
        }
    }

    /// The pools fed by a Service.
    fn refill(&mut self, service: &Key, settled: &mut Settled) {
        let Some(keys) = self.pools_of.get(service) else {
            return;
        };
        for key in keys {
            let Some(pool) = self.pools.get_mut(key) else {
                continue;
            };
            let servers = match self.objects.services.get(service) {
                Some(object) => translate::servers(object, &pool.port, self.objects.slices_of(service)),
                None => Vec::new(),
            };
            if *pool.servers != servers {
                pool.servers = Arc::new(servers);
                settled.pools.push(key.clone());
            }
        }
    }

    /// The group of somebody else in which a Service is to be, if it asks for one.
    fn follow(&mut self, service: &Key, settled: &mut Settled) {
        let object = self.objects.services.get(service);
        let now = object.and_then(|object| Some((object, FollowedGroup::of(object)?)));
        let now = now.map(|(object, asked)| match asked {
            FollowedGroup::Keep { group, port } => Asked::Keep {
                group: group.into(),
                servers: translate::servers(object, &port, self.objects.slices_of(service)),
            },
            FollowedGroup::Invalid(wrong) => Asked::Invalid(wrong),
        });
        let before = self.followed.asked(service);
        if before == now.as_ref() {
            return;
        }
        let findings = match (before, &now) {
            (_, Some(Asked::Invalid(wrong))) => Some(vec![wrong.clone()]),
            // Trouble with the group itself is told by what changes it.
            (Some(Asked::Keep { .. }), Some(Asked::Keep { .. })) | (None, _) => None,
            _ => Some(Vec::new()),
        };
        if let Some(findings) = findings {
            let object = self::object("Service", service);
            settled.follower_findings.insert(object, findings);
        }
        settled.followed.extend(self.followed.ask(service, now));
    }
}

/// An AlbConfig that is being deleted stays while Ingresses use it, and is told so.
fn still_in_use(name: &str, members: &[Key]) -> Diagnostic {
    let some: Vec<_> = members.iter().take(5).map(ToString::to_string).collect();
    let message = format!(
        "is being deleted but still used by {} Ingress(es), such as {}; delete them or give them another class, and the \
         ALB goes with the AlbConfig",
        members.len(),
        some.join(", ")
    );
    Diagnostic::new(
        Severity::Warning,
        "StillInUse",
        ObjectRef::new("AlbConfig", "", name),
        "",
        message,
    )
}

/// Findings of an object, by the reference under which they are told.
pub(super) fn object(kind: &str, key: &Key) -> ObjectRef {
    ObjectRef::new(kind, &*key.namespace, &*key.name)
}

/// Findings by object, with an empty list for each of `objects` that has none.
pub(crate) fn by_object(
    findings: &[Diagnostic],
    objects: impl IntoIterator<Item = ObjectRef>,
) -> std::collections::BTreeMap<ObjectRef, BTreeSet<Diagnostic>> {
    let mut by_object: std::collections::BTreeMap<_, BTreeSet<_>> = objects
        .into_iter()
        .map(|object| (object, BTreeSet::new()))
        .collect();
    for finding in findings {
        by_object
            .entry(finding.object.clone())
            .or_default()
            .insert(finding.clone());
    }
    by_object
}
