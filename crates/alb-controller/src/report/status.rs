//! The status of an AlbConfig, made from the outcome of a change.

use alb_model::{Diagnostic, Severity};
use albconfig_crd::{
    AlbConfig, AlbConfigStatus, Condition, ConditionStatus, LoadBalancerStatus, condition_type,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// What the conditions of an AlbConfig say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions<'a> {
    /// All findings about the AlbConfig and its Ingresses.
    pub(crate) findings: &'a [Diagnostic],
    /// Why the last change failed; `None` when it succeeded.
    pub(crate) failure: Option<&'a str>,
}

/// The status to write, given the one that is there.
pub(crate) fn albconfig_status(
    albconfig: &AlbConfig,
    load_balancer: Option<LoadBalancerStatus>,
    conditions: &Conditions<'_>,
    now: Time,
) -> AlbConfigStatus {
    let mut status = albconfig.status.clone().unwrap_or_default();
    if load_balancer.is_some() {
        status.load_balancer = load_balancer;
    }
    let mut set = |type_: &str, holds: bool, reason: &str, message: String| {
        status.set_condition(Condition {
            type_: type_.to_owned(),
            status: ConditionStatus::from(holds),
            observed_generation: albconfig.metadata.generation,
            last_transition_time: now.clone(),
            reason: reason.to_owned(),
            message,
        });
    };

    let own = conditions
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Error && f.object.kind == "AlbConfig")
        .collect::<Vec<_>>();
    let warnings = conditions
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Warning && f.object.kind == "AlbConfig")
        .collect::<Vec<_>>();
    match own.first() {
        None => set(
            condition_type::ACCEPTED,
            true,
            "Accepted",
            match warnings.as_slice() {
                [] => "The spec is valid.".into(),
                some => format!("The spec is valid. {}", list(some)),
            },
        ),
        Some(first) => set(condition_type::ACCEPTED, false, &first.code, list(&own)),
    }

    match conditions.failure {
        None if !own.is_empty() => set(
            condition_type::PROGRAMMED,
            false,
            "PartlyProgrammed",
            format!("Everything but this is in force: {}", list(&own)),
        ),
        None => set(
            condition_type::PROGRAMMED,
            true,
            "Programmed",
            "The ALB serves this generation.".into(),
        ),
        Some(failure) => set(
            condition_type::PROGRAMMED,
            false,
            "ChangeFailed",
            failure.to_owned(),
        ),
    }

    let lost = conditions
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .collect::<Vec<_>>();
    match lost.first() {
        None => set(
            condition_type::DEGRADED,
            false,
            "AllServed",
            "Everything that was asked for is served.".into(),
        ),
        Some(_) => set(condition_type::DEGRADED, true, "PartlyServed", list(&lost)),
    }
    status
}

/// The longest condition message (`metav1.Condition`) is 32 KiB; a person reads the first few findings.
const LISTED: usize = 5;

fn list(findings: &[&Diagnostic]) -> String {
    let text = findings
        .iter()
        .take(LISTED)
        .map(|f| format!("{} {}: {}", f.object, f.field, f.message))
        .collect::<Vec<_>>()
        .join("; ");
    if findings.len() > LISTED {
        return format!("{text}; and {} more", findings.len() - LISTED);
    }
    text
}

#[cfg(test)]
mod tests {
    use alb_model::ObjectRef;
    use albconfig_crd::AlbConfigSpec;
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn now(s: i64) -> Time {
        Time(Timestamp::from_second(s).unwrap())
    }

    fn error(kind: &str) -> Diagnostic {
        Diagnostic::new(
            Severity::Error,
            "PortNotFound",
            ObjectRef::new(kind, "", "x"),
            "spec",
            "wrong",
        )
    }

    #[test]
    fn a_wrong_ingress_degrades_the_gateway_and_leaves_it_accepted_and_programmed() {
        let albconfig = AlbConfig::new("a", AlbConfigSpec::default());
        let findings = [error("Ingress")];
        let conditions = Conditions {
            findings: &findings,
            failure: None,
        };
        let status = albconfig_status(&albconfig, None, &conditions, now(1));
        let states: Vec<_> = status
            .conditions
            .iter()
            .map(|c| (c.type_.as_str(), c.status.as_str()))
            .collect();
        assert_eq!(
            states,
            [("Accepted", "True"), ("Degraded", "True"), ("Programmed", "True")]
        );
    }

    #[test]
    fn an_unchanged_condition_keeps_its_transition_time_and_a_failure_names_its_reason() {
        let mut albconfig = AlbConfig::new("a", AlbConfigSpec::default());
        albconfig.status = Some(albconfig_status(&albconfig, None, &Conditions::default(), now(1)));
        let failed = Conditions {
            findings: &[],
            failure: Some("quota"),
        };
        let status = albconfig_status(&albconfig, None, &failed, now(2));
        let at = |type_: &str| {
            status
                .condition(type_)
                .map(|c| c.last_transition_time.0.as_second())
        };
        assert_eq!(at("Accepted"), Some(1));
        assert_eq!(at("Programmed"), Some(2));
        assert_eq!(
            status.condition("Programmed").map(|c| c.message.as_str()),
            Some("quota")
        );
    }
}
