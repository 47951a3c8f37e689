"""The hash formulas of the contract, by Python's `xxhash` and not by the filter's code."""

import xxhash

BUCKETS = 1_000_000


def _bucket(*parts):
    joined = b"\0".join(part if isinstance(part, bytes) else part.encode() for part in parts)
    return xxhash.xxh64(joined, seed=0).intdigest() % BUCKETS


def buckets(percent):
    """How many of the million buckets a percentage is, written with its sign or without."""
    return round(float(str(percent).removesuffix("%")) * 10_000)


def variant(key, salt, baseline, canaries):
    """The variant that `key` is assigned to; `canaries` is a list of (name, percent) in the configured order."""
    bucket, start = _bucket(salt, "split", key), 0
    for name, percent in canaries:
        start += buckets(percent)
        if bucket < start:
            return name
    return baseline


def bucket_header(key, salt):
    """The value of the bucket header: the first four of the bucket's six digits."""
    return f"{_bucket(salt, 'split', key):06}"[:4]


def sampled(identity, experiment, route, percent):
    """Whether a shadow of `percent` gets the request whose `x-request-id` (or `sample_by` key) is `identity`."""
    return _bucket(experiment, route, "shadow", identity) < buckets(percent)


def first_event_bit(key):
    """The bit by which a gate remembers that `key` has had its event."""
    return xxhash.xxh64(key.encode(), seed=1).intdigest() % 65_536
