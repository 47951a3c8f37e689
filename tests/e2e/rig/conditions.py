"""What Argo Rollouts makes of an analysis template: its queries with arguments filled in, and the outcome of its conditions by Argo's own
library (`tests/go-tools/conditions`)."""

import json
import re
import subprocess
import urllib.parse
import urllib.request

from .manifests import GO_TOOLS
from .waiting import PATIENCE


def evaluate(condition, result):
    """A condition's value for this result of Prometheus, as Argo sees it; fails if it can't be evaluated."""
    asked = json.dumps([{"condition": condition, "result": result}])
    done = subprocess.run([GO_TOOLS / "conditions"], input=asked, capture_output=True, text=True, check=True, timeout=PATIENCE)
    [answer] = json.loads(done.stdout)
    assert isinstance(answer, bool), (condition, result, answer)
    return answer


def phase(metric, result):
    """The phase of a measurement, as Argo's EvaluateResult has it."""
    held = [evaluate(metric[name], result) if name in metric else None for name in ("successCondition", "failureCondition")]
    succeeds, fails = held if None not in held else (held[0], not held[0]) if held[1] is None else (not held[1], held[1])
    return "Failed" if fails else "Successful" if succeeds else "Inconclusive"


def filled(template, **given):
    """The metrics of a template, {name: metric}, with `{{args.…}}` replaced as Argo does: in the metric's JSON."""
    arguments = {one["name"]: one.get("value") for one in template["spec"]["args"]}
    assert set(given) <= set(arguments), f"unknown arguments: {set(given) - set(arguments)}"
    values = arguments | given
    missing = [name for name, value in values.items() if value is None]
    assert not missing, f"arguments without a value: {missing}"
    text = re.sub(r"\{\{ *args\.([\w-]+) *\}\}", lambda found: json.dumps(values[found[1]])[1:-1], json.dumps(template["spec"]["metrics"]))
    return {metric["name"]: metric for metric in json.loads(text)}


def measure(metric):
    """What Prometheus answers to the metric's query, at its address: the values of a vector in their order, as Argo reads them."""
    asked = metric["provider"]["prometheus"]
    url = f"{asked['address']}/api/v1/query?" + urllib.parse.urlencode({"query": asked["query"]})
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        data = json.load(answer)["data"]
    assert data["resultType"] == "vector", data
    return [float(one["value"][1]) for one in data["result"]]
