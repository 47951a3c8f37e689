"""A scripted server of OpenAI's interface, for what small real models don't do: tool calls, refusals, filters, several choices.

The user's message names a scenario; which side answers (`baseline` or `candidate`) is fixed for a server, and the request's `stream` and
`stream_options` decide the form. The answers follow the published schema; that the official client reads them is tested where that
client is installed (`tests/real`).
"""

import json
from dataclasses import dataclass

from .upstream import Reply

PIECE = 5
"""Characters of text, or of a tool's arguments, in one delta."""


@dataclass(frozen=True)
class Choice:
    """What one choice says. `calls` are (name, arguments as text); a call with the name None is a custom tool's input."""

    text: str | None = None
    finish: str = "stop"
    calls: tuple = ()
    refusal: str | None = None


def says(text, finish="stop"):
    """One choice of text."""
    return [Choice(text, finish)]


def calls(*calls_):
    """One choice that calls tools."""
    return [Choice(finish="tool_calls", calls=calls_)]


def refuses(text):
    """One choice that refuses."""
    return [Choice(refusal=text)]


OSLO = ("weather", '{"city":"Oslo","days":3}')
SCENARIOS = {
    # Equal for every user.
    "text-same": (says("Der Schatten fällt nach Norden: 🕛."), says("Der Schatten fällt nach Norden: 🕛.")),
    "tools-same": (calls(OSLO), calls(("weather", '{ "days": 3, "city": "Oslo" }'))),
    "tools-two-same": (calls(OSLO, ("time", "{}")), calls(OSLO, ("time", "{}"))),
    "refusal-same": (refuses("I can't help with that."), refuses("Sorry, I can't assist with this.")),
    "filter-same": (says("The first st", "content_filter"), says("The first st", "content_filter")),
    "json-same": (says('{"city":"Oslo","days":3}'), says('{\n  "days": 3,\n  "city": "Oslo"\n}')),
    "choices-same": (says("one") + says("two and a half") + says("three"), says("one") + says("two and a half") + says("three")),
    # Other words, to the same effect.
    "spaces": (says("It is noon.\nNo shadow."), says("It is  noon. No shadow.\n")),
    "wording": (says("It is noon."), says("The sun stands in the south.")),
    # Other answers.
    "choices-text": (says("one") + says("two") + says("three"), says("one") + says("two!") + says("three")),
    "choices-count": (says("one") + says("two"), says("one")),
    "tools-arguments": (calls(OSLO), calls(("weather", '{"city":"Rome","days":3}'))),
    "tools-name": (calls(OSLO), calls(("forecast", '{"city":"Oslo","days":3}'))),
    "tools-count": (calls(OSLO, ("time", "{}")), calls(OSLO)),
    "tools-broken": (calls(OSLO), calls(("weather", '{"city":"Oslo","days":'))),
    "tools-custom": (calls((None, "print(1)")), calls((None, "print(2)"))),
    "tools-none": (calls(OSLO), says("It rains in Oslo.")),
    "refusal": (says("First, mix the two."), refuses("I can't help with that.")),
    "filter": (says("The first stone was thrown."), says("The first st", "content_filter")),
    "length": (says("One, two, three."), says("One, two", "length")),
    "json-broken": (says('{"city":"Oslo"}'), says('{"city":"Oslo"')),
    "json-value": (says('{"city":"Oslo"}'), says('{"city":"Rome"}')),
    "empty": (says("It is noon."), says("")),
}
"""Name: the choices of the baseline, those of the candidate."""

USAGE = {"baseline": (21, 34), "candidate": (21, 55)}
"""Tokens of each side: prompt, completion."""
VECTORS = {"baseline": ([0.6, 0.8, 0.0], [0.0, 1.0, 0.0]), "candidate": ([0.6, 0.8, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0])}
"""The embeddings that each side answers: here the candidate's have another dimension."""


class OpenAI:
    """A script for `Upstream`."""

    def __init__(self, side="baseline"):
        self.side = side

    def __call__(self, received):
        """The answer to a request."""
        asked = json.loads(received.body)
        if received.path.endswith("/embeddings"):
            usage = {"prompt_tokens": 8, "total_tokens": 8}
            return _whole({"object": "list", "model": asked["model"], "data": self._vectors(), "usage": usage})
        scenario = asked["messages"][-1]["content"]
        if scenario not in SCENARIOS:
            error = {"message": f"no scenario {scenario}", "type": "invalid_request_error", "param": None, "code": None}
            return Reply(json.dumps({"error": error}).encode(), status=400)
        choices = SCENARIOS[scenario][self.side == "candidate"]
        if not asked.get("stream"):
            return _whole(self._head("chat.completion") | {"choices": whole(choices, self.side), "usage": self._usage()})
        events = [self._head("chat.completion.chunk") | event for event in deltas(choices, self.side)]
        if (asked.get("stream_options") or {}).get("include_usage"):
            events = [event | {"usage": None} for event in events]
            events.append(self._head("chat.completion.chunk") | {"choices": [], "usage": self._usage()})
        return Reply(stream(events), content_type="text/event-stream; charset=utf-8", chunked=True)

    def _head(self, kind):
        """The volatile members: no two sides agree on them."""
        number = 1 + (self.side == "candidate")
        return {
            "id": f"chatcmpl-{number}",
            "object": kind,
            "created": 1_700_000_000 + number,
            "model": f"scripted-{number}",
            "service_tier": "default",
            "system_fingerprint": f"fp_{number}",
        }

    def _usage(self):
        prompt, completion = USAGE[self.side]
        made = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        return made | {"prompt_tokens_details": {"cached_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 0}}

    def _vectors(self):
        return [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(VECTORS[self.side])]


def whole(choices, side):
    """The `choices` of an answer in one piece."""
    made = []
    for index, choice in enumerate(choices):
        message = {"role": "assistant", "content": choice.text, "refusal": choice.refusal, "annotations": []}
        if choice.calls:
            message["tool_calls"] = [_call(side, number, *call) for number, call in enumerate(choice.calls)]
        made.append({"index": index, "message": message, "logprobs": None, "finish_reason": choice.finish})
    return made


def _call(side, number, name, arguments):
    identity = {"id": f"call_{side}_{number}"}
    if name is None:
        return identity | {"type": "custom", "custom": {"name": "python", "input": arguments}}
    return identity | {"type": "function", "function": {"name": name, "arguments": arguments}}


def deltas(choices, side):
    """The events of a streamed answer without their head, the choices taking turns."""
    waiting = [list(_deltas_of(index, choice, side)) for index, choice in enumerate(choices)]
    while any(waiting):
        for one in waiting:
            if one:
                yield {"choices": [one.pop(0)]}


def _deltas_of(index, choice, side):
    def event(delta, finish=None):
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}

    begins_with_text = choice.text is not None
    yield event({"role": "assistant", "content": "" if begins_with_text else None, "refusal": None})
    for text in _pieces(choice.text):
        yield event({"content": text})
    for text in _pieces(choice.refusal):
        yield event({"refusal": text})
    for number, (name, arguments) in enumerate(choice.calls):
        # The schema has no deltas for custom tools: they stream like functions.
        begun = {"id": f"call_{side}_{number}", "type": "function", "function": {"name": name or "python", "arguments": ""}}
        yield event({"tool_calls": [{"index": number} | begun]})
        for text in _pieces(arguments):
            yield event({"tool_calls": [{"index": number, "function": {"arguments": text}}]})
    yield event({}, choice.finish)


def _pieces(text):
    return [text[at:at + PIECE] for at in range(0, len(text), PIECE)] if text else []


def stream(events):
    """Server-sent events as OpenAI writes them."""
    lines = [json.dumps(event, ensure_ascii=False, separators=(",", ":")) for event in events]
    return "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()


def _whole(answer):
    return Reply(json.dumps(answer, ensure_ascii=False, indent=2).encode())
