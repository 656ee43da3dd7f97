//! What a translation asks about other objects, and an in-memory answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::networking::v1::IngressClass;
use rustc_hash::FxHashMap;

use crate::{AccountCertificates, TlsSecret, TlsSecretError, parse_tls_secret};

/// A TLS Secret that exists: what is in it, or why it cannot be used.
pub type SecretState = Result<TlsSecret, TlsSecretError>;

/// The objects an Ingress refers to, as far as they exist.
pub trait Lookups {
    /// A Service.
    fn service(&self, namespace: &str, name: &str) -> Option<Arc<Service>>;
    /// A Secret, parsed by [`parse_tls_secret`] once for all who ask.
    fn secret(&self, namespace: &str, name: &str) -> Option<Arc<SecretState>>;
    /// An IngressClass.
    fn ingress_class(&self, name: &str) -> Option<Arc<IngressClass>>;
    /// The class marked `ingressclass.kubernetes.io/is-default-class: "true"`. Of several, Kubernetes takes the one
    /// created last, then the first by name; [`default_class`] chooses so.
    fn default_ingress_class(&self) -> Option<Arc<IngressClass>>;
    /// The certificates of the account's certificate service; `None` as long as it is not known what there is. Then
    /// nothing is decided about listeners with hosts that need one of them.
    fn account_certificates(&self) -> Option<Arc<AccountCertificates>> {
        Some(Arc::default())
    }
}

/// The default among IngressClasses.
pub fn default_class<'a>(
    classes: impl IntoIterator<Item = &'a Arc<IngressClass>>,
) -> Option<&'a Arc<IngressClass>> {
    classes
        .into_iter()
        .filter(|class| {
            let annotations = class.metadata.annotations.as_ref();
            annotations
                .and_then(|a| a.get(DEFAULT_CLASS_ANNOTATION))
                .is_some_and(|value| value == "true")
        })
        .min_by(|a, b| {
            (b.metadata
                .creation_timestamp
                .as_ref()
                .cmp(&a.metadata.creation_timestamp.as_ref()))
            .then_with(|| a.metadata.name.cmp(&b.metadata.name))
        })
}

const DEFAULT_CLASS_ANNOTATION: &str = "ingressclass.kubernetes.io/is-default-class";

/// Objects in memory: for offline use and tests.
#[derive(Clone, Debug, Default)]
pub struct MemoryLookups {
    /// By namespace and name.
    services: FxHashMap<String, FxHashMap<String, Arc<Service>>>,
    secrets: FxHashMap<String, FxHashMap<String, Arc<SecretState>>>,
    classes: BTreeMap<String, Arc<IngressClass>>,
    account: Arc<AccountCertificates>,
}

impl MemoryLookups {
    /// Adds or replaces a Service.
    pub fn add_service(&mut self, service: Service) {
        let (namespace, name) = key(&service.metadata);
        let services = self.services.entry(namespace).or_default();
        services.insert(name, Arc::new(service));
    }

    /// Adds or replaces a Secret.
    pub fn add_secret(&mut self, secret: &Secret) {
        let (namespace, name) = key(&secret.metadata);
        let secrets = self.secrets.entry(namespace).or_default();
        secrets.insert(name, Arc::new(parse_tls_secret(secret)));
    }

    /// Says what certificates the account has.
    pub fn set_account_certificates(&mut self, account: AccountCertificates) {
        self.account = Arc::new(account);
    }

    /// Adds or replaces an IngressClass.
    pub fn add_ingress_class(&mut self, class: IngressClass) {
        self.classes.insert(key(&class.metadata).1, Arc::new(class));
    }
}

fn key(metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> (String, String) {
    (
        metadata.namespace.clone().unwrap_or_else(|| "default".into()),
        metadata.name.clone().unwrap_or_default(),
    )
}

impl Lookups for MemoryLookups {
    fn service(&self, namespace: &str, name: &str) -> Option<Arc<Service>> {
        self.services.get(namespace)?.get(name).cloned()
    }

    fn secret(&self, namespace: &str, name: &str) -> Option<Arc<SecretState>> {
        self.secrets.get(namespace)?.get(name).cloned()
    }

    fn ingress_class(&self, name: &str) -> Option<Arc<IngressClass>> {
        self.classes.get(name).cloned()
    }

    fn default_ingress_class(&self) -> Option<Arc<IngressClass>> {
        default_class(self.classes.values()).cloned()
    }

    fn account_certificates(&self) -> Option<Arc<AccountCertificates>> {
        Some(self.account.clone())
    }
}
