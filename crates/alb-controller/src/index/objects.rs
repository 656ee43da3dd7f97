//! The objects the index holds, and the translator's view of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use albconfig_crd::Reading;
use ingress_translate::{AccountCertificates, EndpointSliceView, Lookups, SecretState, default_class};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};

use super::store::{Changed, Key, Store};

/// Label that ties an EndpointSlice to its Service.
const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";

/// What is kept of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) service: Key,
    pub(super) view: EndpointSliceView,
}

impl From<EndpointSlice> for Slice {
    fn from(slice: EndpointSlice) -> Self {
        let namespace = slice.metadata.namespace.as_deref().unwrap_or_default();
        let labels = slice.metadata.labels.as_ref();
        let service = labels
            .and_then(|l| l.get(SERVICE_NAME_LABEL))
            .map_or("", String::as_str);
        Self {
            service: Key::new(namespace, service),
            view: EndpointSliceView::new(&slice),
        }
    }
}

/// Objects of all kinds.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) ingresses: Store<Ingress>,
    pub(super) classes: Store<IngressClass>,
    pub(super) services: Store<Service>,
    pub(super) secrets: Store<SecretState>,
    pub(super) slices: Store<Slice>,
    pub(super) albconfigs: Store<Reading>,
    /// The account's certificates, once they are known.
    pub(super) account: Option<Arc<AccountCertificates>>,
    /// Slices of a Service: a search by label would read them all.
    slices_of: HashMap<Key, BTreeSet<Key>>,
}

impl Objects {
    pub(super) fn are_synced(&self) -> bool {
        self.ingresses.is_synced()
            && self.classes.is_synced()
            && self.services.is_synced()
            && self.secrets.is_synced()
            && self.slices.is_synced()
            && self.albconfigs.is_synced()
    }

    /// Keeps `slices_of` right; gives the Services concerned.
    pub(super) fn move_slice(&mut self, change: &Changed<Slice>) -> Vec<Key> {
        let mut concerned = Vec::new();
        if let Some(old) = &change.old {
            if let Some(slices) = self.slices_of.get_mut(&old.service) {
                slices.remove(&change.key);
                if slices.is_empty() {
                    self.slices_of.remove(&old.service);
                }
            }
            concerned.push(old.service.clone());
        }
        if let Some(new) = &change.new {
            self.slices_of
                .entry(new.service.clone())
                .or_default()
                .insert(change.key.clone());
            concerned.push(new.service.clone());
        }
        concerned
    }

    /// Slices of a Service.
    pub(super) fn slices_of(&self, service: &Key) -> impl Iterator<Item = &EndpointSliceView> {
        let keys = self.slices_of.get(service).into_iter().flatten();
        keys.filter_map(|key| self.slices.get(key))
            .map(|slice| &slice.view)
    }
}

impl Lookups for Objects {
    fn service(&self, namespace: &str, name: &str) -> Option<Arc<Service>> {
        self.services.get(&Key::new(namespace, name)).cloned()
    }

    fn secret(&self, namespace: &str, name: &str) -> Option<Arc<SecretState>> {
        self.secrets.get(&Key::new(namespace, name)).cloned()
    }

    fn ingress_class(&self, name: &str) -> Option<Arc<IngressClass>> {
        self.classes.get(&Key::new("", name)).cloned()
    }

    fn default_ingress_class(&self) -> Option<Arc<IngressClass>> {
        default_class(self.classes.iter().map(|(_, class)| class)).cloned()
    }

    fn account_certificates(&self) -> Option<Arc<AccountCertificates>> {
        self.account.clone()
    }
}
