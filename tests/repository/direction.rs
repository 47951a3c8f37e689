//! The direction of modules: the reading order in `src/lib.rs` is the only place where it is written.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Expr, ExprLit, Lit, Meta};

use crate::files::{self, Files, Finding};
use crate::project::{FILTER, Place, Project};
use crate::source::{Module, Source};

pub const ROOT: &str = "src/lib.rs";

/// The modules that the numbered list of the doc comment names, in their order, with their lines.
pub fn reading_order(files: &Files) -> Vec<(String, usize)> {
    let file = syn::parse_file(&files[ROOT]).unwrap();
    let mut order: Vec<(String, usize)> = Vec::new();
    for attribute in file.attrs.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let Meta::NameValue(value) = &attribute.meta else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &value.value else { continue };
        let text = text.value();
        let Some((number, item)) = text.trim_start().split_once(". ") else { continue };
        if number.parse::<u32>().is_ok() {
            for name in item.split('`').skip(1).step_by(2).filter(|name| !name.contains(' ')) {
                if !order.iter().any(|(known, _)| known == name) {
                    order.push((name.to_owned(), text_line(attribute)));
                }
            }
        }
    }
    order
}

fn text_line(attribute: &syn::Attribute) -> usize {
    attribute.pound_token.span.start().line
}

/// What is wrong with the list itself: it must name each module of `src/lib.rs`, and nothing else; and only modules are there.
pub fn of_root(project: &Project, order: &[(String, usize)]) -> Vec<Finding> {
    let root = &project.sources[ROOT];
    let told = |line: usize, how: String| Finding { path: ROOT.into(), line, how };
    let written_out = root.scopes.iter().filter(|(module, _)| module.len() == 2).map(|(module, scope)| (&module[1], scope.line));
    let declared = root.declared.iter().filter(|declared| !declared.test_only).map(|declared| (&declared.module[1], declared.line));
    let modules: BTreeMap<&String, usize> = written_out.chain(declared).collect();
    let placed: BTreeSet<&String> = order.iter().map(|(name, _)| name).collect();
    let unknown = modules.iter().filter(|(name, _)| !placed.contains(*name));
    let gone = order.iter().filter(|(name, _)| !modules.contains_key(name));
    unknown
        .map(|(name, line)| told(*line, format!("the reading order above has no place for `{name}`")))
        .chain(gone.map(|(name, line)| told(*line, format!("the reading order names `{name}`, which is no module"))))
        .chain(root.other_items.iter().map(|line| told(*line, "src/lib.rs declares modules and does nothing itself".into())))
        .collect()
}

/// The module that comes after that of a file; `None`: the file is not in a module of the filter, or none comes later.
pub fn next<'a>(order: &'a [(String, usize)], source: &Source) -> Option<&'a str> {
    let own = source.module.get(1).filter(|_| source.module[0] == FILTER)?;
    let at = order.iter().position(|(name, _)| name == own)?;
    order.get(at + 1).map(|(name, _)| name.as_str())
}

/// Uses of a module that comes later in the reading order, or that has no place in it.
pub fn of_source(project: &Project, order: &[(String, usize)], source: &Source) -> Vec<Finding> {
    let rank = |module: &Module| order.iter().position(|(name, _)| Some(name) == module.get(1));
    let mut findings = Vec::new();
    for used in project.uses(source).iter().filter(|used| used.from[0] == FILTER && used.from.len() > 1) {
        let Place::Inside(module) = &used.place else { continue };
        let Some(name) = module.get(1).filter(|_| module[0] == FILTER) else { continue };
        if used.from.get(1) != Some(name) && rank(module).is_none_or(|place| rank(&used.from).is_none_or(|own| own < place)) {
            let how = format!("uses `{name}`, which the reading order has not before `{}`", used.from[1]);
            findings.push(Finding { path: source.path.clone(), line: used.line, how });
        }
    }
    findings
}

/// What is found in `src/lib.rs` for each module when the text has been changed as `change` says.
fn of_changed(change: impl Fn(&str, &str) -> String) -> Vec<(String, Vec<Finding>)> {
    let files = files::of_src();
    let found = |name: String| {
        let files = Files::from([(ROOT.to_owned(), change(&files[ROOT], &name))]);
        let findings = of_root(&Project::read(&files), &reading_order(&files));
        (name, findings)
    };
    reading_order(&files).into_iter().map(|(name, _)| found(name)).collect()
}

#[test]
fn a_module_that_the_reading_order_lacks_is_seen() {
    let unnamed = |text: &str, name: &str| text.replace(&format!("[`{name}`]"), name).replace(&format!("`{name}`"), name);
    for (name, found) in of_changed(unnamed) {
        assert_eq!(found.len(), 1, "{name}");
        assert!(found[0].how.contains(&format!("no place for `{name}`")), "{}", found[0]);
    }
}

#[test]
fn a_module_of_the_reading_order_that_is_gone_is_seen() {
    let gone = |text: &str, name: &str| text.replace(&format!("\npub mod {name};"), "").replace(&format!("\nmod {name};"), "");
    for (name, found) in of_changed(gone) {
        assert_eq!(found.len(), 1, "{name}");
        assert!(found[0].how.contains(&format!("`{name}`, which is no module")), "{}", found[0]);
    }
}
