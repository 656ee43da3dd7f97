//! Review resources: asked, answered, never stored. The sandbox allows everything.

use serde_json::{Value, json};

/// Group, kind and plural of the reviews that are served (all v1, create only).
pub(crate) const REVIEWS: [(&str, &str, &str); 4] = [
    ("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews"),
    (
        "authorization.k8s.io",
        "SelfSubjectAccessReview",
        "selfsubjectaccessreviews",
    ),
    (
        "authorization.k8s.io",
        "SelfSubjectRulesReview",
        "selfsubjectrulesreviews",
    ),
    (
        "authorization.k8s.io",
        "SubjectAccessReview",
        "subjectaccessreviews",
    ),
];

/// The user that every request runs as.
pub(crate) const USER: &str = "kube-sandbox-admin";

/// Answers a review; `None` when the plural is no review.
pub(crate) fn answer(group: &str, plural: &str, mut review: Value) -> Option<Value> {
    let &(_, kind, _) = REVIEWS.iter().find(|(g, _, p)| *g == group && *p == plural)?;
    review["apiVersion"] = json!(format!("{group}/v1"));
    review["kind"] = json!(kind);
    review["status"] = match kind {
        "SelfSubjectReview" => {
            json!({"userInfo": {"username": USER, "groups": ["system:masters", "system:authenticated"]}})
        }
        "SelfSubjectRulesReview" => json!({
            "incomplete": false,
            "nonResourceRules": [{"nonResourceURLs": ["*"], "verbs": ["*"]}],
            "resourceRules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
        }),
        _ => json!({"allowed": true, "reason": "kube-sandbox allows everything"}),
    };
    Some(review)
}
