"""The contract of statistics, `tests/data/statistics.json`: names, types, labels and words, and what of a scrape does not keep to it."""

import json
import pathlib

DATA = pathlib.Path(__file__).resolve().parents[2] / "data"
_CONTRACT = json.loads((DATA / "statistics.json").read_text())
STATISTICS = {one["name"]: one for one in _CONTRACT["statistics"]}
LABELS = list(dict.fromkeys([*(label for one in STATISTICS.values() for label in one["labels"]), *_CONTRACT["reserved"]]))
"""All labels of all statistics, and those that are reserved for later ones."""


def complete():
    """A configuration with every statistic. Its copies go to the cluster `shadow`."""
    return json.loads((DATA / "statistics-complete.json").read_text())


def breaches(metrics):
    """What of a scrape is not in the contract, in words."""
    found = []
    types = metrics.names()
    for name, kind in types.items():
        if name not in STATISTICS or STATISTICS[name]["type"] != kind:
            found.append(f"{name} is a {kind}")
    for (name, labels), _ in metrics.values.items():
        if name.startswith("gnomon_"):
            found += _breaches_of_one(name, dict(labels), types)
    return found


def _breaches_of_one(name, labels, types):
    name = _without_suffix(name, types)
    if name not in STATISTICS:
        return [f"{name} is not in the contract"]
    expected, allowed = STATISTICS[name]["labels"], STATISTICS[name].get("words", {})
    labels.pop("le", None)
    if set(labels) != set(expected):
        return [f"{name} has the labels {sorted(labels)} instead of {expected}"]
    return [f"{name} has the {label} {labels[label]}" for label, some in allowed.items() if labels[label] not in some]


def _without_suffix(name, types):
    """The name of the histogram that a series of Prometheus belongs to, or its own."""
    for suffix in ("_bucket", "_sum", "_count"):
        if types.get(name.removesuffix(suffix)) == "histogram":
            return name.removesuffix(suffix)
    return name


def missing(metrics):
    """What of the contract is not in a scrape: names, and words of labels of which there are others beside the same other labels."""
    found = [f"no {name}" for name in STATISTICS if name not in metrics.names()]
    for name, one in STATISTICS.items():
        for label, known in one.get("words", {}).items():
            groups = {}
            for labels in metrics.series(name):
                groups.setdefault(tuple(pair for pair in labels if pair[0] != label), set()).add(dict(labels)[label])
            found += [f"{name} of {others} has no {label} {sorted(set(known) - some)}" for others, some in groups.items() if set(known) - some]
    return found
