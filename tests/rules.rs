//! istio/prometheus, held against the core and run on promtool.

// Tests say what they expect by panicking.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_precision_loss)]

#[path = "rules/alerts.rs"]
mod alerts;
#[path = "rules/manifest.rs"]
mod manifest;
#[path = "rules/missing.rs"]
mod missing;
#[path = "rules/promtool.rs"]
mod promtool;
#[path = "rules/random.rs"]
mod random;
#[path = "rules/rates.rs"]
mod rates;
#[path = "rules/subjects.rs"]
mod subjects;
#[path = "rules/verdicts.rs"]
mod verdicts;
#[path = "rules/window.rs"]
mod window;
#[path = "rules/world.rs"]
mod world;
