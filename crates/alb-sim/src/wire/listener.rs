//! Listener attributes.

use super::wire;

wire! {
    /// What `CreateListener` and `UpdateListenerAttribute` set.
    ListenerAttributes {
        listener_description: String,
        default_actions: Vec<DefaultAction>,
        certificates: Vec<CertificateId>,
        ca_enabled: bool,
        ca_certificates: Vec<CertificateId>,
        gzip_enabled: bool,
        http2_enabled: bool,
        idle_timeout: i64,
        request_timeout: i64,
        security_policy_id: String,
        quic_config: QuicConfig,
        #[serde(rename = "XForwardedForConfig")]
        x_forwarded_for_config: XForwardedForConfig,
    }

    DefaultAction {
        r#type: String,
        forward_group_config: DefaultForward,
    }

    DefaultForward {
        server_group_tuples: Vec<DefaultTuple>,
    }

    DefaultTuple {
        server_group_id: String,
    }

    CertificateId {
        certificate_id: String,
    }

    QuicConfig {
        quic_listener_id: String,
        quic_upgrade_enabled: bool,
    }

    XForwardedForConfig {
        #[serde(rename = "XForwardedForEnabled")]
        enabled: bool,
        #[serde(rename = "XForwardedForProcessingMode")]
        processing_mode: String,
        #[serde(rename = "XForwardedForHostEnabled")]
        host: bool,
        #[serde(rename = "XForwardedForProtoEnabled")]
        proto: bool,
        #[serde(rename = "XForwardedForSLBIdEnabled")]
        slb_id: bool,
        #[serde(rename = "XForwardedForSLBPortEnabled")]
        slb_port: bool,
        #[serde(rename = "XForwardedForClientSrcPortEnabled")]
        client_src_port: bool,
        #[serde(rename = "XForwardedForClientSourceIpsEnabled")]
        client_source_ips: bool,
        #[serde(rename = "XForwardedForClientSourceIpsTrusted")]
        client_source_ips_trusted: String,
        #[serde(rename = "XForwardedForClientCertSubjectDNEnabled")]
        subject_dn: bool,
        #[serde(rename = "XForwardedForClientCertSubjectDNAlias")]
        subject_dn_alias: String,
        #[serde(rename = "XForwardedForClientCertIssuerDNEnabled")]
        issuer_dn: bool,
        #[serde(rename = "XForwardedForClientCertIssuerDNAlias")]
        issuer_dn_alias: String,
        #[serde(rename = "XForwardedForClientCertFingerprintEnabled")]
        fingerprint: bool,
        #[serde(rename = "XForwardedForClientCertFingerprintAlias")]
        fingerprint_alias: String,
        #[serde(rename = "XForwardedForClientCertClientVerifyEnabled")]
        client_verify: bool,
        #[serde(rename = "XForwardedForClientCertClientVerifyAlias")]
        client_verify_alias: String,
    }

    /// What `UpdateListenerLogConfig` sets.
    LogConfig {
        access_log_record_customized_headers_enabled: bool,
        access_log_tracing_config: TracingConfig,
    }

    TracingConfig {
        tracing_enabled: bool,
        tracing_sample: i64,
        tracing_type: String,
    }
}

impl ListenerAttributes {
    /// The server group of the default action.
    pub(crate) fn default_group(&self) -> Option<&str> {
        let action = self.default_actions.as_ref()?.first()?;
        let tuples = action
            .forward_group_config
            .as_ref()?
            .server_group_tuples
            .as_ref()?;
        tuples.first()?.server_group_id.as_deref()
    }

    /// Ids of the server certificates named in the attributes; the first is the default one.
    pub(crate) fn certificate_ids(&self) -> impl Iterator<Item = &str> {
        self.certificates
            .iter()
            .flatten()
            .filter_map(|certificate| certificate.certificate_id.as_deref())
    }

    /// Ids of the CA certificates, when mutual TLS is on.
    pub(crate) fn ca_certificate_ids(&self) -> impl Iterator<Item = &str> {
        let on = self.ca_enabled == Some(true);
        self.ca_certificates
            .iter()
            .filter(move |_| on)
            .flatten()
            .filter_map(|certificate| certificate.certificate_id.as_deref())
    }
}
