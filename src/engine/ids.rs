//! The numbers by which the host and the engine name things.

/// The host's id of a root context.
pub type RootId = u32;

/// The host's id of a stream context, unique in a VM.
pub type StreamId = u32;

/// The host's token of a call, unique in a VM while the call is under way.
pub type CallToken = u32;

/// The engine's own id of a pair.
pub type PairId = u64;
