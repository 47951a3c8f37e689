"""scripts/demo as a user runs it, and its checks on figures that are wrong.

The demo itself holds Gnomon's figures against the models' own answers and against Python's xxhash, so a run that ends well says a lot;
what is tested apart is that it would not end well if the figures were wrong, and that it leaves nothing running.
"""

import copy
import dataclasses
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
sys.path.append(str(PROJECT / "demo"))

import checks  # noqa: E402
import expected  # noqa: E402
import outage  # noqa: E402
import rollout  # noqa: E402
import rules  # noqa: E402
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
    assert figures.keys() == {"requests", "split", "shadows", "milliseconds", "gates", "outage", "checks"} and figures["requests"] == 300
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

    gates = figures["gates"]
    assert gates.keys() == {"agreement", "noise", "control", "coverage", "latency", "errors", "slow"}
    for gate in gates.values():
        assert gate.keys() == {"of", "measure", "limit_percent", "bad", "trials", "state", "failed_at", "end"}
        assert gate["end"].keys() == {"bad", "trials", "state", "failed_at"}
        assert 0 <= gate["bad"] <= gate["trials"] <= gate["end"]["trials"]
        assert gate["state"] in ("undecided", "pass", "fail")
        assert all((shown["state"] == "fail") == (shown["failed_at"] is not None) for shown in (gate, gate["end"]))
    assert gates["coverage"]["state"] == "pass" and gates["errors"]["state"] == "undecided" and gates["errors"]["end"]["state"] == "fail"
    assert re.search(r"^  agreement +v2-copy +flipped +2 % +\d+ of \d+ ", done.stdout, re.MULTILINE)
    assert figures["outage"].keys() == {"requests", "bad_answers", "milliseconds", "without_guardrail", "led_back"}
    assert 0 < figures["outage"]["bad_answers"] == gates["errors"]["end"]["bad"] and min(figures["outage"]["led_back"].values()) > 0

    assert running()
    curl = re.search(r"^ *(curl .*)$", done.stdout, re.MULTILINE)[1]
    assert json.loads(subprocess.run(curl, shell=True, check=True, capture_output=True, text=True).stdout)["model_name"] == "digits"
    statistics = re.search(r"(http://\S+/stats/prometheus\?filter=gnomon)", done.stdout)[1]
    assert "gnomon_pairs_total" in urllib.request.urlopen(statistics).read().decode()
    assert subprocess.run([DEMO, "--requests", "100"], capture_output=True, timeout=300).returncode == 1, "a second demo in the same folder"
    subprocess.run([DEMO, "--stop"], check=True)
    assert not running()


def test_prometheus_judges_beside_the_filter(alone):
    """It comes with the option, stays with --keep, and knows nothing of an earlier demo, which had the same experiment."""
    (WORK / "prometheus").mkdir(exist_ok=True)
    earlier = WORK / "prometheus/earlier"
    earlier.touch()
    done = subprocess.run([DEMO, "--requests", "100", "--prometheus", "--keep"], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not earlier.exists()
    judged = json.loads((PROJECT / "target/demo.json").read_text())["rules"]
    assert judged["subjects"]["v2"] == {"state": "roll back", "held": ["cut_off"]} and judged["gates"]["errors"]["rules"] == "fail"
    assert re.search(r"^  errors +fail +fail$", done.stdout, re.MULTILINE), done.stdout
    url = re.search(r"^  Prometheus +(http://127\.0\.0\.1:\d+)/", done.stdout, re.MULTILINE)[1]
    answer = json.load(urllib.request.urlopen(f"{url}/api/v1/query?query=gnomon:subject:state"))
    assert {one["metric"]["subject"]: one["value"][1] for one in answer["data"]["result"]}["v2"] == "2"
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
        self.samples = copy.deepcopy(samples)

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


LIMITS = {"agreement": 2, "noise": 50, "control": 1, "coverage": 5, "latency": 50, "errors": 1, "slow": 5}  # percent of trials, of bad ones


def made_up_run():
    """A run in which all is well: v2 is wrong about image 1, a little surer about image 2, and dies after seven bad answers."""
    plan = traffic.plan(200, 3)

    def answer(version, digit, probability):
        outputs = [{"name": "predict", "data": [digit]}, {"name": "predict_proba", "data": [probability, 0.5]}]
        return traffic.Answer(200, json.dumps({"model_version": version, "id": "direct", "outputs": outputs}).encode())

    v1 = [answer("v1", digit, 0.5) for digit in (7, 8, 9)]
    digits = {"v1": [7, 8, 9], "v2": [7, 3, 9]}
    direct = {"v1": v1, "v2": [answer("v2", 7, 0.5), answer("v2", 3, 0.5), answer("v2", 9, 0.6)], "v1-control": v1}

    def served(request, by=None, sent=0.0):
        told = json.loads(direct[by or expected.variant(request)][request.image].body)
        body = json.dumps({**told, "id": request.id if request.named else "made up"}).encode()
        return traffic.Answer(200, body, sent, sent + 0.1)

    samples = []
    variants = [expected.variant(r) for r in plan]
    for variant in ("v1", "v2"):
        samples.append({"name": "gnomon_requests_total", "variant": variant, "reason": "weight", "value": variants.count(variant)})
        samples.append({"name": "gnomon_responses_total", "variant": variant, "class": "2xx", "value": variants.count(variant)})
    copied = {shadow: [r for r in plan if expected.copied(shadow, r, expected.variant(r))] for shadow in expected.COPIED_PERCENT}
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
    lines = [{"shadow": "v2-copy", "kind": "label", "request_id": r.id} for r in copied["v2-copy"] if r.image == 1]

    copies, controls = len(copied["v2-copy"]), len(copied["v1-control"])
    worse = sum(r.image == 1 for r in copied["v1-control"])
    counts = {
        "agreement": (len(lines), copies, "fail"),
        "noise": (worse, worse, "fail"),
        "control": (0, controls, "undecided"),
        "coverage": (0, copies, "pass"),
        "latency": (copies, copies, "undecided"),
        "errors": (0, variants.count("v2"), "undecided"),
        "slow": (0, variants.count("v2"), "undecided"),
    }
    counters = Counters(samples + split_samples({"v1": 950_000, "v2": 50_000}, 0) + gate_samples(counts))
    lines += fail_lines(counts)
    return checks.Run(plan, [served(r) for r in plan], direct, digits, counters, lines, made_up_outage(served, counters, counts, lines))


def made_up_outage(served, before, counts, lines):
    """Twenty testers are answered by v2; then one of its users and six testers get bad answers, and v1 answers the others. No copy is."""
    plan = traffic.plan(150, 3, "outage", 0.5)
    testers, (user, *users) = [r for r in plan if r.pinned], [r for r in plan if not r.pinned and expected.variant(r) == "v2"]
    early, bad, back = testers[:20], [user, *testers[20:26]], [*users, *testers[26:]]
    others = [r for r in plan if expected.variant(r) == "v1"]

    def answer(request):
        if request in bad:
            return traffic.Answer(503, b"no healthy upstream", 1.0, 1.1)
        return served(request, "v2" if request in early else "v1", 2.0 if request in back else 0.0)

    fresh = [{"name": "gnomon_configuration", "plugin": "gnomon", "value": 1}, *split_samples({"v1": 1_000_000}, 1)]
    for variant, reason, requests in (
        ("v2", "pin", early + bad[1:]),
        ("v2", "weight", bad[:1]),
        ("v1", "guardrail", back),
        ("v1", "weight", others),
    ):
        fresh.append({"name": "gnomon_requests_total", "variant": variant, "reason": reason, "value": len(requests)})
    for kind, requests in (("2xx", early), ("5xx", bad)):
        fresh.append({"name": "gnomon_responses_total", "variant": "v2", "class": kind, "value": len(requests)})
    drawn = {shadow: sum(expected.copied(shadow, r, "v1") for r in back + others) for shadow in expected.COPIED_PERCENT}
    for shadow, count in drawn.items():
        fresh.append({"name": "gnomon_sampled_total", "shadow": shadow, "value": count})
        fresh.append({"name": "gnomon_shadow_outcomes_total", "shadow": shadow, "outcome": "shadow_failed", "value": count})
    _, copies, _ = counts["coverage"]
    _, canary, _ = counts["errors"]
    end = {
        "coverage": (drawn["v2-copy"], copies + drawn["v2-copy"], "fail"),
        "errors": (len(bad), canary + len(early + bad), "fail"),
        "slow": (0, canary + len(early), "undecided"),
    }
    newly = fail_lines({gate: end[gate] for gate in ("coverage", "errors")})
    trip = {"gate": "errors", "guardrail": "window", "bad": len(bad), "trials": len(early + bad)}
    kept = [s for s in before.samples if not s["name"].startswith(("gnomon_gate_", "gnomon_split_ppm", "gnomon_guardrail_tripped"))]
    after = Counters(fresh + gate_samples({**counts, **end}) + kept)
    return outage.Outage(plan, [answer(r) for r in plan], before, after, [*lines, *newly, trip])


def split_samples(ppm, tripped):
    shares = [{"name": "gnomon_split_ppm", "variant": variant, "value": value} for variant, value in ppm.items()]
    return [*shares, {"name": "gnomon_guardrail_tripped", "variant": "v2", "value": tripped}]


def gate_samples(counts):
    """What is shown of gates with these numbers of bad trials and of trials, and these states."""
    found = []
    for gate, (bad, trials, state) in counts.items():
        shown = {"bad_total": bad, "trials_total": trials, "state": ["undecided", "pass", "fail"].index(state)}
        shown |= {"failures_total": int(state == "fail"), "limit_ppm": LIMITS[gate] * 10_000, "alpha_ppm": 50_000}
        shown |= {"min_trials": {"latency": 200, "coverage": 20}.get(gate, 0)}
        of = {"gate": gate, "subject": expected.GATES[gate].of}
        found += [{"name": f"gnomon_gate_{name}", **of, "value": value} for name, value in shown.items()]
    return found


def fail_lines(counts):
    """What the log says of those that fail."""
    failed = [(gate, bad, trials) for gate, (bad, trials, state) in counts.items() if state == "fail"]
    return [{"gate": gate, "state": "fail", "bad": bad, "trials": trials} for gate, bad, trials in failed]


def failing(run):
    return [promise for promise, ok, _ in checks.all_checks(run) + rollout.all_checks(run) if not ok]


def test_the_checks_hold_where_all_is_well():
    assert failing(made_up_run()) == []


@pytest.mark.parametrize("reading", [lambda run: run.counters, lambda run: run.outage.after], ids=["before", "after"])
def test_every_counter_that_is_off_by_one_fails_a_check(reading):
    """After the last act: those that it changed."""
    run = made_up_run()
    known = run.counters.samples if reading(run) is run.outage.after else []
    numbers = [number for number, sample in enumerate(reading(run).samples) if sample not in known]
    assert len(numbers) > 10
    for number in numbers:
        run = made_up_run()
        reading(run).samples[number]["value"] += 1
        assert failing(run), reading(run).samples[number]


@pytest.mark.parametrize("name", ["gnomon_anomalies_total", "gnomon_open_pairs", "gnomon_captured_bytes"])
def test_anything_left_over_fails_a_check(name):
    run = made_up_run()
    run.outage.after.samples.append({"name": name, "value": 1})
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
    run.lines.append({"shadow": "v2-copy", "kind": "label", "request_id": next(r.id for r in run.requests if r.image == 0)})
    assert failing(run)


def outage_answers(run, change):
    """The last act with some answers changed by `change(served)`."""
    end = run.outage
    return outage.Outage([s.request for s in end.served], [change(s) for s in end.served], end.before, end.after, end.lines)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: traffic.Answer(503, b"") if s.meant == "v1" and s.request.image == 1 else s.answer,
        lambda s: dataclasses.replace(s.answer, body=s.answer.body.replace(b"0.5", b"0.7")),
        lambda s: dataclasses.replace(s.answer, sent=3.0) if s.by is None else s.answer,
        lambda s: traffic.Answer(200, b'{"model_version": "v3"}') if s.by == "v2" else s.answer,
    ],
    ids=["v1-fails", "another-answer", "bad-answers-after-the-cut-off", "no-such-version"],
)
def test_clients_that_a_broken_canary_hurts_wrongly_fail_a_check(change):
    run = made_up_run()
    run.outage = outage_answers(run, change)
    assert failing(run)


@pytest.mark.parametrize("line", [{"bad": 1}, {"bad": 300, "trials": 300}, {"gate": "slow"}])
def test_a_guardrail_without_reason_fails_a_check(line):
    run = made_up_run()
    run.outage.lines[-1].update(line)
    assert any("log says which gate" in promise for promise in failing(run))


@pytest.mark.parametrize(
    ("bad", "trials", "limit", "state"),
    # By another implementation, in floating-point numbers and logarithms.
    [
        (68, 1535, 2, "fail"),
        (7, 7, 50, "fail"),
        (6, 6, 50, "undecided"),
        (0, 76, 5, "undecided"),
        (0, 77, 5, "pass"),
        (0, 390, 1, "undecided"),
        (0, 391, 1, "pass"),
    ],
)
def test_the_formula_of_the_gates(bad, trials, limit, state):
    assert expected.state(expected.Gate("any", "failed", limit), [(bad, trials)]) == state


def test_a_gate_that_failed_has_failed():
    gate = expected.GATES["errors"]
    assert expected.state(gate, [(3, 3), (3, 10_000)]) == "fail"
    assert expected.state(gate, [(3, 10_000)]) == "pass"
    assert expected.until_pass(gate, 0, 76) == 391 - 76


def made_up_judgement():
    """The filter's counters in the end, with what its gates require, and what the rules say of them if all is well."""
    after = made_up_run().outage.after
    for name, gate in expected.GATES.items():
        after.samples.append({"name": "gnomon_gate_requires", "gate": name, "subject": gate.of, "value": 2})
    states = {name: rollout.state(after, name) for name in expected.GATES}
    counts = {name: rollout.counted(after, name) for name in expected.GATES}
    return after, rules.Judged(counts, states, {"v2": "roll back", "v2-copy": "roll back", "v1-control": "not yet"}, {"v2": ["cut_off"]})


def failing_rules(after, judged):
    return [promise for promise, ok, _ in rules.all_checks(after, judged) if not ok]


def test_rules_that_say_what_the_filter_says_hold():
    after, judged = made_up_judgement()
    assert failing_rules(after, judged) == []
    shown = rules.table(rules.figures(after, judged))
    assert "  errors    fail        fail" in shown and "  v2                    roll back (held: cut_off)" in shown
    assert "two scrapes" not in "".join(shown)


@pytest.mark.parametrize(
    "change",
    [
        {"states": {"control": "pass"}},
        {"states": {"errors": "undecided"}},
        {"states": {"control": "fail"}},
        {"counts": {"control": (1, 1)}},
        {"subjects": {"v2": "may have more"}},
        {"subjects": {"v1-control": "roll back"}},
    ],
    ids=str,
)
def test_rules_that_say_anything_else_fail_a_check(change):
    after, judged = made_up_judgement()
    [(member, values)] = change.items()
    assert failing_rules(after, dataclasses.replace(judged, **{member: getattr(judged, member) | values}))


@pytest.mark.parametrize("member", ["counts", "states", "subjects"])
def test_rules_that_say_nothing_of_a_gate_or_subject_fail_a_check(member):
    after, judged = made_up_judgement()
    values = dict(getattr(judged, member))
    values.popitem()
    assert failing_rules(after, dataclasses.replace(judged, **{member: values}))


def test_a_fail_that_only_the_filter_has_seen_is_told_and_no_fault():
    """By the counts in the end the gate would pass; or it has failed by them, and then the rules must have seen it."""
    for bad, trials, by_rules, fault in ((3, 10_000, "pass", False), (3, 10_000, "undecided", True), (300, 10_000, "pass", True)):
        after, judged = made_up_judgement()
        of = {"gate": "errors", "subject": "v2"}
        after.samples = [s for s in after.samples if not (of.items() <= s.items() and s["name"].endswith(("bad_total", "trials_total")))]
        after.samples += [{"name": f"gnomon_gate_{what}_total", **of, "value": n} for what, n in (("bad", bad), ("trials", trials))]
        judged.counts["errors"], judged.states["errors"] = (bad, trials), by_rules
        judged.subjects["v2"] = "not yet"
        assert bool(failing_rules(after, judged)) == fault
        assert ("two scrapes" in "".join(rules.table(rules.figures(after, judged)))) != fault


@pytest.mark.parametrize(
    ("states", "requires", "held", "answer"),
    [
        ({"errors": "pass", "slow": "pass"}, {}, [], "may have more"),
        ({"errors": "pass", "slow": "pass"}, {}, ["cut_off"], "not yet"),
        ({"errors": "pass", "slow": "undecided"}, {}, [], "not yet"),
        ({"errors": "pass", "slow": "undecided"}, {"slow": 1}, [], "may have more"),
        ({"errors": "pass", "slow": "fail"}, {"slow": 1}, [], "roll back"),
        ({"errors": "pass", "slow": "fail"}, {"slow": 0}, [], "may have more"),
        ({"errors": "undecided", "slow": "undecided"}, {"errors": 1, "slow": 1}, [], "not yet"),
    ],
)
def test_the_answer_for_a_subject(states, requires, held, answer):
    judged = rules.Judged({}, states, {}, {"v2": held})
    needs = [{"name": "gnomon_gate_requires", "gate": g, "subject": "v2", "value": requires.get(g, 2)} for g in states]
    assert rules.follows(Counters(needs), judged, "v2") == answer
