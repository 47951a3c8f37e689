//! All modules that ship, found as the compiler finds them, and what the paths in them mean.

use std::collections::{BTreeMap, BTreeSet};

use crate::files::{Files, Finding};
use crate::source::{self, Module, Scope, Source};

/// The crate of the filter. A binary is a crate of its own, called by its path.
pub const FILTER: &str = "gnomon";

pub struct Project {
    /// By path.
    pub sources: BTreeMap<String, Source>,
    /// Modules that have no file where their name says, and files of `src` that no module is in.
    pub lost: Vec<Finding>,
    /// The file in which each module is.
    homes: BTreeMap<Module, String>,
    /// The modules all of whose names a module imports, also by way of each other.
    globs: BTreeMap<Module, BTreeSet<Module>>,
}

/// What a path in the code leads to.
#[derive(Debug, PartialEq)]
pub enum Place {
    /// A module of the project, or something in it.
    Inside(Module),
    /// The path in another crate.
    Outside(Vec<String>),
}

/// What a file uses, and where.
pub struct Use {
    pub from: Module,
    pub place: Place,
    pub line: usize,
}

impl Project {
    /// Reads those of `files` that are under `src`.
    pub fn read(files: &Files) -> Self {
        let mut project = Self { sources: BTreeMap::new(), lost: vec![], homes: BTreeMap::new(), globs: BTreeMap::new() };
        let mut tests: Vec<String> = Vec::new();
        let mut open: Vec<(String, Module)> = files.keys().filter_map(|path| Some((path.clone(), crate_of(path)?))).collect();
        while let Some((path, module)) = open.pop() {
            let Some(source) = source::read(&path, &files[&path], module) else {
                tests.push(path);
                continue;
            };
            for declared in &source.declared {
                let stem = stem_of(&declared.module);
                let file = format!("{stem}.rs");
                if declared.elsewhere || (!declared.test_only && !files.contains_key(&file)) {
                    let how = format!("the module should be in {file}, without #[path]");
                    project.lost.push(Finding { path: path.clone(), line: declared.line, how });
                } else if declared.test_only {
                    tests.extend([file, format!("{stem}/")]);
                } else {
                    open.push((file, declared.module.clone()));
                }
            }
            project.homes.extend(source.scopes.keys().map(|module| (module.clone(), path.clone())));
            project.sources.insert(path, source);
        }
        let known = |path: &String| project.sources.contains_key(path) || tests.iter().any(|test| path.starts_with(test.as_str()));
        let strays: Vec<&String> = files.keys().filter(|path| path.starts_with("src/") && path.ends_with(".rs") && !known(path)).collect();
        project.lost.extend(strays.into_iter().map(|path| Finding { path: path.clone(), line: 1, how: "no module has this file".into() }));
        // Twice: what a glob names may itself have come by a glob.
        project.globs = project.globbed();
        project.globs = project.globbed();
        project
    }

    fn globbed(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let inside = |place| match place {
            Some(Place::Inside(module)) => Some(module),
            Some(Place::Outside(_)) | None => None,
        };
        let scopes = self.sources.values().flat_map(|source| &source.scopes);
        let direct = |(module, scope): (&Module, &Scope)| {
            (module.clone(), scope.globs.iter().filter_map(|glob| inside(self.follow(module, glob, 0))).collect())
        };
        let direct: BTreeMap<Module, BTreeSet<Module>> = scopes.map(direct).collect();
        let reached = |module: &Module| {
            let (mut reached, mut open) = (BTreeSet::new(), vec![module]);
            while let Some(module) = open.pop() {
                open.extend(direct.get(module).into_iter().flatten().filter(|next| reached.insert((*next).clone())));
            }
            reached
        };
        direct.keys().map(|module| (module.clone(), reached(module))).collect()
    }

    /// Everything that a file uses: each import, and each path in the code that leads further than the import it begins with.
    pub fn uses(&self, source: &Source) -> Vec<Use> {
        let mut uses = Vec::new();
        for (module, scope) in &source.scopes {
            let place = |path: &[String]| self.follow(module, path, 0);
            let used = |place, line| Some(Use { from: module.clone(), place: place?, line });
            // A name that means nothing here is a crate if it is imported, else a local one or a parameter.
            uses.extend(scope.imports.iter().filter_map(|(path, line)| used(place(path).or(Some(Place::Outside(path.clone()))), *line)));
            let news = |path: &[String]| scope.aliases.get(&path[0]).is_none_or(|alias| place(alias) != place(path));
            uses.extend(scope.paths.iter().filter(|(path, _)| news(path)).filter_map(|(path, line)| used(place(path), *line)));
        }
        uses
    }

    /// Where a path leads that is written in `module`; `None`: it is a name that means nothing there.
    /// `depth` bounds the imports that are followed, in case they name each other.
    fn follow(&self, module: &Module, written: &[String], depth: usize) -> Option<Place> {
        let (first, rest) = written.split_first()?;
        match first.as_str() {
            "crate" => self.descend(&module[..1].to_vec(), rest, depth),
            "self" if rest.first().is_some_and(|next| next == "super") => self.follow(module, rest, depth),
            "self" => self.descend(module, rest, depth),
            "super" => {
                let up = written.iter().take_while(|segment| *segment == "super").count();
                self.descend(&module[..module.len().saturating_sub(up).max(1)].to_vec(), &written[up..], depth)
            }
            "::" if rest.first().is_some_and(|name| name == "crate") => self.follow(module, rest, depth),
            "::" => self.outside(rest, depth),
            _ if self.giver(module, first).is_some() => self.descend(module, written, depth),
            _ if rest.is_empty() && depth == 0 => None,
            _ => self.outside(written, depth),
        }
    }

    fn outside(&self, path: &[String], depth: usize) -> Option<Place> {
        if path.first().is_some_and(|name| name == FILTER) {
            return self.descend(&vec![FILTER.to_owned()], &path[1..], depth);
        }
        Some(Place::Outside(path.to_vec()))
    }

    /// Where a path leads whose first segment is something of `module`.
    fn descend(&self, module: &Module, path: &[String], depth: usize) -> Option<Place> {
        let Some((first, rest)) = path.split_first() else { return Some(Place::Inside(module.clone())) };
        let stays = Some(Place::Inside(module.clone()));
        let Some(giver) = self.giver(module, first).filter(|_| depth < 50) else { return stays };
        let child = child_of(giver, first);
        if self.homes.contains_key(&child) {
            return self.descend(&child, rest, depth);
        }
        let Some(alias) = self.scope(giver).and_then(|scope| scope.aliases.get(first)) else {
            return Some(Place::Inside(giver.clone()));
        };
        let way = [alias, rest].concat();
        // An import of a crate's name by its own name, as `use log;` is.
        if alias.first() == Some(first) { self.outside(&way, depth + 1) } else { self.follow(giver, &way, depth + 1) }
    }

    /// The module that has a name as a child, an item or an import of its own: `module`, or one all of whose names it imports.
    fn giver<'a>(&'a self, module: &'a Module, name: &String) -> Option<&'a Module> {
        let has = |module: &&Module| {
            let scope = self.scope(module);
            let own = scope.is_some_and(|scope| scope.items.contains(name) || scope.aliases.contains_key(name));
            own || self.homes.contains_key(&child_of(module, name))
        };
        [module].into_iter().chain(self.globs.get(module).into_iter().flatten()).find(has)
    }

    fn scope(&self, module: &Module) -> Option<&Scope> {
        self.sources[self.homes.get(module)?].scopes.get(module)
    }
}

/// The crate that a file is the root of.
fn crate_of(path: &str) -> Option<Module> {
    let binary = path.strip_prefix("src/bin/");
    let root = path == "src/lib.rs" || binary.is_some_and(|file| file.ends_with("/main.rs") || !file.contains('/'));
    root.then(|| vec![if binary.is_some() { path.to_owned() } else { FILTER.to_owned() }])
}

fn child_of(module: &Module, name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

fn stem_of(module: &[String]) -> String {
    let folder = match module[0].as_str() {
        FILTER => "src",
        binary => binary.trim_end_matches("/main.rs").trim_end_matches(".rs"),
    };
    [&[folder.to_owned()], &module[1..]].concat().join("/")
}
