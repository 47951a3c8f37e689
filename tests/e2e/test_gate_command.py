"""`gnomon gate` and `gnomon serve` as processes, against a real Prometheus that scrapes real proxies, and against the proxies themselves."""

import json
import re
import subprocess
import urllib.error
import urllib.request

import pytest
from rig.examples import ROOT
from rig.waiting import PATIENCE, until
from test_rules import JUDGED, STATES, Proxies, ask, expect

CODES = {"good": 0, "bad": 1, "undecided": 75}
WORDS = {"good": "pass", "bad": "fail", "undecided": "undecided"}


@pytest.fixture(scope="module")
def command():
    """The program; built by the script that people use."""
    subprocess.run([ROOT / "scripts/gnomon", "--version"], check=True, capture_output=True)
    return ROOT / "target/debug/gnomon"


def gate(command, *arguments, code=None, stdin=None):
    """Runs `gnomon gate` on the experiment: (exit code, what it printed)."""
    done = subprocess.run([command, "gate", "--experiment", "exp", *arguments], capture_output=True, text=True, timeout=PATIENCE, input=stdin)
    assert code is None or done.returncode == code, done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


class Server:
    """`gnomon serve` on a free port."""

    def __init__(self, command, prometheus):
        arguments = [command, "serve", "--listen", "127.0.0.1:0", "--prometheus", prometheus.url]
        self._process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        self.url = "http://" + re.search(r"127\.0\.0\.1:\d+", line)[0]

    def post(self, door, **metadata):
        """What Flagger sends: (status, text)."""
        body = json.dumps({"name": "fraud", "namespace": "ml", "phase": "Progressing", "metadata": {"experiment": "exp", **metadata}})
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{self.url}{door}", body.encode()), timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def stop(self):
        """Ends it."""
        self._process.terminate()
        assert self._process.wait(PATIENCE) == 0


def test_verdicts_reach_those_who_ask(lab, command):
    proxies, prometheus = Proxies(lab), lab.prometheus()
    first, second = proxies.start(), proxies.start()
    prometheus.scrape("first", first.admin_address)
    prometheus.scrape("second", second.admin_address)
    for proxy in (first, second):
        for name, count in (("good", 40), ("bad", 5), ("undecided", 4)):
            ask(proxy, name, count)
    expect(prometheus, {"good": 80, "bad": 10, "undecided": 8})
    texts = [proxy.admin("/stats/prometheus") for proxy in (first, second)]
    files = []
    for number, text in enumerate(texts):
        path = prometheus.folder / f"stats-{number}"
        path.write_text(text)
        files += ["--stats", path]
    server = lab.keep(Server(command, prometheus))
    for name in STATES:
        _, said = gate(command, "--prometheus", prometheus.url, "--route", name, code=CODES[name])
        assert said.startswith(f"{WORDS[name]}: experiment exp")
        # The sums of both decide, whoever adds them up; one alone has too few.
        assert gate(command, *files, "--route", name, code=CODES[name])[1].startswith(WORDS[name])
        assert server.post("/confirm", route=name)[0] == (200 if name == "good" else 409)
        assert server.post("/rollback", route=name)[0] == (200 if name == "bad" else 409)
    assert gate(command, "--stats", "-", "--route", "good", stdin=texts[0], code=75)
    _, said = gate(command, "--stats", f"http://{first.admin_address}/stats/prometheus", "--route", "undecided", code=75)
    assert re.search(r"\d+ more without a bad one would pass", said), said
    # Of all routes the worst.
    gate(command, "--prometheus", prometheus.url, code=1)
    shown = json.loads(gate(command, "--prometheus", prometheus.url, "-o", "json", code=1)[1])
    [config] = {dict(labels)["config"] for labels in prometheus.query("gnomon_experiment_info == 1")}
    assert {one["config"] for one in shown["audit"]["configurations"]} == {config}
    past = str(shown["audit"]["unix_seconds"])
    ask(first, "good", 20)
    expect(prometheus, {"good": 100})
    then = gate(command, "--prometheus", prometheus.url, "--route", "good", "--at", past, code=0)[1]
    assert re.search(r"errors +all +pass +pass +0 +80 ", then), then
    # Prometheus down: nobody is told to go on, or back.
    prometheus.stop()
    gate(command, "--prometheus", prometheus.url, code=69)
    for name in STATES:
        assert [server.post(door, route=name)[0] for door in ("/confirm", "/rollback")] == [503, 503]


def test_two_clusters_with_one_id_are_no_answer(lab, command):
    proxies, prometheus = Proxies(lab), lab.prometheus()
    server = lab.keep(Server(command, prometheus))
    for cluster, count in (("eu", 100), ("us", 4)):
        proxy = proxies.start()
        prometheus.scrape(cluster, proxy.admin_address, cluster=cluster)
        ask(proxy, "good", count)
    until(lambda: sorted(prometheus.query('gnomon:subject:state{route="good"}').values()) == [0, 1], "both clusters to be judged")
    _, said = gate(command, "--prometheus", prometheus.url, "--route", "good", code=2)
    assert "eu" in said and "us" in said and "--cluster" in said
    for cluster, code in (("eu", 0), ("us", 75)):
        gate(command, "--prometheus", prometheus.url, "--route", "good", "--cluster", cluster, code=code)
    assert server.post("/confirm", route="good", cluster="eu")[0] == 200
    assert server.post("/confirm", route="good")[0] not in (200, 503)


def test_it_waits_until_it_is_decided(lab, command):
    proxies, prometheus = Proxies(lab), lab.prometheus()
    proxy = proxies.start()
    prometheus.scrape("first", proxy.admin_address)
    ask(proxy, "good", 10)
    expect(prometheus, {"undecided": 0})
    waiting = [command, "gate", "--experiment", "exp", "--route", "good", "--prometheus", prometheus.url, "--wait", "60s", "--every", "1s"]
    process = subprocess.Popen(waiting, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    prometheus.restart()
    ask(proxy, "good", 90)
    said, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said.split(":")[0]) == (0, "pass"), said
