"""Every series of the contract, by name, type and labels, and from the start."""

import json
from dataclasses import replace

from rig import contract
from rig.client import Connection, request
from rig.configuration import configuration, route, shadow
from rig.openai import USAGE, OpenAI
from rig.upstream import Gate, Reply

DECISION = {"task": {"decision": {"path": "scores[*]", "thresholds": [0.7], "names": ["approve", "block"]}}}

SHOWN = {"gnomon_configuration", "gnomon_build_info", "gnomon_split_ppm", "gnomon_gate_limit_ppm", "gnomon_gate_alpha_ppm", "gnomon_gate_min_trials",
         "gnomon_gate_requires", "gnomon_experiment_info", "gnomon_started_microseconds"}
"""Gauges of the configuration, which are not 0."""


def complete(lab):
    """A proxy of two workers with every statistic; the shadows' answers differ from the client's."""
    clusters = {"primary": lab.upstream(Reply(b"[1]")), "shadow": lab.upstream(Reply(b"[2]"))}
    return lab.proxy(contract.complete(), clusters, concurrency=2)


def values(metrics, name, label, **labels):
    """The values of a label over all series of a name, zero or not."""
    return {dict(found)[label] for found in metrics.series(name, **labels)}


def test_a_complete_configuration_has_the_whole_contract_at_zero_before_any_traffic(lab):
    metrics = complete(lab).metrics()
    assert not contract.missing(metrics) and not contract.breaches(metrics)
    for (name, labels), value in metrics.values.items():
        if name.startswith("gnomon_") and name not in SHOWN:
            assert value == 0, f"{name} {labels}"


def test_series_are_those_of_the_routes_slices_and_subjects(lab):
    metrics = complete(lab).metrics()
    assert values(metrics, "gnomon_responses_total", "variant", route="split") == {"v1", "v2"}
    assert values(metrics, "gnomon_requests_total", "variant", route="plain") == {"none"}
    assert values(metrics, "gnomon_sampled_total", "experiment", route="chat") == {"own"}
    for shadow_, slices in (("candidate", {"eu", "other"}), ("control", {"eu", "other"}), ("tensors", {"eu", "us", "other"}), ("plain", {"all"})):
        for name in ("gnomon_pairs_total", "gnomon_shadow_outcomes_total"):
            assert values(metrics, name, "slice", shadow=shadow_) == slices
    assert values(metrics, "gnomon_tokens_total", "subject") == {"v1", "v2", "candidate", "control", "none", "chat"}, "JSON tells nothing of tokens"
    assert values(metrics, "gnomon_first_byte_duration_microseconds_count", "subject") == {"v1", "v2", "none"}
    assert values(metrics, "gnomon_model_versions_total", "model_version") == {"other"}, "until a version is met"
    for label in ("primary_answer", "shadow_answer"):
        assert values(metrics, "gnomon_decisions_total", label, route="split") == {"approve", "block", "other"}
    assert list(metrics.series("gnomon_build_info").values()) == [1.0]


def test_the_flat_names_of_series_have_the_labels_in_the_order_of_the_contract(lab):
    """Envoy's own page, where nothing is extracted: the name, and right behind it `label=.=value;.;` for each label."""
    proxy, found = complete(lab), set()
    for page, kind in (("Counters", "counter"), ("Gauges", "gauge"), ("Histograms", "histogram")):
        for line in proxy.admin(f"/stats?type={page}&filter=gnomon_").splitlines():
            *labelled, _ = line.removeprefix("wasmcustom.").split(";.;")
            spelled = [one.partition("=.=")[0] for one in labelled] or [line.removeprefix("wasmcustom.").partition(":")[0]]
            found.add((kind, *spelled))
    assert found == {(one["type"], *flat(one["name"], one["labels"])) for one in contract.STATISTICS.values()}


def flat(name, labels):
    """The name with the first label, and the other labels."""
    return [name + labels[0], *labels[1:]] if labels else [name]


def test_what_generated_answers_tell_is_counted_and_their_first_byte_timed(lab):
    gate, asked = Gate(), {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
    primary = lab.upstream(lambda received: replace(OpenAI("baseline")(received), middle=gate))
    copy = lab.upstream(lambda received: replace(OpenAI("candidate")(received), delay=0.5))
    proxy = lab.proxy(configuration(route(protocol="auto", shadows=[shadow()])), {"primary": primary, "shadow": copy})
    body = json.dumps(asked | {"messages": [{"role": "user", "content": "filter"}]}).encode()
    with Connection(proxy.port) as client:
        client.send(request("/v1/chat/completions", body))
        # The shadow takes half a second; only then does the primary go on.
        proxy.eventually("gnomon_shadow_responses_total", 1, class_="2xx")
        gate.open()
        assert client.answer().complete
    proxy.eventually("gnomon_divergences_total", 1, kind="finish")
    proxy.eventually("gnomon_first_byte_duration_microseconds_count", 1, subject="none")
    metrics = proxy.metrics()
    first, last = (metrics.total(f"gnomon_{name}_duration_microseconds_sum") for name in ("first_byte", "response"))
    assert 0 < first < last * 0.9
    for subject, side, end, version in (("none", "baseline", "stop", "scripted-1"), ("copy", "candidate", "content_filter", "scripted-2")):
        tokens = dict(zip(("prompt", "completion"), USAGE[side], strict=True))
        assert metrics.by("gnomon_tokens_total", "token", subject=subject) == tokens
        assert metrics.by("gnomon_answers_total", "kind", subject=subject) == {end: 1}
        assert metrics.by("gnomon_model_versions_total", "model_version", subject=subject) == {version: 1}


def test_what_became_of_what_is_counted(lab):
    upstreams = {"primary": lab.upstream(Reply(b'{"scores": [0.1, 0.2, 0.9]}')), "shadow": lab.upstream(Reply(b'{"scores": [0.1, 0.8, 0.9]}'))}
    proxy = lab.proxy(configuration(route(compare=DECISION, shadows=[shadow()])), upstreams)
    proxy.send(request())
    proxy.eventually("gnomon_divergences_total", 1, kind="label")
    found = proxy.metrics().by("gnomon_decisions_total", "primary_answer", "shadow_answer")
    assert found == {("approve", "approve"): 1, ("approve", "block"): 1, ("block", "block"): 1}


def test_a_shadow_of_another_version_makes_no_pair(lab):
    def inferred(version):
        output = {"name": "score", "datatype": "FP32", "shape": [1], "data": [0.5]}
        return Reply(json.dumps({"model_name": "m", "model_version": version, "outputs": [output]}).encode())

    upstreams = {"primary": lab.upstream(inferred("1")), "shadow": lab.upstream(inferred("3"))}
    proxy = lab.proxy(configuration(route(protocol="open-inference", shadows=[shadow(expect={"model_version": "2"})])), upstreams)
    proxy.send(request())
    proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome="wrong_version")
    metrics = proxy.metrics()
    assert metrics.total("gnomon_pairs_total") == 0
    assert metrics.by("gnomon_model_versions_total", "subject", "model_version") == {("none", "1"): 1, ("copy", "3"): 1}
