//! The AlbConfig custom resource (`alibabacloud.com/v1`): types, structural schema, defaults and validation.
//!
//! One cluster-scoped `AlbConfig` describes one Application Load Balancer (ALB) instance and its listeners; Ingresses
//! join it through an IngressClass. Field names and defaults are those of the managed ALB Ingress Controller, so
//! existing manifests carry over; unlike there, the schema refuses misspelt fields and values out of range.
//!
//! Enumerations are strings on the Rust side: an object that holds a value this version does not know can still be
//! read, and [`validate`] names the field. The API server refuses such a value up front.
//!
//! ```
//! use albconfig_crd::{AlbConfig, validate};
//!
//! let yaml = "
//! apiVersion: alibabacloud.com/v1
//! kind: AlbConfig
//! metadata: { name: public }
//! spec:
//!   config:
//!     addressType: Internet
//!     zoneMappings: [{ vSwitchId: vsw-a }, { vSwitchId: vsw-b }]
//!   listeners:
//!   - { port: 80, protocol: HTTP }
//!   - { port: 80, protocol: HTTP }
//! ";
//! let albconfig: AlbConfig = serde_saphyr::from_str(yaml)?;
//! let errors = validate(&albconfig);
//! assert_eq!(errors.len(), 1);
//! assert_eq!(errors[0].path, "spec.listeners[1]");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod fields;
mod listener;
mod read;
mod schema;
mod spec;
mod status;
mod validate;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

pub use fields::{FIELDS, FieldInfo, Update, field, reference};
pub use listener::{
    AScript, AScriptAttribute, AccessLogTracing, AclConfig, CertificateSpec, DefaultCertificate,
    ListenerLogConfig, ListenerSpec, QuicConfig, XForwardedForConfig,
};
pub use read::Reading;
pub use spec::{
    AccessLogConfig, AlbConfig, AlbConfigSpec, BillingConfig, LoadBalancerSpec, ModificationProtectionConfig,
    Tag, ZoneMapping,
};
pub use status::{
    AlbConfigStatus, CertificateStatus, Condition, ConditionStatus, ListenerStatus, LoadBalancerStatus,
    condition_type,
};
pub use validate::{FieldError, validate, without_effect};

/// Finalizer on an AlbConfig: keeps it until its ALB is deleted or, when it was reused, released.
pub const FINALIZER: &str = "ingress.k8s.alibaba/resources";

/// `spec.controller` of the IngressClasses that belong to this controller.
pub const CONTROLLER_NAME: &str = "ingress.k8s.alibabacloud/alb";

/// Prefix of the controller's annotations on Ingresses and Services, the slash included.
pub const ANNOTATION_PREFIX: &str = "alb.ingress.kubernetes.io/";

/// API group of AlbConfig.
pub const GROUP: &str = "alibabacloud.com";

/// The namespace that stands for the cluster-scoped AlbConfig wherever a `namespace/name` pair is written to the
/// cloud: ownership tags and generated names. The managed controller uses the same.
pub const GROUP_NAMESPACE: &str = "kube-system";

/// The CustomResourceDefinition `albconfigs.alibabacloud.com`.
pub fn crd() -> CustomResourceDefinition {
    let mut crd = AlbConfig::crd();
    for version in &mut crd.spec.versions {
        if let Some(root) = version
            .schema
            .as_mut()
            .and_then(|s| s.open_api_v3_schema.as_mut())
        {
            schema::unwrap_descriptions(root);
        }
    }
    crd
}
