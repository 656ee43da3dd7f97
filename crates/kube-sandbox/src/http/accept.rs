//! Content negotiation: JSON, Table, PartialObjectMetadata, YAML.

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Object,
    Table,
    PartialMetadata,
    AggregatedDiscovery(&'static str),
}

/// Chosen from an `Accept` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accept {
    pub(crate) form: Form,
    pub(crate) yaml: bool,
}

/// Picks the first acceptable entry; protobuf, CBOR and other encodings are passed over. `None`: nothing fits.
pub(crate) fn negotiate(header: &str) -> Option<Accept> {
    if header.trim().is_empty() {
        return Some(Accept {
            form: Form::Object,
            yaml: false,
        });
    }
    header.split(',').find_map(entry)
}

fn entry(entry: &str) -> Option<Accept> {
    let mut parts = entry.split(';').map(str::trim);
    let yaml = match parts.next()? {
        "application/json" | "application/*" | "*/*" => false,
        "application/yaml" => true,
        _ => return None,
    };
    let (mut kind, mut group, mut version) = ("", "", "");
    for parameter in parts {
        match parameter.split_once('=') {
            Some(("as", value)) => kind = value,
            Some(("g", value)) => group = value,
            Some(("v", value)) => version = value,
            _ => {}
        }
    }
    let form = match (kind, group, version) {
        ("", _, _) => Form::Object,
        ("Table", "meta.k8s.io", "v1" | "v1beta1") => Form::Table,
        ("PartialObjectMetadata" | "PartialObjectMetadataList", "meta.k8s.io", "v1") => Form::PartialMetadata,
        ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") => Form::AggregatedDiscovery("v2"),
        ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2beta1") => Form::AggregatedDiscovery("v2beta1"),
        _ => return None,
    };
    Some(Accept { form, yaml })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_usable_entry_wins() {
        let object = |yaml| {
            Some(Accept {
                form: Form::Object,
                yaml,
            })
        };
        let cases = [
            ("", object(false)),
            ("*/*", object(false)),
            ("application/yaml", object(true)),
            (
                "application/vnd.kubernetes.protobuf,application/json",
                object(false),
            ),
            (
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
                Some(Accept {
                    form: Form::Table,
                    yaml: false,
                }),
            ),
            (
                "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
                Some(Accept {
                    form: Form::PartialMetadata,
                    yaml: false,
                }),
            ),
            (
                "application/json;as=Unknown;g=x;v=v9,application/json",
                object(false),
            ),
            ("application/vnd.kubernetes.protobuf", None),
            ("text/html", None),
        ];
        for (header, wanted) in cases {
            assert_eq!(negotiate(header), wanted, "{header}");
        }
    }
}
