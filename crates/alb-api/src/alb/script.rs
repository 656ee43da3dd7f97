//! Programmable scripts (AScript) of listeners.

use super::JobResponse;
use crate::operation::{changes, operations, paged_by_token, shapes};

changes! { Alb;
    /// Adds scripts to a listener. Not for basic instances.
    CreateAScripts: Create -> CreateAScriptsResponse {
        /// Listener id (`lsn-…`).
        listener_id: String,
        /// Scripts.
        a_scripts: Vec<NewAScript>,
    }

    /// Changes scripts; what is not given stays. Where a script runs cannot be changed.
    UpdateAScripts: Update -> JobResponse {
        /// Changes.
        a_scripts: Vec<AScriptUpdate>,
    }

    /// Removes scripts.
    DeleteAScripts: Delete -> JobResponse {
        /// Script ids (`as-…`).
        a_script_ids: Vec<String>,
    }
}

operations! { Alb;
    /// Lists scripts. The answer says neither where a script runs nor its extended attributes.
    ListAScripts: Read -> ListAScriptsResponse {
        /// Script ids, at most 20.
        a_script_ids: Vec<String>,
        /// Names.
        a_script_names: Vec<String>,
        /// Listener ids, at most 20.
        listener_ids: Vec<String>,
        /// Page size, 1–100, default 20.
        max_results: Option<i32>,
        /// Where to go on, from the previous page.
        next_token: Option<String>,
    }
}

paged_by_token! {
    ListAScripts => a_scripts: AScript;
}

shapes! {
    /// A script to add.
    NewAScript {
        /// Name, 2–128 characters.
        a_script_name: String,
        /// Source text.
        script_content: String,
        /// Whether it runs; default false.
        enabled: Option<bool>,
        /// Where it runs: `RequestHead` (default), `RequestFoot` or `ResponseHead`.
        position: Option<String>,
        /// Whether the extended attributes apply.
        ext_attribute_enabled: Option<bool>,
        /// Extended attributes.
        ext_attributes: Vec<AScriptAttribute>,
    }

    /// A change of a script.
    AScriptUpdate {
        /// Script id.
        a_script_id: String,
        /// New name.
        a_script_name: Option<String>,
        /// New source text.
        script_content: Option<String>,
        /// Whether it runs.
        enabled: Option<bool>,
        /// Whether the extended attributes apply.
        ext_attribute_enabled: Option<bool>,
        /// Extended attributes.
        ext_attributes: Vec<AScriptAttribute>,
    }

    /// An extended attribute of a script.
    AScriptAttribute {
        /// Key; `EsDebug` is the only documented one.
        attribute_key: Option<String>,
        /// Value.
        attribute_value: Option<String>,
    }

    /// Answer of [`CreateAScripts`].
    CreateAScriptsResponse {
        /// Ids in the order of the scripts.
        a_script_ids: Vec<CreatedAScript>,
        /// The job to wait for.
        job_id: Option<String>,
        /// Id of this request.
        request_id: String,
    }

    /// Id of a new script.
    CreatedAScript {
        /// Script id.
        a_script_id: String,
    }

    /// Answer of [`ListAScripts`].
    ListAScriptsResponse {
        /// This page's scripts.
        a_scripts: Vec<AScript>,
        /// Page size.
        max_results: Option<i32>,
        /// Where to go on; empty on the last page.
        next_token: Option<String>,
        /// Number of scripts on all pages.
        total_count: Option<i32>,
        /// Id of this request.
        request_id: String,
    }

    /// A script as it is.
    AScript {
        /// Script id.
        a_script_id: String,
        /// Name.
        a_script_name: String,
        /// `Creating`, `Available`, `Configuring` or `Deleting`.
        a_script_status: String,
        /// Whether it runs.
        enabled: Option<bool>,
        /// The listener's id.
        listener_id: String,
        /// The load balancer's id.
        load_balancer_id: String,
        /// Source text.
        script_content: String,
    }
}
