//! What each annotation does: Ingresses that carry it, and what shows its effect.

mod groups;
mod instances;
mod per_service;
mod routes;

use futures::future::BoxFuture;
use serde_json::Value;

use crate::lab::{Lab, PREFIX};

/// An Ingress with one host.
#[derive(Clone, Debug)]
pub(crate) struct IngressSpec {
    pub(crate) name: String,
    pub(crate) host: String,
    /// Full keys.
    pub(crate) annotations: Vec<(String, String)>,
    /// Path, type, Service, port name.
    pub(crate) paths: Vec<(String, &'static str, String, &'static str)>,
    /// Whether it has the test's IngressClass.
    pub(crate) class: bool,
    pub(crate) tls: bool,
}

impl IngressSpec {
    /// An Ingress for host `NAME.example.com`.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            host: format!("{name}.example.com"),
            annotations: Vec::new(),
            paths: Vec::new(),
            class: true,
            tls: false,
        }
    }

    pub(crate) fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// A key of the table, or a full one.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        let full = if key.contains('/') {
            key.to_owned()
        } else {
            format!("{PREFIX}{key}")
        };
        self.annotations.push((full, value.to_owned()));
        self
    }

    /// A path of type `Prefix`.
    pub(crate) fn path(self, path: &str, service: &str) -> Self {
        self.typed_path(path, "Prefix", service, "http")
    }

    pub(crate) fn typed_path(
        mut self,
        path: &str,
        kind: &'static str,
        service: &str,
        port: &'static str,
    ) -> Self {
        self.paths.push((path.to_owned(), kind, service.to_owned(), port));
        self
    }

    pub(crate) fn without_class(mut self) -> Self {
        self.class = false;
        self
    }

    pub(crate) fn tls(mut self) -> Self {
        self.tls = true;
        self
    }
}

/// Sends requests and looks at what happens.
pub(crate) type Story = for<'a> fn(&'a Lab) -> BoxFuture<'a, Result>;
type Result = anyhow::Result<()>;

/// What shows what an annotation does.
pub(crate) enum Effect {
    /// An attribute of the server group, here and on an Ingress without annotations.
    Group {
        pointer: &'static str,
        with: Value,
        without: Value,
    },
    /// An attribute of the load balancer that was made for the Ingress, and of one made without the annotation.
    Balancer {
        pointer: &'static str,
        with: Value,
        without: Value,
    },
    /// Requests, with it and without it.
    Story(Story),
}

/// Ingresses that belong together, and the keys of the table that they show.
pub(crate) struct Case {
    /// Name of the first Ingress.
    pub(crate) name: String,
    pub(crate) ingresses: Vec<IngressSpec>,
    pub(crate) effects: Vec<(Vec<&'static str>, Effect)>,
}

impl Case {
    pub(super) fn of(ingresses: impl IntoIterator<Item = IngressSpec>) -> Self {
        let ingresses: Vec<_> = ingresses.into_iter().collect();
        Self {
            name: ingresses.first().map(|i| i.name.clone()).unwrap_or_default(),
            ingresses,
            effects: Vec::new(),
        }
    }

    /// The host of the first Ingress.
    pub(crate) fn host(&self) -> &str {
        self.ingresses.first().map_or("", |ingress| &ingress.host)
    }

    pub(super) fn group(
        mut self,
        key: &'static str,
        pointer: &'static str,
        with: Value,
        without: Value,
    ) -> Self {
        self.effects.push((
            vec![key],
            Effect::Group {
                pointer,
                with,
                without,
            },
        ));
        self
    }

    pub(super) fn balancer(
        mut self,
        key: &'static str,
        pointer: &'static str,
        with: Value,
        without: Value,
    ) -> Self {
        self.effects.push((
            vec![key],
            Effect::Balancer {
                pointer,
                with,
                without,
            },
        ));
        self
    }

    pub(super) fn story(mut self, keys: &[&'static str], story: Story) -> Self {
        self.effects.push((keys.to_vec(), Effect::Story(story)));
        self
    }
}

/// All cases.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = routes::canaries();
    cases.extend(routes::rules());
    cases.extend(per_service::per_service());
    cases.extend(groups::server_groups());
    cases.extend(groups::services());
    cases.extend(instances::instances());
    cases
}

fn spec(name: &str) -> IngressSpec {
    IngressSpec::new(name)
}
