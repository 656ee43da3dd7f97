//! Parameter shapes of the operations, as published, and the check of a call's flat parameters against them.
//!
//! `data/shapes.json` holds the published names and types (a trailing `!` marks what is required). [`relax`] lists
//! where we deviate from it, with the reason.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::error::{ApiError, ApiResult};

/// The type of a parameter or response field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Text,
    Integer,
    Boolean,
    List(Box<Shape>),
    Struct(BTreeMap<String, Field>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) required: bool,
    pub(crate) shape: Shape,
}

/// Request and response shape of an operation.
#[derive(Clone, Debug)]
pub(crate) struct OperationShape {
    pub(crate) request: Shape,
    #[cfg_attr(not(test), expect(dead_code, reason = "tests check answers against it"))]
    pub(crate) response: Shape,
}

static SHAPES: LazyLock<BTreeMap<String, BTreeMap<String, OperationShape>>> = LazyLock::new(|| {
    let text = include_str!("../../data/shapes.json");
    let mut products: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_str(text).unwrap_or_default();
    for operations in products.values_mut() {
        for (action, operation) in operations.iter_mut() {
            relax(action, &mut operation["request"]);
        }
    }
    products
        .into_iter()
        .map(|(product, operations)| {
            let operations = operations
                .into_iter()
                .map(|(action, operation)| {
                    let shape = OperationShape {
                        request: Shape::read(&operation["request"]),
                        response: Shape::read(&operation["response"]),
                    };
                    (action, shape)
                })
                .collect();
            (product, operations)
        })
        .collect()
});

/// Where the published shapes are known to be incomplete or wrong.
fn relax(action: &str, request: &mut Value) {
    // The shape requires a SourceIp condition in each condition of CreateRule, though not of CreateRules.
    if action == "CreateRule"
        && let Some(condition) = request["RuleConditions!"][0].as_object_mut()
        && let Some(config) = condition.remove("SourceIpConfig!")
    {
        condition.insert("SourceIpConfig".into(), config);
    }
    // CoverEnabled is documented for updates; controllers send it on creation too.
    let actions = match action {
        "CreateRule" => &mut request["RuleActions!"],
        "CreateRules" => &mut request["Rules!"][0]["RuleActions!"],
        _ => &mut Value::Null,
    };
    if let Some(config) = actions
        .pointer_mut("/0/InsertHeaderConfig")
        .and_then(Value::as_object_mut)
    {
        config.insert("CoverEnabled".into(), "bool".into());
    }
    // The upgrade can be switched off without naming a listener.
    if let Some(quic) = request.get_mut("QuicConfig").and_then(Value::as_object_mut)
        && let Some(id) = quic.remove("QuicListenerId!")
    {
        quic.insert("QuicListenerId".into(), id);
    }
}

/// The shape of an operation; `None` when it is not modelled.
pub(crate) fn operation(product: &str, action: &str) -> Option<&'static OperationShape> {
    SHAPES.get(product)?.get(action)
}

/// Names of the operations whose shape is known.
#[cfg(test)]
pub(crate) fn actions(product: &str) -> impl Iterator<Item = &'static str> {
    SHAPES
        .get(product)
        .into_iter()
        .flat_map(|o| o.keys().map(String::as_str))
}

impl Shape {
    fn read(value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::List(Box::new(items.first().map_or(Self::Text, Self::read))),
            Value::Object(fields) => Self::Struct(
                fields
                    .iter()
                    .map(|(name, value)| {
                        let required = name.ends_with('!');
                        let field = Field {
                            required,
                            shape: Self::read(value),
                        };
                        (name.trim_end_matches('!').to_owned(), field)
                    })
                    .collect(),
            ),
            Value::String(name) if name == "int" => Self::Integer,
            Value::String(name) if name == "bool" => Self::Boolean,
            _ => Self::Text,
        }
    }

    /// Whether a structure has a field of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        matches!(self, Self::Struct(fields) if fields.contains_key(name))
    }

    /// Builds the typed tree of flat parameters (`Rules.1.Priority=10`).
    ///
    /// # Errors
    /// `IllegalParam.*` for a name that is not in the shape or a value of the wrong type, `MissingParam.*` for a
    /// required one that is absent or empty.
    pub(crate) fn parse(&self, flat: &BTreeMap<String, String>) -> ApiResult<Value> {
        let mut node = Node::default();
        for (name, value) in flat {
            node.insert(name, value)?;
        }
        self.build(&node, "")
    }

    fn build(&self, node: &Node, path: &str) -> ApiResult<Value> {
        match self {
            Self::Struct(fields) => {
                node.refuse_value(path)?;
                for name in node.children.keys() {
                    if !fields.contains_key(name) {
                        let known: Vec<&str> = fields.keys().map(String::as_str).collect();
                        return Err(ApiError::illegal(
                            &join(path, name),
                            format_args!("there is no such parameter; known are {}", known.join(", ")),
                        ));
                    }
                }
                let mut tree = Map::new();
                for (name, field) in fields {
                    let path = join(path, name);
                    match node.children.get(name) {
                        Some(child) => {
                            let value = field.shape.build(child, &path)?;
                            if field.required && value.as_str() == Some("") {
                                return Err(ApiError::missing(&path));
                            }
                            tree.insert(name.clone(), value);
                        }
                        None if field.required => return Err(ApiError::missing(&path)),
                        None => {}
                    }
                }
                Ok(Value::Object(tree))
            }
            Self::List(element) => {
                node.refuse_value(path)?;
                let mut positions = Vec::new();
                for (name, child) in &node.children {
                    match name.parse::<u32>() {
                        Ok(position) if position >= 1 => positions.push((position, child)),
                        _ => {
                            return Err(ApiError::illegal(
                                &join(path, name),
                                "list elements are numbered from 1, such as Name.1",
                            ));
                        }
                    }
                }
                positions.sort_by_key(|(position, _)| *position);
                let items = positions
                    .into_iter()
                    .map(|(position, child)| element.build(child, &join(path, &position.to_string())));
                Ok(Value::Array(items.collect::<ApiResult<_>>()?))
            }
            Self::Text => Ok(Value::String(node.value(path)?.to_owned())),
            Self::Integer => {
                let text = node.value(path)?;
                text.parse::<i64>()
                    .map(Value::from)
                    .map_err(|_| ApiError::illegal(path, format_args!("{text:?} is not an integer")))
            }
            Self::Boolean => match node.value(path)? {
                "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
                "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
                text => Err(ApiError::illegal(
                    path,
                    format_args!("{text:?} is neither true nor false"),
                )),
            },
        }
    }

    /// Says where `value` does not fit this shape.
    #[cfg(test)]
    pub(crate) fn misfit(&self, value: &Value, path: &str) -> Option<String> {
        match (self, value) {
            (Self::Struct(fields), Value::Object(object)) => object.iter().find_map(|(name, value)| {
                let path = join(path, name);
                match fields.get(name) {
                    Some(field) => field.shape.misfit(value, &path),
                    None => Some(format!("{path} is not a documented field")),
                }
            }),
            (Self::List(element), Value::Array(items)) => {
                items.iter().find_map(|item| element.misfit(item, path))
            }
            (Self::Text, Value::String(_)) | (Self::Boolean, Value::Bool(_)) => None,
            (Self::Integer, Value::Number(number)) if number.is_i64() => None,
            _ => Some(format!("{path} should be {self:?}, is {value}")),
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// Flat parameters as a tree of name parts.
#[derive(Default)]
struct Node {
    value: Option<String>,
    children: BTreeMap<String, Node>,
}

/// Deeper than any published shape; keeps hostile names from exhausting the stack.
const MAX_DEPTH: usize = 16;

impl Node {
    fn insert(&mut self, name: &str, value: &str) -> ApiResult<()> {
        let mut node = self;
        for (depth, part) in name.split('.').enumerate() {
            if depth == MAX_DEPTH || part.is_empty() {
                return Err(ApiError::illegal(name, "the name is malformed"));
            }
            node = node.children.entry(part.to_owned()).or_default();
        }
        node.value = Some(value.to_owned());
        Ok(())
    }

    fn value(&self, path: &str) -> ApiResult<&str> {
        match (&self.value, self.children.keys().next()) {
            (Some(value), None) => Ok(value),
            (_, Some(child)) => Err(ApiError::illegal(
                &join(path, child),
                format_args!("{path} is a single value"),
            )),
            (None, None) => Err(ApiError::missing(path)),
        }
    }

    fn refuse_value(&self, path: &str) -> ApiResult<()> {
        match &self.value {
            Some(_) => Err(ApiError::illegal(
                path,
                "it is a structure or list; name its parts, such as Name.1 or Name.Part",
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn parse(action: &str, params: &[(&str, &str)]) -> ApiResult<Value> {
        let flat = params
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        operation("alb-2020-06-16", action).unwrap().request.parse(&flat)
    }

    #[test]
    fn flat_names_become_a_typed_tree() {
        let tree = parse(
            "CreateRules",
            &[
                ("ListenerId", "lsn-1"),
                ("Rules.2.Priority", "20"),
                ("Rules.2.RuleName", "b"),
                ("Rules.2.RuleActions.1.Order", "1"),
                ("Rules.2.RuleActions.1.Type", "Cors"),
                ("Rules.2.RuleConditions.1.Type", "Host"),
                ("Rules.2.RuleConditions.1.HostConfig.Values.1", "a.example.com"),
                ("Rules.2.RuleConditions.1.HostConfig.Values.10", "c.example.com"),
                ("Rules.2.RuleConditions.1.HostConfig.Values.2", "b.example.com"),
            ],
        );
        assert_eq!(
            tree.unwrap(),
            json!({"ListenerId": "lsn-1", "Rules": [{
                "Priority": 20, "RuleName": "b",
                "RuleActions": [{"Order": 1, "Type": "Cors"}],
                "RuleConditions": [{"Type": "Host", "HostConfig": {"Values": ["a.example.com", "b.example.com", "c.example.com"]}}],
            }]})
        );
    }

    #[test]
    fn what_does_not_fit_the_shape_is_refused_with_its_name() {
        type Params = &'static [(&'static str, &'static str)];
        let cases: &[(&str, Params, &str)] = &[
            ("DeleteListener", &[], "MissingParam.ListenerId"),
            ("DeleteListener", &[("ListenerId", "")], "MissingParam.ListenerId"),
            (
                "DeleteListener",
                &[("ListenerId", "x"), ("listenerid", "x")],
                "IllegalParam.listenerid",
            ),
            (
                "DeleteListener",
                &[("ListenerId.1", "x")],
                "IllegalParam.ListenerId",
            ),
            ("DeleteRules", &[("RuleIds", "x")], "IllegalParam.RuleIds"),
            ("DeleteRules", &[("RuleIds.0", "x")], "IllegalParam.RuleIds"),
            ("DeleteRules", &[("RuleIds.a", "x")], "IllegalParam.a"),
            ("ListRules", &[("MaxResults", "many")], "IllegalParam.MaxResults"),
            (
                "DeleteListener",
                &[("ListenerId", "x"), ("DryRun", "yes")],
                "IllegalParam.DryRun",
            ),
            ("DeleteListener", &[("ListenerId..x", "x")], "IllegalParam.x"),
            (
                "CreateRules",
                &[("ListenerId", "x"), ("Rules.1.RuleName", "r")],
                "MissingParam.Priority",
            ),
        ];
        for (action, params, code) in cases {
            assert_eq!(
                parse(action, params).unwrap_err().code,
                *code,
                "{action} {params:?}"
            );
        }
        let deep = vec!["a"; 100].join(".");
        assert!(parse("ListRules", &[(&deep, "x")]).is_err());
    }
}
