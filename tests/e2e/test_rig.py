"""The rig itself: it must notice what the other tests rely on it to notice. A Lua filter plays the filter that does harm."""

import pytest
from rig import invariants, oracle
from rig.client import request
from rig.metrics import Metrics


def harmful(script):
    """A filter that does what `script` says."""
    kind = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
    return {"name": "envoy.filters.http.lua", "typed_config": {"@type": kind, "default_source_code": {"inline_string": script}}}


@pytest.mark.parametrize("script", [
    "function envoy_on_request(h) h:headers():add('x-added', '1') end",
    "function envoy_on_request(h) h:headers():remove('x-tenant') end",
    "function envoy_on_request(h) h:body():setBytes('other') end",
    "function envoy_on_request(h) h:respond({[':status'] = '503'}, '') end",
    "function envoy_on_response(h) h:headers():add('x-added', '1') end",
    "function envoy_on_response(h) h:headers():replace(':status', '201') end",
    "function envoy_on_response(h) h:body():setBytes('[]') end",
])  # fmt: skip
def test_a_filter_that_changes_anything_is_noticed(lab, script):
    primary = lab.upstream()
    proxy = lab.proxy(None, {"primary": primary}, filters=[harmful(script)], state=None)
    with pytest.raises(AssertionError):
        lab.exchange(proxy, [primary], request(headers={"x-tenant": "acme"}))


def test_a_filter_that_changes_nothing_is_not(lab):
    primary = lab.upstream()
    proxy = lab.proxy(None, {"primary": primary}, filters=[harmful("function envoy_on_request(h) end")], state=None)
    lab.exchange(proxy, [primary], request(headers={"x-tenant": "acme"}))


LABELS = 'experiment="e",route="r",shadow="s"'


@pytest.mark.parametrize("text, settled", [
    (f'gnomon_sampled_total{{{LABELS}}} 2\ngnomon_shadow_outcomes_total{{{LABELS},outcome="compared"}} 2', True),
    (f'gnomon_sampled_total{{{LABELS}}} 2\ngnomon_shadow_outcomes_total{{{LABELS},outcome="compared"}} 1', False),
    (f'gnomon_shadow_outcomes_total{{{LABELS},outcome="compared"}} 1', False),
    (f"gnomon_open_pairs{{{LABELS}}} 1", False),
    ("gnomon_captured_bytes{} 7", False),
    ('gnomon_requests_total{experiment="e",route="r",variant="v",reason="pin"} 1', False),
    ("", True),
])  # fmt: skip
def test_what_does_not_add_up_is_noticed(text, settled):
    assert (not invariants.unsettled(Metrics(text))) == settled


def test_the_oracle_is_xxh64():
    """The hash of nothing is known from XXH64's own documentation."""
    assert oracle.xxhash.xxh64(b"", seed=0).hexdigest() == "ef46db3751d8e999"
    assert [oracle.variant("k", "s", "v1", [("v2", percent)]) for percent in (0, 100)] == ["v1", "v2"]
