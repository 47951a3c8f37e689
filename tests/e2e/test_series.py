"""`gnomon check --series` says how many series a real proxy has."""

import json
import re
import subprocess
from collections import Counter

from rig import contract
from rig.client import request
from rig.configuration import configuration, route, shadow
from rig.examples import ROOT, buckets
from rig.upstream import Reply

PATHS = 16
"""Most paths of a shadow that have a series of their own."""


def counted(config):
    """What the command says: {route, or what else has series: (from the start, at most)}."""
    done = subprocess.run([ROOT / "scripts/gnomon", "check", "--series", "-"], input=json.dumps(config), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = re.findall(r"series in each proxy: (\d+)(?: to (\d+))? (?:of )?(?:route )?(.*)$", done.stdout, re.M)
    return {what: (int(first), int(most or first)) for first, most, what in lines}


def scraped(metrics):
    """What Prometheus gets from a proxy: {route, or `the filter itself`: number of series}."""
    routes = Counter(dict(labels).get("route", "the filter itself") for name, labels in metrics.values if name.startswith("gnomon_"))
    return {**routes, "in all": routes.total()}


def test_the_count_is_that_of_a_real_proxy_before_any_traffic(lab):
    clusters = {"primary": lab.upstream(), "shadow": lab.upstream()}
    for config in (contract.complete(), configuration(route(shadows=[shadow()]), route("second", "/v2/"))):
        metrics = lab.proxy(config, clusters, concurrency=2, stats={"histogram_bucket_settings": buckets()}).metrics()
        assert scraped(metrics) == {what: first for what, (first, _) in counted(config).items()}


def test_what_traffic_adds_ends_at_most_where_the_count_says(lab):
    primary = lab.upstream(Reply(b"{}"))
    copy = lab.upstream(lambda received: Reply(json.dumps({json.loads(received.body)["name"]: 1}).encode()))
    config = configuration(route(protocol="json", shadows=[shadow()]))
    proxy = lab.proxy(config, {"primary": primary, "shadow": copy}, stats={"histogram_bucket_settings": buckets()})
    for number in range(PATHS + 4):
        proxy.send(request(body=json.dumps({"name": f"p{number}"}).encode()))
    proxy.eventually("gnomon_divergent_paths_total", PATHS + 4)
    first, most = counted(config)["main"]
    assert (scraped(proxy.metrics())["main"], most - first) == (most, PATHS)
