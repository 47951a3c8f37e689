//! istio/prometheus, held against the core and run on promtool.
#![cfg(feature = "cli")]

#[path = "rules/alerts.rs"]
mod alerts;
#[path = "rules/manifest.rs"]
mod manifest;
#[path = "rules/missing.rs"]
mod missing;
#[path = "rules/pages.rs"]
mod pages;
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
