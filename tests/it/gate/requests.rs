//! One request for each route of the `OpenAPI` document, made from what the document says of it.

use serde_json::{Map, Value, json};

/// What exists, or does not.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    pub(crate) conversation: String,
    pub(crate) message: String,
    pub(crate) asset: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Whether the document says that nobody need show who they are.
    pub(crate) is_open: bool,
    /// The statuses that the document names; `default` is any.
    statuses: Vec<String>,
    body: Option<Value>,
}

pub(crate) fn document() -> Value {
    serde_json::from_str(&scribe_api::openapi_json()).unwrap()
}

/// Every route.
pub(crate) fn routes(document: &Value) -> Vec<Route> {
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses = operation["responses"].as_object().unwrap().keys();
            routes.push(Route {
                method: method.to_uppercase(),
                path: path.clone(),
                is_open: operation["security"] == json!([{}]),
                statuses: statuses.cloned().collect(),
                body: operation["requestBody"]["content"]
                    .get("application/json")
                    .map(|content| content["schema"].clone()),
            });
        }
    }
    routes
}

impl Route {
    /// Whether the document names this status.
    pub(crate) fn names(&self, status: u16) -> bool {
        let status = status.to_string();
        self.statuses
            .iter()
            .any(|named| *named == status || named == "default")
    }

    /// The path with ids in it. A part that nobody here knows becomes an id that nothing has.
    pub(crate) fn path_with(&self, ids: &Ids) -> String {
        let parts = self.path.split('/').map(|part| match part {
            "{conversationId}" => &ids.conversation,
            "{messageId}" => &ids.message,
            "{id}" => &ids.asset,
            part if part.starts_with('{') => "unknown",
            part => part,
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// Whether every id of the request is one of [`Ids`].
    pub(crate) fn is_known(&self) -> bool {
        !self.path_with(&known("x")).contains("unknown")
    }

    /// The smallest body that the schema takes.
    pub(crate) fn body_with(&self, document: &Value, ids: &Ids) -> Option<Value> {
        self.body
            .as_ref()
            .map(|schema| example(document, schema, "", ids))
    }
}

/// A body with an object inside, and the same with a list of that object's values in its place.
pub(crate) struct Nested {
    /// Where the object stands.
    pub(crate) field: String,
    pub(crate) right: Value,
    pub(crate) wrong: Value,
}

impl Route {
    /// For each field that is an object or a list of objects, a body that has it.
    pub(crate) fn nested(&self, document: &Value, ids: &Ids) -> Vec<Nested> {
        let Some(schema) = &self.body else {
            return Vec::new();
        };
        let fields = resolved(document, schema)["properties"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        let mut nested = Vec::new();
        for (name, property) in fields {
            let property = resolved(document, &property);
            let items = resolved(document, &property["items"]);
            let (object, is_list) = if items["properties"].is_object() {
                (items, true)
            } else if property["properties"].is_object() {
                (property, false)
            } else {
                continue;
            };
            let right = example(document, object, &name, ids);
            // In the order of the schema, which is that of the fields in the code.
            let order = object["required"].as_array().unwrap().iter();
            let values: Value = order
                .map(|field| right[field.as_str().unwrap()].clone())
                .collect();
            let with = |value: Value| {
                let mut body = self.body_with(document, ids).unwrap();
                body[name.as_str()] = if is_list { json!([value]) } else { value };
                body
            };
            nested.push(Nested {
                field: if is_list {
                    format!("{name}[0]")
                } else {
                    name.clone()
                },
                right: with(right),
                wrong: with(values),
            });
        }
        nested
    }
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

fn known(id: &str) -> Ids {
    Ids {
        conversation: id.to_owned(),
        message: id.to_owned(),
        asset: id.to_owned(),
    }
}

fn example(document: &Value, schema: &Value, name: &str, ids: &Ids) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap();
        return example(document, target, name, ids);
    }
    match name {
        "conversationId" => return json!(ids.conversation),
        "messageId" => return json!(ids.message),
        _ => {}
    }
    if let Some(first) = ["oneOf", "anyOf", "allOf", "enum", "examples"]
        .iter()
        .find_map(|choice| schema[choice].get(0))
    {
        return if first.is_object() {
            example(document, first, name, ids)
        } else {
            first.clone()
        };
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind.unwrap_or("object") {
        "string" => json!("a text"),
        "boolean" => json!(true),
        "integer" | "number" => json!(1),
        "array" => json!([example(document, &schema["items"], "", ids)]),
        _ => {
            let required = schema["required"].as_array().into_iter().flatten();
            let fields = required.map(|field| {
                let field = field.as_str().unwrap();
                (
                    field.to_owned(),
                    example(document, &schema["properties"][field], field, ids),
                )
            });
            Value::Object(fields.collect::<Map<_, _>>())
        }
    }
}
