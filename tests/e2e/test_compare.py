"""Verdicts, kinds and paths, through the wire. Each case is a route of one proxy, named by its place in the table."""

import gzip
import json
from dataclasses import dataclass, field

import pytest
from rig.client import many, request
from rig.configuration import configuration, route, shadow
from rig.lab import Lab
from rig.upstream import Reply


@dataclass
class Case:
    """Two answers (text, or a `Reply`), and what comparing them must say."""

    primary: object
    shadow: object
    verdict: str
    kind: str | None = None
    path: str | None = None
    compare: dict = field(default_factory=dict)
    protocol: str = "json"


def same(primary, shadow_, **compare):
    """Different bytes that are equal."""
    return Case(primary, shadow_, "equivalent", compare=compare)


def differs(primary, shadow_, kind, path, **compare):
    """A difference of one kind at one path."""
    return Case(primary, shadow_, "diverged", kind, path, compare)


def unreadable(primary, shadow_, protocol="json"):
    """At least one side can't be read."""
    return Case(primary, shadow_, "incomparable", protocol=protocol)


def text(body, content_type="text/plain", **more):
    """An answer that is not JSON."""
    return Reply(body.encode() if isinstance(body, str) else body, content_type=content_type, **more)


def zipped(body):
    """A gzip-encoded answer."""
    return Reply(gzip.compress(body.encode()), headers=(("content-encoding", "gzip"),))


def chat(**message):
    """A chat in one piece."""
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})


def streamed(*deltas):
    """A chat in as many events, with heartbeats and what else real servers write between them."""
    choices = [{"index": 0, "delta": delta} for delta in deltas] + [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    events = [json.dumps({"model": "", "error": None, "choices": [choice]}) for choice in choices]
    return Reply("".join(f"data:\n\ndata: {event}\n\n" for event in [*events, "[DONE]"]).encode(), content_type="text/event-stream")


def called(arguments, name="f", **members):
    """A delta that calls a function."""
    return {"tool_calls": [{"index": 0, "function": {"name": name, "arguments": arguments}} | members]}


def nested(depth, leaf="1"):
    """So many arrays in each other."""
    return "[" * depth + leaf + "]" * depth


def big(last, count=100_000, gap=""):
    """About 900 KiB of JSON numbers that end in `last`."""
    return json.dumps([i % 1000 + 0.125 for i in range(count)] + [last]).replace(" ", gap)


CASES = [
    Case('{"a": 1}', '{"a": 1}', "identical"),
    Case("not json", "not json", "identical"),
    Case("", "", "identical"),
    same('{"a":1,"b":2}', '{"b":2,"a":1}'),
    same('{"a": 1}', '{"a":1}'),
    same('{"a":1}', '{"a":1.0}'),
    same('{"a":2,"a":1}', '{"a":1}'),
    same('"\\u00e9"', '"é"'),
    # Numbers: within the default tolerances, and beyond each.
    same("[1000]", "[1000.9]"),
    differs("[1000]", "[1001.1]", "number", "[*]"),
    same("[0.0]", "[0.000001]"),
    differs("[0.0]", "[0.000002]", "number", "[*]"),
    same("[0.1, 0.9]", "[0.14, 0.9]", absolute=0.05, relative=0),
    differs("[0.1]", "[0.1000001]", "number", "[*]", absolute=0, relative=0),
    differs("9007199254740993", "9007199254740992", "number", "$"),
    same("9007199254740993", "9007199254740993 "),
    same("[NaN, Infinity, -Infinity]", "[NaN,Infinity,-Infinity]"),
    differs("[NaN]", "[1]", "number", "[*]"),
    differs("[Infinity]", "[-Infinity]", "number", "[*]"),
    # The first tolerance whose path matches wins; what it leaves out stays as above.
    same('{"o":[{"score":0.50}]}', '{"o":[{"score":0.505}]}', tolerances=[{"path": "o[*].score", "absolute": 0.01}]),
    differs('{"o":[{"score":0.5,"p":1}]}', '{"o":[{"score":0.505,"p":2}]}', "number", "o[*].p",
            tolerances=[{"path": "o[*].score", "absolute": 0.01}]),
    same("[0.5, 100]", "[0.505, 100.1]", tolerances=[{"path": "[*]", "absolute": 0.01}, {"path": "[*]", "absolute": 0, "relative": 0}]),
    differs("[0.5, 100]", "[0.505, 100.1]", "number", "[*]", tolerances=[{"path": "[0]", "absolute": 0.01, "relative": 0}],
            absolute=0.05, relative=0),
    # Kinds and paths.
    differs('{"p":"1"}', '{"p":1}', "type", "p"),
    differs('{"p":[1]}', '{"p":{"0":1}}', "type", "p"),
    differs('{"p":true}', '{"p":1}', "type", "p"),
    differs('{"p":true}', '{"p":false}', "boolean", "p"),
    differs('{"p":null}', '{"p":0}', "null", "p"),
    differs('{"p":0}', '{"p":null}', "null", "p"),
    differs('{"t":"cat"}', '{"t":"dog"}', "text", "t"),
    differs('{"a":1,"b":2}', '{"a":1}', "missing", "b"),
    differs('{"a":1}', '{"a":1,"b":2}', "extra", "b"),
    differs('{"r":[1,2,3]}', '{"r":[9,2]}', "length", "r"),
    differs("[1,2]", "[1]", "length", "$"),
    differs("1", '"1"', "type", "$"),
    differs('{"b":1,"a":1}', '{"b":2,"a":2}', "number", "a"),
    differs('{"b":1,"a":1}', '{"b":2}', "missing", "a"),
    differs('{"outputs":[{"data":[[1,2],[3,4]]}]}', '{"outputs":[{"data":[[1,2],[3,9]]}]}', "number", "outputs[*].data[*][*]"),
    differs('{"the name":{"x-y_1":1}}', '{"the name":{"x-y_1":2}}', "number", '["the name"].x-y_1'),
    differs('{"my_cache":{"a":1}}', '{"my_cache":{"a":2}}', "number", '["my_cache"].a'),
    differs('{"x;y=z":1}', '{"x;y=z":2}', "number", '["x_y_z"]'),
    differs('{"é":1}', '{"é":2}', "number", '["_"]'),
    # What is left out of the comparison.
    same('{"id":"x","p":1}', '{"id":"y","p":1}', ignore=["id"]),
    same('{"id":"x","p":1}', '{"p":1}', ignore=["id"]),
    same('{"o":[{"m":{"z":1}},{"m":{"z":2}}]}', '{"o":[{"m":{"z":3}},{"m":[]}]}', ignore=["o[*].m"]),
    same('{"a b":1}', '{"a b":2}', ignore=['["a b"]']),
    differs('{"id":"x","p":{"id":1}}', '{"id":"y","p":{"id":2}}', "number", "p.id", ignore=["id"]),
    # Arrays whose order does not count.
    same('{"r":[3,1,2]}', '{"r":[1,2,3]}', unordered=["r"]),
    same('{"r":["b","a","a"]}', '{"r":["a","b","a"]}', unordered=["r"]),
    differs('{"r":[3,1]}', '{"r":[1,3]}', "number", "r[*]"),
    Case('{"r":["a","b"]}', '{"r":["a","c"]}', "diverged", compare={"unordered": ["r"]}),
    same('{"r":[{"id":1,"v":5},{"id":2,"v":6}]}', '{"r":[{"id":2,"v":6},{"id":1,"v":5}]}', unordered=[{"path": "r", "by": "id"}]),
    differs('{"r":[{"id":1,"v":5},{"id":2,"v":6}]}', '{"r":[{"id":2,"v":7},{"id":1,"v":5}]}', "number", "r[*].v",
            unordered=[{"path": "r", "by": "id"}]),
    # Codes come before bodies.
    Case(Reply(b"[1]"), Reply(b"[1]", status=201), "diverged", "status"),
    # What can't be read.
    unreadable("[1]", "[1"),
    unreadable("[1", "[1]"),
    unreadable("[1]", "[1] x"),
    unreadable("[1]", ""),
    unreadable("[01]", "[1]"),
    same(nested(64), nested(64, " 1")),
    unreadable(nested(65), nested(65, " 1")),
    unreadable("[1]", nested(10_000)),
    unreadable("[1]", Reply(b'["\xff"]')),
    Case("[1]", zipped("[1]"), "identical"),
    Case(zipped("[1]"), "[1]", "identical"),
    differs(zipped("[1]"), zipped("[2]"), "number", "[*]"),
    unreadable("[1]", Reply(b"[1]", headers=(("content-encoding", "gzip"),))),
    unreadable("[1]", Reply(b"[1]", headers=(("content-encoding", "compress"),))),
    unreadable("[1]", '"' + "x" * (2 << 20) + '"'),
    unreadable('"' + "x" * (2 << 20) + '"', "[1]"),
    # Bodies as bytes, and the protocol by content type.
    Case(text("abc"), text("abd"), "diverged", "text", "$", protocol="opaque"),
    Case(text(b"\x00\xff"), text(b"\x00\xff"), "identical", protocol="opaque"),
    Case('{"a":1}', '{"a": 1}', "diverged", "text", "$", protocol="opaque"),
    Case(text("abc"), text("abd"), "diverged", "text", "$", protocol="auto"),
    Case('{"a":1}', '{"a": 1}', "equivalent", protocol="auto"),
    Case(text("[1]", "application/json; charset=utf-8"), text("[1.0]", "application/json"), "equivalent", protocol="auto"),
    # What nobody reads of a chat, in one piece and in a stream, and what the model thought.
    unreadable(chat(content="a", audio={"data": "x"}), chat(content="a", audio={"data": "y"}), "openai"),
    unreadable(streamed({"audio": {"data": "x"}}), streamed({"audio": {"data": "y"}}), "openai"),
    unreadable(chat(content=[{"type": "image", "url": "x"}]), chat(content=[{"type": "image", "url": "y"}]), "openai"),
    Case(streamed({"audio": {"data": "x"}}, {"audio": {"data": "y"}}), chat(audio={"data": "xy"}), "equivalent", protocol="openai"),
    Case(chat(audio={"id": 1}), chat(audio={"id": 2}), "equivalent", compare={"ignore": ["choices[*].message.audio.id"]}, protocol="openai"),
    Case(chat(content="", reasoning="42"), streamed({"reasoning_content": "no"}), "equivalent", protocol="openai"),
    Case(chat(content="", reasoning="42"), streamed({"reasoning_content": "no"}), "diverged", "text", "choices[*].message.reasoning",
         {"reasoning": True}, "openai"),
    Case(chat(**called("1")), chat(**called("2")), "incomparable", compare={"task": "text"}, protocol="openai"),
    # Streams as they are meant.
    Case(streamed(called("{", id="a"), called("}", id="a")), chat(**called({})), "equivalent", protocol="openai"),
    Case(streamed(called("{}", id="a"), called("{}", "g", id="b")), chat(**called("{}")), "diverged", "tools",
         "choices[*].message.tool_calls", protocol="openai"),
    # Bodies of nearly limits.body, compared in slices.
    same(big(0.5), big(0.5, gap="  ")[:-1] + " ]"),
    differs(big(0.5), big(0.75), "number", "[*]"),
    differs(big(0.5), big("0.5"), "type", "[*]"),
]


def reply(answer):
    """The scripted answer of a case."""
    return answer if isinstance(answer, Reply) else Reply(answer.encode())


@pytest.fixture(scope="module")
def table():
    """The proxy with a route for every case."""
    with Lab() as lab:
        case_of = lambda received: CASES[int(received.path.split("/")[2])]
        primary = lab.upstream(lambda received: reply(case_of(received).primary))
        copy = lab.upstream(lambda received: reply(case_of(received).shadow))
        routes = [
            route(f"case-{i}", f"/case/{i}/", protocol=case.protocol, compare=case.compare, shadows=[shadow()])
            for i, case in enumerate(CASES)
        ]
        yield lab, lab.proxy(configuration(*routes), {"primary": primary, "shadow": copy}), primary


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda i: f"{i}-{CASES[i].verdict}-{CASES[i].kind}")
def test_verdict(table, number):
    lab, proxy, primary = table
    case, labels = CASES[number], {"route": f"case-{number}"}
    lab.exchange(proxy, [primary], request(f"/case/{number}/"))
    if case.verdict == "incomparable":
        proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome="incomparable", **labels)
        assert proxy.metrics().total("gnomon_pairs_total", **labels) == 0
        return
    proxy.eventually("gnomon_pairs_total", 1, **labels)
    metrics = proxy.metrics()
    assert metrics.by("gnomon_pairs_total", "verdict", "slice", **labels) == {(case.verdict, "all"): 1}
    if case.kind:
        assert metrics.by("gnomon_divergences_total", "kind", **labels) == {case.kind: 1}
    if case.path:
        assert {label.replace("\\", "") for label in metrics.by("gnomon_divergent_paths_total", "path", **labels)} == {case.path}


def test_pairs_are_counted_by_slice(lab):
    primary, copy = lab.upstream(), lab.upstream(lambda received: Reply(received.body))
    sliced = route(shadows=[shadow(), shadow("broken", "nowhere")], slices={"header": "X-Region", "values": ["eu", "us"]})
    proxy = lab.proxy(configuration(sliced), {"primary": primary, "shadow": copy})
    for region, body in [("eu", b"{}"), ("eu", b"[]"), ("us", b"{ }"), ("EU", b"{}"), ("mars", b"{}"), (None, b"{}")]:
        proxy.send(request(body=body, headers={"x-region": region} if region else {}))
    proxy.eventually("gnomon_pairs_total", 6)
    metrics = proxy.metrics()
    verdicts = {("eu", "identical"): 1, ("eu", "diverged"): 1, ("us", "equivalent"): 1, ("other", "identical"): 3}
    assert metrics.by("gnomon_pairs_total", "slice", "verdict") == verdicts
    outcomes = metrics.by("gnomon_shadow_outcomes_total", "slice", "outcome", shadow="broken")
    assert outcomes == {("eu", "unsent_no_cluster"): 2, ("us", "unsent_no_cluster"): 1, ("other", "unsent_no_cluster"): 3}
    assert {dict(labels)["slice"] for labels in metrics.series("gnomon_pairs_total")} == {"eu", "us", "other"}


def test_large_comparisons_leave_room_for_other_requests(lab):
    heavy, light = big(0.5), b"{}"
    primary = lab.upstream(lambda received: Reply(heavy.encode() if received.path == "/v1/big" else light))
    copy = lab.upstream(lambda received: Reply(big(0.5, gap=" ").encode()))
    routes = configuration(route(shadows=[shadow()]), limits={"memory": "64MiB"})
    proxy = lab.proxy(routes, {"primary": primary, "shadow": copy})
    paths = ["/v1/big" if i % 8 == 0 else "/other" for i in range(64)]
    answers = many(proxy.port, [request(path) for path in paths])
    assert [answer.body for answer in answers] == [heavy.encode() if path == "/v1/big" else light for path in paths]
    proxy.eventually("gnomon_pairs_total", 8, verdict="equivalent")


def test_paths_beyond_the_registry_count_as_other(lab):
    body = lambda received, value: Reply(json.dumps({received.path.rsplit("/", 1)[1]: value}).encode())
    primary, copy = lab.upstream(lambda received: body(received, 1)), lab.upstream(lambda received: body(received, 2))
    proxy = lab.proxy(configuration(route(shadows=[shadow()])), {"primary": primary, "shadow": copy}, concurrency=2)
    for i in range(20):
        proxy.send(request(f"/v1/member{i:02}"))
        proxy.eventually("gnomon_divergent_paths_total", i + 1)
    paths = proxy.metrics().by("gnomon_divergent_paths_total", "path")
    assert paths == {f"member{i:02}": 1 for i in range(16)} | {"other": 4}
