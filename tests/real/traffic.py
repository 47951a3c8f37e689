"""What the tests of all servers share: routes that are told apart by a header, and what the filter counted for one of them."""

from dataclasses import dataclass

HEADER = "x-case"
GRPC_ROUTE = "/inference.GRPCInferenceService/"


def case_route(name, protocol="auto", **more):
    """A route for the requests that carry this name in their header."""
    return {"name": name, "match": {"headers": [{"name": HEADER, "exact": name}]}, "protocol": protocol, **more}


def two_ports(primary, copy):
    """Clusters and Envoy routes for a model with a port for REST and one for gRPC, and the same of its shadow."""
    clusters = {"primary": primary[0], "primary-grpc": primary[1], "shadow": copy[0], "shadow-grpc": copy[1]}
    routes = [
        {"match": {"prefix": GRPC_ROUTE}, "route": {"cluster": "primary-grpc"}},
        {"match": {"prefix": "/"}, "route": {"cluster": "primary"}},
    ]
    return {"clusters": clusters, "routes": routes}


TWO_CLUSTERS = {"http": "shadow", "grpc": "shadow-grpc"}


@dataclass
class Expected:
    """What comparing a pair must say."""

    verdict: str
    kind: str | None = None
    path: str | None = None


def expect(proxy, case, expected):
    """Waits for the one pair of a route and holds it against what is expected."""
    proxy.eventually("gnomon_shadow_outcomes_total", 1, route=case)
    metrics = proxy.metrics(case)
    assert metrics.by("gnomon_shadow_outcomes_total", "outcome", route=case) == {"compared": 1}
    assert metrics.by("gnomon_pairs_total", "verdict", route=case) == {expected.verdict: 1}
    if expected.kind:
        assert metrics.by("gnomon_divergences_total", "kind", route=case) == {expected.kind: 1}
    if expected.path:
        assert metrics.by("gnomon_divergent_paths_total", "path", route=case) == {expected.path: 1}


ENDS = ["refusal", "content_filter", "tool_calls", "length", "empty", "stop"]


def end_of_answer(ends):
    """How an answer with these ends of its choices ended: the first of them in this order."""
    return min(ends, key=ENDS.index)
