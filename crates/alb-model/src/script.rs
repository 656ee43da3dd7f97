//! Programmable scripts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::gateway::api_enum;

api_enum! {
    /// Where a script runs.
    ScriptPosition {
        /// Before the rules are looked at.
        #[default]
        RequestHead = "RequestHead",
        /// After a rule was found.
        RequestFoot = "RequestFoot",
        /// When the answer's head is there.
        ResponseHead = "ResponseHead",
    }
}

/// A script of a listener (`CreateAScripts`), in ALB's own language. Identified within its listener by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Script {
    /// Name as it is asked for; whoever makes the script may put something in front of it.
    pub name: String,
    /// Source text.
    pub content: String,
    /// Whether it runs.
    pub enabled: bool,
    /// Where it runs. It can be given only at creation, and `ListAScripts` does not tell it.
    pub position: ScriptPosition,
    /// Extended attributes; none is off. `EsDebug` is the only documented one. `ListAScripts` does not tell them.
    pub attributes: BTreeMap<String, String>,
}
