//! Requests about objects: from HTTP to the verbs of [`State`](crate::api::State), and back.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::accept::{self, Accept, Form};
use super::query::Query;
use super::respond::{self, Body};
use super::route::ResourcePath;
use super::server::{Server, header_text};
use super::stream;
use crate::api::delete::{DeleteOptions, Deleted};
use crate::api::patch::PatchRequest;
use crate::api::{Outcome, Target, WriteOptions, review};
use crate::json::{self, Parsed};
use crate::patch::{self, Format};
use crate::protobuf;
use crate::status::{self, ApiError, ApiResult};
use crate::strategy::Part;
use crate::table::{self, IncludeObject};

/// The API server's limit for request bodies.
const MAX_BODY_BYTES: usize = 3 * 1024 * 1024;

/// A request with all its parts read.
struct Call<'a> {
    server: &'a Arc<Server>,
    path: &'a ResourcePath,
    query: &'a Query,
    target: Target,
    accept: Accept,
    content_type: String,
    body: Bytes,
    options: WriteOptions,
}

pub(super) async fn answer(
    server: &Arc<Server>,
    path: &ResourcePath,
    request: Request<Incoming>,
    query: &Query,
    agent: &str,
) -> ApiResult<Response<Body>> {
    let method = request.method().clone();
    let accept = accept::negotiate(&header_text(&request, &header::ACCEPT)).ok_or_else(|| {
        ApiError::new(
            406,
            "NotAcceptable",
            "only the following media types are accepted: application/json, \
application/yaml",
        )
    })?;
    let content_type = header_text(&request, &header::CONTENT_TYPE);
    let body = read_body(request).await?;
    if let Some(response) = answer_review(path, &method, &content_type, &body)? {
        return Ok(response);
    }
    let resource = server
        .read(|state| state.registry.find(&path.group, &path.version, &path.plural))
        .ok_or_else(ApiError::no_such_path)?;
    let is_cluster_wide_list = path.namespace.is_empty() && path.name.is_empty() && method != Method::POST;
    if resource.namespaced == path.namespace.is_empty() && !is_cluster_wide_list {
        return Err(ApiError::no_such_path());
    }
    let part = match path.subresource.as_str() {
        "" | "finalize" => Part::Main,
        "scale" if resource.scale.is_some() => Part::Main,
        "status" if resource.status => Part::Status,
        _ => return Err(ApiError::no_such_path()),
    };
    let manager = query
        .get("fieldManager")
        .filter(|text| !text.is_empty())
        .map_or_else(
            || agent.split('/').next().unwrap_or("unknown").to_owned(),
            str::to_owned,
        );
    let call = Call {
        server,
        path,
        query,
        target: Target {
            resource,
            namespace: path.namespace.clone(),
            name: path.name.clone(),
            part,
        },
        accept,
        content_type,
        body,
        options: WriteOptions {
            manager,
            dry_run: query.dry_run()?,
            validation: query.validation()?,
            now: Timestamp::now(),
        },
    };
    call.run(&method)
}

async fn read_body(request: Request<Incoming>) -> ApiResult<Bytes> {
    match Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(ApiError::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {MAX_BODY_BYTES}"),
        )),
        Err(error) => Err(ApiError::bad_request(format!(
            "the request body could not be read: {error}"
        ))),
    }
}

fn answer_review(
    path: &ResourcePath,
    method: &Method,
    content_type: &str,
    body: &Bytes,
) -> ApiResult<Option<Response<Body>>> {
    let is_review = review::REVIEWS
        .iter()
        .any(|(group, _, plural)| *group == path.group && *plural == path.plural);
    if !is_review {
        return Ok(None);
    }
    if method != Method::POST {
        return Err(ApiError::method_not_allowed());
    }
    let asked = parse(content_type, body)?.value;
    Ok(review::answer(&path.group, &path.plural, asked).map(|answer| respond::json(201, &answer)))
}

/// Parses a JSON or YAML body.
fn parse(content_type: &str, body: &[u8]) -> ApiResult<Parsed> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    match kind {
        protobuf::CONTENT_TYPE => {
            let value = protobuf::decode(body).map_err(ApiError::unsupported_media_type)?;
            return Ok(Parsed {
                value,
                duplicates: Vec::new(),
            });
        }
        "" | "application/json" | "application/yaml" => {}
        kind if Format::parse(kind).is_some() => {}
        other => {
            return Err(ApiError::unsupported_media_type(format!(
                "the body of the request was in an unknown format - accepted media types include: application/json, \
application/yaml (got {other})"
            )));
        }
    }
    let is_yaml = kind.ends_with("yaml");
    match json::parse(body) {
        Ok(parsed) => Ok(parsed),
        Err(_) if is_yaml => {
            let text = std::str::from_utf8(body)
                .map_err(|error| ApiError::bad_request(format!("error decoding YAML: {error}")))?;
            let value: Value = serde_saphyr::from_str(text)
                .map_err(|error| ApiError::bad_request(format!("error decoding YAML: {error}")))?;
            Ok(Parsed {
                value,
                duplicates: Vec::new(),
            })
        }
        Err(error) => Err(ApiError::bad_request(format!(
            "couldn't decode the request body as JSON: {error}"
        ))),
    }
}

impl Call<'_> {
    fn run(self, method: &Method) -> ApiResult<Response<Body>> {
        let named = !self.path.name.is_empty();
        match (method, named) {
            (&Method::GET | &Method::HEAD, _)
                if self.path.watch
                    || self.query.flag("watch") == Some(true) && self.path.subresource.is_empty() =>
            {
                self.watch()
            }
            (&Method::GET | &Method::HEAD, true) => self.get(),
            (&Method::GET | &Method::HEAD, false) => self.list(),
            (&Method::POST, false) => self.create(),
            (&Method::PUT, true) => self.update(),
            (&Method::PATCH, true) => self.patch(),
            (&Method::DELETE, true) if self.path.subresource.is_empty() => self.delete(),
            (&Method::DELETE, false) => self.delete_collection(),
            _ => Err(ApiError::method_not_allowed()),
        }
    }

    fn parse(&self) -> ApiResult<Parsed> {
        parse(&self.content_type, &self.body)
    }

    fn get(self) -> ApiResult<Response<Body>> {
        let object = self.server.read(|state| state.get(&self.target))?;
        if let Some(scale) = self
            .target
            .resource
            .scale
            .as_ref()
            .filter(|_| self.path.subresource == "scale")
        {
            return Ok(self.render(200, &crate::api::scale::view(scale, &object)));
        }
        self.object(200, &object)
    }

    fn list(self) -> ApiResult<Response<Body>> {
        let options = self.query.list_options(&self.target.resource)?;
        let page = self.server.read(|state| state.list(&self.target, &options))?;
        let mut metadata = json!({"resourceVersion": page.revision.to_string()});
        if let Some((token, remaining)) = &page.rest {
            metadata["continue"] = json!(token);
            if self.query.text("labelSelector").is_empty() && self.query.text("fieldSelector").is_empty() {
                metadata["remainingItemCount"] = json!(remaining);
            }
        }
        let resource = &*self.target.resource;
        let body = match self.accept.form {
            Form::Table => {
                let include = self.include()?;
                let rows = page
                    .items
                    .iter()
                    .map(|one| table::row(resource, one, include, self.options.now))
                    .collect();
                table::table(Some(table::definitions(resource)), rows, metadata)
            }
            Form::PartialMetadata => {
                let items: Vec<Value> = page.items.iter().map(|one| table::partial(one)).collect();
                json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
                    "items": items})
            }
            _ => self.item_list(&page.items, &metadata),
        };
        Ok(self.render(200, &body))
    }

    /// A typed list. Items of built-in kinds carry no apiVersion and kind, as on a real API server.
    fn item_list(&self, items: &[Arc<Value>], metadata: &Value) -> Value {
        let resource = &*self.target.resource;
        let items: Vec<Value> = items
            .iter()
            .map(|item| {
                let mut item = resource.view(item).into_owned();
                if resource.custom.is_none()
                    && let Some(map) = item.as_object_mut()
                {
                    map.remove("apiVersion");
                    map.remove("kind");
                }
                item
            })
            .collect();
        json!({"kind": resource.list_kind, "apiVersion": resource.api_version(), "metadata": metadata, "items": items})
    }

    fn watch(self) -> ApiResult<Response<Body>> {
        let mut target = self.target.clone();
        let options = self.query.list_options(&target.resource)?;
        if target.name.is_empty()
            && let Some(name) = options.selection.fields.name()
        {
            name.clone_into(&mut target.name);
        }
        let wants = stream::Wants {
            form: self.accept.form,
            include: self.include()?,
            bookmarks: self.query.flag("allowWatchBookmarks") == Some(true),
            initial: self.query.flag("sendInitialEvents"),
            timeout_s: self.query.timeout_s()?,
        };
        stream::open(self.server, &target, &options, wants)
    }

    fn include(&self) -> ApiResult<IncludeObject> {
        match self.query.text("includeObject") {
            "" | "Metadata" => Ok(IncludeObject::Metadata),
            "None" => Ok(IncludeObject::None),
            "Object" => Ok(IncludeObject::Object),
            other => Err(ApiError::bad_request(format!(
                "unrecognized includeObject value: {other:?}"
            ))),
        }
    }

    fn create(self) -> ApiResult<Response<Body>> {
        let parsed = self.parse()?;
        let outcome = self
            .server
            .write(|state| state.create(&self.target, parsed.value, &parsed.duplicates, &self.options))?;
        self.outcome(&outcome)
    }

    fn update(self) -> ApiResult<Response<Body>> {
        let parsed = self.parse()?;
        if self.path.subresource == "scale" {
            let change = |_: &Value| Ok(parsed.value);
            let outcome = self
                .server
                .write(|state| state.write_scale(&self.target, change, &self.options))?;
            return Ok(self.render(200, &outcome.object));
        }
        let outcome = self
            .server
            .write(|state| state.update(&self.target, parsed.value, &parsed.duplicates, &self.options))?;
        self.outcome(&outcome)
    }

    fn patch(self) -> ApiResult<Response<Body>> {
        let format = Format::parse(&self.content_type).ok_or_else(|| {
            ApiError::unsupported_media_type(
                "the body of the request was in an unknown format - accepted media types include: \
application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, \
application/apply-patch+yaml",
            )
        })?;
        let parsed = self.parse()?;
        if self.path.subresource == "scale" {
            let change = |scale: &Value| match format {
                Format::Json => patch::json_patch(scale, &parsed.value),
                _ => patch::merge_patch(scale, &parsed.value),
            };
            let outcome = self
                .server
                .write(|state| state.write_scale(&self.target, change, &self.options))?;
            return Ok(self.render(200, &outcome.object));
        }
        if format == Format::Apply && self.query.text("fieldManager").is_empty() {
            let message = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply \
patch";
            return Err(ApiError::new(422, "Invalid", message));
        }
        let force = self.query.flag("force") == Some(true);
        if force && format != Format::Apply {
            let message = "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply \
patch";
            return Err(ApiError::new(422, "Invalid", message));
        }
        let request = PatchRequest {
            format,
            document: parsed.value,
            duplicates: parsed.duplicates,
            force,
        };
        let outcome = self
            .server
            .write(|state| state.patch(&self.target, &request, &self.options))?;
        self.outcome(&outcome)
    }

    fn delete_options(&self) -> ApiResult<(DeleteOptions, WriteOptions)> {
        let body = if self.body.is_empty() {
            json!({})
        } else {
            self.parse()?.value
        };
        let mut delete = DeleteOptions::read(&body)?;
        if let Some(policy) = self
            .query
            .get("propagationPolicy")
            .filter(|text| !text.is_empty())
        {
            delete.propagation = DeleteOptions::propagation(policy)?;
        }
        let mut options = self.options.clone();
        options.dry_run |= json::items(&body, &["dryRun"]).iter().any(|one| one == "All");
        Ok((delete, options))
    }

    fn delete(self) -> ApiResult<Response<Body>> {
        let (delete, options) = self.delete_options()?;
        let deleted = self
            .server
            .write(|state| state.delete(&self.target, &delete, &options))?;
        let resource = &*self.target.resource;
        match &deleted {
            Deleted::Gone(object) if !returns_object_on_delete(&resource.kind) && !options.dry_run => {
                let uid = json::text(object, &["metadata", "uid"]);
                let name = &self.target.name;
                Ok(self.render(
                    200,
                    &status::deleted(&resource.group, &resource.plural, name, uid),
                ))
            }
            Deleted::Gone(object) | Deleted::Marked(object) => self.object(200, object),
        }
    }

    fn delete_collection(self) -> ApiResult<Response<Body>> {
        let (delete, options) = self.delete_options()?;
        let selection = self.query.selection(&self.target.resource)?;
        let (gone, revision) = self.server.write(|state| {
            let gone = state.delete_collection(&self.target, &selection, &delete, &options);
            gone.map(|gone| (gone, state.store.revision()))
        })?;
        let metadata = json!({"resourceVersion": revision.to_string()});
        Ok(self.render(200, &self.item_list(&gone, &metadata)))
    }

    fn outcome(&self, outcome: &Outcome) -> ApiResult<Response<Body>> {
        let code = if outcome.created { 201 } else { 200 };
        let mut response = self.object(code, &outcome.object)?;
        respond::warn(&mut response, &outcome.warnings);
        Ok(response)
    }

    /// A single object in the form the client asked for.
    fn object(&self, code: u16, stored: &Value) -> ApiResult<Response<Body>> {
        let resource = &*self.target.resource;
        Ok(match self.accept.form {
            Form::Table => {
                let row = table::row(resource, stored, self.include()?, self.options.now);
                let revision = json::text(stored, &["metadata", "resourceVersion"]);
                let metadata = json!({"resourceVersion": revision});
                self.render(
                    code,
                    &table::table(Some(table::definitions(resource)), vec![row], metadata),
                )
            }
            Form::PartialMetadata => self.render(code, &table::partial(stored)),
            _ => self.render(code, &resource.view(stored)),
        })
    }

    fn render(&self, code: u16, value: &Value) -> Response<Body> {
        if self.accept.yaml
            && let Ok(text) = serde_saphyr::to_string(value)
        {
            return respond::with_type(code, "application/yaml", respond::full(text));
        }
        respond::json(code, value)
    }
}

/// Kinds whose delete answers with the object instead of a Status.
fn returns_object_on_delete(kind: &str) -> bool {
    matches!(kind, "Pod" | "Service" | "ServiceAccount" | "Namespace")
}
