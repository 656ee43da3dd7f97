//! From the text of a file to its YAML documents. A document that is not YAML does not keep the others from being read.

use serde_saphyr::{Error, Options};

use super::Node;

/// Nesting beyond which a document is refused; Kubernetes objects have about 20 levels.
const MAX_DEPTH: usize = 200;
/// Nodes beyond which a document is refused. The API server takes objects of at most 1.5 MB; a List holds several.
const MAX_NODES: usize = 20_000_000;

/// Why a document can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// Line in the file, counted from 1.
    pub(super) line: u32,
    pub(super) message: String,
}

/// The documents of a stream in their order.
pub(super) fn documents(text: &str) -> impl Iterator<Item = Result<Node, SyntaxError>> {
    chunks(text)
        .into_iter()
        .filter_map(|(offset, chunk)| match read(chunk) {
            Ok(node) if node.is_null() => None,
            Ok(mut node) => {
                node.shift(offset);
                Some(Ok(node))
            }
            Err(error) => Some(Err(SyntaxError {
                line: offset + location(&error).map_or(1, |(line, _)| line),
                message: message(&error),
            })),
        })
}

fn read(chunk: &str) -> Result<Node, Error> {
    let options: Options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
        },
    };
    serde_saphyr::from_str_with_options(chunk, options)
}

fn location(error: &Error) -> Option<(u32, u32)> {
    let location = error.location()?;
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Some((number(location.line()), number(location.column()))).filter(|(line, _)| *line > 0)
}

/// The parser's words without what they say about lines, which is counted from the document, and about options of the
/// parser, which nobody here can set.
fn message(error: &Error) -> String {
    let mut text = error.without_snippet().to_string();
    if let Some((line, column)) = location(error) {
        let suffix = format!(" at line {line}, column {column}");
        if let Some(at) = text.find(&suffix) {
            text.truncate(at);
        }
    }
    let text = text
        .split(", set DuplicateKeyPolicy")
        .next()
        .unwrap_or_default()
        .trim();
    match text.strip_prefix("duplicate mapping key: ") {
        Some(key) => format!("{key:?} stands twice in one structure; remove one of them"),
        None => format!("this is not YAML: {text}"),
    }
}

/// Cuts a stream where a line begins with `---` or `...`: inside a document no line may. Each part comes with the number
/// of lines before it.
fn chunks(text: &str) -> Vec<(u32, &str)> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let (mut out, mut start, mut start_line, mut at) = (Vec::new(), 0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let marks = |mark: &str| {
            let rest = line.strip_prefix(mark);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
        };
        if marks("---") && !is_prologue(&text[start..at]) {
            out.push((start_line, &text[start..at]));
            (start, start_line) = (at, number);
        } else if marks("...") {
            out.push((start_line, &text[start..at]));
            (start, start_line) = (at + line.len(), number + 1);
        }
        at += line.len();
    }
    out.push((start_line, &text[start..]));
    out.retain(|(_, chunk)| !chunk.trim().is_empty());
    out
}

/// Whether there is nothing yet but directives and comments, which belong to the document that follows.
fn is_prologue(text: &str) -> bool {
    let mut lines = text.lines();
    lines.all(|line| line.starts_with('%') || line.trim_start().starts_with('#') || line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_document_does_not_hide_the_others() {
        let text = "# first\nkind: A\n---\nkind: [B\n--- # third\nkind: C\n...\n%YAML 1.2\n---\nkind: D\n---\n# nothing\n";
        let read: Vec<_> = documents(text)
            .map(|document| document.map(|node| (node.line_of("kind"), node.get("kind").cloned())))
            .map(|document| document.map(|(line, kind)| (line, kind.unwrap().as_str().unwrap().to_owned())))
            .collect();
        let good = |line, kind: &str| Ok((line, kind.to_owned()));
        assert_eq!(read.len(), 4, "{read:?}");
        assert_eq!(read[0], good(2, "A"));
        assert_eq!(read[1].as_ref().map_err(|e| e.line), Err(4), "{read:?}");
        assert_eq!(read[2], good(6, "C"));
        assert_eq!(read[3], good(10, "D"));
    }

    #[test]
    fn markers_inside_a_block_text_are_text() {
        let text = "a: |\n  ---\n  ...\n---b: 1\n";
        assert_eq!(chunks(text).len(), 1);
        assert_eq!(chunks("a: 1\n--- {b: 2}\n---\n").len(), 3);
    }
}
