//! Many Ingresses at once.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use common::corpus::Corpus;
use ingress_translate::{Compiled, Settings, compile, compile_all};

#[test]
fn many_ingresses_are_compiled_as_each_by_itself() {
    let settings = Settings::default();
    for count in [10, 5_000] {
        let corpus = Corpus::single(count);
        let each = corpus.ingresses.iter();
        let each: Vec<Compiled> = each
            .map(|ingress| compile(ingress, &corpus.lookups, &settings))
            .collect();
        assert!(each.iter().all(|compiled| compiled.rules.len() == 1));
        assert!(compile_all(&corpus.ingresses, &corpus.lookups, &settings) == each);
    }
}
