"""A proxy whose stats matcher hides the figures of the filter: clients get their answers, and the log says what is lost."""

import pytest
from rig.client import request
from rig.configuration import configuration, gate, route, shadow
from rig.load import Clients
from rig.upstream import Reply

GATED = configuration(route(shadows=[shadow()], gates=[gate("agreement", "copy", "diverged", 2)]))
EXCLUDES = {"exclusion_list": {"patterns": [{"prefix": "wasmcustom.gnomon_"}]}}
INCLUDES = {"inclusion_list": {"patterns": [{"prefix": prefix} for prefix in ("listener.", "wasmcustom.gnomon_")]}}
WORKERS = 2


@pytest.mark.parametrize("matcher, hidden", [(EXCLUDES, True), (INCLUDES, False)], ids=["excluded", "included"])
def test_hidden_figures_are_told_of(lab, matcher, hidden):
    upstreams = {name: lab.upstream(Reply(b"{}")) for name in ("primary", "shadow")}
    state = None if hidden else 1
    proxy = lab.proxy(GATED, upstreams, concurrency=WORKERS, stats={"stats_matcher": matcher}, state=state)
    with Clients(proxy) as clients:
        answers = clients.ask([request(close=False) for _ in range(40)])
    assert {(answer.status, answer.body) for answer in answers} == {(200, b"{}")}
    upstreams["shadow"].wait(40)
    lines = [line for line in proxy.log().splitlines() if "a stats matcher hides them" in line]
    # Each worker takes the configuration once. The main thread tries it before, once or twice.
    assert WORKERS <= len(lines) <= WORKERS + 2 if hidden else not lines
