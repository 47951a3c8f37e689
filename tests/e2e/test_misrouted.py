"""Splits that Envoy's routes follow, and that they don't: whether a canary passes that never answered. Two workers."""

import time

from rig.client import request
from rig.configuration import configuration, gate, route, split
from rig.envoy import by_variant
from rig.gates import PASS, UNDECIDED, counts, state_of
from rig.load import Clients
from rig.upstream import Reply
from rig.waiting import until

VARIANTS = {"v1": "baseline", "v2": "canary"}
GATES = [gate("errors", "v2", "failed", 10), gate("baseline", "v1", "failed", 10)]
LOOKS = 45
"""Seconds in which looks, 10 s apart, have covered 30 s."""


def proxy(lab, routes, **more):
    """A proxy whose canary has half of the users, who all get a good answer."""
    configured = configuration(route(split=split(canaries=[("v2", 50)], **more), gates=GATES))
    upstreams = {cluster: lab.upstream(Reply(b"fine")) for cluster in VARIANTS.values()}
    return lab.proxy(configured, upstreams, routes=routes, concurrency=2), upstreams


def misrouted(proxy):
    metrics = proxy.metrics()
    return [metrics.total("gnomon_split_misrouted", variant=variant) for variant in VARIANTS]


def test_a_canary_for_which_the_baseline_answers_does_not_pass(lab):
    wrong, wrong_upstreams = proxy(lab, by_variant(VARIANTS, header="x-variant"))
    right, _ = proxy(lab, by_variant(VARIANTS))
    meant, _ = proxy(lab, by_variant(VARIANTS, header="x-variant"), same_cluster=True)
    asked = [request(headers={"x-user-id": f"user-{number}"}, close=False) for number in range(60)]
    with Clients(wrong) as one, Clients(right) as two, Clients(meant) as three:

        def look():
            for clients in (one, two, three):
                assert {answer.status for answer in clients.ask(asked)} == {200}
            return misrouted(wrong) == [1, 1]

        begun = time.monotonic()
        until(look, "the mistake to be found", LOOKS + 15)
        assert time.monotonic() - begun > 29, "routes may be deployed later than the split"
        look()
    assert not wrong_upstreams["canary"].seen
    assert [misrouted(each) for each in (right, meant)] == [[0, 0], [0, 0]]
    for each, state in [(wrong, UNDECIDED), (right, PASS), (meant, PASS)]:
        metrics = each.metrics()
        assert counts(metrics, "errors")[1] > 100 and [state_of(metrics, one["name"]) for one in GATES] == [state, state]
    lines = [line for line in wrong.evidence() if "misrouted" in line]
    assert 1 <= len(lines) <= 2, "each worker that finds it says so, and both may at the same moment"
    assert (lines[0]["misrouted"], lines[0]["variants"]) == ("baseline", ["v1", "v2"]) and "x-gnomon-variant" in lines[0]["hint"]
    assert not [line for each in (right, meant) for line in each.evidence() if "misrouted" in line]
