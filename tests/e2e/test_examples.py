"""The files of `envoy/`, run as they are but for addresses and paths. Each test observes what the file's comments promise.
`test_blue_green` has the one of blue-green.yaml."""

import json
import os
import re
import subprocess
import threading
from contextlib import contextmanager

import pytest
import yaml
from rig import invariants, oracle
from rig.client import many, request
from rig.envoy import TAGS, Envoy, validate
from rig.examples import PATH, ROOT, ROUTE, answer, buckets, configure, drawn, everything, example, gnomon, ids, local, plugin, post
from rig.openai import OpenAI
from rig.upstream import Reply
from rig.waiting import until

FILES = sorted((ROOT / "envoy").glob("*.yaml"))
WATCHES = {"dynamic.yaml": "dynamic-gnomon.yaml", "tour.yaml": "tour-gnomon.yaml", "blue-green.yaml": "blue-green-gnomon.yaml"}
"""The files whose filter's configuration stands in another one."""
GATES = ["agreement", "noise", "coverage", "fairness"]
"""Those of shadow.yaml that don't depend on the machine."""
BOOTSTRAPS = [path for path in FILES if path.name not in WATCHES.values()]
CONFIGURED = [path for path in FILES if path.name not in WATCHES]
STATIC = [path for path in BOOTSTRAPS if path in CONFIGURED]


@pytest.fixture
def start(lab, tmp_path, request):
    """Starts an Envoy from a whole bootstrap. After the test: it runs as configured, labels and buckets work, all adds up."""
    running = []

    def starter(text, **more):
        folder = tmp_path / str(len(running))
        folder.mkdir()
        running.append(Envoy(text, folder, **more))
        return running[-1]

    yield starter
    try:
        for proxy in running:
            if getattr(request.node, "failed", True):
                print(proxy.log()[-8000:])
            else:
                invariants.check(proxy)
                exports_well(proxy)
    finally:
        for proxy in running:
            proxy.stop()


def exports_well(proxy):
    """The tags and buckets of the file do their work."""
    metrics = proxy.metrics()
    names = metrics.names()
    assert len(names) > 5 and all(re.fullmatch("[a-z_]+", name) for name in names), "every label became one"
    histograms = [name for name, kind in names.items() if kind == "histogram"]
    assert len(histograms) > (1 if metrics.total("gnomon_shadow_responses_total") else 0)
    for name in histograms:
        found = {float(dict(labels)["le"]) for labels in metrics.series(f"{name}_bucket")}
        assert found == {*buckets()[0]["buckets"], float("inf")}, f"buckets of {name}: {sorted(found)}"


@pytest.mark.parametrize("path", CONFIGURED, ids=lambda path: path.name)
def test_the_native_check_has_nothing_to_say(path):
    done = subprocess.run([ROOT / "scripts/gnomon", "check", path], capture_output=True, text=True)
    assert done.returncode == 0 and "good" in done.stdout and "warning" not in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("path", STATIC, ids=lambda path: path.name)
def test_envoy_validates_it_and_would_find_a_mistake(path, tmp_path):
    text = local(example(path.name))
    code, output = validate(text, tmp_path)
    assert code == 0, output
    config = gnomon(text)
    config["routes"][0]["match"]["paht"] = {}
    configure(text, config)
    code, output = validate(text, tmp_path)
    assert code != 0 and "routes[0].match.paht" in output, output


@pytest.mark.parametrize("path", BOOTSTRAPS, ids=lambda path: path.name)
def test_it_has_what_all_have_in_common(path):
    text = example(path.name)
    assert {tag["tag_name"]: tag["regex"] for tag in text["stats_config"]["stats_tags"]} == {tag: rf"({tag}=\.=(.*?);\.;)" for tag in TAGS}
    assert text["stats_config"]["histogram_bucket_settings"] == buckets()
    filter_file = example(WATCHES[path.name]) if path.name in WATCHES else text
    assert plugin(filter_file)["failure_policy"] == "FAIL_RELOAD"
    assert gnomon(filter_file)["on_invalid"] == ("reject" if filter_file is text else "pass")
    assert plugin(filter_file)["vm_config"]["code"]["local"]["filename"] == "target/wasm32-wasip1/release/gnomon.wasm"
    routes = [found["route"] for found in everything(text) if "route" in found and "match" in found]
    assert all(route["timeout"] == "30s" for route in routes)
    copies = {shadow["cluster"] for route in gnomon(filter_file)["routes"] for shadow in route.get("shadows", [])}
    bounded = {cluster["name"] for cluster in text["static_resources"]["clusters"] if "circuit_breakers" in cluster}
    weighted = [one["name"] for route in routes if "weighted_clusters" in route for one in route["weighted_clusters"]["clusters"]]
    clients = {route["cluster"] for route in routes if "cluster" in route} | set(weighted)
    assert copies <= bounded and not bounded & clients, "copies are bounded, clients are not"


def test_minimal(lab, start):
    v1, v2 = lab.upstream(answer(0.9)), lab.upstream(answer(0.2))
    proxy = start(local(example("minimal.yaml"), {8081: v1, 8082: v2}))
    answers = many(proxy.port, [post() for _ in range(20)])
    assert {(one.status, one.body) for one in answers} == {(200, answer(0.9).body)}, "the client gets v1's answer"
    proxy.send(post("/v2/models/other/infer"))
    proxy.eventually("gnomon_pairs_total", 20, shadow="v2-copy", verdict="diverged")
    assert ids(v2) == sorted(set(ids(v1)) & set(ids(v2))) and len(v2.seen) == 20 and len(v1.seen) == 21
    metrics = proxy.metrics()
    assert metrics.by("gnomon_divergent_paths_total", "path") == {"outputs[*].data[*]": 20}
    assert metrics.total("gnomon_configuration", plugin="gnomon") == 1


def test_shadow(lab, start):
    def candidate(received):
        return answer({"eu": 0.905, "us": 0.5}.get(received.header("x-region"), 0.9), id="2", model_name="fraud-v2", model_version="2")

    v1, v2, again = lab.upstream(answer(0.9, id="1", model_name="fraud")), lab.upstream(candidate), lab.upstream(answer(0.9, id="3"))
    proxy = start(local(example("shadow.yaml"), {8081: v1, 8082: v2, 8083: again}), concurrency=2)
    sent = [f"id-{i}" for i in range(600)]
    regions = ["eu", "us", "mars", "us"]
    many(proxy.port, [
        post(x_request_id=one, x_region=regions[i % 4], x_billing_id="7", authorization="Bearer t") for i, one in enumerate(sent)
    ])
    expected = drawn(sent)
    proxy.eventually("gnomon_shadow_outcomes_total", 2 * len(expected), outcome="compared")
    assert ids(v2) == ids(again) == expected, "candidate and control get the very same requests"
    for received in v2.seen:
        assert received.path == "/v2/models/fraud-v2/infer" and received.header("x-env") == "shadow"
        assert not received.values("x-billing-id") and not received.values("authorization")
    verdicts = {"eu": "equivalent", "us": "diverged", "mars": "equivalent"}
    wanted = {}
    for one in expected:
        region = regions[int(one[3:]) % 4]
        group = ("v2-copy", region if region != "mars" else "other", verdicts[region])
        wanted[group] = wanted.get(group, 0) + 1
    metrics = proxy.metrics()
    assert metrics.by("gnomon_pairs_total", "shadow", "slice", "verdict", shadow="v2-copy") == wanted
    assert metrics.by("gnomon_pairs_total", "verdict", shadow="v1-again") == {"equivalent": len(expected)}, "its id differs, which never counts"
    assert len(v1.seen) == len(sent)

    diverged = wanted["v2-copy", "us", "diverged"]
    counted = {gate: (metrics.total("gnomon_gate_bad_total", gate=gate), metrics.total("gnomon_gate_trials_total", gate=gate)) for gate in GATES}
    assert counted == {"agreement": (diverged, len(expected)), "noise": (diverged, diverged), "coverage": (0, len(expected)), "fairness": counted["agreement"]}
    states = metrics.by("gnomon_gate_state", "gate", "slice")
    assert {gate: states.get((gate, "all"), 0) for gate in GATES} == {"agreement": 2, "noise": 2, "coverage": 1, "fairness": 2}
    assert (states["fairness", "us"], states.get(("fairness", "eu"), 0)) == (2, 0), "one region alone, and too few of the others"


def test_chat(lab, start):
    large, small = lab.upstream(OpenAI()), lab.upstream(OpenAI("candidate"))
    proxy = start(local(example("chat.yaml"), {8081: large, 8082: small}))
    scenarios = ["wording", "refusal", "tools-arguments", "length"]

    def ask(number, model="chat-70b", tokens=64):
        stream = {"stream": True, "stream_options": {"include_usage": True}} if number % 2 else {}
        messages = [{"role": "user", "content": scenarios[number % 4]}]
        body = json.dumps({"model": model, "max_tokens": tokens, "messages": messages, **stream}).encode()
        return request("/v1/chat/completions", body, headers={"content-type": "application/json", "x-request-id": f"id-{number}"})

    answers = many(proxy.port, [ask(number) for number in range(200)] + [ask(n, "chat-8b") for n in range(20)] + [ask(n, tokens=4096) for n in range(20)])
    assert {one.status for one in answers} == {200}
    assert all((b"data: [DONE]" in one.body) == bool(number % 2) for number, one in enumerate(answers[:200])), "clients get their streams"
    expected = [number for number in range(200) if oracle.sampled(f"id-{number}", "chat-2026-11", "chat", 20)]
    proxy.eventually("gnomon_shadow_outcomes_total", len(expected), outcome="compared")
    assert ids(small) == sorted(f"id-{number}" for number in expected), "no long chats, and none of another model"
    for received in small.seen:
        asked = json.loads(received.body)
        assert asked["model"] == "chat-8b" and asked["stream"] is False and asked["seed"] == 7 and "stream_options" not in asked
    metrics = proxy.metrics()
    asked = [scenarios[number % 4] for number in expected]
    kinds = {"refusal": asked.count("refusal"), "tools": asked.count("tools-arguments"), "finish": asked.count("length")}
    assert metrics.by("gnomon_divergences_total", "kind") == kinds
    assert metrics.by("gnomon_pairs_total", "verdict") == {"diverged": sum(kinds.values()), "equivalent": asked.count("wording")}
    assert metrics.total("gnomon_answers_total", subject="chat-8b", kind="refusal") == asked.count("refusal")
    assert metrics.total("gnomon_tokens_total", subject="chat-8b", token="completion") == 55 * len(expected)
    assert metrics.total("gnomon_first_byte_duration_microseconds_count", subject="chat-70b") == 120, "of every stream"
    assert metrics.total("gnomon_gate_trials_total", gate="first-byte") == 120
    assert metrics.by("gnomon_gate_trials_total", "gate", subject="chat-8b") == dict.fromkeys(["structure", "cost", "coverage"], len(expected))
    assert metrics.by("gnomon_gate_bad_total", "gate", subject="chat-8b") == {"structure": sum(kinds.values()), "cost": len(expected)}, "it takes more tokens"
    assert metrics.total("gnomon_gate_state", gate="structure") == metrics.total("gnomon_gate_state", gate="cost") == 2


def test_canary(lab, start):
    v1, v2 = lab.upstream(Reply(b"v1")), lab.upstream(Reply(b"v2"))
    proxy = start(local(example("canary.yaml"), {8081: v1, 8082: v2}))
    users = [f"user-{i}" for i in range(400)]
    expected = [oracle.variant(user, "fraud", "v1", [("v2", 5)]) for user in users]
    for forged in ({}, {"x_gnomon_variant": "v2"}):
        answers = many(proxy.port, [post(x_user_id=user, **forged) for user in users])
        assert [one.body.decode() for one in answers] == [one.header("x-gnomon-variant") for one in answers] == expected
    assert expected.count("v2") > 5
    assert proxy.send(post()).body == b"v1", "without a key"
    assert {proxy.send(post(x_user_id=user, x_model_pin=pin)).body.decode() for user in users[:9] for pin in ("v1", "v2")} == {"v1", "v2"}
    assert proxy.send(post(x_user_id=users[0], x_model_pin="v2")).body == b"v2"
    assert proxy.send(post("/other", x_user_id=users[expected.index("v2")], x_gnomon_variant="v2")).body == b"v1", "not of the route"
    metrics = proxy.metrics()
    assert metrics.by("gnomon_split_ppm", "variant") == {"v1": 950_000, "v2": 50_000}
    assert metrics.by("gnomon_requests_total", "reason") == {"weight": 800, "keyless": 1, "pin": 19}
    by_v2 = 2 * expected.count("v2") + 10
    assert metrics.by("gnomon_gate_trials_total", "gate") == {"errors": by_v2 - 20, "slow": by_v2 - 20}, "all but the warm-up"
    assert metrics.total("gnomon_warmup_total", subject="v2") == 20 and metrics.total("gnomon_guardrail_tripped") == 0


def test_a_canary_that_fails_is_cut_off(lab, start):
    outage = threading.Event()
    v1, v2 = lab.upstream(Reply(b"v1")), lab.upstream(lambda _: Reply(status=503) if outage.is_set() else Reply(b"v2"))
    proxy = start(local(example("canary.yaml"), {8081: v1, 8082: v2}))
    pinned = post(x_user_id="u", x_model_pin="v2")
    assert {proxy.send(pinned).status for _ in range(40)} == {200}
    outage.set()
    answers = [proxy.send(pinned) for _ in range(60)]
    bad = [one.status for one in answers].index(200)
    assert 5 <= bad <= 6 and {(one.status, one.body) for one in answers[bad:]} == {(200, b"v1")}, "its users, also by pins, go back"
    assert len(v2.seen) == 40 + bad
    metrics = proxy.metrics()
    assert metrics.by("gnomon_requests_total", "variant", "reason") == {("v2", "pin"): 40 + bad, ("v1", "guardrail"): 60 - bad}
    assert metrics.by("gnomon_split_ppm", "variant") == {"v1": 1_000_000} and metrics.total("gnomon_guardrail_tripped", variant="v2") == 1
    line = json.loads(re.search(r'\{.*"guardrail".*\}', proxy.log())[0])
    assert (line["gate"], line["subject"], line["bad"]) == ("errors", "v2", bad)


def test_observed(lab, start):
    v1, v2, v3 = lab.upstream(answer(0.9)), lab.upstream(Reply(status=503)), lab.upstream(answer(0.9))
    proxy = start(local(example("observed.yaml"), {8081: v1, 8082: v2, 8083: v3}))
    assert {one.status for one in many(proxy.port, [post() for _ in range(1500)])} == {200, 503}
    metrics = invariants.settled(proxy)
    seen = {"v1": len(v1.seen), "v2": len(v2.seen)}
    assert metrics.by("gnomon_requests_total", "variant", "reason") == {(name, "observed"): count for name, count in seen.items()}
    assert seen["v2"] > 40 and metrics.total("gnomon_warmup_total", subject="v2") == 20
    assert metrics.by("gnomon_gate_state", "gate", subject="v2") == {"errors": 2, "worse": 2}
    bad, trials = (metrics.total(f"gnomon_gate_{name}_total", gate="worse") for name in ("bad", "trials"))
    assert bad == trials <= seen["v2"] - 20
    assert metrics.by("gnomon_shadow_outcomes_total", "outcome") == {"compared": len(v3.seen)} and ids(v3) == drawn(ids(v1))
    assert not any(received.header("x-gnomon-variant") for received in v1.seen + v2.seen)


def test_edge(lab, start):
    v1, v2, v3 = (lab.upstream(answer(0.9)) for _ in range(3))
    proxy = start(local(example("edge.yaml"), {8081: v1, 8082: v2, 8083: v3}))
    visitors = [f"visitor-{i}" for i in range(400)]
    assignment = [oracle.variant(visitor, ROUTE, "v1", [("v2", 5)]) for visitor in visitors]
    path = "/v2/models/other/../fraud//infer"
    forged = {"x_gnomon_shadow": "v3-copy", "x_gnomon_variant": "v2", "x_request_id": "chosen", "x_api_key": "k"}
    answers = many(proxy.port, [post(path, cookie=f"a=b; visitor={visitor}", **forged) for visitor in visitors])
    assert {one.status for one in answers} == {200}
    assert (len(v1.seen), len(v2.seen)) == (assignment.count("v1"), assignment.count("v2"))
    assert proxy.metrics().by("gnomon_requests_total", "variant", "reason") == {(v, "weight"): assignment.count(v) for v in ("v1", "v2")}
    assert "chosen" not in ids(v1) and {received.path for received in v1.seen} == {PATH}
    assert not any(received.values("x-gnomon-shadow") for received in v1.seen + v2.seen)
    expected = drawn(ids(v1))
    proxy.eventually("gnomon_pairs_total", len(expected), verdict="identical")
    assert ids(v3) == expected and len(expected) > 10, "copied although each claimed to be a copy"
    for received in v3.seen:
        assert received.header("x-gnomon-shadow") == "v3-copy"
        assert not any(received.values(name) for name in ("x-api-key", "x-forwarded-for", "cookie"))


def test_dynamic(lab, start, tmp_path):
    scores = {"v1": 0.9, "v2": 0.8}
    v1, v2, v3 = lab.upstream(answer(scores["v1"])), lab.upstream(answer(scores["v2"])), lab.upstream(answer(0.9))
    watched, text = tmp_path / "dynamic-gnomon.yaml", local(example("dynamic.yaml"), {8081: v1, 8082: v2, 8083: v3})
    source = next(found["path_config_source"] for found in everything(text) if "path_config_source" in found)
    assert source["path"] == "envoy/dynamic-gnomon.yaml"
    source["path"] = str(watched)

    def push(percent, version):
        pushed = local(example("dynamic-gnomon.yaml"))
        pushed["version_info"] = version
        config = gnomon(pushed)
        config["routes"][0]["split"]["canaries"][0]["percent"] = percent
        configure(pushed, config)
        (tmp_path / "next.yaml").write_text(yaml.safe_dump(pushed))
        os.replace(tmp_path / "next.yaml", watched)

    def shares(percent):
        """Whether all users are served by this percentage: workers take an update one after the other."""
        users = [f"user-{i}" for i in range(100)]
        expected = [answer(scores[oracle.variant(user, ROUTE, "v1", [("v2", percent)])]).body for user in users]
        answers = many(proxy.port, [post(x_user_id=user) for user in users])
        assert {one.status for one in answers} == {200}
        return [one.body for one in answers] == expected

    push(5, "1")
    proxy = start(text, concurrency=2)
    assert shares(5)
    push(50, "2")
    until(lambda: shares(50), "the update")
    push(101, "3")
    proxy.eventually("gnomon_configuration", 2, plugin="gnomon")
    assert shares(50), "a mistake changes nothing"
    push(0, "4")
    until(lambda: shares(0), "the update that mends it")
    proxy.eventually("gnomon_configuration", 1, plugin="gnomon")
    proxy.eventually("gnomon_shadow_outcomes_total", len(v3.seen), outcome="compared")


def test_tour(lab, start, tmp_path):
    """The steps of docs/getting-started.md, by the configurations that the page shows."""
    page = (ROOT / "docs/getting-started.md").read_text()
    steps = page.split("configure <<'END_OF_CONFIGURATION'\n")[1:]
    gated, split, final = (json.loads(step.split("\nEND_OF_CONFIGURATION\n")[0]) for step in steps)
    v1, v2 = lab.upstream(answer(0.12)), lab.upstream(answer(0.12))
    watched, text = tmp_path / "tour-gnomon.yaml", local(example("tour.yaml"), {8081: v1, 8082: v2})
    next(found["path_config_source"] for found in everything(text) if "path_config_source" in found)["path"] = str(watched)

    def push(config):
        pushed = local(example("tour-gnomon.yaml"))
        pushed["version_info"] = config["experiment"]
        configure(pushed, config)
        (tmp_path / "next.yaml").write_text(yaml.safe_dump(pushed))
        os.replace(tmp_path / "next.yaml", watched)

    def traffic(experiment):
        answers = many(proxy.port, [post(f"{PATH}?user={user}") for user in range(1, 401)])
        assert {one.status for one in answers} == {200}
        proxy.eventually("gnomon_open_pairs", 0, experiment=experiment)
        return [one.header("x-gnomon-variant") for one in answers]

    push(gnomon(example("tour-gnomon.yaml")))
    proxy = start(text, concurrency=2)
    traffic("fraud-1")
    assert proxy.metrics().total("gnomon_pairs_total", verdict="identical") > 150
    for config in (gated, split):
        push(config)
        until(lambda: proxy.send(post(f"{PATH}?user=0")).status == 200 and proxy.metrics().total("gnomon_requests_total", experiment=config["experiment"]), "the update")
        variants = traffic(config["experiment"])
        states = proxy.metrics().by("gnomon_gate_state", "gate", experiment=config["experiment"])
        assert {states[gate] for gate in ("agreement", "coverage")} == {1}
    expected = [oracle.variant(str(user), ROUTE, "v1", [("v2", 5)]) for user in range(1, 401)]
    assert variants == expected and "v2" in expected
    split["routes"][0]["split"]["canaries"][0]["percent"] = 50
    push(split)
    until(lambda: traffic("fraud-3") == [oracle.variant(str(user), ROUTE, "v1", [("v2", 50)]) for user in range(1, 401)], "the ramp")
    push(final)
    until(lambda: set(traffic("fraud-4")) == {"v2"}, "the finish")
    asked = len(v1.seen)
    assert proxy.send(request("/v2/models/fraud", body=None, method="GET")).status == 200 and len(v1.seen) == asked + 1, "what is not split stays with v1"


@contextmanager
def refused(text, folder):
    """An Envoy whose filter refuses its configuration, for which nothing of `start` holds."""
    proxy = Envoy(text, folder)
    try:
        yield proxy
    finally:
        proxy.stop()


@pytest.mark.parametrize("on_invalid, status", [("pass", 200), ("reject", 500)])
def test_why_a_configuration_that_is_pushed_does_not_reject(on_invalid, status, lab, tmp_path):
    text, pushed = local(example("dynamic.yaml"), dict.fromkeys((8081, 8082, 8083), lab.upstream())), local(example("dynamic-gnomon.yaml"))
    watched = tmp_path / "dynamic-gnomon.yaml"
    next(found["path_config_source"] for found in everything(text) if "path_config_source" in found)["path"] = str(watched)
    configure(pushed, gnomon(pushed) | {"on_invalid": on_invalid, "mistake": 1})
    watched.write_text(yaml.safe_dump(pushed))
    with refused(text, tmp_path) as proxy:
        assert {one.status for one in many(proxy.port, [post() for _ in range(8)])} == {status}
        assert proxy.metrics().total("gnomon_configuration", plugin="gnomon") == (3 if status == 200 else 0)


def test_why_the_configuration_is_text_and_no_struct(lab, tmp_path):
    text = local(example("minimal.yaml"), dict.fromkeys((8081, 8082), lab.upstream()))
    plugin(text)["configuration"] = {"@type": "type.googleapis.com/google.protobuf.Struct", "value": gnomon(text)}
    with refused(text, tmp_path) as proxy:
        assert proxy.send(post()).status == 200
        assert proxy.metrics().total("gnomon_configuration", plugin="gnomon") == 3, "Envoy hands over protobuf, not JSON"
