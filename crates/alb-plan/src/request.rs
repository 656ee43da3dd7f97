//! Typed API requests as one value, and what the planner needs of their answers.

use alb_api::{Operation, alb, cas};
use serde_json::Value;

/// What an executor does with a typed operation: see [`Request::dispatch`].
pub trait Visitor {
    /// What comes of it, such as a boxed future.
    type Output;

    /// Gets the operation.
    fn visit<O>(self, operation: O) -> Self::Output
    where
        O: Operation + Clone + 'static,
        O::Response: Into<Response>;
}

/// What a write's answer says, as far as later steps need it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The job that carries the change out; empty when there is none.
    pub job_id: Option<String>,
    /// Id of the resource that was created.
    pub id: Option<String>,
    /// Rules that were created: priority and id.
    pub rules: Vec<(u16, String)>,
    /// Number of the certificate that was uploaded.
    pub certificate: Option<i64>,
    /// Id of the request, for support tickets.
    pub request_id: String,
}

macro_rules! requests {
    ($($product:ident::$name:ident),* $(,)?) => {
        /// A write request of a plan.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each variant is the operation of its name in `alb_api`")]
        #[non_exhaustive]
        pub enum Request { $($name(Box<$product::$name>)),* }

        impl Request {
            /// The OpenAPI operation's name.
            pub fn action(&self) -> &'static str {
                match self { $(Self::$name(_) => <$product::$name as Operation>::ACTION),* }
            }

            /// The parameters by their OpenAPI names, unset ones left out. Key material is left out, too.
            pub fn params(&self) -> Value {
                let value = match self { $(Self::$name(request) => serde_json::to_value(request)),* };
                let mut value = value.unwrap_or_default();
                if let (Self::UploadUserCertificate(_), Some(map)) = (self, value.as_object_mut()) {
                    map.retain(|key, _| key == "Name" || key == "Tags" || key == "ResourceGroupId");
                }
                prune(&mut value);
                value
            }

            /// The request's `ClientToken`, if the operation takes one.
            pub fn client_token(&mut self) -> Option<&mut Option<String>> {
                match self { $(Self::$name(request) => request.client_token()),* }
            }

            /// Hands the typed operation to a visitor.
            pub fn dispatch<V: Visitor>(self, visitor: V) -> V::Output {
                match self { $(Self::$name(request) => visitor.visit(*request)),* }
            }
        }

        $(impl From<$product::$name> for Request {
            fn from(request: $product::$name) -> Self { Self::$name(Box::new(request)) }
        })*
    };
}

requests! {
    alb::CreateLoadBalancer,
    alb::UpdateLoadBalancerAttribute,
    alb::UpdateLoadBalancerEdition,
    alb::UpdateLoadBalancerZones,
    alb::UpdateLoadBalancerAddressTypeConfig,
    alb::EnableLoadBalancerIpv6Internet,
    alb::DisableLoadBalancerIpv6Internet,
    alb::EnableDeletionProtection,
    alb::DisableDeletionProtection,
    alb::EnableLoadBalancerAccessLog,
    alb::DisableLoadBalancerAccessLog,
    alb::AttachCommonBandwidthPackageToLoadBalancer,
    alb::DetachCommonBandwidthPackageFromLoadBalancer,
    alb::LoadBalancerJoinSecurityGroup,
    alb::LoadBalancerLeaveSecurityGroup,
    alb::DeleteLoadBalancer,
    alb::TagResources,
    alb::UnTagResources,
    alb::MoveResourceGroup,
    alb::CreateAcl,
    alb::DeleteAcl,
    alb::AddEntriesToAcl,
    alb::RemoveEntriesFromAcl,
    alb::AssociateAclsWithListener,
    alb::DissociateAclsFromListener,
    alb::CreateServerGroup,
    alb::UpdateServerGroupAttribute,
    alb::DeleteServerGroup,
    alb::AddServersToServerGroup,
    alb::RemoveServersFromServerGroup,
    alb::ReplaceServersInServerGroup,
    alb::UpdateServerGroupServersAttribute,
    alb::CreateListener,
    alb::UpdateListenerAttribute,
    alb::UpdateListenerLogConfig,
    alb::DeleteListener,
    alb::AssociateAdditionalCertificatesWithListener,
    alb::DissociateAdditionalCertificatesFromListener,
    alb::CreateAScripts,
    alb::UpdateAScripts,
    alb::DeleteAScripts,
    alb::CreateRules,
    alb::UpdateRulesAttribute,
    alb::DeleteRules,
    cas::UploadUserCertificate,
    cas::DeleteUserCertificate,
}

/// Takes away what would not be sent: nulls, empty lists and empty objects.
fn prune(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(prune);
            map.retain(|_, v| !is_nothing(v));
        }
        Value::Array(list) => list.iter_mut().for_each(prune),
        _ => {}
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn job(job_id: Option<String>, request_id: String) -> Response {
    Response {
        job_id: job_id.filter(|id| !id.is_empty()),
        request_id,
        ..Response::default()
    }
}

impl From<alb::JobResponse> for Response {
    fn from(r: alb::JobResponse) -> Self {
        job(r.job_id, r.request_id)
    }
}

impl From<alb::EmptyResponse> for Response {
    fn from(r: alb::EmptyResponse) -> Self {
        job(None, r.request_id)
    }
}

impl From<alb::CreateLoadBalancerResponse> for Response {
    fn from(r: alb::CreateLoadBalancerResponse) -> Self {
        Self {
            id: Some(r.load_balancer_id),
            ..job(None, r.request_id)
        }
    }
}

impl From<alb::CreateServerGroupResponse> for Response {
    fn from(r: alb::CreateServerGroupResponse) -> Self {
        Self {
            id: Some(r.server_group_id),
            ..job(r.job_id, r.request_id)
        }
    }
}

impl From<alb::CreateListenerResponse> for Response {
    fn from(r: alb::CreateListenerResponse) -> Self {
        Self {
            id: Some(r.listener_id),
            ..job(r.job_id, r.request_id)
        }
    }
}

impl From<alb::CreateAclResponse> for Response {
    fn from(r: alb::CreateAclResponse) -> Self {
        Self {
            id: Some(r.acl_id),
            ..job(r.job_id, r.request_id)
        }
    }
}

impl From<alb::CreateRulesResponse> for Response {
    fn from(r: alb::CreateRulesResponse) -> Self {
        let rules = r
            .rule_ids
            .into_iter()
            .filter_map(|rule| Some((u16::try_from(rule.priority).ok()?, rule.rule_id)))
            .collect();
        Self {
            rules,
            ..job(r.job_id, r.request_id)
        }
    }
}

impl From<alb::CreateAScriptsResponse> for Response {
    fn from(r: alb::CreateAScriptsResponse) -> Self {
        Self {
            id: r.a_script_ids.into_iter().next().map(|script| script.a_script_id),
            ..job(r.job_id, r.request_id)
        }
    }
}

impl From<cas::UploadUserCertificateResponse> for Response {
    fn from(r: cas::UploadUserCertificateResponse) -> Self {
        Self {
            certificate: Some(r.cert_id),
            ..job(None, r.request_id)
        }
    }
}

impl From<cas::DeleteUserCertificateResponse> for Response {
    fn from(r: cas::DeleteUserCertificateResponse) -> Self {
        job(None, r.request_id)
    }
}
