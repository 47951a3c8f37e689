"""What Gnomon should find, worked out without it: from the published hash formulas, and from what scikit-learn says of each image.

This is an independent reading of what the configuration in envoy.yaml means. It shares no code with the filter.
"""

import xxhash

EXPERIMENT, ROUTE = "digits-demo", "digits"
PERCENT = {"v2": 5}  # of the users
COPIED_PERCENT = {"v2-copy": 80, "v1-control": 40}  # of the requests that v1 answers
VERSION = {"v2-copy": "v2", "v1-control": "v1"}  # of the model that each shadow serves
PATH = "outputs[*].data[*]"  # where a digit is


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
    """The verdict on two `(answer, digit)`s to the same question, both asked by the same id.

    Where the client did not name its question, MLServer makes up an id for each answer: then the bytes differ in any case.
    """
    if primary[1] != shadow[1]:
        return "diverged"
    return "identical" if named and primary[0] == shadow[0] else "equivalent"
