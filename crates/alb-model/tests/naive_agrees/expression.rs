//! A small backtracking matcher for regular expressions: enough of the dialect for what the generator writes.

/// An expression; groups are numbered from 1 in the order of their opening parentheses.
#[derive(Debug)]
enum Node {
    Char(char),
    Any,
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    Start,
    End,
    Group(usize, Box<Node>),
    Either(Vec<Node>),
    Sequence(Vec<Node>),
    Repeat {
        node: Box<Node>,
        least: usize,
        most: usize,
    },
}

pub(crate) struct Expression {
    root: Node,
    groups: usize,
}

/// Start and end of the whole match and of each group, in characters.
pub(crate) type Groups = Vec<Option<(usize, usize)>>;

impl Expression {
    /// `None` if the text is no expression.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser {
            rest: text.chars().collect(),
            groups: 0,
        };
        let root = parser.either()?;
        parser.rest.is_empty().then_some(Self {
            root,
            groups: parser.groups,
        })
    }

    /// The leftmost match; among those that start there the one a backtracking search finds first.
    pub(crate) fn search(&self, text: &str) -> Option<Groups> {
        let text: Vec<char> = text.chars().collect();
        (0..=text.len()).find_map(|start| {
            let mut groups = vec![None; self.groups + 1];
            let mut found = None;
            step(&self.root, &text, start, &mut groups, &mut |end, groups| {
                let mut all = groups.clone();
                all[0] = Some((start, end));
                found = Some(all);
                true
            });
            found
        })
    }
}

fn step(
    node: &Node,
    text: &[char],
    at: usize,
    groups: &mut Groups,
    then: &mut dyn FnMut(usize, &mut Groups) -> bool,
) -> bool {
    let mut one = |is: bool, groups: &mut Groups| is && then(at + 1, groups);
    match node {
        Node::Char(c) => one(text.get(at) == Some(c), groups),
        Node::Any => one(at < text.len(), groups),
        Node::Set { negated, ranges } => {
            let is_in = |c: &char| ranges.iter().any(|(low, high)| low <= c && c <= high);
            one(text.get(at).is_some_and(|c| is_in(c) != *negated), groups)
        }
        Node::Start => at == 0 && then(at, groups),
        Node::End => at == text.len() && then(at, groups),
        Node::Group(number, inner) => {
            let before = groups[*number];
            let done = step(inner, text, at, groups, &mut |end, groups| {
                let outer = groups[*number].replace((at, end));
                then(end, groups) || {
                    groups[*number] = outer;
                    false
                }
            });
            if !done {
                groups[*number] = before;
            }
            done
        }
        Node::Either(nodes) => nodes.iter().any(|node| step(node, text, at, groups, then)),
        Node::Sequence(nodes) => match nodes.split_first() {
            None => then(at, groups),
            Some((first, rest)) => step(first, text, at, groups, &mut |at, groups| {
                sequence(rest, text, at, groups, then)
            }),
        },
        Node::Repeat { node, least, most } => repeat(node, (*least, *most), text, at, groups, then),
    }
}

fn sequence(
    nodes: &[Node],
    text: &[char],
    at: usize,
    groups: &mut Groups,
    then: &mut dyn FnMut(usize, &mut Groups) -> bool,
) -> bool {
    match nodes.split_first() {
        None => then(at, groups),
        Some((first, rest)) => step(first, text, at, groups, &mut |at, groups| {
            sequence(rest, text, at, groups, then)
        }),
    }
}

/// As often as possible first.
fn repeat(
    node: &Node,
    (least, most): (usize, usize),
    text: &[char],
    at: usize,
    groups: &mut Groups,
    then: &mut dyn FnMut(usize, &mut Groups) -> bool,
) -> bool {
    let more = most > 0
        && step(node, text, at, groups, &mut |end, groups| {
            let rest = (least.saturating_sub(1), most - 1);
            end > at && repeat(node, rest, text, end, groups, then)
        });
    more || (least == 0 && then(at, groups))
}

struct Parser {
    rest: std::collections::VecDeque<char>,
    groups: usize,
}

impl Parser {
    fn take(&mut self, wanted: char) -> bool {
        let is_next = self.rest.front() == Some(&wanted);
        if is_next {
            self.rest.pop_front();
        }
        is_next
    }

    fn either(&mut self) -> Option<Node> {
        let mut nodes = vec![self.sequence()?];
        while self.take('|') {
            nodes.push(self.sequence()?);
        }
        Some(Node::Either(nodes))
    }

    fn sequence(&mut self) -> Option<Node> {
        let mut nodes = Vec::new();
        while !matches!(self.rest.front(), None | Some('|' | ')')) {
            let node = self.atom()?;
            nodes.push(self.repetition(node));
        }
        Some(Node::Sequence(nodes))
    }

    fn repetition(&mut self, node: Node) -> Node {
        let (least, most) = if self.take('*') {
            (0, usize::MAX)
        } else if self.take('+') {
            (1, usize::MAX)
        } else if self.take('?') {
            (0, 1)
        } else {
            return node;
        };
        Node::Repeat {
            node: Box::new(node),
            least,
            most,
        }
    }

    fn atom(&mut self) -> Option<Node> {
        match self.rest.pop_front()? {
            '.' => Some(Node::Any),
            '^' => Some(Node::Start),
            '$' => Some(Node::End),
            '\\' => self.rest.pop_front().map(Node::Char),
            '(' => {
                self.groups += 1;
                let number = self.groups;
                let inner = self.either()?;
                self.take(')').then(|| Node::Group(number, Box::new(inner)))
            }
            '[' => self.set(),
            '*' | '+' | '?' => None,
            c => Some(Node::Char(c)),
        }
    }

    fn set(&mut self) -> Option<Node> {
        let negated = self.take('^');
        let mut ranges = Vec::new();
        while !self.take(']') {
            let low = self.rest.pop_front()?;
            let high = if self.take('-') {
                self.rest.pop_front()?
            } else {
                low
            };
            ranges.push((low, high));
        }
        Some(Node::Set { negated, ranges })
    }
}

#[test]
fn the_small_matcher_knows_its_dialect() {
    for (expression, text, expected) in [
        ("b", "abc", Some(&["b"][..])),
        ("^b", "abc", None),
        ("^/a(/|$)(.*)", "/a/b/c", Some(&["/a/b/c", "/", "b/c"])),
        ("^/a(/|$)(.*)", "/a", Some(&["/a", "", ""])),
        ("^/a(/|$)(.*)", "/ab", None),
        ("(a|ab)(c|bcd)?", "abcd", Some(&["abcd", "a", "bcd"])),
        ("[0-9]+$", "a12", Some(&["12"])),
        ("[^/]*", "ab/", Some(&["ab"])),
        ("x|(y)", "y", Some(&["y", "y"])),
        (r"a\.b", "axb", None),
    ] {
        let groups = Expression::parse(expression).expect(expression).search(text);
        let texts = groups.map(|groups| {
            let part = |(start, end)| text.chars().skip(start).take(end - start).collect::<String>();
            groups
                .into_iter()
                .map(|g| g.map(part).unwrap_or_default())
                .collect::<Vec<_>>()
        });
        assert_eq!(
            texts,
            expected.map(|parts| parts.iter().map(ToString::to_string).collect()),
            "{expression}"
        );
    }
    for invalid in ["(", "[a", "*a", ")", "a)"] {
        assert!(Expression::parse(invalid).is_none(), "{invalid}");
    }
}
