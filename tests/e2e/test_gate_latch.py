"""What a gate remembers: a failure, through updates in the VMs that run and in new ones, until the experiment changes; a pass never. And
what it does not look at: the time in which its subject warms up."""

import time

import pytest
from rig import gates
from rig.client import request
from rig.configuration import configuration, gate, route, shadow
from rig.gates import FAIL, PASS, UNDECIDED
from rig.invariants import settled
from rig.load import Clients
from rig.upstream import Reply
from rig.waiting import until

SAME, OTHER = Reply(b'{"p": 1}'), Reply(b'{"p": 2}')
AGREEMENT, COVERAGE = gate("agreement", "copy", "diverged", 20), gate("coverage", "copy", "coverage", 50)
VMS = pytest.mark.parametrize("new_vm", [False, True], ids=["same-vm", "new-vm"])
TERMS = [f"gnomon_gate_{name}" for name in "state limit_ppm alpha_ppm min_trials".split()]


def judging(*judged, bound=500, more=(), **route_more):
    """A configuration with one shadow, `copy`; another `bound` makes it another, and changes nothing here."""
    return configuration(route(shadows=[shadow(max_in_flight=bound, **dict(more))], gates=list(judged), **route_more))


class Judged:
    """A proxy of two workers under a control plane, whose shadow answers as it is asked to."""

    def __init__(self, lab, configured, new_vm=False):
        differs = lambda received: OTHER if received.path == "/v1/different" else SAME
        upstreams = {"primary": lab.upstream(SAME), "shadow": lab.upstream(differs)}
        self.proxy, self.plane = lab.managed(configured, upstreams, concurrency=2)
        self.new_vm = new_vm

    def ask(self, equal=0, different=0):
        """Sends so many requests, and returns the figures when all is over."""
        with Clients(self.proxy, 4) as clients:
            clients.ask([request("/v1/different", close=False)] * different + [request(close=False)] * equal)
        return settled(self.proxy)

    def update(self, configured):
        """Pushes a configuration and returns the figures once it is in force everywhere."""
        vms = self.proxy.stat("wasm.wasm_vm_count")
        self.plane.push(self.proxy, configured, self.new_vm)
        until(lambda: self.proxy.stat("wasm.wasm_vm_count") == vms, "the old VMs to go")
        return settled(self.proxy)


def state(metrics, gate_="agreement", **labels):
    """The state and (bad, trials) of a gate."""
    return gates.state_of(metrics, gate_, **labels), *gates.counts(metrics, gate_, **labels)


@VMS
def test_a_failed_gate_stays_failed_until_the_experiment_changes(lab, new_vm):
    judged = Judged(lab, judging(AGREEMENT, COVERAGE), new_vm)
    assert state(judged.ask(different=20)) == (FAIL, 20, 20)
    assert gates.state(20, 120, 200_000, 50_000) != FAIL, "the figures alone would no longer say so"
    assert state(judged.ask(equal=100)) == (FAIL, 20, 120)
    assert state(judged.update(judging(AGREEMENT, COVERAGE, bound=501))) == (FAIL, 20, 120), "what is read back"

    metrics = judged.update(judging(COVERAGE))
    assert [metrics.total(name, gate="agreement") for name in TERMS] == [0, 0, 0, 0], "a gate that is gone"
    assert gates.state_of(metrics, "coverage") == PASS
    assert state(judged.ask(equal=10)) == (UNDECIDED, 20, 120)
    assert state(judged.update(judging(COVERAGE, AGREEMENT))) == (FAIL, 20, 120), "back again"
    assert state(judged.ask(equal=50)) == (FAIL, 20, 170)

    metrics = judged.update(judging(AGREEMENT, experiment="afresh"))
    assert state(metrics, experiment="afresh") == (UNDECIDED, 0, 0)
    assert [metrics.total(name, experiment="exp") for name in TERMS] == [0, 0, 0, 0]
    assert state(judged.ask(equal=30), experiment="afresh") == (PASS, 0, 30)
    assert state(judged.ask(different=40), experiment="afresh") == (FAIL, 40, 70)


@VMS
def test_an_experiment_that_is_used_again_goes_on_where_it_stopped(lab, new_vm):
    judged = Judged(lab, judging(AGREEMENT), new_vm)
    assert state(judged.ask(different=20)) == (FAIL, 20, 20)
    judged.update(judging(AGREEMENT, experiment="afresh"))
    assert state(judged.ask(equal=30), experiment="afresh") == (PASS, 0, 30)
    assert state(judged.update(judging(AGREEMENT)), experiment="exp") == (FAIL, 20, 20)


@VMS
def test_a_pass_is_known_again_after_an_update(lab, new_vm):
    """It is what the figures say, also while no trial comes."""
    judged = Judged(lab, judging(AGREEMENT, COVERAGE), new_vm)
    assert state(judged.ask(equal=60)) == (PASS, 0, 60)
    assert state(judged.update(judging(AGREEMENT, COVERAGE, bound=501))) == (PASS, 0, 60)
    assert state(judged.update(judging({**AGREEMENT, "limit": 1}, COVERAGE, bound=501))) == (UNDECIDED, 0, 60), "at another limit"
    assert judged.proxy.metrics().total("gnomon_gate_limit_ppm", gate="agreement") == 10_000
    assert judged.proxy.log().count("gate agreement: limit from 20% to 1% under the same experiment") == 1, "a warning, once"


@VMS
def test_a_slice_that_failed_keeps_all_failed(lab, new_vm):
    fair, slices = gate("fair", "copy", "diverged", 20, each_slice=True), {"header": "x-region", "values": ["eu", "us"]}
    judged = Judged(lab, judging(fair, slices=slices), new_vm)
    metrics = judged.ask(different=20)
    assert metrics.by("gnomon_gate_state", "slice") == {"other": FAIL, "all": FAIL}
    judged.ask(equal=200)
    metrics = judged.update(judging(fair, bound=501, slices=slices))
    assert metrics.by("gnomon_gate_state", "slice") == {"other": FAIL, "all": FAIL}
    metrics = judged.update(judging(bound=501, slices=slices))
    assert metrics.by("gnomon_gate_state", "slice") == {}


@VMS
def test_a_number_of_pairs_to_warm_up(lab, new_vm):
    configured = lambda bound: judging(AGREEMENT, COVERAGE, bound=bound, more={"warmup": {"pairs": 40}})
    judged = Judged(lab, configured(500), new_vm)
    metrics = judged.ask(different=30)
    assert state(metrics) == (UNDECIDED, 0, 0) and state(metrics, "coverage") == (UNDECIDED, 0, 0)
    assert metrics.total("gnomon_pairs_total", verdict="diverged") == 30, "figures count"
    judged.update(configured(501))
    assert state(judged.ask(different=10)) == (UNDECIDED, 0, 0), "the same warm-up goes on"
    metrics = judged.ask(equal=60)
    assert state(metrics) == (PASS, 0, 60) and state(metrics, "coverage") == (PASS, 0, 60)
    judged.update(configured(502))
    assert state(judged.ask(equal=10)) == (PASS, 0, 70), "no other begins"


@VMS
def test_a_time_to_warm_up(lab, new_vm):
    configured = lambda bound: judging(AGREEMENT, bound=bound, more={"warmup": "8s"})
    judged = Judged(lab, configured(500), new_vm)
    begun = time.time()
    metrics = judged.ask(different=30)
    judged.update(configured(501))
    assert time.time() - begun < 7, "a machine that is too slow for this test"
    assert state(metrics) == (UNDECIDED, 0, 0) and metrics.total("gnomon_pairs_total", verdict="diverged") == 30
    bad, trials = until(lambda: (counted := gates.counts(judged.ask(equal=4), "agreement"))[1] and counted, "the warm-up to end")
    assert bad == 0 and trials <= 4 and time.time() - begun > 7, "an update does not begin it anew"
    assert begun - 1 < metrics.total("gnomon_warmup_began_milliseconds") / 1000 < begun + 7, "the first answer"
