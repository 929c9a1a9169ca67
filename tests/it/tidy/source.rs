//! One source file: its code without comments and literals, and the modules that it names.

use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub struct Source {
    /// Relative to `src/`.
    pub path: String,
    /// Number of lines.
    pub lines: usize,
    /// The whole text.
    pub text: String,
    /// The text with comments and literals replaced by blanks; line numbers do not change.
    pub code: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            lines: text.lines().count(),
            text: text.to_owned(),
            code: blank(text),
        }
    }

    /// Its module path: `driver/mod.rs` is `[driver]`, `http/os/limits.rs` is `[http, os, limits]`.
    pub fn module(&self) -> Vec<String> {
        let stem = self.path.trim_end_matches(".rs");
        let mut parts: Vec<String> = stem.split('/').map(str::to_owned).collect();
        if parts.last().is_some_and(|last| ["mod", "lib"].contains(&last.as_str())) {
            parts.pop();
        }
        parts
    }

    /// The absolute paths (without `crate`) that it names through `crate::`, `super::` or `self::`.
    pub fn paths(&self) -> BTreeSet<Vec<String>> {
        let mut found = BTreeSet::new();
        let tokens = tokens(&self.code);
        let mut inline = Inline::default();
        for at in 0..tokens.len() {
            inline.step(&tokens, at);
            let starts = ["crate", "super", "self"].contains(&tokens[at].as_str());
            let begins = at == 0 || tokens[at - 1] != "::";
            if starts && begins && tokens.get(at + 1).is_some_and(|t| t == "::") {
                let here = [self.module(), inline.names()].concat();
                tree(&tokens, at, &here, Vec::new(), &mut found);
            }
        }
        found
    }
}

/// The inline modules that enclose a position.
#[derive(Default)]
struct Inline {
    depth: usize,
    open: Vec<(usize, String)>,
}

impl Inline {
    fn step(&mut self, tokens: &[String], at: usize) {
        match tokens[at].as_str() {
            "{" => {
                if at >= 2 && tokens[at - 2] == "mod" {
                    self.open.push((self.depth, tokens[at - 1].clone()));
                }
                self.depth += 1;
            }
            "}" => {
                self.depth = self.depth.saturating_sub(1);
                self.open.retain(|(depth, _)| *depth < self.depth);
            }
            _ => {}
        }
    }

    fn names(&self) -> Vec<String> {
        self.open.iter().map(|(_, name)| name.clone()).collect()
    }
}

/// Reads one path, or a tree of paths in braces, and returns the position after it.
fn tree(
    tokens: &[String],
    mut at: usize,
    here: &[String],
    mut path: Vec<String>,
    found: &mut BTreeSet<Vec<String>>,
) -> usize {
    let mut first = path.is_empty();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("crate") if first => path = vec!["crate".to_owned()],
            Some("self") if first => path = [vec!["crate".to_owned()], here.to_vec()].concat(),
            Some("super") => {
                if first {
                    path = [vec!["crate".to_owned()], here.to_vec()].concat();
                }
                path.pop();
            }
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|t| t != "}") {
                    at = tree(tokens, at, here, path.clone(), found);
                    at += usize::from(tokens.get(at).is_some_and(|t| t == "," || t == "as" || t == "_"));
                }
                return at + 1;
            }
            Some("self" | "*") => {}
            Some(word) if word.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                path.push(word.to_owned())
            }
            _ => return at + 1,
        }
        first = false;
        at += 1;
        if tokens.get(at).is_none_or(|t| t != "::") {
            found.insert(path.into_iter().skip(1).collect());
            return at;
        }
        at += 1;
    }
}

/// Words, `::` and single characters.
pub fn tokens(code: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() || c == '_' {
            let mut word = String::from(c);
            while let Some(next) = chars.next_if(|n| n.is_alphanumeric() || *n == '_') {
                word.push(next);
            }
            found.push(word);
        } else if c == ':' && chars.next_if_eq(&':').is_some() {
            found.push("::".to_owned());
        } else if !c.is_whitespace() {
            found.push(c.to_string());
        }
    }
    found
}

/// Replaces comments, strings and character literals with blanks.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => find(&chars, at, |c, _| c[0] == '\n'),
            '/' if chars.get(at + 1) == Some(&'*') => {
                find(&chars, at + 2, |c, _| c.starts_with(&['*', '/'])) + 2
            }
            '"' => end_of_text(&chars, at),
            'r' | 'b' if is_raw(&chars, at) => end_of_raw(&chars, at),
            '\'' => end_of_char(&chars, at),
            _ => {
                out.push(chars[at]);
                at += 1;
                continue;
            }
        };
        let end = end.min(chars.len()).max(at + 1);
        out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    out
}

fn find(chars: &[char], from: usize, is_end: impl Fn(&[char], usize) -> bool) -> usize {
    (from..chars.len()).find(|at| is_end(&chars[*at..], *at)).unwrap_or(chars.len())
}

fn end_of_text(chars: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn is_raw(chars: &[char], at: usize) -> bool {
    let inside_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    let rest: String = chars[at..].iter().take(12).collect();
    let rest = rest.trim_start_matches('b');
    !inside_word && rest.starts_with('r') && rest[1..].trim_start_matches('#').starts_with('"')
}

fn end_of_raw(chars: &[char], from: usize) -> usize {
    let quote = find(chars, from, |c, _| c[0] == '"');
    let hashes = chars[from..quote].iter().filter(|c| **c == '#').count();
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    find(chars, quote + 1, |c, _| c.starts_with(&closing)) + closing.len()
}

/// A character literal ends at its second quote; a lifetime has no second quote.
fn end_of_char(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => find(chars, at + 3, |c, _| c[0] == '\'') + 1,
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1,
    }
}
