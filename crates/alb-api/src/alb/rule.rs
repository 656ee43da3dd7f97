//! Forwarding rules.

use super::{JobResponse, RuleAction, RuleCondition, Tag};
use crate::operation::{changes, operations, paged_by_token, shapes};

changes! { Alb;
    /// Creates up to 10 rules on one listener, all or none.
    CreateRules: Create -> CreateRulesResponse, body ["Rules"] {
        /// Listener id (`lsn-…`).
        listener_id: String,
        /// 1–10 rules.
        rules: Vec<CreateRulesRule>,
    }

    /// Creates one rule.
    CreateRule: Create -> CreateRuleResponse {
        /// Listener id (`lsn-…`).
        listener_id: String,
        /// Priority, 1–10000, unique on the listener; smaller matches first.
        priority: i32,
        /// Name, 2–128 characters.
        rule_name: String,
        /// `Request` (default) or `Response`; cannot be changed later.
        direction: Option<String>,
        /// Conditions, combined with AND.
        rule_conditions: Vec<RuleCondition>,
        /// Actions.
        rule_actions: Vec<RuleAction>,
        /// Tags.
        tag: Vec<Tag>,
    }

    /// Changes up to 10 rules, of any listeners of one load balancer.
    UpdateRulesAttribute: Update -> JobResponse, body ["Rules"] {
        /// 1–10 rules.
        rules: Vec<UpdateRulesRule>,
    }

    /// Changes one rule. What is unset stays as it is.
    UpdateRuleAttribute: Update -> JobResponse {
        /// Rule id (`rule-…`).
        rule_id: String,
        /// Priority, 1–10000, unique on the listener.
        priority: Option<i32>,
        /// Name, 2–128 characters.
        rule_name: Option<String>,
        /// Conditions; the list replaces the old one.
        rule_conditions: Vec<RuleCondition>,
        /// Actions; the list replaces the old one.
        rule_actions: Vec<RuleAction>,
    }

    /// Deletes rules: at most 100 in one call by current documentation, 10 by older.
    DeleteRules: Delete -> JobResponse {
        /// Rule ids.
        rule_ids: Vec<String>,
    }

    /// Deletes one rule.
    DeleteRule: Delete -> JobResponse {
        /// Rule id.
        rule_id: String,
    }
}

operations! { Alb;
    /// Lists rules. Rules of direction `Response` are listed only when asked for.
    ListRules: Read -> ListRulesResponse {
        /// `Request` (default) or `Response`.
        direction: Option<String>,
        /// Listener ids, at most 20.
        listener_ids: Vec<String>,
        /// Load balancer ids, at most 20.
        load_balancer_ids: Vec<String>,
        /// Rule ids, at most 20.
        rule_ids: Vec<String>,
        /// Tags that a rule must have.
        tag: Vec<Tag>,
        /// Page size, 1–100, default 20.
        max_results: Option<i32>,
        /// Where to go on, from the previous page.
        next_token: Option<String>,
    }
}

paged_by_token! { ListRules => rules: Rule; }

shapes! {
    /// A rule of [`CreateRules`].
    CreateRulesRule {
        /// Priority, 1–10000, unique on the listener; smaller matches first.
        priority: i32,
        /// Name, 2–128 characters.
        rule_name: String,
        /// `Request` (default) or `Response`; cannot be changed later.
        direction: Option<String>,
        /// Conditions, combined with AND.
        rule_conditions: Vec<RuleCondition>,
        /// Actions.
        rule_actions: Vec<RuleAction>,
        /// Tags.
        tag: Vec<Tag>,
    }

    /// Answer of [`CreateRules`].
    CreateRulesResponse {
        /// The new rules; each is matched to its request by priority.
        rule_ids: Vec<CreatedRule>,
        /// The job to wait for.
        job_id: Option<String>,
        /// Id of this request.
        request_id: String,
    }

    /// A rule made by [`CreateRules`].
    CreatedRule {
        /// Its priority.
        priority: i32,
        /// Its id.
        rule_id: String,
    }

    /// Answer of [`CreateRule`].
    CreateRuleResponse {
        /// The new rule's id.
        rule_id: String,
        /// The job to wait for.
        job_id: Option<String>,
        /// Id of this request.
        request_id: String,
    }

    /// A rule of [`UpdateRulesAttribute`]. What is unset stays as it is.
    UpdateRulesRule {
        /// Rule id.
        rule_id: String,
        /// Priority, 1–10000, unique on the listener.
        priority: Option<i32>,
        /// Name, 2–128 characters.
        rule_name: Option<String>,
        /// Conditions; the list replaces the old one.
        rule_conditions: Vec<RuleCondition>,
        /// Actions; the list replaces the old one.
        rule_actions: Vec<RuleAction>,
    }

    /// Answer of [`ListRules`].
    ListRulesResponse {
        /// This page's rules.
        rules: Vec<Rule>,
        /// Page size.
        max_results: Option<i32>,
        /// Where to go on; empty on the last page.
        next_token: Option<String>,
        /// Number of rules on all pages.
        total_count: Option<i32>,
        /// Id of this request.
        request_id: String,
    }

    /// A rule as it is.
    Rule {
        /// Rule id.
        rule_id: String,
        /// Listener it belongs to.
        listener_id: String,
        /// Load balancer it belongs to.
        load_balancer_id: String,
        /// Priority.
        priority: i32,
        /// Name.
        rule_name: String,
        /// `Provisioning`, `Available`, `Configuring` or `Deleting`.
        rule_status: String,
        /// `Request` or `Response`; older answers leave it out.
        direction: String,
        /// Conditions.
        rule_conditions: Vec<RuleCondition>,
        /// Actions.
        rule_actions: Vec<RuleAction>,
        /// Tags.
        tags: Vec<Tag>,
    }
}
