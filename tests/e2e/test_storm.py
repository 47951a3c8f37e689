"""Everything at once: clients that leave, answers of all kinds, updates in old and new VMs. Only the invariants are known beforehand."""

import itertools
import random
import threading
import time

import pytest
from rig.client import CHUNKED, Connection, chunk, exchange, request
from rig.configuration import configuration, route, shadow, split
from rig.upstream import Reply

ANSWERS = {
    "fine": Reply(b'{"a": [1, 2.5]}'),
    "other": Reply(b'{"a": [1, 2.75]}'),
    "slow": Reply(b'{"a": [1, 2.5] }', delay=0.2),
    "bad": Reply(b'{"a":'),
    "500": Reply(status=500),
    "429": Reply(status=429),
    "reset": Reply(ending="reset"),
    "half": Reply(b"x" * 2000, ending="half"),
    "big": Reply(b"[" + b"1.25," * 40_000 + b"1]"),
    "hang": Reply(ending="hang"),
}
SECONDS = 8


def script(place):
    """Answers what the path asks for at this place: `/v1/<primary>/<first shadow>/<second shadow>`."""
    return lambda received: ANSWERS[received.path.split("/")[2 + place]]


def configured(percent):
    """One of the configurations that follow each other."""
    shadows = [shadow(f"s{i}", f"shadow{i}", percent, timeout="400ms", of=["v1", "v2"], max_in_flight=8) for i in (1, 2)]
    return configuration(
        route(split=split(canaries=[("v2", percent / 2)]), shadows=shadows), limits={"memory": "2MiB", "body": "256KiB", "pairs": 24}
    )


def client(port, dice, stop, wrong):
    """Sends one odd request after another."""
    while not stop.is_set():
        primary = dice.choice([name for name in ANSWERS if name != "hang"])
        path = f"/v1/{primary}/{dice.choice(list(ANSWERS))}/{dice.choice(list(ANSWERS))}"
        headers = {"x-user-id": str(dice.randrange(100))}
        manner = dice.choice(["whole", "whole", "whole", "abandon-request", "abandon-answer", "slowly"])
        if manner == "whole":
            answer, reply = exchange(port, request(path, b"x" * dice.choice([0, 10, 100_000, 300_000]), headers=headers)), ANSWERS[primary]
            expected = (503, False) if reply.ending == "reset" else (reply.status, reply.ending == "half" or answer.body == reply.body)
            if answer.status != expected[0] or (answer.status != 503 and not expected[1]):
                wrong.append((path, answer))
            continue
        with Connection(port) as link:
            link.send(request(path, CHUNKED, headers=headers) + chunk(b"y" * dice.choice([1, 50_000])))
            if manner == "abandon-request":
                continue
            time.sleep(dice.random() / 20)
            link.send(chunk(b"z") + chunk(b""))
            if manner == "slowly":
                link.answer()
            elif dice.random() < 0.5:
                link.abort()


@pytest.mark.parametrize("new_vm", [[False], [True], [False, False, True]], ids=["same-vm", "new-vm", "mixed"])
def test_nothing_is_lost_in_a_storm(lab, new_vm):
    upstreams = {name: lab.upstream(script(place)) for place, name in enumerate(["primary", "shadow1", "shadow2"])}
    proxy, plane = lab.managed(configured(100), upstreams, concurrency=2)
    stop, wrong, end = threading.Event(), [], time.monotonic() + SECONDS
    clients = [threading.Thread(target=client, args=(proxy.port, random.Random(seed), stop, wrong)) for seed in range(6)]
    for thread in clients:
        thread.start()
    try:
        for turn, fresh in enumerate(itertools.cycle(new_vm)):
            if time.monotonic() > end:
                break
            plane.push(proxy, "{" if turn % 4 == 3 else configured(99 - turn % 50), fresh)
    finally:
        stop.set()
        for thread in clients:
            thread.join()
    assert not wrong
    assert proxy.metrics().total("gnomon_sampled_total") > 50
