"""Which requests belong to which route."""

import pytest
from rig.client import request
from rig.configuration import configuration
from rig.lab import Lab

ROUTES = [
    ("exact", {"path": {"exact": "/exact"}}),
    ("suffix", {"path": {"suffix": "/infer"}, "methods": ["POST", "PUT"]}),
    ("host-port", {"path": {"prefix": "/host"}, "authority": {"exact": "Models.Test:81"}}),
    ("host", {"path": {"prefix": "/host"}, "authority": {"exact": "MODELS.test"}}),
    ("host-tail", {"path": {"prefix": "/host"}, "authority": {"suffix": ".svc"}}),
    ("headers", {"path": {"prefix": "/h"}, "headers": [{"name": "X-Tenant", "prefix": "ac"}, {"name": "x-off", "present": False}]}),
    ("present", {"path": {"prefix": "/h"}, "headers": [{"name": "x-off", "present": True}]}),
    ("either", [{"path": {"prefix": "/one/"}, "methods": ["GET"]}, {"path": {"prefix": "/two/"}}]),
    ("rest", {"path": {"prefix": "/rest"}}),
]
NONE = None
TABLE = [
    (request("/exact"), "exact"),
    (request("/exact?a=/infer"), "exact"),
    (request("/exact/"), NONE),
    (request("/EXACT"), NONE),
    (request("/any/infer?x=1"), "suffix"),
    (request("/any/infer", method="PUT"), "suffix"),
    (request("/any/infer", method="GET", body=None), NONE),
    (request("/any/infer/?x=/infer"), NONE),
    (request("/host"), "host"),
    (request("/host").replace(b"models.test", b"Models.TEST:81"), "host-port"),
    (request("/host").replace(b"models.test", b"models.test:8080"), "host"),
    (request("/host").replace(b"models.test", b"a.b.svc:80"), "host-tail"),
    (request("/host").replace(b"models.test", b"elsewhere"), NONE),
    (request("/h", headers={"x-tenant": "acme"}), "headers"),
    (request("/h", headers=[("x-tenant", "no"), ("x-tenant", "acme")]), NONE),
    (request("/h", headers={"x-tenant": "acme", "x-off": ""}), "present"),
    (request("/h"), NONE),
    (request("/one/x", method="GET", body=None), "either"),
    (request("/one/x"), NONE),
    (request("/two/x"), "either"),
    (request("/rest?/exact"), "rest"),
    (request("/"), NONE),
]


@pytest.fixture(scope="module")
def proxy():
    """A proxy that only counts."""
    with Lab() as lab:
        yield lab.proxy(configuration(*[{"name": name, "match": match} for name, match in ROUTES]), {"primary": lab.upstream()})


@pytest.mark.parametrize("data, name", TABLE, ids=lambda value: value if isinstance(value, str) else "")
def test_the_first_route_that_matches_takes_the_request(proxy, data, name):
    before = proxy.metrics().by("gnomon_requests_total", "route")
    assert proxy.send(data).status == 200
    after = proxy.metrics().by("gnomon_requests_total", "route")
    assert {route: count - before.get(route, 0) for route, count in after.items() if count != before.get(route, 0)} == ({name: 1} if name else {})


def test_a_route_without_match_takes_every_post(lab):
    proxy = lab.proxy(configuration({"name": "every"}), {"primary": lab.upstream()})
    for method in ("POST", "GET", "PUT", "POST"):
        proxy.send(request("/any", method=method))
    assert proxy.metrics().by("gnomon_requests_total", "route", "variant", "reason") == {("every", "none", "unsplit"): 2}
