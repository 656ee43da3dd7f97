//! Reading what an ALB has, by a client of the API. The one part of this crate that waits: feature `client`.

use std::collections::BTreeMap;

use alb_api::{Client, Error, ErrorClass, alb, cas};
use alb_model::ListenerProtocol;
use futures::{StreamExt, TryStreamExt, stream, try_join};

use crate::observe as read;
use crate::observed::{
    Observed, ObservedAcl, ObservedCertificate, ObservedListener, ObservedLoadBalancer, ObservedServerGroup,
};
use crate::ownership::Ownership;

/// Reads of listeners at the same time.
const PARALLEL_READS: usize = 5;
/// Listeners whose scripts one call lists.
const LISTENERS_PER_LIST: usize = 20;

/// Reads everything that belongs to a gateway: its load balancer (the one of this id, or the one with the owner's tags)
/// with listeners, certificates and rules, and the owner's server groups, access control lists and uploaded
/// certificates. It makes reading calls only. Servers are not read: a plan leaves those of groups that exist alone.
///
/// # Errors
/// A read fails. What is not there is not an error.
pub async fn gateway(
    client: &Client,
    ownership: &Ownership,
    load_balancer_id: Option<&str>,
) -> Result<Observed, Error> {
    let reader = Reader { client, ownership };
    let (load_balancer, server_groups, acls, certificates) = try_join!(
        reader.load_balancer(load_balancer_id),
        reader.server_groups(),
        reader.acls(),
        reader.certificates(),
    )?;
    let listeners = match &load_balancer {
        Some(found) => reader.listeners(found.id()).await?,
        None => Vec::new(),
    };
    Ok(Observed {
        load_balancer,
        listeners,
        server_groups,
        certificates,
        acls,
    })
}

/// A listener with its certificates.
type Found = (alb::Listener, Vec<alb::ListenerCertificate>);

struct Reader<'a> {
    client: &'a Client,
    ownership: &'a Ownership,
}

impl Reader<'_> {
    fn tags(&self) -> Vec<alb::Tag> {
        let tags = self.ownership.owner_tags();
        tags.into_iter()
            .map(|(key, value)| alb::Tag {
                key: key.into(),
                value: value.into(),
            })
            .collect()
    }

    async fn load_balancer(&self, id: Option<&str>) -> Result<Option<ObservedLoadBalancer>, Error> {
        let id = match id {
            Some(id) => id.to_owned(),
            None => match self.tagged_load_balancer().await? {
                Some(id) => id,
                None => return Ok(None),
            },
        };
        load_balancer_by_id(self.client, &id).await
    }

    /// The owner's load balancer. Of several (two creations crossed), always the same one: the oldest.
    async fn tagged_load_balancer(&self) -> Result<Option<String>, Error> {
        let request = alb::ListLoadBalancers {
            tag: self.tags(),
            ..Default::default()
        };
        let found = self.client.all_pages(request).await?;
        let lives = |lb: &&alb::LoadBalancer| {
            !matches!(lb.load_balancer_status.as_str(), "Deleting" | "CreateFailed")
        };
        Ok(found
            .iter()
            .filter(lives)
            .min_by_key(|lb| (&lb.create_time, &lb.load_balancer_id))
            .map(|lb| lb.load_balancer_id.clone()))
    }

    async fn listeners(&self, load_balancer_id: &str) -> Result<Vec<ObservedListener>, Error> {
        let list = alb::ListListeners {
            load_balancer_ids: vec![load_balancer_id.to_owned()],
            ..Default::default()
        };
        let rules = |direction: &str| alb::ListRules {
            load_balancer_ids: vec![load_balancer_id.to_owned()],
            direction: Some(direction.to_owned()),
            ..Default::default()
        };
        let (listeners, mut rules, response_rules) = try_join!(
            self.client.all_pages(list),
            self.client.all_pages(rules("Request")),
            self.client.all_pages(rules("Response")),
        )?;
        rules.extend(response_rules);
        // A deployment that ignores the direction lists every rule twice.
        rules.sort_by(|a, b| a.rule_id.cmp(&b.rule_id));
        rules.dedup_by(|a, b| a.rule_id == b.rule_id);
        let lives = |l: &alb::Listener| l.listener_status != "Deleting";
        let listeners: Vec<alb::Listener> = listeners.into_iter().filter(lives).collect();
        let ids: Vec<String> = listeners.iter().map(|l| l.listener_id.clone()).collect();
        let found = stream::iter(listeners)
            .map(|listener| self.listener(listener))
            .buffered(PARALLEL_READS)
            .try_collect();
        let (found, scripts): (Vec<Option<Found>>, _) = try_join!(found, self.scripts(&ids))?;
        let mut observed: Vec<ObservedListener> = found
            .iter()
            .flatten()
            .map(|(listener, certificates)| {
                read::listener(listener, certificates, &rules, scripts.as_deref())
            })
            .collect();
        observed.sort_by_key(ObservedListener::key);
        Ok(observed)
    }

    async fn listener(&self, listed: alb::Listener) -> Result<Option<Found>, Error> {
        let attributes = alb::GetListenerAttribute {
            listener_id: listed.listener_id.clone(),
        };
        let plain = listed
            .listener_protocol
            .eq_ignore_ascii_case(ListenerProtocol::Http.as_str());
        let certificates = async {
            if plain {
                return Ok(Vec::new());
            }
            let request = alb::ListListenerCertificates {
                listener_id: listed.listener_id.clone(),
                ..Default::default()
            };
            self.client.all_pages(request).await
        };
        let found = async { self.client.send(&attributes).await };
        match try_join!(found, certificates) {
            Ok((answer, certificates)) => {
                let mut listener = answer.listener;
                if listener.tags.is_empty() {
                    listener.tags = listed.tags;
                }
                Ok(Some((listener, certificates)))
            }
            // Deleted between the two reads.
            Err(error) if error.class() == ErrorClass::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The scripts of listeners; `None` if the API refuses to list them: basic instances have none, and who lets its
    /// listeners have none may not have the right.
    async fn scripts(&self, listener_ids: &[String]) -> Result<Option<Vec<alb::AScript>>, Error> {
        let mut scripts = Vec::new();
        for ids in listener_ids.chunks(LISTENERS_PER_LIST) {
            let request = alb::ListAScripts {
                listener_ids: ids.to_vec(),
                ..Default::default()
            };
            match self.client.all_pages(request).await {
                Ok(page) => scripts.extend(page),
                Err(error) if matches!(error.class(), ErrorClass::Permanent | ErrorClass::NotFound) => {
                    tracing::debug!(%error, "cannot list scripts; continuing without");
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Some(scripts))
    }

    async fn server_groups(&self) -> Result<BTreeMap<String, ObservedServerGroup>, Error> {
        let request = alb::ListServerGroups {
            tag: self.tags(),
            ..Default::default()
        };
        let groups = self.client.all_pages(request).await?;
        Ok(groups
            .iter()
            .map(|g| (g.server_group_id.clone(), read::server_group(g)))
            .collect())
    }

    async fn acls(&self) -> Result<BTreeMap<String, ObservedAcl>, Error> {
        let request = alb::ListAcls {
            tag: self.tags(),
            ..Default::default()
        };
        let acls = self.client.all_pages(request).await?;
        stream::iter(acls.into_iter().filter(|a| a.acl_status != "Deleting"))
            .map(|acl| async move {
                let entries = alb::ListAclEntries {
                    acl_id: acl.acl_id.clone(),
                    ..Default::default()
                };
                let entries = self.client.all_pages(entries).await?;
                Ok((acl.acl_id.clone(), read::acl(&acl, &entries)))
            })
            .buffered(PARALLEL_READS)
            .try_collect()
            .await
    }

    async fn certificates(&self) -> Result<BTreeMap<String, ObservedCertificate>, Error> {
        match uploaded_certificates(self.client, &self.ownership.certificate_prefix()).await {
            // Without the right to list certificates there are none of ours; uploading one will say what is missing.
            Err(error) if error.class() == ErrorClass::Permanent => {
                tracing::warn!(%error, "cannot list uploaded certificates; continuing without");
                Ok(BTreeMap::new())
            }
            result => result,
        }
    }
}

/// Reads one load balancer; `None` if it is gone.
///
/// # Errors
/// The read fails.
pub async fn load_balancer_by_id(client: &Client, id: &str) -> Result<Option<ObservedLoadBalancer>, Error> {
    let request = alb::GetLoadBalancerAttribute {
        load_balancer_id: id.to_owned(),
    };
    match client.send(&request).await {
        Ok(answer) => {
            let mut found = read::load_balancer(&answer.load_balancer);
            if found.region.is_empty() {
                client.region().clone_into(&mut found.region);
            }
            Ok(Some(found))
        }
        Err(error) if error.class() == ErrorClass::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the uploaded certificates whose names start with a prefix.
///
/// # Errors
/// The read fails.
pub async fn uploaded_certificates(
    client: &Client,
    prefix: &str,
) -> Result<BTreeMap<String, ObservedCertificate>, Error> {
    // Without a status only valid ones are listed; one that has expired is there all the same, and its name taken.
    let list = |status: Option<&str>| cas::ListUserCertificateOrder {
        order_type: Some("UPLOAD".to_owned()),
        keyword: Some(prefix.to_owned()),
        status: status.map(str::to_owned),
        ..Default::default()
    };
    let (valid, expired) = try_join!(
        client.all_pages(list(None)),
        client.all_pages(list(Some("EXPIRED")))
    )?;
    Ok(valid
        .iter()
        .chain(&expired)
        .filter_map(read::certificate)
        .filter(|(name, _)| name.starts_with(prefix))
        .collect())
}
