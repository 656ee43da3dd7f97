//! The JSON of `conditions.<service>` and `actions.<service>`. Keys and types match in any letter case, as in the managed
//! controller.

use alb_model::{
    Action, Condition, Cors, FixedResponse, HeaderValueType, InsertHeader, Redirect, RedirectCode,
    RemoveHeader, Rewrite, ServerGroupRef, TrafficLimit, TrafficMirror,
};
use serde_json::{Map, Value};

use super::object::{Object, Parsed, Unknown, within};
use crate::endpoints::ServicePortRef;

/// One entry of an actions annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ActionSpec {
    /// An action that is complete by itself.
    Plain(Action),
    /// A forward, whose Services are not looked up yet.
    Forward {
        targets: Vec<(TargetSpec, u16)>,
        sticky_timeout_s: Option<u32>,
    },
}

impl ActionSpec {
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Plain(action) => action.is_final(),
            Self::Forward { .. } => true,
        }
    }
}

/// What an annotation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read<T> {
    pub(crate) value: T,
    /// Keys that mean nothing where they stand: what to tell of each, after the name of the annotation.
    pub(crate) unknown: Vec<String>,
}

/// Where a forward leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TargetSpec {
    /// A Service of the Ingress's namespace.
    Service { name: String, port: ServicePortRef },
    /// An existing server group.
    Group(String),
}

/// Reads a conditions annotation. Host, Path, Method, SourceIp and ResponseStatusCode blocks of one type are merged.
pub(crate) fn parse_conditions(text: &str) -> Parsed<Read<Vec<Condition>>> {
    let read = read_blocks(text, condition)?;
    let mut conditions: Vec<Condition> = Vec::new();
    for condition in read.value {
        merge(&mut conditions, condition);
    }
    Ok(Read {
        value: conditions,
        unknown: read.unknown,
    })
}

fn merge(conditions: &mut Vec<Condition>, condition: Condition) {
    use Condition::{Host, Method, Path, ResponseStatusCode, SourceIp};
    for existing in conditions.iter_mut() {
        match (existing, &condition) {
            (Host { values }, Host { values: more })
            | (Path { values }, Path { values: more })
            | (Method { values }, Method { values: more })
            | (SourceIp { values }, SourceIp { values: more })
            | (ResponseStatusCode { values }, ResponseStatusCode { values: more }) => {
                for value in more {
                    if !values.contains(value) {
                        values.push(value.clone());
                    }
                }
                return;
            }
            _ => {}
        }
    }
    conditions.push(condition);
}

/// Reads an actions annotation.
pub(crate) fn parse_actions(text: &str) -> Parsed<Read<Vec<ActionSpec>>> {
    read_blocks(text, action)
}

fn read_blocks<T>(text: &str, read: fn(&Object<'_>) -> Parsed<T>) -> Parsed<Read<Vec<T>>> {
    let (blocks, unknown) = (blocks(text)?, Unknown::default());
    let values = blocks.iter().enumerate().map(|(index, map)| {
        let at = format!("[{index}]");
        read(&Object::new(map, at.clone(), &unknown)).map_err(|problem| format!("{at}{problem}"))
    });
    Ok(Read {
        value: values.collect::<Parsed<_>>()?,
        unknown: unknown.into_inner(),
    })
}

/// An array of objects; a single object counts as an array of one, as older generators write it.
fn blocks(text: &str) -> Parsed<Vec<Map<String, Value>>> {
    let value: Value = serde_json::from_str(text).map_err(|e| format!(" is no valid JSON: {e}"))?;
    let items = match value {
        Value::Array(items) => items,
        Value::Object(object) => vec![Value::Object(object)],
        _ => return Err(" is no array of objects".into()),
    };
    let objects = items.into_iter().enumerate().map(|(index, item)| match item {
        Value::Object(object) => Ok(object),
        other => Err(format!("[{index}] is {other}, not an object")),
    });
    objects.collect()
}

fn condition(block: &Object<'_>) -> Parsed<Condition> {
    const TYPES: [&str; 9] = [
        "Host",
        "Path",
        "Header",
        "QueryString",
        "Method",
        "Cookie",
        "SourceIp",
        "ResponseHeader",
        "ResponseStatusCode",
    ];
    let type_ = block.required("type")?;
    let known = TYPES.into_iter().find(|known| type_.eq_ignore_ascii_case(known));
    Ok(match known {
        Some("Host") => {
            let values = within(block, "hostConfig", |c| c.texts("values"))?;
            Condition::host(values.iter().map(|v| v.to_ascii_lowercase()))
        }
        Some("Path") => Condition::path(within(block, "pathConfig", |c| c.texts("values"))?),
        Some("Header") => within(block, "headerConfig", |c| {
            Ok(Condition::Header {
                key: c.required("key")?.into(),
                values: c.texts("values")?,
            })
        })?,
        Some("QueryString") => Condition::QueryString {
            values: within(block, "queryStringConfig", |c| c.pairs("values"))?,
        },
        Some("Method") => {
            let values = within(block, "methodConfig", |c| c.texts("values"))?;
            Condition::Method {
                values: values.iter().map(|v| v.to_ascii_uppercase().into()).collect(),
            }
        }
        Some("Cookie") => Condition::Cookie {
            values: within(block, "cookieConfig", |c| c.pairs("values"))?,
        },
        Some("SourceIp") => Condition::SourceIp {
            values: within(block, "sourceIpConfig", |c| c.texts("values"))?,
        },
        Some("ResponseHeader") => within(block, "responseHeaderConfig", |c| {
            Ok(Condition::ResponseHeader {
                key: c.required("key")?.into(),
                values: c.texts("values")?,
            })
        })?,
        Some("ResponseStatusCode") => Condition::ResponseStatusCode {
            values: within(block, "responseStatusCodeConfig", |c| c.texts("values"))?,
        },
        _ => return Err(format!(".type is {type_:?}; write one of {}", TYPES.join(", "))),
    })
}

fn action(block: &Object<'_>) -> Parsed<ActionSpec> {
    const TYPES: [&str; 9] = [
        "ForwardGroup",
        "Redirect",
        "FixedResponse",
        "Rewrite",
        "InsertHeader",
        "RemoveHeader",
        "TrafficLimit",
        "TrafficMirror",
        "Cors",
    ];
    let type_ = block.required("type")?;
    let known = TYPES.into_iter().find(|known| type_.eq_ignore_ascii_case(known));
    Ok(ActionSpec::Plain(match known {
        Some("ForwardGroup") => {
            // The documentation writes ForwardConfig; the API ForwardGroupConfig.
            let name = if block.get("ForwardConfig").is_some() {
                "ForwardConfig"
            } else {
                "ForwardGroupConfig"
            };
            return within(block, name, |c| forward(&c));
        }
        Some("Redirect") => Action::Redirect(Box::new(within(block, "RedirectConfig", |c| redirect(&c))?)),
        Some("FixedResponse") => Action::FixedResponse(within(block, "FixedResponseConfig", |c| fixed(&c))?),
        Some("Rewrite") => Action::Rewrite(Box::new(within(block, "RewriteConfig", |c| {
            let default = Rewrite::default();
            Ok(Rewrite {
                host: c.text("host")?.unwrap_or(default.host),
                path: c.text("path")?.unwrap_or(default.path),
                query: c.text("query")?.unwrap_or(default.query),
            })
        })?)),
        Some("InsertHeader") => Action::InsertHeader(within(block, "InsertHeaderConfig", |c| insert(&c))?),
        Some("RemoveHeader") => Action::RemoveHeader(RemoveHeader {
            key: within(block, "RemoveHeaderConfig", |c| c.required("key"))?,
        }),
        Some("TrafficLimit") => Action::TrafficLimit(within(block, "TrafficLimitConfig", |c| {
            let per_ip = c.number("QPSPerIp")?;
            Ok(TrafficLimit {
                qps: c.number("QPS")?,
                per_ip_qps: if per_ip.is_none() {
                    c.number("PerIpQps")?
                } else {
                    per_ip
                },
            })
        })?),
        Some("TrafficMirror") => Action::TrafficMirror(within(block, "TrafficMirrorConfig", |c| mirror(&c))?),
        Some("Cors") => Action::Cors(Box::new(within(block, "CorsConfig", |c| cors(&c))?)),
        _ => return Err(format!(".type is {type_:?}; write one of {}", TYPES.join(", "))),
    }))
}

fn forward(config: &Object<'_>) -> Parsed<ActionSpec> {
    let groups = config.objects("ServerGroups")?;
    if groups.len() > alb_model::limits::SERVER_GROUPS_PER_FORWARD {
        return Err(format!(
            ".ServerGroups has {} entries; a forward has at most 5",
            groups.len()
        ));
    }
    let alone = groups.len() == 1;
    let mut targets = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let at = |problem: String| format!(".ServerGroups[{index}]{problem}");
        let weight = group
            .number::<u16>("Weight")
            .map_err(at)?
            .or(alone.then_some(100));
        let weight = weight
            .filter(|w| *w <= 100)
            .ok_or_else(|| at(".Weight must be 0 to 100".into()))?;
        let id = group
            .text("ServerGroupID")
            .map_err(at)?
            .filter(|id| !id.is_empty());
        let target = match id {
            Some(id) => TargetSpec::Group(id),
            None => {
                let name = group.required("ServiceName").map_err(at)?;
                let port = group.required("ServicePort").map_err(at)?;
                let port = match port.parse::<u16>() {
                    Ok(number) => ServicePortRef::Number(number),
                    Err(_) => ServicePortRef::Name(port),
                };
                TargetSpec::Service { name, port }
            }
        };
        targets.push((target, weight));
    }
    if targets.iter().all(|(_, weight)| *weight == 0) {
        return Err(".ServerGroups have weight 0 all; give one of them more".into());
    }
    let sticky_timeout_s = match config.get("ServerGroupStickySession") {
        None | Some(Value::Null) => None,
        Some(_) => within(config, "ServerGroupStickySession", |c| {
            let enabled = c.boolean("Enabled")?.unwrap_or(false);
            Ok(enabled.then_some(c.number("Timeout")?.unwrap_or(1000)))
        })?,
    };
    Ok(ActionSpec::Forward {
        targets,
        sticky_timeout_s,
    })
}

fn redirect(config: &Object<'_>) -> Parsed<Redirect> {
    let default = Redirect::default();
    let part = |key, default: String| {
        Ok::<_, String>(config.text(key)?.filter(|t| !t.is_empty()).unwrap_or(default))
    };
    let code = config.text("httpCode")?.unwrap_or_else(|| "301".into());
    Ok(Redirect {
        protocol: part("protocol", default.protocol)?,
        host: part("host", default.host)?,
        port: part("port", default.port)?,
        path: part("path", default.path)?,
        query: part("query", default.query)?,
        code: code
            .parse::<RedirectCode>()
            .map_err(|e| format!(".httpCode: {e}"))?,
    })
}

fn fixed(config: &Object<'_>) -> Parsed<FixedResponse> {
    let code = config.required("httpCode")?;
    Ok(FixedResponse {
        code: code
            .trim()
            .parse()
            .map_err(|_| format!(".httpCode is {code:?}; write a 2xx, 4xx or 5xx code"))?,
        content_type: config.required("contentType")?,
        content: config.text("content")?.unwrap_or_default(),
    })
}

fn insert(config: &Object<'_>) -> Parsed<InsertHeader> {
    let value_type = config.text("valueType")?.unwrap_or_else(|| "UserDefined".into());
    Ok(InsertHeader {
        key: config.required("key")?,
        value: config.required("value")?,
        value_type: value_type
            .parse::<HeaderValueType>()
            .map_err(|e| format!(".valueType: {e}"))?,
        keeps_existing: config.boolean("coverEnabled")? == Some(false),
    })
}

fn mirror(config: &Object<'_>) -> Parsed<TrafficMirror> {
    const KIND: &str = "ForwardGroupMirror";
    if let Some(kind) = config.text("TargetType")?.filter(|kind| kind != KIND) {
        return Err(format!(".TargetType is {kind:?}; write {KIND}"));
    }
    let groups = within(config, "MirrorGroupConfig", |c| {
        let tuples = c.objects("ServerGroupTuples")?.into_iter().enumerate();
        let ids = tuples.map(|(index, tuple)| {
            let id = tuple.required("ServerGroupID");
            id.map(ServerGroupRef::Id)
                .map_err(|problem| format!(".ServerGroupTuples[{index}]{problem}"))
        });
        ids.collect::<Parsed<Vec<_>>>()
    })?;
    Ok(TrafficMirror { groups })
}

fn cors(config: &Object<'_>) -> Parsed<Cors> {
    let list = |key| match config.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.split(',').map(|item| item.trim().to_owned()).collect()),
        Some(_) => config
            .texts(key)
            .map(|texts| texts.into_iter().map(String::from).collect()),
    };
    let credentials = config.text("allowCredentials").or_else(|_| {
        config
            .boolean("allowCredentials")
            .map(|b| b.map(|b| if b { "on" } else { "off" }.to_owned()))
    })?;
    Ok(Cors {
        allow_origin: list("allowOrigin")?,
        allow_methods: list("allowMethods")?,
        allow_headers: list("allowHeaders")?,
        expose_headers: list("exposeHeaders")?,
        allow_credentials: matches!(credentials.as_deref(), Some("on" | "true")),
        max_age_s: config.number("maxAge")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_of_one_type_are_merged_and_case_does_not_matter() {
        let text = r#"[{"type":"host","hostconfig":{"VALUES":["A.com"]}},{"type":"Host","hostConfig":{"values":["b.com"]}},
            {"type":"Header","headerConfig":{"key":"k","values":["1"]}},{"type":"Header","headerConfig":{"key":"k","values":["2"]}}]"#;
        let conditions = parse_conditions(text).unwrap().value;
        assert_eq!(conditions.len(), 3);
        assert_eq!(conditions[0], Condition::host(["a.com", "b.com"]));
    }

    #[test]
    fn problems_name_the_place() {
        for (text, problem) in [
            ("{", " is no valid JSON"),
            ("[1]", "[0] is 1, not an object"),
            (
                r#"[{"type":"Hots"}]"#,
                r#"[0].type is "Hots"; write one of Host,"#,
            ),
            (r#"[{"type":"Path"}]"#, "[0].pathConfig is missing"),
            (
                r#"[{"type":"Path","pathConfig":{}}]"#,
                "[0].pathConfig.values is missing",
            ),
            (
                r#"[{"type":"Cookie","cookieConfig":{"values":[{"key":"a"}]}}]"#,
                "[0].cookieConfig.values[0].value is missing",
            ),
        ] {
            let error = parse_conditions(text).unwrap_err();
            assert!(error.starts_with(problem), "{text}: {error}");
        }
        for (text, problem) in [
            (
                r#"[{"type":"ForwardGroup"}]"#,
                "[0].ForwardGroupConfig is missing",
            ),
            (
                r#"[{"type":"ForwardGroup","ForwardConfig":{"ServerGroups":[{"ServiceName":"a","ServicePort":80},{"ServiceName":"b","ServicePort":80,"Weight":1}]}}]"#,
                "[0].ForwardConfig.ServerGroups[0].Weight must be 0 to 100",
            ),
            (
                r#"[{"type":"FixedResponse","FixedResponseConfig":{"httpCode":"x","contentType":"text/plain"}}]"#,
                "[0].FixedResponseConfig.httpCode is",
            ),
            (
                r#"[{"type":"Redirect","RedirectConfig":{"httpCode":"300"}}]"#,
                "[0].RedirectConfig.httpCode: unknown value",
            ),
        ] {
            let error = parse_actions(text).unwrap_err();
            assert!(error.starts_with(problem), "{text}: {error}");
        }
    }

    #[test]
    fn keys_without_meaning_are_named() {
        let text = r#"[{"type":"Path","pathConfig":{"values":["/a"],"value":["/b"]},"hostConfig":{"values":["a.com"]},"kind":1},
            {"type":"Cookie","cookieConfig":{"values":[{"key":"a","value":"b","Vlaue":"c"}]}}]"#;
        let read = parse_conditions(text).unwrap();
        assert_eq!(read.value.len(), 2);
        let told = [
            "[0].pathConfig.value has no effect; did you mean values?",
            "[0].hostConfig has no effect; remove it",
            "[0].kind has no effect; remove it",
            "[1].cookieConfig.values[0].Vlaue has no effect; did you mean value?",
        ];
        let mut unknown = read.unknown;
        unknown.sort();
        assert_eq!(unknown, {
            let mut told = told;
            told.sort_unstable();
            told
        });
        let text = r#"{"type":"ForwardGroup","ForwardGroupConfig":{"ServerGroups":[{"serviceName":"a","ServicePort":80,"weigth":1}]}}"#;
        let told = ["[0].ForwardGroupConfig.ServerGroups[0].weigth has no effect; did you mean Weight?"];
        assert_eq!(parse_actions(text).unwrap().unknown, told);
    }

    #[test]
    fn a_weighted_forward_reads_names_and_numbers() {
        let text = r#"[{"type":"ForwardGroup","ForwardConfig":{"ServerGroups":[
            {"ServiceName":"a","ServicePort":80,"Weight":30},{"ServiceName":"b","ServicePort":"http","Weight":"70"}],
            "ServerGroupStickySession":{"Enabled":true}}}]"#;
        let ActionSpec::Forward {
            targets,
            sticky_timeout_s,
        } = &parse_actions(text).unwrap().value[0]
        else {
            panic!("no forward");
        };
        assert_eq!(targets[0].1, 30);
        assert_eq!(
            targets[1],
            (
                TargetSpec::Service {
                    name: "b".into(),
                    port: ServicePortRef::Name("http".into())
                },
                70
            )
        );
        assert_eq!(*sticky_timeout_s, Some(1000));
    }
}
