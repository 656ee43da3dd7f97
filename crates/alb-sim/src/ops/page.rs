//! Pages of lists.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Answer, Call, check};
use crate::api::{ApiError, ApiResult};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct PageParams {
    max_results: Option<i64>,
    next_token: Option<String>,
}

/// A part of a list, and what the answer says about the rest.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    max_results: usize,
    next_token: String,
    total: usize,
}

impl Call<'_> {
    /// The page that the call asks for. Each item comes with its position; where that is the order of creation, pages
    /// neither repeat nor skip what was there all the time.
    pub(super) fn page<T>(&self, items: impl IntoIterator<Item = (u64, T)>, max: u32) -> ApiResult<Page<T>> {
        let params: PageParams = self.parse()?;
        let wanted = params.max_results.unwrap_or(20.min(i64::from(max)));
        check::range("MaxResults", wanted, &(1..=max))?;
        let after = match params.next_token.as_deref() {
            None | Some("") => 0,
            Some(token) => read_token(token)
                .ok_or_else(|| ApiError::illegal("NextToken", "it is not one that an earlier page gave"))?,
        };
        let mut all: Vec<(u64, T)> = items.into_iter().collect();
        all.sort_by_key(|(position, _)| *position);
        let total = all.len();
        let mut rest = all
            .into_iter()
            .filter(|(position, _)| *position > after)
            .peekable();
        let mut page = Vec::new();
        let mut last = 0;
        while page.len() < wanted as usize {
            let Some((position, item)) = rest.next() else {
                break;
            };
            last = position;
            page.push(item);
        }
        Ok(Page {
            items: page,
            max_results: wanted as usize,
            next_token: if rest.peek().is_some() {
                write_token(last)
            } else {
                String::new()
            },
            total,
        })
    }
}

impl<T> Page<T> {
    /// The answer with the items under `name`.
    #[expect(clippy::unnecessary_wraps, reason = "all operations end in an Answer")]
    pub(super) fn answer(self, name: &str, render: impl FnMut(T) -> Value) -> Answer {
        let mut answer = Map::new();
        answer.insert(name.to_owned(), self.items.into_iter().map(render).collect());
        answer.insert("MaxResults".into(), self.max_results.into());
        answer.insert("TotalCount".into(), self.total.into());
        if !self.next_token.is_empty() {
            answer.insert("NextToken".into(), self.next_token.into());
        }
        Ok(Value::Object(answer))
    }

    /// As [`Page::answer`], for the lists that say nothing about their size.
    pub(super) fn answer_uncounted(self, name: &str, render: impl FnMut(T) -> Value) -> Answer {
        let mut answer = self.answer(name, render)?;
        if let Some(answer) = answer.as_object_mut() {
            answer.remove("MaxResults");
            answer.remove("TotalCount");
        }
        Ok(answer)
    }
}

fn write_token(position: u64) -> String {
    URL_SAFE_NO_PAD.encode(position.to_be_bytes())
}

fn read_token(token: &str) -> Option<u64> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}
