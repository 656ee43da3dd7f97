//! Kubernetes objects from files, folders and standard input, each with the place of its fields.

mod document;
mod node;
mod object;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alb_model::{Diagnostic, ObjectRef, Severity};

pub use node::Node;
pub use object::Object;

use crate::finding::{Finding, Place};

/// Extensions of the files that a folder stands for.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// What files hold.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// Objects in the order of files and documents; a `List` stands for its items.
    pub objects: Vec<Object>,
    /// What can't be read.
    pub findings: Vec<Finding>,
}

/// A file that was asked for can't be read.
#[derive(Debug)]
pub struct ReadError {
    /// The file, or `standard input`.
    pub name: String,
    /// Why.
    pub source: std::io::Error,
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "cannot read {}: {}; -f takes YAML or JSON files, folders of them, and - for standard input",
            self.name, self.source
        )
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl Manifests {
    /// Reads files; `-` is standard input, and a folder stands for its `.yaml`, `.yml` and `.json` files in the order of
    /// their names, with `recursive` also for those of the folders in it.
    ///
    /// # Errors
    /// A file can't be read. What a file holds is never an error: see [`Manifests::findings`].
    pub fn read(paths: &[PathBuf], recursive: bool) -> Result<Self, ReadError> {
        let mut manifests = Self::default();
        for path in paths {
            if path.as_os_str() == "-" {
                let mut bytes = Vec::new();
                let read = std::io::stdin().lock().read_to_end(&mut bytes);
                let name = "standard input";
                read.map_err(|source| error(Path::new(name), source))?;
                manifests.add(name, &bytes);
                continue;
            }
            for file in files(path, recursive)? {
                let bytes = std::fs::read(&file).map_err(|source| error(&file, source))?;
                manifests.add(&file.display().to_string(), &bytes);
            }
        }
        Ok(manifests)
    }

    /// Adds what a file of this name holds.
    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        let file: Arc<str> = name.into();
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let before = &bytes[..error.valid_up_to()];
                let line = before.split(|byte| *byte == b'\n').count();
                let message = "this is not UTF-8 text; write the file as YAML or JSON in UTF-8";
                let line = u32::try_from(line).unwrap_or(u32::MAX);
                self.findings.push(unreadable(&file, line, message.to_owned()));
                return;
            }
        };
        for document in document::documents(text) {
            match document {
                Ok(node) => self.document(&file, node),
                Err(error) => self.findings.push(unreadable(&file, error.line, error.message)),
            }
        }
    }

    fn document(&mut self, file: &Arc<str>, node: Node) {
        if !node.is_map() {
            let message = "this is no Kubernetes object; write apiVersion, kind and metadata".to_owned();
            self.findings.push(unreadable(file, node.line, message));
            return;
        }
        if node
            .get("kind")
            .and_then(Node::as_str)
            .is_some_and(|kind| kind.ends_with("List"))
            && let Some(items) = node.get("items")
        {
            for item in items.items() {
                self.document(file, item.clone());
            }
            return;
        }
        self.objects.push(Object::new(file.clone(), node));
    }
}

fn error(path: &Path, source: std::io::Error) -> ReadError {
    ReadError {
        name: path.display().to_string(),
        source,
    }
}

fn unreadable(file: &Arc<str>, line: u32, message: String) -> Finding {
    let object = ObjectRef::new("File", "", &**file);
    Finding {
        diagnostic: Diagnostic::new(Severity::Error, "FileUnreadable", object, "", message),
        place: Some(Place {
            file: file.clone(),
            line,
        }),
    }
}

fn files(path: &Path, recursive: bool) -> Result<Vec<PathBuf>, ReadError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|source| error(path, source))? {
        entries.push(entry.map_err(|source| error(path, source))?.path());
    }
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            if recursive {
                found.extend(files(&entry, recursive)?);
            }
        } else if entry
            .extension()
            .is_some_and(|e| EXTENSIONS.iter().any(|known| e == *known))
        {
            found.push(entry);
        }
    }
    Ok(found)
}
