"""The official OpenAI client at scripted servers that follow the published schema: tool calls, refusals, filters, several choices."""

from contextlib import ExitStack

import pytest
from openai import OpenAI
from rig.configuration import configuration, shadow, split
from rig.envoy import by_variant, wasm_filter
from rig.lab import WASM, Lab
from rig.openai import SCENARIOS, USAGE, VECTORS
from rig.openai import OpenAI as Scripted
from rig.upstream import Gate, Reply

from traffic import HEADER, case_route, end_of_answer

WHOLE = {"request": {"body": {"set": {"stream": False}, "remove": ["stream_options"]}}}
FORMS = {"whole": {}, "stream": {}, "mixed": WHOLE}
"""How the client asks; `mixed`: for a stream, while the shadow is asked for one piece."""
TASKS = {"auto": "auto", "structure": "structure", "spaces": {"text": {"whitespace": "normalised"}}}

TEXT, TOOLS, REFUSAL, FINISH = {"text"}, {"tools"}, {"refusal"}, {"finish"}
EXPECTED = {
    # Scenario: the kinds that may be given with task auto, with structure, and with text but for white space; None: equal.
    "text-same": (None, None, None),
    "tools-same": (None, None, ...),
    "tools-two-same": (None, None, ...),
    "refusal-same": (REFUSAL | TEXT, None, ...),
    "filter-same": (None, None, None),
    "json-same": (TEXT, None, TEXT),
    "choices-same": (None, None, None),
    "spaces": (TEXT, None, None),
    "wording": (TEXT, None, TEXT),
    "choices-text": (TEXT, None, TEXT),
    "choices-count": ({"length", "missing"}, {"length", "missing"}, ...),
    "tools-arguments": (TOOLS, TOOLS, ...),
    "tools-name": (TOOLS, TOOLS, ...),
    "tools-count": (TOOLS, TOOLS, ...),
    "tools-broken": (TOOLS, TOOLS, ...),
    "tools-custom": (TOOLS, TOOLS, ...),
    "tools-none": (TOOLS | FINISH, TOOLS | FINISH, ...),
    "refusal": (REFUSAL, REFUSAL, ...),
    "filter": (FINISH | TEXT, FINISH, TEXT),
    "length": (FINISH | TEXT, FINISH, TEXT),
    "json-broken": (TEXT, {"type"}, TEXT),
    "json-value": (TEXT, TEXT, TEXT),
    "empty": (TEXT, ..., TEXT),
}


def cases():
    """(scenario, form, task) of which it is known what must be said."""
    for scenario, kinds in EXPECTED.items():
        for task, wanted in zip(TASKS, kinds, strict=True):
            if wanted is not ...:
                for form in FORMS if task == "auto" else ["whole", "mixed"]:
                    yield scenario, form, task, wanted


CASES = list(cases())


def name_of(scenario, form, task):
    """The name of a case's route, at most 32 characters."""
    return f"{scenario}-{form}-{task[:4]}"


class Table:
    """The proxy, the scripted servers, and the client."""

    def __init__(self, stack, lab):
        self.primary, self.copy = lab.upstream(Scripted("baseline")), lab.upstream(Scripted("candidate"))
        routes = [
            case_route(name_of(scenario, form, task), compare={"task": TASKS[task]}, shadows=[shadow(**FORMS[form])])
            for scenario, form, task, _ in CASES
        ]
        routes.append(case_route("dimension", shadows=[shadow()]))
        self.proxy = lab.proxy(configuration(*routes), {"primary": self.primary, "shadow": self.copy})
        self.client = client_of(stack, self.proxy)


def client_of(stack, proxy):
    """The official client at a proxy."""
    client = OpenAI(base_url=f"http://127.0.0.1:{proxy.port}/v1", api_key="x", max_retries=0)
    stack.callback(client.close)
    return client


@pytest.fixture(scope="module")
def table():
    with ExitStack() as stack:
        yield Table(stack, stack.enter_context(Lab()))


def ask(client, scenario, route, stream):
    """Asks for a scenario and returns, for each choice, what the client read: (text, calls, refusal, finish)."""
    more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    messages = [{"role": "user", "content": scenario}]
    answer = client.chat.completions.create(model="scripted", messages=messages, extra_headers={HEADER: route}, **more)
    return joined(answer) if stream else [read(choice) for choice in answer.choices]


def read(choice):
    """One choice of a whole answer."""
    calls = []
    for call in choice.message.tool_calls or []:
        calls.append((call.function.name, call.function.arguments) if call.type == "function" else (None, call.custom.input))
    return choice.message.content, tuple(calls), choice.message.refusal, choice.finish_reason


def joined(events):
    """The choices of a streamed answer, put together as a client does."""
    texts, refusals, calls, ends = {}, {}, {}, {}
    for event in events:
        for choice in event.choices:
            index, delta = choice.index, choice.delta
            for parts, part in ((texts, delta.content), (refusals, delta.refusal)):
                parts[index] = part if parts.get(index) is None else parts[index] + (part or "")
            for call in delta.tool_calls or []:
                name, arguments = calls.setdefault(index, {}).get(call.index, (None, ""))
                calls[index][call.index] = (call.function.name or name, arguments + (call.function.arguments or ""))
            ends[index] = choice.finish_reason or ends.get(index)
    return [(texts[i], tuple(calls.get(i, {}).values()), refusals[i], ends[i]) for i in sorted(ends)]


@pytest.mark.parametrize("scenario, form, task, wanted", CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_scenario(table, scenario, form, task, wanted):
    route, baseline = name_of(scenario, form, task), SCENARIOS[scenario][0]
    seen = ask(table.client, scenario, route, form != "whole")
    custom = form != "whole" and scenario == "tools-custom"  # streamed like functions
    said = [(c.text, tuple((name or ("python" if custom else None), a) for name, a in c.calls), c.refusal, c.finish) for c in baseline]
    assert seen == said
    table.proxy.eventually("gnomon_shadow_outcomes_total", 1, route=route)
    metrics = table.proxy.metrics(route)
    assert metrics.by("gnomon_shadow_outcomes_total", "outcome", route=route) == {"compared": 1}
    assert metrics.by("gnomon_pairs_total", "verdict", route=route) == {"diverged" if wanted else "equivalent": 1}
    kinds = metrics.by("gnomon_divergences_total", "kind", route=route)
    assert kinds.keys() <= (wanted or set()), kinds
    tokens = {}
    for subject, side in (("none", "baseline"), ("copy", "candidate")):
        tokens[subject, "prompt"], tokens[subject, "completion"] = USAGE[side]
    assert metrics.by("gnomon_tokens_total", "subject", "token", route=route) == tokens
    ends = [end_of_answer(end_of(choice) for choice in choices) for choices in SCENARIOS[scenario]]
    answers = {("none", ends[0]): 1, ("copy", ends[1]): 1}
    assert metrics.by("gnomon_answers_total", "subject", "kind", route=route) == answers


def end_of(choice):
    """How a choice ended, in the words of `gnomon_answers_total`."""
    if choice.refusal:
        return "refusal"
    if choice.finish == "stop" and not choice.text and not choice.calls:
        return "empty"
    return choice.finish


def test_embeddings_of_other_dimensions(table):
    answer = table.client.embeddings.create(model="e", input=["a", "b"], encoding_format="float", extra_headers={HEADER: "dimension"})
    assert [one.embedding for one in answer.data] == list(VECTORS["baseline"])
    table.proxy.eventually("gnomon_pairs_total", 1, route="dimension")
    assert table.proxy.metrics("dimension").by("gnomon_divergences_total", "kind", route="dimension") == {"dimension": 1}


def test_events_reach_the_client_as_they_come(lab):
    """The first half of a stream arrives while the server holds back the second; then the shadow's answer is compared with all of it."""
    script = Scripted("baseline")

    def held_back(received):
        return Reply(**{**vars(script(received)), "middle": gate})

    gate = Gate()
    primary, copy = lab.upstream(held_back), lab.upstream(Scripted("baseline"))
    proxy = lab.proxy(configuration(case_route("live", shadows=[shadow()])), {"primary": primary, "shadow": copy})
    with ExitStack() as stack:
        client = client_of(stack, proxy)
        messages = [{"role": "user", "content": "text-same"}]
        events = client.chat.completions.create(model="scripted", messages=messages, stream=True, extra_headers={HEADER: "live"})
        first = next(events)
        assert first.choices[0].delta.role == "assistant"
        copy.wait()
        gate.open()
        texts = [choice.delta.content for event in events for choice in event.choices]
        assert "".join(text or "" for text in texts) == SCENARIOS["text-same"][0][0].text
    proxy.eventually("gnomon_pairs_total", 1, route="live", verdict="identical")


def test_a_client_that_leaves_after_done_has_its_answer(lab):
    """The official client closes the connection at `[DONE]`, before it has seen that the body ends there: it has all of its answer."""
    script, gate = Scripted("baseline"), Gate()

    def held_back(received):
        reply = script(received)
        # The second half of the body, which is held back, is a comment as long as all the rest.
        comment = b":" + b" " * (len(reply.body) - 3) + b"\n\n"
        return Reply(reply.body + comment, content_type=reply.content_type, chunked=True, middle=gate)

    primary, copy = lab.upstream(held_back), lab.upstream(Scripted("candidate"))
    proxy = lab.proxy(configuration(case_route("left", shadows=[shadow()])), {"primary": primary, "shadow": copy})
    with ExitStack() as stack:
        said = ask(client_of(stack, proxy), "text-same", "left", True)
    assert said[0][0] == SCENARIOS["text-same"][0][0].text
    proxy.eventually("gnomon_shadow_outcomes_total", 1, route="left")
    gate.open()
    metrics = proxy.metrics("left")
    assert metrics.by("gnomon_shadow_outcomes_total", "outcome") == {"compared": 1}
    assert metrics.by("gnomon_responses_total", "class") == {"2xx": 1}


def test_what_variants_tell_is_counted_under_their_names(lab):
    """A canary answers whoever is pinned to it: its tokens, ends and first bytes are its own. Only answers that are compared are read."""
    servers = {side: lab.upstream(Scripted(side)) for side in ("baseline", "candidate")}
    pinned = split("v1", [("v2", 0)], pins=[{"header": "x-pin", "exact": "v2", "variant": "v2"}])
    clusters = {"one": servers["baseline"], "two": servers["candidate"], "shadow": lab.upstream(Scripted("candidate"))}
    both = case_route("split", split=pinned, shadows=[shadow(of=["v1", "v2"])])
    proxy = lab.proxy(configuration(both), clusters, routes=by_variant({"v1": "one", "v2": "two"}))
    with ExitStack() as stack:
        client = client_of(stack, proxy)
        for stream in (False, True):
            ask(client, "length", "split", stream)
            ask(client.with_options(default_headers={"x-pin": "v2"}), "length", "split", stream)
    for subject in ("v1", "v2"):
        proxy.eventually("gnomon_first_byte_duration_microseconds_count", 1, route="split", subject=subject)
    proxy.eventually("gnomon_shadow_outcomes_total", 4, route="split")
    metrics = proxy.metrics("split")
    ends = {("v1", "stop"): 2, ("v2", "length"): 2, ("copy", "length"): 4}
    assert metrics.by("gnomon_answers_total", "subject", "kind") == ends
    tokens = {subject: count * USAGE["baseline" if subject == "v1" else "candidate"][1] for (subject, _), count in ends.items()}
    assert metrics.by("gnomon_tokens_total", "subject", token="completion") == tokens
    versions = {("v1", "scripted-1"): 2, ("v2", "scripted-2"): 2, ("copy", "scripted-2"): 4}
    assert metrics.by("gnomon_model_versions_total", "subject", "model_version") == versions


def test_a_key_from_the_environment_reaches_the_shadow_alone(lab):
    primary, copy = lab.upstream(Scripted("baseline")), lab.upstream(Scripted("candidate"))
    told = {"headers": {"from_env": {"authorization": "SHADOW_AUTH"}}}
    text = configuration(case_route("secret", shadows=[shadow(request=told)]))
    filters = [wasm_filter(WASM, text, environment={"SHADOW_AUTH": "Bearer for-the-shadow"})]
    proxy = lab.proxy(None, {"primary": primary, "shadow": copy}, filters=filters)
    with ExitStack() as stack:
        ask(client_of(stack, proxy), "text-same", "secret", False)
    proxy.eventually("gnomon_pairs_total", 1, route="secret")
    assert [one.seen[0].values("authorization") for one in (primary, copy)] == [["Bearer x"], ["Bearer for-the-shadow"]]
