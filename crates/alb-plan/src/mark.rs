//! Which servers in a server group of somebody else are ours: their descriptions say so.

use crate::identity::hex_digest;

/// Longest cluster id that is written as it is. With names of a namespace and a Service, 63 characters each, the
/// description stays below the 256 that a server may have.
const MAX_CLUSTER_CHARS: usize = 100;

/// Marks servers as those of a cluster's Services, by their descriptions: `k8s/<cluster>/<namespace>/<service>`. Server
/// groups have tags, servers have none; and a group that a person made gets no tags of ours.
///
/// ```
/// use alb_plan::ServerMark;
///
/// let mark = ServerMark::new("c1a2b3");
/// assert_eq!(mark.of("shop", "web"), "k8s/c1a2b3/shop/web");
/// assert_eq!(mark.service("k8s/c1a2b3/shop/web"), Some(("shop", "web")));
/// for other in ["", "web", "k8s/c9/shop/web", "k8s/c1a2b3/shop", "k8s/c1a2b3/shop/web/x"] {
///     assert_eq!(mark.service(other), None);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerMark {
    prefix: String,
}

impl ServerMark {
    /// The mark of a cluster. An id with characters that a description can't hold, or that is too long, stands there as
    /// its hash.
    pub fn new(cluster_id: &str) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.,;@".contains(c);
        let fits = (1..=MAX_CLUSTER_CHARS).contains(&cluster_id.len()) && cluster_id.chars().all(plain);
        let cluster = if fits {
            cluster_id.to_owned()
        } else {
            hex_digest(&[cluster_id], 32)
        };
        Self {
            prefix: format!("k8s/{cluster}/"),
        }
    }

    /// Description of the servers of a Service.
    pub fn of(&self, namespace: &str, service: &str) -> String {
        format!("{}{namespace}/{service}", self.prefix)
    }

    /// Namespace and name of the Service that a description names; `None` if the server is not this cluster's.
    pub fn service<'a>(&self, description: &'a str) -> Option<(&'a str, &'a str)> {
        let (namespace, service) = description.strip_prefix(&self.prefix)?.split_once('/')?;
        let whole = !namespace.is_empty() && !service.is_empty() && !service.contains('/');
        whole.then_some((namespace, service))
    }
}

#[cfg(test)]
mod tests {
    use alb_model::limits::DESCRIPTION_CHARS;

    use super::*;

    #[test]
    fn descriptions_are_as_long_as_the_api_takes_whatever_the_names() {
        let name = "n".repeat(63);
        for cluster in [
            "",
            "c1",
            &"c".repeat(100),
            &"c".repeat(101),
            "a b",
            "\u{e4}",
            "a/b",
        ] {
            let mark = ServerMark::new(cluster);
            let description = mark.of(&name, &name);
            assert!(DESCRIPTION_CHARS.contains(&description.len()), "{cluster}");
            assert_eq!(
                mark.service(&description),
                Some((name.as_str(), name.as_str())),
                "{cluster}"
            );
        }
    }

    #[test]
    fn a_cluster_whose_id_is_the_start_of_anothers_is_another() {
        let of_longer = ServerMark::new("a/shop").of("web", "x");
        assert_eq!(ServerMark::new("a").service(&of_longer), None);
    }
}
