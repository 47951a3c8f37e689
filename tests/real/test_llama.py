"""The official OpenAI client at real llama.cpp servers: chat and completions, whole and streamed, and embeddings.

At temperature 0 both models say the same again and again, so what the client gets from each server directly says what the filter must find.
"""

import json
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
import pytest
from openai import BadRequestError, OpenAI
from rig.configuration import configuration, shadow
from rig.lab import Lab

from record.llama import CHATS, COMPLETIONS
from servers.llama import Llama
from tap import Tap
from traffic import HEADER, case_route, end_of_answer

KEY = "not-for-shadows"


@dataclass
class Said:
    """What a client made of an answer: for each choice its text and how it ended, and the tokens, if told."""

    texts: list
    ends: list
    tokens: dict | None = None
    events: int = 0


@dataclass
class Case:
    """A request to be made in one form, and what the route says of its comparison."""

    name: str
    ask: dict
    stream: bool = False
    usage: bool = False
    shadow: dict = field(default_factory=dict)
    compare: dict = field(default_factory=dict)

    def __call__(self, client):
        """Asks, and reads the answer as the client does."""
        body = {"model": "chat", "temperature": 0, "extra_headers": {HEADER: self.name}, **self.ask}
        if content := body.pop("content", None):
            body["messages"] = [{"role": "user", "content": content}]
        create = client.completions.create if "prompt" in body else client.chat.completions.create
        if self.usage:
            body["stream_options"] = {"include_usage": True}
        answer = create(**body, stream=self.stream)
        return _joined(answer) if self.stream else _whole(answer)


def _whole(answer):
    texts = [choice.text if hasattr(choice, "text") else choice.message.content for choice in answer.choices]
    usage = {"prompt": answer.usage.prompt_tokens, "completion": answer.usage.completion_tokens}
    return Said(texts, [choice.finish_reason for choice in answer.choices], usage)


def _joined(events):
    texts, ends, usage, count = {}, {}, None, 0
    for event in events:
        count += 1
        if event is None:  # llama.cpp begins a stream of several completions with `data: null`
            continue
        for choice in event.choices:
            text = choice.text if hasattr(choice, "text") else choice.delta.content
            texts[choice.index] = texts.get(choice.index, "") + (text or "")
            if choice.finish_reason:
                ends[choice.index] = choice.finish_reason
        if getattr(event, "usage", None):
            usage = {"prompt": event.usage.prompt_tokens, "completion": event.usage.completion_tokens}
    return Said([texts[index] for index in sorted(texts)], [ends[index] for index in sorted(ends)], usage, count)


def cases():
    """Every recorded chat and completion in each form, and streamed primaries with shadows that are asked not to stream."""
    whole = {"request": {"body": {"set": {"stream": False}, "remove": ["stream_options"]}}}
    asked = {f"chat-{name}": ask for name, ask in CHATS.items()} | {f"completion-{name}": ask for name, ask in COMPLETIONS.items()}
    for name, ask in asked.items():
        yield Case(name, ask)
        yield Case(f"{name}-stream", ask, stream=True)
        yield Case(f"{name}-usage", ask, stream=True, usage=True)
        yield Case(f"{name}-mixed", ask, stream=True, usage=True, shadow=whole)
    structure = {"task": "structure"}
    yield Case("structure-text", CHATS["text"], compare=structure)
    yield Case("structure-json", CHATS["json"], stream=True, compare=structure)
    yield Case("structure-stopped", CHATS["stopped"], compare=structure)


CASES = list(cases())


class Table:
    """The proxy, the servers behind it, and clients of it and of each server."""

    def __init__(self, stack, folder, lab):
        servers = {}
        for name, task in [("baseline", "chat"), ("candidate", "chat"), *[(one, "embedding") for one in ("baseline", "twin", "stranger")]]:
            servers[name, task] = Llama(folder, name, task)
            stack.callback(servers[name, task].stop)
        self.primary, self.copy = Tap(servers["baseline", "chat"]), Tap(servers["candidate", "chat"])
        for tap in (self.primary, self.copy):
            stack.callback(tap.stop)
        routes = [case_route(case.name, compare=case.compare, shadows=[shadow(**case.shadow)]) for case in CASES]
        vectors = {"task": {"embedding": {"cosine": 0.99}}}
        for form in ("float", "base64"):
            for name in ("twin", "stranger"):
                routes.append(case_route(f"{name}-{form}", "openai", compare=vectors, shadows=[shadow(cluster=name)]))
        in_decimals = shadow(cluster="twin", request={"body": {"remove": ["encoding_format"]}})
        routes.append(case_route("mixed-vectors", compare=vectors, shadows=[in_decimals]))
        small = shadow(when={"body": [{"path": "model", "exact": "large"}, {"path": "max_tokens", "at_most": 8}]}, request=SMALL)
        routes += [case_route("shaped", shadows=[small]), case_route("error", shadows=[shadow()]), case_route("whole-again")]
        clusters = {"primary": self.primary, "shadow": self.copy, "embed": servers["baseline", "embedding"]}
        clusters |= {name: servers[name, "embedding"] for name in ("twin", "stranger")}
        to_embed = {"match": {"path": "/v1/embeddings"}, "route": {"cluster": "embed"}}
        the_rest = {"match": {"prefix": "/"}, "route": {"cluster": "primary"}}
        self.proxy = lab.proxy(configuration(*routes), clusters, routes=[to_embed, the_rest])
        ports = {"proxy": self.proxy.port, "primary": servers["baseline", "chat"].port, "copy": servers["candidate", "chat"].port}
        self.client, *self.direct = (self.client_of(stack, port) for port in ports.values())
        self.embedders = [self.client_of(stack, servers[name, "embedding"].port) for name in ("baseline", "twin", "stranger")]

    def client_of(self, stack, port):
        client = OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, max_retries=0)
        stack.callback(client.close)
        return client

    def received(self, tap, name):
        """The requests of a case that arrived at a server."""
        return [received for received in tap.seen if received.header(HEADER) == name]


SMALL = {"model": "small", "body": {"set": {"seed": 7, "stream": False}, "remove": ["stream_options", "user"]}}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    with ExitStack() as stack:
        yield Table(stack, tmp_path_factory.mktemp("llama"), stack.enter_context(Lab()))


def value_of(text):
    """What a text means that is an object or an array of JSON; nothing else does."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict | list) else None


def verdict(case, primary, copy):
    """What comparing two sides must say: the verdict and the kind."""
    if primary.ends != copy.ends and case.compare:
        return "diverged", {"finish"}
    values = [[value_of(text) for text in side.texts] for side in (primary, copy)]
    if case.compare and values[0] != values[1]:
        return "diverged", {"type", "missing", "extra", "length", "number", "text", "boolean", "null"}
    if (primary.texts, primary.ends) == (copy.texts, copy.ends) or case.compare:
        return "equivalent", set()
    return "diverged", {"text"} if primary.ends == copy.ends else {"text", "finish"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_pair(table, case):
    said, primary, copy = (case(client) for client in (table.client, *table.direct))
    assert (said.texts, said.ends) == (primary.texts, primary.ends)
    table.proxy.eventually("gnomon_shadow_outcomes_total", 1, route=case.name)
    metrics = table.proxy.metrics(case.name)
    assert metrics.by("gnomon_shadow_outcomes_total", "outcome", route=case.name) == {"compared": 1}
    word, kinds = verdict(case, primary, copy)
    assert metrics.by("gnomon_pairs_total", "verdict", route=case.name) == {word: 1}
    assert metrics.by("gnomon_divergences_total", "kind", route=case.name).keys() <= kinds
    sides = {"none": primary, "copy": copy}
    ends = {(subject, end_of_answer(side.ends)): 1 for subject, side in sides.items()}
    assert metrics.by("gnomon_answers_total", "subject", "kind", route=case.name) == ends
    tokens = {(subject, kind): n for subject, side in sides.items() if side.tokens for kind, n in side.tokens.items()}
    assert metrics.by("gnomon_tokens_total", "subject", "token", route=case.name) == tokens
    first_byte = "gnomon_first_byte_duration_microseconds_count"
    if case.stream:  # histograms appear a little later
        table.proxy.eventually(first_byte, 1, route=case.name, subject="none")
    assert metrics.total(first_byte, route=case.name, subject="copy") == 0


def vectors(client, name, form):
    """The embeddings of two texts."""
    more = {} if form == "base64" else {"encoding_format": form}  # base64 is what the client asks for by itself
    answer = client.embeddings.create(model="embed", input=["A sundial", "Der Schatten"], extra_headers={HEADER: name}, **more)
    return np.array([one.embedding for one in answer.data])


@pytest.mark.parametrize("form", ["float", "base64"])
@pytest.mark.parametrize("name, wanted", [("twin", "equivalent"), ("stranger", "diverged")])
def test_embeddings_are_compared_by_their_cosine(table, name, wanted, form):
    route = f"{name}-{form}"
    through, direct = vectors(table.client, route, form), vectors(table.embedders[0], route, form)
    np.testing.assert_allclose(through, direct, rtol=1e-5, atol=1e-6)
    other = vectors(table.embedders[1 if name == "twin" else 2], route, form)
    cosines = (direct * other).sum(axis=1) / np.linalg.norm(direct, axis=1) / np.linalg.norm(other, axis=1)
    assert (cosines >= 0.99).all() == (wanted == "equivalent"), cosines
    table.proxy.eventually("gnomon_pairs_total", 1, route=route)
    metrics = table.proxy.metrics(route)
    assert metrics.by("gnomon_pairs_total", "verdict", route=route) == {wanted: 1}
    assert metrics.by("gnomon_divergences_total", "kind", route=route) == ({"number": 1} if wanted == "diverged" else {})


def test_a_vector_in_base64_equals_the_same_in_decimals(table):
    vectors(table.client, "mixed-vectors", "base64")
    table.proxy.eventually("gnomon_pairs_total", 1, route="mixed-vectors", verdict="equivalent")


def test_the_copy_is_shaped(table):
    """Of three requests one qualifies; its copy is for another model, whole, and without credentials."""
    for model, tokens in (("large", 4), ("large", 9), ("tiny", 4)):
        ask = {"content": "hi", "model": model, "max_tokens": tokens, "user": "u1"}
        assert Case("shaped", ask, stream=True, usage=True)(table.client).texts
    table.proxy.eventually("gnomon_shadow_outcomes_total", 1, route="shaped")
    metrics = table.proxy.metrics("shaped")
    assert metrics.total("gnomon_sampled_total", route="shaped") == 1, "what does not qualify was never sampled"
    assert metrics.by("gnomon_pairs_total", "verdict", route="shaped") == {"equivalent": 1}
    originals, (copy,) = table.received(table.primary, "shaped"), table.received(table.copy, "shaped")
    sent, copied = json_of(originals[0]), json_of(copy)
    assert sent.pop("stream") and sent.pop("stream_options") and sent.pop("user")
    assert copied == {**sent, "model": "small", "seed": 7, "stream": False}
    assert originals[0].values("authorization") == [f"Bearer {KEY}"] and copy.values("authorization") == []


def json_of(received):
    """The body of a request."""
    return json.loads(received.body)


def test_a_request_that_makes_no_sense(table):
    with pytest.raises(BadRequestError, match="messages"):
        table.client.post("/chat/completions", cast_to=object, body={"model": "chat"}, options={"headers": {HEADER: "error"}})
    table.proxy.eventually("gnomon_shadow_outcomes_total", 1, route="error", outcome="both_refused")


def test_what_is_not_streamed_has_no_first_byte(table):
    case = Case("whole-again", CHATS["same"])
    case(table.client)
    table.proxy.eventually("gnomon_response_duration_microseconds_count", 1, route=case.name)
    assert table.proxy.metrics(case.name).total("gnomon_first_byte_duration_microseconds_count") == 0
