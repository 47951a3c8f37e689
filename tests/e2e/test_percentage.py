"""The pipeline of docs/percentage.md, run as it stands there: which shares it sets, and how it ends."""

import os
import re
import subprocess

from rig.client import many, request
from rig.configuration import gate, route, shadow, split
from rig.envoy import by_variant
from rig.examples import ROOT
from rig.upstream import Reply
from rig.waiting import PATIENCE
from test_gate_command import command  # noqa: F401 (a fixture)

KUBECTL = """#!/bin/sh
case $* in *"\\"$REFUSED\\""*) exit 1 ;; esac
printf '%s\\n' "$*" | sed 's/.*"path": "\\([^"]*\\)", "value": "\\([^"]*\\)".*/\\1 \\2/' >>"$(dirname "$0")/shares"
"""
PATH = "/spec/pluginConfig/routes/0/split/canaries/0/percent"
PIN = {"header": "x-model-pin", "exact": "v2", "variant": "v2"}
LIMIT = 10
LOOKS = 3


def script(experiment, prometheus):
    """The page's script, with a wait that a test can wait for."""
    [text] = re.findall(r"```sh\n(EXPERIMENT=.*?)```", (ROOT / "docs/percentage.md").read_text(), re.DOTALL)
    replaced = {"fraud-2026-11": experiment, "http://prometheus:9090": prometheus, "LOOKS=60": f"LOOKS={LOOKS}", "sleep 30": "echo >>looks"}
    for old, new in replaced.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text.replace("--wait 2h", "--wait 1s --every 1s")


class Pipeline:
    """Runs the script where `gnomon` is the real one, and `kubectl` writes down what it is asked."""

    def __init__(self, folder, program):
        self._folder, self._shares, self._looks = folder, folder / "shares", folder / "looks"
        (folder / "gnomon").symlink_to(program)
        (folder / "kubectl").write_text(KUBECTL)
        (folder / "kubectl").chmod(0o755)

    def run(self, experiment, prometheus, refused="none"):
        """(exit code, the shares that it has set, how often it has looked at them); `refused`: a share that can't be set."""
        self._shares.write_text("")
        self._looks.write_text("")
        environment = os.environ | {"PATH": f"{self._folder}:{os.environ['PATH']}", "REFUSED": refused}
        shell = ["sh", "-euc", script(experiment, prometheus)]
        done = subprocess.run(shell, cwd=self._folder, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        lines = [line.split() for line in self._shares.read_text().splitlines()]
        assert {path for path, _ in lines} <= {PATH}, lines
        return done.returncode, [share for _, share in lines], len(self._looks.read_text())


def configured(experiment):
    """One model with a canary and a shadow, both with gates."""
    gates = [gate("errors", "v2", "failed", LIMIT), gate("coverage", "v2-copy", "coverage", 100 - LIMIT)]
    copied = shadow("v2-copy", "copy")
    made = route("fraud", "/fraud/", split=split(canaries=[("v2", 0)], pins=[PIN]), shadows=[copied], gates=gates)
    return {"version": 1, "experiment": experiment, "routes": [made]}


TRAFFIC = {"good": (60, 60), "bad": (60, 60), "undecided": (60, 0), "unshadowed": (0, 60)}
"""Requests to the baseline, which are copied, and to the canary."""
EXPECTED = {
    "good": (0, ["5%", "25%", "50%", "100%"], 4 * LOOKS),
    "bad": (1, ["5%", "0%"], 1),
    "undecided": (75, ["5%"], LOOKS),
    "unshadowed": (75, [], 0),
    "unheard-of": (66, [], 0),
}


def test_the_pipeline_goes_on_only_by_a_pass(lab, command, tmp_path):  # noqa: F811
    prometheus, pipeline = lab.prometheus(), Pipeline(tmp_path, command)
    canary = lab.upstream(lambda received: Reply(status=500) if received.header("x-bad") else Reply())
    clusters = {"v1": lab.upstream(), "v2": canary, "copy": lab.upstream()}
    for experiment, (baseline, pinned) in TRAFFIC.items():
        proxy = lab.proxy(configured(experiment), clusters, routes=by_variant({"v1": "v1", "v2": "v2"}))
        prometheus.scrape(experiment, proxy.admin_address)
        bad = {"x-bad": "1"} if experiment == "bad" else {}
        many(proxy.port, [request("/fraud/x")] * baseline)
        many(proxy.port, [request("/fraud/x", headers={"x-model-pin": "v2"} | bad)] * pinned)
        prometheus.eventually(f'gnomon:gate_trials:sum{{experiment="{experiment}",gate="errors"}}', pinned)
        prometheus.eventually(f'gnomon:gate_trials:sum{{experiment="{experiment}",gate="coverage"}}', baseline)
    assert {experiment: pipeline.run(experiment, prometheus.url) for experiment in EXPECTED} == EXPECTED
    assert pipeline.run("bad", prometheus.url, refused="0%") == (69, ["5%"], 1)
    prometheus.stop()
    assert pipeline.run("good", prometheus.url) == (69, [], 0)
