//! What must hold for a listener's attributes: values, references, quotas.

use alb_model::{ListenerProtocol, limits};

use super::check;
use crate::api::{ApiError, ApiResult};
use crate::state::Store;
use crate::wire;

/// TLS policies that ALB brings along.
pub(super) const SYSTEM_POLICIES: [&str; 5] = [
    "tls_cipher_policy_1_0",
    "tls_cipher_policy_1_1",
    "tls_cipher_policy_1_2",
    "tls_cipher_policy_1_2_strict",
    "tls_cipher_policy_1_2_strict_with_1_3",
];

pub(super) fn read_protocol(text: &str) -> ApiResult<ListenerProtocol> {
    let protocols: Vec<_> = ListenerProtocol::ALL.iter().map(|v| v.as_str()).collect();
    check::one_of("ListenerProtocol", text, &protocols)?;
    text.parse()
        .map_err(|error| ApiError::illegal("ListenerProtocol", error))
}

/// Checks all attributes of a listener as they will be.
pub(super) fn check_attributes(
    store: &Store,
    balancer_id: &str,
    protocol: ListenerProtocol,
    attributes: &wire::ListenerAttributes,
) -> ApiResult<()> {
    if let Some(text) = attributes
        .listener_description
        .as_deref()
        .filter(|text| !text.is_empty())
    {
        check::length("ListenerDescription", text, &limits::DESCRIPTION_CHARS)?;
    }
    check::optional_range("IdleTimeout", attributes.idle_timeout, &limits::IDLE_TIMEOUT_S)?;
    check::optional_range(
        "RequestTimeout",
        attributes.request_timeout,
        &limits::REQUEST_TIMEOUT_S,
    )?;
    check_default_action(store, balancer_id, protocol, attributes)?;
    check_tls(store, protocol, attributes)?;
    if let Some(config) = &attributes.x_forwarded_for_config {
        check_x_forwarded_for(config)?;
    }
    check_quic(store, balancer_id, attributes)
}

fn check_default_action(
    store: &Store,
    balancer_id: &str,
    protocol: ListenerProtocol,
    attributes: &wire::ListenerAttributes,
) -> ApiResult<()> {
    let actions = attributes.default_actions.as_deref().unwrap_or_default();
    let [action] = actions else {
        return Err(ApiError::illegal(
            "DefaultActions",
            format_args!("{} actions given, write exactly one", actions.len()),
        ));
    };
    check::one_of(
        "DefaultActions.1.Type",
        action.r#type.as_deref().unwrap_or_default(),
        &["ForwardGroup"],
    )?;
    let path = "DefaultActions.1.ForwardGroupConfig.ServerGroupTuples";
    let tuples = action
        .forward_group_config
        .as_ref()
        .and_then(|config| config.server_group_tuples.as_deref());
    let count = tuples.map_or(0, <[_]>::len);
    if count != 1 {
        return Err(ApiError::illegal(
            path,
            format_args!("{count} server groups given, write exactly one"),
        ));
    }
    let group = attributes.default_group().unwrap_or_default();
    check_group(store, balancer_id, protocol, group)
}

/// Whether a listener or rule of the load balancer may refer to the server group.
pub(super) fn check_group(
    store: &Store,
    balancer_id: &str,
    protocol: ListenerProtocol,
    group_id: &str,
) -> ApiResult<()> {
    let group = store.usable_server_group(group_id)?;
    let balancer = store.load_balancer(balancer_id)?;
    let function_compute = group.attributes.server_group_type.as_deref() == Some("Fc");
    if !function_compute && group.attributes.vpc_id != balancer.attributes.vpc_id {
        return Err(ApiError::mismatch("VpcId", balancer_id, group_id));
    }
    if protocol == ListenerProtocol::Http && group.attributes.protocol.as_deref() == Some("gRPC") {
        return Err(ApiError::bad_request(
            "Mismatch.Protocol",
            format!("The HTTP listener and {group_id} are mismatched: gRPC needs an HTTPS or QUIC listener."),
        ));
    }
    Ok(())
}

/// Whether `more` references to a server group fit its quota.
pub(super) fn check_reference_quota(store: &Store, group_id: &str, more: usize) -> ApiResult<()> {
    let limit = store.quotas.references_per_server_group;
    if more == 0 {
        return Ok(());
    }
    let used = store.references_to(group_id).len();
    if used + more > limit {
        return Err(ApiError::quota("ServerGroupAttachedNum", used, limit));
    }
    Ok(())
}

fn check_tls(
    store: &Store,
    protocol: ListenerProtocol,
    attributes: &wire::ListenerAttributes,
) -> ApiResult<()> {
    if protocol == ListenerProtocol::Http {
        let given = [
            (
                "Certificates",
                attributes.certificates.as_ref().is_some_and(|c| !c.is_empty()),
            ),
            (
                "CaCertificates",
                attributes.ca_certificates.as_ref().is_some_and(|c| !c.is_empty()),
            ),
            ("SecurityPolicyId", attributes.security_policy_id.is_some()),
            ("CaEnabled", attributes.ca_enabled == Some(true)),
        ];
        return match given.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(ApiError::illegal(name, "an HTTP listener has no TLS")),
            None => Ok(()),
        };
    }
    if attributes.certificate_ids().next().is_none() {
        return Err(ApiError::missing("Certificates"));
    }
    check_certificates(store, attributes.certificate_ids())?;
    if attributes.ca_enabled == Some(true) && attributes.ca_certificate_ids().count() != 1 {
        return Err(ApiError::illegal(
            "CaCertificates",
            "CaEnabled needs exactly one CA certificate",
        ));
    }
    match attributes.security_policy_id.as_deref() {
        Some(policy) if !SYSTEM_POLICIES.contains(&policy) && !store.security_policies.contains(policy) => {
            Err(ApiError::not_found("SecurityPolicy", policy))
        }
        _ => Ok(()),
    }
}

/// Whether all certificates exist. One that was deleted while a listener uses it still counts.
pub(super) fn check_certificates<'a>(store: &Store, ids: impl Iterator<Item = &'a str>) -> ApiResult<()> {
    for id in ids {
        if store.certificate(id).is_none() {
            return Err(ApiError::not_found("Certificate", id));
        }
    }
    Ok(())
}

fn check_x_forwarded_for(config: &wire::XForwardedForConfig) -> ApiResult<()> {
    let path = |name: &str| format!("XForwardedForConfig.XForwardedFor{name}");
    check::optional_one_of(
        &path("ProcessingMode"),
        config.processing_mode.as_ref(),
        &["append", "remove"],
    )?;
    let aliases = [
        ("ClientCertSubjectDNAlias", &config.subject_dn_alias),
        ("ClientCertIssuerDNAlias", &config.issuer_dn_alias),
        ("ClientCertFingerprintAlias", &config.fingerprint_alias),
        ("ClientCertClientVerifyAlias", &config.client_verify_alias),
    ];
    for (name, alias) in aliases {
        let Some(alias) = alias.as_deref().filter(|alias| !alias.is_empty()) else {
            continue;
        };
        check::length(&path(name), alias, &limits::HEADER_KEY_CHARS)?;
        if !alias
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
        {
            return Err(ApiError::illegal(
                &path(name),
                "write lower-case letters, digits, '-' and '_'",
            ));
        }
    }
    Ok(())
}

fn check_quic(store: &Store, balancer_id: &str, attributes: &wire::ListenerAttributes) -> ApiResult<()> {
    let Some(quic) = attributes
        .quic_config
        .as_ref()
        .filter(|quic| quic.quic_upgrade_enabled == Some(true))
    else {
        return Ok(());
    };
    let id = quic.quic_listener_id.as_deref().unwrap_or_default();
    if id.is_empty() {
        return Err(ApiError::missing("QuicConfig.QuicListenerId"));
    }
    let listener = store.listener(id)?;
    if listener.load_balancer_id != balancer_id || listener.protocol != ListenerProtocol::Quic {
        return Err(ApiError::illegal(
            "QuicConfig.QuicListenerId",
            format_args!("{id} is no QUIC listener of this load balancer"),
        ));
    }
    Ok(())
}

/// Whether `more` additional certificates fit the load balancer's quota.
pub(super) fn check_certificate_quota(store: &Store, balancer_id: &str, more: usize) -> ApiResult<()> {
    let limit = store
        .quotas
        .certificates_per_load_balancer
        .of(store.load_balancer(balancer_id)?.edition);
    let used = store
        .listeners_of(balancer_id)
        .map(|listener| listener.extra_certificates.len())
        .sum::<usize>();
    if more > 0 && used + more > limit {
        return Err(ApiError::quota("LoadBalancerCertificatesNum", used, limit));
    }
    Ok(())
}
