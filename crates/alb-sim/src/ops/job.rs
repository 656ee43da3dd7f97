//! `ListAsynJobs`.

use serde_json::{Value, json};

use super::{Answer, Call};
use crate::state::Job;

pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let ids = call.texts("JobIds", 100)?;
    let resources = call.texts("ResourceIds", 100)?;
    let resource_type = call.optional("ResourceType");
    let api_name = call.optional("ApiName");
    let begin = call.params["BeginTime"].as_i64().unwrap_or(i64::MIN);
    let end = call.params["EndTime"].as_i64().unwrap_or(i64::MAX);
    let matches = |job: &Job| {
        job.visible_at <= call.instant
            && (resources.is_empty() || resources.iter().any(|id| job.resource_ids.contains(id)))
            && resource_type.is_none_or(|wanted| wanted.eq_ignore_ascii_case(job.resource_type))
            && api_name.is_none_or(|wanted| wanted == job.api_name)
            && (begin..=end).contains(&job.create_ms)
    };
    let found: Vec<(u64, &Job)> = if ids.is_empty() {
        call.store.jobs.iter().filter(|(_, job)| matches(job)).collect()
    } else {
        let named = ids.iter().filter_map(|id| call.store.jobs.get(id));
        named.filter(|(_, job)| matches(job)).collect()
    };
    call.page(found, 100)?.answer("Jobs", render)
}

fn render(job: &Job) -> Value {
    let mut answer = json!({
        "Id": job.id,
        "ApiName": job.api_name,
        "OperateType": job.operate.as_str(),
        "ResourceId": job.resource_ids.first(),
        "ResourceType": job.resource_type,
        "Status": job.status,
        "CreateTime": job.create_ms,
        "ModifyTime": job.modify_ms,
    });
    if let Some((code, message)) = &job.error {
        answer["ErrorCode"] = code.as_str().into();
        answer["ErrorMessage"] = message.as_str().into();
    }
    answer
}
