//! What one file of Rust code says, without what is compiled for tests only: its modules, names, paths, functions and length.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ForeignItem, ImplItem, Item, ItemMod, ItemUse, Macro, Stmt, TraitItem, UseTree, Visibility};

use crate::attributes;
use crate::tokens::{self, Written};

/// A module, by the names that lead to it. The first one names the crate, as in `project`.
pub type Module = Vec<String>;

/// One file that is part of what ships.
pub struct Source {
    pub path: String,
    /// The file's own module.
    pub module: Module,
    pub last_line: usize,
    /// Lines, without those of tests.
    pub lines: usize,
    /// The file's own module, and those written out in it.
    pub scopes: BTreeMap<Module, Scope>,
    pub functions: Vec<Function>,
    /// Modules that are files of their own.
    pub declared: Vec<Declared>,
    /// Items of the file itself that are no modules, by their lines.
    pub other_items: Vec<usize>,
    /// Lines that keep the rules from seeing what the compiler sees, and why.
    pub unclear: Vec<(usize, &'static str)>,
}

/// What names mean in a module.
#[derive(Default)]
pub struct Scope {
    pub line: usize,
    pub items: BTreeSet<String>,
    /// What imports name, as written.
    pub aliases: BTreeMap<String, Vec<String>>,
    /// Modules and enums all of whose names are imported.
    pub globs: Vec<Vec<String>>,
    pub imports: Vec<Written>,
    /// Paths in the code.
    pub paths: Vec<Written>,
}

pub struct Function {
    pub name: String,
    pub line: usize,
    /// From the brace that opens the body to the one that closes it.
    pub lines: usize,
}

/// `mod name;`
pub struct Declared {
    pub module: Module,
    pub line: usize,
    pub test_only: bool,
    /// Has a `#[path]`.
    pub elsewhere: bool,
}

/// Reads a file whose module is `module`. `None`: all of it is a test.
pub fn read(path: &str, text: &str, module: Module) -> Option<Source> {
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}:{}: {error}", error.span().start().line));
    if attributes::test_only(&file.attrs) {
        return None;
    }
    let source = Source {
        path: path.into(),
        last_line: text.lines().count(),
        lines: text.lines().count(),
        scopes: BTreeMap::from([(module.clone(), Scope { line: 1, ..Scope::default() })]),
        functions: vec![],
        declared: vec![],
        other_items: vec![],
        unclear: vec![],
        module: module.clone(),
    };
    let mut reader = Reader { source, module, test_lines: BTreeSet::new() };
    reader.visit_file(&file);
    reader.source.lines -= reader.test_lines.len();
    Some(reader.source)
}

struct Reader {
    source: Source,
    /// The module that is being read.
    module: Module,
    test_lines: BTreeSet<usize>,
}

impl Reader {
    fn scope(&mut self) -> &mut Scope {
        self.source.scopes.entry(self.module.clone()).or_default()
    }

    /// Whether a node is a test; its lines don't count then.
    fn skips(&mut self, attributes: &[syn::Attribute], node: &impl Spanned) -> bool {
        let skipped = attributes::test_only(attributes);
        if skipped {
            let span = node.span();
            self.test_lines.extend(span.start().line..=span.end().line);
        }
        skipped
    }

    fn function(&mut self, name: &syn::Ident, body: &Block) {
        let (first, last) = (body.brace_token.span.open().start().line, body.brace_token.span.close().end().line);
        self.source.functions.push(Function { name: name.to_string(), line: name.span().start().line, lines: last - first + 1 });
    }

    fn import(&mut self, tree: &UseTree, mut path: Vec<String>) {
        let (name, ident) = match tree {
            UseTree::Path(step) => {
                path.push(step.ident.unraw().to_string());
                return self.import(&step.tree, path);
            }
            UseTree::Group(group) => return group.items.iter().for_each(|item| self.import(item, path.clone())),
            UseTree::Glob(glob) => {
                self.scope().globs.push(path.clone());
                path.push("*".into());
                return self.scope().imports.push((path, glob.span().start().line));
            }
            UseTree::Name(name) => (&name.ident, &name.ident),
            UseTree::Rename(rename) => (&rename.rename, &rename.ident),
        };
        // `self` at the end of a group means the path so far.
        if ident != "self" || path.is_empty() {
            path.push(ident.unraw().to_string());
        }
        let known_as = if name == "self" { path.last().cloned().unwrap_or_default() } else { name.unraw().to_string() };
        let line = ident.span().start().line;
        let before = self.scope().aliases.insert(known_as.clone(), path.clone());
        if known_as != "_" && before.is_some_and(|before| before != path) {
            self.source.unclear.push((line, "imports another thing by a name that the module has imported already"));
        }
        self.scope().imports.push((path, line));
    }

    fn module(&mut self, item: &ItemMod) {
        self.module.push(item.ident.unraw().to_string());
        let line = item.ident.span().start().line;
        let test_only = attributes::test_only(&item.attrs);
        match &item.content {
            None => self.source.declared.push(Declared {
                module: self.module.clone(),
                line,
                test_only,
                elsewhere: item.attrs.iter().any(|attribute| attribute.path().is_ident("path")),
            }),
            // The files of modules in a test are tests, too.
            Some(_) if test_only => {
                self.source.declared.push(Declared { module: self.module.clone(), line, test_only, elsewhere: false });
            }
            Some((_, items)) => {
                self.scope().line = line;
                items.iter().for_each(|item| self.visit_item(item));
            }
        }
        self.module.pop();
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_file(&mut self, file: &'ast syn::File) {
        let others = file.items.iter().filter(|item| !matches!(item, Item::Mod(_)) && !attributes::test_only(attributes::of_item(item)));
        self.source.other_items = others.map(|item| item.span().start().line).collect();
        visit::visit_file(self, file);
    }

    fn visit_item(&mut self, item: &'ast Item) {
        if let Item::Mod(module) = item {
            self.module(module);
        }
        if self.skips(attributes::of_item(item), item) || matches!(item, Item::Mod(_)) {
            return;
        }
        let name = match item {
            Item::Const(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Fn(item) => Some(&item.sig.ident),
            Item::Macro(item) => item.ident.as_ref(),
            Item::Static(item) => Some(&item.ident),
            Item::Struct(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            Item::Union(item) => Some(&item.ident),
            _ => None,
        };
        if let Some(name) = name {
            self.scope().items.insert(name.unraw().to_string());
        }
        match item {
            Item::Fn(item) => self.function(&item.sig.ident, &item.block),
            Item::ExternCrate(item) => {
                let name = if item.ident == "self" { "crate".to_owned() } else { item.ident.unraw().to_string() };
                let known_as = item.rename.as_ref().map_or(name.clone(), |(_, known_as)| known_as.unraw().to_string());
                let path = vec!["::".to_owned(), name];
                self.scope().aliases.insert(known_as, path.clone());
                self.scope().imports.push((path, item.ident.span().start().line));
            }
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !self.skips(attributes::of_impl_item(item), item) {
            if let ImplItem::Fn(item) = item {
                self.function(&item.sig.ident, &item.block);
            }
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        if !self.skips(attributes::of_trait_item(item), item) {
            if let TraitItem::Fn(syn::TraitItemFn { sig, default: Some(body), .. }) = item {
                self.function(&sig.ident, body);
            }
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_foreign_item(&mut self, item: &'ast ForeignItem) {
        if !self.skips(attributes::of_foreign_item(item), item) {
            visit::visit_foreign_item(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if !self.skips(attributes::of_statement(statement), statement) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_expr(&mut self, expression: &'ast Expr) {
        if !self.skips(attributes::of_expression(expression), expression) {
            visit::visit_expr(self, expression);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        if !self.skips(&arm.attrs, arm) {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !self.skips(&field.attrs, field) {
            visit::visit_field(self, field);
        }
    }

    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        if !self.skips(&field.attrs, field) {
            visit::visit_field_value(self, field);
        }
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        if !self.skips(&variant.attrs, variant) {
            visit::visit_variant(self, variant);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let root = if item.leading_colon.is_some() { vec!["::".into()] } else { vec![] };
        self.import(&item.tree, root);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let root = path.leading_colon.as_ref().map(|_| "::".to_owned());
        let segments = root.into_iter().chain(path.segments.iter().map(|segment| segment.ident.unraw().to_string())).collect();
        self.scope().paths.push((segments, path.span().start().line));
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast Macro) {
        if invocation.path.segments.last().is_some_and(|name| name.ident == "include") {
            self.source.unclear.push((invocation.span().start().line, "includes code from elsewhere"));
        }
        visit::visit_macro(self, invocation);
    }

    /// The inside of macros and of attributes.
    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        let (imports, paths): (Vec<Written>, Vec<Written>) = tokens::paths(tokens).into_iter().partition(|(path, _)| path.len() == 1);
        self.scope().imports.extend(imports);
        self.scope().paths.extend(paths);
        self.source.functions.extend(tokens::functions(tokens));
    }

    /// Who may see an item is not what it uses.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}
