"""The filter's configuration as the tests write it: small builders whose keyword arguments are the documented keys."""

EXPERIMENT = "exp"


def shadow(name="copy", cluster="shadow", percent=100, **more):
    """A shadow that gets everything. Only a shadow that never answers reaches its bounds, not one whose first answer is slow."""
    return {"name": name, "cluster": cluster, "percent": percent, "timeout": "30s", "max_in_flight": 256, **more}


def route(name="main", prefix="/v1/", **more):
    """A JSON route that takes POST requests under `prefix`."""
    return {"name": name, "match": {"path": {"prefix": prefix}}, "protocol": "json", **more}


def split(baseline="v1", canaries=(), **more):
    """A split by `x-user-id`; `canaries` is a list of (name, percent)."""
    named = [{"name": name, "percent": percent} for name, percent in canaries]
    return {"baseline": baseline, "canaries": named, "key": {"header": "x-user-id"}, **more}


def observe(baseline="stable", variants=("canary", "stable"), **more):
    """Variants that are observed at the clusters of their names."""
    seen = [{"name": name, "cluster": {"exact": name}} for name in variants]
    return {"baseline": baseline, "variants": seen, **more}


def gate(name, of, measure, limit, **more):
    """A gate, by default judged at an alpha of 0.05."""
    return {"name": name, "of": of, "measure": measure, "limit": limit, **more}


def configuration(*routes, **more):
    """A whole configuration."""
    return {"version": 1, "experiment": EXPERIMENT, "routes": list(routes), **more}


def mirrored(**more):
    """The commonest one: one JSON route with one shadow; `more` goes to the shadow."""
    return configuration(route(shadows=[shadow(**more)]))
