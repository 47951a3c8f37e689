"""Every series of the contract, by name, type and labels, and from the start."""

import json
from dataclasses import replace

from rig.client import Connection, request
from rig.configuration import EXPERIMENT, configuration, route, shadow, split
from rig.openai import USAGE, OpenAI
from rig.upstream import Gate, Reply

TABLE = {
    "gnomon_requests_total": ("counter", "experiment route variant reason"),
    "gnomon_responses_total": ("counter", "experiment route variant class"),
    "gnomon_response_duration_microseconds": ("histogram", "experiment route variant"),
    "gnomon_sampled_total": ("counter", "experiment route shadow"),
    "gnomon_shadow_outcomes_total": ("counter", "experiment route shadow slice outcome"),
    "gnomon_shadow_responses_total": ("counter", "experiment route shadow class"),
    "gnomon_shadow_duration_microseconds": ("histogram", "experiment route shadow"),
    "gnomon_pairs_total": ("counter", "experiment route shadow slice verdict"),
    "gnomon_divergences_total": ("counter", "experiment route shadow kind"),
    "gnomon_divergent_paths_total": ("counter", "experiment route shadow path"),
    "gnomon_split_ppm": ("gauge", "experiment route variant"),
    "gnomon_guardrail_tripped": ("gauge", "experiment route variant"),
    "gnomon_open_pairs": ("gauge", "experiment route shadow"),
    "gnomon_tokens_total": ("counter", "experiment route subject token"),
    "gnomon_answers_total": ("counter", "experiment route subject kind"),
    "gnomon_model_versions_total": ("counter", "experiment route subject model_version"),
    "gnomon_decisions_total": ("counter", "experiment route shadow primary_answer shadow_answer"),
    "gnomon_first_byte_duration_microseconds": ("histogram", "experiment route subject"),
    "gnomon_captured_bytes": ("gauge", ""),
    "gnomon_breaker_open": ("gauge", "experiment route shadow"),
    "gnomon_evidence_total": ("counter", "outcome"),
    "gnomon_configuration": ("gauge", "plugin"),
    "gnomon_build_info": ("gauge", "what"),
    "gnomon_anomalies_total": ("counter", "what"),
}
OUTCOMES = set(
    "compared incomparable shadow_failed shadow_overloaded timed_out primary_failed both_failed cancelled replaced unsent_no_cluster "
    "unsent_refused unsent_in_flight unsent_memory unsent_body unsent_upgrade unsent_breaker_open wrong_version".split()
)
OUTCOMES_LATER = {"other_variant"}
CLASSES = {"2xx", "3xx", "4xx", "5xx", "reset", "cancelled"}
SHADOW_CLASSES = {"2xx", "3xx", "401", "403", "404", "429", "4xx", "5xx", "reset", "timeout", "local"}
ENDS = set("stop length tool_calls content_filter refusal empty invalid other".split())
KINDS = set("type missing extra length number text boolean null status label shape datatype finish tools refusal dimension".split())

DECISION = {"task": {"decision": {"path": "scores[*]", "thresholds": [0.7], "names": ["approve", "block"]}}}

ROUTES = configuration(
    route("split", "/split/", split=split(canaries=[("v2", 10)], pins=[{"header": "x-pin", "exact": "2", "variant": "v2"}]),
          shadows=[shadow("a", "shadow"), shadow("b", "shadow")], slices={"header": "x-region", "values": ["eu"]}),
    route("plain", "/plain/", experiment="own", shadows=[shadow("c", "shadow")]),
    route("chat", "/chat/", protocol="openai", compare=DECISION, shadows=[shadow("d", "shadow")]),
)  # fmt: skip


def proxy_of(lab):
    """A proxy with three routes and four shadows whose answers differ."""
    clusters = {"primary": lab.upstream(Reply(b"[1]")), "shadow": lab.upstream(Reply(b"[2]"))}
    return lab.proxy(ROUTES, clusters, concurrency=2)


def values(metrics, name, label, **labels):
    """The values of a label over all series of a name, zero or not."""
    return {dict(found)[label] for found in metrics.series(name, **labels)}


def test_every_series_exists_at_zero_before_any_traffic(lab):
    metrics = proxy_of(lab).metrics()
    for (name, labels), value in metrics.values.items():
        if name.startswith("gnomon_") and name not in ("gnomon_split_ppm", "gnomon_configuration", "gnomon_build_info"):
            assert value == 0, f"{name} {labels}"
    assert values(metrics, "gnomon_requests_total", "variant", route="split") == {"v1", "v2"}
    assert {"weight", "pin", "keyless"} <= values(metrics, "gnomon_requests_total", "reason", route="split")
    assert values(metrics, "gnomon_requests_total", "variant", route="plain", reason="unsplit") == {"none"}
    assert values(metrics, "gnomon_responses_total", "class", route="split", variant="v2") == CLASSES
    assert values(metrics, "gnomon_responses_total", "class", route="plain", variant="none") == CLASSES
    for name, r, slices in (("a", "split", {"eu", "other"}), ("b", "split", {"eu", "other"}), ("c", "plain", {"all"})):
        where = {"experiment": "own" if r == "plain" else EXPERIMENT, "route": r, "shadow": name}
        assert metrics.series("gnomon_sampled_total", **where)
        assert metrics.series("gnomon_open_pairs", **where) and metrics.series("gnomon_breaker_open", **where)
        assert values(metrics, "gnomon_shadow_responses_total", "class", **where) == SHADOW_CLASSES
        assert KINDS <= values(metrics, "gnomon_divergences_total", "kind", **where)
        for slice_ in slices:
            found = values(metrics, "gnomon_shadow_outcomes_total", "outcome", slice=slice_, **where)
            assert OUTCOMES <= found <= OUTCOMES | OUTCOMES_LATER
            assert values(metrics, "gnomon_pairs_total", "verdict", slice=slice_, **where) == {"identical", "equivalent", "diverged"}
        assert values(metrics, "gnomon_pairs_total", "slice", **where) == slices
    for subject in ("none", "d"):
        assert values(metrics, "gnomon_tokens_total", "token", route="chat", subject=subject) == {"prompt", "completion"}
        assert values(metrics, "gnomon_answers_total", "kind", route="chat", subject=subject) == ENDS
        assert values(metrics, "gnomon_model_versions_total", "model_version", route="chat", subject=subject) == {"other"}
    for label in ("primary_answer", "shadow_answer"):
        assert values(metrics, "gnomon_decisions_total", label, route="chat") == {"approve", "block", "other"}
    assert values(metrics, "gnomon_first_byte_duration_microseconds_count", "subject") == {"none"}
    assert values(metrics, "gnomon_tokens_total", "route") == {"chat"}, "any JSON tells nothing of tokens"
    assert values(metrics, "gnomon_evidence_total", "outcome") == {"logged", "suppressed"}
    assert metrics.series("gnomon_captured_bytes") and metrics.series("gnomon_anomalies_total")
    assert list(metrics.series("gnomon_build_info").values()) == [1.0]


def test_names_types_and_labels_are_those_of_the_contract(lab):
    proxy = proxy_of(lab)
    for path in ("/split/", "/plain/"):
        proxy.send(request(path))
    proxy.eventually("gnomon_pairs_total", 3, verdict="diverged")
    metrics = proxy.metrics()
    assert metrics.names() == {name: kind for name, (kind, _) in TABLE.items()}
    for name, (kind, labels) in TABLE.items():
        series = f"{name}_count" if kind == "histogram" else name
        assert metrics.label_sets(series) == {frozenset(labels.split())}, name


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
