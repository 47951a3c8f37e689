"""What Envoy's administration page says: Gnomon's counters as Prometheus would scrape them, and quantiles of its histograms."""

import collections
import http.client
import json
import re

SAMPLE = re.compile(r"^(gnomon_\w+)\{(.*)\} (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
DURATION = re.compile(r"^wasmcustom\.gnomon_(response|shadow)_duration_microseconds.*(?:variant|shadow)=\.=(.*?);\.;")


def get(port, path):
    """Status and text of a page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


class Counters:
    """One reading of all of Gnomon's statistics."""

    def __init__(self, port):
        self.samples = [
            (name, dict(LABEL.findall(labels)), float(value)) for name, labels, value in SAMPLE.findall(get(port, "/stats/prometheus")[1])
        ]

    def total(self, name, **labels):
        """The sum of all series of this name that have these labels."""
        return sum(value for n, have, value in self.samples if n == name and labels.items() <= have.items())

    def by(self, label, name, **labels):
        """That sum for each value of one label, without the zeros."""
        sums = collections.Counter()
        for n, have, value in self.samples:
            if n == name and labels.items() <= have.items():
                sums[have.get(label, "")] += int(value)
        return {key: value for key, value in sorted(sums.items()) if value}

    def changes(self, shadow):
        """How often the client got one answer and the shadow gave another, or the same."""
        sums = collections.Counter()
        for name, have, value in self.samples:
            if name == "gnomon_decisions_total" and have["shadow"] == shadow and value:
                sums[have["primary_answer"], have["shadow_answer"]] += int(value)
        return sums

    def names(self, name, *of, **labels):
        """The values of some labels over all series of this name that have these labels, zeros included."""
        return {have[label] for n, have, _ in self.samples if n == name and labels.items() <= have.items() for label in of}


def milliseconds(port):
    """`{variant or shadow: {"p50": ..., "p99": ...}}`, as Envoy works it out from its histograms."""
    page = json.loads(get(port, "/stats?format=json&filter=gnomon_.*_duration_microseconds")[1])
    found = {}
    histograms = next(
        (stat["histograms"] for stat in page["stats"] if "histograms" in stat), {"supported_quantiles": [], "computed_quantiles": []}
    )
    percents = histograms["supported_quantiles"]
    for histogram in histograms["computed_quantiles"]:
        who = DURATION.match(histogram["name"])
        values = [value["cumulative"] for value in histogram["values"]]
        if who and values[0] is not None:
            found[who[2]] = {name: round(values[percents.index(percent)] / 1000, 1) for name, percent in (("p50", 50), ("p99", 99))}
    return found
