//! Writes to the Kubernetes API. Each method is one idempotent request, so that a retry does no harm.

use alb_model::Diagnostic;
use albconfig_crd::{AlbConfig, AlbConfigStatus, FINALIZER, Reading};
use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::{CONTROLLER_NAME, Publisher};
use crate::index::Key;

/// What is to be written about one object. Jobs of one object run in series; a newer one takes in the older.
#[derive(Clone, Debug, Default)]
pub(crate) struct ObjectJob {
    pub(crate) ingress_hostname: Option<(Key, Option<String>)>,
    pub(crate) albconfig_status: Option<(String, AlbConfigStatus)>,
    pub(crate) events: Vec<(ObjectReference, Diagnostic)>,
}

impl ObjectJob {
    /// The newer status replaces the older; Events of both are kept.
    pub(crate) fn merge(older: Self, newer: Self) -> Self {
        let mut events = older.events;
        events.extend(newer.events);
        Self {
            ingress_hostname: newer.ingress_hostname.or(older.ingress_hostname),
            albconfig_status: newer.albconfig_status.or(older.albconfig_status),
            events,
        }
    }
}

/// See the module documentation.
#[derive(Clone)]
pub(crate) struct Writer {
    client: Client,
    publisher: Publisher,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl Writer {
    pub(crate) fn new(client: Client, instance: Option<String>) -> Self {
        Self {
            publisher: Publisher::new(client.clone(), instance),
            client,
        }
    }

    /// Does all of a job. An object that is gone is nothing to write to.
    pub(crate) async fn write(&self, job: &ObjectJob) -> Result<(), kube::Error> {
        if let Some((key, hostname)) = &job.ingress_hostname {
            gone_is_fine(self.ingress_hostname(key, hostname.as_deref()).await)?;
        }
        if let Some((name, status)) = &job.albconfig_status {
            gone_is_fine(self.albconfig_status(name, status).await)?;
        }
        for (regarding, finding) in &job.events {
            gone_is_fine(self.publisher.publish(regarding, finding).await)?;
        }
        Ok(())
    }

    async fn ingress_hostname(&self, key: &Key, hostname: Option<&str>) -> Result<(), kube::Error> {
        let api = Api::<Ingress>::namespaced(self.client.clone(), &key.namespace);
        let ingress: Vec<_> = hostname.iter().map(|name| json!({ "hostname": name })).collect();
        let patch = json!({ "status": { "loadBalancer": { "ingress": ingress } } });
        api.patch_status(&key.name, &params(), &Patch::Merge(&patch))
            .await
            .map(drop)
    }

    async fn albconfig_status(&self, name: &str, status: &AlbConfigStatus) -> Result<(), kube::Error> {
        let api = Api::<Reading>::all(self.client.clone());
        let patch = json!({ "status": status });
        api.patch_status(name, &params(), &Patch::Merge(&patch))
            .await
            .map(drop)
    }

    /// Adds the finalizer. It must be there before the first call to the cloud: an AlbConfig that vanishes without a
    /// trace would leave its ALB behind.
    pub(crate) async fn add_finalizer(&self, albconfig: &AlbConfig) -> Result<(), kube::Error> {
        if albconfig.finalizers().iter().any(|f| f == FINALIZER) {
            return Ok(());
        }
        let mut finalizers = albconfig.finalizers().to_vec();
        finalizers.push(FINALIZER.to_owned());
        self.set_finalizers(albconfig, &finalizers).await
    }

    /// Removes the finalizer, which lets the AlbConfig go.
    pub(crate) async fn remove_finalizer(&self, albconfig: &AlbConfig) -> Result<(), kube::Error> {
        let finalizers: Vec<_> = albconfig
            .finalizers()
            .iter()
            .filter(|f| *f != FINALIZER)
            .cloned()
            .collect();
        gone_is_fine(self.set_finalizers(albconfig, &finalizers).await)
    }

    /// The resource version in the patch makes the API server refuse it when somebody else changed the list meanwhile.
    async fn set_finalizers(&self, albconfig: &AlbConfig, finalizers: &[String]) -> Result<(), kube::Error> {
        let api = Api::<Reading>::all(self.client.clone());
        let patch = json!({ "metadata": {
            "finalizers": finalizers,
            "resourceVersion": albconfig.metadata.resource_version,
            "uid": albconfig.metadata.uid,
        } });
        api.patch(&albconfig.name_any(), &params(), &Patch::Merge(&patch))
            .await
            .map(drop)
    }

    /// The AlbConfig as the API server has it now.
    pub(crate) async fn albconfig(&self, name: &str) -> Result<Option<AlbConfig>, kube::Error> {
        let found = Api::<Reading>::all(self.client.clone()).get_opt(name).await?;
        Ok(found.map(|reading| reading.albconfig))
    }

    /// Creates an AlbConfig unless one of that name exists.
    pub(crate) async fn create_albconfig(&self, albconfig: &AlbConfig) -> Result<(), kube::Error> {
        let api = Api::<AlbConfig>::all(self.client.clone());
        match api
            .create(
                &PostParams {
                    field_manager: Some(CONTROLLER_NAME.into()),
                    ..Default::default()
                },
                albconfig,
            )
            .await
        {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A Secret, read when its certificate is uploaded: key material is not kept in memory.
    pub(crate) async fn secret(&self, namespace: &str, name: &str) -> Result<Option<Secret>, kube::Error> {
        Api::<Secret>::namespaced(self.client.clone(), namespace)
            .get_opt(name)
            .await
    }
}

fn params() -> PatchParams {
    PatchParams {
        field_manager: Some(CONTROLLER_NAME.into()),
        ..PatchParams::default()
    }
}

fn gone_is_fine(result: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        other => other,
    }
}
