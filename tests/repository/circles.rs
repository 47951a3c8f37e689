//! Circles of imports among the modules of one folder.
//!
//! A module stands for itself and all that is under it. Between two modules there is an arrow if one uses the other, wherever in the two
//! the use and the used are. A parent is not part of the picture of its own children: it is made of them, and they extend what it
//! declares (`impl Engine` in `engine/live.rs`), so that arrows between the two say nothing. But what a child takes from its parent only
//! because the parent imports it from a sibling is a use of the sibling.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::files::{self, Finding};
use crate::project::{FILTER, Place, Project};
use crate::source::Module;

/// Where one child of a module uses another one: (user, used) and the places in the code.
type Arrows = BTreeMap<(String, String), BTreeSet<(String, usize)>>;

/// Modules each of which leads to all others.
pub struct Circle {
    pub parent: Module,
    pub members: BTreeSet<String>,
    /// Those between its members.
    pub arrows: Arrows,
}

/// The arrows among the children of each module that has children.
pub fn arrows(project: &Project) -> BTreeMap<Module, Arrows> {
    let mut all: BTreeMap<Module, Arrows> = BTreeMap::new();
    for source in project.sources.values() {
        for used in project.uses(source) {
            let Place::Inside(place) = &used.place else { continue };
            let shared = used.from.iter().zip(place).take_while(|(from, to)| from == to).count();
            if let (Some(from), Some(to), 1..) = (used.from.get(shared), place.get(shared), shared) {
                let arrow = (from.clone(), to.clone());
                all.entry(place[..shared].to_vec()).or_default().entry(arrow).or_default().insert((source.path.clone(), used.line));
            }
        }
    }
    all
}

pub fn circles(project: &Project) -> Vec<Circle> {
    let mut circles = Vec::new();
    for (parent, arrows) in arrows(project) {
        let names: BTreeSet<&String> = arrows.keys().map(|(from, _)| from).collect();
        let reached: BTreeMap<&String, BTreeSet<&String>> = names.iter().map(|name| (*name, reachable(&arrows, name))).collect();
        let mut told: BTreeSet<&String> = BTreeSet::new();
        for name in names.iter().copied().filter(|name| reached[name].contains(name)) {
            if told.contains(name) {
                continue;
            }
            let back = |other: &&String| reached.get(*other).is_some_and(|reached| reached.contains(name));
            let members: BTreeSet<String> = reached[name].iter().copied().filter(back).cloned().collect();
            told.extend(names.iter().copied().filter(|name| members.contains(*name)));
            let within = |(from, to): &(String, String)| members.contains(from) && members.contains(to);
            let arrows = arrows.iter().filter(|(arrow, _)| within(arrow)).map(|(arrow, places)| (arrow.clone(), places.clone())).collect();
            circles.push(Circle { parent: parent.clone(), members, arrows });
        }
    }
    circles
}

/// Everything that arrows lead to from `name`; itself, if they lead back.
fn reachable<'a>(arrows: &'a Arrows, name: &'a String) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![name];
    while let Some(from) = open.pop() {
        for (_, to) in arrows.keys().filter(|(user, _)| user == from) {
            if reached.insert(to) {
                open.push(to);
            }
        }
    }
    reached
}

impl fmt::Display for Circle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members: Vec<&str> = self.members.iter().map(String::as_str).collect();
        writeln!(formatter, "in {}, a circle of {}: {}", self.parent.join("::"), members.len(), members.join(", "))?;
        for ((from, to), places) in &self.arrows {
            let places: Vec<String> = places.iter().map(|(path, line)| format!("{path}:{line}")).collect();
            writeln!(formatter, "  {from} -> {to}: {}", places.join(", "))?;
        }
        Ok(())
    }
}

#[test]
fn no_imports_go_round() {
    let circles = circles(&Project::read(&files::of_src()));
    let told: Vec<String> = circles.iter().map(Circle::to_string).collect();
    assert!(told.is_empty(), "{} circles of imports:\n{}", told.len(), told.join("\n"));
}

/// In every folder at once, each file uses the module that comes after its own, and the last one the first.
#[test]
fn a_ring_through_the_ends_of_all_files_is_seen() {
    let mut files = files::of_src();
    let project = Project::read(&files);
    let mut children: BTreeMap<Module, BTreeSet<String>> = BTreeMap::new();
    for source in project.sources.values().filter(|source| source.module.len() > 1) {
        let (name, parent) = source.module.split_last().unwrap();
        children.entry(parent.to_vec()).or_default().insert(name.clone());
    }
    let mut rings: Vec<(Module, Finding)> = Vec::new();
    for source in project.sources.values() {
        let mut line = source.last_line;
        for depth in 1..source.module.len() {
            let (parent, own) = (source.module[..depth].to_vec(), &source.module[depth]);
            let siblings = &children[&parent];
            let next = siblings.iter().skip_while(|name| *name != own).nth(1).unwrap_or(siblings.first().unwrap());
            if next != own {
                let path = [&["crate".to_owned()], &parent[1..], std::slice::from_ref(next)].concat().join("::");
                files.get_mut(&source.path).unwrap().push_str(&format!("fn breach{depth}() {{ assert!({path}::breach()) }}\n"));
                line += 1;
                rings.push((parent, Finding { path: source.path.clone(), line, how: format!("{own} uses {next}") }));
            }
        }
    }
    let found = circles(&Project::read(&files));
    assert!(rings.len() > 100, "{} uses", rings.len());
    for (parent, used) in rings {
        let circle = found.iter().find(|circle| circle.parent == parent).unwrap();
        assert_eq!(circle.members, children[&parent], "of {parent:?}");
        assert!(circle.arrows.values().flatten().any(|place| *place == (used.path.clone(), used.line)), "not seen: {used}");
    }
}

/// What a parent imports from one child and another child takes from the parent is a use of the sibling.
#[test]
fn a_use_by_way_of_the_parent_is_seen() {
    let mut files = files::of_src();
    files.get_mut("src/config.rs").unwrap().push_str("pub use gate::Breach as Reexported;\n");
    let users = [
        ("changes", "use super::*; fn breach(_: Reexported) {}"),
        ("raw", "use super::Reexported;"),
        ("problem", "fn breach(_: crate::config::Reexported) {}"),
    ];
    for (user, text) in users {
        files.get_mut(&format!("src/config/{user}.rs")).unwrap().push_str(&format!("{text}\n"));
    }
    let project = Project::read(&files);
    let arrows = &arrows(&project)[&vec![FILTER.to_owned(), "config".to_owned()]];
    for (user, _) in users {
        let path = format!("src/config/{user}.rs");
        let last = project.sources[&path].last_line;
        let places = arrows.get(&(user.to_owned(), "gate".to_owned()));
        assert!(places.is_some_and(|places| places.contains(&(path.clone(), last))), "{path}");
    }
}
