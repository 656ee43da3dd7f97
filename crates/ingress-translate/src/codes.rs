//! The codes of all diagnostics: what each means and what to do.

use alb_model::{Diagnostic, ObjectRef, Severity};

/// One kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeInfo {
    /// The stable code.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// What has happened.
    pub meaning: &'static str,
    /// What to do about it.
    pub fix: &'static str,
}

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident, $severity:ident, $meaning:literal, $fix:literal;)+) => {
        /// A stable diagnostic code. [`Code::info`] explains each one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $meaning] $name),+ }

        impl Code {
            /// All codes with their meaning, in alphabetical order.
            pub const ALL: &'static [CodeInfo] = &[
                $(CodeInfo {
                    code: Code::$name,
                    severity: Severity::$severity,
                    meaning: $meaning,
                    fix: $fix,
                }),+
            ];

            /// The code as text: an Event reason, a metric label.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => stringify!($name)),+ }
            }

            /// How much it matters.
            pub const fn severity(self) -> Severity {
                match self { $(Code::$name => Severity::$severity),+ }
            }
        }
    };
}

codes! {
    ActionConflict, Error,
        "Two ways to answer were given for one path, or actions that exclude each other.",
        "Keep one: either a Service port or an actions annotation with its own final action (port name use-annotation).";
    AlbConfigInvalid, Error,
        "A field of the AlbConfig has a value that cannot work.",
        "Correct the field; the part it belongs to is left out until then.";
    AlbConfigNotFound, Error,
        "The Ingress asks for an AlbConfig that does not exist.",
        "Create the AlbConfig, or name another in the IngressClass's parameters.";
    AnnotationInvalid, Error,
        "An annotation has a value outside its grammar; it is ignored, or the rules it governs are not served.",
        "Write one of the values the message lists.";
    AnnotationNotSupported, Warning,
        "The annotation is known but this controller does not act on it.",
        "Remove it, or use what the message names instead.";
    AnnotationUnknown, Warning,
        "No annotation of that name exists under this prefix.",
        "Correct the name; the message has the nearest known one.";
    AnnotationUnused, Warning,
        "The annotation has no effect here, because another one it needs is missing or overrules it.",
        "Add what the message names, or remove the annotation.";
    BackendNotSupported, Error,
        "The backend is of a kind that cannot be served (a resource, or a Service without its own endpoints). Requests to the path get 503.",
        "Point the path at a Service of type ClusterIP, NodePort or LoadBalancer.";
    BackendProtocolMismatch, Error,
        "The backend protocol cannot stand behind a listener of this protocol; the rule is left off that listener.",
        "Use an HTTPS listener, or another backend-protocol.";
    CanaryIgnored, Error,
        "A canary Ingress cannot be combined with the Ingress it belongs to; it gets no traffic.",
        "Correct what the message names; the base Ingress is served meanwhile.";
    CanaryWithoutBase, Error,
        "No other Ingress serves the host and path of a canary; it gets no traffic.",
        "Create the base Ingress first, with the same host, path and path type.";
    CertificateHostMismatch, Warning,
        "The certificate in the Secret is not valid for a host that uses it; clients will refuse it.",
        "Put a certificate for that host into the Secret, or list another Secret for it.";
    CertificateMissing, Error,
        "No certificate covers the host on an HTTPS listener; the host is not served there, all others are.",
        "List a Secret with its certificate in spec.tls, or add a certificate to the listener in the AlbConfig.";
    CertificateQuotaExceeded, Error,
        "The certificate of the host does not fit the quota of the ALB; the host is not served on the listener, all others are.",
        "Use certificates for several hosts, such as a wildcard, or have the quota raised.";
    ClassParametersInvalid, Error,
        "The IngressClass does not name an AlbConfig properly.",
        "Set spec.parameters to apiGroup alibabacloud.com, kind AlbConfig and the name of an AlbConfig.";
    DefaultBackendConflict, Error,
        "An older Ingress already gives the default backend of the listener.",
        "Keep spec.defaultBackend in one Ingress for each AlbConfig and listener.";
    FieldNotSupported, Warning,
        "The field is known but this controller does not act on it.",
        "Remove the field, or do what the message says.";
    FieldUnknown, Warning,
        "There is no field of that name here, or only in another letter case; the message says which.",
        "Write the name that the message gives, or remove the field.";
    GuardsOmitted, Error,
        "Wildcard hosts need more guard rules than the gateway can hold; a wildcard may match more than one label.",
        "Use fewer wildcard hosts, fewer order values, or fewer rules without a host on the same AlbConfig.";
    HostInvalid, Error,
        "The host is no DNS name and no wildcard of one label; its paths are not served.",
        "Write a host such as app.example.com or *.example.com.";
    ListenerHeld, Warning,
        "An HTTPS or QUIC listener has no certificate, or it is not known yet which the account has; it stays as it is.",
        "Add certificates to the listener, or an Ingress with a TLS Secret.";
    ListenerNotFound, Error,
        "The AlbConfig has no listener for a port and protocol the Ingress asks for.",
        "Add the listener to spec.listeners of the AlbConfig, or change listen-ports.";
    PathConflict, Error,
        "An older Ingress owns the same host, path and conditions; this path is not served.",
        "Change host or path, or remove one of the two.";
    PathInvalid, Error,
        "The path cannot be expressed in a forwarding rule; it is not served.",
        "Write a path that starts with / and has only the characters the message allows.";
    PathRepeated, Warning,
        "The same Ingress lists the host, path and conditions twice; the first one is served.",
        "Remove one of them.";
    RuleDoubtful, Warning,
        "ALB's documentation is silent or contradicts itself about a part of the forwarding rule; it is used as written.",
        "Nothing, if it works; else change what the message names.";
    RuleEmpty, Warning,
        "The rule has no paths and the Ingress no default backend; it does nothing.",
        "Add paths, or a spec.defaultBackend.";
    RuleInvalid, Error,
        "ALB would refuse the forwarding rule; it is left out, all others are served.",
        "Change what the message names.";
    ServerGroupUnusable, Error,
        "The endpoints of a Service with annotation server-group-id cannot be kept in that server group.",
        "Change what the message names: the Service needs one TCP port; the group must exist in the controller's VPC, be of type Ip, and belong to no controller.";
    ServiceNotFound, Error,
        "The Service of a path does not exist. Requests to the path get 503.",
        "Create the Service in the Ingress's namespace, or correct the name.";
    ServicePortNotFound, Error,
        "The Service has no such TCP port. Requests to the path get 503.",
        "Write one of the ports the message lists.";
    TlsSecretInvalid, Error,
        "The Secret holds no usable certificate and key.",
        "Store a PEM certificate chain under tls.crt and its key under tls.key in a Secret of type kubernetes.io/tls.";
    TlsSecretNotFound, Error,
        "The Secret of a spec.tls entry does not exist.",
        "Create the Secret in the Ingress's namespace, or correct secretName.";
}

impl Code {
    /// Meaning and fix.
    pub fn info(self) -> &'static CodeInfo {
        // The table has one entry for each variant, in the order of declaration.
        &Self::ALL[self as usize]
    }

    pub(crate) fn on(
        self,
        object: &ObjectRef,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::new(self.severity(), self.as_str(), object.clone(), field, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_complete() {
        for (index, info) in Code::ALL.iter().enumerate() {
            assert_eq!(info.code as usize, index);
            assert_eq!(info.code.info(), info);
            assert!(
                info.meaning.ends_with('.') && info.fix.ends_with('.'),
                "{:?}",
                info.code
            );
        }
        assert!(Code::ALL.is_sorted_by_key(|info| info.code.as_str()));
    }
}
