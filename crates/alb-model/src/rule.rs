//! Forwarding rules: conditions, actions, and where they came from.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::gateway::api_enum;
use crate::{Action, Condition, Field, ObjectRef};

api_enum! {
    /// What a rule looks at.
    Direction {
        /// The request, before it is forwarded.
        #[default]
        Request = "Request",
        /// The backend's response.
        Response = "Response",
    }
}

/// A forwarding rule (`CreateRules`). All conditions must hold (AND); within a condition one value is enough (OR).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// Id (`rule-…`); known only when observed.
    pub id: Option<String>,
    /// Name, 2–128 characters. A planner keeps the rule's identity here; empty until it is given.
    pub name: String,
    /// Priority, 1–10000, smaller first, unique on its listener and direction. `None` while the planner has not chosen
    /// one: the place in [`crate::Listener::rules`] is then the order.
    pub priority: Option<u16>,
    /// Request or response; fixed at creation.
    pub direction: Direction,
    /// Conditions; an empty list matches everything.
    pub conditions: Vec<Condition>,
    /// Actions in the order they run. A request rule ends with exactly one final action.
    pub actions: Vec<Action>,
    /// The objects and fields that asked for this rule, for people. Not part of the rule's identity.
    #[serde(skip_serializing_if = "SmallVec::is_empty")]
    pub origins: Origins,
}

/// Where a rule came from; most have one.
pub type Origins = SmallVec<[Origin; 1]>;

/// A field of an object that a rule came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The object.
    pub object: Arc<ObjectRef>,
    /// The field, such as `spec.rules[0].http.paths[1]`.
    pub field: Field,
}
