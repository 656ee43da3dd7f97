//! Which ids the keys of a gateway have in the cloud.

use std::collections::BTreeMap;

use alb_model::{CertificateKey, CertificateRef, ServerGroupKey, ServerGroupRef};

use crate::request::Response;
use crate::step::{ListenerKey, Step, StepOp};

/// The ids that steps need. A plan starts with what is known ([`crate::Plan::ids`]); each answer adds to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Id of the load balancer.
    pub load_balancer: Option<String>,
    /// Listener ids.
    pub listeners: BTreeMap<ListenerKey, String>,
    /// Server group ids.
    pub server_groups: BTreeMap<ServerGroupKey, String>,
    /// Certificate ids with region suffix.
    pub certificates: BTreeMap<CertificateKey, String>,
    /// Access control list ids, by name.
    pub acls: BTreeMap<String, String>,
    /// Region, for requests that name it.
    pub region: String,
    /// Region suffix of certificate ids; empty is derived from the region.
    pub certificate_region: String,
    /// Scope of ClientTokens: repeated within one scope, a request makes nothing new. Use another scope for each
    /// attempt that starts from a fresh look at the cloud.
    pub scope: String,
}

/// Something a step refers to is not known yet: the step that creates it has not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("step {step} refers to {what}, which has no id yet; run the steps it waits for first")]
pub struct Unresolved {
    /// The step's number.
    pub step: usize,
    /// What is missing.
    pub what: String,
}

impl Resolved {
    /// Takes over what the answer to a step says.
    pub fn learn(&mut self, step: &Step, response: &Response) {
        let id = response.id.clone();
        match (&step.op, id) {
            (StepOp::CreateLoadBalancer(_), Some(id)) => self.load_balancer = Some(id),
            (StepOp::CreateListener(listener), Some(id)) => {
                self.listeners.insert(listener.key(), id);
            }
            (StepOp::CreateServerGroup { key, .. }, Some(id)) => {
                self.server_groups.insert(key.clone(), id);
            }
            (StepOp::CreateAcl { name, .. }, Some(id)) => {
                self.acls.insert(name.clone(), id);
            }
            (StepOp::UploadCertificate { key, .. }, _) => {
                if let Some(number) = response.certificate {
                    self.certificates.insert(key.clone(), self.certificate_id(number));
                }
            }
            _ => {}
        }
    }

    /// Id of a group, by key or as it is.
    pub fn server_group(&self, group: &ServerGroupRef) -> Option<String> {
        match group {
            ServerGroupRef::Id(id) => Some(id.clone()),
            ServerGroupRef::Managed(key) => self.server_groups.get(key).cloned(),
        }
    }

    /// Id of a certificate, by key or as it is.
    pub fn certificate(&self, certificate: &CertificateRef) -> Option<String> {
        match certificate {
            CertificateRef::Id(id) => Some(id.clone()),
            CertificateRef::Managed(key) => self.certificates.get(key).cloned(),
        }
    }

    /// The id ALB wants for a certificate's number.
    pub fn certificate_id(&self, number: i64) -> String {
        let site = match self.certificate_region.as_str() {
            "" if self.region.is_empty() || self.region.starts_with("cn-") => "cn-hangzhou",
            "" => "ap-southeast-1",
            given => given,
        };
        format!("{number}-{site}")
    }
}
