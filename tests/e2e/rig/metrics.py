"""What Envoy exports, as Prometheus would scrape it."""

import re

_LINE = re.compile(r"^(\w+)\{(.*)\} (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_TYPE = re.compile(r"^# TYPE (\w+) (\w+)$")


class Metrics:
    """One scrape. Labels are keyword arguments; `class_` stands for the label `class`."""

    def __init__(self, text):
        self.values, self.types = {}, {}
        for line in text.splitlines():
            if found := _LINE.match(line):
                labels = tuple(sorted(_LABEL.findall(found[2])))
                self.values[found[1], labels] = float(found[3])
            elif found := _TYPE.match(line):
                self.types[found[1]] = found[2]

    def series(self, name, **labels):
        """The series of `name` that carry `labels`: {all their labels: value}."""
        wanted = {key.rstrip("_"): value for key, value in labels.items()}.items()
        return {found: value for (n, found), value in self.values.items() if n == name and wanted <= dict(found).items()}

    def total(self, name, **labels):
        """The sum over those series."""
        return int(sum(self.series(name, **labels).values()))

    def by(self, name, *keys, **labels):
        """Sums by the value of label `keys` (a tuple when there are several); zeros are left out."""
        sums = {}
        for found, value in self.series(name, **labels).items():
            if value:
                group = tuple(dict(found).get(key) for key in keys)
                group = group[0] if len(keys) == 1 else group
                sums[group] = sums.get(group, 0) + int(value)
        return sums

    def names(self, prefix="gnomon_"):
        """The exported names with their types."""
        return {name: kind for name, kind in self.types.items() if name.startswith(prefix)}

    def label_sets(self, name):
        """The different sets of label names that the series of `name` carry."""
        return {frozenset(key for key, _ in found) for found in self.series(name)}
