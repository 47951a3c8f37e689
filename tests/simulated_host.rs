//! The real filter and the real SDK, natively, in a simulated Envoy.
//!
//! The SDK's imports are C functions that the linker binds to [`abi`]; its exports are called by [`world`]. So the whole guest runs
//! here but for the compiler's back end, in virtual time, in any order of events that a seed gives, thousands of times a minute. What
//! is asserted is what can be observed: what clients and upstreams saw, what was counted and logged, never the order of host calls.
//!
//! The simulator, in reading order: [`world`] drives, with [`workers`] (VMs and configurations), [`clients`] (exchanges) and
//! [`interleaving`] (of workers); [`host`] answers the guest, [`access`] about statistics; [`network`] and [`traffic`] are the upstreams and
//! the clients; [`invariants`] and, of gates, [`verdicts`] say what must hold after anything. The [`contract`] of statistics and how a
//! [`series`] is held against it are shared with other tests, and so is the reading of documents ([`markdown`]).
//!
//! The scenarios: [`outcomes`], [`bounds`], [`copies`], [`shaping`], [`bodies`], [`draws`], [`observed`], [`labels`], [`facts`], [`restraint`],
//! [`configuration`], [`updates`], [`identity`]; with gates ([`gated`]) [`gates`], [`gate_races`], [`gate_updates`], [`guardrail`]; and [`random_schedules`] of all that together, with [`random_configurations`].
//!
//! Not here: compiled Wasm, real sockets, real timing. Those are the end-to-end tests' business.

// The filter is reached through its exports alone; this links it.
use gnomon as _;

#[path = "statistics/contract.rs"]
mod contract;
#[path = "documents/markdown.rs"]
mod markdown;
#[path = "statistics/series.rs"]
mod series;

#[path = "simulated_host/abi.rs"]
mod abi;
#[path = "simulated_host/access.rs"]
mod access;
#[path = "simulated_host/against_baseline.rs"]
mod against_baseline;
#[path = "simulated_host/agenda.rs"]
mod agenda;
#[path = "simulated_host/bodies.rs"]
mod bodies;
#[path = "simulated_host/bounds.rs"]
mod bounds;
#[path = "simulated_host/clients.rs"]
mod clients;
#[path = "simulated_host/configuration.rs"]
mod configuration;
#[path = "simulated_host/contexts.rs"]
mod contexts;
#[path = "simulated_host/copies.rs"]
mod copies;
#[path = "simulated_host/draws.rs"]
mod draws;
#[path = "simulated_host/facts.rs"]
mod facts;
#[path = "simulated_host/gate_races.rs"]
mod gate_races;
#[path = "simulated_host/gate_updates.rs"]
mod gate_updates;
#[path = "simulated_host/gated.rs"]
mod gated;
#[path = "simulated_host/gates.rs"]
mod gates;
#[path = "simulated_host/guardrail.rs"]
mod guardrail;
#[path = "simulated_host/heartbeats.rs"]
mod heartbeats;
#[path = "simulated_host/host.rs"]
mod host;
#[path = "simulated_host/identity.rs"]
mod identity;
#[path = "simulated_host/interleaving.rs"]
mod interleaving;
#[path = "simulated_host/invariants.rs"]
mod invariants;
#[path = "simulated_host/labels.rs"]
mod labels;
#[path = "simulated_host/metrics.rs"]
mod metrics;
#[path = "simulated_host/misrouted.rs"]
mod misrouted;
#[path = "simulated_host/network.rs"]
mod network;
#[path = "simulated_host/observed.rs"]
mod observed;
#[path = "simulated_host/outcomes.rs"]
mod outcomes;
#[path = "simulated_host/random.rs"]
mod random;
#[path = "simulated_host/random_configurations.rs"]
mod random_configurations;
#[path = "simulated_host/random_schedules.rs"]
mod random_schedules;
#[path = "simulated_host/restraint.rs"]
mod restraint;
#[path = "simulated_host/setup.rs"]
mod setup;
#[path = "simulated_host/shaping.rs"]
mod shaping;
#[path = "simulated_host/shared.rs"]
mod shared;
#[path = "simulated_host/traffic.rs"]
mod traffic;
#[path = "simulated_host/updates.rs"]
mod updates;
#[path = "simulated_host/verdicts.rs"]
mod verdicts;
#[path = "simulated_host/vm.rs"]
mod vm;
#[path = "simulated_host/wire.rs"]
mod wire;
#[path = "simulated_host/workers.rs"]
mod workers;
#[path = "simulated_host/world.rs"]
mod world;
