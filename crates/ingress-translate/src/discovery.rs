//! Which of an account's certificates serves a host.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What the names of certificates start with that a controller uploaded from Secrets. Discovery leaves them out: they
/// vanish with their Secrets.
pub const UPLOADED_PREFIX: &str = "k8s-alb-";

/// One certificate of the account's certificate service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountCertificate {
    /// Id as ALB wants it, with the region suffix: `1234-cn-hangzhou`.
    pub id: String,
    /// Its number; a larger one was issued or uploaded later.
    pub number: i64,
    /// Its name in the certificate service.
    pub name: String,
    /// Common name and subject alternative names.
    pub domains: Vec<String>,
    /// End of validity, Unix seconds.
    pub not_after_s: i64,
    /// Key algorithm, as far as it is told: `RSA`, `ECC`, `SM2`.
    pub algorithm: String,
}

/// The certificates of an account at one moment, ready to be chosen from.
///
/// ```
/// use ingress_translate::{AccountCertificate, AccountCertificates};
///
/// let certificate = |number, domain: &str, not_after_s| AccountCertificate {
///     id: format!("{number}-cn-hangzhou"),
///     number,
///     domains: vec![domain.to_owned()],
///     not_after_s,
///     ..AccountCertificate::default()
/// };
/// let now_s = 1_000;
/// let account = AccountCertificates::new(
///     [
///         certificate(1, "*.example.com", 9_000),
///         certificate(2, "www.example.com", 5_000),
///         certificate(3, "www.example.com", 6_000),
///         certificate(4, "www.example.com", 900),
///     ],
///     now_s,
/// );
/// assert_eq!(account.best("www.example.com").unwrap().number, 3); // exact before wildcard, then the latest expiry
/// assert_eq!(account.best("api.example.com").unwrap().number, 1);
/// assert!(account.best("a.b.example.com").is_none()); // a wildcard is for one label
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountCertificates {
    usable: Vec<AccountCertificate>,
    /// Place in `usable` of the best certificate with a name, the name as it stands in the certificate.
    by_name: BTreeMap<String, usize>,
    /// An expired certificate with a name, for the message of a host that has no other.
    expired: BTreeMap<String, String>,
    refusal: Option<String>,
}

impl AccountCertificates {
    /// Sorts out what can serve at a moment (Unix seconds): not expired, not SM2 (which ALB's listeners do not take), and
    /// not uploaded by a controller.
    pub fn new(certificates: impl IntoIterator<Item = AccountCertificate>, now_s: i64) -> Self {
        let mut account = Self::default();
        let mut certificates: Vec<AccountCertificate> = certificates
            .into_iter()
            .filter(|c| !c.name.starts_with(UPLOADED_PREFIX) && !c.algorithm.eq_ignore_ascii_case("SM2"))
            .collect();
        // Best first, so that the first with a name is the one to take.
        certificates.sort_by(|a, b| {
            let rank = |c: &AccountCertificate| Reverse((c.not_after_s, c.number));
            rank(a).cmp(&rank(b)).then_with(|| a.id.cmp(&b.id))
        });
        for certificate in certificates {
            let names = certificate.domains.iter().map(|name| name.to_ascii_lowercase());
            if certificate.not_after_s <= now_s {
                for name in names {
                    account
                        .expired
                        .entry(name)
                        .or_insert_with(|| certificate.id.clone());
                }
                continue;
            }
            let place = account.usable.len();
            for name in names {
                account.by_name.entry(name).or_insert(place);
            }
            account.usable.push(certificate);
        }
        account
    }

    /// No certificates, because the certificate service refuses to list them.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self {
            refusal: Some(reason.into()),
            ..Self::default()
        }
    }

    /// The certificate for a host: one that names it goes before a wildcard of its domain, which covers exactly one label.
    /// A wildcard host is served only by a certificate that names the same wildcard.
    pub fn best(&self, host: &str) -> Option<&AccountCertificate> {
        look_up(&self.by_name, host).and_then(|place| self.usable.get(*place))
    }

    /// The certificate with an id, if it can serve.
    pub fn get(&self, id: &str) -> Option<&AccountCertificate> {
        self.usable.iter().find(|certificate| certificate.id == id)
    }

    /// Why there is none for a host, as the end of a sentence.
    pub(crate) fn why_not(&self, host: &str) -> String {
        if let Some(reason) = &self.refusal {
            return format!("the certificates of the account cannot be listed: {reason}");
        }
        match look_up(&self.expired, host) {
            Some(id) => format!("certificate {id} of the account names it but has expired"),
            None => format!(
                "none of the account's {} valid certificates covers it",
                self.usable.len()
            ),
        }
    }
}

fn look_up<'a, T>(names: &'a BTreeMap<String, T>, host: &str) -> Option<&'a T> {
    let host = host.to_ascii_lowercase();
    names.get(&host).or_else(|| {
        let (label, rest) = host.split_once('.')?;
        if label.is_empty() || label == "*" {
            return None;
        }
        names.get(&format!("*.{rest}"))
    })
}
