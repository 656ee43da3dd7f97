//! Listeners.

use super::{Findings, text};
use crate::{CertificateRef, Gateway, Listener, ListenerProtocol, XForwardedFor, limits};

/// Checks one listener without its rules; `at` is its path.
pub(super) fn check(gateway: &Gateway, listener: &Listener, at: &str, out: &mut Findings) {
    if listener.port == 0 {
        out.error(
            "PortInvalid",
            format_args!("{at}.port"),
            "0 is no port; write 1 to 65535",
        );
    }
    out.text(
        "DescriptionInvalid",
        format_args!("{at}.description"),
        text::optional(&listener.description, &limits::DESCRIPTION_CHARS),
    );
    let idle = (
        listener.idle_timeout_s,
        limits::IDLE_TIMEOUT_S,
        limits::IDLE_TIMEOUT_MAX_S,
    );
    timeout(idle, &format!("{at}.idle_timeout_s"), out);
    let request = (
        listener.request_timeout_s,
        limits::REQUEST_TIMEOUT_S,
        limits::REQUEST_TIMEOUT_MAX_S,
    );
    timeout(request, &format!("{at}.request_timeout_s"), out);
    check_tls(gateway, listener, at, out);
    check_quic(gateway, listener, at, out);
    check_acl(gateway, listener, at, out);
    check_forwarded(&listener.x_forwarded_for, &format!("{at}.x_forwarded_for"), out);
    if let Some(sample) = listener.log.as_ref().and_then(|log| log.tracing_sample) {
        out.range(
            "TracingSampleInvalid",
            format_args!("{at}.log.tracing_sample"),
            &sample,
            &limits::TRACING_SAMPLE,
        );
    }
}

fn timeout((value, usual, most): (u32, std::ops::RangeInclusive<u32>, u32), at: &str, out: &mut Findings) {
    if value < *usual.start() || value > most {
        out.error(
            "TimeoutInvalid",
            at,
            format_args!(
                "{value} seconds is out of range; write {} to {}",
                usual.start(),
                usual.end()
            ),
        );
    } else if value > *usual.end() {
        out.warning(
            "TimeoutInvalid",
            at,
            format_args!(
                "{value} seconds needs a raised quota (at most {most}); without one write at most {}",
                usual.end()
            ),
        );
    }
}

fn check_tls(gateway: &Gateway, listener: &Listener, at: &str, out: &mut Findings) {
    let protocol = listener.protocol;
    match protocol {
        ListenerProtocol::Http if !listener.certificates.is_empty() => out.error(
            "CertificateUnexpected",
            format_args!("{at}.certificates"),
            "an HTTP listener has no certificates; remove them or make it HTTPS",
        ),
        ListenerProtocol::Https | ListenerProtocol::Quic if listener.certificates.is_empty() => out.error(
            "CertificateMissing",
            format_args!("{at}.certificates"),
            format_args!("a {protocol} listener needs a default certificate; add one"),
        ),
        _ => {}
    }
    for (i, certificate) in listener.certificates.iter().enumerate() {
        if let CertificateRef::Managed(key) = certificate
            && !gateway.certificates.contains_key(key)
        {
            out.error(
                "CertificateMissing",
                format_args!("{at}.certificates[{i}]"),
                format_args!("the gateway has no certificate {:?}; add it", key.0),
            );
        }
    }
    if protocol == ListenerProtocol::Https {
        return;
    }
    if !listener.ca_certificates.is_empty() {
        out.error(
            "HttpsRequired",
            format_args!("{at}.ca_certificates"),
            format_args!("mutual TLS works on HTTPS listeners only, not on {protocol}"),
        );
    }
    if listener.security_policy_id.is_some() {
        out.warning(
            "HttpsRequired",
            format_args!("{at}.security_policy_id"),
            format_args!("a TLS policy works on HTTPS listeners only; it is ignored on {protocol}"),
        );
    }
}

fn check_quic(gateway: &Gateway, listener: &Listener, at: &str, out: &mut Findings) {
    let Some(quic) = listener.quic.as_ref().filter(|quic| quic.upgrade_enabled) else {
        return;
    };
    let at = format!("{at}.quic");
    if listener.protocol != ListenerProtocol::Https {
        out.error(
            "HttpsRequired",
            at,
            format_args!(
                "only an HTTPS listener can advertise QUIC, not a {} one",
                listener.protocol
            ),
        );
    } else if quic.listener_id.is_none()
        && !gateway
            .listeners
            .iter()
            .any(|other| other.protocol == ListenerProtocol::Quic)
    {
        out.error(
            "QuicListenerMissing",
            at,
            "the gateway has no QUIC listener to advertise; add one or name one",
        );
    }
}

fn check_acl(gateway: &Gateway, listener: &Listener, at: &str, out: &mut Findings) {
    let Some(acl) = &listener.acl else { return };
    let at = format!("{at}.acl");
    let count = acl.ids.len() + acl.names.len();
    if count == 0 {
        out.error(
            "AclMissing",
            &at,
            "no ACL is named; name one or remove the binding",
        );
    }
    out.at_most(
        "AclsExceeded",
        &at,
        "ACLs on one listener",
        count,
        limits::ACLS_PER_LISTENER,
    );
    let mut entries = 0;
    for (i, name) in acl.names.iter().enumerate() {
        match gateway.acls.get(name) {
            Some(acl) => entries += acl.entries.len(),
            None => out.error(
                "AclMissing",
                format_args!("{at}.names[{i}]"),
                format_args!("the gateway has no ACL {name:?}; add it"),
            ),
        }
    }
    let limit = limits::acl_entries_per_listener(gateway.load_balancer.edition);
    out.at_most(
        "AclEntriesExceeded",
        &at,
        "ACL entries on one listener",
        entries,
        limit,
    );
}

fn check_forwarded(config: &XForwardedFor, at: &str, out: &mut Findings) {
    if let Some(mode) = &config.processing_mode
        && !matches!(mode.as_str(), "append" | "remove")
    {
        out.error(
            "XForwardedForInvalid",
            format_args!("{at}.processing_mode"),
            format_args!("{mode:?} is no mode; write append or remove"),
        );
    }
    for (name, alias) in [
        ("client_cert_subject_dn", &config.client_cert_subject_dn),
        ("client_cert_issuer_dn", &config.client_cert_issuer_dn),
        ("client_cert_fingerprint", &config.client_cert_fingerprint),
        ("client_cert_client_verify", &config.client_cert_client_verify),
    ] {
        let Some(alias) = alias else { continue };
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        if !limits::HEADER_KEY_CHARS.contains(&alias.len()) || !alias.chars().all(is_allowed) {
            out.error(
                "XForwardedForInvalid",
                format_args!("{at}.{name}"),
                format_args!("{alias:?} is no header name here; write 1 to 40 of a-z, 0-9, - and _"),
            );
        }
    }
}
