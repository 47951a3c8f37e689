"""The log lines that say why: one JSON object each, bounded in number, without payloads unless they are asked for."""

import json
import time

import pytest
from rig.client import many, request
from rig.configuration import configuration, route, shadow
from rig.envoy import cluster
from rig.upstream import Reply
from rig.waiting import until

SECRET, HIDDEN, NUMBER = "hunter2", "swordfish", "31.337"


def diverging(lab, evidence, primary=Reply(b'{"a": {"score": 1.0}}'), copy=Reply(b'{"a": {"score": 2.0}}'), **more):
    """A proxy whose pairs diverge."""
    upstreams = {"primary": lab.upstream(primary), "shadow": lab.upstream(copy)}
    return lab.proxy(configuration(route(shadows=[shadow(**more)]), evidence=evidence), upstreams)


def lines(proxy, count):
    """Waits for so many lines of evidence."""
    until(lambda: len(proxy.evidence()) >= count, f"{count} lines of evidence")
    return proxy.evidence()


def test_a_diverged_pair_is_told_in_one_line(lab):
    proxy = diverging(lab, {"per_second": 100})
    proxy.send(request(headers={"x-request-id": "id-7"}))
    (line,) = lines(proxy, 1)
    for value in ("exp", "main", "copy", "all", "id-7", "number", "a.score"):
        assert value in line.values(), f"{value} in {line}"
    assert 0.5 in line.values(), "the relative difference"
    latencies = [value for key, value in line.items() if "micro" in key or "milli" in key or "latency" in key or "duration" in key]
    assert len(latencies) == 2 and all(value >= 0 for value in latencies)
    assert "[warning]" in next(text for text in proxy.log().splitlines() if '"id-7"' in text)
    proxy.eventually("gnomon_evidence_total", 1, outcome="logged")


def test_a_line_says_how_far_numbers_are_apart_and_how_much_differs(lab):
    one, other = ({"id": 7, "scores": [0.5, 0.25, *range(20)]}, {"id": 8, "scores": [0.75, 0.25, *range(1, 21)]})
    proxy = diverging(lab, {"per_second": 100}, *(Reply(json.dumps(body).encode()) for body in (one, other)))
    proxy.send(request())
    (line,) = lines(proxy, 1)
    said = {key: line.get(key) for key in ("absolute_difference", "absolute_tolerance", "relative_tolerance", "differences", "paths")}
    assert said == {
        "absolute_difference": 1, "absolute_tolerance": 0, "relative_tolerance": 0, "differences": 16,
        "paths": ["id", "scores[0]", "scores[2]", "scores[3]"],
    }  # fmt: skip
    proxy.eventually("gnomon_divergent_paths_total", 1, path="id")


def chat(arguments, content=None):
    """A chat that calls a tool, or says something."""
    call = {"type": "function", "function": {"name": "get_weather", "arguments": json.dumps(arguments)}}
    message = {"role": "assistant", "content": content} | ({} if content else {"tool_calls": [call]})
    choice = {"index": 0, "message": message, "finish_reason": "stop" if content else "tool_calls"}
    return Reply(json.dumps({"choices": [choice]}).encode())


@pytest.mark.parametrize("task, answers, wanted", [
    ("auto", [chat({"location": {"city": city}, "days": 3}) for city in ("Oslo", "Rome")], {
        "kind": "tools", "tool": "get_weather", "path": "choices[0].message.tool_calls[0].function.arguments.location.city",
    }),
    ("structure", [chat(None, json.dumps({"name": name, "age": 3})) for name in ("Ann", "Bob")], {
        "kind": "text", "path": "choices[0].message.content.name",
    }),
])  # fmt: skip
def test_a_path_goes_on_in_json_that_a_text_holds(lab, task, answers, wanted):
    upstreams = {"primary": lab.upstream(answers[0]), "shadow": lab.upstream(answers[1])}
    proxy = lab.proxy(configuration(route(protocol="openai", compare={"task": task}, shadows=[shadow()])), upstreams)
    proxy.send(request("/v1/chat/completions"))
    (line,) = lines(proxy, 1)
    assert {key: line.get(key) for key in wanted} == wanted
    assert (line["differences"], line["paths"]) == (1, [wanted["path"]])
    assert "Oslo" not in proxy.log() and "Ann" not in proxy.log()


@pytest.mark.parametrize("values", [False, True])
def test_values_are_shown_only_where_they_are_asked_for(lab, values):
    long = "v" * 300
    primary, copy = (Reply(json.dumps({"t": text, "other": NUMBER}).encode()) for text in (SECRET + long, HIDDEN + long))
    proxy = diverging(lab, {"per_second": 100, "values": values}, primary, copy)
    proxy.send(request(body=json.dumps({"prompt": "correct horse"}).encode(), headers={"authorization": "Bearer battery", "x-user-id": "staple"}))
    text = json.dumps(lines(proxy, 1))
    assert (SECRET in text, HIDDEN in text) == (values, values)
    assert "v" * 65 not in text, "values are cut"
    for never in (NUMBER, "correct horse", "battery", "staple"):
        assert never not in proxy.log()


@pytest.mark.parametrize("per_second", [0, 2])
def test_lines_are_bounded_and_the_rest_is_counted(lab, per_second):
    proxy = diverging(lab, {"per_second": per_second})
    began = time.monotonic()
    many(proxy.port, [request() for _ in range(40)])
    proxy.eventually("gnomon_pairs_total", 40, verdict="diverged")
    seconds = time.monotonic() - began
    counted = proxy.metrics().by("gnomon_evidence_total", "outcome")
    assert counted.get("logged", 0) + counted["suppressed"] == 40
    assert counted.get("logged", 0) == len(proxy.evidence())
    assert min(per_second, 1) <= counted.get("logged", 0) <= per_second * (seconds + 1)


@pytest.mark.parametrize("made, outcome, hint", [
    ({"cluster": "nowhere"}, "unsent_no_cluster", "no such cluster"),
    ({"cluster": "empty"}, "unsent_refused", None),
    ({"script": Reply(status=401)}, "shadow_failed", "keep_credentials"),
    ({"script": Reply(status=403)}, "shadow_failed", "keep_credentials"),
    ({"script": Reply(status=500)}, "shadow_failed", None),
    ({"script": Reply(ending="hang")}, "timed_out", None),
    ({"script": Reply(b"{")}, "incomparable", None),
    ({"body": b"x" * 70_000}, "unsent_body", None),
])  # fmt: skip
def test_a_copy_that_failed_or_was_not_sent_says_why(lab, made, outcome, hint):
    primary, copy = lab.upstream(), lab.upstream(made.get("script", Reply()))
    routes = configuration(
        route(shadows=[shadow(cluster=made.get("cluster", "shadow"), timeout="500ms")]), evidence={"per_second": 100}, limits={"body": "64KiB"}
    )
    proxy = lab.proxy(routes, {"primary": primary, "shadow": copy, "empty": cluster(None)})
    for i in range(3):
        proxy.send(request(body=made.get("body", b"{}")))
        proxy.eventually("gnomon_shadow_outcomes_total", i + 1, outcome=outcome)
    (line,) = [line for line in lines(proxy, 1) if outcome in line.values()]
    assert {"exp", "main", "copy"} <= set(map(str, line.values()))
    if "script" in made and outcome == "shadow_failed":
        assert made["script"].status in line.values() or str(made["script"].status) in line.values()
    if hint:
        assert hint in json.dumps(line)


def test_each_change_of_outcome_is_told(lab):
    state = {"reply": Reply(status=500)}
    primary, copy = lab.upstream(), lab.upstream(lambda received: state["reply"])
    proxy = lab.proxy(configuration(route(shadows=[shadow()]), evidence={"per_second": 100}), {"primary": primary, "shadow": copy})
    for i, status in enumerate([500, 500, 429, 429, 500, 200, 500]):
        state["reply"] = Reply(status=status)
        proxy.send(request())
        proxy.eventually("gnomon_shadow_outcomes_total", i + 1)
    told = [next(value for value in line.values() if value in ("shadow_failed", "shadow_overloaded")) for line in proxy.evidence()]
    assert told == ["shadow_failed", "shadow_overloaded", "shadow_failed", "shadow_failed"]


def test_odd_bytes_in_a_path_or_an_id_leave_the_line_readable(lab):
    primary, copy = Reply(b'{"\xc3\xa9\\"\\n\x7f": 1}'), Reply(b'{"\xc3\xa9\\"\\n\x7f": 2}')
    proxy = diverging(lab, {"per_second": 100}, primary, copy)
    proxy.send(request(headers=[("x-request-id", b'a"b\\c\xff')]))
    (line,) = lines(proxy, 1)
    assert "number" in line.values()
