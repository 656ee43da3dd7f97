//! Operations of Certificate Management Service, API version 2020-04-07.

use crate::Sensitive;
use crate::operation::{operations, shapes};

operations! { Cas;
    /// Uploads a certificate. Names are unique in an account. All parameters, the private key too, travel in the query
    /// string, as the API documents it: keep URLs out of the logs of proxies on the way.
    UploadUserCertificate: Create -> UploadUserCertificateResponse {
        /// Name, at most 64 characters.
        name: String,
        /// Certificate chain, PEM.
        cert: Option<String>,
        /// Private key, PEM.
        key: Option<Sensitive>,
        /// Encryption certificate of an SM2 pair, PEM.
        encrypt_cert: Option<String>,
        /// Encryption key of an SM2 pair, PEM.
        encrypt_private_key: Option<Sensitive>,
        /// Signing certificate of an SM2 pair, PEM.
        sign_cert: Option<String>,
        /// Signing key of an SM2 pair, PEM.
        sign_private_key: Option<Sensitive>,
        /// Resource group id (`rg-…`).
        resource_group_id: Option<String>,
        /// Tags.
        tags: Vec<crate::alb::Tag>,
    }

    /// Lists certificates and orders. Limited to 10 requests per second in an account.
    ListUserCertificateOrder: Read -> ListUserCertificateOrderResponse {
        /// `CERT` (issued and uploaded), `UPLOAD`, `CPACK` (default) or `BUY`.
        order_type: Option<String>,
        /// Status; with `CERT` and `UPLOAD`, unset means valid ones only.
        status: Option<String>,
        /// Part of a name, host or instance id.
        keyword: Option<String>,
        /// Resource group id.
        resource_group_id: Option<String>,
        /// Page, from 1.
        current_page: Option<i32>,
        /// Page size, default 50.
        show_size: Option<i32>,
    }

    /// Reads one certificate.
    GetUserCertificateDetail: Read -> GetUserCertificateDetailResponse {
        /// Certificate number.
        cert_id: i64,
        /// True leaves certificate and key out of the answer.
        cert_filter: Option<bool>,
    }

    /// Deletes an uploaded certificate.
    DeleteUserCertificate: Delete -> DeleteUserCertificateResponse {
        /// Certificate number.
        cert_id: i64,
    }

    /// Lists certificates of the certificate repositories.
    ListCert: Read -> ListCertResponse {
        /// Part of a name or host.
        key_word: Option<String>,
        /// `ISSUE` or `REVOKE`.
        status: Option<String>,
        /// `upload` or `aliyun`.
        source_type: Option<String>,
        /// `CA` or `CERT`.
        cert_type: Option<String>,
        /// Repository number.
        warehouse_id: Option<i64>,
        /// Page, from 1.
        current_page: Option<i32>,
        /// Page size, default 50.
        show_size: Option<i32>,
    }
}

/// Implements [`crate::Paged`] for operations with `CurrentPage` and `ShowSize`.
macro_rules! paged_by_number {
    ($($name:ident => $list:ident: $item:ty;)*) => {$(
        impl crate::Paged for $name {
            type Item = $item;

            fn advance(&mut self, response: &Self::Response) -> bool {
                let page = self.current_page.unwrap_or(1).max(1);
                let size = response.show_size.or(self.show_size).unwrap_or(50).max(1);
                self.current_page = Some(page.saturating_add(1));
                let seen = i64::from(page) * i64::from(size);
                !response.$list.is_empty() && response.total_count.is_some_and(|total| seen < total)
            }

            fn into_items(response: Self::Response) -> Vec<$item> {
                response.$list
            }
        }
    )*};
}

paged_by_number! {
    ListUserCertificateOrder => certificate_order_list: CertificateOrder;
    ListCert => cert_list: Cert;
}

shapes! {
    /// Answer of [`UploadUserCertificate`].
    UploadUserCertificateResponse {
        /// Certificate number. ALB wants it with the site's region: `<number>-cn-hangzhou` for the China site,
        /// `<number>-ap-southeast-1` for the international one.
        cert_id: i64,
        /// Resource id.
        resource_id: Option<String>,
        /// Id of this request.
        request_id: String,
    }

    /// Answer of [`DeleteUserCertificate`].
    DeleteUserCertificateResponse {
        /// Id of this request.
        request_id: String,
    }

    /// Answer of [`ListUserCertificateOrder`].
    ListUserCertificateOrderResponse {
        /// This page's certificates and orders.
        certificate_order_list: Vec<CertificateOrder>,
        /// Page, from 1.
        current_page: Option<i32>,
        /// Page size.
        show_size: Option<i32>,
        /// Number of entries on all pages.
        total_count: Option<i64>,
        /// Id of this request.
        request_id: String,
    }

    /// A certificate, or the order of one.
    CertificateOrder {
        /// Certificate number.
        certificate_id: Option<i64>,
        /// Name.
        name: String,
        /// Common name.
        common_name: String,
        /// Subject alternative names, separated by commas.
        sans: String,
        /// Key algorithm, such as `RSA` or `ECC`.
        algorithm: Option<String>,
        /// `UPLOAD` or `BUY`-like source; documented loosely.
        source_type: Option<String>,
        /// Whether it was uploaded.
        upload: Option<bool>,
        /// Whether it has expired.
        expired: Option<bool>,
        /// First day, `yyyy-mm-dd`.
        start_date: Option<String>,
        /// Last day, `yyyy-mm-dd`.
        end_date: Option<String>,
        /// Start of validity, milliseconds since 1970-01-01 UTC.
        cert_start_time: Option<i64>,
        /// End of validity, milliseconds since 1970-01-01 UTC.
        cert_end_time: Option<i64>,
        /// SHA-1 fingerprint.
        fingerprint: Option<String>,
        /// SHA-256 fingerprint.
        sha2: Option<String>,
        /// Serial number.
        serial_no: Option<String>,
        /// Issuer.
        issuer: Option<String>,
        /// Organisation.
        org_name: Option<String>,
        /// Instance id.
        instance_id: Option<String>,
        /// Order number.
        order_id: Option<i64>,
        /// Host name of an order.
        domain: Option<String>,
        /// Status of an order.
        status: Option<String>,
        /// Kind of certificate.
        cert_type: Option<String>,
        /// Resource group id.
        resource_group_id: Option<String>,
    }

    /// Answer of [`GetUserCertificateDetail`].
    GetUserCertificateDetailResponse {
        /// Certificate number.
        id: i64,
        /// Name.
        name: String,
        /// Number and region, `123-cn-hangzhou`: the form ALB wants.
        cert_identifier: Option<String>,
        /// Common name.
        common: String,
        /// Subject alternative names, separated by commas.
        sans: String,
        /// Key algorithm.
        algorithm: Option<String>,
        /// Start of validity, milliseconds since 1970-01-01 UTC.
        not_before: Option<i64>,
        /// End of validity, milliseconds since 1970-01-01 UTC.
        not_after: Option<i64>,
        /// First day, `yyyy-mm-dd`.
        start_date: Option<String>,
        /// Last day, `yyyy-mm-dd`.
        end_date: Option<String>,
        /// Whether it has expired.
        expired: Option<bool>,
        /// Whether it was bought from Alibaba Cloud.
        buy_in_aliyun: Option<bool>,
        /// SHA-1 fingerprint.
        fingerprint: Option<String>,
        /// SHA-256 fingerprint.
        sha2: Option<String>,
        /// Serial number.
        serial_no: Option<String>,
        /// Issuer.
        issuer: Option<String>,
        /// Organisation.
        org_name: Option<String>,
        /// Instance id.
        instance_id: Option<String>,
        /// Resource group id.
        resource_group_id: Option<String>,
        /// Certificate chain, PEM.
        cert: Option<String>,
        /// Private key, PEM.
        key: Option<Sensitive>,
        /// Tags.
        tags: Vec<CertificateTag>,
        /// Id of this request.
        request_id: String,
    }

    /// A tag of a certificate.
    CertificateTag {
        /// Key.
        tag_key: String,
        /// Value.
        tag_value: String,
    }

    /// Answer of [`ListCert`].
    ListCertResponse {
        /// This page's certificates.
        cert_list: Vec<Cert>,
        /// Page, from 1.
        current_page: Option<i32>,
        /// Page size.
        show_size: Option<i32>,
        /// Number of certificates on all pages.
        total_count: Option<i64>,
        /// Id of this request.
        request_id: String,
    }

    /// A certificate of a repository.
    Cert {
        /// Identifier.
        identifier: String,
        /// Common name.
        common_name: String,
        /// Subject alternative names, separated by commas.
        sans: String,
        /// Start of validity, milliseconds since 1970-01-01 UTC.
        before_date: Option<i64>,
        /// End of validity, milliseconds since 1970-01-01 UTC.
        after_date: Option<i64>,
        /// Issuer.
        issuer: Option<String>,
        /// `CA` or `CERT`.
        cert_type: Option<String>,
        /// `upload` or `aliyun`.
        source_type: Option<String>,
        /// `ISSUE` or `REVOKE`.
        status: Option<String>,
        /// Whether the private key is there.
        exist_private_key: Option<bool>,
        /// Repository number.
        wh_id: Option<i64>,
        /// Repository instance id.
        wh_instance_id: Option<String>,
    }
}
