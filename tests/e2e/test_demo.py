"""scripts/demo as a user runs it, and its checks on figures that are wrong.

The demo itself holds Gnomon's figures against the models' own answers and against Python's xxhash, so a run that ends well says a lot;
what is tested apart is that it would not end well if the figures were wrong, and that it leaves nothing running.
"""

import fcntl
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

PROJECT = pathlib.Path(__file__).parents[2]
DEMO, WORK = PROJECT / "scripts/demo", PROJECT / "target/demo"
sys.path.append(str(PROJECT / "scripts/demo.d"))

import checks  # noqa: E402
import expected  # noqa: E402
import traffic  # noqa: E402


@pytest.fixture
def alone():
    """One demo at a time: they share a folder."""
    WORK.mkdir(parents=True, exist_ok=True)
    with open(WORK / "test.lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        subprocess.run([DEMO, "--stop"], check=True, capture_output=True)


def running():
    """Whether a process of a demo still holds the lock."""
    with open(WORK / "lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_shows_the_filter_at_work(alone, tmp_path):
    """From another folder, and kept running until it is told to stop."""
    done = subprocess.run([DEMO, "--requests", "300", "--keep"], cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((PROJECT / "target/demo.json").read_text())
    assert figures.keys() == {"requests", "split", "shadows", "milliseconds", "checks"} and figures["requests"] == 300
    assert all(check.keys() == {"name", "ok"} and check["ok"] is True for check in figures["checks"])
    assert figures["split"].keys() == {"v1", "v2"} and sum(v["share_percent"] for v in figures["split"].values()) == pytest.approx(100)
    assert figures["split"]["v2"]["configured_percent"] == 5
    assert figures["shadows"]["v2-copy"]["verdicts"]["diverged"] > 0 == figures["shadows"]["v1-control"]["verdicts"]["diverged"]
    for shadow in figures["shadows"].values():
        assert shadow.keys() == {"sampled", "outcomes", "verdicts", "kinds", "paths", "changes"}
        assert shadow["sampled"] == sum(shadow["outcomes"].values()) == sum(shadow["verdicts"].values()) > 0
        changed = sum(shadow["changes"].values())
        assert shadow["verdicts"]["diverged"] == sum(shadow["kinds"].values()) == sum(shadow["paths"].values()) >= changed
    assert figures["milliseconds"].keys() == {"v1", "v2", "v2-copy", "v1-control"}
    assert all(0 < v["p50"] <= v["p99"] for v in figures["milliseconds"].values())

    assert running()
    curl = re.search(r"^ *(curl .*)$", done.stdout, re.MULTILINE)[1]
    assert json.loads(subprocess.run(curl, shell=True, check=True, capture_output=True, text=True).stdout)["model_name"] == "digits"
    statistics = re.search(r"(http://\S+/stats/prometheus\?filter=gnomon)", done.stdout)[1]
    assert "gnomon_pairs_total" in urllib.request.urlopen(statistics).read().decode()
    assert subprocess.run([DEMO, "--requests", "100"], capture_output=True, timeout=300).returncode == 1, "a second demo in the same folder"
    subprocess.run([DEMO, "--stop"], check=True)
    assert not running()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_running(alone, number):
    """In the middle of the traffic, when all of it is up."""
    with subprocess.Popen([DEMO, "--requests", "100000"], stdout=subprocess.PIPE, text=True) as demo:
        while "Envoy with" not in os.read(demo.stdout.fileno(), 4096).decode():
            assert demo.poll() is None
        assert running()
        demo.send_signal(number)
        assert demo.wait(timeout=60) == 128 + number
    assert not running()


@pytest.mark.parametrize("arguments", [["--requests", "ten"], ["--requests", "99"], ["--requests"], ["--quick"]])
def test_refuses_wrong_arguments_at_once(arguments):
    done = subprocess.run([DEMO, *arguments], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2 and "demo: " in done.stderr and not done.stdout


class Counters:
    """Made-up counters with the interface of `measured.Counters`."""

    def __init__(self, samples):
        self.samples = samples

    def by(self, label, name, **labels):
        wanted = {"name": name, **labels}
        return {s[label]: s["value"] for s in self.samples if label in s and wanted.items() <= s.items()}

    def total(self, name, **labels):
        return sum(s["value"] for s in self.samples if {"name": name, **labels}.items() <= s.items())

    def names(self, name, *of, **labels):
        return {s[label] for s in self.samples if {"name": name, **labels}.items() <= s.items() for label in of}

    def changes(self, shadow):
        found = [s for s in self.samples if s["name"] == "gnomon_decisions_total" and s["shadow"] == shadow]
        return {(s["primary_answer"], s["shadow_answer"]): s["value"] for s in found if s["value"]}


def made_up_run():
    """A run in which all is well: v2 is wrong about image 1, and a little surer about image 2."""
    plan = traffic.plan(200, 3)

    def answer(version, digit, probability):
        outputs = [{"name": "predict", "data": [digit]}, {"name": "predict_proba", "data": [probability, 0.5]}]
        return traffic.Answer(200, json.dumps({"model_version": version, "id": "direct", "outputs": outputs}).encode())

    v1 = [answer("v1", digit, 0.5) for digit in (7, 8, 9)]
    digits = {"v1": [7, 8, 9], "v2": [7, 3, 9]}
    direct = {"v1": v1, "v2": [answer("v2", 7, 0.5), answer("v2", 3, 0.5), answer("v2", 9, 0.6)], "v1-control": v1}

    def served(request):
        told = json.loads(direct[expected.variant(request.user)][request.image].body)
        return traffic.Answer(200, json.dumps({**told, "id": request.id if request.named else "made up"}).encode())

    samples = [{"name": "gnomon_configuration", "plugin": "gnomon", "value": 1}]
    variants = [expected.variant(r.user) for r in plan]
    for variant in ("v1", "v2"):
        samples.append({"name": "gnomon_requests_total", "variant": variant, "reason": "weight", "value": variants.count(variant)})
        samples.append({"name": "gnomon_responses_total", "variant": variant, "class": "2xx", "value": variants.count(variant)})
    copied = {shadow: [r for r in plan if expected.copied(shadow, r)] for shadow in expected.COPIED_PERCENT}
    for shadow, requests in copied.items():
        wrong = sum(r.image == 1 for r in requests) if shadow == "v2-copy" else 0
        same = sum(r.named for r in requests) if shadow == "v1-control" else 0
        figures = [("gnomon_sampled_total", {}, len(requests)), ("gnomon_shadow_outcomes_total", {"outcome": "compared"}, len(requests))]
        figures += [("gnomon_pairs_total", {"verdict": "equivalent"}, len(requests) - wrong - same)]
        figures += (
            [("gnomon_pairs_total", {"verdict": "diverged"}, wrong), ("gnomon_divergences_total", {"kind": "label"}, wrong)]
            if wrong
            else []
        )
        figures += [("gnomon_divergent_paths_total", {"path": "outputs[*].data[*]"}, wrong)] if wrong else []
        figures += [("gnomon_pairs_total", {"verdict": "identical"}, same)] if same else []
        read = [(digits["v1"][r.image], digits[expected.VERSION[shadow]][r.image]) for r in requests]
        for pair in set(read):
            answers = dict(zip(("primary_answer", "shadow_answer"), map(str, pair)))
            figures.append(("gnomon_decisions_total", answers, read.count(pair)))
        samples += [{"name": name, "shadow": shadow, **labels, "value": value} for name, labels, value in figures]
        version = {"subject": shadow, "model_version": expected.VERSION[shadow]}
        samples.append({"name": "gnomon_model_versions_total", **version, "value": len(requests)})
    evidence = [{"shadow": "v2-copy", "kind": "label", "request_id": r.id} for r in copied["v2-copy"] if r.image == 1]
    return checks.Run(plan, [served(r) for r in plan], direct, digits, Counters(samples), evidence)


def failing(run):
    return [promise for promise, ok, _ in checks.all_checks(run) if not ok]


def test_the_checks_hold_where_all_is_well():
    assert failing(made_up_run()) == []


def test_every_counter_that_is_off_by_one_fails_a_check():
    for number in range(len(made_up_run().counters.samples)):
        run = made_up_run()
        run.counters.samples[number]["value"] += 1
        assert failing(run), run.counters.samples[number]


@pytest.mark.parametrize("name", ["gnomon_anomalies_total", "gnomon_open_pairs", "gnomon_captured_bytes"])
def test_anything_left_over_fails_a_check(name):
    run = made_up_run()
    run.counters.samples.append({"name": name, "value": 1})
    assert failing(run)


def test_an_answer_that_is_not_the_models_fails_a_check():
    for changed in (traffic.Answer(503, b""), traffic.Answer(200, b"{}"), traffic.Answer(200, b"nonsense")):
        run = made_up_run()
        run.answers[17] = changed
        assert any("answer" in promise for promise in failing(run))
    run = made_up_run()
    number = next(n for n, r in enumerate(run.requests) if r.named)
    run.answers[number] = traffic.Answer(200, run.answers[number].body.replace(run.requests[number].id.encode(), b"another"))
    assert failing(run), "a client's own id came back changed"


def test_evidence_of_a_pair_that_did_not_diverge_fails_a_check():
    run = made_up_run()
    run.evidence.append({"shadow": "v2-copy", "kind": "label", "request_id": next(r.id for r in run.requests if r.image == 0)})
    assert failing(run)
