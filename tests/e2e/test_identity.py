"""Which proxy counts, since when, by which configuration and within which bound; and that each label comes out as itself."""

import json
import time

import pytest
import xxhash
from rig.client import request
from rig.configuration import configuration, gate, route, shadow
from rig.envoy import TAGS, Envoy, bootstrap
from rig.waiting import until

MIB = 1 << 20

ISTIO = {
    "response_code": r"_rq(_(\d{3}))$",
    "response_code_class": r"_rq(_(\dxx))$",
    "cache": r"(cache\.(.+?)\.)",
    "component": r"(component\.(.+?)\.)",
    "tag": r"(tag\.(.+?);\.)",
    "wasm_filter": r"(wasm_filter\.(.+?)\.)",
    "authz_enforce_result": r"rbac(\.(allowed|denied))",
    "authz_dry_run_action": r"(\.istio_dry_run_(allow|deny)_)",
    "authz_dry_run_result": r"(\.shadow_(allowed|denied))",
}
"""Istio's own rules that are not for names of one beginning (tools/packaging/common/envoy_bootstrap.json)."""


def test_every_tag_comes_out_as_itself(lab):
    """Also those that no statistic has yet, in a name that has them all, in either order, and beside Istio's own rules."""
    values = {tag: f"the {tag}@x.y" for tag in TAGS}
    text = bootstrap([], {"primary": None}, stats={"use_all_default_tags": False})
    text["stats_config"]["stats_tags"] += [{"tag_name": tag, "regex": regex} for tag, regex in ISTIO.items()]
    for listener, name, tags in zip(text["static_resources"]["listeners"], ("one_way", "the_other"), (TAGS, TAGS[::-1])):
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        manager["stat_prefix"] = name + "".join(f"{tag}=.={values[tag]};.;" for tag in tags)
    proxy = Envoy(text, lab.folder())
    try:
        metrics = proxy.metrics()
    finally:
        proxy.stop()
    for name in ("one_way", "the_other"):
        assert [dict(found) for found in metrics.series(f"envoy_http_{name}_downstream_cx_total")] == [values]


def hash_of(configured):
    """The `config` of a configuration, recomputed."""
    written = json.dumps(configured, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return xxhash.xxh64(written.encode()).hexdigest()[:8]


def configured(owner=None, memory="16MiB", **more):
    """A route with a gate of each slice and one for all."""
    gates = [gate("agreement", "copy", "diverged", 2, each_slice=True), gate("coverage", "copy", "coverage", 90, requires="none")]
    owned = {"owner": owner} if owner else {}
    slices = {"header": "x-region", "values": ["eu"]}
    return configuration(route(shadows=[shadow()], gates=gates, slices=slices, **owned), limits={"memory": memory}, **more)


def info(proxy):
    """What `gnomon_experiment_info` shows now."""
    return proxy.metrics().by("gnomon_experiment_info", "experiment", "route", "config", "owner")


def started(proxy):
    return proxy.metrics().total("gnomon_started_microseconds")


def limit(proxy):
    return proxy.metrics().total("gnomon_captured_limit_bytes")


@pytest.mark.parametrize("new_vm", [False, True], ids=["same-vm", "new-vm"])
def test_updates_change_the_configuration_that_is_shown_and_not_since_when(lab, new_vm):
    primary, copy = lab.upstream(), lab.upstream()
    first = configured("ml-fraud@example.com (team \"Fraud\")")
    before = time.time_ns() // 1000
    proxy, plane = lab.managed(first, {"primary": primary, "shadow": copy}, concurrency=4)
    since = started(proxy)
    assert before <= since <= time.time_ns() // 1000
    assert info(proxy) == {("exp", "main", hash_of(first), 'ml-fraud@example.com (team \\"Fraud\\")'): 1}
    assert limit(proxy) == 0, "nothing was captured"

    def serve():
        for _ in range(20):
            assert proxy.send(request()).status == 200

    for number in range(3):
        update = configured(memory="4MiB", evidence={"per_second": number})
        serve()
        plane.push(proxy, update, new_vm)
        until(lambda: info(proxy) == {("exp", "main", hash_of(update), "none"): 1}, "the update to be the only one that is shown")
        plane.push(proxy, {**update, "unknown": 1}, new_vm)
        proxy.eventually("gnomon_configuration", 2, plugin="gnomon")
        assert info(proxy) == {("exp", "main", hash_of(update), "none"): 1}, "a refused one changes nothing"
        assert started(proxy) == since
    serve()
    until(lambda: limit(proxy) in {workers * 4 * MIB for workers in range(1, 5)}, "the bound of those that capture")


def test_what_gates_require_is_shown_and_a_restart_is_another_life(lab):
    clusters = {"primary": lab.upstream(), "shadow": lab.upstream()}
    old, new = (lab.proxy(configured(), clusters, concurrency=4) for _ in range(2))
    assert started(old) < started(new) and info(old) == info(new)
    requires = new.metrics().by("gnomon_gate_requires", "gate", "slice")
    assert requires == {("agreement", "eu"): 2, ("agreement", "other"): 2, ("agreement", "all"): 2}
    assert len(new.metrics().series("gnomon_gate_requires", gate="coverage", slice="all")) == 1, "none is 0, and there"
