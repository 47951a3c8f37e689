"""What Prometheus makes of it, with `--prometheus`: the shipped rules judge the sums that it has scraped, beside the filter's own states.

They agree, but for a fail that crossed between two scrapes: the filter looks at its gates after every request, and a gate that has failed
stays so; the rules see each second's counts, and by these the gate may be as it was before.
"""

import dataclasses
import json
import pathlib
import shutil
import time
import urllib.parse

import expected
import measured
import rollout
from checks import same

RULES = pathlib.Path(__file__).parents[1] / "istio/prometheus/rules.yaml"
STATES = {0: "undecided", 1: "pass", 2: "fail"}
SUBJECT_STATES = {0: "not yet", 1: "may have more", 2: "roll back"}
WAIT_SECONDS = 30


def start(processes, binary, ports, work):
    """Starts Prometheus, empty: what an earlier demo counted under the same id is none of this one's business."""
    data = work / "prometheus"
    shutil.rmtree(data, ignore_errors=True)
    target = {"targets": [f"127.0.0.1:{ports['admin']}"]}
    configuration = work / "prometheus.yaml"  # JSON is YAML
    configuration.write_text(json.dumps({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "gnomon", "metrics_path": "/stats/prometheus", "static_configs": [target]}],
    }, indent=2))  # fmt: skip
    address = f"--web.listen-address=127.0.0.1:{ports['prometheus']}"
    command = [binary, f"--config.file={configuration}", f"--storage.tsdb.path={data}", address]
    return processes.start("Prometheus", command, work / "prometheus.log")


@dataclasses.dataclass
class Judged:
    """What the rules say at one moment."""

    counts: dict  # (bad, trials) by gate
    states: dict  # a word by gate
    subjects: dict  # a word by subject
    held: dict  # reasons by subject: what keeps it from more, whatever its gates say


class Reader:
    """Asks Prometheus."""

    def __init__(self, port):
        self._port = port

    def query(self, expression):
        """`[(labels, value)]`."""
        status, text = measured.get(self._port, "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        assert status == 200, text
        return [(one["metric"], float(one["value"][1])) for one in json.loads(text)["data"]["result"]]

    def by(self, label, expression):
        """`{value of a label: value}`."""
        return {labels[label]: value for labels, value in self.query(expression)}

    def counts(self):
        """`(bad, trials)` of each gate, over all proxies."""
        bad, trials = (self.by("gate", f"gnomon:gate_{what}:sum") for what in ("bad", "trials"))
        return {gate: (int(bad[gate]), int(trials[gate])) for gate in bad.keys() & trials.keys()}

    def judged(self, counters):
        """What the rules say once they know the filter's counts, or when the patience is over."""
        end = time.monotonic() + WAIT_SECONDS
        counted = {gate: rollout.counted(counters, gate) for gate in expected.GATES}
        while self.counts() != counted and time.monotonic() < end:
            time.sleep(0.2)
        seen = time.time()  # rules of one evaluation may still be at work: the next one knows it all
        while not min((at for _, at in self.query("timestamp(gnomon:subject:state)")), default=0) > seen and time.monotonic() < end:
            time.sleep(0.2)
        held = {}
        for labels, _ in self.query("gnomon:subject_held:info"):
            held.setdefault(labels["subject"], []).append(labels["reason"])
        word = lambda known, values: {name: known.get(value, value) for name, value in values.items()}  # noqa: E731
        states = word(STATES, self.by("gate", 'gnomon:gate:state{slice="all"}'))
        return Judged(self.counts(), states, word(SUBJECT_STATES, self.by("subject", "gnomon:subject:state")), held)


def crossed(counters, judged, name):
    """Whether this gate failed in the filter between two scrapes: by the counts that the rules know it has not."""
    own, seen = rollout.state(counters, name), judged.counts.get(name)
    by_counts = seen and expected.state(expected.GATES[name], [seen])
    return own == "fail" != by_counts and judged.states.get(name) == by_counts


def follows(counters, judged, subject):
    """The answer for a subject that follows from the rules' states of its gates, and from what holds it back."""
    needs = {}
    for name, gate in expected.GATES.items():
        if gate.of == subject:
            needs[name] = counters.total("gnomon_gate_requires", gate=name, subject=subject)
    states = {name: judged.states.get(name) for name in needs}
    if any(states[name] == "fail" for name in needs if needs[name] > 0):
        return "roll back"
    passes = [states[name] == "pass" for name in needs if needs[name] == 2]
    return "may have more" if passes and all(passes) and not judged.held.get(subject) else "not yet"


def all_checks(counters, judged):
    """As `checks.all_checks`; `counters` are the filter's in the end."""
    counted = {gate: rollout.counted(counters, gate) for gate in expected.GATES}
    own = {name: rollout.state(counters, name) for name in expected.GATES}
    # (That the filter's own state follows from its counts, and from what its log says of a failure, is checked apart.)
    agreed = {name: own[name] if crossed(counters, judged, name) else judged.states.get(name) for name in own}
    subjects = {gate.of for gate in expected.GATES.values()}
    return [
        same("rules: their sums are the filter's counts", judged.counts, counted),
        same("rules: their states are the filter's own, but for a fail that crossed between two scrapes", agreed, own),
        same(
            "rules: the answer for each variant and shadow follows from its gates",
            judged.subjects,
            {subject: follows(counters, judged, subject) for subject in subjects},
        ),
    ]


def figures(counters, judged):
    """What is added to target/demo.json."""
    gates = {
        name: {
            "filter": rollout.state(counters, name),
            "rules": judged.states.get(name),
            "crossed_between_scrapes": bool(crossed(counters, judged, name)),
        }
        for name in expected.GATES
    }
    subjects = {subject: {"state": state, "held": sorted(judged.held.get(subject, []))} for subject, state in judged.subjects.items()}
    return {"gates": gates, "subjects": subjects}


def table(found):
    """The same for people."""
    lines = ["\nWhat the rules in Prometheus say in the end, beside the filter's own states", f"  {'':10}{'the filter':12}the rules"]
    for name, gate in found["gates"].items():
        remark = "failed between two scrapes: only the filter has seen it" if gate["crossed_between_scrapes"] else ""
        lines.append(f"  {name:10}{gate['filter']:12}{gate['rules'] or 'nothing':12}{remark}".rstrip())
    lines.append("  May it have more, by the rules:")
    for subject, answer in found["subjects"].items():
        held = f" (held: {', '.join(answer['held'])})" if answer["held"] else ""
        lines.append(f"  {subject:22}{answer['state']}{held}")
    return lines
