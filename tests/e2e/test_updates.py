"""Configurations that change while requests and copies are in flight, in the VMs that run and (as in Istio) in new ones."""

import re
import threading
from contextlib import contextmanager

import pytest
from rig.client import CHUNKED, Connection, chunk, exchange, request
from rig.configuration import configuration, gate, mirrored, route, shadow
from rig.upstream import Gate, Reply
from rig.waiting import until

REFUSED = configuration(route(shadows=[shadow(percent=101)]))
VMS = pytest.mark.parametrize("new_vm", [False, True], ids=["same-vm", "new-vm"])


@contextmanager
def load(port, data, workers=3):
    """Sends the same request over and over from several threads; gives the list of answers."""
    stop, answers = threading.Event(), []

    def work():
        while not stop.is_set():
            answers.append(exchange(port, data))

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def managed(lab, configured, shadow_script=Reply(), concurrency=2, **more):
    """A proxy under a control plane: (proxy, plane, primary, shadow)."""
    primary, copy = lab.upstream(), lab.upstream(shadow_script)
    proxy, plane = lab.managed(configured, {"primary": primary, "shadow": copy}, concurrency=concurrency, **more)
    return proxy, plane, primary, copy


@VMS
def test_a_refused_update_goes_on_with_the_last_good_one(lab, new_vm):
    proxy, plane, primary, _ = managed(lab, mirrored())
    lab.exchange(proxy, [primary], request())
    proxy.eventually("gnomon_pairs_total", 1)
    with load(proxy.port, request()) as answers:
        for refused in (REFUSED, "{", {**mirrored(), "unknown": 1}):
            plane.push(proxy, refused, new_vm)
            proxy.eventually("gnomon_configuration", 2, plugin="gnomon")
            before = proxy.metrics().total("gnomon_sampled_total")
            until(lambda: proxy.metrics().total("gnomon_sampled_total") > before + 5, "the last good configuration to go on")
        plane.push(proxy, mirrored(name="next"), new_vm)
        proxy.eventually("gnomon_configuration", 1, plugin="gnomon")
        until(lambda: proxy.metrics().total("gnomon_sampled_total", shadow="next") > 5, "the good update to be taken")
    assert {(answer.status, answer.body) for answer in answers} == {(200, b"{}")}


@VMS
def test_an_update_that_asks_to_be_rejected_leaves_all_as_it_was(lab, new_vm):
    """Envoy refuses it itself, and the old filter keeps running."""
    proxy, plane, primary, _ = managed(lab, mirrored())
    plane._push({**REFUSED, "on_invalid": "reject"}, {"GENERATION": "x"} if new_vm else None)
    until(lambda: "routes[0].shadows[0].percent" in proxy.log(), "the problem to be told")
    lab.exchange(proxy, [primary], request())
    proxy.eventually("gnomon_pairs_total", 1)


@VMS
def test_a_refused_update_of_a_proxy_that_never_had_a_good_one(lab, new_vm):
    proxy, plane, primary, copy = managed(lab, REFUSED, state=3)
    lab.exchange(proxy, [primary], request())
    plane.push(proxy, "[]", new_vm)
    lab.exchange(proxy, [primary], request())
    assert proxy.metrics().total("gnomon_configuration") == 3 and not copy.seen
    plane.push(proxy, mirrored(), new_vm)
    proxy.eventually("gnomon_configuration", 1, plugin="gnomon")
    until(lambda: proxy.send(request()) and copy.seen, "the first good configuration to be taken")


@VMS
def test_updates_under_load_lose_nothing(lab, new_vm):
    proxy, plane, primary, _ = managed(lab, mirrored(max_in_flight=1000), Reply(delay=0.05))
    data = request(body=b"x" * 5000)
    with load(proxy.port, data) as answers:
        for i in range(4):
            until(lambda: len(answers) >= 40 * (i + 1), "traffic between updates")
            plane.push(proxy, mirrored(percent=99 - i, max_in_flight=1000), new_vm)
        until(lambda: len(answers) >= 200, "traffic after the last update")
    assert {(answer.status, answer.body) for answer in answers} == {(200, b"{}")}
    until(lambda: proxy.metrics().total("gnomon_open_pairs") == 0, "all pairs to end")
    outcomes = proxy.metrics().by("gnomon_shadow_outcomes_total", "outcome")
    assert set(outcomes) <= {"compared", "replaced"} if new_vm else set(outcomes) == {"compared"}
    assert outcomes["compared"] > 20


def test_a_copy_in_flight_outlives_an_update_in_the_same_vm(lab):
    gate = Gate()
    proxy, plane, _, copy = managed(lab, mirrored(), Reply(gate=gate), concurrency=1)
    proxy.send(request())
    copy.wait()
    plane.push(proxy, mirrored(percent=0), False)
    proxy.eventually("gnomon_sampled_total", 1)
    proxy.send(request())
    assert proxy.metrics().total("gnomon_open_pairs") == 1, "still waiting under the old configuration"
    gate.open()
    proxy.eventually("gnomon_pairs_total", 1, verdict="identical")


def test_a_copy_in_flight_is_counted_as_replaced_when_its_vm_goes(lab):
    gate = Gate()
    proxy, plane, _, copy = managed(lab, mirrored(), Reply(gate=gate), concurrency=1)
    proxy.send(request())
    copy.wait()
    plane.push(proxy, mirrored(), True)
    proxy.eventually("gnomon_shadow_outcomes_total", 1, outcome="replaced")
    gate.open()


@VMS
def test_a_request_that_spans_an_update_is_copied_under_the_old_configuration(lab, new_vm):
    proxy, plane, primary, copy = managed(lab, mirrored(name="old"), concurrency=1)
    with Connection(proxy.port) as slow:
        slow.send(request(body=CHUNKED) + chunk(b'{"x":'))
        until(lambda: primary.seen, "the request to begin")
        plane.push(proxy, mirrored(name="new"), new_vm)
        until(lambda: proxy.send(request()) and proxy.metrics().total("gnomon_sampled_total", shadow="new"), "the update to be taken")
        slow.send(chunk(b"1}") + chunk(b""))
        assert slow.answer().status == 200
    old = lambda name: proxy.metrics().total(name, shadow="old")
    until(lambda: old("gnomon_shadow_outcomes_total") == old("gnomon_sampled_total"), "the old pairs to end")
    outcomes = set(proxy.metrics().by("gnomon_shadow_outcomes_total", "outcome", shadow="old"))
    assert outcomes <= {"compared", "replaced"} if new_vm else outcomes == {"compared"}
    assert any(received.values("x-gnomon-shadow") == ["old"] and received.body == b'{"x":1}' for received in copy.seen)


def test_an_old_root_that_said_it_is_not_done_still_sends_and_compares(lab):
    """Root-owned calls of a root whose `on_done` has returned false: one copy in flight keeps it, a stream of it sends another."""
    gate = Gate()
    script = lambda received: Reply(gate=gate) if received.path == "/v1/held" else Reply()
    proxy, plane, primary, copy = managed(lab, mirrored(name="old"), script, concurrency=1)
    with Connection(proxy.port) as slow:
        slow.send(request("/v1/slow", body=CHUNKED) + chunk(b"[1"))
        until(lambda: primary.seen, "the slow request to begin")
        proxy.send(request("/v1/held"))
        copy.wait(1)
        for name in ("between", "new"):
            plane.push(proxy, mirrored(name=name), False)
            until(lambda: proxy.send(request()) and proxy.metrics().total("gnomon_sampled_total", shadow=name), "the update to be taken")
        slow.send(chunk(b"]") + chunk(b""))
        assert slow.answer().status == 200
    until(lambda: [received.path for received in copy.seen if received.complete].count("/v1/slow"), "the copy of the slow request")
    until(lambda: proxy.metrics().total("gnomon_open_pairs", shadow="old") == 1, "all but the held copy to be compared")
    gate.open()
    proxy.eventually("gnomon_open_pairs", 0, shadow="old")
    assert set(proxy.metrics().by("gnomon_shadow_outcomes_total", "outcome", shadow="old")) == {"compared"}


@VMS
def test_a_configuration_that_comes_back_while_its_copies_are_in_flight(lab, new_vm):
    """A roll-back and another: Envoy keeps one root context per plugin configuration that waits to be done, so the second of two equal ones
    drives out the first, without a word. Its copies can't be compared any more; they must not stay open for ever."""
    gate = Gate()
    proxy, plane, _, copy = managed(lab, mirrored(max_in_flight=10), Reply(gate=gate), concurrency=1)
    for i, bound in enumerate([11, 10, 11, 10]):
        proxy.send(request())
        copy.wait(i + 1)
        plane.push(proxy, mirrored(max_in_flight=bound), new_vm)
    gate.open()
    proxy.eventually("gnomon_open_pairs", 0)
    assert set(proxy.metrics().by("gnomon_shadow_outcomes_total", "outcome")) <= {"compared", "replaced"}


@VMS
def test_divergent_paths_keep_their_counts(lab, new_vm):
    """The configuration does not name them: a new VM must know them from those before it, or the host forgets the series with the old VM."""
    proxy, plane, _, _ = managed(lab, mirrored(), Reply(b"[2]"), concurrency=1)
    vms = proxy.stat("wasm.wasm_vm_count")
    for count in (1, 2, 3):
        proxy.send(request())
        proxy.eventually("gnomon_divergent_paths_total", count, path="$")
        plane.push(proxy, mirrored(max_in_flight=100 + count), new_vm)
        until(lambda: proxy.stat("wasm.wasm_vm_count") == vms, "the old VM to go")
    assert proxy.metrics().total("gnomon_divergent_paths_total") == 3


@VMS
def test_gauges_of_an_open_breaker_are_given_back(lab, new_vm):
    proxy, plane, _, _ = managed(lab, mirrored(), Reply(status=500), concurrency=1)
    for i in range(10):
        proxy.send(request())
        proxy.eventually("gnomon_shadow_outcomes_total", i + 1)
    assert proxy.metrics().total("gnomon_breaker_open") == 1
    plane.push(proxy, mirrored(name="other"), new_vm)
    proxy.eventually("gnomon_breaker_open", 0)


@VMS
def test_series_of_earlier_experiments_are_told_of_and_go_with_their_vms(lab, new_vm):
    """In the same VM they stay, and the log says how many; new VMs have at most gauges that had to be set back to 0."""
    gated = lambda experiment: {**configuration(route(shadows=[shadow()], gates=[gate("failures", "copy", "failed", 1)])), "experiment": experiment}
    proxy, plane, _, _ = managed(lab, gated("first"))
    exported = lambda experiment: len(proxy.admin(f"/stats?filter=experiment%3D.%3D{experiment}%3B").splitlines())
    first, vms = exported("first"), proxy.stat("wasm.wasm_vm_count")
    for experiment in ("second", "third"):
        plane.push(proxy, gated(experiment), new_vm)
        until(lambda: proxy.send(request()) and proxy.metrics().total("gnomon_sampled_total", experiment=experiment), "the update to be taken")
        until(lambda: proxy.stat("wasm.wasm_vm_count") == vms, "the old VM to go")
    told = [re.search(r"(\d+) or more series of (\d) earlier", line) for line in proxy.log().splitlines()]
    told = [(int(found[1]), int(found[2])) for found in told if found]
    if new_vm:
        until(lambda: (exported("first"), exported("second") < first / 4) == (0, True), "the old series to go")
        assert not told
    else:
        assert exported("first") == exported("second") == exported("third") == first
        assert told == [(first, 1), (2 * first, 2)]
