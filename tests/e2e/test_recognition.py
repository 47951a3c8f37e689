"""What an answer is: by its path, by its first bytes, and whatever it is dressed in. Each case is a route of one proxy."""

import gzip
import json
from dataclasses import dataclass

import pytest
from rig.client import Connection, request
from rig.configuration import configuration, route, shadow
from rig.lab import Lab
from rig.upstream import Gate, Reply

WHOLE = b'{"choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}],"id":"%d"}'
CHUNKS = [b'{"choices":[{"index":0,"delta":{"content":"H"}}]}', b'{"choices":[{"index":0,"delta":{"content":"i"},"finish_reason":"stop"}]}']
STREAM = b"".join(b"data: %b\n\n" % chunk for chunk in [*CHUNKS, b"[DONE]"])
CHAT = "v1/chat/completions"
MARK = b"\xef\xbb\xbf"
GZIP = (("content-encoding", "gzip"),)


@dataclass
class Case:
    """Two answers at a path (behind the route's own prefix), and the verdict."""

    path: str
    primary: Reply
    shadow: Reply
    verdict: str


def typed(body, content_type, **more):
    """An answer of this content type."""
    return Reply(body, content_type=content_type, **more)


def known(path, primary, shadow_, verdict="equivalent"):
    """A path at which these answers are read as what they are."""
    return Case(path, Reply(primary), Reply(shadow_), verdict)


CHATS = (WHOLE % 1, WHOLE % 2)
ROWS = (b'{"predictions":[0.5],"id":1}', b'{"predictions":[0.5],"id":2}')
TENSOR = b'{"outputs":[{"name":"a","datatype":"FP32","shape":[1],"data":[0.5]}],"id":"%d"}'
TENSORS = (TENSOR % 1, TENSOR % 2)

CASES = {
    # Streams by their first bytes.
    **{f"stream as {name}": Case(CHAT, typed(STREAM, content_type, chunked=True), Reply(WHOLE % 1), "equivalent") for name, content_type in [
        ("plain text", "text/plain"), ("json", "application/json"), ("ndjson", "application/x-ndjson"), ("nothing", ""),
        ("a stream", "text/event-stream")]},
    "shadow streams as json": Case(CHAT, Reply(WHOLE % 1), typed(STREAM, "application/json", chunked=True), "equivalent"),
    "a comment comes first": Case(CHAT, typed(b": ping\n\n" + STREAM, "text/plain"), Reply(WHOLE % 1), "equivalent"),
    "an event's name comes first": Case(CHAT, typed(b"event: x\n" + STREAM, "text/plain"), Reply(WHOLE % 1), "equivalent"),
    "whole answer as a stream": Case(CHAT, typed(WHOLE % 1, "text/event-stream"), typed(STREAM, "text/event-stream"), "equivalent"),
    "encoded stream as json": Case(CHAT, Reply(gzip.compress(STREAM), headers=GZIP), Reply(WHOLE % 1), "equivalent"),
    # Dressing.
    "mark": Case("x", Reply(MARK + b'{"a": 1}'), Reply(b'{"a":1}'), "equivalent"),
    "mark at the shadow": Case(CHAT, Reply(WHOLE % 1), Reply(MARK + WHOLE % 2), "equivalent"),
    "mark in a stream": Case(CHAT, Reply(WHOLE % 1), typed(MARK + STREAM, "text/event-stream"), "equivalent"),
    **{f"encoding {word}": Case("x", Reply(b'{"a":1}', headers=(("content-encoding", word),)), Reply(b'{"a": 1}'), "equivalent")
       for word in ["identity", "none", "utf-8", "UTF-8", "identity, none"]},
    "type twice": Case("x", Reply(b'{"a":1}', headers=(("content-type", "application/json"),)), Reply(b'{"a": 1}'), "equivalent"),
    **{f"type {content_type}": Case("x", typed(b'{"a":1}', content_type), Reply(b'{"a": 1}'), "equivalent") for content_type in [
        "application/json, application/json", "application/json;", "application/json ; charset=utf-8;;x", "APPLICATION/JSON charset=utf8",
        "application/problem+json;v=1"]},
    # Paths.
    **{path: known(path, *CHATS) for path in [
        "v3/chat/completions", "chat/completions", "openai/deployments/m/chat/completions?api-version=2024-06-01",
        "v1beta/openai/chat/completions", "v1/chat/completions/", "/v1//chat/completions", "openai/v1/completions"]},
    **{path: known(path, *ROWS) for path in [
        "v1/models/m%3Apredict", "v1/models/m/versions/2:predict", "v1/models/m/labels/x:predict", "v1/models/acme/m:predict"]},
    **{path: known(path, *TENSORS) for path in ["v2/models/acme/m/infer", "v2/models/m/versions/3/infer/", "v2//models/m/infer"]},
    "other path": known("v1/models/m:explain", *ROWS, "diverged"),
    # Forms that servers have.
    "columns": known("v1/models/m:predict", b'{"outputs":{"a":[0.5]}}', b'{"outputs":{"a":[0.7]}}', "diverged"),
    "columns alike": known("v1/models/m:predict", b'{"outputs":{"a":[0.5]}}', b'{"outputs":{"a":[0.50]}}'),
    "an object": known("v1/models/m:predict", b'{"predictions":{"a":[0.5]}}', b'{"predictions":{"a":[0.50]}}'),
    "null data": known("v2/models/m/infer", b'{"outputs":[{"name":"a","datatype":"FP32","shape":[0],"data":null}]}',
                       b'{"outputs":[{"name":"a","datatype":"FP32","shape":[0],"data":[]}]}'),
    "left-over size": known("v2/models/m/infer", TENSOR % 1, (TENSOR % 1).replace(b'"data"', b'"parameters":{"binary_data_size":4},"data"')),
}
NAMES = list(CASES)


@pytest.fixture(scope="module")
def table():
    """The proxy with a route for every case."""
    with Lab() as lab:
        case_of = lambda received: CASES[NAMES[int(received.path.split("/")[2])]]
        primary = lab.upstream(lambda received: case_of(received).primary)
        copy = lab.upstream(lambda received: case_of(received).shadow)
        routes = [route(f"case-{i}", f"/case/{i}/", protocol="auto", shadows=[shadow()]) for i in range(len(CASES))]
        yield lab, lab.proxy(configuration(*routes), {"primary": primary, "shadow": copy}), primary


@pytest.mark.parametrize("name", NAMES)
def test_verdict(table, name):
    lab, proxy, primary = table
    number = NAMES.index(name)
    lab.exchange(proxy, [primary], request(f"/case/{number}/{CASES[name].path}"))
    proxy.eventually("gnomon_shadow_outcomes_total", 1, route=f"case-{number}")
    metrics = proxy.metrics()
    assert metrics.by("gnomon_shadow_outcomes_total", "outcome", route=f"case-{number}") == {"compared": 1}
    assert metrics.by("gnomon_pairs_total", "verdict", route=f"case-{number}") == {CASES[name].verdict: 1}


FINISHED = b"".join(b"data: %b\n\n" % chunk for chunk in CHUNKS)


@pytest.mark.parametrize("percent", [0, 100])
@pytest.mark.parametrize("said, headers, class_", [
    (STREAM, (), "2xx"),
    (FINISHED, (), "2xx"),
    (FINISHED + b": ping\n\n", (), "2xx"),
    (gzip.compress(STREAM), GZIP, "2xx"),
    (gzip.compress(FINISHED)[:-8], GZIP, "2xx"),
    (FINISHED[:60], (), "cancelled"),
    (gzip.compress(FINISHED)[:30], GZIP, "cancelled"),
], ids=["done", "finished", "comment", "gzip", "unended-gzip", "early", "early-gzip"])
def test_clients_leave_after_the_last_event(lab, said, headers, class_, percent):
    middle = Gate()
    # What comes behind the middle never comes: the client has left.
    primary = lab.upstream(typed(said + b"x" * len(said), "text/plain", headers=headers, chunked=True, middle=middle))
    copy = lab.upstream(Reply(WHOLE % 1))
    proxy = lab.proxy(configuration(route(protocol="openai", shadows=[shadow(percent=percent)])), {"primary": primary, "shadow": copy})
    client = Connection(proxy.port)
    client.send(request("/v1/chat/completions"))
    received = b""
    while said not in received:
        received += client.receive(1)
    client.abort()
    proxy.eventually("gnomon_responses_total", 1, class_=class_)
    if percent == 100 and class_ == "2xx" and not headers:
        proxy.eventually("gnomon_pairs_total", 1, verdict="equivalent")
    middle.open()
