//! Asynchronous jobs.

use crate::operation::{operations, paged_by_token, shapes};

operations! { Alb;
    /// Lists asynchronous jobs. A job that was submitted just now may not be listed yet.
    ListAsynJobs: Read -> ListAsynJobsResponse {
        /// Job ids.
        job_ids: Vec<String>,
        /// Resource ids.
        resource_ids: Vec<String>,
        /// `loadbalancer`, `listener`, `rule`, `acl`, `securitypolicy` or `servergroup`.
        resource_type: Option<String>,
        /// Action that made the job, such as `CreateRules`.
        api_name: Option<String>,
        /// Earliest start, milliseconds since 1970-01-01 UTC.
        begin_time: Option<i64>,
        /// Latest start, milliseconds since 1970-01-01 UTC.
        end_time: Option<i64>,
        /// Page size, 1–100, default 20.
        max_results: Option<i32>,
        /// Where to go on, from the previous page.
        next_token: Option<String>,
    }
}

paged_by_token! { ListAsynJobs => jobs: Job; }

shapes! {
    /// Answer of [`ListAsynJobs`].
    ListAsynJobsResponse {
        /// This page's jobs.
        jobs: Vec<Job>,
        /// Page size.
        max_results: Option<i32>,
        /// Where to go on; empty on the last page.
        next_token: Option<String>,
        /// Number of jobs on all pages.
        total_count: Option<i32>,
        /// Id of this request.
        request_id: String,
    }

    /// An asynchronous job.
    Job {
        /// Job id.
        id: String,
        /// Action that made it.
        api_name: String,
        /// `Create`, `Update` or `Delete`.
        operate_type: String,
        /// Resource id.
        resource_id: String,
        /// Resource type.
        resource_type: String,
        /// `Processing`, `Succeeded` or `Failed`.
        status: String,
        /// Code of a failed job.
        error_code: Option<String>,
        /// Message of a failed job.
        error_message: Option<String>,
        /// Start, milliseconds since 1970-01-01 UTC.
        create_time: Option<i64>,
        /// Last change, milliseconds since 1970-01-01 UTC.
        modify_time: Option<i64>,
    }
}
