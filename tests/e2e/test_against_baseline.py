"""A canary against the baseline, by the first events of keys: what each event counts, at a proxy of two workers; that a canary that refuses
all is cut off, and that one client can't bring that about; and shares that move."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from rig import gates, oracle
from rig.client import Connection, exchange, request
from rig.configuration import configuration, gate, route, split
from rig.envoy import by_variant
from rig.invariants import settled
from rig.lab import Lab
from rig.load import Clients
from rig.openai import stream
from rig.upstream import Pause, Reply
from rig.waiting import until

CHAT, PREDICT = "/v1/chat/completions", "/v1/models/iris:predict"
SLOW = 1.4
USERS = [f"user-{number}" for number in range(24)]
CANARIES = [("v2", 50)]


def chat(finish="stop", **message):
    """A generated answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "hello"} | message, "finish_reason": finish}
    return Reply(json.dumps({"choices": [choice]}).encode())


def streamed(finish="stop", **more):
    """The same as a stream."""
    chunk = lambda delta, end: {"choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
    return Reply(stream([chunk({"content": "hello"}, None), chunk({}, finish)]), 200, (), "text/event-stream", True, **more)


ERROR_EVENT = Reply(stream([{"choices": []}, {"error": {"message": "out of memory"}}]), 200, (), "text/event-stream", True)
LONG = chat("length", content="x" * 400_000)
# What happens at the canary, the event, and whether it is one.
CASES = {
    "404": (Reply(status=404), "refused", True),
    "429": (Reply(status=429), "refused", True),
    "302": (Reply(b"", status=302), "refused", False),
    "503": (Reply(status=503), "failed", True),
    "reset": (Reply(ending="reset"), "failed", True),
    "error": (Reply(b'{"error": "not ready"}'), "failed", True),
    "error-alone": (Reply(b'{"error": {"message": "no"}}'), "error", True),
    "error-event": (ERROR_EVENT, "error", True),
    "no-error": (chat(), "error", False),
    "slow": (replace(chat(), delay=SLOW), {"slower_than": "1s"}, True),
    "fast": (chat(), {"slower_than": "1s"}, False),
    "late": (streamed(delay=SLOW), {"first_byte_slower_than": "1s"}, True),
    "late-to-end": (streamed(middle=Pause(SLOW)), {"first_byte_slower_than": "1s"}, False),
    "empty": (chat(content=""), "empty", True),
    "only-thoughts": (chat(content=None, reasoning="hm"), "empty", True),
    "refusal": (chat(content=None, refusal="no"), "refusal", True),
    "length": (chat("length"), "length", True),
    "length-stream": (streamed("length"), "length", True),
    "length-long": (LONG, "length", True),
    "stop": (chat("stop"), "length", False),
}


def judged(event, limit=50):
    """The gate."""
    return gate("worse", "v2", "worse_than_baseline", limit, event=event)


def path(name):
    """Where a case is asked for."""
    return f"/{name}{PREDICT if name == 'error' else CHAT}"


def told(metrics, **labels):
    """Bad trials, trials, and what the limits of the trials add up to."""
    return (*gates.counts(metrics, "worse", **labels), metrics.total("gnomon_gate_limit_sum_ppm_total", gate="worse", **labels))


def first_of(users):
    """So many of them have a bit of their own."""
    return len({oracle.first_event_bit(user) for user in users})


def at_canary(name):
    """How many of the users' first events are at the canary, if it has one for each request."""
    return first_of(user for user in USERS if oracle.variant(user, name, "v1", CANARIES) == "v2")


@pytest.fixture(scope="module")
def figures():
    """The figures once every user has asked for every case several times, and then for each at a baseline where it happens, too."""
    both = [f"{name}-both" for name in ("404", "length")]
    routes = [route(name, f"/{name}/", protocol="auto", split=split(canaries=CANARIES), gates=[judged(event)])
              for name, (_, event, _) in CASES.items()]  # fmt: skip
    routes += [route(name, f"/{name}/", protocol="auto", split=split(canaries=CANARIES), gates=[judged(CASES[name[:-5]][1])]) for name in both]
    with Lab() as lab:
        case_of = lambda received: received.path.split("/")[1]
        answer = lambda received: CASES[case_of(received).removesuffix("-both")][0]
        fine = lambda received: answer(received) if case_of(received).endswith("-both") else chat()
        clusters = {"v1": lab.upstream(fine), "v2": lab.upstream(answer)}
        proxy = lab.proxy(configuration(*routes), clusters, concurrency=2, routes=by_variant({"v1": "v1", "v2": "v2"}))
        asked = [(name, user) for name in [*CASES, *both] for user in USERS] * 2
        with ThreadPoolExecutor(48) as pool:
            answers = list(pool.map(lambda one: exchange(proxy.port, request(path(one[0]), headers={"x-user-id": one[1]})), asked))
        assert len(answers) == len(asked)
        until(lambda: told(proxy.metrics(), route="length-long")[1] == at_canary("length-long"), "long answers to be read")
        yield settled(proxy)


@pytest.mark.parametrize("name", CASES)
def test_the_first_event_of_a_key_counts(figures, name):
    counted = at_canary(name) * CASES[name][2]
    assert told(figures, route=name) == (counted, counted, 500_000 * counted)
    assert counted >= 5 or not CASES[name][2]


@pytest.mark.parametrize("name", ["404-both", "length-both"])
def test_what_happens_at_the_baseline_counts_too(figures, name):
    bad, trials, limits = told(figures, route=name)
    assert (trials, limits) == (first_of(USERS), 500_000 * trials)
    assert bad == sum(oracle.variant(user, name, "v1", CANARIES) == "v2" for user in USERS)
    assert gates.state_of(figures, "worse", route=name) == gates.UNDECIDED


def test_a_canary_that_refuses_all_is_cut_off_and_one_client_does_not_bring_that_about(lab):
    share = [("v2", 10)]
    configured = route(split=split(canaries=share), gates=[judged("refused")], guardrail={"gates": ["worse"]})
    upstreams = {"v1": lab.upstream(Reply(b"fine")), "v2": lab.upstream(Reply(status=404))}
    proxy = lab.proxy(configuration(configured), upstreams, concurrency=2, routes=by_variant({"v1": "v1", "v2": "v2"}))
    of_canary = (user for user in map(str, range(100_000)) if oracle.variant(user, "main", "v1", share) == "v2")
    loud = next(of_canary)
    with Connection(proxy.port) as client:
        for _ in range(500):
            client.send(request(headers={"x-user-id": loud}, close=False)).answer()
    assert told(settled(proxy)) == (1, 1, 100_000), "five hundred refusals of one client are one trial"
    tripped = lambda: proxy.metrics().total("gnomon_guardrail_tripped", variant="v2") > 0
    assert not tripped()
    with Clients(proxy) as clients, clients.asking(lambda number: request(headers={"x-user-id": str(number)}, close=False)) as asked:
        until(tripped, "the cut-off")
        until(lambda: asked[-1].answer.status == 200, "the baseline to answer")
    bad, trials, limits = told(settled(proxy))
    assert 20 <= trials <= 20 + len(clients) and bad == trials, "the guardrail's least trials, and what was under way"
    assert limits == 100_000 * trials
    assert gates.state_of(proxy.metrics(), "worse") == gates.FAIL


@pytest.mark.parametrize("new_vm", [False, True], ids=["same-vm", "new-vm"])
def test_shares_may_move(lab, new_vm):
    shares = lambda *percents: [(name, percent) for name, percent in zip(("v2", "v3"), percents, strict=True)]
    of = lambda *percents: configuration(route(split=split(canaries=shares(*percents)), gates=[judged("refused")]))
    upstreams = {name: lab.upstream(Reply(status=404)) for name in ("v1", "v2", "v3")}
    proxy, plane = lab.managed(of(5, 20), upstreams, concurrency=2, routes=by_variant({name: name for name in upstreams}))
    bad = trials = limits = 0
    seen = set()
    for step, percents in enumerate([(5, 20), (30, 20), (60, 20), (0, 20), (10, 0)]):
        if step:
            plane.push(proxy, of(*percents), new_vm)
        for user in (f"{step}-{number}" for number in range(30)):
            exchange(proxy.port, request(headers={"x-user-id": user}))
            variant = oracle.variant(user, "main", "v1", shares(*percents))
            bit = oracle.first_event_bit(user)
            if variant != "v3" and percents[0] and bit not in seen:
                seen.add(bit)
                rest = 100 - sum(percents)
                bad, trials = bad + (variant == "v2"), trials + 1
                limits += -(-1_000_000 * percents[0] // (percents[0] + rest))
        assert told(settled(proxy)) == (bad, trials, limits), percents
    assert trials > 80
