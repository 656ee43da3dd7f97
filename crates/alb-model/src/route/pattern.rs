//! Value patterns: wildcards and regular expressions.

use std::borrow::Cow;

use regex::{Captures, Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind, Look};

/// Memory a compiled expression may take. Values have at most 128 characters; only nested repetitions come near.
const REGEX_SIZE_LIMIT_BYTES: usize = 1 << 20;

/// A compiled wildcard pattern: `*` is any run of characters, `?` exactly one.
///
/// Matching takes at most (length of text) × (length of pattern) steps, and one comparison for the usual shapes.
///
/// ```
/// use alb_model::WildcardPattern;
///
/// let pattern = WildcardPattern::new("/api/*/v?");
/// assert!(pattern.matches("/api/users/all/v2"));
/// assert!(!pattern.matches("/api/users/v22"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WildcardPattern(Shape);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Exact(Box<str>),
    /// Literal, then one final `*`.
    Prefix(Box<str>),
    /// One leading `*`, then a literal.
    Suffix(Box<str>),
    Glob(Box<str>),
}

impl WildcardPattern {
    /// Compiles a pattern.
    pub fn new(text: &str) -> Self {
        let is_literal = |part: &str| !part.contains(['*', '?']);
        Self(if is_literal(text) {
            Shape::Exact(text.into())
        } else if let Some(prefix) = text.strip_suffix('*').filter(|p| is_literal(p)) {
            Shape::Prefix(prefix.into())
        } else if let Some(suffix) = text.strip_prefix('*').filter(|s| is_literal(s)) {
            Shape::Suffix(suffix.into())
        } else {
            Shape::Glob(text.into())
        })
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        match &self.0 {
            Shape::Exact(exact) => **exact == *text,
            Shape::Prefix(prefix) => text.starts_with(&**prefix),
            Shape::Suffix(suffix) => text.ends_with(&**suffix),
            Shape::Glob(glob) => glob_matches(glob.as_bytes(), text),
        }
    }

    /// The one text that matches, if the pattern has no wildcard.
    pub fn exact(&self) -> Option<&str> {
        match &self.0 {
            Shape::Exact(exact) => Some(exact),
            _ => None,
        }
    }

    /// What every matching text starts with; may be empty.
    pub fn literal_prefix(&self) -> &str {
        match &self.0 {
            Shape::Exact(literal) | Shape::Prefix(literal) => literal,
            Shape::Suffix(_) => "",
            Shape::Glob(glob) => glob.split(['*', '?']).next().unwrap_or_default(),
        }
    }

    /// What every matching text ends with, if the pattern is a `*` and a literal.
    pub fn literal_suffix(&self) -> Option<&str> {
        match &self.0 {
            Shape::Suffix(suffix) => Some(suffix),
            _ => None,
        }
    }
}

/// Greedy matching that remembers only the last `*`: when the rest does not fit, that star takes one character more.
/// Earlier stars never need to be revisited, so there is no exponential case.
fn glob_matches(pattern: &[u8], text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < bytes.len() {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                star = Some((p, t));
            }
            Some(b'?') => {
                p += 1;
                t = next_char(bytes, t);
            }
            Some(byte) if *byte == bytes[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after, taken)) = star else {
                    return false;
                };
                let taken = next_char(bytes, taken);
                star = Some((after, taken));
                (p, t) = (after, taken);
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Start of the next character of valid UTF-8.
fn next_char(bytes: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while bytes.get(next).is_some_and(|byte| byte & 0xC0 == 0x80) {
        next += 1;
    }
    next
}

/// A compiled path value: a wildcard pattern, or a regular expression if it starts with `~*`.
#[derive(Clone, Debug)]
pub enum PathPattern {
    /// Without `~*`.
    Wildcard(WildcardPattern),
    /// With `~*`; searched anywhere in the path unless it anchors itself.
    Regex(Regex),
    /// With `~*` and not a valid expression: matches nothing. [`crate::validate()`] reports it.
    Invalid,
}

impl PathPattern {
    /// What marks a regular expression.
    pub const REGEX_MARK: &'static str = "~*";

    /// Compiles a value.
    pub fn new(value: &str) -> Self {
        match value.strip_prefix(Self::REGEX_MARK) {
            None => Self::Wildcard(WildcardPattern::new(value)),
            Some(expression) => match Self::compile_regex(expression) {
                Ok(regex) => Self::Regex(regex),
                Err(_) => Self::Invalid,
            },
        }
    }

    /// Compiles an expression (without `~*`) with the limits that routing uses.
    ///
    /// # Errors
    /// The expression is not valid, or its compiled form would be too large.
    pub fn compile_regex(expression: &str) -> Result<Regex, regex::Error> {
        RegexBuilder::new(expression)
            .size_limit(REGEX_SIZE_LIMIT_BYTES)
            .build()
    }

    /// How many groups an expression (without `~*`) has, the whole match not counted.
    ///
    /// # Errors
    /// As [`PathPattern::compile_regex`].
    pub fn regex_groups(expression: &str) -> Result<usize, regex::Error> {
        // Compiling costs a hundred times as much as parsing, and refuses more only where the compiled form is large.
        if is_small(expression) {
            if let Some(groups) = plain_groups(expression) {
                return Ok(groups);
            }
            if let Ok(hir) = regex_syntax::parse(expression) {
                return Ok(hir.properties().explicit_captures_len());
            }
        }
        Ok(Self::compile_regex(expression)?.captures_len() - 1)
    }

    /// Whether the path matches.
    pub fn matches(&self, path: &str) -> bool {
        match self {
            Self::Wildcard(pattern) => pattern.matches(path),
            Self::Regex(regex) => regex.is_match(path),
            Self::Invalid => false,
        }
    }

    /// What every matching path starts with; may be empty. `None` if nothing matches.
    pub fn literal_prefix(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Wildcard(pattern) => Some(Cow::Borrowed(pattern.literal_prefix())),
            Self::Regex(regex) => Some(Cow::Owned(anchored_prefix(regex.as_str()))),
            Self::Invalid => None,
        }
    }

    /// Groups of the match, if it is a regular expression that matches.
    pub fn captures<'a>(&self, path: &'a str) -> Option<Captures<'a>> {
        match self {
            Self::Regex(regex) => regex.captures(path),
            Self::Wildcard(_) | Self::Invalid => None,
        }
    }
}

/// Whether the compiled form of an expression is certainly small: it is short, and has no counted repetition, no flags
/// and no class of many characters.
fn is_small(expression: &str) -> bool {
    let escaped_class = || {
        let mut escapes = expression.split('\\').skip(1);
        escapes.any(|rest| rest.starts_with(|c: char| !c.is_ascii_punctuation()) || rest.is_empty())
    };
    expression.len() <= 128
        && expression.is_ascii()
        && !expression.contains('{')
        && !expression.contains("(?")
        && !expression.contains("[:")
        && !escaped_class()
}

/// The groups of an expression that is certainly valid, told without parsing it: ordinary characters, dots, anchors,
/// alternatives and groups, each with one repetition at most. `None` for any other. Most paths with groups are such, and
/// parsing allocates some sixty times.
fn plain_groups(expression: &str) -> Option<usize> {
    let (mut groups, mut open) = (0, 0_usize);
    // Whether a repetition may follow.
    let mut repeatable = false;
    for byte in expression.bytes() {
        repeatable = match byte {
            b'(' => {
                groups += 1;
                open += 1;
                false
            }
            b')' => {
                open = open.checked_sub(1)?;
                true
            }
            b'*' | b'+' | b'?' if repeatable => false,
            b'|' | b'^' | b'$' => false,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => true,
            _ => return None,
        };
    }
    (open == 0).then_some(groups)
}

/// The literal after the `^` of an expression, if every match must start with it; otherwise nothing.
///
/// Read from the parsed expression, where alternatives, repetitions, escapes and flags are already told apart.
fn anchored_prefix(expression: &str) -> String {
    let literal = |hir: Hir| {
        let HirKind::Concat(parts) = hir.into_kind() else {
            return None;
        };
        match (parts.first()?.kind(), parts.get(1)?.kind()) {
            (HirKind::Look(Look::Start), HirKind::Literal(literal)) => {
                String::from_utf8(literal.0.to_vec()).ok()
            }
            _ => None,
        }
    };
    regex_syntax::parse(expression)
        .ok()
        .and_then(literal)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, matching, others) in [
            ("", &[""][..], &["a"][..]),
            ("*", &["", "a", "a/b"], &[]),
            ("?", &["a", "é"], &["", "ab"]),
            ("/a*", &["/a", "/ab", "/a/b"], &["/", "/b", "x/a"]),
            (
                "*.example.com",
                &["a.example.com", "a.b.example.com", ".example.com"],
                &["example.com"],
            ),
            ("*a*", &["a", "xa", "ax", "xax"], &["", "x"]),
            ("a*b*c", &["abc", "aXbYc", "abcbc"], &["ab", "ac", "abcX"]),
            ("**", &["", "ab"], &[]),
            ("a?c", &["abc", "a?c", "aéc"], &["ac", "abbc"]),
            ("?*", &["a", "ab"], &[""]),
            ("*?", &["a", "éé"], &[""]),
            ("*é?x", &["éax", "ééax", "aééx"], &["éx", "eax"]),
        ] {
            let compiled = WildcardPattern::new(pattern);
            for text in matching {
                assert!(compiled.matches(text), "{pattern:?} should match {text:?}");
            }
            for text in others {
                assert!(!compiled.matches(text), "{pattern:?} should not match {text:?}");
            }
        }
    }

    #[test]
    fn many_stars_stay_cheap() {
        let pattern = WildcardPattern::new(&"*a".repeat(64));
        assert!(!pattern.matches(&("a".repeat(20_000) + "b")));
        assert!(pattern.matches(&"a".repeat(20_000)));
    }

    #[test]
    fn groups_are_counted_as_the_compiled_expression_has_them() {
        let large = "[^a]".repeat(32);
        for expression in [
            "/a",
            "/(a)(b(c))",
            "(?:a)(b)",
            r"/\(a\)(b)",
            r"/\d+(.*)",
            "/a{2}(b)",
            "(",
            "[a",
            "(.*)(.*)(.*)(.*)",
            "()",
            "a**",
            &large,
            &"(.*)".repeat(32),
            &r"\w".repeat(60),
            "((((a{99}){99}){99}){99})",
        ] {
            let compiled = PathPattern::compile_regex(expression).map(|regex| regex.captures_len() - 1);
            assert_eq!(
                PathPattern::regex_groups(expression).ok(),
                compiled.ok(),
                "{expression}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn what_counts_as_small_compiles(expression in r"[ab/.^$*+?|()\[\]\\-]{0,128}") {
            let compiled = PathPattern::compile_regex(&expression).map(|regex| regex.captures_len() - 1);
            proptest::prop_assert_eq!(PathPattern::regex_groups(&expression).ok(), compiled.ok());
        }

        #[test]
        fn plain_groups_are_those_of_the_parser(expression in r"([ab/.^$|]|[a.][*+?]|\([a/]?|[*+?)]{1,2}){0,12}|(\([a/][*+?]?\)?[|*+?]?){0,6}\)?") {
            if let Some(groups) = plain_groups(&expression) {
                let compiled = PathPattern::compile_regex(&expression).map(|regex| regex.captures_len() - 1);
                proptest::prop_assert_eq!(Some(groups), compiled.ok());
            }
        }
    }

    #[test]
    fn expressions_of_usual_paths_are_plain() {
        for (expression, groups) in [
            ("/v1(/|$)(.*)", Some(2)),
            ("^/a/(.+)$", Some(1)),
            ("/a(b", None),
            ("/a)", None),
            ("a**", None),
        ] {
            assert_eq!(plain_groups(expression), groups, "{expression}");
        }
    }

    #[test]
    fn prefixes_of_anchored_expressions() {
        for (expression, prefix) in [
            ("/foo", ""),
            ("^/foo", "/foo"),
            ("^/foo$", "/foo"),
            ("^/foo(/|$)(.*)", "/foo"),
            ("^/foo+", "/fo"),
            ("^/+*", ""),
            ("^/foo(?:o*)", "/foo"),
            ("(?i)^/foo", "/"),
            ("(?m)^/foo", ""),
            ("^/foo*", "/fo"),
            ("^/foo?", "/fo"),
            ("^/foo{0}", "/fo"),
            ("^/foé?", "/fo"),
            ("^/a|/b", ""),
            ("^/a(b|c)|/d", ""),
            (r"^/a\(b|c", ""),
            ("^/a[|]b", "/a|b"),
            ("^/a[bc]|d", ""),
            (r"^/a\.html", "/a.html"),
            ("^", ""),
            ("^*", ""),
        ] {
            assert_eq!(anchored_prefix(expression), prefix, "{expression}");
        }
    }
}
