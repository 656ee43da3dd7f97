//! Services whose endpoints are kept in a server group that somebody else made: annotation `server-group-id`.

use alb_model::{Diagnostic, ObjectRef};
use albconfig_crd::ANNOTATION_PREFIX;
use k8s_openapi::api::core::v1::Service;

use crate::annotations;
use crate::annotations::table::find;
use crate::codes::Code;
use crate::endpoints::ServicePortRef;

const KEY: &str = "server-group-id";

/// What a Service asks for with annotation `server-group-id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FollowedGroup {
    /// Its endpoints are to be servers of this group, beside those that are there already.
    Keep {
        /// Id of the group (`sgp-…`).
        group: String,
        /// The Service's only port.
        port: ServicePortRef,
    },
    /// It can't be told which servers are meant, or where; those that are in a group by now stay as they are.
    Invalid(Diagnostic),
}

impl FollowedGroup {
    /// What a Service asks for; `None` without the annotation. Whether there is such a group, and of which kind, only
    /// the API knows.
    ///
    /// ```
    /// use ingress_translate::{FollowedGroup, ServicePortRef};
    ///
    /// let service = serde_saphyr::from_str(
    ///     "
    /// metadata: { namespace: shop, name: web, annotations: { alb.ingress.kubernetes.io/server-group-id: sgp-1 } }
    /// spec: { ports: [{ port: 80 }] }
    /// ",
    /// )?;
    /// let (group, port) = ("sgp-1".to_owned(), ServicePortRef::Number(80));
    /// assert_eq!(FollowedGroup::of(&service), Some(FollowedGroup::Keep { group, port }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of(service: &Service) -> Option<Self> {
        let key = format!("{ANNOTATION_PREFIX}{KEY}");
        let group = service.metadata.annotations.as_ref()?.get(&key)?.trim();
        let read = checked_id(group).and_then(|group| Ok((group, only_port(service)?)));
        Some(match read {
            Ok((group, port)) => Self::Keep {
                group: group.to_owned(),
                port,
            },
            Err(wrong) => Self::Invalid(wrong.about(service)),
        })
    }

    /// Where the annotation stands in a Service.
    pub fn field() -> String {
        annotations::field(&format!("{ANNOTATION_PREFIX}{KEY}"))
    }
}

struct Wrong {
    code: Code,
    field: String,
    message: String,
}

impl Wrong {
    fn about(self, service: &Service) -> Diagnostic {
        let metadata = &service.metadata;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let object = ObjectRef::new("Service", text(&metadata.namespace), text(&metadata.name));
        let message = format!(
            "{}. Until then servers of this Service stay as they are",
            self.message
        );
        self.code.on(&object, self.field, message)
    }
}

fn checked_id(group: &str) -> Result<&str, Wrong> {
    match find(KEY) {
        Some(row) if !row.grammar.accepts(group) => Err(Wrong {
            code: Code::AnnotationInvalid,
            field: FollowedGroup::field(),
            message: format!("{group:?} is invalid; write {}", row.grammar),
        }),
        _ => Ok(group),
    }
}

/// The port of a Service that has one: a server group has no room for the question which one is meant.
fn only_port(service: &Service) -> Result<ServicePortRef, Wrong> {
    let unusable = |field: &str, message: String| Wrong {
        code: Code::ServerGroupUnusable,
        field: field.to_owned(),
        message,
    };
    let spec = service.spec.as_ref();
    if spec.and_then(|spec| spec.type_.as_deref()) == Some("ExternalName") {
        let message = format!("{KEY} needs endpoints, which type ExternalName has not; use another type");
        return Err(unusable("spec.type", message));
    }
    let ports = spec.and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let [port] = ports else {
        let message = format!(
            "{KEY} works for a Service with one port, this one has {}; make a Service of its own for the port that is meant",
            ports.len()
        );
        return Err(unusable("spec.ports", message));
    };
    let tcp = port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP");
    match u16::try_from(port.port) {
        Ok(number) if tcp && number > 0 => Ok(ServicePortRef::Number(number)),
        _ => Err(unusable(
            "spec.ports[0]",
            format!("{KEY} needs a TCP port; write one"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(annotation: &str, spec: &str) -> Option<FollowedGroup> {
        let service = serde_saphyr::from_str(&format!(
            "{{ metadata: {{ namespace: shop, name: web, annotations: {{ {annotation} }} }}, spec: {spec} }}"
        ));
        FollowedGroup::of(&service.unwrap())
    }

    const ONE: &str = "{ ports: [{ name: http, port: 80, targetPort: 8080 }] }";

    #[test]
    fn a_service_with_one_port_names_its_group() {
        let keep = FollowedGroup::Keep {
            group: "sgp-a1".into(),
            port: ServicePortRef::Number(80),
        };
        let key = "alb.ingress.kubernetes.io/server-group-id";
        assert_eq!(of(&format!("{key}: ' sgp-a1 '"), ONE), Some(keep));
        assert_eq!(of("", ONE), None);
        assert_eq!(
            of("nginx.ingress.kubernetes.io/server-group-id: sgp-1", ONE),
            None
        );
    }

    #[test]
    fn what_is_wrong_names_the_field_and_what_to_write() {
        let annotation = FollowedGroup::field();
        for (value, spec, code, field, says) in [
            (
                "''",
                ONE,
                "AnnotationInvalid",
                annotation.as_str(),
                "starts with sgp-",
            ),
            ("alb-1", ONE, "AnnotationInvalid", &annotation, "starts with sgp-"),
            (
                "'sgp-1, sgp-2'",
                ONE,
                "AnnotationInvalid",
                &annotation,
                "starts with sgp-",
            ),
            (
                "sgp-1",
                "{ ports: [{ name: a, port: 80 }, { name: b, port: 81 }] }",
                "ServerGroupUnusable",
                "spec.ports",
                "this one has 2",
            ),
            (
                "sgp-1",
                "{ ports: [] }",
                "ServerGroupUnusable",
                "spec.ports",
                "this one has 0",
            ),
            (
                "sgp-1",
                "{}",
                "ServerGroupUnusable",
                "spec.ports",
                "this one has 0",
            ),
            (
                "sgp-1",
                "{ ports: [{ port: 53, protocol: UDP }] }",
                "ServerGroupUnusable",
                "spec.ports[0]",
                "a TCP port",
            ),
            (
                "sgp-1",
                "{ type: ExternalName, externalName: a.com, ports: [{ port: 80 }] }",
                "ServerGroupUnusable",
                "spec.type",
                "another type",
            ),
        ] {
            let found = of(
                &format!("alb.ingress.kubernetes.io/server-group-id: {value}"),
                spec,
            );
            let Some(FollowedGroup::Invalid(wrong)) = found else {
                panic!("{value} {spec}: {found:?}")
            };
            assert_eq!(
                (wrong.code.as_str(), wrong.field.as_str()),
                (code, field),
                "{value} {spec}"
            );
            assert!(wrong.message.contains(says), "{}", wrong.message);
            assert_eq!(wrong.object.to_string(), "Service shop/web");
        }
    }
}
