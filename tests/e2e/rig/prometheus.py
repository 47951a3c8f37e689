"""The real Prometheus, with the project's rules, scraping the admin ports of proxies."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import urllib.parse
import urllib.request

from .waiting import PATIENCE, until

ROOT = pathlib.Path(__file__).resolve().parents[3]
RULES = ROOT / "istio/prometheus/rules.yaml"
BINARY = os.environ.get("PROMETHEUS") or shutil.which("prometheus") or ROOT / ".tools/prometheus/usr/bin/prometheus"
JOB = "istio/gnomon"


def faster(rules, minute=1):
    """The rules with each minute shortened to so many seconds."""
    seconds = {"m": minute, "h": 60 * minute}
    return re.sub(r"(?<=[\[ ])(\d+)([mh])\b", lambda found: f"{int(found[1]) * seconds[found[2]]}s", rules)


class Prometheus:
    """A running Prometheus. `rules`: the text of its rules; `interval`: how often it scrapes and evaluates."""

    def __init__(self, folder, rules=None, interval="500ms"):
        self.folder = pathlib.Path(folder)
        self._log, self._targets, self.port = self.folder / "log", {}, 0
        (self.folder / "rules.yaml").write_text(rules or RULES.read_text())
        self._write_targets()
        (self.folder / "prometheus.yaml").write_text(json.dumps({
            "global": {"scrape_interval": interval, "evaluation_interval": interval},
            "rule_files": ["rules.yaml"],
            "scrape_configs": [{
                "job_name": JOB, "metrics_path": "/stats/prometheus",
                "file_sd_configs": [{"files": ["targets.json"], "refresh_interval": "200ms"}]
            }],
        }))  # fmt: skip
        self._start()

    def _start(self):
        command = [BINARY, f"--config.file={self.folder}/prometheus.yaml", f"--storage.tsdb.path={self.folder}/data"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{self.port}"], stdout=log, stderr=log)
        try:
            self.port = until(self._listening, "Prometheus to listen")
            until(self._ready, "Prometheus to be ready")
        except BaseException as error:
            self.stop()
            error.add_note(self._log.read_text()[-3000:])
            raise

    def _listening(self):
        assert self._process.poll() is None, "Prometheus left"
        found = re.search(r'"Listening on" address=127\.0\.0\.1:(\d+)', self._log.read_text())
        return found and int(found[1])

    def _ready(self):
        try:
            return self._get("/-/ready")
        except OSError:
            return False

    def _get(self, path):
        with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE) as answer:
            return answer.read()

    @property
    def url(self):
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def scrape(self, instance, address, **labels):
        """Scrapes a proxy's admin port from now on, as the target `instance`: one of this name before it has restarted in place."""
        self._targets[instance] = {"targets": [address], "labels": {"instance": instance, "pod": instance, **labels}}
        self._write_targets()

    def forget(self, instance):
        """The target has gone."""
        del self._targets[instance]
        self._write_targets()

    def _write_targets(self):
        new = self.folder / "targets.new"
        new.write_text(json.dumps(list(self._targets.values())))
        new.rename(self.folder / "targets.json")

    def query(self, expression):
        """{labels without `__name__`, as a frozenset of pairs: value} of an instant query."""
        result = json.loads(self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expression})))["data"]["result"]
        named = lambda metric: frozenset((name, value) for name, value in metric.items() if name != "__name__")
        return {named(one["metric"]): float(one["value"][1]) for one in result}

    def value(self, expression):
        """The only value of an expression; None if there is none."""
        values = list(self.query(expression).values())
        assert len(values) < 2, values
        return values[0] if values else None

    def label_values(self, selector, label):
        """All values that a label has in the series of a selector."""
        return json.loads(self._get(f"/api/v1/label/{label}/values?" + urllib.parse.urlencode({"match[]": selector})))["data"]

    def eventually(self, expression, value, timeout=PATIENCE):
        """Waits until the only value of the expression is this one."""
        until(lambda: self.value(expression) == value, f"{expression} to be {value}", timeout)

    def alerts(self):
        """The alerts that fire: {name: [alert]}."""
        firing = {}
        for alert in json.loads(self._get("/api/v1/alerts"))["data"]["alerts"]:
            if alert["state"] == "firing":
                firing.setdefault(alert["labels"]["alertname"], []).append(alert)
        return firing

    def groups(self):
        """The groups of rules, each with how long its last evaluation took (seconds)."""
        return json.loads(self._get("/api/v1/rules"))["data"]["groups"]

    def rules(self):
        """All rules, each with its health and its last error."""
        return [rule for group in self.groups() for rule in group["rules"]]

    def restart(self):
        """Stops it, and starts it again on what it has stored, at the same address."""
        self.stop()
        self._start()

    def stop(self):
        """Ends it."""
        self._process.terminate()
        self._process.wait(PATIENCE)
