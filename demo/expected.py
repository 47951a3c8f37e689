"""What Gnomon should find, worked out without it: from the published formulas, and from what scikit-learn says of each image.

This is an independent reading of what the configuration in envoy.yaml means. It shares no code with the filter.
"""

import bisect
import dataclasses
import decimal

import xxhash

EXPERIMENT, ROUTE = "digits-demo", "digits"
PERCENT = {"v2": 5}  # of the users
COPIED_PERCENT = {"v2-copy": 80, "v1-control": 40}  # of the requests that v1 answers
VERSION = {"v2-copy": "v2", "v1-control": "v1"}  # of the model that each shadow serves
PATH = "outputs[*].data[*]"  # where a digit is


@dataclasses.dataclass(frozen=True)
class Gate:
    """A limit on a rate, in percent."""

    of: str
    measure: str
    limit: int
    min_trials: int = 0

    @property
    def bad_percent(self):
        """The limit on bad trials. That of coverage is one from below, because a request that is not covered is a bad trial."""
        return 100 - self.limit if self.measure == "coverage" else self.limit


GATES = {
    "agreement": Gate("v2-copy", "flipped", 2),
    "noise": Gate("v2-copy", "worse_than_control", 50),
    "control": Gate("v1-control", "diverged", 1),
    "coverage": Gate("v2-copy", "coverage", 95, min_trials=20),
    "latency": Gate("v2-copy", "slower_than_primary", 50, min_trials=200),
    "errors": Gate("v2", "failed", 1),
    "slow": Gate("v2", "slower_than", 5),
}
ALPHA = decimal.Decimal("0.05")
SLOW_SECONDS = 1
GUARDED = "errors"
GUARDRAIL = {"alpha": decimal.Decimal("0.001"), "min_trials": 20}

WORSE = [decimal.Decimal(m) for m in ("1.5", "2", "4", "8")]
BETTER = [decimal.Decimal(2) / 3, *(decimal.Decimal(m) for m in ("0.5", "0.25", "0"))]


def bucket(*parts):
    """One of a million buckets."""
    return xxhash.xxh64_intdigest("\0".join(parts).encode(), seed=0) % 1_000_000


def variant(request):
    """Who answers this request, unless the guardrail has something against it. The salt of the split is the route's name."""
    return "v2" if request.pinned or bucket(ROUTE, "split", request.user) < PERCENT["v2"] * 10_000 else "v1"


def copied(shadow, request, answerer):
    """Whether this request, if that variant answers it, is drawn for this shadow."""
    drawn = bucket(EXPERIMENT, ROUTE, "shadow", request.id) < COPIED_PERCENT[shadow] * 10_000
    return answerer == "v1" and drawn


def verdict(primary, shadow, named):
    """The verdict on two `(answer, digit)`s to the same question, both asked by the same id.

    Where the client did not name its question, MLServer makes up an id for each answer: then the bytes differ in any case.
    """
    if primary[1] != shadow[1]:
        return "diverged"
    return "identical" if named and primary[0] == shadow[0] else "equivalent"


def evidence(multipliers, bad, trials, limit):
    """The mean likelihood ratio of rates whose odds are these multiples of the limit's, against the limit."""
    with decimal.localcontext(prec=30, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN):
        ratios = [(m**bad if bad else 1) / (1 - limit + m * limit) ** trials for m in multipliers]
        return sum(ratios) / len(ratios)


def fails(gate, bad, trials, alpha=ALPHA, min_trials=None):
    """Whether so many bad trials are evidence enough that the rate is above the gate's limit."""
    enough = trials >= (gate.min_trials if min_trials is None else min_trials)
    return enough and evidence(WORSE, bad, trials, decimal.Decimal(gate.bad_percent) / 100) >= 1 / alpha


def passes(gate, bad, trials):
    """Whether so few bad trials are evidence enough that it is below."""
    return trials >= gate.min_trials and evidence(BETTER, bad, trials, decimal.Decimal(gate.bad_percent) / 100) >= 1 / ALPHA


def state(gate, counted):
    """What a gate says by the last of these `(bad, trials)`; but a gate that ever failed has failed."""
    if any(fails(gate, *each) for each in counted):
        return "fail"
    return "pass" if passes(gate, *counted[-1]) else "undecided"


def until_pass(gate, bad, trials):
    """How many more trials, none of them bad, would make an undecided gate pass."""
    return bisect.bisect_left(range(trials, 10**9), True, key=lambda more: passes(gate, bad, more))
