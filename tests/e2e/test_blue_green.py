"""Blue/green: a configuration that flips `baseline` under load, from connections that stay and connections that close, on two workers.

An update is *acknowledged* when Envoy's `config_reload` has counted it: when every worker has it. `test_nothing_but_config_reload_waits_for_
all_workers` shows why nothing else will do. A request that is sent after that is answered by the new side, one that was answered before the
update was written by the old; in between either side may answer, but one of them, whole.
"""

import itertools
import math
import os
import shlex
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from rig import invariants, oracle
from rig.client import CHUNKED, Answer, Connection, chunk, exchange, many, request
from rig.configuration import configuration, route, shadow, split
from rig.control_plane import ControlPlane
from rig.envoy import Envoy, by_variant
from rig.examples import ROOT, answer, drawn, everything, example, ids, local, post
from rig.lab import WASM
from rig.upstream import Gate, Reply
from rig.waiting import until

VMS = pytest.mark.parametrize("new_vm", [False, True], ids=["same-vm", "new-vm"])
SIDES = ("blue", "green")
NEXT = [("next", 20)]
"""A canary besides the two sides, which is none of the flip's business."""
SHARES = {"next": 200_000}
PINS = [{"header": "x-pin", "exact": name, "variant": name} for name in (*SIDES, "next")]
USERS = [f"user-{i}" for i in range(40)]


def other(side):
    """The side that is not live."""
    return SIDES[side == "blue"]


def live(side, **more):
    """The configuration in which `side` is live. The other one is a canary of 0 percent so that pins can name it."""
    return configuration(route(split=split(side, [(other(side), 0), *NEXT], pins=PINS, expose=True), protocol="opaque", **more))


def proxy_of(lab, script=None, configured=None, filters=(), **clusters):
    """A proxy with two workers, blue live: (proxy, control plane, {variant: upstream})."""
    sides = {name: lab.upstream((script or {}).get(name, Reply(name.encode()))) for name in (*SIDES, "next")}
    plane = ControlPlane(lab.folder(), WASM, configured or live("blue"))
    routes = by_variant({name: name for name in sides})
    return lab.proxy(None, sides | clusters, filters=[*filters, plane.filter()], routes=routes, concurrency=2), plane, sides


def shares(proxy):
    """`gnomon_split_ppm` as it is at this moment, zeros included."""
    return {dict(labels)["variant"]: value for labels, value in proxy.metrics().series("gnomon_split_ppm").items()}


@contextmanager
def kept_connections(proxy, each=2):
    """Connections that stay open, at least so many to each worker: {worker: connections}. The kernel chooses a worker by chance."""
    accepted = lambda: [proxy.stat(rf"listener\..*\.worker_{worker}\.downstream_cx_total") for worker in (0, 1)]
    found = {0: [], 1: []}
    try:
        while min(map(len, found.values())) < each:
            before = accepted()
            connection = Connection(proxy.port)
            after = until(lambda: sum(now := accepted()) > sum(before) and now, "a worker to accept")
            found[int(after[1] > before[1])].append(connection)
        yield found
    finally:
        for connection in (*found[0], *found[1]):
            connection.close()


@dataclass
class Sent:
    """A request of the load and what became of it. `lane` is the thread that sent it."""

    identity: str
    lane: int
    user: str | None
    pin: str | None
    began: float = 0
    ended: float = 0
    answer: Answer | None = None

    def data(self, close):
        """Its bytes."""
        headers = {"x-request-id": self.identity} | ({"x-user-id": self.user} if self.user else {}) | ({"x-pin": self.pin} if self.pin else {})
        return request(headers=headers, close=close)

    def expected(self, side):
        """Who must answer it while `side` is live."""
        return self.pin or (oracle.variant(self.user, "main", side, NEXT) if self.user else side)

    def reason(self):
        """The `reason` it counts under."""
        return "pin" if self.pin else "weight" if self.user else "keyless"


@dataclass
class Flips:
    """Which side was live when. Each entry: (update written, update acknowledged, side)."""

    entries: list = field(default_factory=lambda: [(0.0, 0.0, "blue")])

    def push(self, plane, proxy, configured, side, new_vm):
        """Makes `side` live, and returns once that is acknowledged."""
        written = time.monotonic()
        plane.push(proxy, configured, new_vm)
        self.entries.append((written, time.monotonic(), side))

    def live_during(self, one):
        """The sides that may have been live for a request: one, or two if it met an update."""
        followers = [*self.entries[1:], (float("inf"), float("inf"), None)]
        return [side for (written, _, side), (_, gone, _) in zip(self.entries, followers) if written <= one.ended and gone > one.began]


@contextmanager
def load(proxy):
    """Requests of users, of testers with pins and of nobody, without a break: on the first four lanes a connection stays open, two of them
    to each worker, and on the other two each request has its own. Gives the list of what was sent and answered."""
    stop, done, numbers, broken = threading.Event(), [], itertools.count(), []

    def work(lane, connection):
        try:
            while not stop.is_set():
                number = next(numbers)
                pin = (None, None, None, "blue", None, "green", None, "next")[number % 8]
                one = Sent(f"id-{number}", lane, None if number % 5 == 4 else USERS[number % len(USERS)], pin)
                one.began = time.monotonic()
                one.answer = connection.send(one.data(close=False)).answer() if connection else exchange(proxy.port, one.data(close=True))
                one.ended = time.monotonic()
                done.append(one)
        except Exception as error:
            broken.append(error)

    with kept_connections(proxy) as kept:
        lanes = [*kept[0][:2], *kept[1][:2], None, None]
        threads = [threading.Thread(target=work, args=pair) for pair in enumerate(lanes)]
        for thread in threads:
            thread.start()
        try:
            yield done
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert not broken, f"requests that failed: {broken}"


def wait_for_traffic(done, since, written=math.inf):
    """Returns once 200 requests that were sent after `since`, and some on every lane, have been answered; and twice as many as met the
    update that was `written` before, however long that took."""

    def look():
        lanes = [one.lane for one in list(done) if one.began > since]
        met = sum(written < one.ended and one.began <= since for one in list(done))
        return len(lanes) > max(200, 2 * met) and set(lanes) == set(range(6))

    until(look, "traffic")


@VMS
def test_flips_under_load(lab, new_vm):
    copies = lab.upstream()
    followed = dict(shadows=[shadow(cluster="copies", max_in_flight=1000)])
    proxy, plane, sides = proxy_of(lab, configured=live("blue", **followed), copies=copies)
    flips = Flips()
    with load(proxy) as done:
        wait_for_traffic(done, 0)
        for side in ("green", "blue", "green", "blue"):
            flips.push(plane, proxy, live(side, **followed), side, new_vm)
            assert shares(proxy) == SHARES | {side: 800_000, other(side): 0}, "the gauges are not behind"
            wait_for_traffic(done, flips.entries[-1][1], flips.entries[-1][0])
    assert {(one.answer.status, one.answer.complete) for one in done} == {(200, True)}, "none fails"
    answered_by_one_side(done, sides)
    as_its_time_says(done, flips)
    the_baseline_is_copied(done, flips, proxy, copies)
    counted = {}
    for one in done:
        key = one.answer.body.decode(), one.reason()
        counted[key] = counted.get(key, 0) + 1
    assert proxy.metrics().by("gnomon_requests_total", "variant", "reason") == counted


def answered_by_one_side(done, sides):
    """Each request came to one upstream, once; the client has that one's answer, and the filter says so."""
    seen = [(received.header("x-request-id"), name) for name, upstream in sides.items() for received in upstream.seen]
    assert sorted(seen) == sorted((one.identity, one.answer.body.decode()) for one in done)
    assert all(one.answer.header("x-gnomon-variant") == one.answer.body.decode() for one in done)


def as_its_time_says(done, flips):
    """The time of sending decides, and one connection, which is one worker's, never goes back and forth."""
    wrong = [one for one in done if one.answer.body.decode() not in {one.expected(side) for side in flips.live_during(one)}]
    assert not wrong, f"{len(wrong)} of {len(done)} answered by the wrong side, the first: {wrong[0]}"
    met = sum(len(flips.live_during(one)) > 1 for one in done)
    assert met < len(done) / 2, "most requests have only one right answer"
    for lane in range(4):
        told = [one.answer.body.decode() for one in done if one.lane == lane and one.expected("blue") != one.expected("green")]
        assert [side for side, _ in itertools.groupby(told)] == [side for _, _, side in flips.entries]


def the_baseline_is_copied(done, flips, proxy, copies):
    """A shadow without `of` gets what the live side answers, pins included, and nothing else."""
    until(lambda: proxy.metrics().total("gnomon_open_pairs") == 0, "all pairs to end")
    copied = [received.header("x-request-id") for received in copies.seen]
    assert len(copied) == len(set(copied))
    certain = [(one, flips.live_during(one)[0]) for one in done if len(flips.live_during(one)) == 1]
    due = {one.identity for one, side in certain if one.answer.body.decode() == side}
    not_due = {one.identity for one, _ in certain} - due
    assert due and not_due and not not_due & set(copied)
    outcomes = proxy.metrics().by("gnomon_shadow_outcomes_total", "outcome")
    assert set(outcomes) <= {"compared", "replaced"}, outcomes
    assert len(due - set(copied)) <= outcomes.get("replaced", 0)


@VMS
def test_a_request_that_is_under_way_stays_where_it_began(lab, new_vm):
    gate = Gate()
    held = lambda received: Reply(b"blue", gate=gate if received.path == "/v1/held" else None)
    proxy, plane, sides = proxy_of(lab, {"blue": held})
    with Connection(proxy.port) as slow, Connection(proxy.port) as waiting:
        slow.send(request("/v1/slow", body=CHUNKED, close=False) + chunk(b"[1"))
        waiting.send(request("/v1/held", close=False))
        until(lambda: len(sides["blue"].seen) == 2, "both to begin")
        plane.push(proxy, live("green"), new_vm)
        assert {one.body for one in many(proxy.port, [request()] * 20)} == {b"green"}
        slow.send(chunk(b"]") + chunk(b""))
        gate.open()
        for connection in (slow, waiting):
            ended = connection.answer()
            assert (ended.status, ended.body, ended.complete, ended.header("x-gnomon-variant")) == (200, b"blue", True, "blue")
            assert connection.send(request(close=False)).answer().body == b"green", "the next one of the same connection"
    assert sorted((received.path, received.body) for received in sides["blue"].seen) == [("/v1/held", b'{"x": 1}'), ("/v1/slow", b"[1]")]


class Busy:
    """A filter that keeps a worker busy with each request that asks for it, until it is released."""

    def __init__(self, folder):
        self.folder = folder

    def filter(self):
        """Its entry in a listener. The worker and the test see each other's files."""
        kind = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
        script = f"""
            function envoy_on_request(handle)
                local name = handle:headers():get("x-busy")
                if name then
                    io.open("{self.folder}/busy-" .. name, "w"):close()
                    while not io.open("{self.folder}/release-" .. name) do end
                end
            end"""
        return {"name": "envoy.filters.http.lua", "typed_config": {"@type": kind, "default_source_code": {"inline_string": script}}}

    def send(self, connection, name):
        """Sends the request that will keep a worker busy."""
        connection.send(request(headers={"x-busy": name}, close=False))

    def wait(self, name):
        """Returns once it does."""
        until(lambda: os.path.exists(f"{self.folder}/busy-{name}"), "a worker to be busy")

    def release(self, name):
        """Ends it, also before it began."""
        open(f"{self.folder}/release-{name}", "w").close()


@VMS
def test_nothing_but_config_reload_waits_for_all_workers(lab, new_vm):
    """A worker finishes what its last look at its sockets has found before it takes an update. It is made to find two requests and a bare
    line break (which may come before a request): kept busy by the second, it reads what follows the line break only then, and still by the
    old configuration, although that was sent when every figure but one had the new one."""
    busy = Busy(lab.folder())
    proxy, plane, _ = proxy_of(lab, filters=[busy.filter()])
    stat = lambda name: proxy.stat(rf"extension_config_discovery.http_filter.gnomon.{name}")
    taken, accepted = stat("config_reload"), stat("update_success")
    with kept_connections(proxy, 3) as kept, ThreadPoolExecutor(1) as pool:
        first, second, late = kept[0][:3]
        try:
            busy.send(first, "first")
            busy.wait("first")
            busy.send(second, "second")
            late.send(b"\r\n")
            busy.release("first")
            busy.wait("second")
            pushed = pool.submit(plane.push, proxy, live("green"), new_vm)
            until(lambda: stat("update_success") > accepted, "Envoy to accept the update")
            until(lambda: kept[1][0].send(request(close=False)).answer().body == b"green", "the other worker to take it")
            assert shares(proxy)["green"] == 800_000 and '"version_info": "2"' in proxy.admin("/config_dump?resource=ecds_filters")
            late.send(request(close=False))
            assert stat("config_reload") == taken and not pushed.done(), "one worker does not have it yet"
        finally:
            busy.release("first")
            busy.release("second")
        pushed.result(30)
        assert {connection.answer().body for connection in (first, second)} == {b"blue"}, "they began before the update"
        assert late.answer().body == b"blue", "too early to count on green"
        assert {connection.send(request(close=False)).answer().body for connection in (*kept[0], *kept[1])} == {b"green"}


@VMS
def test_a_flip_with_a_mistake_leaves_blue_live(lab, new_vm):
    """`config_reload` rises all the same: the filter has taken the update, and goes on with the configuration before."""
    proxy, plane, _ = proxy_of(lab)
    plane.push(proxy, live("green") | {"unknown": 1}, new_vm)
    metrics = proxy.metrics()
    assert set(metrics.by("gnomon_configuration", "plugin").values()) == {2}
    assert shares(proxy) == SHARES | {"blue": 800_000, "green": 0}
    assert {one.body for one in many(proxy.port, [request()] * 20)} == {b"blue"}
    plane.push(proxy, live("green"), new_vm)
    assert {one.body for one in many(proxy.port, [request()] * 20)} == {b"green"}
    assert set(proxy.metrics().by("gnomon_configuration", "plugin").values()) == {1}


def section():
    """The lines of docs/blue-green.md's section on the switch that are to be typed."""
    text = (ROOT / "docs/blue-green.md").read_text().split("## Switch from blue to green, and back\n")[1].split("\n## ")[0]
    return [line.removeprefix("    ") for line in text.splitlines() if line.startswith("    ")]


@pytest.fixture
def documented(lab, tmp_path, request):
    """The example as an operator has it, in a folder of its own, but for ports and the path of the filter: (proxy, upstreams)."""
    (tmp_path / "envoy").mkdir()
    (tmp_path / "scripts").mkdir()
    command = tmp_path / "scripts/gnomon"
    command.write_text(f"#!/bin/sh\nexec {shlex.quote(str(ROOT / 'scripts/gnomon'))} \"$@\"\n")
    command.chmod(0o755)
    watched = (ROOT / "envoy/blue-green-gnomon.yaml").read_text()
    (tmp_path / "envoy/blue-green.yaml").write_text((ROOT / "envoy/blue-green.yaml").read_text())
    (tmp_path / "envoy/blue-green-gnomon.yaml").write_text(watched.replace("target/wasm32-wasip1/release/gnomon.wasm", str(WASM)))
    blue, green = lab.upstream(answer(0.1)), lab.upstream(answer(0.2))
    text = local(example("blue-green.yaml"), {8081: blue, 8082: green})
    source = next(found["path_config_source"] for found in everything(text) if "path_config_source" in found)
    source["path"] = str(tmp_path / source["path"])
    proxy = Envoy(text, tmp_path, concurrency=2)
    try:
        yield proxy, {"blue": blue, "green": green}
        if getattr(request.node, "failed", True):
            print(proxy.log()[-8000:])
        else:
            invariants.check(proxy)
    finally:
        proxy.stop()


def test_the_example_is_switched_as_its_page_says(documented, tmp_path):
    proxy, upstreams = documented
    count, copy, blue, green, switch, figures = section()
    page = lambda line: shlex.split(line)[-1].removeprefix("127.0.0.1:9901")
    reloads = lambda: int(proxy.admin(page(count)).split(": ")[1])
    run = lambda line: subprocess.run(line, shell=True, cwd=tmp_path, check=True)
    assert answered(proxy, upstreams, "blue", "before")
    for turn, (old, new, side) in enumerate([(blue, green, "green"), (green, blue, "blue"), (blue, green, "green")]):
        before = reloads()
        run(copy)
        text = (tmp_path / "envoy/next.yaml").read_text()
        lines = [number for number, line in enumerate(text.splitlines()) if line.strip() == old]
        assert len(lines) == 1, "the line to replace is there, once"
        edited = text.splitlines()
        edited[lines[0]] = edited[lines[0]].replace(old, new)
        (tmp_path / "envoy/next.yaml").write_text("\n".join(edited) + "\n")
        run(switch)
        until(lambda: reloads() == before + 1, "the switch")
        told = proxy.admin(page(figures))
        assert 'gnomon_configuration{plugin="gnomon"} 1\n' in told
        assert f'variant="{side}"}} 1000000\n' in told and f'variant="{other(side)}"}} 0\n' in told
        assert answered(proxy, upstreams, side, f"turn-{turn}")


def answered(proxy, upstreams, side, prefix):
    """Clients get the live side's answers, testers the side they pin, and the other side gets copies of one in ten."""
    scores = {"blue": answer(0.1).body, "green": answer(0.2).body}
    for upstream in upstreams.values():
        upstream.seen.clear()
    sent = [f"{prefix}-{i}" for i in range(200)]
    expected = drawn(sent)
    answers = many(proxy.port, [post(x_request_id=one) for one in sent])
    assert {(one.status, one.body, one.header("x-gnomon-variant")) for one in answers} == {(200, scores[side], side)}
    until(lambda: ids(upstreams[other(side)]) == expected, f"the copies to {other(side)}")
    assert ids(upstreams[side]) == sorted(sent) and len(expected) > 5
    return [proxy.send(post(x_model_pin=pin)).body for pin in SIDES] == [scores["blue"], scores["green"]]
