"""What Gnomon should find, worked out without it: from the published hash formulas, and from the models' own answers.

This is an independent reading of what the configuration in envoy.yaml means. It shares no code with the filter.
"""

import json
import re

import xxhash

EXPERIMENT, ROUTE = "digits-demo", "digits"
PERCENT = {"v2": 5}  # of the users
COPIED_PERCENT = {"v2-copy": 80, "v1-control": 40}  # of the requests that v1 answers
PROBABILITY_TOLERANCE = 0.2
IGNORED = {"id", "model_version"}


def bucket(*parts):
    """One of a million buckets."""
    return xxhash.xxh64_intdigest("\0".join(parts).encode(), seed=0) % 1_000_000


def variant(user):
    """Who answers this user. The salt of the split is the route's name."""
    return "v2" if bucket(ROUTE, "split", user) < PERCENT["v2"] * 10_000 else "v1"


def copied(shadow, request):
    """Whether this request is drawn for this shadow."""
    drawn = bucket(EXPERIMENT, ROUTE, "shadow", request.id) < COPIED_PERCENT[shadow] * 10_000
    return variant(request.user) == "v1" and drawn


def verdict(primary, shadow, named):
    """`(verdict, path of the first difference)` of two answers of 200 to the same question, both asked by the same id.

    Where the client did not name its question, MLServer makes up an id for each answer: then the bytes differ in any case.
    """
    if named and primary == shadow:
        return "identical", None
    path = difference(*({k: v for k, v in json.loads(answer).items() if k not in IGNORED} for answer in (primary, shadow)))
    return ("equivalent", None) if path is None else ("diverged", re.sub(r"\[\d+\]", "[*]", path))


def difference(a, b, path=""):
    """The path of the first difference in the order that Gnomon documents, or None."""
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted(a.keys() | b.keys()):
            inner = f"{path}.{name}" if path else name
            if (name in a) != (name in b):
                return inner
            if found := difference(a[name], b[name], inner):
                return found
        return None
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return path
        return next(filter(None, (difference(x, y, f"{path}[{n}]") for n, (x, y) in enumerate(zip(a, b)))), None)
    if type(a) in (int, float) and type(b) in (int, float):
        absolute = PROBABILITY_TOLERANCE if path.startswith("outputs[1].data[") else 1e-6
        distance = abs(a - b)
        return None if distance <= absolute or distance <= 1e-3 * max(abs(a), abs(b)) else path
    return None if type(a) is type(b) and a == b else path
