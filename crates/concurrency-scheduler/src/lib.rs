//! Keyed scheduler for changes: same key in series, different keys in parallel, with classes, caps, rates and retries
