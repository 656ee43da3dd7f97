//! Where requests go: the gateway's own matching semantics, answered in the words of the objects behind its rules.

mod answer;
mod request;
mod table;
pub(crate) mod words;

pub use answer::{Answer, AnswerAction, Matched, Rewritten, RouteTarget};
pub use request::{RequestError, RouteRequest};
pub use table::{RouteTable, Routed};

/// The answer among several gateways: that of the first one in which the request takes a route, else that of the first
/// one that has a listener for it, else that of the first.
pub fn route_among<'t, 'a>(
    tables: &'t [RouteTable<'a>],
    request: &RouteRequest,
) -> Option<(&'t RouteTable<'a>, Routed<'a>)> {
    let mut answers: Vec<_> = tables.iter().map(|table| (table, table.route(request))).collect();
    let at = answers
        .iter()
        .position(|(_, routed)| routed.origin.is_some())
        .or_else(|| answers.iter().position(|(_, routed)| routed.listener.is_some()))
        .unwrap_or(0);
    (at < answers.len()).then(|| answers.swap_remove(at))
}
