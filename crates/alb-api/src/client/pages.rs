//! Lists that come in pages.

use super::Client;
use crate::{Action, Error, Paged};

impl Client {
    /// Reads all pages of a list, in order. A page size that is not set becomes the greatest.
    ///
    /// Stops with [`Error::TooManyPages`] beyond [`ClientBuilder::max_pages`](super::ClientBuilder::max_pages): half a
    /// list would look like deleted resources. What changes while pages are read may be seen twice or not at all.
    pub async fn all_pages<O: Paged>(&self, operation: O) -> Result<Vec<O::Item>, Error> {
        let mut request = operation;
        request.widen();
        let mut items = Vec::new();
        for _ in 0..self.inner.max_pages {
            let response = self.send(&request).await?;
            let more = request.advance(&response);
            items.extend(O::into_items(response));
            if !more {
                return Ok(items);
            }
        }
        Err(Error::TooManyPages {
            action: Action::of::<O>(),
            pages: self.inner.max_pages,
        })
    }
}
