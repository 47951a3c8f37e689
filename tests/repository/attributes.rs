//! Which parts of a parsed file are compiled for tests only.

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ForeignItem, ImplItem, Item, Meta, Stmt, Token, TraitItem};

/// Whether an attribute says `cfg(test)`, or `cfg(all(...))` with `test` in it, or `cfg(any(...))` of nothing else.
pub fn test_only(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("cfg") && attribute.parse_args::<Meta>().is_ok_and(|condition| needs_test(&condition)))
}

fn needs_test(condition: &Meta) -> bool {
    let parts = |list: &syn::MetaList| list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap_or_default();
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => parts(list).iter().any(needs_test),
        Meta::List(list) if list.path.is_ident("any") => !list.tokens.is_empty() && parts(list).iter().all(needs_test),
        Meta::List(_) | Meta::NameValue(_) => false,
    }
}

/// `attributes!(node, Enum, Variant...)`: those of whichever variant the node is.
macro_rules! attributes {
    ($node:expr, $kind:ident, $($variant:ident)*) => {
        match $node {
            $($kind::$variant(node) => &node.attrs,)*
            _ => &[],
        }
    };
}

pub fn of_item(item: &Item) -> &[Attribute] {
    attributes!(item, Item, Const Enum ExternCrate Fn ForeignMod Impl Macro Mod Static Struct Trait TraitAlias Type Union Use)
}

pub fn of_impl_item(item: &ImplItem) -> &[Attribute] {
    attributes!(item, ImplItem, Const Fn Type Macro)
}

pub fn of_trait_item(item: &TraitItem) -> &[Attribute] {
    attributes!(item, TraitItem, Const Fn Type Macro)
}

pub fn of_foreign_item(item: &ForeignItem) -> &[Attribute] {
    attributes!(item, ForeignItem, Fn Static Type Macro)
}

pub fn of_statement(statement: &Stmt) -> &[Attribute] {
    match statement {
        Stmt::Local(local) => &local.attrs,
        Stmt::Item(item) => of_item(item),
        Stmt::Expr(expression, _) => of_expression(expression),
        Stmt::Macro(invocation) => &invocation.attrs,
    }
}

pub fn of_expression(expression: &Expr) -> &[Attribute] {
    attributes!(
        expression,
        Expr,
        Array Assign Async Await Binary Block Break Call Cast Closure Const Continue Field ForLoop Group If Index Infer Let Lit Loop Macro
        Match MethodCall Paren Path Range RawAddr Reference Repeat Return Struct Try TryBlock Tuple Unary Unsafe While Yield
    )
}
