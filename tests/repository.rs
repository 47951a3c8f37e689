//! The project's own rules, checked on its files: those that neither the compiler nor clippy knows.
//!
//! Rust code is parsed, not searched: [`source`] reads a file, with [`attributes`] and [`tokens`], and [`project`] finds the modules and
//! what paths mean. On that stand [`code_rules`], the [`direction`] of modules, [`circles`] of imports, and the [`picture`] of them in
//! ARCHITECTURE.md. [`text_rules`] look at any of the [`files`]; [`tags`], [`pins`] and [`commands`] at several together.
//!
//! Each rule is shown to see its breach in real files: in memory, after their last lines.

#[path = "repository/attributes.rs"]
mod attributes;
#[path = "repository/circles.rs"]
mod circles;
#[path = "repository/code_rules.rs"]
mod code_rules;
#[path = "repository/commands.rs"]
mod commands;
#[path = "repository/direction.rs"]
mod direction;
#[path = "repository/files.rs"]
mod files;
#[path = "repository/picture.rs"]
mod picture;
#[path = "repository/pins.rs"]
mod pins;
#[path = "repository/project.rs"]
mod project;
#[path = "repository/source.rs"]
mod source;
#[path = "repository/tags.rs"]
mod tags;
#[path = "repository/text_rules.rs"]
mod text_rules;
#[path = "repository/tokens.rs"]
mod tokens;
