//! The certificates of the account, for discovery by host: read when a host needs one, then kept fresh.

use std::time::Duration;

use alb_api::{Client, Error, ErrorClass, cas};
use alb_plan::Resolved;
use futures::try_join;
use ingress_translate::{AccountCertificate, AccountCertificates};
use k8s_openapi::jiff::{Timestamp, civil::Date, tz::TimeZone};
use rand::RngExt;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// How urgently the list is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// No host of any gateway depends on it.
    #[default]
    None,
    /// Hosts are served with certificates from it.
    Fresh,
    /// A host lacks a certificate, or it is not known yet which there are.
    Lacking,
}

/// Pauses between two reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pauses {
    /// While all hosts have certificates.
    pub(crate) fresh: Duration,
    /// While one lacks a certificate.
    pub(crate) lacking: Duration,
}

/// The longest pause after reads that failed in a row.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Reads the list when it is needed and sends it each time; ends with `stop`.
pub(crate) async fn keep_reading(
    client: Client,
    pauses: Pauses,
    mut need: watch::Receiver<Need>,
    out: mpsc::UnboundedSender<AccountCertificates>,
    stop: CancellationToken,
) {
    let reading = async {
        let mut last: Option<Instant> = None;
        let mut failures = 0;
        loop {
            let now = *need.borrow_and_update();
            let pause = match now {
                Need::None => None,
                Need::Fresh => Some(pauses.fresh),
                Need::Lacking => Some(pauses.lacking),
            };
            let due = pause.map(|pause| last.map_or_else(Instant::now, |last| last + pause));
            tokio::select! {
                changed = need.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                () = at(due) => {}
            }
            let (list, wait) = match read(&client).await {
                Ok(account) => {
                    failures = 0;
                    (Some(account), Duration::ZERO)
                }
                Err(error) => {
                    failures += 1;
                    judge(&error, failures)
                }
            };
            if let Some(list) = list
                && out.send(list).is_err()
            {
                return;
            }
            sleep_until(Instant::now() + wait).await;
            // A read that failed for a while is made again as soon as its pause is over.
            last = if failures == 0 || wait.is_zero() {
                Some(Instant::now())
            } else {
                None
            };
        }
    };
    stop.run_until_cancelled(reading).await;
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// What a failed read means: a refusal is an answer, all else passes and is tried again after a growing pause.
fn judge(error: &Error, failures: u32) -> (Option<AccountCertificates>, Duration) {
    let growing = Duration::from_millis(500) * 2_u32.saturating_pow(failures.min(10));
    let growing = growing
        .min(LONGEST_PAUSE)
        .mul_f64(1.0 + rand::rng().random_range(0.0..0.2));
    match error.class() {
        ErrorClass::Permanent => {
            warn!(%error, "cannot list the account's certificates; hosts without a Secret have none");
            (
                Some(AccountCertificates::refused(error.to_string())),
                Duration::ZERO,
            )
        }
        ErrorClass::Throttled { retry_after } => (None, retry_after.unwrap_or_default().max(growing)),
        _ => {
            debug!(%error, "cannot list the account's certificates; trying again");
            (None, growing)
        }
    }
}

async fn read(client: &Client) -> Result<AccountCertificates, Error> {
    // Without a status only valid ones are listed; the expired ones are for the messages.
    let list = |status: Option<&str>| cas::ListUserCertificateOrder {
        order_type: Some("CERT".to_owned()),
        status: status.map(str::to_owned),
        ..Default::default()
    };
    let (valid, expired) = try_join!(
        client.all_pages(list(None)),
        client.all_pages(list(Some("EXPIRED")))
    )?;
    let ids = Resolved {
        region: client.region().to_owned(),
        ..Resolved::default()
    };
    let certificates = valid
        .iter()
        .chain(&expired)
        .filter_map(|order| certificate(order, &ids));
    Ok(AccountCertificates::new(
        certificates,
        Timestamp::now().as_second(),
    ))
}

/// A certificate of the list; `None` for an order that has none yet, or whose end is not told.
fn certificate(order: &cas::CertificateOrder, ids: &Resolved) -> Option<AccountCertificate> {
    let number = order.certificate_id?;
    let mut domains: Vec<String> = order
        .sans
        .split(',')
        .chain([order.common_name.as_str()])
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    domains.sort();
    domains.dedup();
    let not_after_s = match order.cert_end_time {
        Some(milliseconds) => milliseconds / 1000,
        None => end_of(order.end_date.as_deref()?)?,
    };
    Some(AccountCertificate {
        id: ids.certificate_id(number),
        number,
        name: order.name.clone(),
        domains,
        // The service's own word counts, whatever the clock here says.
        not_after_s: if order.expired == Some(true) {
            0
        } else {
            not_after_s
        },
        algorithm: order.algorithm.clone().unwrap_or_default(),
    })
}

/// The last day of validity, as `2026-01-31`: its beginning, for the hour is not told.
fn end_of(day: &str) -> Option<i64> {
    let day: Date = day.parse().ok()?;
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_with_all_its_names_and_one_without_certificate_is_left_out() {
        let ids = Resolved {
            region: "ap-southeast-1".into(),
            ..Resolved::default()
        };
        let order = cas::CertificateOrder {
            certificate_id: Some(7),
            common_name: "A.com".into(),
            sans: "a.com, *.b.com".into(),
            end_date: Some("2030-01-31".into()),
            ..Default::default()
        };
        let found = certificate(&order, &ids).unwrap();
        assert_eq!(found.id, "7-ap-southeast-1");
        assert_eq!(found.domains, ["*.b.com", "a.com"]);
        assert_eq!(found.not_after_s, 1_896_048_000);
        let expired = cas::CertificateOrder {
            expired: Some(true),
            ..order.clone()
        };
        assert_eq!(certificate(&expired, &ids).unwrap().not_after_s, 0);
        let pending = cas::CertificateOrder {
            certificate_id: None,
            ..order
        };
        assert_eq!(certificate(&pending, &ids), None);
    }
}
