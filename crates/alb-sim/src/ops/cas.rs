//! The certificate service (CAS 2020-04-07): upload, list, read, delete.

mod parse;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Call, Operation, check};
use crate::api::{ApiError, ApiResult};
use crate::state::{Certificate, Store};
use crate::wire::Tag;

pub(super) fn find(action: &str) -> Option<Operation> {
    Some(match action {
        "UploadUserCertificate" => upload,
        "DeleteUserCertificate" => delete,
        "GetUserCertificateDetail" => get,
        "ListUserCertificateOrder" => list_orders,
        "ListCert" => list_certs,
        _ => return None,
    })
}

/// What identifiers end with: ALB wants certificates of the China site with `-cn-hangzhou`, others with
/// `-ap-southeast-1`.
fn identifier_suffix(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "cn-hangzhou"
    } else {
        "ap-southeast-1"
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Upload {
    name: String,
    cert: String,
    key: String,
    sign_cert: Option<String>,
    encrypt_cert: Option<String>,
    resource_group_id: Option<String>,
    tags: Vec<Tag>,
}

fn upload(call: &mut Call<'_>) -> Answer {
    let upload: Upload = call.parse()?;
    if upload.sign_cert.is_some() || upload.encrypt_cert.is_some() {
        return Err(ApiError::illegal(
            "SignCert",
            "SM2 certificates are not simulated",
        ));
    }
    check::length("Name", &upload.name, &(1..=64))?;
    for (name, text) in [("Cert", &upload.cert), ("Key", &upload.key)] {
        if text.is_empty() {
            return Err(ApiError::missing(name));
        }
    }
    let existing = call
        .store
        .certificates
        .values()
        .find(|c| !c.deleted && c.name == upload.name);
    if existing.is_some() {
        // The name of this error is unverified.
        return Err(ApiError::bad_request(
            "NameRepeat",
            format!("The certificate name {} already exists.", upload.name),
        ));
    }
    let parsed = parse::certificate(&upload.cert, &upload.key)?;
    let tags = check::tags(Some(&upload.tags))?;
    call.commit()?;
    let id = call.store.ids.certificate();
    let certificate = Certificate {
        id,
        identifier: format!("{id}-{}", identifier_suffix(&call.config.region)),
        name: upload.name,
        resource_group_id: upload.resource_group_id,
        tags,
        deleted: false,
        common_name: parsed.common_name,
        sans: parsed.sans,
        algorithm: parsed.algorithm,
        issuer: parsed.issuer,
        serial: parsed.serial,
        not_before: parsed.not_before,
        not_after: parsed.not_after,
        sha1: parsed.sha1,
        sha256: parsed.sha256,
        pem: parsed.pem,
    };
    call.store.certificates.insert(id, certificate);
    call.store.touch_certificates();
    Ok(json!({ "CertId": id, "ResourceId": format!("cas-upload-{id}") }))
}

/// The certificate with the number that the call names.
fn named<'a>(call: &'a Call<'_>) -> ApiResult<&'a Certificate> {
    let id = call.params["CertId"].as_i64().unwrap_or_default();
    call.store
        .certificates
        .get(&id)
        .filter(|certificate| !certificate.deleted)
        // The name of this error is unverified.
        .ok_or_else(|| {
            ApiError::new(
                axum::http::StatusCode::NOT_FOUND,
                "NotFound",
                format!("The certificate {id} is not found."),
            )
        })
}

fn delete(call: &mut Call<'_>) -> Answer {
    let id = named(call)?.id;
    call.commit()?;
    let used = uses(call.store, id);
    if used {
        // Listeners keep what they serve.
        if let Some(certificate) = call.store.certificates.get_mut(&id) {
            certificate.deleted = true;
        }
    } else {
        call.store.certificates.remove(&id);
        call.store.touch_certificates();
    }
    Ok(json!({}))
}

/// Whether a listener uses the certificate.
fn uses(store: &Store, id: i64) -> bool {
    let Some(certificate) = store.certificates.get(&id) else {
        return false;
    };
    store.listeners.values().any(|listener| {
        let pending = listener
            .pending
            .iter()
            .flat_map(crate::wire::ListenerAttributes::certificate_ids);
        listener
            .attributes
            .certificate_ids()
            .chain(pending)
            .chain(listener.extra_certificates.keys().map(String::as_str))
            .any(|used| used == certificate.identifier)
    })
}

fn get(call: &mut Call<'_>) -> Answer {
    let certificate = named(call)?;
    let mut answer = json!({
        "Id": certificate.id,
        "Name": certificate.name,
        "CertIdentifier": certificate.identifier,
        "Algorithm": certificate.algorithm,
        "Common": certificate.common_name,
        "Sans": certificate.sans.join(","),
        "Issuer": certificate.issuer,
        "SerialNo": certificate.serial,
        "Fingerprint": certificate.sha1,
        "Sha2": certificate.sha256,
        "StartDate": date(certificate.not_before),
        "EndDate": date(certificate.not_after),
        "NotBefore": certificate.not_before.as_millisecond(),
        "NotAfter": certificate.not_after.as_millisecond(),
        "Expired": certificate.not_after < call.now,
        "BuyInAliyun": false,
        "ResourceGroupId": certificate.resource_group_id.as_deref().unwrap_or("rg-default"),
        "Tags": certificate
            .tags
            .iter()
            .map(|(key, value)| json!({ "TagKey": key, "TagValue": value }))
            .collect::<Vec<_>>(),
    });
    // The real service gives the key back, too. The simulator never does.
    if call.params["CertFilter"].as_bool() != Some(true) {
        answer["Cert"] = certificate.pem.chain_pem.as_str().into();
    }
    Ok(answer)
}

/// `2024-01-31`.
fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

/// Pages by number: `CurrentPage` from 1, `ShowSize` 1–1000, default 50.
fn page(call: &Call<'_>, items: &[Value], list: &str) -> Answer {
    let number = call.params["CurrentPage"].as_i64().unwrap_or(1);
    let size = call.params["ShowSize"].as_i64().unwrap_or(50);
    check::range("CurrentPage", number, &(1..=i64::from(i32::MAX)))?;
    check::range("ShowSize", size, &(1..=1000_i64))?;
    let from = (number as usize - 1).saturating_mul(size as usize);
    let shown: Vec<&Value> = items.iter().skip(from).take(size as usize).collect();
    Ok(json!({ list: shown, "CurrentPage": number, "ShowSize": size, "TotalCount": items.len() }))
}

/// Certificates whose name or domains hold the keyword.
fn search<'a>(call: &'a Call<'_>, keyword: &str) -> impl Iterator<Item = &'a Certificate> {
    let keyword = keyword.to_owned();
    call.store.certificates.values().filter(move |certificate| {
        !certificate.deleted
            && (certificate.name.contains(&keyword)
                || certificate.common_name.contains(&keyword)
                || certificate.sans.iter().any(|san| san.contains(&keyword)))
    })
}

fn list_orders(call: &mut Call<'_>) -> Answer {
    let kind = call.optional("OrderType").unwrap_or("CPACK");
    check::one_of("OrderType", kind, &["CPACK", "BUY", "UPLOAD", "CERT"])?;
    let status = call.optional("Status").unwrap_or_default();
    let group = call.optional("ResourceGroupId");
    let valid = |certificate: &Certificate| match status {
        // Without a status only valid ones are listed.
        "" => certificate.not_after >= call.now,
        "EXPIRED" => certificate.not_after < call.now,
        "ISSUED" => certificate.not_after >= call.now,
        _ => false,
    };
    let found: Vec<Value> = search(call, call.optional("Keyword").unwrap_or_default())
        // Only uploads exist here: there is nothing bought, and no order.
        .filter(|_| matches!(kind, "UPLOAD" | "CERT"))
        .filter(|certificate| valid(certificate))
        .filter(|certificate| {
            group.is_none_or(|wanted| certificate.resource_group_id.as_deref() == Some(wanted))
        })
        .map(|certificate| {
            json!({
                "CertificateId": certificate.id,
                "Name": certificate.name,
                "CommonName": certificate.common_name,
                "Sans": certificate.sans.join(","),
                "Algorithm": certificate.algorithm,
                "Issuer": certificate.issuer,
                "SerialNo": certificate.serial,
                "Fingerprint": certificate.sha1,
                "Sha2": certificate.sha256,
                "StartDate": date(certificate.not_before),
                "EndDate": date(certificate.not_after),
                "CertStartTime": certificate.not_before.as_millisecond(),
                "CertEndTime": certificate.not_after.as_millisecond(),
                "Expired": certificate.not_after < call.now,
                "Upload": true,
                "InstanceId": format!("cas-upload-{}", certificate.id),
                "Status": if certificate.not_after < call.now { "EXPIRED" } else { "ISSUED" },
                "ResourceGroupId": certificate.resource_group_id.as_deref().unwrap_or("rg-default"),
            })
        })
        .collect();
    page(call, &found, "CertificateOrderList")
}

fn list_certs(call: &mut Call<'_>) -> Answer {
    let kind = call.optional("CertType").unwrap_or("CERT");
    let source = call.optional("SourceType").unwrap_or("upload");
    let status = call.optional("Status").unwrap_or("ISSUE");
    let found: Vec<Value> = search(call, call.optional("KeyWord").unwrap_or_default())
        .filter(|_| kind == "CERT" && source == "upload" && status == "ISSUE")
        .map(|certificate| {
            json!({
                "Identifier": certificate.identifier,
                "CommonName": certificate.common_name,
                "Sans": certificate.sans.join(","),
                "Issuer": certificate.issuer,
                "BeforeDate": certificate.not_before.as_millisecond(),
                "AfterDate": certificate.not_after.as_millisecond(),
                "CertType": "CERT",
                "SourceType": "upload",
                "Status": "ISSUE",
                "ExistPrivateKey": true,
            })
        })
        .collect();
    page(call, &found, "CertList")
}
