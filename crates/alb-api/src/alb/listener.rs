//! Parts and answers of listener operations.

use serde::{Deserialize, Deserializer, Serialize};

use super::{ServerGroupTarget, Tag};
use crate::operation::shapes;

shapes! {
    /// A listener's default action.
    DefaultAction {
        /// `ForwardGroup`; the API allows no other.
        #[serde(rename = "Type")]
        kind: String,
        /// Where to.
        forward_group_config: DefaultForwardGroupConfig,
    }

    /// Target of a default action.
    DefaultForwardGroupConfig {
        /// One server group.
        server_group_tuples: Vec<ServerGroupTarget>,
    }

    /// A certificate id, such as `123-cn-hangzhou`: the certificate's number and the region of the site.
    CertificateId {
        /// The id.
        certificate_id: String,
    }

    /// A QUIC listener that an HTTPS listener offers its clients.
    QuicConfig {
        /// Listener id of the QUIC listener, on the same load balancer.
        quic_listener_id: Option<String>,
        /// Whether it is offered.
        quic_upgrade_enabled: Option<bool>,
    }

    /// Headers that tell servers about the client. An alias is the header's name, 1–40 lower-case letters, digits, `-`
    /// or `_`, and takes effect only when its header is enabled.
    XForwardedForConfig {
        /// `X-Forwarded-For`; on by default.
        x_forwarded_for_enabled: Option<bool>,
        /// `append` (default) or `remove`.
        x_forwarded_for_processing_mode: Option<String>,
        /// `X-Forwarded-Proto`.
        x_forwarded_for_proto_enabled: Option<bool>,
        /// `X-Forwarded-Host`.
        x_forwarded_for_host_enabled: Option<bool>,
        /// `SLB-ID`.
        #[serde(rename = "XForwardedForSLBIdEnabled")]
        x_forwarded_for_slb_id_enabled: Option<bool>,
        /// `X-Forwarded-Port`.
        #[serde(rename = "XForwardedForSLBPortEnabled")]
        x_forwarded_for_slb_port_enabled: Option<bool>,
        /// `X-Forwarded-Client-srcport`.
        x_forwarded_for_client_src_port_enabled: Option<bool>,
        /// Whether the client's address is looked for behind trusted proxies.
        x_forwarded_for_client_source_ips_enabled: Option<bool>,
        /// Addresses of trusted proxies, separated by `;`.
        x_forwarded_for_client_source_ips_trusted: Option<String>,
        /// Subject of the client's certificate. HTTPS only, as all that follow.
        #[serde(rename = "XForwardedForClientCertSubjectDNEnabled")]
        x_forwarded_for_client_cert_subject_dn_enabled: Option<bool>,
        /// Alias of the subject's header.
        #[serde(rename = "XForwardedForClientCertSubjectDNAlias")]
        x_forwarded_for_client_cert_subject_dn_alias: Option<String>,
        /// Issuer of the client's certificate.
        #[serde(rename = "XForwardedForClientCertIssuerDNEnabled")]
        x_forwarded_for_client_cert_issuer_dn_enabled: Option<bool>,
        /// Alias of the issuer's header.
        #[serde(rename = "XForwardedForClientCertIssuerDNAlias")]
        x_forwarded_for_client_cert_issuer_dn_alias: Option<String>,
        /// Fingerprint of the client's certificate.
        x_forwarded_for_client_cert_fingerprint_enabled: Option<bool>,
        /// Alias of the fingerprint's header.
        x_forwarded_for_client_cert_fingerprint_alias: Option<String>,
        /// Result of verifying the client's certificate.
        x_forwarded_for_client_cert_client_verify_enabled: Option<bool>,
        /// Alias of the result's header.
        x_forwarded_for_client_cert_client_verify_alias: Option<String>,
    }

    /// Tracing in the access log.
    AccessLogTracingConfig {
        /// Whether it is on.
        tracing_enabled: bool,
        /// Requests traced out of 10,000, 1–10000.
        tracing_sample: Option<i32>,
        /// `Zipkin`.
        tracing_type: Option<String>,
    }

    /// Answer of [`super::CreateListener`].
    CreateListenerResponse {
        /// The new listener's id (`lsn-…`).
        listener_id: String,
        /// The job to wait for.
        job_id: Option<String>,
        /// Id of this request.
        request_id: String,
    }

    /// Answer of [`super::ListListeners`].
    ListListenersResponse {
        /// This page's listeners. Certificates and ACLs are not listed; see [`super::GetListenerAttribute`].
        listeners: Vec<Listener>,
        /// Page size.
        max_results: Option<i32>,
        /// Where to go on; empty on the last page.
        next_token: Option<String>,
        /// Number of listeners on all pages.
        total_count: Option<i32>,
        /// Id of this request.
        request_id: String,
    }

    /// A listener as it is.
    Listener {
        /// Listener id.
        listener_id: String,
        /// Load balancer it belongs to.
        load_balancer_id: String,
        /// Port.
        listener_port: i32,
        /// `HTTP`, `HTTPS` or `QUIC`.
        listener_protocol: String,
        /// `Provisioning`, `Running`, `Configuring`, `Stopped` or `Deleting`.
        listener_status: String,
        /// Description.
        listener_description: String,
        /// Default action.
        default_actions: Vec<DefaultAction>,
        /// Server certificates; only from [`super::GetListenerAttribute`].
        certificates: Vec<CertificateId>,
        /// CA certificates; only from [`super::GetListenerAttribute`].
        ca_certificates: Vec<CaCertificate>,
        /// Whether clients need a certificate; only from [`super::GetListenerAttribute`].
        ca_enabled: Option<bool>,
        /// Access control; only from [`super::GetListenerAttribute`].
        acl_config: Option<AclConfig>,
        /// Whether answers are compressed.
        gzip_enabled: Option<bool>,
        /// Whether HTTP/2 is offered.
        http2_enabled: Option<bool>,
        /// Seconds an idle connection is kept.
        idle_timeout: Option<i32>,
        /// Seconds a server may take to answer.
        request_timeout: Option<i32>,
        /// TLS security policy id.
        security_policy_id: Option<String>,
        /// Access log.
        log_config: Option<LogConfig>,
        /// QUIC listener that is offered.
        quic_config: Option<QuicConfig>,
        /// Headers that tell servers about the client.
        x_forwarded_for_config: Option<XForwardedForConfig>,
        /// Tags.
        tags: Vec<Tag>,
    }

    /// A CA certificate of a listener.
    CaCertificate {
        /// Certificate id.
        certificate_id: String,
        /// Whether it is the default.
        is_default: Option<bool>,
        /// `Associating`, `Associated` or `Diassociating` (the spelling varies).
        status: String,
    }

    /// Access control of a listener.
    AclConfig {
        /// `White` or `Black`.
        acl_type: String,
        /// Its ACLs.
        acl_relations: Vec<AclRelation>,
    }

    /// An ACL of a listener.
    AclRelation {
        /// ACL id.
        acl_id: String,
        /// `Associating`, `Associated` or `Dissociating`.
        status: String,
    }

    /// What a listener writes to the access log.
    LogConfig {
        /// Whether custom headers are written.
        access_log_record_customized_headers_enabled: Option<bool>,
        /// Tracing.
        access_log_tracing_config: Option<AccessLogTracingConfig>,
    }

    /// Answer of [`super::ListListenerCertificates`].
    ListListenerCertificatesResponse {
        /// This page's certificates.
        certificates: Vec<ListenerCertificate>,
        /// Page size.
        max_results: Option<i32>,
        /// Where to go on; empty on the last page.
        next_token: Option<String>,
        /// Number of certificates on all pages.
        total_count: Option<i32>,
        /// Id of this request.
        request_id: String,
    }

    /// A certificate of a listener.
    ListenerCertificate {
        /// Certificate id.
        certificate_id: String,
        /// `Server` or `Ca`.
        certificate_type: String,
        /// Whether it is the one for clients that name no known host.
        is_default: Option<bool>,
        /// `Associating`, `Associated` or `Diassociating` (the spelling varies).
        status: String,
    }
}

/// Answer of [`super::GetListenerAttribute`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GetListenerAttributeResponse {
    /// The listener.
    #[serde(flatten)]
    pub listener: Listener,
    /// Id of this request.
    #[serde(rename = "RequestId")]
    pub request_id: String,
}

impl<'de> Deserialize<'de> for GetListenerAttributeResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (listener, request_id) = crate::lenient::with_request_id(deserializer)?;
        Ok(Self { listener, request_id })
    }
}
