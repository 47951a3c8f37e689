"""The dashboard of `grafana/`: it is what its builder makes, and each of its queries has an answer on a real Prometheus that scrapes real
proxies, while all goes well and while all goes wrong."""

import itertools
import json
import re
import sys
import threading
import time

import pytest
import yaml
from rig import contract, gates
from rig.client import Connection, request
from rig.configuration import configuration, gate, route, shadow, split
from rig.envoy import by_variant
from rig.manifests import built
from rig.openai import USAGE, OpenAI
from rig.prometheus import ROOT, RULES, faster
from rig.upstream import Reply
from rig.waiting import until

sys.path.append(str(ROOT / "grafana"))

import dashboard  # noqa: E402

TEXT = (ROOT / "grafana/gnomon.json").read_text()
SHOWN = json.loads(TEXT)
PANELS = [panel for panel in SHOWN["panels"] if panel["type"] != "row"]
VARIABLES = {one["name"]: one for one in SHOWN["templating"]["list"]}
QUERIES = {(panel["title"], target["refId"]): target["expr"] for panel in PANELS for target in panel["targets"]}
MAY_BE_EMPTY = {
    ("What holds it back?", "A"): "nothing does",
    ("Kinds of difference", "A"): "no pair diverged",
    ("Where do answers differ?", "A"): "no pair diverged",
    ("Which copies were not sent?", "A"): "all were sent",
    ("Which copies were not sent?", "B"): "every request could be judged",
}
"""Queries without an answer while all goes well, and why."""

LEFT_OUT = {
    "gnomon_gate_trials_total": "by the rules",
    "gnomon_gate_bad_total": "by the rules",
    "gnomon_gate_limit_sum_ppm_total": "by the rules",
    "gnomon_gate_limit_ppm": "by the rules",
    "gnomon_gate_alpha_ppm": "by the rules",
    "gnomon_gate_min_trials": "by the rules",
    "gnomon_gate_requires": "by the rules",
    "gnomon_guardrail_tripped": "by the rules: it holds a subject",
    "gnomon_split_misrouted": "by the rules: it holds a subject",
    "gnomon_responses_total": "by the rules",
    "gnomon_response_duration_microseconds": "by the rules",
    "gnomon_shadow_duration_microseconds": "by the rules",
    "gnomon_sampled_total": "its outcomes are shown",
    "gnomon_shadow_responses_total": "the outcomes say most of it; GnomonBreakerOpen leads to it",
    "gnomon_gate_state": "each proxy's own verdict; the rules judge the sums",
    "gnomon_gate_failures_total": "each proxy's own latch; the rules have theirs",
    "gnomon_warmup_total": "of the beginning only",
    "gnomon_warmup_began_milliseconds": "of the beginning only",
    "gnomon_evidence_total": "about the log, and nothing to act on",
}
"""Statistics that no query names, and why."""


def named(query):
    """The series that a query names, without the suffixes of histograms."""
    found = set(re.findall(r"[A-Za-z_:][\w:]*(?=\{)", query))
    return {re.sub(r"(?<=_microseconds)_(bucket|sum|count)$", "", name) for name in found}


def panel_of(title):
    """The panel of this title."""
    [found] = [panel for panel in PANELS if panel["title"] == title]
    return found


def words(title, field=None):
    """{value: word} of a panel, or of one of its fields or queries."""
    config = panel_of(title)["fieldConfig"]
    found = config["defaults"].get("mappings")
    if field:
        [one] = [one for one in config["overrides"] if one["matcher"]["options"] == field]
        [found] = [property_["value"] for property_ in one["properties"] if property_["id"] == "mappings"]
    return {value: said["text"] for value, said in found[0]["options"].items()}


def test_the_file_is_what_the_builder_makes():
    assert dashboard.dashboard() == TEXT, "make it anew: .tools/test-venv/bin/python grafana/dashboard.py >grafana/gnomon.json"


def test_kustomize_makes_the_config_map_that_grafanas_sidecar_looks_for():
    [made] = built(ROOT / "grafana")
    assert (made["apiVersion"], made["kind"], made["metadata"]["name"]) == ("v1", "ConfigMap", "gnomon-dashboard")
    assert made["metadata"]["labels"] == {"grafana_dashboard": "1"} and made["data"] == {"gnomon.json": TEXT}
    assert len(TEXT) < 200_000, "kubectl apply keeps it in an annotation, too, of at most 256 KiB"


def test_each_panel_can_be_read_by_somebody_who_has_never_seen_it():
    assert len(PANELS) <= 26 and {panel["type"] for panel in PANELS} == {"stat", "table", "state-timeline", "timeseries", "bargauge"}
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        sentences = re.split(r"(?<=\.) ", panel["description"])
        assert len(sentences) == 2 and sentences[1].startswith("No data: "), panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
        assert 0 <= panel["gridPos"]["x"] <= 24 - panel["gridPos"]["w"]


def test_headings_of_tables_are_those_that_their_columns_have():
    for panel in PANELS:
        for one in panel.get("transformations", []):
            if one["id"] == "organize":
                headings = set(one["options"]["renameByName"].values())
                assert {found["matcher"]["options"] for found in panel["fieldConfig"]["overrides"]} <= headings
                assert set(one["options"]["excludeByName"]) <= {"Time", *one["options"]["renameByName"]}
                values = {f"Value #{target['refId']}" for target in panel["targets"]} if len(panel["targets"]) > 1 else {"Value"}
                assert {name for name in one["options"]["renameByName"] if name.startswith("Value")} == values


def test_every_query_asks_for_the_contract_or_for_documented_rules_and_for_what_is_chosen():
    records = {rule.get("record") for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
    documented = (ROOT / "docs/rules.md").read_text()
    for where, query in QUERIES.items():
        names = named(query)
        assert names and len(re.findall(r"\bgnomon", query)) == len(re.findall(r'\bgnomon[\w:]*\{cluster=~"\$cluster"', query)), where
        for name in names:
            family = ":".join(name.split(":")[:2])
            assert name in contract.STATISTICS or (name in records and f"`{family}" in documented), (where, name)
            labelled = name not in contract.STATISTICS or "experiment" in contract.STATISTICS[name]["labels"]
            assert ('experiment=~"$experiment",route=~"$route"' in query) == labelled, where


def test_each_reason_that_holds_a_subject_has_words():
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    reasons = {rule["labels"]["reason"] for rule in rules if rule.get("record") == "gnomon:subject_held:info"}
    assert reasons and set(words("What holds it back?", "Because")) == reasons


def test_every_statistic_is_on_it_or_left_out_for_a_reason():
    used = set().union(*map(named, QUERIES.values()))
    assert set(contract.STATISTICS) - used == set(LEFT_OUT)


DECISION = {"task": {"decision": {"path": "score", "thresholds": [0.7], "names": ["approve", "block"]}}}
PIN = {"header": "x-model-pin", "exact": "v2", "variant": "v2"}


def watched():
    """Configuration in which something stands for each panel."""
    fraud = route(
        "fraud",
        "/fraud/",
        split=split(canaries=[("v2", 20)], pins=[PIN]),
        shadows=[shadow("candidate", "candidate", when={"body": [{"path": "x", "at_least": 0}]}), shadow("control", "control", role="control")],
        compare=DECISION,
        slices={"header": "x-region", "values": ["eu"]},
        gates=[
            gate("agreement", "candidate", "diverged", 5, requires="pass"),
            gate("flips", "candidate", "flipped", 10, each_slice=True, requires="pass"),
            gate("errors", "v2", "failed", 5),
        ],
        guardrail={"gates": ["errors"]},
        owner="risk",
    )
    chat = route("chat", "/chat/", protocol="openai", shadows=[shadow("answers", "answers")])
    return configuration(fraud, chat)


class Traffic:
    """Requests to both routes, again and again, until the end of the `with` block. Once it is `bad`, much goes wrong."""

    def __init__(self, lab):
        self.bad, self._ended = threading.Event(), threading.Event()
        fraud = lambda wrong: lambda _: Reply(b'{"score": 0.9}' if wrong() else b'{"score": 0.1}')  # noqa: E731
        v2 = lambda received: Reply(status=500) if self.bad.is_set() else Reply(b'{"score": 0.1}')  # noqa: E731
        baseline, answers = OpenAI("baseline"), OpenAI("candidate")
        never = lambda: False  # noqa: E731
        self.clusters = {
            "v1": lab.upstream(lambda received: baseline(received) if received.path.startswith("/chat/") else fraud(never)(received)),
            "v2": lab.upstream(v2),
            "candidate": lab.upstream(fraud(self.bad.is_set)),
            "control": lab.upstream(fraud(never)),
            "answers": lab.upstream(lambda received: Reply(status=503) if self.bad.is_set() else answers(received)),
        }
        self.proxy = lab.proxy(watched(), self.clusters, routes=by_variant({"v1": "v1", "v2": "v2"}))
        self._thread = threading.Thread(target=self._go_on)

    def _go_on(self):
        asked = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
        chat = json.dumps(asked | {"messages": [{"role": "user", "content": "text-same"}]}).encode()
        with Connection(self.proxy.port) as connection:
            for number in itertools.count():
                if self._ended.is_set():
                    break
                region = {"x-region": ("eu", "us")[number % 2]}
                for headers in (region, region | {"x-model-pin": "v2"}):
                    connection.send(request("/fraud/x", headers=headers, close=False)).answer()
                connection.send(request("/chat/v1/chat/completions", chat, close=False)).answer()
                if self.bad.is_set():
                    connection.send(request("/fraud/x", b"no JSON", close=False)).answer()
                time.sleep(0.02)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()


def filled(query, cluster=".*"):
    """A query as Grafana would ask it, with a minute as a second."""
    for name, value in {"$cluster": cluster, "$experiment": ".*", "$route": ".*", "$__range": "1h"}.items():
        query = query.replace(name, value)
    assert "$" not in query
    return faster(query)


def values_of(prometheus, name, cluster=".*"):
    """The values that a variable offers."""
    selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", VARIABLES[name]["query"]).groups()
    return set(prometheus.label_values(filled(selector, cluster), label))


def everything(prometheus, but=(), cluster=".*"):
    """Waits until every query has an answer: {(title, letter): answer}."""
    found, begun = {}, time.monotonic()

    def look():
        found.update({where: prometheus.query(filled(query, cluster)) for where, query in QUERIES.items()})
        return all(found[where] for where in found if where not in but)

    try:
        until(look, "every query to have an answer", 60)
    except AssertionError as error:
        error.add_note(f"without an answer after {time.monotonic() - begun:.0f} s: {[where for where, one in found.items() if not one]}")
        raise
    return found


def expect_headings_and_legends(found):
    """Each label of a table has a heading, and each label of a legend is one of the answer. (Of a target's labels not all are there.)"""
    absent = {"cluster", "namespace"}
    for panel in PANELS:
        for target in panel["targets"]:
            answer = found[panel["title"], target["refId"]]
            labels = {name for labels in answer for name, _ in labels}
            organized = [one["options"] for one in panel.get("transformations", []) if one["id"] == "organize"]
            if organized:
                assert labels <= set(organized[0]["renameByName"]), (panel["title"], labels)
            elif answer and panel["type"] != "table":
                assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) - absent <= labels, (panel["title"], labels)


def by(answer, *labels):
    """{values of these labels: value} of an answer."""
    found = {tuple(dict(one).get(label) for label in labels): value for one, value in answer.items()}
    assert len(found) == len(answer), answer
    return found


def said(answer, said_as, *labels):
    """{values of these labels: word}."""
    return {place: said_as[f"{value:.0f}"] for place, value in by(answer, *labels).items()}


def states(prometheus, state):
    """Waits until both subjects are in this state."""
    until(lambda: set(prometheus.query("gnomon:subject:state").values()) == {state}, f"all states to be {state}", 60)


def test_every_query_has_an_answer_while_all_goes_well_and_while_all_goes_wrong(lab):
    prometheus = lab.prometheus(faster(RULES.read_text()))
    with Traffic(lab) as traffic:
        prometheus.scrape("first", traffic.proxy.admin_address)
        states(prometheus, gates.PASS)
        found = everything(prometheus, but=MAY_BE_EMPTY)
        assert {where for where, answer in found.items() if not answer} == set(MAY_BE_EMPTY), "an excuse is out of date"
        expect_headings_and_legends(found)
        expect_good(found)
        assert {name: values_of(prometheus, name) for name in ("cluster", "experiment", "route")} == {
            "cluster": set(), "experiment": {"exp"}, "route": {"fraud", "chat"}
        }  # fmt: skip

        fresh = lab.proxy({"version": 2}, {"v1": None}, state=3)
        prometheus.scrape("fresh", fresh.admin_address)
        traffic.bad.set()
        states(prometheus, gates.FAIL)
        prometheus.eventually('count(gnomon:subject_held:info{reason="cut_off"})', 1)
        prometheus.eventually('gnomon_breaker_open{shadow="answers"}', 1)
        prometheus.eventually('gnomon_configuration{pod="fresh"}', 3)
        found = everything(prometheus)
        expect_headings_and_legends(found)
        expect_bad(found)

        prometheus.scrape("first", traffic.proxy.admin_address, cluster="east")
        until(lambda: values_of(prometheus, "cluster") == {"east"}, "the label to be seen")
        found = everything(prometheus, cluster="east")
        assert all(("cluster", "east") in labels for answer in found.values() for labels in answer)
        assert values_of(prometheus, "route", "east") == {"fraud", "chat"} and not values_of(prometheus, "route", "west")
    expect_counts(prometheus, traffic.proxy)


def expect_good(found):
    """What an operator sees while all goes well."""
    subjects = [("fraud", "candidate"), ("fraud", "v2")]
    assert said(found["The answer", "A"], words("The answer"), "route", "subject") == dict.fromkeys(subjects, "yes")
    assert said(found["The answer over time", "A"], words("The answer over time", "A"), "route", "subject") == dict.fromkeys(subjects, "yes")
    recent = said(found["The answer over time", "B"], words("The answer over time", "B"), "route", "subject")
    assert recent == dict.fromkeys(subjects, "does not fail")
    column = lambda letter: by(found["What does each gate say?", letter], "gate", "slice")  # noqa: E731
    gates_ = [("agreement", "all"), ("errors", "all"), ("flips", "eu"), ("flips", "other")]
    assert said(found["What does each gate say?", "A"], words("What does each gate say?", "State"), "gate", "slice") == dict.fromkeys(
        [*gates_, ("flips", "all")], "pass"
    )
    assert column("B") == dict.fromkeys(gates_, 0) == column("G") and column("F") == dict.fromkeys(gates_, 1)
    assert column("C") == {place: 0.1 if place[0] == "flips" else 0.05 for place in gates_}
    assert all(column("D")[place] > 20 for place in gates_) and column("E").keys() == column("D").keys()
    assert said(found["What does each gate say?", "H"], words("What does each gate say?", "Needed"), "gate", "slice") == dict.fromkeys(
        column("H"), "a pass"
    )
    assert by(found["How many requests does it have now?", "B"], "variant") == {("v1",): 0.8, ("v2",): 0.2}
    share = by(found["How many requests does it have now?", "A"], "route", "variant")
    assert share["fraud", "v1"] + share["fraud", "v2"] == pytest.approx(1) and 0.4 < share["fraud", "v2"] < 0.6, "half of it is pinned"
    assert set(found["How many copies are compared?", "A"].values()) == {1} and set(found["How many answers differ?", "A"].values()) == {0}
    for letter in "ABC":
        assert all(1e-5 < value < 1 for value in found["How long do clients wait?", letter].values())
    assert set(found["How many answers fail?", "A"].values()) == {0} == set(found["Is a shadow left alone?", "A"].values())
    assert by(found["How do answers end?", "A"], "subject", "kind").keys() == {("none", "stop"), ("answers", "stop")}
    tokens = by(found["Tokens per second", "A"], "subject", "token")
    assert tokens["none", "prompt"] / tokens["none", "completion"] == pytest.approx(USAGE["baseline"][0] / USAGE["baseline"][1])
    assert said(found["Is each proxy well?", "A"], words("Is each proxy well?", "Configuration"), "pod") == {("first",): "as configured"}
    assert by(found["Is each proxy well?", "C"], "pod")["first",] == pytest.approx(1000 * time.time(), rel=1e-3)
    assert set(found["Is each proxy well?", "D"].values()) == {0}
    assert all(0 <= value < 0.5 for value in found["Is the memory for bodies enough?", "A"].values())
    assert by(found["Which configurations run?", "A"], "route", "owner") == {("fraud", "risk"): 1, ("chat", "none"): 1}


def expect_bad(found):
    """What an operator sees while all goes wrong."""
    subjects = [("fraud", "candidate"), ("fraud", "v2")]
    assert said(found["The answer", "A"], words("The answer"), "route", "subject") == dict.fromkeys(subjects, "no, roll back")
    assert ("v2", "cut_off") in by(found["What holds it back?", "A"], "subject", "reason")
    state = said(found["What does each gate say?", "A"], words("What does each gate say?", "State"), "gate", "slice")
    assert state["agreement", "all"] == "fail" and by(found["What does each gate say?", "G"], "gate", "slice")["agreement", "all"] == 1
    assert by(found["What became of what?", "A"], "shadow", "primary_answer", "shadow_answer").keys() == {
        ("candidate", "approve", "approve"), ("candidate", "approve", "block"), ("control", "approve", "approve")
    }  # fmt: skip
    assert by(found["Kinds of difference", "A"], "shadow", "kind").keys() == {("candidate", "label")}
    assert by(found["Where do answers differ?", "A"], "shadow", "path").keys() == {("candidate", "score")}
    assert by(found["Which copies were not sent?", "A"], "shadow", "outcome").keys() == {("answers", "unsent_breaker_open")}
    assert by(found["Which copies were not sent?", "B"], "shadow").keys() == {("candidate",)}
    assert by(found["Is a shadow left alone?", "A"], "shadow")["answers",] == 1
    configured = said(found["Is each proxy well?", "A"], words("Is each proxy well?", "Configuration"), "pod")
    assert configured == {("first",): "as configured", ("fresh",): "refused, all passes untouched"}


def expect_counts(prometheus, proxy):
    """Once the traffic has ended, counts are those of the proxy."""
    counts = {
        ("Verdicts", "gnomon_pairs_total"): ("shadow", "verdict"),
        ("Kinds of difference", "gnomon_divergences_total"): ("shadow", "kind"),
        ("Where do answers differ?", "gnomon_divergent_paths_total"): ("shadow", "path"),
        ("What became of what?", "gnomon_decisions_total"): ("shadow", "primary_answer", "shadow_answer"),
        ("How do answers end?", "gnomon_answers_total"): ("subject", "kind"),
        ("Which versions answered?", "gnomon_model_versions_total"): ("subject", "model_version"),
    }
    for (title, series), labels in counts.items():
        of_proxy = {place: value for place, value in proxy.metrics().by(series, *labels).items() if value}
        query = filled(QUERIES[title, "A"], "east")
        shown = lambda: {place: value for place, value in by(prometheus.query(query), *labels).items() if value}  # noqa: B023, E731
        until(lambda: shown() == of_proxy, f"{title}: {shown()} to be {of_proxy}")  # noqa: B023
