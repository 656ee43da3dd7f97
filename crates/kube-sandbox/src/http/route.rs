//! From a path to what it addresses.

use super::query::decode;

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    Health,
    Version,
    /// `/api` or `/apis`.
    Groups {
        core: bool,
    },
    /// `/apis/GROUP`.
    Group {
        group: String,
    },
    /// `/api/v1` or `/apis/GROUP/VERSION`.
    GroupVersion {
        group: String,
        version: String,
    },
    OpenApiV2,
    OpenApiV3Index,
    OpenApiV3 {
        group: String,
        version: String,
    },
    Resource(ResourcePath),
    Index,
    Unknown,
}

/// `/apis/GROUP/VERSION/namespaces/NAMESPACE/RESOURCE/NAME/SUBRESOURCE`, with parts left out as "".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ResourcePath {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: String,
    pub(crate) plural: String,
    pub(crate) name: String,
    pub(crate) subresource: String,
    /// The old `/watch/` prefix.
    pub(crate) watch: bool,
}

pub(crate) fn parse(path: &str) -> Route {
    let parts: Vec<String> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(decode)
        .collect();
    let words: Vec<&str> = parts.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => Route::Index,
        ["healthz" | "livez" | "readyz", ..] => Route::Health,
        ["version"] => Route::Version,
        ["api"] => Route::Groups { core: true },
        ["apis"] => Route::Groups { core: false },
        ["openapi", "v2"] => Route::OpenApiV2,
        ["openapi", "v3"] => Route::OpenApiV3Index,
        ["openapi", "v3", "api", version] => Route::OpenApiV3 {
            group: String::new(),
            version: (*version).to_owned(),
        },
        ["openapi", "v3", "apis", group, version] => Route::OpenApiV3 {
            group: (*group).to_owned(),
            version: (*version).to_owned(),
        },
        ["apis", group] => Route::Group {
            group: (*group).to_owned(),
        },
        ["api", version, rest @ ..] => resource("", version, rest),
        ["apis", group, version, rest @ ..] => resource(group, version, rest),
        _ => Route::Unknown,
    }
}

fn resource(group: &str, version: &str, rest: &[&str]) -> Route {
    let (watch, rest) = match rest {
        ["watch", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (namespace, rest) = match rest {
        // A Namespace itself, or one of its subresources.
        ["namespaces"] | ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => ("", rest),
        ["namespaces", namespace, rest @ ..] => (*namespace, rest),
        rest => ("", rest),
    };
    let (plural, name, subresource) = match *rest {
        [] => {
            return Route::GroupVersion {
                group: group.to_owned(),
                version: version.to_owned(),
            };
        }
        [plural] => (plural, "", ""),
        [plural, name] => (plural, name, ""),
        [plural, name, subresource] => (plural, name, subresource),
        _ => return Route::Unknown,
    };
    Route::Resource(ResourcePath {
        group: group.to_owned(),
        version: version.to_owned(),
        namespace: namespace.to_owned(),
        plural: plural.to_owned(),
        name: name.to_owned(),
        subresource: subresource.to_owned(),
        watch,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(path: &str) -> String {
        match parse(path) {
            Route::Resource(path) => {
                format!(
                    "{}|{}|{}|{}|{}|{}",
                    path.group, path.version, path.namespace, path.plural, path.name, path.subresource
                )
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn paths_lead_to_resources() {
        let cases = [
            ("/api/v1/namespaces", "|v1||namespaces||"),
            ("/api/v1/namespaces/x", "|v1||namespaces|x|"),
            ("/api/v1/namespaces/x/status", "|v1||namespaces|x|status"),
            ("/api/v1/namespaces/x/pods", "|v1|x|pods||"),
            ("/api/v1/namespaces/x/pods/p/status", "|v1|x|pods|p|status"),
            ("/apis/a.io/v1/things/t%3Ax", "a.io|v1||things|t:x|"),
            (
                "/apis/a.io/v1",
                "GroupVersion { group: \"a.io\", version: \"v1\" }",
            ),
            ("/readyz/ping", "Health"),
            ("/nothing", "Unknown"),
        ];
        for (path, wanted) in cases {
            assert_eq!(shown(path), wanted, "{path}");
        }
    }
}
