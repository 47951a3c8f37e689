"""The rig of the end-to-end tests: a real Envoy with the built filter, scripted upstreams, a client that writes exact bytes.

Reading order: `waiting` (deadlines), `upstream` and `upstream_h2` (servers that follow a script and record what they saw), `openai` (such a
script), `client` and `client_h2`, `envoy` (the process and its bootstrap), `control_plane` (configuration pushed as a file), `metrics`,
`invariants` (what must hold after every scenario), `twin` (the same request with and without the filter), `lab` (owns all that a
test starts), `fixtures` (what pytest knows of it). `configuration` builds the filter's JSON, `oracle` computes the hashes independently of
the filter.

The rig knows the filter only from outside: its configuration, its headers, its statistics, its log lines.
"""
