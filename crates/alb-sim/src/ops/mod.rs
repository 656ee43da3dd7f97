//! The operations, one file for each family of resources.

mod acl;
mod cas;
mod check;
#[cfg(test)]
mod conformance;
mod health;
mod job;
mod listener;
mod listener_check;
mod listener_settings;
mod load_balancer;
mod load_balancer_settings;
mod page;
#[cfg(test)]
mod refusals;
mod rule;
mod rule_content;
mod script;
mod server;
mod server_group;
mod tag;
mod vpc;

use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use crate::api::{ALB, ApiError, ApiResult, CAS, VPC};
use crate::config::Config;
use crate::faults::JobFault;
use crate::state::{Job, JobSpec, Operate, Store};

pub(crate) use health::HealthSource;
pub(crate) use listener::render as render_listener;
pub(crate) use load_balancer::render as render_load_balancer;
pub(crate) use rule::render as render_rule;
pub(crate) use script::render as render_script;
pub(crate) use server::render as render_server;
pub(crate) use server_group::render as render_server_group;

/// One call, checked against its shape, about to act on the store.
pub(crate) struct Call<'a> {
    pub(crate) store: &'a mut Store,
    pub(crate) config: &'a Config,
    pub(crate) action: &'a str,
    /// The typed tree of parameters.
    pub(crate) params: Value,
    pub(crate) dry_run: bool,
    pub(crate) now: Timestamp,
    pub(crate) instant: Instant,
    pub(crate) job_fault: JobFault,
    pub(crate) health: &'a dyn HealthSource,
}

/// An answer without its `RequestId`.
pub(crate) type Answer = ApiResult<Value>;

type Operation = fn(&mut Call<'_>) -> Answer;

/// The operation of a product; `None` when it is not modelled.
pub(crate) fn find(product: &str, action: &str) -> Option<Operation> {
    match product {
        ALB => alb(action),
        CAS => cas::find(action),
        VPC => vpc::find(action),
        _ => None,
    }
}

fn alb(action: &str) -> Option<Operation> {
    Some(match action {
        "CreateLoadBalancer" => load_balancer::create,
        "GetLoadBalancerAttribute" => load_balancer::get,
        "ListLoadBalancers" => load_balancer::list,
        "UpdateLoadBalancerAttribute" => load_balancer::update,
        "DeleteLoadBalancer" => load_balancer::delete,
        "UpdateLoadBalancerEdition" => load_balancer_settings::edition,
        "UpdateLoadBalancerZones" => load_balancer_settings::zones,
        "UpdateLoadBalancerAddressTypeConfig" => load_balancer_settings::address_type,
        "EnableLoadBalancerIpv6Internet" => load_balancer_settings::enable_ipv6_internet,
        "DisableLoadBalancerIpv6Internet" => load_balancer_settings::disable_ipv6_internet,
        "EnableDeletionProtection" => load_balancer_settings::enable_deletion_protection,
        "DisableDeletionProtection" => load_balancer_settings::disable_deletion_protection,
        "EnableLoadBalancerAccessLog" => load_balancer_settings::enable_access_log,
        "DisableLoadBalancerAccessLog" => load_balancer_settings::disable_access_log,
        "LoadBalancerJoinSecurityGroup" => load_balancer_settings::join_security_group,
        "LoadBalancerLeaveSecurityGroup" => load_balancer_settings::leave_security_group,
        "AttachCommonBandwidthPackageToLoadBalancer" => load_balancer_settings::attach_bandwidth_package,
        "DetachCommonBandwidthPackageFromLoadBalancer" => load_balancer_settings::detach_bandwidth_package,
        "DescribeZones" => load_balancer_settings::describe_zones,
        "MoveResourceGroup" => tag::move_resource_group,
        "CreateListener" => listener::create,
        "GetListenerAttribute" => listener::get,
        "ListListeners" => listener::list,
        "UpdateListenerAttribute" => listener::update,
        "DeleteListener" => listener::delete,
        "StartListener" => listener_settings::start,
        "StopListener" => listener_settings::stop,
        "UpdateListenerLogConfig" => listener_settings::log_config,
        "AssociateAdditionalCertificatesWithListener" => listener_settings::associate_certificates,
        "DissociateAdditionalCertificatesFromListener" => listener_settings::dissociate_certificates,
        "ListListenerCertificates" => listener_settings::list_certificates,
        "AssociateAclsWithListener" => listener_settings::associate_acls,
        "DissociateAclsFromListener" => listener_settings::dissociate_acls,
        "GetListenerHealthStatus" => health::listener,
        "CreateRule" => rule::create_one,
        "CreateRules" => rule::create,
        "UpdateRuleAttribute" => rule::update_one,
        "UpdateRulesAttribute" => rule::update,
        "DeleteRule" => rule::delete_one,
        "DeleteRules" => rule::delete,
        "ListRules" => rule::list,
        "CreateServerGroup" => server_group::create,
        "UpdateServerGroupAttribute" => server_group::update,
        "DeleteServerGroup" => server_group::delete,
        "ListServerGroups" => server_group::list,
        "AddServersToServerGroup" => server::add,
        "RemoveServersFromServerGroup" => server::remove,
        "ReplaceServersInServerGroup" => server::replace,
        "UpdateServerGroupServersAttribute" => server::update,
        "ListServerGroupServers" => server::list,
        "TagResources" => tag::tag,
        "UnTagResources" => tag::untag,
        "ListTagResources" => tag::list,
        "ListTagKeys" => tag::keys,
        "ListTagValues" => tag::values,
        "ListAsynJobs" => job::list,
        "CreateAcl" => acl::create,
        "UpdateAclAttribute" => acl::update,
        "DeleteAcl" => acl::delete,
        "AddEntriesToAcl" => acl::add_entries,
        "RemoveEntriesFromAcl" => acl::remove_entries,
        "ListAcls" => acl::list,
        "ListAclEntries" => acl::list_entries,
        "ListAclRelations" => acl::list_relations,
        "CreateAScripts" => script::create,
        "UpdateAScripts" => script::update,
        "DeleteAScripts" => script::delete,
        "ListAScripts" => script::list,
        _ => return None,
    })
}

/// What a job is about.
pub(crate) struct About {
    pub(crate) operate: Operate,
    pub(crate) resource_type: &'static str,
    pub(crate) resource_ids: Vec<String>,
    pub(crate) latency: Duration,
}

impl Call<'_> {
    /// The parameters as a structure.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> ApiResult<T> {
        T::deserialize(&self.params).map_err(|error| ApiError::illegal(self.action, error))
    }

    /// A text parameter; empty when it is absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.params[name].as_str().unwrap_or_default()
    }

    /// A text parameter, if it is there.
    pub(crate) fn optional(&self, name: &str) -> Option<&str> {
        self.params[name].as_str()
    }

    /// A list of texts, at most `max` of them.
    pub(crate) fn texts(&self, name: &str, max: usize) -> ApiResult<Vec<String>> {
        let items = self.params[name]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        check::at_most(name, items.len(), max)?;
        Ok(items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect())
    }

    /// Marks the end of the checks: a dry run goes no further.
    pub(crate) fn commit(&self) -> ApiResult<()> {
        if self.dry_run {
            Err(ApiError::dry_run())
        } else {
            Ok(())
        }
    }

    /// Starts a job and returns its id. `apply` runs when it succeeds, `undo` when it fails.
    pub(crate) fn start_job(
        &mut self,
        about: About,
        apply: impl FnOnce(&mut Store) + Send + 'static,
        undo: impl FnOnce(&mut Store) + Send + 'static,
    ) -> String {
        let id = self.store.ids.uuid();
        let base = self.job_fault.latency.unwrap_or(about.latency);
        let spread = base.as_micros() as u64 * u64::from(self.config.job_latency.jitter_percent) / 100;
        let jitter = Duration::from_micros(self.store.ids.below(spread));
        let now_ms = self.now.as_millisecond();
        let job = Job {
            id: id.clone(),
            api_name: self.action.to_owned(),
            operate: about.operate,
            resource_type: about.resource_type,
            resource_ids: about.resource_ids,
            status: "Processing",
            error: None,
            create_ms: now_ms,
            modify_ms: now_ms,
            visible_at: self.instant + self.config.job_visible_after,
        };
        let spec = JobSpec {
            job,
            latency: base + jitter,
            apply: Box::new(apply),
            undo: Box::new(undo),
            fails: self.job_fault.fails.clone(),
        };
        self.store.jobs.start(spec, self.instant);
        id
    }
}
