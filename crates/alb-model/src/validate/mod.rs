//! Checks of every documented value rule, so that a mistake is told before the API refuses it.
//!
//! [`validate_rule`] looks at one rule by itself and names fields of [`Rule`], for a translator that knows which field
//! of which object each part came from. [`validate_rule_on`] adds what depends on the listener. [`validate`] looks at
//! a whole gateway: all of the above plus references, duplicates and quotas.
//!
//! An [`Severity::Error`] is something the API refuses, or that can never work. A [`Severity::Warning`] is accepted
//! but doubtful: above a default quota, or where the documentation is silent or contradicts itself.

mod action;
mod condition;
mod gateway;
mod listener;
mod quota;
mod rule;
mod server_group;
mod text;

use std::fmt::{self, Display};

use serde::Serialize;

use crate::{Diagnostic, Edition, Gateway, Listener, ObjectRef, Origin, Rule, Severity};

/// One finding about a value of this crate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Violation {
    /// Stable code in `UpperCamelCase`.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Path of the field from the value that was checked, such as `conditions[0].values[2]`.
    pub field: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl Violation {
    /// The same finding about an object that a person wrote. The field path is that of the object.
    pub fn at(&self, origin: &Origin) -> Diagnostic {
        Diagnostic::new(
            self.severity,
            self.code,
            (*origin.object).clone(),
            &origin.field,
            format!("{} (in {} of the forwarding rule)", self.message, self.field),
        )
    }
}

impl Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}[{}] {}: {}",
            self.severity, self.code, self.field, self.message
        )
    }
}

/// Checks a rule by itself against the rules of an edition. The result is empty if all is well.
///
/// ```
/// use alb_model::{Action, Condition, Edition, Rule, ServerGroupRef, validate_rule};
///
/// let rule = Rule {
///     conditions: vec![Condition::host(["example.com"]), Condition::path(["/a b"])],
///     actions: vec![Action::forward_to(ServerGroupRef::managed("web"))],
///     ..Rule::default()
/// };
/// let violations = validate_rule(&rule, Edition::Standard);
/// assert_eq!(violations[0].field, "conditions[1].values[0]");
/// assert_eq!(violations[0].code, "PathInvalid");
/// ```
pub fn validate_rule(rule: &Rule, edition: Edition) -> Vec<Violation> {
    let mut findings = Findings::default();
    rule::check(rule, edition, &mut findings);
    findings.0
}

/// Checks a rule by itself and in its place on a listener.
pub fn validate_rule_on(rule: &Rule, edition: Edition, listener: &Listener) -> Vec<Violation> {
    let mut findings = Findings::default();
    rule::check(rule, edition, &mut findings);
    rule::check_on(rule, listener, &mut findings);
    findings.0
}

/// Checks a gateway. Findings about a rule are told to each of its [`Rule::origins`]; all others, and those about rules
/// without origin, to an object of kind `LoadBalancer` with the name of the load balancer and the field's path from
/// [`Gateway`]. Sorted, without repetition.
pub fn validate(gateway: &Gateway) -> Vec<Diagnostic> {
    let load_balancer = ObjectRef::new("LoadBalancer", "", gateway.load_balancer.name.clone());
    let mut diagnostics = Vec::new();
    let mut about_gateway = |prefix: &str, violations: Vec<Violation>| {
        diagnostics.extend(violations.into_iter().map(|v| {
            let field = format!("{prefix}{}", v.field);
            Diagnostic::new(v.severity, v.code, load_balancer.clone(), field, v.message)
        }));
    };

    about_gateway("", gateway::check(gateway));
    let edition = gateway.load_balancer.edition;
    let mut about_rules = Vec::new();
    for (l, listener) in gateway.listeners.iter().enumerate() {
        let duplicates = rule::duplicates(&listener.rules);
        for (r, (rule, duplicate)) in listener.rules.iter().zip(duplicates).enumerate() {
            let mut violations = validate_rule_on(rule, edition, listener);
            violations.extend(gateway::check_rule_references(gateway, listener, rule));
            violations.extend(duplicate);
            if rule.origins.is_empty() {
                about_gateway(&format!("listeners[{l}].rules[{r}]."), violations);
            } else {
                let on_origins = rule
                    .origins
                    .iter()
                    .flat_map(|o| violations.iter().map(|v| v.at(o)));
                about_rules.extend(on_origins);
            }
        }
    }
    diagnostics.extend(about_rules);
    diagnostics.sort_by(|a, b| {
        (&a.object, &a.field, &a.code, &a.message).cmp(&(&b.object, &b.field, &b.code, &b.message))
    });
    diagnostics.dedup();
    diagnostics
}

/// Collects findings. Fields and messages are only formatted when there is something to say.
#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, severity: Severity, code: &'static str, field: impl Display, message: impl Display) {
        self.0.push(Violation {
            code,
            severity,
            field: field.to_string(),
            message: message.to_string(),
        });
    }

    fn error(&mut self, code: &'static str, field: impl Display, message: impl Display) {
        self.add(Severity::Error, code, field, message);
    }

    fn warning(&mut self, code: &'static str, field: impl Display, message: impl Display) {
        self.add(Severity::Warning, code, field, message);
    }

    /// Adds what a check of one text found.
    fn text(&mut self, code: &'static str, field: impl Display, result: Result<(), text::Problem>) {
        if let Err(problem) = result {
            self.add(problem.severity, code, field, problem.message);
        }
    }

    /// Reports a number outside its range.
    fn range<T: PartialOrd + Display>(
        &mut self,
        code: &'static str,
        field: impl Display,
        value: &T,
        range: &std::ops::RangeInclusive<T>,
    ) {
        if !range.contains(value) {
            let message = format_args!(
                "{value} is out of range; write {} to {}",
                range.start(),
                range.end()
            );
            self.error(code, field, message);
        }
    }

    /// Reports a count over its limit.
    fn at_most(&mut self, code: &'static str, field: impl Display, what: &str, count: usize, limit: usize) {
        if count > limit {
            self.error(
                code,
                field,
                format_args!("{count} {what}; ALB takes at most {limit}"),
            );
        }
    }
}
