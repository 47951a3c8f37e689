//! Paths and functions among the tokens of a macro, which no parser knows the meaning of.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::ext::IdentExt;

use crate::source::Function;

/// The segments of a path as written, and the line of the last one. A path that begins with `::` has `::` as its first segment; one that
/// ends in `*` has this as its last.
pub type Written = (Vec<String>, usize);

/// Every path of two segments or more, and what follows `use`, at any depth of brackets.
pub fn paths(tokens: &TokenStream) -> Vec<Written> {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < trees.len() {
        let (begun, from_root) = (at, colons(&trees, at) && !continues(&trees, at));
        at += if from_root { 2 } else { 0 };
        match trees.get(at) {
            Some(TokenTree::Group(group)) => found.extend(paths(&group.stream())),
            Some(TokenTree::Ident(_)) => {
                let root = if from_root { vec!["::".to_owned()] } else { vec![] };
                let imported = begun > 0 && is_ident(&trees[begun - 1], "use");
                let (end, ways) = path_at(&trees, at, root);
                let metavariable = begun > 0 && is_punct(&trees[begun - 1], '$') && !is_ident(&trees[at], "crate");
                found.extend(ways.into_iter().filter(|(path, _)| !metavariable && (imported || path.len() > 1)));
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The path whose first segment is at `at`, or the paths, if it ends in braces, and where the next token is.
fn path_at(trees: &[TokenTree], at: usize, mut path: Vec<String>) -> (usize, Vec<Written>) {
    let mut at = at;
    loop {
        let line = trees[at].span().start().line;
        match &trees[at] {
            TokenTree::Ident(ident) => path.push(ident.unraw().to_string()),
            TokenTree::Punct(star) if star.as_char() == '*' => path.push("*".into()),
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                return (at + 1, in_braces(&path, &group.stream()));
            }
            _ => return (at, vec![(path, line)]),
        }
        if !colons(trees, at + 1) || at + 3 >= trees.len() {
            return (at + 1, vec![(path, line)]);
        }
        at += 3;
    }
}

/// What `{a, b::c, d::{e, f as g}}` after `path` leads to. The name after `as` is taken for one more path, which does no harm.
fn in_braces(path: &[String], tokens: &TokenStream) -> Vec<Written> {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < trees.len() {
        if matches!(trees[at], TokenTree::Ident(_)) || is_punct(&trees[at], '*') {
            let (end, ways) = path_at(&trees, at, path.to_vec());
            found.extend(ways);
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

/// Every `fn name`, at any depth of brackets, whose next braces are taken for its body.
pub fn functions(tokens: &TokenStream) -> Vec<Function> {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut found = Vec::new();
    for (at, tree) in trees.iter().enumerate() {
        if let TokenTree::Group(group) = tree {
            found.extend(functions(&group.stream()));
        }
        let body = trees[at..].iter().find_map(|tree| match tree {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
            _ => None,
        });
        if let (true, Some(name), Some(body)) = (is_ident(tree, "fn"), trees.get(at + 1), body) {
            let (first, last) = (body.span_open().start().line, body.span_close().end().line);
            found.push(Function { name: name.to_string(), line: name.span().start().line, lines: last - first + 1 });
        }
    }
    found
}

fn colons(trees: &[TokenTree], at: usize) -> bool {
    [at, at + 1].into_iter().all(|at| trees.get(at).is_some_and(|tree| is_punct(tree, ':')))
}

/// Whether the `::` at `at` goes on with what is before it: `>::` or `]::`.
fn continues(trees: &[TokenTree], at: usize) -> bool {
    at > 0 && (is_punct(&trees[at - 1], '>') || matches!(trees[at - 1], TokenTree::Group(_) | TokenTree::Ident(_)))
}

fn is_punct(tree: &TokenTree, wanted: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn is_ident(tree: &TokenTree, wanted: &str) -> bool {
    matches!(tree, TokenTree::Ident(ident) if ident == wanted)
}
