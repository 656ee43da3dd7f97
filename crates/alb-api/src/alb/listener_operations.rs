//! Operations on listeners.

use super::{
    AccessLogTracingConfig, CertificateId, CreateListenerResponse, DefaultAction,
    GetListenerAttributeResponse, JobResponse, ListListenerCertificatesResponse, ListListenersResponse,
    Listener, ListenerCertificate, QuicConfig, Tag, XForwardedForConfig,
};
use crate::operation::{changes, operations, paged_by_token};

changes! { Alb;
    /// Creates a listener.
    CreateListener: Create -> CreateListenerResponse {
        /// Load balancer id (`alb-…`).
        load_balancer_id: String,
        /// Port, 1–65535.
        listener_port: i32,
        /// `HTTP`, `HTTPS` or `QUIC`.
        listener_protocol: String,
        /// One action: what requests get that no rule matches.
        default_actions: Vec<DefaultAction>,
        /// Server certificates, for `HTTPS` and `QUIC`; the first is the default one.
        certificates: Vec<CertificateId>,
        /// CA certificate for client certificates, at most 1.
        ca_certificates: Vec<CertificateId>,
        /// Whether clients need a certificate.
        ca_enabled: Option<bool>,
        /// Description, 2–256 characters.
        listener_description: Option<String>,
        /// Whether answers are compressed; default true.
        gzip_enabled: Option<bool>,
        /// Whether HTTP/2 is offered; `HTTPS` only, default true.
        http2_enabled: Option<bool>,
        /// Seconds an idle connection is kept, 1–60, default 15.
        idle_timeout: Option<i32>,
        /// Seconds a server may take to answer, 1–180, default 60.
        request_timeout: Option<i32>,
        /// TLS security policy, default `tls_cipher_policy_1_0`.
        security_policy_id: Option<String>,
        /// QUIC listener to offer.
        quic_config: Option<QuicConfig>,
        /// Headers that tell servers about the client.
        x_forwarded_for_config: Option<XForwardedForConfig>,
        /// Tags.
        tag: Vec<Tag>,
    }

    /// Changes a listener. What is unset stays as it is.
    UpdateListenerAttribute: Update -> JobResponse {
        /// Listener id (`lsn-…`).
        listener_id: String,
        /// Default action.
        default_actions: Vec<DefaultAction>,
        /// The default certificate; replaces the old one.
        certificates: Vec<CertificateId>,
        /// CA certificate for client certificates.
        ca_certificates: Vec<CertificateId>,
        /// Whether clients need a certificate.
        ca_enabled: Option<bool>,
        /// Description, 2–256 characters.
        listener_description: Option<String>,
        /// Whether answers are compressed.
        gzip_enabled: Option<bool>,
        /// Whether HTTP/2 is offered; `HTTPS` only.
        http2_enabled: Option<bool>,
        /// Seconds an idle connection is kept, 1–60.
        idle_timeout: Option<i32>,
        /// Seconds a server may take to answer, 1–180.
        request_timeout: Option<i32>,
        /// TLS security policy.
        security_policy_id: Option<String>,
        /// QUIC listener to offer.
        quic_config: Option<QuicConfig>,
        /// Headers that tell servers about the client.
        x_forwarded_for_config: Option<XForwardedForConfig>,
    }

    /// Deletes a listener with its rules.
    DeleteListener: Delete -> JobResponse {
        /// Listener id.
        listener_id: String,
    }

    /// Starts a stopped listener.
    StartListener: Update -> JobResponse {
        /// Listener id.
        listener_id: String,
    }

    /// Stops a listener.
    StopListener: Update -> JobResponse {
        /// Listener id.
        listener_id: String,
    }

    /// Changes what the listener writes to the access log; the load balancer's access log has to be on.
    UpdateListenerLogConfig: Update -> JobResponse {
        /// Listener id.
        listener_id: String,
        /// Whether custom headers are written.
        access_log_record_customized_headers_enabled: Option<bool>,
        /// Tracing.
        access_log_tracing_config: Option<AccessLogTracingConfig>,
    }

    /// Adds certificates beside the default one, at most 20 in one call.
    AssociateAdditionalCertificatesWithListener: Create -> JobResponse {
        /// Listener id.
        listener_id: String,
        /// Certificates.
        certificates: Vec<CertificateId>,
    }

    /// Removes additional certificates, at most 20 in one call.
    DissociateAdditionalCertificatesFromListener: Delete -> JobResponse {
        /// Listener id.
        listener_id: String,
        /// Certificates.
        certificates: Vec<CertificateId>,
    }

    /// Puts access control lists in force, at most 3.
    AssociateAclsWithListener: Create -> JobResponse {
        /// Listener id.
        listener_id: String,
        /// ACL ids (`nacl-…`).
        acl_ids: Vec<String>,
        /// `White` (only they may) or `Black` (they may not).
        acl_type: String,
    }

    /// Puts access control lists out of force, at most 3.
    DissociateAclsFromListener: Delete -> JobResponse {
        /// Listener id.
        listener_id: String,
        /// ACL ids.
        acl_ids: Vec<String>,
    }
}

operations! { Alb;
    /// Reads one listener.
    GetListenerAttribute: Read -> GetListenerAttributeResponse {
        /// Listener id.
        listener_id: String,
    }

    /// Lists listeners.
    ListListeners: Read -> ListListenersResponse {
        /// Listener ids, at most 20.
        listener_ids: Vec<String>,
        /// Load balancer ids, at most 20.
        load_balancer_ids: Vec<String>,
        /// `HTTP`, `HTTPS` or `QUIC`.
        listener_protocol: Option<String>,
        /// Tags that a listener must have.
        tag: Vec<Tag>,
        /// Page size, 1–100, default 20.
        max_results: Option<i32>,
        /// Where to go on, from the previous page.
        next_token: Option<String>,
    }

    /// Lists the certificates of a listener, the default one included.
    ListListenerCertificates: Read -> ListListenerCertificatesResponse {
        /// Listener id.
        listener_id: String,
        /// Certificate ids.
        certificate_ids: Vec<String>,
        /// `Server` or `Ca`.
        certificate_type: Option<String>,
        /// Page size, 1–100, default 20.
        max_results: Option<i32>,
        /// Where to go on, from the previous page.
        next_token: Option<String>,
    }
}

paged_by_token! {
    ListListeners => listeners: Listener;
    ListListenerCertificates => certificates: ListenerCertificate;
}
