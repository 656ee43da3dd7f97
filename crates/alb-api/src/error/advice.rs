//! What a person should do about common mistakes.

use super::Action;

/// The next step for a code, where the code alone tells it.
pub(super) fn next_step(action: Action, code: &str) -> Option<String> {
    let lower = code.to_ascii_lowercase();
    let family =
        |head: &str| lower == head || lower.strip_prefix(head).is_some_and(|rest| rest.starts_with('.'));
    let text = if family("invalidaccesskeyid") {
        "the AccessKey id is not known or is disabled: check ALIBABA_CLOUD_ACCESS_KEY_ID, and for temporary credentials \
         that ALIBABA_CLOUD_SECURITY_TOKEN belongs to it"
            .to_owned()
    } else if family("signaturedoesnotmatch") || family("incompletesignature") {
        "the AccessKey secret does not belong to the AccessKey id: check ALIBABA_CLOUD_ACCESS_KEY_SECRET for missing \
         characters, quotes and line breaks"
            .to_owned()
    } else if family("missingsecuritytoken") || family("invalidsecuritytoken") {
        "the security token is missing, malformed or expired: renew the temporary credentials and set all three of \
         ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN"
            .to_owned()
    } else if family("invalidtimestamp") {
        "the signature's time is too far from the server's: set this machine's clock".to_owned()
    } else if family("forbidden") || family("nopermission") {
        let permission = format!("{}:{}", action.product.ram_name(), action.name);
        format!("grant the permission {permission} to the RAM user or role of these credentials")
    } else if family("operationdenied.servicemanagedresource") {
        "another controller manages this instance: change it there, or reuse an instance that nobody manages"
            .to_owned()
    } else if lower.contains("quotaexceed") {
        "free what is not used, or ask for a higher quota in Quota Center".to_owned()
    } else if lower == "resourcealreadyexist.listener" {
        "another listener has this port and protocol: choose another port, or let the controller take it over"
            .to_owned()
    } else {
        return None;
    };
    Some(text)
}
