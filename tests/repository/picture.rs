//! The picture of who imports whom in ARCHITECTURE.md. `UPDATE=1 cargo test --no-default-features --test repository` draws it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{env, fs};

use crate::circles;
use crate::direction;
use crate::files::{self, Files};
use crate::project::{FILTER, Project};

const PAGE: &str = "ARCHITECTURE.md";
const BEGIN: &str = "```mermaid\n";
const END: &str = "```\n";

/// Which modules each module of the filter uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn uses(files: &Files) -> Uses {
    let arrows = circles::arrows(&Project::read(files)).remove(&vec![FILTER.to_owned()]).unwrap_or_default();
    let mut uses = Uses::new();
    for (from, to) in arrows.into_keys() {
        uses.entry(from).or_default().insert(to);
    }
    uses
}

/// All that each module leads to; `order` has what is used before what uses it.
fn reached(uses: &Uses, order: &[String]) -> Uses {
    let mut reached = Uses::new();
    for name in order {
        let direct = uses.get(name).cloned().unwrap_or_default();
        let further = direct.iter().flat_map(|used| reached.get(used).into_iter().flatten().cloned()).collect();
        reached.insert(name.clone(), &direct | &further);
    }
    reached
}

/// One line for each module, the last of the reading order first. An arrow is left out where longer ways lead to the same module.
fn picture(uses: &Uses, order: &[String]) -> String {
    let reached = reached(uses, order);
    let mut text = "graph TD\n".to_owned();
    for name in order.iter().rev() {
        let direct = uses.get(name).cloned().unwrap_or_default();
        let further: BTreeSet<&String> = direct.iter().flat_map(|used| reached.get(used).into_iter().flatten()).collect();
        let shown: Vec<&str> = direct.iter().filter(|used| !further.contains(used)).map(String::as_str).collect();
        let arrow = if shown.is_empty() { "" } else { " --> " };
        text.push_str(&format!("    {name}{arrow}{}\n", shown.join(" & ")));
    }
    text
}

fn order(files: &Files) -> Vec<String> {
    direction::reading_order(files).into_iter().map(|(name, _)| name).collect()
}

/// What is before the picture in the page, the picture, and what is after it.
fn parts(page: &str) -> [&str; 3] {
    let (before, rest) = page.split_once(BEGIN).expect("ARCHITECTURE.md has no picture");
    let (drawn, after) = rest.split_once(END).expect("the picture in ARCHITECTURE.md has an end");
    [before, drawn, after]
}

#[test]
fn the_picture_shows_who_imports_whom() {
    let files = files::of_src();
    let (page, picture) = (files::read(PAGE), picture(&uses(&files), &order(&files)));
    let [before, drawn, after] = parts(&page);
    if drawn != picture && env::var_os("UPDATE").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
        return fs::write(path, [before, BEGIN, &picture, END, after].concat()).unwrap();
    }
    assert!(drawn == picture, "the picture in {PAGE} should be as follows; UPDATE=1 draws it anew\n{picture}");
}

/// Each arrow that is not there today and is not a shorter way to what is reached anyway.
#[test]
fn the_picture_changes_with_the_code() {
    let files = files::of_src();
    let (uses, order) = (uses(&files), order(&files));
    let (today, reached) = (picture(&uses, &order), reached(&uses, &order));
    for (at, from) in order.iter().enumerate() {
        for to in order[..at].iter().filter(|to| !reached[from].contains(*to)) {
            let mut uses = uses.clone();
            uses.entry(from.clone()).or_default().insert(to.clone());
            assert_ne!(picture(&uses, &order), today, "with {from} --> {to}");
        }
        for to in today.lines().filter(|line| line.trim_start().starts_with(&format!("{from} "))).flat_map(|line| line.split(' ').skip(6)) {
            let mut uses = uses.clone();
            if uses.get_mut(from).unwrap().remove(to) {
                assert_ne!(picture(&uses, &order), today, "without {from} --> {to}");
            }
        }
    }
}
