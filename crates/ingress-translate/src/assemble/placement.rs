//! Which paths go on which listener.

use alb_model::ListenerProtocol;
use smallvec::{SmallVec, smallvec};

use crate::Settings;
use crate::annotations::Listen;
use crate::fragment::{Compiled, CompiledRule, HostMatch};

type ListenerKey = (u16, ListenerProtocol);

/// Listeners of an Ingress; most have one or two.
pub(crate) type ListenerKeys = SmallVec<[ListenerKey; 4]>;

const HTTP: ListenerKey = (80, ListenerProtocol::Http);
const HTTPS: ListenerKey = (443, ListenerProtocol::Https);

/// Whether `spec.tls` lists the host of a rule. Entries without hosts mean all of them.
pub(super) fn in_tls(ingress: &Compiled, rule: &CompiledRule) -> bool {
    let host = rule.host.text();
    ingress.tls.iter().any(|entry| entry.is_for(&host))
}

/// The listeners an Ingress asks for: `listen-ports`; else 443/HTTPS for hosts in `spec.tls` and 80/HTTP for all others.
/// `ssl-redirect` adds both, one to redirect from and one to redirect to.
pub(super) fn wanted(ingress: &Compiled) -> ListenerKeys {
    let Listen { ports, ssl_redirect } = &ingress.listen;
    let mut keys = match ports {
        Some(ports) => ListenerKeys::from_slice(ports),
        None if *ssl_redirect => smallvec![HTTP, HTTPS],
        None if ingress.tls.is_empty() => smallvec![HTTP],
        None => {
            let named = |rule: &&CompiledRule| rule.host != HostMatch::Any;
            let uncovered = ingress
                .rules
                .iter()
                .filter(named)
                .any(|rule| !in_tls(ingress, rule));
            if uncovered {
                smallvec![HTTP, HTTPS]
            } else {
                smallvec![HTTPS]
            }
        }
    };
    if *ssl_redirect && !keys.contains(&HTTP) && !keys.is_empty() {
        keys.push(HTTP);
    }
    keys
}

/// One path on one listener.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<'a> {
    pub(super) ingress: &'a Compiled,
    pub(super) rule: &'a CompiledRule,
    /// `spec.defaultBackend`: it comes after all rules.
    pub(super) is_default: bool,
    /// Number of the Ingress, oldest first, and of the path in it, the default backend first.
    pub(super) at: (u32, u32),
}

/// The paths of an Ingress, the default backend first: each with whether it is that.
pub(super) fn paths(ingress: &Compiled) -> impl Iterator<Item = (&CompiledRule, bool)> {
    let default = ingress.default_backend.iter().map(|rule| (&**rule, true));
    default.chain(ingress.rules.iter().map(|rule| (rule, false)))
}

/// The paths that belong on a listener, oldest Ingress first. Canaries follow the Ingress they belong to and are not
/// here.
pub(super) fn placed<'a>(
    ingresses: &[&'a Compiled],
    key: ListenerKey,
    settings: &Settings,
) -> Vec<Claim<'a>> {
    let count = ingresses.iter().map(|ingress| ingress.rules.len() + 1);
    let mut claims = Vec::with_capacity(if key == HTTP { count.sum() } else { 0 });
    for (number, ingress) in (0..).zip(ingresses.iter().copied()) {
        if ingress.canary.is_some() {
            continue;
        }
        let wanted = wanted(ingress);
        let explicit = ingress.listen.ports.is_some() || ingress.listen.ssl_redirect;
        let on_http_too = settings.tls_hosts_on_http && !explicit && key == HTTP;
        if !wanted.contains(&key) && !on_http_too {
            continue;
        }
        let fits = |rule: &CompiledRule| {
            if explicit || rule.host == HostMatch::Any || ingress.tls.is_empty() {
                return true;
            }
            match key.1 {
                ListenerProtocol::Http => settings.tls_hosts_on_http || !in_tls(ingress, rule),
                ListenerProtocol::Https | ListenerProtocol::Quic => in_tls(ingress, rule),
            }
        };
        for (index, (rule, is_default)) in (0..).zip(paths(ingress)) {
            if fits(rule) {
                claims.push(Claim {
                    ingress,
                    rule,
                    is_default,
                    at: (number, index),
                });
            }
        }
    }
    claims
}
