//! `spec.listeners[]`.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Tag;

/// One listener of the ALB, identified by port and protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = crate::schema::require(&["port", "protocol"]))]
pub struct ListenerSpec {
    /// Port, 1 to 65535. Changing port or protocol deletes the listener and creates another.
    #[schemars(schema_with = "crate::schema::port")]
    pub port: IntOrString,
    /// Protocol. HTTPS and QUIC may share a port number.
    #[schemars(extend("enum" = ["HTTP", "HTTPS", "QUIC"]))]
    pub protocol: String,
    /// Description, 2 to 256 characters. Default: ingress-auto-listener-{port}.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub description: Option<String>,
    /// Certificates by id; the first, or the one marked default, is the default certificate, the others are chosen by
    /// server name. A list given here turns automatic discovery off for this listener.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub certificates: Vec<CertificateSpec>,
    /// The default certificate; it goes before certificates and works together with discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_certificate: Option<DefaultCertificate>,
    /// Ask clients for a certificate (mutual TLS). HTTPS only.
    pub ca_enabled: bool,
    /// The CA certificate that client certificates are checked with. At most one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1), extend("x-kubernetes-list-type" = "atomic"))]
    pub ca_certificates: Vec<CertificateSpec>,
    /// TLS policy: tls_cipher_policy_1_0, tls_cipher_policy_1_1, tls_cipher_policy_1_2, tls_cipher_policy_1_2_strict,
    /// tls_cipher_policy_1_2_strict_with_1_3, or the id of a custom policy (scp-... or spy-...). HTTPS only. Unset:
    /// tls_cipher_policy_1_0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(
        pattern = r"^(tls_cipher_policy_1_0|tls_cipher_policy_1_1|tls_cipher_policy_1_2|tls_cipher_policy_1_2_strict|tls_cipher_policy_1_2_strict_with_1_3|(scp|spy)-[0-9A-Za-z-]+)?$"
    ))]
    pub security_policy_id: Option<String>,
    /// Seconds an idle connection stays open, 1 to 60 (900 with a raised quota). 0 is the default, 15.
    #[schemars(range(min = 0, max = 900))]
    pub idle_timeout: i32,
    /// Seconds a backend may take to answer, 1 to 180 (3600 with a raised quota); then 504. 0 is the default, 60.
    #[schemars(range(min = 0, max = 3600))]
    pub request_timeout: i32,
    /// Compress answers.
    pub gzip_enabled: bool,
    /// Offer HTTP/2. HTTPS only.
    pub http2_enabled: bool,
    /// QUIC upgrade of an HTTPS listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quic_config: Option<QuicConfig>,
    /// X-Forwarded-* headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x_forwarded_for_config: Option<XForwardedForConfig>,
    /// Access control lists. Not together with securityGroupIds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl_config: Option<AclConfig>,
    /// Access log details; they need accessLogConfig.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_config: Option<ListenerLogConfig>,
    /// Tags on the listener. The cloud takes them only when the listener is created.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub tags: Vec<Tag>,
    /// Programmable scripts (AScript), for Standard and StandardWithWaf. The field names follow the OpenAPI; the managed
    /// controller's own schema is not published, so this part is unverified.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub a_script_config: Vec<AScript>,
}

impl Default for ListenerSpec {
    fn default() -> Self {
        Self {
            port: IntOrString::Int(80),
            protocol: "HTTP".into(),
            description: None,
            certificates: Vec::new(),
            default_certificate: None,
            ca_enabled: false,
            ca_certificates: Vec::new(),
            security_policy_id: None,
            idle_timeout: 15,
            request_timeout: 60,
            gzip_enabled: true,
            http2_enabled: true,
            quic_config: None,
            x_forwarded_for_config: None,
            acl_config: None,
            log_config: None,
            tags: Vec::new(),
            a_script_config: Vec::new(),
        }
    }
}

impl ListenerSpec {
    /// The port as a number, when it is one from 1 to 65535.
    pub fn port_number(&self) -> Option<u16> {
        match &self.port {
            IntOrString::Int(port) => u16::try_from(*port).ok(),
            IntOrString::String(text) => text.trim().parse().ok(),
        }
        .filter(|port| *port > 0)
    }
}

/// A certificate by id. Field names are capitalized, as the managed controller has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase", default)]
#[schemars(transform = crate::schema::require(&["CertificateId"]))]
pub struct CertificateSpec {
    /// Certificate id with its region, such as 1234-cn-hangzhou or 1234-ap-southeast-1.
    #[serde(alias = "certificateId")]
    #[schemars(length(min = 1))]
    pub certificate_id: String,
    /// Whether it is the listener's default certificate.
    #[serde(alias = "isDefault")]
    pub is_default: bool,
}

/// A listener's default certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = crate::schema::require(&["kind"]))]
pub struct DefaultCertificate {
    /// CertIdentifier: by id. Secret: from a Secret (its exact shape in the managed controller is unverified).
    #[schemars(extend("enum" = ["CertIdentifier", "Secret"]))]
    pub kind: String,
    /// Certificate id with its region. For kind CertIdentifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_id: Option<String>,
    /// Namespace of the Secret. For kind Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name of the Secret. For kind Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// QUIC upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct QuicConfig {
    /// Advertise HTTP/3 to clients of this HTTPS listener.
    pub quic_upgrade_enabled: bool,
    /// Id of the QUIC listener (lsn-...). Unset: the QUIC listener of the same AlbConfig.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quic_listener_id: Option<String>,
}

/// Headers that tell backends about the client. Field names are capitalized, as the managed controller has them. An
/// alias (1 to 40 lower-case letters, digits, - and _) takes effect only with its Enabled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct XForwardedForConfig {
    /// Send X-Forwarded-For.
    #[serde(rename = "XForwardedForEnabled")]
    pub enabled: bool,
    /// append: add the client to the header a request already has. remove: take the header off.
    #[serde(
        rename = "XForwardedForProcessingMode",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(extend("enum" = ["append", "remove"]))]
    pub processing_mode: Option<String>,
    /// Send X-Forwarded-Host.
    #[serde(rename = "XForwardedForHostEnabled")]
    pub host_enabled: bool,
    /// Send X-Forwarded-Proto.
    #[serde(rename = "XForwardedForProtoEnabled")]
    pub proto_enabled: bool,
    /// Send SLB-ID.
    #[serde(rename = "XForwardedForSLBIdEnabled")]
    pub slb_id_enabled: bool,
    /// Send X-Forwarded-Port.
    #[serde(rename = "XForwardedForSLBPortEnabled")]
    pub slb_port_enabled: bool,
    /// Send X-Forwarded-Client-srcport.
    #[serde(rename = "XForwardedForClientSrcPortEnabled")]
    pub client_src_port_enabled: bool,
    /// Take the client's address from X-Forwarded-For.
    #[serde(rename = "XForwardedForClientSourceIpsEnabled")]
    pub client_source_ips_enabled: bool,
    /// Proxies trusted for that: addresses and CIDR blocks, semicolon-separated.
    #[serde(
        rename = "XForwardedForClientSourceIpsTrusted",
        skip_serializing_if = "Option::is_none"
    )]
    pub client_source_ips_trusted: Option<String>,
    /// Send the client certificate's subject. HTTPS only, as all that follow.
    #[serde(rename = "XForwardedForClientCertSubjectDNEnabled")]
    pub client_cert_subject_dn_enabled: bool,
    /// Header name for it.
    #[serde(
        rename = "XForwardedForClientCertSubjectDNAlias",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(regex(pattern = r"^[a-z0-9_-]{0,40}$"))]
    pub client_cert_subject_dn_alias: Option<String>,
    /// Send the client certificate's issuer.
    #[serde(rename = "XForwardedForClientCertIssuerDNEnabled")]
    pub client_cert_issuer_dn_enabled: bool,
    /// Header name for it.
    #[serde(
        rename = "XForwardedForClientCertIssuerDNAlias",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(regex(pattern = r"^[a-z0-9_-]{0,40}$"))]
    pub client_cert_issuer_dn_alias: Option<String>,
    /// Send the client certificate's fingerprint.
    #[serde(rename = "XForwardedForClientCertFingerprintEnabled")]
    pub client_cert_fingerprint_enabled: bool,
    /// Header name for it.
    #[serde(
        rename = "XForwardedForClientCertFingerprintAlias",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(regex(pattern = r"^[a-z0-9_-]{0,40}$"))]
    pub client_cert_fingerprint_alias: Option<String>,
    /// Send the result of the client certificate's verification.
    #[serde(rename = "XForwardedForClientCertClientVerifyEnabled")]
    pub client_cert_client_verify_enabled: bool,
    /// Header name for it.
    #[serde(
        rename = "XForwardedForClientCertClientVerifyAlias",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(regex(pattern = r"^[a-z0-9_-]{0,40}$"))]
    pub client_cert_client_verify_alias: Option<String>,
}

/// Access control lists of a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = crate::schema::require(&["aclType"]))]
pub struct AclConfig {
    /// White: only listed addresses may enter. Black: listed addresses may not.
    #[schemars(extend("enum" = ["White", "Black"]))]
    pub acl_type: String,
    /// CIDR blocks of a list that the controller creates, at most 500.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "atomic"))]
    pub acl_entries: Vec<String>,
    /// Existing lists (acl-...), at most 3.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3), extend("x-kubernetes-list-type" = "atomic"))]
    pub acl_ids: Vec<String>,
    /// Name of the list made from aclEntries. Default: one is made from the AlbConfig and the port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub acl_name: Option<String>,
}

/// Access log details of a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerLogConfig {
    /// Record custom headers.
    pub access_log_record_customized_headers_enabled: bool,
    /// Tracing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log_tracing_config: Option<AccessLogTracing>,
}

/// Tracing of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AccessLogTracing {
    /// Whether requests are traced.
    pub tracing_enabled: bool,
    /// Traced requests in 10,000, 1 to 10000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub tracing_sample: Option<i32>,
    /// Kind of tracing; Zipkin is the only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["Zipkin"]))]
    pub tracing_type: Option<String>,
}

/// A programmable script.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = crate::schema::require(&["aScriptName", "scriptContent"]))]
pub struct AScript {
    /// Name, 2 to 124 characters, unique on the listener.
    #[schemars(length(min = 2, max = 124))]
    pub a_script_name: String,
    /// Source text, in ALB's script language.
    pub script_content: String,
    /// Whether it runs.
    pub enabled: bool,
    /// Where it runs. Default: RequestHead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["RequestHead", "RequestFoot", "ResponseHead"]))]
    pub position: Option<String>,
    /// Whether extAttributes apply.
    pub ext_attribute_enabled: bool,
    /// Extended attributes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ext_attributes: Vec<AScriptAttribute>,
}

/// An extended attribute of a script.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = crate::schema::require(&["attributeKey"]))]
pub struct AScriptAttribute {
    /// Key; EsDebug is the only documented one.
    pub attribute_key: String,
    /// Value.
    pub attribute_value: String,
}
