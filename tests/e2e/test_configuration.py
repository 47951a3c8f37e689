"""Configurations with problems: all of them are told, and none of them hurts traffic."""

import json

import pytest
from rig.client import request
from rig.configuration import configuration, mirrored, route, shadow, split

BAD_SHADOW = configuration(route(shadows=[shadow(percent=101)]))


def problems(output):
    """The filter's lines in Envoy's log."""
    return [line.split("wasm log", 1)[1] for line in output.splitlines() if "wasm log" in line and "[error]" in line]


SPLIT_FIELDS = {"baseline": "a", "canaries": [{"name": "b", "percent": 1}], "key": "request"}

# Each row: what is wrong, the path that must be told, and the value found (as it is written there).
PROBLEMS = [
    ({**mirrored(), "extra": 17}, "extra", "17"),
    ({**mirrored(), "limits": None}, "limits", "null"),
    ({**mirrored(), "limits": {"body": "big"}}, "limits.body", "big"),
    ({**mirrored(), "limits": {"memory": "300MiB"}}, "limits.memory", "300MiB"),
    ({**mirrored(), "limits": {"memory": "1MiB", "body": "2MiB"}}, "limits", "2MiB"),
    ({**mirrored(), "version": 2}, "version", "2"),
    ({**mirrored(), "experiment": "Not A Name"}, "experiment", "Not A Name"),
    ({"version": 1, "routes": []}, "experiment", ""),
    (configuration(route(name="")), "routes[0].name", ""),
    (configuration(route(), route()), "routes[1]", "main"),
    (configuration(route("wide", "/"), route("narrow", "/v1/")), "routes[1]", ""),
    (configuration(route(protocol="carrier-pigeon")), "routes[0].protocol", "carrier-pigeon"),
    (configuration(route() | {"match": {"path": {"prefix": "/", "exact": "/"}}}), "routes[0].match.path", ""),
    (configuration(route(shadow=[])), "routes[0].shadow", ""),
    (configuration(route(shadows=[shadow(percent="many")])), "routes[0].shadows[0].percent", "many"),
    (configuration(route(shadows=[shadow(percent=-1)])), "routes[0].shadows[0].percent", "-1"),
    (configuration(route(shadows=[shadow(percent=0.00001)])), "routes[0].shadows[0].percent", "0.00001"),
    (configuration(route(shadows=[shadow(timeout="0s")])), "routes[0].shadows[0].timeout", "0s"),
    (configuration(route(shadows=[shadow(timeout="10m")])), "routes[0].shadows[0].timeout", "10m"),
    (configuration(route(shadows=[shadow(max_in_flight=0)])), "routes[0].shadows[0].max_in_flight", "0"),
    (configuration(route(shadows=[{"name": "s", "percent": 1}])), "routes[0].shadows[0].cluster", ""),
    (configuration(route(shadows=[shadow(), shadow()])), "routes[0].shadows[1]", "copy"),
    (configuration(route(shadows=[shadow("none")])), "routes[0].shadows[0].name", "none"),
    (configuration(route(shadows=[shadow(of=["v1"])])), "routes[0].shadows[0].of", "split"),
    (configuration(route(shadows=[shadow(of=["z"])], split=SPLIT_FIELDS)), "routes[0].shadows[0].of", "z"),
    (configuration(route(shadows=[shadow("b")], split=SPLIT_FIELDS)), "routes[0].shadows[0]", "b"),
    (configuration(route(shadows=[shadow(request={"headers": {"set": {":path": "/x"}}})])), "routes[0].shadows[0].request.headers.set", ":path"),
    (configuration(route(split=split(canaries=[("v2", 60), ("v3", 60)]))), "routes[0].split", "120"),
    (configuration(route(split={**SPLIT_FIELDS, "pins": [{"header": "h", "exact": "x", "variant": "z"}]})), "routes[0].split.pins[0].variant", "z"),
    (configuration(route(split={**SPLIT_FIELDS, "key": {"header": "h", "cookie": "c"}})), "routes[0].split.key", ""),
    (configuration(route(compare={"ignore": ["a[["]})), "routes[0].compare.ignore[0]", "a[["),
    (configuration(route(compare={"relative": -1})), "routes[0].compare.relative", "-1"),
]  # fmt: skip


@pytest.mark.parametrize("configured, path, value", PROBLEMS, ids=[f"{i}-{row[1]}" for i, row in enumerate(PROBLEMS)])
def test_reject_stops_validation_and_tells_path_and_value(lab, configured, path, value):
    code, output = lab.validate({"on_invalid": "reject", **configured})
    assert code != 0
    told = problems(output)
    assert any(path in line and value in line for line in told), told
    assert "panicked" not in output and "unreachable" not in output


def test_all_problems_are_told_at_once(lab):
    shadows = [shadow(f"Bad_{i}", percent=200, timeout="0s", bogus=i) for i in range(50)]
    code, output = lab.validate(configuration(route(shadows=shadows), on_invalid="reject"))
    assert code != 0
    told = "\n".join(problems(output))
    for i in range(50):
        for key in ("name", "percent", "timeout", "bogus"):
            assert f"routes[0].shadows[{i}].{key}" in told, f"shadow {i}: {key}"


@pytest.mark.parametrize("configured", [mirrored(), configuration(), BAD_SHADOW, {**BAD_SHADOW, "on_invalid": "maybe"}, "{", "", "[]"], ids=[
    "good", "no-route", "bad-but-pass", "bad-policy", "not-json", "empty", "array"])  # fmt: skip
def test_validation_passes_without_reject(lab, configured):
    code, output = lab.validate(configured)
    assert code == 0, output[-2000:]
    assert bool(problems(output)) == (configured not in (mirrored(), configuration()))


def test_a_duplicate_key_is_a_problem(lab):
    code, output = lab.validate('{"on_invalid": "reject", ' + json.dumps(mirrored())[1:-1] + ', "experiment": "again"}')
    assert code != 0 and any("experiment" in line for line in problems(output))


def test_whole_numbers_may_be_written_as_doubles(lab):
    shadows = [shadow(percent=100.0, max_in_flight=32.0)]
    configured = configuration(route(shadows=shadows), limits={"pairs": 512.0}, evidence={"per_second": 1.0}, on_invalid="reject") | {"version": 1.0}
    code, output = lab.validate(configured)
    assert code == 0, problems(output)


@pytest.mark.parametrize("configured", ["{", "", "[]", BAD_SHADOW, {**mirrored(), "extra": 1}], ids=["text", "empty", "array", "number", "key"])
def test_a_fresh_proxy_with_a_refused_configuration_touches_nothing(lab, configured):
    primary, copy = lab.upstream(), lab.upstream()
    proxy = lab.proxy(configured, {"primary": primary, "shadow": copy}, concurrency=2, state=3)
    for data in (request(), request(headers={"x-gnomon-variant": "v2", "x-gnomon-shadow": "x"}), request(body=b"x" * 300_000)):
        lab.exchange(proxy, [primary], data)
    assert primary.seen[3].values("x-gnomon-variant") == ["v2"]
    metrics = proxy.metrics()
    assert metrics.by("gnomon_configuration", "plugin") == {"gnomon": 3}
    assert metrics.total("gnomon_requests_total") == 0 and not copy.seen
    assert problems(proxy.log())


def test_a_good_configuration_says_so(lab):
    proxy = lab.proxy(mirrored(), {"primary": lab.upstream(), "shadow": lab.upstream()}, concurrency=2)
    assert proxy.metrics().by("gnomon_configuration", "plugin") == {"gnomon": 1}
    assert not problems(proxy.log())
